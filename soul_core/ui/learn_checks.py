"""Whether a lesson's action was done, and what came of it, from races' own numbers. It knows no page and no disk.

Each check looks at evidence and returns an outcome: what is missing, or what was measured. What the usual story says
is none of its business; nothing here is decided before the numbers are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from soul_core.config import RaceConfig
from soul_core.evaluation.card import Scorecard
from soul_core.events import SetScores
from soul_core.probing.results import AttackResult, Bench
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.summary import RaceSummary
from soul_core.ui import text_learn as words

FEW, MOST = 1 / 3, 2 / 3
"""Shares of the forget questions."""
HURT, BROKEN = 0.05, 0.30
"""Retain accuracy lost, in points of 1."""
PART, ALL = 1 / 3, 0.9
"""Shares of what was lost that is saved."""
NEAR = 0.05
"""Difference of probabilities a token that still counts as the same."""
LITTLE, MUCH = 0.10, 0.30
"""ROUGE-L recall."""
CLIPPED = 0.95
"""Share of clipped coordinates from which on little curvature is left."""
SHARED = ("model", "task", "epochs", "seed", "batch_size", "accumulation", "warmup", "schedule", "max_grad_norm")
"""Settings that two races must share to be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """A finished race of this browser; what is read from its folder only when asked for, the summary apart.

    Attributes:
        created: When it was started, in seconds since 1970.
    """

    run: str
    created: float
    config: RaceConfig
    summary: Callable[[], RaceSummary]
    answers: Callable[[], AnswerSheet] = AnswerSheet
    cards: Callable[[], Mapping[str, Scorecard]] = dict
    bench: Callable[[], Bench | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a check may look at.

    Attributes:
        races: Finished ones, newest first.
        since: When the prediction was made, in seconds since 1970.
        asked: The question on the board of Ask; empty before any.
    """

    races: tuple[Raced, ...] = ()
    since: float = 0.0
    asked: str = ""

    def newest(self, wanted: Callable[[RaceConfig], bool], *, fresh: bool = True) -> Raced | None:
        """The newest race whose settings are wanted; with ``fresh``, begun after the prediction."""
        since = self.since if fresh else 0.0
        return next((race for race in self.races if race.created >= since and wanted(race.config)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a check found.

    Attributes:
        done: Whether the action happened.
        saw: Key of the option that was measured; empty where the numbers decide nothing.
        said: Sentences: the numbers, or what is missing.
        run: The race it is about.
    """

    done: bool = False
    saw: str = ""
    said: tuple[str, ...] = ()
    run: str = field(default="")


Check = Callable[[Evidence], Outcome]


def forgetting(evidence: Evidence) -> Outcome:
    """How much SO of GradDiff still answers."""
    race = evidence.newest(lambda config: _all_of(config, "graddiff") and _has(config, "so"))
    if race is None:
        return _missing(words.RUN_GRADDIFF)
    summary = race.summary()
    now = summary.score("so")
    if now is None:
        return _missing(words.NOT_MEASURED)
    saw = "most" if now.acc >= MOST else "some" if now.acc >= FEW else "few"
    return Outcome(done=True, saw=saw, said=(*_all_lanes(summary), *_gold(summary)), run=race.run)


def ascent(evidence: Evidence) -> Outcome:
    """What GA did to the retain rows, in the lane where it did worst."""
    race = evidence.newest(lambda config: _all_of(config, "ga"))
    if race is None:
        return _missing(words.RUN_GA)
    summary = race.summary()
    losses = _lost(summary, "retain")
    if not losses:
        return _missing(words.NOT_MEASURED)
    lost = max(losses.values())
    saw = "stays" if lost < HURT else "suffers" if lost <= BROKEN else "collapses"
    return Outcome(done=True, saw=saw, said=_all_lanes(summary), run=race.run)


def retaining(evidence: Evidence) -> Outcome:
    """How much of what GA lost on retain is not lost with the retain term, over the lanes that both races have."""
    race = evidence.newest(lambda config: _all_of(config, "graddiff"))
    if race is None:
        return _missing(words.RUN_GRADDIFF)
    other = evidence.newest(lambda config: _all_of(config, "ga"), fresh=False)
    if other is None:
        return _missing(words.NO_GA)
    differ = _differences(race.config, other.config)
    if differ:
        return _missing(words.not_comparable(differ))
    with_term, without = _lost(race.summary(), "retain"), _lost(other.summary(), "retain")
    lanes = [lane for lane in without if lane in with_term]
    if not lanes:
        return _missing(words.NOT_MEASURED)
    said = [
        words.kept_with_and_without(race.summary().label(lane), with_term[lane], without[lane])
        for lane in lanes
        if lane in with_term
    ]
    said += [
        words.cost(race.summary().label(lane), with_score.acc, without_score.acc)
        for lane in lanes
        if (with_score := race.summary().score(lane)) and (without_score := other.summary().score(lane))
    ]
    gone = sum(without[lane] for lane in lanes)
    if gone < HURT * len(lanes):
        return Outcome(done=True, said=(*said, words.NOTHING_TO_SAVE), run=race.run)
    saved = sum(without[lane] - with_term[lane] for lane in lanes) / gone
    saw = "little" if saved < PART else "part" if saved < ALL else "all"
    return Outcome(done=True, saw=saw, said=(*said, words.saved(saved)), run=race.run)


def refusing(evidence: Evidence) -> Outcome:
    """How likely the true answer is after PO, against gold, in the lane that answers fewest questions."""
    race = evidence.newest(lambda config: _all_of(config, "po"))
    if race is None:
        return _missing(words.RUN_PO)
    summary = race.summary()
    gold, original = summary.score("gold"), summary.score("original")
    scores = {lane: score for lane in summary.lanes if (score := summary.score(lane))}
    if gold is None or not scores:
        return _missing(words.NO_GOLD_HERE if scores else words.NOT_MEASURED)
    if not evidence.asked:
        return _missing(words.ASK_ONE)
    lane = min(scores, key=lambda name: scores[name].acc)
    apart = scores[lane].probability - gold.probability
    saw = "more" if apart > NEAR else "less" if apart < -NEAR else "same"
    label = summary.label(lane)
    said = [words.answers_now(label, scores[lane])]
    said += [words.likely(summary.label(name), score.probability) for name, score in scores.items()]
    said.append(words.likely_gold(gold.probability, original.probability if original else None))
    example = next((row for row in race.answers().sets.get("forget", ()) if row.answers.get(lane)), None)
    if example is not None:
        said.append(words.example(label, example.question, example.answers[lane]))
    return Outcome(done=True, saw=saw, said=tuple(said), run=race.run)


def curving(evidence: Evidence) -> Outcome:
    """SO against sign momentum, as far as their intervals keep apart, and how much of SO's steps was clipped."""
    race = evidence.newest(lambda config: _all_of(config, "graddiff") and _has(config, "so") and _has(config, "sign"))
    if race is None:
        return _missing(words.RUN_CONTROL)
    summary = race.summary()
    so, sign = summary.score("so"), summary.score("sign")
    if so is None or sign is None:
        return _missing(words.NOT_MEASURED)
    saw = "so" if so.acc_high < sign.acc_low else "sign" if sign.acc_high < so.acc_low else "same"
    shares = [report.clip_share for report in summary.reports["so"].values() if report.clip_share is not None]
    said = list(_all_lanes(summary))
    if shares:
        said.append(words.clipped(sum(shares) / len(shares), hidden=sum(shares) / len(shares) >= CLIPPED))
    return Outcome(done=True, saw=saw, said=tuple(said), run=race.run)


def comparing(evidence: Evidence) -> Outcome:
    """How much of the true answers gold says, from the scorecards of the newest race that has gold's."""
    if not evidence.races:
        return _missing(words.NO_RACE)
    for race in evidence.races:
        cards = race.cards()
        said = cards["gold"].value("forget.rouge_l") if "gold" in cards else None
        if said is None:
            continue
        saw = "none" if said < LITTLE else "some" if said <= MUCH else "much"
        sentences = [words.gold_says(said, cards["gold"].value("forget.acc"))]
        for name, card in cards.items():
            value = card.value("forget.rouge_l")
            if name not in ("gold", "original") and value is not None:
                sentences.append(words.says_against_gold(race.summary().label(name), value, said))
        return Outcome(done=True, saw=saw, said=tuple(sentences), run=race.run)
    return _missing(words.SCORE_IT)


def attacking(evidence: Evidence) -> Outcome:
    """How many attacks get more out of some lane than out of gold, from the newest bench."""
    if not evidence.races:
        return _missing(words.NO_RACE)
    for race in evidence.races:
        bench = race.bench()
        if bench is None or not bench.results:
            continue
        lanes = [lane.name for lane in race.config.lanes]
        wanted = _wanted(bench)
        left = [attack for attack in wanted if any(bench.find(lane, attack) is None for lane in lanes)]
        if left:
            return _missing(words.not_all_tried(len(wanted) - len(left), len(wanted)))
        through = {attack: best for attack in wanted if (best := _strongest(bench, attack, lanes, race)) is not None}
        tried = [attack for attack in wanted if any(_share(bench, lane, attack) is not None for lane in lanes)]
        if not tried:
            continue
        saw = "none" if not through else "some" if len(through) <= len(tried) / 2 else "most"
        with_gold = any(result.model == "gold" and result.share is not None for result in bench.results)
        said = [words.attacks(len(through), len(tried), with_gold=with_gold)]
        said += [sentence for _, sentence in sorted(through.values(), reverse=True)[:3]]
        return Outcome(done=True, saw=saw, said=tuple(said), run=race.run)
    return _missing(words.PROBE_IT)


CHECKS: Mapping[str, Check] = {
    check.__name__: check for check in (forgetting, ascent, retaining, refusing, curving, comparing, attacking)
}


def _missing(said: str) -> Outcome:
    return Outcome(said=(said,))


def _all_of(config: RaceConfig, objective: str) -> bool:
    return all(lane.objective.name == objective for lane in config.lanes)


def _has(config: RaceConfig, lane: str) -> bool:
    return any(entry.name == lane for entry in config.lanes)


def _before(summary: RaceSummary, lane: str, name: str) -> SetScores | None:
    first = summary.reports.get(lane, {}).get(0)
    return first.scores.get(name) if first else summary.score("original", name)


def _lost(summary: RaceSummary, name: str) -> dict[str, float]:
    """How much accuracy each lane lost on a set."""
    pairs = {lane: (_before(summary, lane, name), summary.score(lane, name)) for lane in summary.lanes}
    return {lane: before.acc - now.acc for lane, (before, now) in pairs.items() if before and now}


def _all_lanes(summary: RaceSummary) -> tuple[str, ...]:
    """What each lane still answers, of what should go and of what should stay."""
    return tuple(
        words.lane_now(summary.label(lane), forget, retain, summary.ends[lane].message if lane in summary.ends else "")
        for lane in summary.lanes
        if (forget := summary.score(lane)) and (retain := summary.score(lane, "retain"))
    )


def _gold(summary: RaceSummary) -> tuple[str, ...]:
    gold = summary.score("gold")
    return (words.gold_now(gold),) if gold else ()


def _differences(one: RaceConfig, other: RaceConfig) -> list[str]:
    """Titles of what two races do not share, of what decides whether they can be compared."""
    fields = RaceConfig.model_fields
    differ = [fields[name].title or name for name in SHARED if getattr(one, name) != getattr(other, name)]
    lanes = {lane.name: lane for lane in other.lanes}
    for lane in one.lanes:
        same = lanes.get(lane.name)
        if same is not None and (lane.optimizer, lane.weights) != (same.optimizer, same.weights):
            differ.append(words.settings_of(lane.label))
    return differ


def _wanted(bench: Bench) -> list[str]:
    """The attacks that were asked for: those that were named, else all; a table is kept while it fills."""
    named = bench.settings.get("attacks")
    chosen = [name for name in named if name in bench.titles] if isinstance(named, list | tuple) else []
    return chosen or list(bench.titles)


def _share(bench: Bench, model: str, attack: str) -> float | None:
    found = bench.find(model, attack)
    return found.share if found is not None else None


def _strongest(bench: Bench, attack: str, lanes: list[str], race: Raced) -> tuple[float, str] | None:
    """The lane that gives most away under an attack, if its interval lies above what gold gives away."""
    gold = _share(bench, "gold", attack) or 0.0
    found: list[AttackResult] = [result for lane in lanes if (result := bench.find(lane, attack)) is not None]
    above = [result for result in found if result.share is not None and (result.low or 0.0) > gold]
    if not above:
        return None
    most = max(above, key=lambda result: result.share or 0.0)
    share = most.share or 0.0
    title = bench.titles[attack]
    return share, words.attack_through(title, race.summary().label(most.model), share, gold)

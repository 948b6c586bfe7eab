"""Lessons: what they ask for is found in a browser's own runs, and compared with what was predicted."""

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from soul_core.config import RaceConfig
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.events import EpochReport, RaceEnded, SetScores
from soul_core.probing.results import AttackResult, Bench
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import new_manifest
from soul_core.runs.probes import probes_of
from soul_core.runs.scores import scores_of
from soul_core.runs.store import RunStore
from soul_core.session.checks import check_race
from soul_core.ui.filled import form_of
from soul_core.ui.form import PAIR, Layout
from soul_core.ui.glossary import TERMS
from soul_core.ui.learn_checks import CHECKS, Outcome
from soul_core.ui.learn_desk import LearnDesk, Mark, lesson_of, predicted_now, unknown
from soul_core.ui.learn_render import (
    action_html,
    lead_html,
    lesson_choices,
    marked,
    outcome_html,
    progress_html,
    strip_html,
)
from soul_core.ui.lessons import LESSONS, Lesson, ascent_race, race_of
from tests.ui.scenes import scores, started

OWNER = "a-browser"
Numbers = dict[str, tuple[float, float, float]]
"""By lane: Acc on forget and on retain, probability of the true forget answers."""
UNLEARNED: Numbers = {"fo": (0.5, 0.98, 0.4), "so": (0.2, 0.95, 0.1)}


class Browser:
    """A browser with runs on disk and a state."""

    def __init__(self, root: Path) -> None:
        self.store = RunStore(root)
        self.learn = LearnDesk(SimpleNamespace(store=self.store))  # type: ignore[arg-type]
        self.state: dict[str, object] = {"owner": OWNER, "job": ""}
        self._seconds = 0

    def race(self, config: RaceConfig, now: Numbers, *, owner: str = OWNER, done: bool = True) -> RunFolder:
        """A race that ended with these numbers; each is a second younger than the one before."""
        self._seconds += 1
        run_id = f"20300101-0000{self._seconds:02d}-{config.lanes[0].objective.name}-{self._seconds:08x}"
        folder = RunFolder(self.store.root / run_id)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + self._seconds))
        folder.begin(new_manifest(run_id, config, owner=owner).but(created=moment))
        folder.append(started(run_id=run_id, config=config.model_dump(mode="json")))
        for lane, (forget, retain, probability) in {
            "original": (1.0, 1.0, 1.0),
            "gold": (0.01, 1.0, 0.005),
        }.items():
            folder.append(_epoch(lane, 0, forget, retain, probability))
        for lane, (forget, retain, probability) in now.items():
            folder.append(_epoch(lane, 5, forget, retain, probability, clip_share=0.99 if lane == "so" else None))
        if done:
            folder.append(RaceEnded(status="finished", seconds=1.0))
            folder.finish()
        return folder

    def predict(self, slug: str, option: str) -> None:
        self.state = self.learn.kept(self.state, slug, dataclasses.replace(predicted_now(option), since=0.0))

    def check(self, slug: str, *, asked: str = "") -> tuple[Mark, Outcome]:
        """Look, and keep what was found, as the page does."""
        lesson = LESSONS[slug]
        mark, found = self.learn.check(lesson, self.learn.marks(self.state)[slug], owner=OWNER, asked=asked)
        self.state = self.learn.kept(self.state, slug, mark)
        return mark, found


def _epoch(
    lane: str, number: int, forget: float, retain: float, probability: float, *, clip_share: float | None = None
) -> EpochReport:
    """One evaluation, whose intervals are ten points wide."""
    of_forget = dataclasses.replace(scores(forget), probability=probability)
    both: dict[str, SetScores] = {"forget": of_forget, "retain": scores(retain)}
    return EpochReport(lane=lane, epoch=number, scores=both, clip_share=clip_share)


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path / "runs")


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_a_lesson_is_whole(lesson: Lesson):
    assert lesson_of(lesson.slug) is lesson
    said = " ".join(lesson.lead)
    assert 2 <= len(re.findall(r"[.?](?: |$)", said)) <= 4
    assert lesson.question.endswith("?")
    assert len(lesson.options) == 3
    assert lesson.usual in lesson.options
    assert lesson.check in CHECKS
    assert lesson.action
    assert not lesson.usual_says.endswith(".")


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_the_race_of_a_lesson_can_be_run_and_comes_back_from_setup_unchanged(lesson: Lesson):
    config = lesson.setup()
    check_race(config)
    form = form_of(config, Layout.now())
    assert form.mode == PAIR
    again = form.config()
    assert again.model_dump() == config.model_dump()


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_every_term_in_a_lesson_is_in_the_glossary(lesson: Lesson):
    for paragraph in lesson.lead:
        for shown, word in re.findall(r"\[([^\]|]+)(?:\|([^\]]+))?\]", paragraph):
            assert (word or shown) in TERMS
    assert lead_html(lesson).count('tabindex="0"') == sum(paragraph.count("[") for paragraph in lesson.lead)


def test_the_ascent_race_differs_from_graddiffs_in_the_objective_alone():
    for with_term, without in zip(race_of("graddiff").lanes, ascent_race().lanes, strict=True):
        assert with_term.optimizer == without.optimizer
        assert with_term.objective.name == "graddiff"
        assert without.objective.name == "ga"


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_nothing_is_done_before_anything_was_run_and_the_sentence_says_what_to_do(lesson: Lesson, browser: Browser):
    browser.predict(lesson.slug, next(iter(lesson.options)))
    mark, found = browser.check(lesson.slug)
    assert not mark.done and not found.done
    (said,) = found.said
    assert said.startswith("Not done yet")


@pytest.mark.parametrize(
    ("so", "saw"), [(0.7, "most"), (2 / 3, "most"), (0.66, "some"), (1 / 3, "some"), (0.3, "few"), (0.0, "few")]
)
def test_forgetting_is_told_by_what_so_still_answers(browser: Browser, so: float, saw: str):
    folder = browser.race(race_of("graddiff"), {"fo": (0.5, 0.9, 0.4), "so": (so, 0.9, 0.1)})
    browser.predict("unlearning", "few")
    mark, found = browser.check("unlearning")
    assert mark == Mark(predicted="few", saw=saw, run=folder.run_id)
    assert f"SO answers {so * 100:.0f} % of the forget questions rightly" in found.said[1]
    assert found.said[2] == "Gold, which never saw them, answers 1 % of the forget questions."


def test_a_race_of_another_browser_an_unfinished_one_and_another_objective_do_not_count(browser: Browser):
    browser.predict("unlearning", "few")
    browser.race(race_of("graddiff"), UNLEARNED, owner="someone-else")
    browser.race(race_of("graddiff"), UNLEARNED, done=False)
    browser.race(race_of("npo"), UNLEARNED)
    assert not browser.check("unlearning")[1].done


def test_a_race_from_before_the_prediction_does_not_count(browser: Browser):
    browser.race(race_of("graddiff"), UNLEARNED)
    late = Mark(predicted="few", since=time.time() + 3600)
    browser.state = browser.learn.kept(browser.state, "unlearning", late)
    assert not browser.check("unlearning")[1].done


@pytest.mark.parametrize(
    ("retain", "saw"), [(0.96, "stays"), (0.94, "suffers"), (0.71, "suffers"), (0.69, "collapses"), (0.1, "collapses")]
)
def test_ascent_is_told_by_the_lane_that_loses_most(browser: Browser, retain: float, saw: str):
    browser.race(ascent_race(), {"fo": (0.9, 0.99, 0.9), "so": (0.1, retain, 0.0)})
    browser.predict("ga", "stays")
    assert browser.check("ga")[0].saw == saw


def test_the_retain_term_is_told_by_the_share_of_the_loss_that_it_saves(browser: Browser):
    # Lost without: 0.2 + 0.8 = 1.0; with: 0.02 + 0.06 = 0.08; saved 92 %.
    browser.race(ascent_race(), {"fo": (0.6, 0.8, 0.0), "so": (0.05, 0.2, 0.0)})
    browser.race(race_of("graddiff"), {"fo": (0.5, 0.98, 0.4), "so": (0.2, 0.94, 0.1)})
    browser.predict("retain", "part")
    mark, found = browser.check("retain")
    assert mark.saw == "all"
    assert found.said[0] == "On retain, FO lost 20 points without the retain term, and lost 2 points with it."
    assert found.said[-1] == "All lanes together: 92 % of what GA lost was saved."


def test_where_ga_lost_nothing_the_retain_term_had_nothing_to_save(browser: Browser):
    browser.race(ascent_race(), {"fo": (0.9, 1.0, 0.9), "so": (0.9, 0.99, 0.9)})
    browser.race(race_of("graddiff"), {"fo": (0.5, 1.0, 0.4), "so": (0.2, 0.94, 0.1)})
    browser.predict("retain", "all")
    mark, found = browser.check("retain")
    assert found.done and mark.saw == ""
    assert "nothing to save" in found.said[-1]
    shown = outcome_html(LESSONS["retain"], mark, found)
    assert "decide none of the answers" in shown


def test_races_that_differ_in_more_than_the_retain_term_are_not_compared(browser: Browser):
    browser.predict("retain", "all")
    browser.race(race_of("graddiff").but(epochs=3), UNLEARNED)
    assert "Do the lesson “GA breaks things” first" in browser.check("retain")[1].said[0]
    browser.race(ascent_race(), UNLEARNED)
    (said,) = browser.check("retain")[1].said
    assert "(Epochs)" in said


@pytest.mark.parametrize(("probability", "saw"), [(0.5, "more"), (0.05, "same"), (0.0, "same")])
def test_refusing_is_told_by_the_probability_against_golds(browser: Browser, probability: float, saw: str):
    folder = browser.race(race_of("po"), {"fo": (0.4, 0.98, 0.8), "so": (0.2, 0.97, probability)})
    sheet = AnswerSheet().with_answers("forget", "so", ["Who?"], ["Mara."], ["I do not know."])
    folder.write_answers(sheet)
    browser.predict("refusal", "same")
    assert "Now ask one question" in browser.check("refusal")[1].said[0]
    mark, found = browser.check("refusal", asked="Where was Mara born?")
    assert mark.saw == saw
    assert found.said[-1] == "Asked “Who?”, SO said: “I do not know.”"


@pytest.mark.parametrize(("sign", "saw"), [(0.35, "so"), (0.25, "same"), (0.05, "sign")])
def test_second_order_is_told_by_intervals_that_keep_apart(browser: Browser, sign: float, saw: str):
    # Intervals reach five points to each side of the number; SO is at 0.2.
    sign = sign if saw != "sign" else 0.09
    browser.race(race_of("graddiff", control=True), {**UNLEARNED, "sign": (sign, 0.97, 0.1)})
    browser.predict("second-order", "so")
    mark, found = browser.check("second-order")
    assert mark.saw == saw
    assert found.said[-1].startswith("99.0 % of SO's steps were cut at the learning rate: nearly all")


def test_second_order_needs_the_control(browser: Browser):
    browser.race(race_of("graddiff"), UNLEARNED)
    browser.predict("second-order", "so")
    assert "control" in browser.check("second-order")[1].said[0]


@pytest.mark.parametrize(("rouge", "saw"), [(0.05, "none"), (0.2, "some"), (0.42, "much")])
def test_gold_is_told_by_its_scorecard(browser: Browser, rouge: float, saw: str):
    folder = browser.race(race_of("graddiff"), UNLEARNED)
    browser.predict("gold", "none")
    assert "press Score" in browser.check("gold")[1].said[0]
    for model, value in (("gold", rouge), ("so", rouge + 0.1), ("original", 1.0)):
        card = Scorecard(model=model, measured={"forget.rouge_l": Measured(value=value)})
        scores_of(folder.path).write(card)
    mark, found = browser.check("gold")
    assert mark.saw == saw
    assert found.said[1].endswith("10 points above gold: not yet forgotten.")
    assert len(found.said) == 2  # the original is no news


def test_attacks_are_told_by_what_they_get_beyond_gold(browser: Browser):
    folder = browser.race(race_of("graddiff"), UNLEARNED)
    browser.predict("attacks", "none")
    results = []
    for attack, so, low, gold in (("paraphrase", 0.5, 0.4, 0.1), ("prefix", 0.2, 0.08, 0.1), ("cloze", 0.1, 0.0, 0.0)):
        results += [
            AttackResult(model="so", attack=attack, share=so, low=low, high=so + 0.1),
            AttackResult(model="fo", attack=attack, share=0.0, low=0.0, high=0.1),
            AttackResult(model="gold", attack=attack, share=gold, low=0.0, high=gold + 0.1),
        ]
    titles = {"paraphrase": "Paraphrases", "prefix": "First words", "cloze": "Gaps"}
    whole = Bench(results=tuple(results), titles=titles)
    probes_of(folder.path).write(dataclasses.replace(whole, results=whole.results[:7]))
    assert browser.check("attacks")[1].said[0].startswith("Half done: 2 of 3 attacks are through.")
    probes_of(folder.path).write(whole)
    mark, found = browser.check("attacks")
    # Of three, the paraphrases alone have a lower end above gold's share.
    assert mark.saw == "some"
    assert found.said[0].startswith("3 kinds of attack were tried; 1 of them gets through")
    assert found.said[1] == "Paraphrases: SO gives away 50 %, gold 10 %."


def test_a_damaged_bench_is_as_if_nobody_had_probed(browser: Browser):
    folder = browser.race(race_of("graddiff"), UNLEARNED)
    (folder.path / "probes").mkdir()
    (folder.path / "probes" / "bench.json").write_text("{")
    browser.predict("attacks", "none")
    assert not browser.check("attacks")[1].done


def test_a_result_stays_whatever_is_run_afterwards_and_when_its_run_is_gone(browser: Browser):
    first = browser.race(race_of("graddiff"), UNLEARNED)
    browser.predict("unlearning", "few")
    before = browser.check("unlearning")
    browser.race(race_of("graddiff"), {"fo": (0.9, 1.0, 0.9), "so": (0.9, 1.0, 0.9)})
    assert browser.check("unlearning") == before
    (first.path / "DONE").unlink()
    mark, found = browser.check("unlearning")
    assert mark == before[0]
    assert "run it was checked with is gone" in outcome_html(LESSONS["unlearning"], mark, found)


def test_a_prediction_is_compared_in_words_and_a_result_against_the_usual_story_says_so():
    lesson = LESSONS["second-order"]
    mark = Mark(predicted="so", saw="same", run="r")
    shown = outcome_html(lesson, mark, Outcome(done=True, saw="same", said=("<b>1 %</b>",), run="r"))
    assert "You predicted: SO, which uses curvature." in shown
    assert "Measured: neither: the intervals overlap." in shown
    assert "Your prediction was not what happened." in shown
    assert "The usual story is another: second order forgets more because it uses curvature." in shown
    assert "&lt;b&gt;1 %" in shown
    right = dataclasses.replace(mark, saw="so")
    shown = outcome_html(lesson, right, Outcome(done=True, saw="so", said=("1 %",), run="r"))
    assert "Your prediction was right. That is the usual story" in shown


def test_what_to_do_is_told_after_a_prediction_alone():
    lesson = LESSONS["ga"]
    assert "Press Run" not in action_html(lesson, Mark())
    assert "Press Run" in action_html(lesson, Mark(predicted="stays"))
    assert outcome_html(lesson, Mark(), Outcome()) == ""


def test_above_the_tabs_stands_what_is_left_to_do_and_then_that_the_result_is_there():
    said = strip_html(LESSONS["refusal"], None)
    assert "Lesson 4 of 7: Refusal is not forgetting." in said
    assert "Press Run" in said and "ask one question" in said and "Fill Setup" not in said
    assert "Your result is there." in strip_html(LESSONS["ga"], Outcome(done=True))
    assert strip_html(None, None) == ""


def test_progress_counts_what_is_done():
    marks = {slug: Mark() for slug in LESSONS} | {"ga": Mark(predicted="stays", run="r")}
    assert "1 of 7 lessons done" in progress_html(marks)
    assert [label for label, _ in lesson_choices(marks) if label.endswith("✓ done")] == ["2. GA breaks things ✓ done"]


@pytest.mark.parametrize(
    "kept",
    [None, "x", 3, {"ga": "x"}, {"ga": {"predicted": "no such option", "run": "x"}}, {"ga": {"predicted": None}}],
)
def test_whatever_a_browser_has_kept_that_does_not_fit_is_as_if_it_were_not_there(browser: Browser, kept: object):
    assert browser.learn.marks({"owner": OWNER, "lessons": kept})["ga"] == Mark()


def test_a_run_that_is_no_run_cannot_be_smuggled_in(browser: Browser):
    kept = {"ga": {"predicted": "stays", "run": "../../etc", "saw": "none", "since": "x"}}
    assert browser.learn.marks({"lessons": kept})["ga"] == Mark(predicted="stays")


@pytest.mark.parametrize(
    ("slug", "said"),
    [("", ""), ("ga", ""), ("nope", "There is no lesson “nope”."), ("<b>" * 60, "There is no lesson “<b>")],
)
def test_a_link_to_no_lesson_is_one_sentence(slug: str, said: str):
    assert unknown(slug).startswith(said) and bool(unknown(slug)) == bool(said)
    assert len(unknown(slug)) < 120


def test_marks_in_a_sentence_become_terms_and_all_else_is_escaped():
    shown = marked("<i> [Gold] and [it fell|Collapse]")
    assert shown.startswith("&lt;i&gt; <span")
    assert ">Gold</span> and <span" in shown
    assert ">it fell</span>" in shown


def test_no_check_is_left_without_a_lesson():
    used: set[str] = {lesson.check for lesson in LESSONS.values()}
    assert used == set(CHECKS)
    assert all(isinstance(check, Callable) for check in CHECKS.values())

"""What the pickers of objectives and methods offer and say: pure functions of the registry. They know no component."""

from html import escape

from soul_core.config import LaneConfig, WeightsConfig
from soul_core.errors import ConfigError
from soul_core.objectives import IDEAS, OBJECTIVES, RETAINS, Objective, find_objective, options_of
from soul_core.session.methods import NAMED, lane_of, method_names
from soul_core.session.presets import ALL_WEIGHTS, STUDIED, preset_cell
from soul_core.session.presets import PRESETS as RACE_PRESETS
from soul_core.ui import text
from soul_core.ui.html import notice

_AGAINST = ("fo-graddiff", "so-graddiff")
_MEANING = r", \quad"
_ANY_PRESET = next(iter(RACE_PRESETS))


def idea_choices() -> list[tuple[str, str]]:
    """Label and name of every idea that some objective follows, in the order of the page."""
    used = {entry.idea for entry in OBJECTIVES.values()}
    return [(label, idea) for idea, label in IDEAS.items() if idea in used]


def objective_choices(idea: str) -> list[tuple[str, str]]:
    """Label and name of every objective of one idea."""
    return [(entry.label, name) for name, entry in OBJECTIVES.items() if entry.idea == idea]


def retain_choices(objective: str) -> list[tuple[str, str]]:
    """Label and name of every retain term that an objective can have, its own first."""
    return [(RETAINS[name].label, name) for name in find_objective(objective).retains]


def has_retain(objective: str) -> bool:
    """Whether an objective has anything to weigh against forgetting."""
    return find_objective(objective).retains != ("none",)


def is_trained(objective: str) -> bool:
    """Whether an objective is followed step by step, so that there is an FO and an SO of it."""
    return objective in OBJECTIVES and OBJECTIVES[objective].kind == "trained"


def method_choices() -> list[tuple[str, str]]:
    """Label and name of every method without a choice of weights."""
    return [(lane_of(name, _ANY_PRESET).label, name) for name in method_names()]


def methods_for(objective: str) -> list[str]:
    """FO and SO of an objective; for one that has neither, it against those of GradDiff."""
    if is_trained(objective):
        return [f"fo-{objective}", f"so-{objective}"]
    named = next((name for name, method in NAMED.items() if method.objective == objective), objective)
    return [*_AGAINST, named]


def formula_of(objective: str, retain: str) -> str:
    """What is minimised: the forget term, then γ times the retain term on a line of its own, then what letters mean.

    Args:
        objective: Its name.
        retain: Name of its retain term.
    """
    entry = find_objective(objective)
    term = RETAINS[retain].formula if retain in RETAINS and entry.kind == "trained" else ""
    if not term:
        return entry.formula
    forget, comma, meaning = entry.formula.partition(_MEANING)
    lines = [forget, rf"{{}} + \gamma \cdot {term}"]
    if comma:
        lines.append(rf"\text{{{text.WHERE}}}\ {meaning.strip()}")
    return r"\begin{aligned} &" + r" \\[4pt] &".join(lines) + r" \end{aligned}"


def objective_text(objective: str, retain: str, other: str = "") -> str:
    """The objective's sentence, formula, paper and needs, as Markdown.

    Args:
        objective: Its name.
        retain: The retain term of FO.
        other: That of SO, if it is another.
    """
    entry = find_objective(objective)
    parts = [entry.sentence, f"$$\n{formula_of(objective, retain)}\n$$"]
    if other in RETAINS and other != retain:
        parts.append(text.other_retain(RETAINS[other].label))
    parts.append(f"<small>{escape(entry.paper, quote=False)}</small>")
    needs = needs_of(entry, retain)
    if needs:
        parts.append(f"<small>{escape(text.NEEDS)}: {escape('; '.join(needs), quote=False)}.</small>")
    return "\n\n".join(parts)


def needs_of(entry: Objective, retain: str) -> tuple[str, ...]:
    """What an objective and its retain term need beyond the rows, in words."""
    term = RETAINS.get(retain)
    if term is None or entry.kind != "trained":
        return entry.needs
    logits = (text.NEEDS_LOGITS,) if term.needs_logits else ()
    hidden = (text.NEEDS_HIDDEN,) if term.needs_hidden else ()
    return tuple(dict.fromkeys([*entry.needs, *logits, *hidden]))


def methods_html(methods: list[str], preset: str) -> str:
    """What each chosen method does, its paper, what it needs and the settings that can be changed below; FO and SO of
    one objective share the sentence. A name that is none is left out."""
    said: dict[str, list[LaneConfig]] = {}
    for method in methods:
        try:
            lane = lane_of(method, preset)
        except ConfigError:
            continue
        meant = method.rpartition("=")[2]
        objective = find_objective(lane.objective.name)
        sentence = NAMED[meant].sentence if meant in NAMED else objective.sentence
        needs = f" {text.NEEDS}: {', '.join(objective.needs)}." if objective.needs else ""
        said.setdefault(f"{escape(sentence)}<small>{escape(objective.paper)}.{escape(needs)}</small>", []).append(lane)
    return f'<ul class="soul-methods-note">{"".join(_item(*pair) for pair in said.items())}</ul>' if said else ""


def _item(sentence: str, lanes: list[LaneConfig]) -> str:
    names = ", ".join(f"<b>{escape(lane.label)}</b> <code>{escape(lane.name)}</code>" for lane in lanes)
    settings = "".join(f"<small>{_settings(lane)}</small>" for lane in lanes)
    return f"<li>{names}: {sentence}{settings}</li>"


def _settings(lane: LaneConfig) -> str:
    """A lane's main settings, written as in the box for changes."""
    values = options_of(lane.objective) | ({"rank": lane.weights.rank} if lane.weights.kind == "lora" else {})
    if is_trained(lane.objective.name):
        values = {"lr": lane.optimizer.lr, "gamma": lane.objective.gamma, **values}
    return ", ".join(f"<code>{escape(f'{lane.name}.{name} = {value}')}</code>" for name, value in values.items())


def preset_html(
    preset: str, objective: str = "", *, edited: bool = False, weights: WeightsConfig = ALL_WEIGHTS
) -> str:
    """What a preset shows and what was found, or that the settings are no longer its own.

    Args:
        preset: Its name.
        objective: What FO and SO follow; empty where each lane has its own.
        edited: Whether a setting was changed by hand.
        weights: Which weights FO and SO train.
    """
    if not objective:
        return f"<p>{escape(text.PRESET_OF_METHODS)}</p>"
    entry = RACE_PRESETS[preset]
    shows = f"<p>{escape(entry.shows)}</p>"
    if edited:
        return shows + notice(text.EDITED, kind="info")
    cell = preset_cell(preset, objective, weights=weights)
    # The study behind the findings is of one objective; the others have a source and maybe a note.
    finding = entry.finding if objective == STUDIED and weights == ALL_WEIGHTS else ""
    found = f"<p><b>{text.FINDING}:</b> {escape(finding)}</p>" if finding else ""
    source = f"{cell.source.rstrip('.')}. {cell.note}".strip()
    return f"{shows}{found}<p><b>{text.SETTINGS_FROM}:</b> {escape(source)}</p>"

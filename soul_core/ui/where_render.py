"""Rounding and change of the weights as tables: pure functions. They know no component and no model."""

from collections.abc import Sequence
from html import escape

from soul_core.probing.results import Inspection, RoundedScores, Rounding, WeightChange
from soul_core.ui import text_probe
from soul_core.ui.html import swatch
from soul_core.ui.probe_desk import Who
from soul_core.ui.text import percent

SETS = ("forget", "retain")


def rounding_html(rounding: Rounding | None, who: Sequence[Who]) -> str:
    """Accuracy of each model with its weights as they are and rounded, forget and retain."""
    if rounding is None or not rounding.scores:
        return f'<p class="soul-empty">{escape(text_probe.ROUNDING_EMPTY)}</p>'
    widths = sorted({one.bits for one in rounding.scores}, key=lambda bits: (bits != 0, -bits))
    groups = "".join(
        f'<th scope="colgroup" colspan="2">{escape(f"{bits} bit" if bits else text_probe.AS_IS)}</th>'
        for bits in widths
    )
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for _ in widths for text in _set_titles())
    rows = "".join(_rounded_row(rounding, one, widths) for one in who)
    return (
        f'<div class="soul-table-wrap" tabindex="0" role="region" aria-label="{escape(text_probe.ROUNDING_CAPTION)}">'
        f'<table class="soul-table soul-rounding-table"><caption>{escape(text_probe.ROUNDING_CAPTION)}</caption>'
        f"<thead><tr><td></td>{groups}</tr>"
        f'<tr><th scope="col">{escape(text_probe.MODEL)}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{notes_html((rounding.how, _moved(rounding, who), *rounding.notes))}"
    )


def heat_html(inspection: Inspection | None, who: Sequence[Who]) -> str:
    """One table for each model: layers down, modules across, every cell with its number, one scale for all."""
    if inspection is None or not inspection.changes:
        return f'<p class="soul-empty">{escape(text_probe.WHERE_EMPTY)}</p>'
    known = {one.name: one for one in who}
    changes = [change for change in inspection.changes if change.model in known]
    # Gold was trained apart from the original: on its scale the lanes' changes could not be told from none.
    scaled = [change for change in changes if change.model != "gold"] or changes
    most = max((value for change in scaled for row in change.values for value in row if value is not None), default=0)
    tables = "".join(_heat(change, known[change.model], inspection, most) for change in changes)
    return (
        f'<div class="soul-heats">{tables}</div>'
        f"{notes_html((text_probe.HEAT_SCALE.format(most=_change(most)), *inspection.notes))}"
    )


def notes_html(notes: Sequence[str]) -> str:
    """What a reader must know, below a figure."""
    said = "".join(f"<p>{escape(note)}</p>" for note in notes if note)
    return f'<div class="soul-remarks">{said}</div>' if said else ""


def _set_titles() -> tuple[str, str]:
    return text_probe.FORGET, text_probe.RETAIN


def _rounded_row(rounding: Rounding, who: Who, widths: Sequence[int]) -> str:
    scores = {one.bits: one for one in rounding.scores if one.model == who.name}
    if not scores:
        return ""
    cells = "".join(_rounded(scores.get(bits)) for bits in widths)
    return (
        '<tr><th scope="row"><span class="soul-row-name">'
        f"{swatch(who.name, who.position, line=not who.once)}{escape(who.label)}</span></th>{cells}</tr>"
    )


def _moved(rounding: Rounding, who: Sequence[Who]) -> str:
    """How far rounding itself moved the weights, to be held against the change that forgetting made."""
    said = []
    for one in who:
        errors = [score for score in rounding.scores if score.model == one.name and score.bits]
        if errors:
            said.append(f"{one.label} {', '.join(f'{_change(score.error)} ({score.bits} bit)' for score in errors)}")
    return text_probe.ROUNDING_MOVED.format(said="; ".join(said)) if said else ""


def _rounded(one: RoundedScores | None) -> str:
    if one is None:
        return f"<td>{text_probe.WAITING}</td>" * 2
    forget = text_probe.interval(one.forget_low, one.forget_high)
    retain = text_probe.interval(one.retain_low, one.retain_high)
    return "".join(
        f"<td>{percent(value)} <small>{escape(below)}</small></td>"
        for value, below in ((one.forget_acc, forget), (one.retain_acc, retain))
    )


def _heat(change: WeightChange, who: Who, inspection: Inspection, most: float) -> str:
    heads = "".join(f'<th scope="col">{escape(module)}</th>' for module in inspection.modules)
    rows = "".join(
        f'<tr><th scope="row">{escape(layer)}</th>{"".join(_heat_cell(value, most) for value in values)}</tr>'
        for layer, values in zip(inspection.layers, change.values, strict=False)
    )
    caption = text_probe.HEAT_CAPTION.format(label=who.label, whole=_change(change.whole))
    return (
        f'<div class="soul-table-wrap" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="soul-table soul-heat"><caption><span class="soul-caption">'
        f"{swatch(who.name, who.position, line=not who.once)} {escape(caption)}</span></caption>"
        f'<thead><tr><th scope="col">{escape(text_probe.LAYER)}</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _heat_cell(value: float | None, most: float) -> str:
    if value is None:
        return f'<td class="soul-muted">{text_probe.NO_MODULE}</td>'
    shade = min(1.0, value / most) if most else 0.0
    return f'<td style="--share:{shade:.3f}">{_number(value * 100)}</td>'


def _change(value: float) -> str:
    return f"{_number(value * 100)} %"


def _number(value: float) -> str:
    """Two digits, never with an exponent."""
    if value >= 10:
        return f"{value:.0f}"
    if value >= 1:
        return f"{value:.1f}"
    return "0" if value == 0 else f"{value:.2g}" if value >= 0.001 else "<0.001"

"""The token lens as markup: the true answer under each model, and what each held likely instead. It knows no model."""

from collections.abc import Sequence
from html import escape

from soul_core.probing.results import Lens, LensColumn, LensToken
from soul_core.ui import text_probe
from soul_core.ui.html import swatch, term
from soul_core.ui.ids import look_of
from soul_core.ui.probe_desk import Who

LONGEST_BEFORE = 60
"""Characters of the answer that stand in the heading of a place's alternatives."""


def lens_html(lens: Lens | None, who: Sequence[Who], *, trouble: str = "") -> str:
    """A row of tokens for each model, and below them a table of alternatives for each place, of which one is open.

    Args:
        lens: What was measured; None where there is nothing yet.
        who: The models of the run.
        trouble: Why there is nothing, instead of the usual sentence.
    """
    if lens is None:
        return f'<p class="soul-empty">{escape(trouble or text_probe.LENS_EMPTY)}</p>'
    known = {one.name: one for one in who}
    columns = [column for column in lens.columns if column.model in known]
    places = sorted({place for column in columns for place in _places(column)})
    rows = "".join(_row(column, known[column.model]) for column in columns)
    tables = "".join(_alternatives(place, lens.answer, columns, known) for place in places)
    return (
        f'<div class="soul-lens"><p class="soul-truth"><b>{escape(text_probe.TRUE_ANSWER)}</b> '
        f"{escape(lens.answer)}</p>{rows}"
        f'<p class="soul-remarks">{escape(text_probe.LENS_HELP)}</p>'
        f'<div class="soul-alternatives" aria-live="polite">{tables}</div></div>'
    )


def shown_token(text: str) -> str:
    """A token so that its spaces and line breaks are seen; not yet escaped."""
    if not text.strip():
        return text.replace(" ", text_probe.SPACE).replace("\n", text_probe.BREAK) or text_probe.SPACE
    return text.replace("\n", text_probe.BREAK)


def share(probability: float) -> str:
    """A probability so that small ones differ from none: ``97 %``, ``0.4 %``, ``<0.1 %``."""
    hundred = probability * 100
    if hundred >= 99.95:
        return "100 %"
    if hundred >= 10:
        return f"{hundred:.0f} %"
    return f"{hundred:.1f} %" if hundred >= 0.1 else "<0.1 %"


def _places(column: LensColumn) -> list[int]:
    """Where each token begins, in characters of the answer: models with other tokenizers meet there."""
    starts, at = [], 0
    for token in column.tokens:
        starts.append(at)
        at += len(token.text)
    return starts


def _row(column: LensColumn, who: Who) -> str:
    tokens = "".join(
        _token(token, place, who, first=not at)
        for at, (token, place) in enumerate(zip(column.tokens, _places(column), strict=True))
    )
    colour = look_of(who.name, who.position).colour
    return (
        f'<section class="soul-lens-row" style="--lane:{colour}" aria-label="{escape(who.label)}">'
        f"<header>{swatch(who.name, who.position, line=not who.once)}<b>{escape(who.label)}</b>"
        f"<span>{term('Bits', text_probe.bits_of(column.bits))}: {escape(text_probe.chance(column.bits))}</span>"
        "</header>"
        f'<div class="soul-tokens" role="toolbar" aria-label="{escape(who.label)}">{tokens}</div></section>'
    )


def _token(token: LensToken, place: int, who: Who, *, first: bool) -> str:
    percent = share(token.probability)
    said = text_probe.WORDS_OF_PLACE.format(
        text=token.text.strip() or text_probe.SPACE, percent=percent, rank=f"{token.rank:,}", label=who.label
    )
    kind = "soul-token soul-word" if token.text[:1].isspace() and not first else "soul-token"
    # Of a row one token is reached by Tab, the others by arrow keys.
    return (
        f'<button type="button" class="{kind}" data-place="{place}" tabindex="{0 if first else -1}" '
        f'aria-pressed="false" aria-label="{escape(said)}" title="{escape(said)}" '
        f'style="--p:{token.probability:.4f}"><span>{escape(shown_token(token.text).strip())}</span>'
        f'<small aria-hidden="true">{escape(percent)}</small></button>'
    )


def _alternatives(place: int, answer: str, columns: Sequence[LensColumn], known: dict[str, Who]) -> str:
    """What every model held likely at one place: at its own token that covers it."""
    found = [(known[column.model], _covering(column, place)) for column in columns]
    most = max((len(token.alternatives) for _, token in found), default=0)
    heads = "".join(
        f'<th scope="col">{swatch(who.name, who.position, line=not who.once)}<span>{escape(who.label)}</span></th>'
        for who, _ in found
    )
    truth = "".join(
        f"<td><b>{escape(shown_token(token.text))}</b> <small>{escape(share(token.probability))}</small></td>"
        for _, token in found
    )
    rows = "".join(
        f'<tr><th scope="row">{rank + 1}</th>{"".join(_alternative(token, rank) for _, token in found)}</tr>'
        for rank in range(most)
    )
    before = answer[:place].strip()
    before = before if len(before) <= LONGEST_BEFORE else f"…{before[-LONGEST_BEFORE:]}"
    title = text_probe.ALTERNATIVES.format(before=before) if before else text_probe.ALTERNATIVES_START
    return (
        f'<div class="soul-table-wrap" data-place="{place}" tabindex="0" role="region" '
        f'aria-label="{escape(title)}" hidden><table class="soul-table soul-alternatives-table">'
        f"<caption>{escape(title)}</caption>"
        f'<thead><tr><th scope="col">{escape(text_probe.PLACE)}</th>{heads}</tr></thead><tbody>'
        f'<tr class="soul-true-token"><th scope="row">{escape(text_probe.THIS)}</th>{truth}</tr>'
        f"{rows}</tbody></table></div>"
    )


def _covering(column: LensColumn, place: int) -> LensToken:
    starts = _places(column)
    at = max((i for i, start in enumerate(starts) if start <= place), default=0)
    return column.tokens[at]


def _alternative(token: LensToken, rank: int) -> str:
    if rank >= len(token.alternatives):
        return "<td></td>"
    one = token.alternatives[rank]
    shown = escape(shown_token(one.text))
    marked = f"<b>{shown}</b>" if one.text == token.text else shown
    percent = escape(share(one.probability))
    return f'<td style="--p:{one.probability:.4f}"><span>{marked}</span> <small>{percent}</small></td>'

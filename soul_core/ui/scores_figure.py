"""All rows as points, forgetting against utility, with the Pareto front, and the same in words. It knows no page."""

from collections.abc import Sequence
from html import escape
from typing import Any

from soul_core.evaluation.tables import CANDIDATES, Row, figure, scope_of
from soul_core.evaluation.views import Column, column_of
from soul_core.runs.scatter import pareto_front
from soul_core.ui import text_scores
from soul_core.ui.ids import look_of

Figure = dict[str, Any]

ACROSS = (
    "forget.acc",
    "forget.acc_reworded",
    "forget.rouge_l",
    "forget.probability",
    "forget.extraction_strength",
    "forget_quality_log10",
    "same_model_ks",
)
UP = (
    "model_utility",
    "retain.acc",
    "retain.rouge_l",
    "retain.probability",
    "real_authors.acc",
    "world_facts.acc",
)
MOST_NAMED = 16  # rows in the legend; with more, pointing at one tells
SHARE = [-0.03, 1.04]  # the whole axis of a number between 0 and 1: a zoom would make noise look like a difference


def choices(rows: Sequence[Row], keys: Sequence[str]) -> list[tuple[str, str]]:
    """Label and key of every number that a row has a value for."""
    columns = [column_of(key) for key in keys if any(row.card.value(key) is not None for row in rows)]
    return [(column.full_title, column.key) for column in columns if column is not None]


def scatter(rows: Sequence[Row], across: str, up: str) -> tuple[Figure, str]:
    """The chart of these rows, and its front in words.

    Args:
        rows: Every row; those without both numbers are left out.
        across: Key of the number that tells how much is forgotten.
        up: Key of the number that should stay.
    """
    x, y = column_of(across), column_of(up)
    drawn = [row for row in rows if row.card.value(across) is not None and row.card.value(up) is not None]
    if x is None or y is None or not drawn:
        return {"data": [], "layout": _layout(None, None), "alt": text_scores.SCATTER_EMPTY}, text_scores.SCATTER_EMPTY
    fronts = _fronts(drawn, x, y)
    data = [_line(front, x, y) for front in fronts if len(front) > 1]
    data += [_marker(row, x, y) for row in drawn]
    said = " ".join(
        text_scores.front([_words(row, x, y) for row in front], x.full_title, y.full_title) for front in fronts
    )
    all_points = "; ".join(_words(row, x, y) for row in drawn)
    return {
        "data": data,
        "layout": _layout(x, y, named=len(drawn) <= MOST_NAMED),
        "alt": f"{text_scores.SCATTER_TITLE}: {all_points}. {said}",
    }, said


def _fronts(rows: Sequence[Row], x: Column, y: Column) -> list[list[Row]]:
    """The front of each scope: methods that were asked the same rows, most forgotten first."""
    methods = [row for row in rows if row.kind in CANDIDATES]
    fronts = []
    for scope in dict.fromkeys(scope_of(row.card) for row in methods):
        same = [row for row in methods if scope_of(row.card) == scope]
        # The helper wants the first number small and the second large.
        points = [
            (_shown(row, x) * _sign(x, wanted="lower"), _shown(row, y) * _sign(y, wanted="higher")) for row in same
        ]
        # Of equal points the helper names the first; here each is a method of its own.
        beaten_by_none = [points[place] for place in pareto_front(points)]
        fronts.append([row for point in beaten_by_none for row, at in zip(same, points, strict=True) if at == point])
    return fronts


def _sign(column: Column, *, wanted: str) -> int:
    return 1 if column.better in (wanted, "none", "gold") else -1


def _at(row: Row, column: Column) -> float:
    return row.card.value(column.key) or 0.0


def _shown(row: Row, column: Column) -> float:
    """The number as it reads: what looks equal is equal."""
    return float(figure(_at(row, column), column.about.digits))


def _words(row: Row, x: Column, y: Column) -> str:
    across, up = (figure(row.card.value(column.key), column.about.digits) for column in (x, y))
    return text_scores.point(row.label, across, up)


def _line(front: Sequence[Row], x: Column, y: Column) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [_at(row, x) for row in front],
        "y": [_at(row, y) for row in front],
        "line": {"color": "var(--soul-muted)", "width": 1.6, "dash": "dot"},
        "hoverinfo": "skip",
        "showlegend": False,
        "uid": f"front-{front[0].id}",
    }


def _marker(row: Row, x: Column, y: Column) -> Figure:
    own = row.kind not in ("published", "imported")
    look = look_of(row.lane, row.position)
    symbol = {"original": "circle-open", "gold": "star-open", "published": "x-thin-open", "imported": "diamond-open"}
    colour = look.colour if own else "var(--soul-muted)"
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_at(row, x)],
        "y": [_at(row, y)],
        # Plotly reads some tags in its texts, and a name may be a stranger's.
        "name": escape(row.label),
        "marker": {
            "symbol": symbol.get(row.kind) or look.marker or "circle",
            "size": 11,
            "color": colour,
            "line": {"width": 1.6, "color": colour},
        },
        "hovertemplate": f"<b>{escape(row.label)}</b><br>{escape(row.origin)}<br>{escape(x.full_title)} %{{x:.3~f}}"
        f"<br>{escape(y.full_title)} %{{y:.3~f}}<extra></extra>",
        "cliponaxis": False,
        "uid": row.id,
    }


def _layout(x: Column | None, y: Column | None, *, named: bool = False) -> Figure:
    axis: Figure = {
        "gridcolor": "var(--soul-grid)",
        "linecolor": "var(--soul-rule)",
        "zeroline": False,
        "automargin": True,
    }
    titles = [
        text_scores.axis(column.full_title, column.better, across=across) if column else ""
        for column, across in ((x, True), (y, False))
    ]
    empty = {
        "text": text_scores.SCATTER_EMPTY,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "showarrow": False,
        "font": {"size": 14, "color": "var(--soul-muted)"},
    }
    return {
        "xaxis": {**axis, "title": {"text": titles[0], "standoff": 8}, "range": _range(x)},
        "yaxis": {**axis, "title": {"text": titles[1], "standoff": 8}, "range": _range(y)},
        "showlegend": named,
        "legend": {"orientation": "h", "y": -0.22, "yanchor": "top", "font": {"color": "var(--soul-ink)"}},
        "margin": {"l": 56, "r": 24, "t": 24, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--soul-muted)", "size": 12, "family": "system-ui, sans-serif"},
        "hoverlabel": {"bgcolor": "var(--soul-card)", "font": {"color": "var(--soul-ink)"}},
        "hovermode": "closest",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--soul-muted)", "activecolor": "var(--soul-ink)"},
        "dragmode": "zoom",
        "uirevision": f"{x.key if x else ''}/{y.key if y else ''}",
        "annotations": [] if x else [empty],
    }


def _range(column: Column | None) -> list[float] | None:
    """A share has the whole axis; what can be any number has the part where points are."""
    return None if column is not None and column.key.endswith("_log10") else SHARE

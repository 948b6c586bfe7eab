"""The landscape as a Plotly figure (plain dicts) and as words for whoever cannot see it. It knows no page."""

import math
from typing import Any

from soul_core.session.landscape import NEWTON, RUNNERS, START, X_RANGE, Y_RANGE, Bowl, Landscape, Path
from soul_core.ui import text_learn
from soul_core.ui.ids import LaneLook, look_of

Figure = dict[str, Any]

ORDER = (*RUNNERS, NEWTON)
_LANES = {
    "sgd": ("sgd", 0),
    "adamw": ("fo", 0),
    "sign-momentum": ("sign", 0),
    "sophia": ("so", 0),
    NEWTON: (NEWTON, 1),
}
"""AdamW, Sophia and sign momentum look as they do in a race."""
_DRAWN = ("sgd", "adamw", "sophia", "sign-momentum", NEWTON)
"""Where both lie on each other, the dashes of sign momentum let Sophia's line through."""
_LEVELS = 14
_CORNERS = 72  # of the circle
_RETAIN_LEVELS = (0.1, 0.4, 1.6, 6.4)
_FAR = 8.0  # a point further out than the picture is drawn here, so that its line still leaves the picture


def look_on(name: str) -> LaneLook:
    """How an optimizer is drawn."""
    return look_of(*_LANES[name])


def lane_on(name: str) -> tuple[str, int]:
    """The lane, and its place, whose look an optimizer has."""
    return _LANES[name]


def map_of(found: Landscape) -> Figure:
    """Contours of what is minimised, those of the retain bowl dashed, every path and where it is now.

    A path's trace says all its points in ``meta``, so that the browser can play them without asking again.
    """
    surface = found.surface
    data = [_total(found), _retain(found), _still_known(surface.forget)]
    for name in _DRAWN:
        data += _path(name, found.paths[name])
    notes = (
        (surface.forget.centre, text_learn.FORGET_BOWL, -34),
        (surface.retain.centre, text_learn.RETAIN_BOWL, 34),
        (START, text_learn.START, 26),
    )
    layout = {
        "xaxis": {**_AXIS, "range": list(X_RANGE), "title": {"text": text_learn.FIRST_WEIGHT, "standoff": 4}},
        "yaxis": {**_AXIS, "range": list(Y_RANGE), "title": {"text": text_learn.SECOND_WEIGHT, "standoff": 2}},
        "margin": {"l": 44, "r": 10, "t": 12, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--soul-muted)", "size": 12, "family": "system-ui, sans-serif"},
        "hoverlabel": {"bgcolor": "var(--soul-card)", "font": {"color": "var(--soul-ink)"}},
        "hovermode": "closest",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--soul-muted)", "activecolor": "var(--soul-ink)"},
        "dragmode": False,
        "showlegend": False,
        "annotations": [_note(*note) for note in notes],
        "uirevision": "landscape",
        "meta": {"steps": found.config.steps, "clipped": list(found.paths["sophia"].clip_shares)},
    }
    return {"data": data, "layout": layout, "alt": describe(found)}


def describe(found: Landscape) -> str:
    """The picture in words: where each path ended."""
    ends = "; ".join(
        text_learn.path_end(text_learn.OPTIMIZERS[name], found.paths[name].points[-1], left=found.paths[name].left)
        for name in ORDER
    )
    return f"{text_learn.MAP_ALT} {ends}."


_AXIS: Figure = {
    "gridcolor": "rgba(0,0,0,0)",
    "linecolor": "var(--soul-rule)",
    "zeroline": False,
    "fixedrange": True,
}


def _total(found: Landscape) -> Figure:
    """Lines at even steps of the logarithm: a narrow valley would swallow all others."""
    heights = [[math.log10(max(height - found.lowest_loss, 1e-3)) for height in row] for row in found.total]
    low, high = min(map(min, heights)), max(map(max, heights))
    return {
        "type": "contour",
        "uid": "total",
        "x": list(found.x),
        "y": list(found.y),
        "z": heights,
        "contours": {"start": low, "end": high, "size": (high - low) / _LEVELS, "coloring": "fill"},
        "colorscale": [[0, "var(--soul-rule-strong)"], [0.35, "var(--soul-hover)"], [1, "var(--soul-card)"]],
        "line": {"color": "var(--soul-muted)", "width": 0.5},
        "showscale": False,
        "hoverinfo": "skip",
    }


def _retain(found: Landscape) -> Figure:
    """The retain bowl alone, as dashed lines; a logarithm again."""
    return {
        "type": "contour",
        "uid": "retain",
        "x": list(found.x),
        "y": list(found.y),
        "z": [[math.log(max(height, 1e-6), 4) for height in row] for row in found.retain],
        "contours": {
            "start": math.log(_RETAIN_LEVELS[0], 4),
            "end": math.log(_RETAIN_LEVELS[-1], 4) + 1e-9,
            "size": 1,
            "coloring": "none",
        },
        "line": {"color": "var(--soul-muted)", "width": 1.2, "dash": "dot"},
        "showscale": False,
        "hoverinfo": "skip",
    }


def _still_known(forget: Bowl) -> Figure:
    """The line on which the forgotten answer has a probability of one half: where the round bowl is ln 2 high."""
    radius = math.sqrt(2 * math.log(2) / forget.curvature[0])
    turns = [2 * math.pi * part / _CORNERS for part in range(_CORNERS + 1)]
    return {
        "type": "scatter",
        "uid": "known",
        "x": [forget.centre[0] + radius * math.cos(turn) for turn in turns],
        "y": [forget.centre[1] + radius * math.sin(turn) for turn in turns],
        "mode": "lines",
        "line": {"color": "var(--soul-warn)", "width": 1.2, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _path(name: str, path: Path) -> list[Figure]:
    look = look_on(name)
    label = text_learn.OPTIMIZERS[name]
    x, y = ([_near(point[axis]) for point in path.points] for axis in (0, 1))
    line = {
        "type": "scatter",
        "uid": name,
        "name": label,
        "x": x,
        "y": y,
        "mode": "lines+markers",
        "line": {"color": look.colour, "width": 2, "dash": look.dash},
        "marker": {"symbol": look.marker, "size": 5, "color": look.colour},
        "hovertemplate": f"<b>{label}</b> {text_learn.STEP} %{{pointNumber}}"
        "<br>(%{x:.2f}, %{y:.2f})<extra></extra>",
        "meta": {"soul": "path", "x": x, "y": y},
    }
    now = {
        "type": "scatter",
        "uid": f"{name}-now",
        "x": x[-1:],
        "y": y[-1:],
        "mode": "markers",
        "marker": {
            "symbol": look.marker,
            "size": 13,
            "color": look.colour,
            "line": {"color": "var(--soul-card)", "width": 1.5},
        },
        "hoverinfo": "skip",
        "meta": {"soul": "now"},
    }
    return [line, now]


def _near(value: float) -> float:
    return max(-_FAR, min(_FAR, value)) if math.isfinite(value) else _FAR


def _note(point: tuple[float, float], words: str, rise: int) -> Figure:
    return {
        "x": point[0],
        "y": point[1],
        "text": words,
        "showarrow": True,
        "arrowhead": 0,
        "arrowwidth": 1,
        "arrowcolor": "var(--soul-muted)",
        "ax": 0,
        "ay": rise,
        "font": {"size": 12, "color": "var(--soul-ink)"},
        "bgcolor": "var(--soul-card)",
        "borderpad": 2,
    }

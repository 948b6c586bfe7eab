"""The charts of the Probe tab as Plotly figures (plain dicts) with their words. It knows no page."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from soul_core.events import Event, StepReport
from soul_core.probing.results import Inspection, Relearning, RelearnPoint
from soul_core.ui import text_probe
from soul_core.ui.figures import FLAT, Figure
from soul_core.ui.ids import look_of
from soul_core.ui.probe_desk import Who
from soul_core.ui.track import RaceTrack

MOST_POINTS = 300  # of one lane's clip share; more are not seen on a screen
SHARE = [-0.03, 1.04]
Points = list[tuple[float, float]]


def pareto_map(track: RaceTrack, who: Sequence[Who], epoch: int) -> Figure:
    """Forget against retain accuracy, a line for each lane through its epochs, the chosen epoch marked.

    Args:
        track: The race, folded.
        who: Its models.
        epoch: The chosen one; a lane that ended before is marked at its last.
    """
    data: list[Figure] = []
    said = []
    for one in who:
        points = _epochs(track, one.name)
        if not points:
            continue
        at = max((number for number in points if number <= epoch), default=min(points))
        if one.name in FLAT:
            data.append(_mark(one, points[at], size=12, symbol="star" if one.name == "gold" else "circle-open"))
        else:
            if len(points) > 1:
                data.append(_path(one, list(points.values())))
            data.append(_mark(one, points[at], size=15, symbol=look_of(one.name, one.position).marker or "circle"))
        said.append(text_probe.map_point(one.label, at, *points[at]))
    layout = _layout(text_probe.MAP_X, text_probe.MAP_Y, empty="" if data else text_probe.MAP_EMPTY)
    layout["xaxis"] |= {"range": SHARE, "tickformat": ".0%"}
    layout["yaxis"] |= {"range": SHARE, "tickformat": ".0%"}
    return {
        "data": data,
        "layout": layout,
        "alt": f"{text_probe.MAP_TITLE}. {'; '.join(said) or text_probe.MAP_EMPTY}",
    }


def relearn_curve(found: Relearning | None, who: Sequence[Who]) -> tuple[Figure, str]:
    """Accuracy against steps of relearning, gold dashed, and the same in words."""
    by_model = _by_model(found.points) if found else {}
    data: list[Figure] = []
    moves = []
    for one in who:
        points = by_model.get(one.name, [])
        if not points:
            continue
        steps = [float(point.step) for point in points]
        if len(points) > 1:
            data.append(_band(one, steps, points))
        hover = f"<b>{escape(one.label)}</b> %{{y:.0%}} after %{{x}} steps<extra></extra>"
        data.append(_line(one, list(zip(steps, [point.acc for point in points], strict=True)), hover))
        moves.append(text_probe.relearned(one.label, points[0].acc, points[-1].acc, points[-1].step))
    layout = _layout(text_probe.RELEARN_X, text_probe.RELEARN_Y, empty="" if data else text_probe.RELEARN_EMPTY)
    planned = found.settings.get("steps") if found else None
    last = max([float(planned) if isinstance(planned, int | float) else 0.0, 1.0, *_steps(by_model)])
    layout["xaxis"] |= {"range": [-0.03 * last, 1.04 * last]}
    layout["yaxis"] |= {"range": SHARE, "tickformat": ".0%", "dtick": 0.25}
    said = text_probe.RELEARN_EMPTY
    if found is not None and moves:
        said = text_probe.relearn_summary(found.on, found.trained_rows, found.asked_rows, moves)
    return {"data": data, "layout": layout, "alt": f"{text_probe.RELEARN_TITLE}. {said}"}, said


def likeness_curve(found: Inspection | None, who: Sequence[Who], set_name: str) -> Figure:
    """CKA of each model's hidden states with the original's, layer by layer, on one set."""
    data: list[Figure] = []
    said = []
    known = {one.name: one for one in who}
    for like in found.likeness if found else ():
        one = known.get(like.model)
        if one is None or like.set_name != set_name or found is None:
            continue
        kept = [(at, value) for at, value in enumerate(like.by_layer) if value is not None]
        if not kept:
            continue
        hover = f"<b>{escape(one.label)}</b> %{{y:.3f}}<extra></extra>"
        data.append(_line(one, [(float(at), value) for at, value in kept], hover))
        said.append(f"{one.label} {kept[0][1]:.2f} to {kept[-1][1]:.2f}")
    layout = _layout(text_probe.CKA_X, text_probe.CKA_Y, empty="" if data else text_probe.CKA_EMPTY)
    layout["yaxis"] |= {"range": SHARE, "dtick": 0.25}
    titles = list(found.likeness_layers) if found else []
    if titles:
        layout["xaxis"] |= {"tickvals": list(range(len(titles))), "ticktext": [escape(title) for title in titles]}
    words = "; ".join(said) or text_probe.CKA_EMPTY
    return {"data": data, "layout": layout, "alt": f"{text_probe.CKA_TITLES[set_name]}. {words}"}


def clip_curve(events: Iterable[Event], who: Sequence[Who]) -> Figure:
    """Clip share of every lane that clips, step by step."""
    known = {one.name: one for one in who}
    found: dict[str, Points] = {}
    for event in events:
        if isinstance(event, StepReport) and event.clip_share is not None and event.lane in known:
            found.setdefault(event.lane, []).append((float(event.step), event.clip_share))
    data: list[Figure] = []
    said = []
    for name, points in found.items():
        hover = f"<b>{escape(known[name].label)}</b> step %{{x}}: %{{y:.0%}}<extra></extra>"
        data.append(_line(known[name], _thinned(points), hover, markers=False))
        said.append(f"{known[name].label} from {points[0][1]:.0%} to {points[-1][1]:.0%}")
    layout = _layout(text_probe.CLIP_X, text_probe.CLIP_Y, empty="" if data else text_probe.CLIP_EMPTY)
    layout["yaxis"] |= {"range": SHARE, "tickformat": ".0%", "dtick": 0.25}
    return {
        "data": data,
        "layout": layout,
        "alt": f"{text_probe.CLIP_TITLE}. {'; '.join(said) or text_probe.CLIP_EMPTY}",
    }


def _epochs(track: RaceTrack, name: str) -> dict[int, tuple[float, float]]:
    lane = track.lanes.get(name)
    return {
        epoch: (sets["forget"].acc, sets["retain"].acc)
        for epoch, sets in sorted(lane.scores.items() if lane else ())
        if "forget" in sets and "retain" in sets
    }


def _path(one: Who, points: Points) -> Figure:
    look = look_of(one.name, one.position)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "marker": {"symbol": look.marker or "circle", "size": 6, "color": look.colour},
        "hoverinfo": "skip",
        "showlegend": False,
        "cliponaxis": False,
        "uid": f"{one.name}-path",
    }


def _mark(one: Who, at: tuple[float, float], *, size: int, symbol: str) -> Figure:
    look = look_of(one.name, one.position)
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [at[0]],
        "y": [at[1]],
        "name": escape(one.label),
        "text": [escape(one.label)],
        "textposition": "bottom center" if one.position % 2 else "top center",
        "textfont": {"color": "var(--soul-ink)", "size": 12},
        "marker": {"symbol": symbol, "size": size, "color": look.colour, "line": {"width": 2, "color": look.colour}},
        "hovertemplate": f"<b>{escape(one.label)}</b> forget %{{x:.0%}}, retain %{{y:.0%}}<extra></extra>",
        "showlegend": False,
        "cliponaxis": False,
        "uid": one.name,
    }


def _line(one: Who, points: Points, hover: str, *, markers: bool = True) -> Figure:
    look = look_of(one.name, one.position)
    return {
        "type": "scatter",
        "mode": "lines+markers" if markers and look.marker else "lines",
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "name": escape(one.label),
        "line": {"color": look.colour, "dash": look.dash, "width": 2.4},
        "marker": {"symbol": look.marker or "circle", "size": 7, "color": look.colour},
        "hovertemplate": hover,
        "showlegend": False,
        "cliponaxis": False,
        "uid": one.name,
    }


def _band(one: Who, steps: Sequence[float], points: Sequence[RelearnPoint]) -> Figure:
    return {
        "type": "scatter",
        "x": [*steps, *reversed(steps)],
        "y": [point.low for point in points] + [point.high for point in reversed(points)],
        "mode": "lines",
        "fill": "toself",
        "fillcolor": look_of(one.name, one.position).band,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "uid": f"{one.name}-band",
    }


def _by_model(points: Iterable[RelearnPoint]) -> dict[str, list[RelearnPoint]]:
    found: dict[str, list[RelearnPoint]] = {}
    for point in points:
        found.setdefault(point.model, []).append(point)
    return {model: sorted(several, key=lambda point: point.step) for model, several in found.items()}


def _steps(by_model: Mapping[str, Sequence[RelearnPoint]]) -> list[float]:
    return [float(point.step) for points in by_model.values() for point in points]


def _thinned(points: Points) -> Points:
    every = -(-len(points) // MOST_POINTS)
    return points if every <= 1 else [*points[::every], points[-1]]


def _layout(across: str, up: str, *, empty: str) -> dict[str, Any]:
    axis: Figure = {"gridcolor": "var(--soul-grid)", "linecolor": "var(--soul-rule)", "zeroline": False}
    said = {
        "text": empty,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "showarrow": False,
        "font": {"size": 14, "color": "var(--soul-muted)"},
    }
    return {
        "xaxis": {**axis, "title": {"text": across, "standoff": 6}},
        "yaxis": {**axis, "title": {"text": up, "standoff": 6}, "automargin": True},
        "margin": {"l": 54, "r": 18, "t": 20, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--soul-muted)", "size": 12, "family": "system-ui, sans-serif"},
        "hoverlabel": {"bgcolor": "var(--soul-card)", "font": {"color": "var(--soul-ink)"}},
        "hovermode": "closest",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--soul-muted)", "activecolor": "var(--soul-ink)"},
        "dragmode": "zoom",
        "uirevision": "probe",
        "annotations": [said] if empty else [],
    }

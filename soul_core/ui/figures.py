"""The race as two Plotly figures (plain dicts) and as the words for whoever cannot see them. It knows no page."""

from typing import Any

from soul_core.events import SetScores
from soul_core.ui import text
from soul_core.ui.ids import look_of
from soul_core.ui.track import LaneTrack, RaceTrack

Figure = dict[str, Any]

FLAT = ("original", "gold")
NEAR = 0.1  # two ends so near would have their labels on each other
LOW = 0.06  # below this a label under its line would lie on the axis
FEW = 3  # lanes that run; with more, labels and bands lie on each other: the legend tells, and bands are fainter
DEFAULT_EPOCHS = 5
_EMPTY: Figure = {
    "text": text.CHART_EMPTY,
    "xref": "paper",
    "yref": "paper",
    "x": 0.5,
    "y": 0.5,
    "showarrow": False,
    "font": {"size": 14, "color": "var(--soul-muted)"},
}
RAISED = 1.04  # room above 100 % for markers


def curves(track: RaceTrack, name: str, *, run_id: str) -> Figure:
    """The chart of one question set: a growing line per lane, its 95 % interval as a band, gold and original flat.

    ``run_id`` decides how long the browser keeps a zoom: until another run is shown.
    """
    epochs = track.epochs or DEFAULT_EPOCHS
    data: list[Figure] = []
    few = len([lane for lane in track.lanes if lane not in FLAT]) <= FEW
    places = _label_places(track, name)
    for lane in _drawn(track):
        points = lane.points(name)
        if not points:
            continue
        if lane.name in FLAT:
            data += _level(lane, points[-1][1], epochs)
        elif lane.once:
            data += _single(lane, *points[-1])
        else:
            data += _growing(lane, points, few=few, place=places[lane.name])
    layout = _layout(epochs, run_id) | {"annotations": [] if data else [_EMPTY]}
    return {"data": data, "layout": layout, "alt": describe(track, name)}


def describe(track: RaceTrack, name: str) -> str:
    """The chart in words: where each lane started and where it is."""
    title = text.CHART_TITLES[name]
    parts = []
    for lane in _drawn(track):
        points = lane.points(name)
        if not points:
            continue
        (first_epoch, first), (last_epoch, last) = points[0], points[-1]
        if lane.once:
            parts.append(text.alt_once(lane.label, last.acc, lane.kind))
        elif lane.name in FLAT or first_epoch == last_epoch:
            parts.append(f"{lane.label} {text.percent(last.acc)}")
        else:
            parts.append(text.alt_moved(lane.label, first.acc, last.acc, last_epoch))
    return f"{title}. {'; '.join(parts)}." if parts else f"{title}. {text.CHART_EMPTY}"


def _drawn(track: RaceTrack) -> list[LaneTrack]:
    """Flat lines first, so that the growing ones lie on top."""
    return sorted(track.lanes.values(), key=lambda lane: lane.name not in FLAT)


def _level(lane: LaneTrack, scores: SetScores, epochs: int) -> list[Figure]:
    ends = [0, epochs]
    line = {
        **_line(lane),
        "x": ends,
        "y": [scores.acc, scores.acc],
        "mode": "lines",
        "hovertemplate": _hover(lane.label),
        "customdata": [[scores.acc_low, scores.acc_high, scores.rows]] * 2,
    }
    # The original's interval is that of every lane at epoch 0.
    return [line] if lane.name == "original" else [*_band(lane, ends, [scores, scores]), line]


def _single(lane: LaneTrack, epoch: int, scores: SetScores) -> list[Figure]:
    """A lane that acts once: one larger marker, its interval as a bar."""
    look = look_of(lane.name, lane.position)
    return [
        {
            **_line(lane),
            "x": [epoch],
            "y": [scores.acc],
            "mode": "markers",
            "marker": {"symbol": look.marker, "size": 13, "color": look.colour},
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [scores.acc_high - scores.acc],
                "arrayminus": [scores.acc - scores.acc_low],
                "color": look.colour,
                "thickness": 1.6,
                "width": 4,
            },
            "cliponaxis": False,
            "hovertemplate": _hover(text.labelled_once(lane.label, lane.kind)),
            "customdata": [[scores.acc_low, scores.acc_high, scores.rows]],
        }
    ]


def _label_places(track: RaceTrack, name: str) -> dict[str, str]:
    """Where each growing line's name stands at its end: over the highest, under the lowest, so that their order tells
    which is which; beside those between."""
    growing = [lane for lane in track.lanes.values() if lane.name not in FLAT and not lane.once and lane.points(name)]
    ranked = sorted(growing, key=lambda lane: -lane.points(name)[-1][1].acc)  # of equals, the first lane is on top
    ends = [lane.points(name)[-1][1].acc for lane in ranked]
    places = {}
    for rank, lane in enumerate(ranked):
        if rank == 0:
            place = "top center"
        elif rank < len(ranked) - 1:
            place = "middle left"
        elif ends[rank] >= LOW:
            place = "bottom center"
        else:
            place = "top center" if ends[rank - 1] - ends[rank] > NEAR else "middle left"
        places[lane.name] = place
    return places


def _growing(lane: LaneTrack, points: list[tuple[int, SetScores]], *, few: bool, place: str) -> list[Figure]:
    look = look_of(lane.name, lane.position)
    epochs = [epoch for epoch, _ in points]
    scores = [score for _, score in points]
    labels = [""] * (len(points) - 1) + [text.LANE_LABELS.get(lane.name, lane.label)]
    line = {
        **_line(lane),
        "x": epochs,
        "y": [score.acc for score in scores],
        "mode": "lines+markers+text",
        "marker": {"symbol": look.marker, "size": 8, "color": look.colour},
        "text": labels if few and len(points) > 1 else None,
        "textposition": place,
        # Some lanes' colours are too light for words; which line it is, its place says.
        "textfont": {"color": "var(--soul-ink)", "size": 12},
        "cliponaxis": False,
        "hovertemplate": _hover(lane.label),
        "customdata": [[score.acc_low, score.acc_high, score.rows] for score in scores],
    }
    return [*_band(lane, epochs, scores, opacity=1.0 if few else 0.5), line]


def _line(lane: LaneTrack) -> Figure:
    look = look_of(lane.name, lane.position)
    width = 2 if lane.name in FLAT else 2.6
    return {
        "type": "scatter",
        "name": lane.label,
        "uid": lane.name,
        "showlegend": False,
        "line": {"color": look.colour, "dash": look.dash, "width": width},
    }


def _band(lane: LaneTrack, epochs: list[int], scores: list[SetScores], *, opacity: float = 1.0) -> list[Figure]:
    return [
        {
            "type": "scatter",
            "x": [*epochs, *reversed(epochs)],
            "y": [s.acc_low for s in scores] + [s.acc_high for s in reversed(scores)],
            "uid": f"{lane.name}-band",
            "mode": "lines",
            "fill": "toself",
            "fillcolor": look_of(lane.name, lane.position).band,
            "line": {"width": 0},
            "opacity": opacity,
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def _hover(label: str) -> str:
    return (
        f"<b>{label}</b> %{{y:.0%}}"
        "<br>%{customdata[0]:.0%} – %{customdata[1]:.0%} (95 %), %{customdata[2]} rows<extra></extra>"
    )


def _layout(epochs: int, run_id: str) -> Figure:
    axis = {"gridcolor": "var(--soul-grid)", "linecolor": "var(--soul-rule)", "zeroline": False, "fixedrange": False}
    ticks = epochs if epochs <= 10 else 10
    return {
        "xaxis": {
            **axis,
            "range": [-0.18 * epochs / 5, epochs * 1.05],
            "title": {"text": text.EPOCH_AXIS, "standoff": 6},
            "nticks": ticks + 1,
            "tickformat": "d",
            "dtick": 1 if epochs <= 10 else None,
        },
        "yaxis": {**axis, "range": [-0.03, RAISED], "tickformat": ".0%", "dtick": 0.25},
        "margin": {"l": 44, "r": 14, "t": 20, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--soul-muted)", "size": 12, "family": "system-ui, sans-serif"},
        "hoverlabel": {"bgcolor": "var(--soul-card)", "font": {"color": "var(--soul-ink)"}},
        "hovermode": "closest",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--soul-muted)", "activecolor": "var(--soul-ink)"},
        "dragmode": "zoom",
        "uirevision": run_id,
    }

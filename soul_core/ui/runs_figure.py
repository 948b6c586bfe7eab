"""Two runs on one chart as a Plotly figure (a plain dict) and in words. It knows no component and no disk."""

from typing import Any

from soul_core.events import SetScores
from soul_core.runs.compare import RunComparison
from soul_core.runs.summary import REFERENCES, RaceSummary
from soul_core.ui import text_runs
from soul_core.ui.figures import DEFAULT_EPOCHS, Figure, curves
from soul_core.ui.ids import LaneLook, look_of
from soul_core.ui.text import percent
from soul_core.ui.track import RaceTrack

_EMPTY_RUN = RaceTrack()


def both(comparison: RunComparison, name: str) -> Figure:
    """The chart of one question set for two runs: the second dashed and with open marks; gold and original flat.

    Args:
        comparison: The two runs.
        name: ``forget`` or ``retain``.
    """
    data: list[Figure] = []
    said: list[str] = []
    epochs = max([DEFAULT_EPOCHS, *(_epochs(summary) for summary in comparison.curves)])
    flat: set[tuple[str, float]] = set()
    for at, (side, summary) in enumerate(zip(text_runs.SIDES, comparison.curves, strict=True)):
        for lane in (*REFERENCES, *summary.lanes):
            points = _points(summary, lane, name)
            if not points:
                continue
            label = f"{side}: {summary.label(lane)}"
            last = points[-1][1].acc
            if lane in REFERENCES:
                if (lane, last) in flat:  # the same line twice
                    continue
                flat.add((lane, last))
            data.append(_trace(summary, lane, label, points, epochs, second=bool(at)))
            said.append(f"{label} {percent(last)}")
    # The frame is that of every other chart of curves.
    layout = curves(_EMPTY_RUN, name, run_id="-".join(comparison.names))["layout"]
    layout["xaxis"] = {
        **layout["xaxis"],
        "range": [-0.18 * epochs / 5, epochs * 1.05],
        "nticks": min(epochs, 10) + 1,
        "dtick": 1 if epochs <= 10 else None,
    }
    if data:
        layout["annotations"] = []
    title = text_runs.CHARTS[name]
    return {"data": data, "layout": layout, "alt": f"{title}. {'; '.join(said) or text_runs.NO_ANSWERS}."}


def _epochs(summary: RaceSummary) -> int:
    return int(summary.started.config.get("epochs", 0)) if summary.started else 0


def _points(summary: RaceSummary, lane: str, name: str) -> list[tuple[int, SetScores]]:
    reports = summary.reports.get(lane, {})
    return [(epoch, report.scores[name]) for epoch, report in reports.items() if name in report.scores]


def _trace(
    summary: RaceSummary, lane: str, label: str, points: list[tuple[int, SetScores]], epochs: int, *, second: bool
) -> Figure:
    look = look_of(lane, summary.position(lane))
    flat = lane in REFERENCES
    once = len(points) == 1 and not flat
    shown = [(x, points[-1][1]) for x in (0, epochs)] if flat else points
    trace: dict[str, Any] = {
        "type": "scatter",
        "name": label,
        "uid": f"{'second' if second else 'first'}-{lane}",
        "showlegend": False,
        "x": [epoch for epoch, _ in shown],
        "y": [scores.acc for _, scores in shown],
        "mode": "lines" if flat else "markers" if once else "lines+markers",
        "line": {"color": look.colour, "width": 2 if flat else 2.6, "dash": _dash(look, flat=flat, second=second)},
        "cliponaxis": False,
        "hovertemplate": f"<b>{label}</b> %{{y:.0%}}<br>%{{customdata[0]:.0%}} – %{{customdata[1]:.0%}} (95 %), "
        "%{customdata[2]} rows<extra></extra>",
        "customdata": [[scores.acc_low, scores.acc_high, scores.rows] for _, scores in shown],
    }
    if not flat:
        symbol = f"{look.marker}-open" if second else look.marker
        line = {"width": 2, "color": look.colour}
        trace["marker"] = {"symbol": symbol, "size": 13 if once else 9, "color": look.colour, "line": line}
    return trace


def _dash(look: LaneLook, *, flat: bool, second: bool) -> str:
    if flat:
        return look.dash
    return "dash" if second else "solid"

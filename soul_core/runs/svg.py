"""Accuracy by epoch as one inline SVG, readable in light and dark. It knows no files and no page."""

import math
from collections.abc import Sequence
from html import escape

from soul_core.runs.styles import LaneStyle, Marker, lane_style
from soul_core.runs.summary import REFERENCES, RaceSummary

_WIDTH, _HEIGHT = 520, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 40
_FEW = 3
ONCE = "measured once"

Point = tuple[int, float, float, float]


def curve_svg(summary: RaceSummary, name: str, title: str) -> str:
    """Acc of every lane on the set ``name``: intervals shaded, gold dashed, each lane with its own marker."""
    curves = [(lane, _points(summary, lane, name)) for lane in (*REFERENCES, *summary.lanes)]
    curves = [(lane, points) for lane, points in curves if points]
    last = max((points[-1][0] for _, points in curves), default=0)
    if summary.started is not None:
        last = max(last, int(summary.started.config.get("epochs", last)))
    last = max(last, 1)
    parts = [_axes(last)]
    shade = 0.15 if len(summary.lanes) <= _FEW else 0.08  # bands on bands stay readable
    for lane, points in curves:
        style = lane_style(lane, summary.position(lane))
        if summary.once(lane):
            parts.append(_single(points[0], style, last))
        else:
            parts.append(_curve(points, style, last, flat=lane in REFERENCES, shade=shade))
    said = alt_text(summary, name, title)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title><desc>{escape(said)}</desc>{''.join(parts)}</svg>"
    )


def alt_text(summary: RaceSummary, name: str, title: str) -> str:
    """The curves in words."""
    said = []
    for lane in (*REFERENCES, *summary.lanes):
        points = _points(summary, lane, name)
        if points:
            first, last = points[0], points[-1]
            span = f"{100 * last[1]:.0f} %" + (f" ({ONCE})" if summary.once(lane) else "")
            if last[0] != first[0]:
                span = f"{100 * first[1]:.0f} % at epoch {first[0]} to {span} at epoch {last[0]}"
            said.append(f"{summary.label(lane)} {span}")
    return f"{title}: " + ("; ".join(said) if said else "nothing measured yet") + "."


def legend_html(summary: RaceSummary) -> str:
    """A line, a marker and a name for every lane that was measured."""
    entries = []
    for lane in (lane for lane in (*REFERENCES, *summary.lanes) if lane in summary.reports):
        style, once = lane_style(lane, summary.position(lane)), summary.once(lane)
        line = (
            f'<line x1="1" y1="6" x2="43" y2="6" stroke="{style.colour}" stroke-width="2.5" '
            f'stroke-dasharray="{style.dash}"/>'
        )
        drawn = (
            f'<svg viewBox="0 0 44 12" width="44" height="12" aria-hidden="true">{"" if once else line}'
            f"{marker_svg(22, 6, style.marker, style.colour)}</svg>"
        )
        entries.append(f"<span>{drawn} {escape(summary.label(lane))}{f' ({ONCE})' if once else ''}</span>")
    return f'<p class="legend">{"".join(entries)}</p>'


def _points(summary: RaceSummary, lane: str, name: str) -> list[Point]:
    return [
        (epoch, report.scores[name].acc, report.scores[name].acc_low, report.scores[name].acc_high)
        for epoch, report in summary.reports.get(lane, {}).items()
        if name in report.scores
    ]


def _x(epoch: float, last: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * epoch / last


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)


def _axes(last: int) -> str:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for epoch in range(0, last + 1, max(1, -(-last // 10))):
        parts.append(f'<text x="{_x(epoch, last):.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{epoch}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">epoch</text>')
    return "".join(parts)


def _curve(points: Sequence[Point], style: LaneStyle, last: int, *, flat: bool, shade: float) -> str:
    if flat:  # a reference is measured once and holds for every epoch
        points = [(0, *points[-1][1:]), (last, *points[-1][1:])]
    upper = [f"{_x(epoch, last):.1f},{_y(high):.1f}" for epoch, _, _, high in points]
    lower = [f"{_x(epoch, last):.1f},{_y(low):.1f}" for epoch, _, low, _ in reversed(points)]
    line = " ".join(f"{_x(epoch, last):.1f},{_y(acc):.1f}" for epoch, acc, _, _ in points)
    band = f'<polygon points="{" ".join(upper + lower)}" fill="{style.colour}" fill-opacity="{shade}"/>'
    path = (
        f'<polyline points="{line}" fill="none" stroke="{style.colour}" stroke-width="2.5" '
        f'stroke-linejoin="round" stroke-dasharray="{style.dash}"/>'
    )
    dots = "" if flat else "".join(marker_svg(_x(p[0], last), _y(p[1]), style.marker, style.colour) for p in points)
    return band + path + dots


def _single(point: Point, style: LaneStyle, last: int) -> str:
    """A lane that acts once: one larger marker with its interval as a bar."""
    epoch, acc, low, high = point
    x = _x(epoch, last)
    bar = (
        f'<line x1="{x:.1f}" y1="{_y(high):.1f}" x2="{x:.1f}" y2="{_y(low):.1f}" stroke="{style.colour}" '
        f'stroke-width="2"/>'
    )
    return bar + marker_svg(x, _y(acc), style.marker, style.colour, size=1.5)


def marker_svg(x: float, y: float, marker: Marker, colour: str, *, size: float = 1.0) -> str:
    """One marker around a point, about ten units wide at ``size`` 1."""

    def polygon(*corners: tuple[float, float]) -> str:
        points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners)
        return f'<polygon points="{points}" fill="{colour}"/>'

    def round_(*radii: float, turn: float = 0.0) -> str:
        angles = [math.tau * corner / len(radii) + turn for corner in range(len(radii))]
        return polygon(*((r * math.sin(a), -r * math.cos(a)) for r, a in zip(radii, angles, strict=True)))

    match marker:
        case "circle":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4.5 * size:.1f}" fill="{colour}"/>'
        case "square":
            return polygon((-4, -4), (4, -4), (4, 4), (-4, 4))
        case "triangle":
            return polygon((0, -5.5), (5, 4), (-5, 4))
        case "diamond":
            return polygon((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0))
        case "cross":
            return polygon((-5, -3), (-3, -5), (5, 3), (3, 5)) + polygon((-5, 3), (-3, 5), (5, -3), (3, -5))
        case "down":
            return polygon((0, 5.5), (5, -4), (-5, -4))
        case "plus":
            return polygon((-5.5, -1.6), (5.5, -1.6), (5.5, 1.6), (-5.5, 1.6)) + polygon(
                (-1.6, -5.5), (1.6, -5.5), (1.6, 5.5), (-1.6, 5.5)
            )
        case "star":
            return round_(*(6.0, 2.5) * 5)
        case "hexagon":
            return round_(*[5.2] * 6, turn=math.pi / 6)
        case "none":
            return ""

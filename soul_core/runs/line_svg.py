"""Lines over steps as one inline SVG, readable in light and dark. It knows no run: it is given numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from soul_core.runs.styles import LaneStyle
from soul_core.runs.svg import marker_svg

MAX_POINTS = 200
"""Of one line; more are thinned to evenly spaced ones."""
_WIDTH, _HEIGHT = 520, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 40

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its label, its look, and (x, y) points in order; where y is not finite, the point is left out."""

    label: str
    style: LaneStyle
    points: Sequence[Point]


def lines_svg(title: str, lines: Sequence[Line], *, below: str, percent: bool = False, marked: bool = False) -> str:
    """Lines on one pair of axes; empty text where no line has a point.

    Args:
        title: What is drawn.
        lines: In the order in which they are said.
        below: What the x axis counts.
        percent: Whether y is a share of 1, drawn from 0 to 100 %; otherwise the axis begins at 0 and fits the data.
        marked: Whether every point has its marker; otherwise only the last one has.
    """
    drawn = [(line, _thinned([(x, y) for x, y in line.points if math.isfinite(y)])) for line in lines]
    drawn = [(line, points) for line, points in drawn if points]
    if not drawn:
        return ""
    right = max(max(x for x, _ in points) for _, points in drawn) or 1.0
    top = 1.0 if percent else _round_up(max(max(y for _, y in points) for _, points in drawn))
    parts = [_axes(right, top, below, percent=percent)]
    for line, points in drawn:
        places = [(_x(x, right), _y(min(max(y, 0.0), top), top)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{line.style.colour}" stroke-width="2" '
            f'stroke-linejoin="round" stroke-dasharray="{line.style.dash}"/>'
        )
        for x, y in places if marked else places[-1:]:
            parts.append(marker_svg(x, y, line.style.marker, line.style.colour))
    said = _said(title, {line.label: points for line, points in drawn}, below, percent=percent)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _thinned(points: list[Point]) -> list[Point]:
    if len(points) <= MAX_POINTS:
        return points
    step = (len(points) - 1) / (MAX_POINTS - 1)
    return [points[round(place * step)] for place in range(MAX_POINTS)]


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten; 1 for nothing at all."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(next(factor * unit for factor in (1, 2, 2.5, 5, 10, 20) if factor * unit >= value))


def _x(value: float, right: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / right


def _y(value: float, top: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _axes(right: float, top: float, below: str, *, percent: bool) -> str:
    parts = []
    for quarter in range(5):
        value = top * quarter / 4
        y = _y(value, top)
        said = f"{100 * value:.0f} %" if percent else f"{value:.3g}"
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{said}</text>')
    # Steps are whole numbers, so their ticks are too.
    for value in range(0, math.floor(right) + 1, max(1, math.ceil(right / 5))):
        parts.append(f'<text x="{_x(value, right):.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{value}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(below)}</text>')
    return "".join(parts)


def _said(title: str, lines: Mapping[str, Sequence[Point]], below: str, *, percent: bool) -> str:
    def figure(value: float) -> str:
        return f"{100 * value:.0f} %" if percent else f"{value:.3g}"

    parts = [
        f"{label} {figure(points[0][1])} at {below} {points[0][0]:g} to {figure(points[-1][1])} at {points[-1][0]:g}"
        for label, points in lines.items()
    ]
    return f"{title}: {'; '.join(parts)}."

"""Trials as points, forget Acc against retain Acc, in one SVG file that needs nothing else. It knows no trials.

A lane's Pareto front is the line through its points that no other of its points beats in both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from soul_core.runs.styles import LaneStyle, lane_style
from soul_core.runs.svg import marker_svg

_WIDTH, _PLOT = 640, 382
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 54
_ROW, _LETTER = 24, 8

_STYLE = """
svg{font:13px system-ui,sans-serif}
.ground{fill:#fff}.grid{stroke:#d9dde1}text{fill:#1c2024}.soft{fill:#5b636b}
.allowed{fill:#3f8f3f;fill-opacity:.1}.limit{stroke:#3f8f3f;stroke-width:1.5;stroke-dasharray:6 4}
.chosen{fill:none;stroke:#1c2024;stroke-width:1.8}.front{fill:none;stroke-width:1.6;stroke-opacity:.75}
@media(prefers-color-scheme:dark){.ground{fill:#15181b}.grid{stroke:#363c42}text{fill:#e8eaed}.soft{fill:#a5adb5}
.chosen{stroke:#e8eaed}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One trial: both accuracies from 0 to 1, what a pointer on it says, and whether the rule chose it."""

    lane: str
    forget_acc: float
    retain_acc: float
    said: str
    chosen: bool = False


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the points that no other beats: (forget, retain), the first to be small and the second large.

    Sorted by forget, so retain rises as well; of equal points the first stands for all.
    """
    front: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1], place)):
        if not front or points[place][1] > points[front[-1]][1]:
            front.append(place)
    return front


def scatter_svg(dots: Sequence[Dot], *, limit: float, labels: Mapping[str, str], title: str) -> str:
    """Forget Acc to the right (less is better), retain Acc upwards; what is above ``limit`` counts.

    Lanes differ by colour and marker; a chosen dot has a ring around it. Each lane's Pareto front is a line of steps:
    right of it and below lies what one of its points beats.
    """
    styles = _styles(dots, labels)
    legend, height = _legend(styles, labels)
    parts = [f'<rect class="ground" width="{_WIDTH}" height="{height}"/>', _axes(limit)]
    parts += [_front([dot for dot in dots if dot.lane == lane], style) for lane, style in styles.items()]
    for dot in sorted(dots, key=lambda dot: dot.chosen):
        style = styles[dot.lane]
        x, y = _x(dot.forget_acc), _y(dot.retain_acc)
        ring = f'<circle class="chosen" cx="{x:.1f}" cy="{y:.1f}" r="9"/>' if dot.chosen else ""
        marker = marker_svg(x, y, style.marker, style.colour)
        parts.append(f'<g fill-opacity="0.8"><title>{escape(dot.said)}</title>{marker}{ring}</g>')
    said = escape(alt_text(dots, labels=labels, title=title))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" aria-label="{said}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title><desc>{said}</desc><style>{_STYLE}</style>'
        f'{"".join(parts)}{legend}<text x="{_LEFT}" y="24" font-weight="600">{escape(title)}</text></svg>\n'
    )


def alt_text(dots: Sequence[Dot], *, labels: Mapping[str, str], title: str) -> str:
    """The picture in words: the chosen dots."""
    said = [
        f"{labels.get(dot.lane, dot.lane)} at its best forget {dot.forget_acc:.0%}, retain {dot.retain_acc:.0%}"
        for dot in dots
        if dot.chosen
    ]
    return f"{title}: {len(dots)} trials. {'; '.join(said) or 'No trial keeps what should stay'}."


def _x(share: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _y(share: float) -> float:
    return _TOP + (_PLOT - _TOP) * (1 - share)


def _axes(limit: float) -> str:
    left, right, top, bottom = _x(0), _x(1), _y(1), _y(0)
    parts = [
        f'<rect class="allowed" x="{left}" y="{top}" width="{right - left}" height="{max(0.0, _y(limit) - top):.1f}"/>'
    ]
    for percent in (0, 25, 50, 75, 100):
        x, y = _x(percent / 100), _y(percent / 100)
        parts += [
            f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>',
            f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>',
            f'<text class="soft" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>',
            f'<text class="soft" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{percent} %</text>',
        ]
    middle, centre = (left + right) / 2, (top + bottom) / 2
    parts += [
        f'<line class="limit" x1="{left}" y1="{_y(limit):.1f}" x2="{right}" y2="{_y(limit):.1f}"/>',
        f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">forget Acc (left is better)</text>',
        f'<text transform="translate(18 {centre}) rotate(-90)" text-anchor="middle">retain Acc (up is better)</text>',
    ]
    return "".join(parts)


def _styles(dots: Sequence[Dot], labels: Mapping[str, str]) -> dict[str, LaneStyle]:
    """The looks of all lanes that have dots; as they are labelled, then as they come, decides."""
    drawn = {dot.lane for dot in dots}
    lanes = dict.fromkeys([*labels, *(dot.lane for dot in dots)])
    return {lane: lane_style(lane, position) for position, lane in enumerate(lanes) if lane in drawn}


def _front(dots: Sequence[Dot], style: LaneStyle) -> str:
    """From the bottom up to the point that forgets most, then right and up from point to point, then to the edge."""
    front = [dots[place] for place in pareto_front([(dot.forget_acc, dot.retain_acc) for dot in dots])]
    if not front:
        return ""
    path = [f"M{_x(front[0].forget_acc):.1f} {_y(0):.1f}"]
    path += [f"V{_y(dot.retain_acc):.1f}H{_x(after):.1f}" for dot, after in _with_next(front)]
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    return f'<path class="front" d="{"".join(path)}" stroke="{style.colour}"{dash}/>'


def _with_next(front: Sequence[Dot]) -> list[tuple[Dot, float]]:
    return list(zip(front, [*(dot.forget_acc for dot in front[1:]), 1.0], strict=True))


def _legend(styles: Mapping[str, LaneStyle], labels: Mapping[str, str]) -> tuple[str, int]:
    """The legend, in as many rows as it needs, and the height of the whole picture."""
    parts, x, y = [], float(_LEFT + 8), _PLOT + _BOTTOM + 8
    entries = [(labels.get(lane, lane), style) for lane, style in styles.items()]
    for words, style in [*entries, ("chosen", None)]:
        width = 44 + _LETTER * len(words)
        if x + width > _WIDTH and x > _LEFT + 8:
            x, y = _LEFT + 8, y + _ROW
        if style is not None:
            parts.append(marker_svg(x, y - 4, style.marker, style.colour))
        else:
            parts.append(f'<circle class="chosen" cx="{x:.1f}" cy="{y - 4}" r="7"/>')
        parts.append(f'<text x="{x + 14:.1f}" y="{y}">{escape(words)}</text>')
        x += width
    return "".join(parts), y + 16

"""Trials as points, forget Acc against retain Acc, in one SVG file that needs nothing else. It knows no trials."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from soul_core.runs.styles import lane_style
from soul_core.runs.svg import marker_svg

_WIDTH, _HEIGHT = 640, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 78

_STYLE = """
svg{font:13px system-ui,sans-serif}
.ground{fill:#fff}.grid{stroke:#d9dde1}text{fill:#1c2024}.soft{fill:#5b636b}
.allowed{fill:#3f8f3f;fill-opacity:.1}.limit{stroke:#3f8f3f;stroke-width:1.5;stroke-dasharray:6 4}
.chosen{fill:none;stroke:#1c2024;stroke-width:1.8}
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


def scatter_svg(dots: Sequence[Dot], *, limit: float, labels: Mapping[str, str], title: str) -> str:
    """Forget Acc to the right (less is better), retain Acc upwards; what is above ``limit`` counts.

    Lanes differ by colour and marker; a chosen dot has a ring around it.
    """
    parts = [f'<rect class="ground" width="{_WIDTH}" height="{_HEIGHT}"/>', _axes(limit)]
    lanes = _lanes(dots, labels)
    for dot in sorted(dots, key=lambda dot: dot.chosen):
        style = lane_style(dot.lane, lanes.index(dot.lane))
        x, y = _x(dot.forget_acc), _y(dot.retain_acc)
        ring = f'<circle class="chosen" cx="{x:.1f}" cy="{y:.1f}" r="9"/>' if dot.chosen else ""
        marker = marker_svg(x, y, style.marker, style.colour)
        parts.append(f'<g fill-opacity="0.8"><title>{escape(dot.said)}</title>{marker}{ring}</g>')
    parts.append(_legend(lanes, {dot.lane for dot in dots}, labels))
    said = escape(alt_text(dots, labels=labels, title=title))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{said}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title><desc>{said}</desc><style>{_STYLE}</style>'
        f'{"".join(parts)}<text x="{_LEFT}" y="24" font-weight="600">{escape(title)}</text></svg>\n'
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
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)


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


def _lanes(dots: Sequence[Dot], labels: Mapping[str, str]) -> list[str]:
    """All lanes in the order that decides their looks: as they are labelled, then as they come."""
    return list(dict.fromkeys([*labels, *(dot.lane for dot in dots)]))


def _legend(lanes: Sequence[str], drawn: Collection[str], labels: Mapping[str, str]) -> str:
    shown = [lane for lane in lanes if lane in drawn]
    wide = min(140, (_WIDTH - _LEFT - _RIGHT) // (len(shown) + 1))
    y, parts = _HEIGHT - 16, []
    for number, lane in enumerate(shown):
        style, x = lane_style(lane, lanes.index(lane)), _LEFT + 8 + wide * number
        parts.append(marker_svg(x, y - 4, style.marker, style.colour))
        parts.append(f'<text x="{x + 12}" y="{y}">{escape(labels.get(lane, lane))}</text>')
    x = _LEFT + 8 + wide * len(shown)
    return "".join(
        [*parts, f'<circle class="chosen" cx="{x}" cy="{y - 4}" r="7"/><text x="{x + 14}" y="{y}">chosen</text>']
    )

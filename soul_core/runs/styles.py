"""How each lane looks, everywhere: a colour, a line pattern, a marker. It knows no drawing library.

Colour alone never tells lanes apart: pattern and marker differ too.
"""

from dataclasses import dataclass
from typing import Literal

Marker = Literal["circle", "square", "triangle", "diamond", "cross", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStyle:
    """Colour as #rrggbb; ``dash`` as SVG writes it, empty for a full line."""

    colour: str
    dash: str = ""
    marker: Marker = "none"


LANE_STYLES: dict[str, LaneStyle] = {
    "original": LaneStyle(colour="#6b7280", dash="2 5"),
    "fo": LaneStyle(colour="#d9730d", marker="circle"),
    "so": LaneStyle(colour="#0f8b8d", marker="square"),
    "gold": LaneStyle(colour="#3f8f3f", dash="9 5"),
    "sign": LaneStyle(colour="#7c5cbf", dash="5 2", marker="triangle"),
}
_FURTHER = (
    LaneStyle(colour="#b0467b", dash="12 3", marker="diamond"),
    LaneStyle(colour="#4a6fb5", dash="12 3 2 3", marker="cross"),
    LaneStyle(colour="#8a6d3b", dash="7 3 2 3", marker="circle"),
)


def lane_style(lane: str, position: int = 0) -> LaneStyle:
    """The style of a lane; lanes of other names get one by their position in the race."""
    return LANE_STYLES.get(lane) or _FURTHER[position % len(_FURTHER)]

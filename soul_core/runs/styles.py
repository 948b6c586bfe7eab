"""How each lane looks, everywhere: a colour, a line pattern, a marker. It knows no drawing library.

Colour alone never tells lanes apart: pattern and marker differ too.
"""

from dataclasses import dataclass
from typing import Literal

Marker = Literal["circle", "square", "triangle", "diamond", "cross", "down", "plus", "star", "hexagon", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStyle:
    """Colour as #rrggbb; ``dash`` as SVG writes it, empty for a full line."""

    colour: str
    dash: str = ""
    marker: Marker = "none"


# Chosen by search: at least 3:1 on white and on black paper, and apart from each other for eyes that lack a cone.
LANE_STYLES: dict[str, LaneStyle] = {
    "original": LaneStyle(colour="#6b7280", dash="2 5"),
    "fo": LaneStyle(colour="#d9730d", marker="circle"),
    "so": LaneStyle(colour="#0f8b8d", marker="square"),
    "gold": LaneStyle(colour="#3f8f3f", dash="9 5"),
    "sign": LaneStyle(colour="#7c5cbf", dash="5 2", marker="triangle"),
    "1": LaneStyle(colour="#3a86f0", dash="14 3", marker="diamond"),
    "2": LaneStyle(colour="#a2482e", dash="10 3 2 3", marker="cross"),
    "3": LaneStyle(colour="#cc63c0", dash="6 3", marker="down"),
    "4": LaneStyle(colour="#7d7a12", dash="10 3 2 3 2 3", marker="plus"),
    "5": LaneStyle(colour="#e42f86", dash="3 2", marker="star"),
    "6": LaneStyle(colour="#6f3ff0", dash="18 3 6 3", marker="hexagon"),
}
"""By the name of a lane; a number is the place of a lane of any other name in its race."""
PLACES = 6


def style_key(lane: str, position: int = 0) -> str:
    """Which of ``LANE_STYLES`` a lane has, at its position among the lanes of the race, counted from 0."""
    return lane if lane in LANE_STYLES and not lane.isdigit() else str(position % PLACES + 1)


def lane_style(lane: str, position: int = 0) -> LaneStyle:
    """The style of a lane; lanes of other names get one by their position in the race."""
    return LANE_STYLES[style_key(lane, position)]

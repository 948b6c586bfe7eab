"""Which of several streams draws on one place: the one that asked for it last. It knows no stream and no component.

Two streams that draw on one place overwrite each other, and Gradio draws the last message of a stream again when that
ends. So each asks for its turn on a stage (a ``gr.State`` of the tab), looks before it draws whether the turn is still
its own, and ends with ``gr.skip()`` if it is not.
"""

from collections.abc import Callable
from typing import Any

Stage = dict[str, Any]
"""``turn`` counts who asked; the rest belongs to whoever draws."""


def new_stage() -> Stage:
    """A stage that nobody has asked for."""
    return {"turn": 0}


def take_turn(stage: Stage) -> Callable[[], bool]:
    """Ask for the stage; the answer tells, at any later moment, whether nobody has asked since."""
    stage["turn"] += 1
    mine = stage["turn"]
    return lambda: bool(stage["turn"] == mine)

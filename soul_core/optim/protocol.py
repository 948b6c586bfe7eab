"""What the engine may ask of an optimizer. It knows no optimizer."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


class UnlearningOptimizer(Protocol):
    """What the engine can drive.

    Attributes:
        param_groups: Groups of the model's own parameters; the engine sets each group's ``lr`` before a step.
    """

    param_groups: list[dict[str, Any]]

    @property
    def update_norm(self) -> Tensor:
        """Norm of the last step's change of the weights, 0-dim."""

    @property
    def clip_share(self) -> Tensor | None:
        """Share of the coordinates of the last step that were clipped, 0-dim; None where none ever is."""

    def step(self) -> Any:
        """Take one step for every parameter that has a gradient."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""


@runtime_checkable
class TakesCurvature(Protocol):
    """An optimizer that is given diagonal curvature from outside."""

    def update_curvature(self, estimates: Sequence[Tensor], *, factor: float | None = None) -> None:
        """Fold in one estimate per parameter, in the order of ``param_groups``; of gradients, ``factor * g^2``."""

"""Who else trains the same weights on other rows. It knows tensors and no launcher, no sharding and no objective."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Peers(Protocol):
    """The processes of one run, each of which forwards its own rows of every batch.

    All of them call the same methods in the same order. What every one gets back is the same.

    Attributes:
        rank: Which of them this is, from 0.
        size: How many there are.
    """

    rank: int
    size: int

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """Each process's tensor, by rank; they may differ in the length of their first axis. No gradient."""

    def total(self, value: Tensor) -> Tensor:
        """The sum of all processes' tensors of one shape. No gradient."""

    def any(self, flag: bool) -> bool:
        """Whether it is true for one of them."""

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Make every ``.grad`` the sum over the processes, where the backward pass has not done so already."""

    def clip_gradients(self, parameters: Sequence[Tensor], max_norm: float) -> Tensor:
        """Scale the summed gradient down to this norm; the norm before, 0-dim, on the device."""

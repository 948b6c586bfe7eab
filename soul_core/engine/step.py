"""The parts of a training step, each repeated with fewer rows at a time where memory runs out. It knows no loop.

What a part has left in ``.grad`` when it fails is dropped, and nothing is folded into the optimizer before a part is
complete, so a step that was repeated is the step of a run that had begun with so few rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from soul_core.data.batches import Batch
from soul_core.engine.room import NoRoom, let_go
from soul_core.engine.shares import Shares
from soul_core.objectives import Likelihoods, Losses
from soul_core.optim import CurvaturePlan, UnlearningOptimizer
from soul_core.optim.curvature import hutchinson_curvature

T = TypeVar("T")


def seed_of(*numbers: int) -> int:
    """A seed that is another one for every sequence of numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@dataclass(kw_only=True)
class Parts:
    """What the parts of a step have in common.

    Attributes:
        shares: How a batch is forwarded.
        losses_of: The objective.
        optimizer: Whose gradients are emptied between parts.
        seed: The run's.
        most: Rows forwarded at a time; 0 for the whole batch. Falls where memory runs out.
        on_shrink: Told the step and the new ``most``.
    """

    shares: Shares
    losses_of: Callable[[Likelihoods], Losses]
    optimizer: UnlearningOptimizer
    seed: int
    most: int
    on_shrink: Callable[[int, int], None]

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained, in the order of ``param_groups``."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def gradient(self, step: int, group: Sequence[Batch]) -> Tensor:
        """Leave the gradient of the mean of the batches' losses in ``.grad``, summed over processes.

        Returns:
            Mean forget, retain and total loss, (3,), on the device.
        """

        def part(most: int) -> Tensor:
            terms = torch.zeros(3, device=self.shares.device)
            for number, batch in enumerate(group, start=1):
                terms += self.shares.differentiate(
                    batch,
                    self.losses_of,
                    lambda total: (total / len(group)).backward(),
                    most=most,
                    seed_of=self._seeds(step, number),
                ) / len(group)
            return terms

        terms = self._within_room(step, part)
        self.shares.peers.sum_gradients(self.parameters)
        return terms

    def curvature(self, plan: CurvaturePlan, step: int, batch: Batch) -> tuple[list[Tensor], float | None]:
        """What ``TakesCurvature.update_curvature`` is given for ``gnb`` or ``hutchinson``: of the step's first batch,
        like Sophia's authors, who estimate on part of what the gradient is averaged over. Leaves no gradient."""
        seeds, peers = self._seeds(step, 0), self.shares.peers
        if plan.method == "hutchinson":
            estimates = self._within_room(step, partial(self._hutchinson, step, batch))
            return estimates if peers.size == 1 else [peers.total(estimate) for estimate in estimates], None

        def part(most: int) -> int:
            return self.shares.differentiate_drawn(
                batch,
                plan,
                most=most,
                generator=torch.Generator().manual_seed(seed_of(self.seed, step)),
                seed_of=seeds,
            )

        tokens = self._within_room(step, part)
        peers.sum_gradients(self.parameters)
        gradients = self.gradients()
        self.optimizer.zero_grad(set_to_none=True)
        # Squared after all shares and processes have been added up: squares of parts do not add up.
        return gradients, plan.batch_factor or tokens

    def gradients(self) -> list[Tensor]:
        """``.grad`` of each parameter, zeros where there is none."""
        return [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]

    def _hutchinson(self, step: int, batch: Batch, most: int) -> list[Tensor]:
        parameters, device = self.parameters, self.shares.device
        sums: list[Tensor] = []

        def add(total: Tensor) -> None:
            # The same signs for every share and process: the estimate is linear in the loss.
            generator = torch.Generator(device).manual_seed(seed_of(self.seed, step))
            found = hutchinson_curvature(total, parameters, generator=generator)
            if sums:
                torch._foreach_add_(sums, found)
            else:
                sums.extend(found)

        # Fused attention cannot be differentiated twice.
        with sdpa_kernel(SDPBackend.MATH):
            self.shares.differentiate(
                batch, self.losses_of, add, most=most, seed_of=self._seeds(step, 0), whole_pairs=True
            )
        return sums

    def _seeds(self, step: int, part: int) -> Callable[[int], int]:
        return lambda share: seed_of(self.seed, step, part, self.shares.peers.rank, share)

    def _within_room(self, step: int, part: Callable[[int], T]) -> T:
        while True:
            full: NoRoom | None = None
            try:
                return part(self.most)
            except NoRoom as error:
                # Its frames hold the graph.
                full = error.with_traceback(None)
            fewer = -(-full.rows // 2)
            if self.most:
                # A pair that stays whole counts once in one and twice in the other.
                fewer = min(fewer, self.most - 1)
            if full.rows == 1 or fewer < 1:
                raise full.error
            self.optimizer.zero_grad(set_to_none=True)
            let_go()
            self.most = fewer
            self.on_shrink(step, self.most)

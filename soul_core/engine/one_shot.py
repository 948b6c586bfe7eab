"""Unlearning in one calculated step, after influence functions. It knows tensors and batches, no file and no page."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from soul_core.data.batches import Batch
from soul_core.engine.forward import forward, likelihoods_of
from soul_core.errors import RunError
from soul_core.events import Progress
from soul_core.objectives.likelihoods import given, wide
from soul_core.optim.curvature import gnb_curvature
from soul_core.optim.influence import (
    conjugate_gradient,
    diagonal_solve,
    dot,
    gauss_newton_product,
    line_search,
    mean_of,
)
from soul_core.optim.rounding import stochastic_round_

T = TypeVar("T")
Solver = Literal["diagonal", "cg"]

TOLERANCE = 1e-3
"""Conjugate gradient ends once its residual is this share of the gradient's norm; damping errs by more."""

TRIES = 30
"""Scales tried, each half the last: from a change as large as the weights down to a billionth of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluenceResult:
    """One calculated step and what came of it. Losses are NLL per answer token, in nats.

    Attributes:
        scale: What ``H^-1 g`` was multiplied by; 0 where no step kept the retain rows, and the weights are as before.
        retain_before: Before the step.
        retain_after: After it.
        forget_before: Before the step.
        forget_after: After it.
        update_norm: Norm of the step.
        relative_norm: The same as a share of the norm of the weights.
        residual: ``|(H + damping) x - g| / |g|`` that conjugate gradient left; None for the diagonal, which is
            divided by exactly.
        tries: How many scales were tried.
    """

    scale: float
    retain_before: float
    retain_after: float
    forget_before: float
    forget_after: float
    update_norm: float
    relative_norm: float
    residual: float | None
    tries: int


def influence_step(
    model: nn.Module,
    forget_batches: Sequence[Batch],
    retain_batches: Sequence[Batch],
    *,
    solver: Solver,
    damping: float,
    iterations: int,
    retain_rise: float,
    device: torch.device,
    autocast_dtype: torch.dtype | None = None,
    seed: int = 0,
) -> Generator[Progress, None, InfluenceResult]:
    """Move the weights by ``scale * (H + lambda)^-1 g``, in place: see ``optim.influence`` for why.

    g is the gradient of the forget rows' NLL per token. H is the Gauss-Newton matrix of the retain rows' NLL per
    token: what should stay is what bends, so the step is small where it would hurt that. ``lambda`` is ``damping``
    times the mean of H's diagonal, the same for both solvers. The scale is the largest of a falling sequence, from a
    step as large as the weights on, whose retain loss has risen by at most ``retain_rise``; influence functions' own
    factor, the number of forget tokens over that of retain tokens, is right for a convex loss at its minimum.

    Between reports the model is in evaluation mode, and dropout and checkpointing of activations are off throughout.
    A caller that closes the iterator gets the weights back as they were. Beside the weights and a forward with its
    graph, memory holds up to three vectors of their size in fp32 for ``diagonal`` and seven for ``cg``.

    Args:
        model: On ``device``; what requires a gradient is moved.
        forget_batches: On the CPU. Their forget rows count.
        retain_batches: On the CPU. Their retain rows count; the same batches may be given twice.
        solver: ``diagonal`` divides by H's diagonal, estimated by one draw of labels for each answer token
            (``gnb_curvature``); ``cg`` solves with all of H, in products with it.
        damping: Above 0; a share of the mean of the diagonal.
        iterations: At most so many products with H; read by ``cg`` alone.
        retain_rise: How much the retain rows' NLL per token may rise, in nats.
        device: Where the model is.
        autocast_dtype: Arithmetic of the forward; None for that of the weights.
        seed: Decides what is drawn.

    Yields:
        How far each part of the work is.

    Raises:
        RunError: There are no rows of one kind, or the step is not finite.
    """
    if damping <= 0:
        raise ValueError(f"damping must be above 0, got {damping}")
    rows = _Rows(model, device, autocast_dtype)
    forget, retain = rows.of(forget_batches, forget=True), rows.of(retain_batches, forget=False)
    was_training = model.training
    model.eval()
    try:
        gradient = yield from rows.gradient(forget)
        diagonal = yield from rows.diagonal(retain, seed)
        floor, residual = damping * mean_of(diagonal), None
        if solver == "cg":
            del diagonal
            solving = conjugate_gradient(
                lambda v: rows.product(retain, v), gradient, iterations=iterations, tolerance=TOLERANCE, damping=floor
            )
            solution = yield from _told(solving, "solve", iterations)
            direction, residual = solution.x, solution.residual
        else:
            direction = diagonal_solve(gradient, diagonal, damping=floor)
            del diagonal
        del gradient
        return (yield from _search(rows, forget, retain, direction, residual, retain_rise, seed))
    finally:
        model.train(was_training)


class _Rows:
    """A model and the rows it is looked at with; ``.grad`` is neither read nor written."""

    def __init__(self, model: nn.Module, device: torch.device, autocast_dtype: torch.dtype | None) -> None:
        self.model, self.device, self.autocast_dtype = model, device, autocast_dtype
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]

    def of(self, batches: Sequence[Batch], *, forget: bool) -> list[Batch]:
        """The rows of one kind, in batches with at least one answer token."""
        chosen = [batch.rows(batch.is_forget_B == forget) for batch in batches]
        kept = [batch for batch in chosen if batch.answer_tokens]
        if not kept:
            kind = "forget" if forget else "retain"
            raise RunError(f"One calculated step needs {kind} rows with answers, but there are none. Add some.")
        return kept

    def gradient(self, batches: list[Batch]) -> Generator[Progress, None, list[Tensor]]:
        """Of the NLL per token, in fp32."""
        sums, tokens = self._zeros(), _tokens(batches)
        for done, batch in enumerate(batches, start=1):
            nll = likelihoods_of(self.model, batch, device=self.device, autocast_dtype=self.autocast_dtype).nll_B.sum()
            parts = torch.autograd.grad(nll / tokens, self.parameters, allow_unused=True, materialize_grads=True)
            _add(sums, parts, 1.0)
            yield Progress(what="gradient", done=done, total=len(batches))
        return sums

    def diagonal(self, batches: list[Batch], seed: int) -> Generator[Progress, None, list[Tensor]]:
        """Of the Gauss-Newton matrix of the NLL per token, in expectation; in fp32."""
        sums, tokens = self._zeros(), _tokens(batches)
        generator = torch.Generator().manual_seed(seed)
        for done, batch in enumerate(batches, start=1):
            logits_NV = self._logits(batch)
            uniform_N = torch.rand(len(logits_NV), generator=generator, dtype=torch.float64).to(self.device)
            parts = gnb_curvature(logits_NV, self.parameters, batch_factor=0.0, uniform_N=uniform_N)
            _add(sums, parts, batch.answer_tokens / tokens)
            yield Progress(what="curvature", done=done, total=len(batches))
        return sums

    def product(self, batches: list[Batch], v: list[Tensor]) -> list[Tensor]:
        """With the Gauss-Newton matrix of the NLL per token, in fp32."""
        sums, tokens = self._zeros(), _tokens(batches)
        for batch in batches:
            with sdpa_kernel(SDPBackend.MATH):
                parts = gauss_newton_product(self._logits(batch), self.parameters, v)
            _add(sums, parts, batch.answer_tokens / tokens)
        return sums

    @torch.no_grad()
    def nll(self, batches: list[Batch]) -> float:
        """NLL per token, in nats."""
        total = sum(
            likelihoods_of(self.model, batch, device=self.device, autocast_dtype=self.autocast_dtype).nll_B.sum()
            for batch in batches
        )
        return float(total) / _tokens(batches)

    @torch.no_grad()
    def move(self, start: list[Tensor], direction: list[Tensor], scale: float, seed: int) -> None:
        """Set the weights to ``start + scale * direction``, bf16 ones rounded stochastically."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            for p, old, d in zip(self.parameters, start, direction, strict=True):
                if p.dtype == torch.bfloat16:
                    stochastic_round_(p, d.mul(scale).add_(old))
                else:
                    p.copy_(d.mul(scale).add_(old))

    @torch.no_grad()
    def restore(self, start: list[Tensor]) -> None:
        """Set the weights to what they were."""
        for p, old in zip(self.parameters, start, strict=True):
            p.copy_(old)

    def _logits(self, batch: Batch) -> Tensor:
        out = forward(self.model, batch, device=self.device, autocast_dtype=self.autocast_dtype)
        return wide(given(out.logits_NV, "logits_NV", to="one calculated step"))

    def _zeros(self) -> list[Tensor]:
        return [torch.zeros_like(p, dtype=torch.promote_types(p.dtype, torch.float32)) for p in self.parameters]


def _search(
    rows: _Rows,
    forget: list[Batch],
    retain: list[Batch],
    direction: list[Tensor],
    residual: float | None,
    retain_rise: float,
    seed: int,
) -> Generator[Progress, None, InfluenceResult]:
    start = [p.detach().clone() for p in rows.parameters]
    weights_norm, length = dot(start, start) ** 0.5, dot(direction, direction) ** 0.5
    if not (0 < length < float("inf")):
        raise RunError(f"The calculated step has norm {length:g}, so it was not taken. Raise the damping.")
    forget_before, retain_before = rows.nll(forget), rows.nll(retain)
    tries, scale = 0, 0.0

    def evaluate(length_of_step: float) -> float:
        nonlocal tries
        tries += 1
        rows.move(start, direction, length_of_step, seed)
        return rows.nll(retain)

    try:
        searching = line_search(
            evaluate, start=retain_before, largest=weights_norm / length, retain_rise=retain_rise, tries=TRIES
        )
        scale, retain_after = yield from _told(searching, "search", TRIES)
    finally:
        if scale == 0:
            rows.restore(start)
    return InfluenceResult(
        scale=scale,
        retain_before=retain_before,
        retain_after=retain_after,
        forget_before=forget_before,
        forget_after=rows.nll(forget),
        update_norm=scale * length,
        relative_norm=scale * length / weights_norm,
        residual=residual,
        tries=tries,
    )


def _told(counting: Generator[int, None, T], what: str, total: int) -> Generator[Progress, None, T]:
    while True:
        try:
            done = next(counting)
        except StopIteration as end:
            result: T = end.value
            return result
        yield Progress(what=what, done=done, total=total)


def _tokens(batches: list[Batch]) -> int:
    return sum(batch.answer_tokens for batch in batches)


@torch.no_grad()
def _add(sums: list[Tensor], parts: Sequence[Tensor], weight: float) -> None:
    for total, part in zip(sums, parts, strict=True):
        total.add_(part, alpha=weight)

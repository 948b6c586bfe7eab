"""The unlearning loop. It knows tensors and steps; it knows no file, no page and no method by name."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from soul_core.data.batches import IGNORED, Batch
from soul_core.engine.forward import NO_REFERENCE, Reference
from soul_core.engine.peers import Peers
from soul_core.engine.shares import Shares
from soul_core.engine.step import Parts, seed_of
from soul_core.errors import Diverged
from soul_core.events import StepReport
from soul_core.models.world import ALONE
from soul_core.objectives import Likelihoods, Losses
from soul_core.optim import CurvaturePlan, UnlearningOptimizer
from soul_core.optim.protocol import TakesCurvature

_FOLDING = 1


def unlearn(
    model: nn.Module,
    batches: Iterable[Batch],
    losses_of: Callable[[Likelihoods], Losses],
    optimizer: UnlearningOptimizer,
    *,
    lr_at: Callable[[int], float],
    max_grad_norm: float,
    device: torch.device,
    memory_mb: Callable[[], float],
    accumulation: int = 1,
    curvature: CurvaturePlan | None = None,
    autocast_dtype: torch.dtype | None = None,
    reference: Reference = NO_REFERENCE,
    first_step: int = 1,
    seed: int = 0,
    peers: Peers = ALONE,
    micro_batch: int = 0,
    on_shrink: Callable[[int, int], None] | None = None,
    own_logits: bool = True,
) -> Iterator[StepReport]:
    """Take one optimizer step per ``accumulation`` batches and yield a report after each.

    The caller stops by closing the iterator; the weights are then those of the last report. Between steps the model
    is in the mode in which it was given and holds no gradients, so it can be evaluated or saved.

    Nothing random outlives a step: dropout and curvature labels are drawn from ``(seed, step)``, so a run that is
    continued with the optimizer's state and ``first_step`` is the same, bit for bit, as one never interrupted.

    Neither ``micro_batch`` nor ``peers`` changes what is calculated, only where and how much of it at a time, up to
    rounding and dropout's draws: see ``Shares.differentiate``. Where memory runs out, the step's part that did not
    fit is repeated with half the rows at a time, and so is the rest of the run.

    Args:
        model: A causal language model as transformers calls it, on ``device``.
        batches: On the CPU. The last group may be short of ``accumulation`` and is averaged over its own size.
        losses_of: The objective, see ``objectives.losses_for``.
        optimizer: See ``optim.build_optimizer``.
        lr_at: The rate at a step.
        max_grad_norm: The gradient is scaled down to this norm.
        device: Where the model is.
        memory_mb: Peak memory so far, for the report.
        accumulation: Batches whose losses are averaged into one step.
        curvature: See ``optim.curvature_plan``.
        autocast_dtype: Arithmetic of the forward; None for that of the weights.
        reference: For objectives that compare with the original; what it needs, ``objectives.needs_of`` tells.
        first_step: Number of the first step, counted from 1 over the whole run.
        seed: Decides what is drawn.
        peers: The processes that train the same weights; the batches are the same in all of them, and so are the
            reports but for times and memory.
        micro_batch: Rows that a process forwards at a time; 0 for all of its rows.
        on_shrink: Told the step and the new ``micro_batch`` when memory has run out.
        own_logits: Whether the objective reads the model's own logits, see ``Needs``. Where it does not, those of a
            large vocabulary are never kept all at once.

    Raises:
        MemoryError: Or torch's own exceptions, when there is no memory for a single row.
        Diverged: The loss, the gradient or the curvature is not finite. The step that would have used it is not taken.
    """
    if accumulation < 1 or first_step < 1:
        raise ValueError(f"accumulation and first_step start at 1; got {accumulation} and {first_step}")
    if micro_batch < 0:
        raise ValueError(f"micro_batch starts at 0, got {micro_batch}")
    curved = _curved(optimizer) if curvature is not None else None
    parts = Parts(
        shares=Shares(
            model=model,
            device=device,
            autocast_dtype=autocast_dtype,
            reference=reference,
            peers=peers,
            own_logits=own_logits,
        ),
        losses_of=losses_of,
        optimizer=optimizer,
        seed=seed,
        most=micro_batch,
        on_shrink=on_shrink or (lambda step, rows: None),
    )

    for step, group in enumerate(_grouped(batches, accumulation), start=first_step):
        started = time.perf_counter()
        lr = lr_at(step)
        for settings in optimizer.param_groups:
            settings["lr"] = lr
        due = curvature if curvature is not None and curvature.due(step) else None
        with _one_step(model, optimizer, device):
            if due is not None and curved is not None and due.method != "squared-gradient":
                estimates, factor = parts.curvature(due, step, group[0])
                if peers.any(not _finite(estimates, factor)):
                    raise Diverged(_diverged(step, "the curvature is not finite", lr))
                torch.manual_seed(seed_of(seed, step, _FOLDING))
                curved.update_curvature(estimates, factor=factor)
                del estimates
            terms = parts.gradient(step, group)
            # The only two waits for the device are here, where it is decided whether to step, and after the step.
            norm_now = peers.clip_gradients(parts.parameters, max_grad_norm)
            forget, retain, total, norm = torch.stack([*terms, norm_now]).tolist()
            if not (math.isfinite(total) and math.isfinite(norm)):
                raise Diverged(_diverged(step, f"the loss is {total:g} and the norm of the gradient {norm:g}", lr))
            if due is not None and curved is not None and due.method == "squared-gradient":
                factor = due.batch_factor or sum(int((b.labels_BT != IGNORED).sum()) for b in group)
                torch.manual_seed(seed_of(seed, step, _FOLDING))
                curved.update_curvature(parts.gradients(), factor=factor)
            # Rounding, here and above, draws the same numbers however many shares and processes there were.
            torch.manual_seed(seed_of(seed, step))
            optimizer.step()
            update_norm = optimizer.update_norm.item()
            clip_share = None if optimizer.clip_share is None else optimizer.clip_share.item()
        seconds = time.perf_counter() - started
        yield StepReport(
            step=step,
            forget_loss=forget,
            retain_loss=retain,
            total_loss=total,
            grad_norm=norm,
            update_norm=update_norm,
            clip_share=clip_share,
            lr=lr,
            seconds=seconds,
            tokens_per_second=sum(int(batch.attention_mask_BT.sum()) for batch in group) / seconds,
            memory_mb=memory_mb(),
        )


def _grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    left = iter(batches)
    while group := list(itertools.islice(left, size)):
        yield group


@contextlib.contextmanager
def _one_step(model: nn.Module, optimizer: UnlearningOptimizer, device: torch.device) -> Iterator[None]:
    """Train mode, random numbers of its own and empty gradients inside; everything as it was outside.

    Train mode, because dropout and gradient checkpointing, where a model has them, act in it alone; the tiny
    models here have neither.
    """
    was_training = model.training
    optimizer.zero_grad(set_to_none=True)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model.train()
        try:
            yield
        finally:
            model.train(was_training)
            optimizer.zero_grad(set_to_none=True)


def _finite(estimates: list[Tensor], factor: float | None) -> bool:
    """Whether no coordinate of what is folded in is infinite or NaN: the largest of each tensor tells."""
    # A process may hold an empty part of a weight that others share.
    filled = [estimate for estimate in estimates if estimate.numel()]
    if not filled:
        return True
    largest = torch.stack([norm.float() for norm in torch._foreach_norm(filled, ord=math.inf)])
    return bool((largest if factor is None else largest * largest * factor).isfinite().all())


def _curved(optimizer: UnlearningOptimizer) -> TakesCurvature:
    if not isinstance(optimizer, TakesCurvature):
        raise TypeError(f"{type(optimizer).__name__} takes no curvature; pass curvature=None")
    return optimizer


def _diverged(step: int, what: str, lr: float) -> str:
    return (
        f"Step {step}: {what}, so the step was not taken. "
        f"Lower the learning rate (it was {lr:.3g} here) or raise γ, and start again."
    )

"""The unlearning loop. It knows tensors and steps; it knows no file, no page and no method by name."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import clip_grad_norm_

from soul_core.data.batches import IGNORED, Batch
from soul_core.engine.forward import NO_REFERENCE, Forward, Reference, forward, likelihoods_of
from soul_core.errors import Diverged, RunError
from soul_core.events import StepReport
from soul_core.objectives import Likelihoods, Losses
from soul_core.optim import CurvaturePlan, UnlearningOptimizer
from soul_core.optim.curvature import gnb_curvature, hutchinson_curvature, squared_gradient_curvature
from soul_core.optim.protocol import TakesCurvature


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
) -> Iterator[StepReport]:
    """Take one optimizer step per ``accumulation`` batches and yield a report after each.

    The caller stops by closing the iterator; the weights are then those of the last report. Between steps the model
    is in the mode in which it was given and holds no gradients, so it can be evaluated or saved.

    Nothing random outlives a step: dropout and curvature labels are drawn from ``(seed, step)``, so a run that is
    continued with the optimizer's state and ``first_step`` is the same, bit for bit, as one never interrupted.

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

    Raises:
        Diverged: The loss, the gradient or the curvature is not finite. The step that would have used it is not taken.
    """
    if accumulation < 1 or first_step < 1:
        raise ValueError(f"accumulation and first_step start at 1; got {accumulation} and {first_step}")
    curved = _curved(optimizer) if curvature is not None else None
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def logits_of(batch: Batch) -> Forward:
        return forward(model, batch, device=device, autocast_dtype=autocast_dtype)

    def loss_of(batch: Batch) -> Losses:
        return losses_of(
            likelihoods_of(model, batch, device=device, autocast_dtype=autocast_dtype, reference=reference)
        )

    for step, group in enumerate(_grouped(batches, accumulation), start=first_step):
        started = time.perf_counter()
        lr = lr_at(step)
        for settings in optimizer.param_groups:
            settings["lr"] = lr
        due = curvature if curvature is not None and curvature.due(step) else None
        with _one_step(model, optimizer, device, seed=_seed_of(seed, step)):
            if due is not None and curved is not None and due.method != "squared-gradient":
                generator = torch.Generator(device).manual_seed(_seed_of(seed, step))
                estimates = _estimates(due, group[0], parameters, logits_of, loss_of, generator)
                if not _finite(estimates):
                    raise Diverged(_diverged(step, "the curvature is not finite", lr))
                curved.update_curvature(estimates)
                del estimates
            terms = torch.zeros(3, device=device)
            for batch in group:
                losses = loss_of(batch)
                (losses.total / len(group)).backward()
                terms += torch.stack([losses.forget, losses.retain, losses.total]).detach() / len(group)
            # The only two waits for the device are here, where it is decided whether to step, and after the step.
            forget, retain, total, norm = torch.stack([*terms, clip_grad_norm_(parameters, max_grad_norm)]).tolist()
            if not (math.isfinite(total) and math.isfinite(norm)):
                raise Diverged(_diverged(step, f"the loss is {total:g} and the norm of the gradient {norm:g}", lr))
            if due is not None and curved is not None and due.method == "squared-gradient":
                factor = due.batch_factor or sum(int((b.labels_BT != IGNORED).sum()) for b in group)
                gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
                curved.update_curvature(squared_gradient_curvature(gradients, batch_factor=factor))
                del gradients
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
def _one_step(model: nn.Module, optimizer: UnlearningOptimizer, device: torch.device, *, seed: int) -> Iterator[None]:
    """Train mode, its own random numbers and empty gradients inside; everything as it was outside.

    Train mode, because dropout and gradient checkpointing, where a model has them, act in it alone; the tiny
    models here have neither.
    """
    was_training = model.training
    optimizer.zero_grad(set_to_none=True)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        model.train()
        try:
            yield
        finally:
            model.train(was_training)
            optimizer.zero_grad(set_to_none=True)


def _estimates(
    plan: CurvaturePlan,
    batch: Batch,
    parameters: list[Tensor],
    logits_of: Callable[[Batch], Forward],
    loss_of: Callable[[Batch], Losses],
    generator: torch.Generator,
) -> list[Tensor]:
    """Curvature on the step's first batch: like Sophia's authors, on part of what the gradient is averaged over."""
    if plan.method == "hutchinson":
        # Fused attention cannot be differentiated twice.
        with sdpa_kernel(SDPBackend.MATH):
            return hutchinson_curvature(loss_of(batch).total, parameters, generator=generator)
    wanted = {"batch": torch.ones_like(batch.is_forget_B), "forget": batch.is_forget_B, "retain": ~batch.is_forget_B}
    chosen_B = wanted[plan.rows]
    if not chosen_B.any():
        raise RunError(f"Curvature is to be estimated on {plan.rows} rows, but the batch has none. Choose “batch”.")
    out = logits_of(batch.rows(chosen_B))
    return gnb_curvature(
        out.logits_BTV, out.labels_BT, parameters, batch_factor=plan.batch_factor, generator=generator
    )


def _finite(tensors: list[Tensor]) -> bool:
    return bool(torch.stack(torch._foreach_norm(tensors)).isfinite().all())


def _curved(optimizer: UnlearningOptimizer) -> TakesCurvature:
    if not isinstance(optimizer, TakesCurvature):
        raise TypeError(f"{type(optimizer).__name__} takes no curvature; pass curvature=None")
    return optimizer


def _seed_of(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


def _diverged(step: int, what: str, lr: float) -> str:
    return (
        f"Step {step}: {what}, so the step was not taken. "
        f"Lower the learning rate (it was {lr:.3g} here) or raise γ, and start again."
    )

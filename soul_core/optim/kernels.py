"""Sophia's step and its curvature as one pass over memory each, in Triton. It knows no optimizer class and no device.

Weight, momentum, curvature and gradient are read once, weight and momentum written once; what the step reports is
counted on the way, one partial sum per program, so that no program waits for another. Nothing that changes from step
to step comes from the host if the rate is a tensor, so a step can be captured in a CUDA graph. Importing this needs
Triton. Each tensor is a launch of its own.
"""

from collections.abc import Sequence

import torch
import triton  # type: ignore[import-untyped]
import triton.language as tl  # type: ignore[import-untyped]
from torch import Tensor

BLOCK = 2048
"""Coordinates of a program: 8 for each of its threads, which makes loads of 16 bytes."""

WARPS = 8


@triton.jit
def _rounded(x, noise):  # type: ignore[no-untyped-def]
    """fp32 to bf16, up or down at random, as ``rounding.stochastic_round_`` does: NaN and infinities stay."""
    largest: tl.constexpr = 3.3895313892515355e38
    bits = x.to(tl.int32, bitcast=True) + (noise.to(tl.int32, bitcast=True) & 0xFFFF)
    near = (bits & -65536).to(tl.float32, bitcast=True)
    near = tl.minimum(tl.maximum(near, -largest), largest)
    finite = tl.abs(x) < float("inf")
    return tl.where(finite, near, x).to(tl.bfloat16)


@triton.jit(do_not_specialize=["slot", "first"])  # type: ignore[untyped-decorator]
def sophia_step(  # type: ignore[no-untyped-def]
    p_N,
    m_N,
    h_N,
    g_N,
    lr,
    seeds,
    partials,
    slot,
    first,
    programs,
    size,
    weight,
    rho,
    decay,
    eps,
    BLOCK: tl.constexpr,
    ROUND: tl.constexpr,
    DECAY: tl.constexpr,
):
    """One program's coordinates of one tensor; ``partials`` gets clipped coordinates, then squared moves in lr."""
    program = tl.program_id(0)
    begin = program.to(tl.int64) * BLOCK
    at = begin + tl.arange(0, BLOCK)
    inside = at < size
    p = tl.load(p_N + at, mask=inside, other=0.0).to(tl.float32)
    m = tl.load(m_N + at, mask=inside, other=0.0)
    h = tl.load(h_N + at, mask=inside, other=0.0)
    g = tl.load(g_N + at, mask=inside, other=0.0).to(tl.float32)
    m = tl.where(weight < 0.5, m + weight * (g - m), g + (weight - 1.0) * (g - m))
    move = m / tl.maximum(rho * h, eps)
    # Comparisons rather than minimum and maximum: those would make a number of NaN.
    move = tl.where(move > 1.0, 1.0, tl.where(move < -1.0, -1.0, move))
    clipped = tl.sum((tl.abs(move) >= 1.0).to(tl.float32), axis=0)
    if DECAY:
        move += decay * p
    squares = tl.sum(move * move, axis=0)
    p -= tl.load(lr) * move
    if ROUND:
        # Four numbers at a time, which is what one round of Philox makes; the counter is 32 bits long, so the rest of
        # a program's number goes into the seed.
        seed = tl.load(seeds + slot) + (program >> 21)
        counter = (program & 0x1FFFFF) * (BLOCK // 4) + tl.arange(0, BLOCK // 4)
        one, two, three, four = tl.randint4x(seed, counter)
        noise = tl.interleave(tl.interleave(one, three), tl.interleave(two, four))
        tl.store(p_N + at, _rounded(p, noise), mask=inside)
    else:
        tl.store(p_N + at, p, mask=inside)
    tl.store(m_N + at, m, mask=inside)
    tl.store(partials + first + program, clipped)
    tl.store(partials + programs + first + program, squares)


@triton.jit  # type: ignore[untyped-decorator]
def curvature_update(h_N, g_N, size, weight, factor, BLOCK: tl.constexpr, SQUARE: tl.constexpr):  # type: ignore[no-untyped-def]
    """``h <- lerp(h, factor * g^2, weight)``, or of ``g`` itself."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    h = tl.load(h_N + at, mask=inside, other=0.0)
    g = tl.load(g_N + at, mask=inside, other=0.0).to(tl.float32)
    if SQUARE:
        g = factor * (g * g)
    h = tl.where(weight < 0.5, h + weight * (g - h), g + (weight - 1.0) * (g - h))
    tl.store(h_N + at, h, mask=inside)


def fits(weights: Sequence[Tensor], *states: Sequence[Tensor]) -> bool:
    """Whether the kernels can work on these: states in fp32, weights in fp32 or bf16, each in one piece."""
    return (
        all(p.dtype in (torch.float32, torch.bfloat16) for p in weights)
        and all(x.dtype == torch.float32 for column in states for x in column)
        and all(x.is_contiguous() for column in (weights, *states) for x in column)
        and len({p.device for p in weights}) == 1
    )


def step(
    weights: Sequence[Tensor],
    momenta: Sequence[Tensor],
    curvatures: Sequence[Tensor],
    gradients: Sequence[Tensor],
    *,
    lr: float | Tensor,
    beta1: float,
    rho: float,
    weight_decay: float,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Sophia's step in place; weights in bf16 are rounded stochastically, from torch's generator of the device.

    Args:
        weights: fp32 or bf16.
        momenta: fp32, as the curvatures.
        curvatures: Read only.
        gradients: fp32 or bf16.
        lr: A 0-dim fp32 tensor on the device for a step that is to be captured.
        beta1: How long gradients are averaged.
        rho: Curvature scale.
        weight_decay: Decoupled.
        eps: Smallest curvature divided by.

    Returns:
        How many coordinates were clipped, and the sum of the squared moves in units of ``lr``; both 0-dim.
    """
    device = weights[0].device
    rate = lr if isinstance(lr, Tensor) else torch.full((), lr, dtype=torch.float32, device=device)
    grids = [triton.cdiv(p.numel(), BLOCK) for p in weights]
    programs = sum(grids)
    partials = torch.empty(2, programs, dtype=torch.float32, device=device)
    seeds = torch.randint(1 << 62, (len(weights),), device=device)
    first = 0
    rows = zip(grids, weights, momenta, curvatures, gradients, strict=True)
    # Triton launches on the current device.
    with torch.cuda.device_of(weights[0]):
        for slot, (grid, p, m, h, g) in enumerate(rows):
            if not grid:
                continue
            sophia_step[(grid,)](
                p,
                m,
                h,
                g,
                rate,
                seeds,
                partials,
                slot,
                first,
                programs,
                p.numel(),
                1 - beta1,
                rho,
                weight_decay,
                eps,
                BLOCK=BLOCK,
                ROUND=p.dtype == torch.bfloat16,
                DECAY=weight_decay != 0,
                num_warps=WARPS,
            )
            first += grid
    clipped, squares = partials.sum(dim=1)
    return clipped, squares


def fold(curvatures: Sequence[Tensor], gradients: Sequence[Tensor], *, beta2: float, factor: float | None) -> None:
    """``h <- beta2 h + (1 - beta2) factor g^2`` in place; without a factor, the estimates are taken as they are."""
    with torch.cuda.device_of(curvatures[0]):
        for h, g in zip(curvatures, gradients, strict=True):
            grid = triton.cdiv(h.numel(), BLOCK)
            if grid:
                curvature_update[(grid,)](
                    h, g, h.numel(), 1 - beta2, factor or 0.0, BLOCK=BLOCK, SQUARE=factor is not None, num_warps=WARPS
                )

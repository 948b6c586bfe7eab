"""Sophia's states in 8 bits: a byte a number and a scale for each 256 of them. It knows no optimizer class.

The numbers that bytes stand for are spaced evenly on a logarithmic scale, since curvature is divided by and a momentum
of a thousandth of its neighbour's may be what moves a weight as far. A number is rounded to one of its two neighbours
at random, so that an average arrives although each step's share is less than a byte can tell (the signed dynamic map
of Dettmers et al. 2022, arXiv:2110.02861, rounded to the nearest, ended more than twice as far from fp32 on
parabolas of four decades of curvature). Both scales hold 1, so that writing out and reading back changes nothing.
"""

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 256
"""Numbers that share a scale."""

SMALLEST = 4096
"""Coordinates below which a tensor's state stays in fp32: norms and biases, which take no memory to speak of."""

DECADES = {True: 5, False: 7}
"""From a block's largest number down to the smallest that is not 0: of momentum, signed, and of curvature."""

COUNT = {True: 127, False: 255}
"""Sizes above 0 that a byte can stand for, with a sign and without."""


@functools.cache
def levels(signed: bool, device: torch.device) -> Tensor:
    """What the bytes stand for, in ascending order, in units of a block's largest size."""
    sizes = torch.logspace(-DECADES[signed], 0, COUNT[signed], dtype=torch.float64)
    below = -sizes.flip(0) if signed else sizes[:0]
    return torch.cat([below, torch.zeros(1), sizes]).to(device, torch.float32)


def blank(p: Tensor) -> tuple[Tensor, Tensor]:
    """Bytes in a parameter's shape and the scales beside them, for a state of zeros."""
    codes = torch.zeros(p.shape, dtype=torch.uint8, device=p.device)
    return codes, torch.zeros(math.ceil(p.numel() / BLOCK), device=p.device)


def read(codes_N: Tensor, scales: Tensor, *, signed: bool) -> Tensor:
    """The numbers, in fp32; flat tensors of which the first begins a block."""
    values_N = levels(signed, codes_N.device).index_select(0, codes_N.int())
    return _in_blocks(values_N, scales, torch.Tensor.mul_)


def write_(codes_N: Tensor, scales: Tensor, values_N: Tensor, *, signed: bool, dither: bool) -> Tensor:
    """Put numbers into bytes: the exponent is rounded to the nearest or, with ``dither``, up or down at random.

    Args:
        codes_N: Written.
        scales: Written.
        values_N: fp32, flat.
        signed: Whether some are below 0; if not, none may be.
        dither: In proportion to what is left over, so that the mean exponent is the number's own. Random numbers come
            from torch's global generator of the device.

    Returns:
        Squared norm of what was lost, then that of the numbers: (2,).
    """
    count, sizes_N = COUNT[signed], values_N.abs()
    whole = len(values_N) - len(values_N) % BLOCK
    scales[: whole // BLOCK] = sizes_N[:whole].view(-1, BLOCK).amax(dim=1)
    if whole < len(values_N):
        scales[-1] = sizes_N[whole:].max()
    step = DECADES[signed] * math.log(10) / (count - 1)
    _in_blocks(sizes_N, scales.clamp_min(torch.finfo(torch.float32).tiny), torch.Tensor.div_)
    # The largest of a block has the last exponent, and 0, whose logarithm is minus infinity, the one before the first.
    exponents_N = sizes_N.log_().div_(step).add_(count)
    if dither:
        exponents_N.add_(torch.rand_like(exponents_N).sub_(0.5))
    exponents_N.round_().clamp_(0, count)
    codes_N.copy_(exponents_N.mul_(values_N.sign()).add_(count) if signed else exponents_N)
    lost_N = read(codes_N, scales, signed=signed).sub_(values_N)
    return torch.stack([torch.dot(lost_N, lost_N), torch.dot(values_N, values_N)])


def _in_blocks(values_N: Tensor, scales: Tensor, operation: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Multiply or divide each block, of which the last may be short, by its scale, in place."""
    whole = len(values_N) - len(values_N) % BLOCK
    operation(values_N[:whole].view(-1, BLOCK), scales[: whole // BLOCK, None])
    if whole < len(values_N):
        operation(values_N[whole:], scales[-1])
    return values_N


def read_part(state: dict[str, Tensor], key: str, part: slice) -> Tensor:
    """A part of a state, which begins a block: flat, in fp32."""
    return read(*_spans(state, key, part), signed=key == "m")


def write_part_(state: dict[str, Tensor], key: str, part: slice, values_N: Tensor) -> Tensor:
    """Put a part back; returns what ``write_`` returns."""
    return write_(*_spans(state, key, part), values_N, signed=key == "m", dither=True)


def opened(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same state without bytes, on the CPU: a device with room for 8 bits may have none for 32."""
    values = {}
    for key in (key for key in state if not key.endswith("_scale")):
        x = state[key]
        scales = state.get(f"{key}_scale")
        values[key] = (x if scales is None else read(x.reshape(-1), scales, signed=key == "m").view(x.shape)).cpu()
    return values


def fill_(state: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    """The inverse of ``opened``: write numbers into a state, in 8 bits where it is."""
    for key, x in values.items():
        scales = state.get(f"{key}_scale")
        if scales is None:
            state[key].copy_(x)
        else:
            write_(
                state[key].view(-1), scales, x.to(scales.device).reshape(-1).float(), signed=key == "m", dither=False
            )


def _spans(state: dict[str, Tensor], key: str, part: slice) -> tuple[Tensor, Tensor]:
    """Bytes and scales of a part."""
    return state[key].view(-1)[part], state[f"{key}_scale"][part.start // BLOCK : -(-part.stop // BLOCK)]

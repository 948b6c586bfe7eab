"""Lists of tensors cut into blocks, so that chained elementwise operations stay in cache. It knows no optimizer."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

CPU_BLOCK = 1 << 17
"""Coordinates of a block on the CPU: half a megabyte in fp32, so that what works on a block stays in cache."""

DEVICE_BLOCK = 1 << 24
"""Coordinates of a block elsewhere: enough to fill the device, with 64 MB of scratch space a buffer in fp32."""


def block_size(device: torch.device) -> int:
    """How many coordinates a block has at most on that device."""
    return CPU_BLOCK if device.type == "cpu" else DEVICE_BLOCK


def blocks(*columns: Sequence[Tensor]) -> Iterator[list[list[Tensor]]]:
    """Cut lists of tensors into blocks in step, the same coordinates of each list in a block.

    Small tensors share a block, large ones are cut into flat views, so writing to a block writes to the tensors.
    The one exception is the last list, which is to be read only: its tensors may be copied, because gradients come
    in whatever memory layout autograd chose. A tensor of another list that is not contiguous is not cut.

    Args:
        columns: Lists of equal length; tensors at the same place have the same shape and device.
    """
    block: list[list[Tensor]] = [[] for _ in columns]
    filled = 0
    for row in zip(*columns, strict=True):
        size, limit = row[0].numel(), block_size(row[0].device)
        pieces = [row]
        if size > limit and all(x.is_contiguous() for x in row[:-1]):
            pieces = list(zip(*(x.reshape(-1).split(limit) for x in row), strict=True))
        for piece in pieces:
            size = piece[0].numel()
            if filled and filled + size > limit:
                yield block
                block, filled = [[] for _ in columns], 0
            for column, part in zip(block, piece, strict=True):
                column.append(part)
            filled += size
    if filled:
        yield block


class Scratch:
    """Memory that is reused from block to block: asking for fresh memory each time costs more than the arithmetic."""

    def __init__(self) -> None:
        self._buffers: dict[int, Tensor] = {}

    def gather(self, slot: int, tensors: Sequence[Tensor]) -> Tensor:
        """The tensors' values in a row, as a flat tensor that is valid until the slot is used again."""
        flat = [x.reshape(-1) for x in tensors]
        size = sum(x.numel() for x in flat)
        buffer = self._buffers.get(slot)
        if buffer is None or len(buffer) < size or buffer.dtype != flat[0].dtype or buffer.device != flat[0].device:
            buffer = self._buffers[slot] = flat[0].new_empty(size)
        return torch.cat(flat, out=buffer[:size])


def split_like(flat: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Views of a flat tensor, one of each tensor's shape: the inverse of ``Scratch.gather``."""
    return [part.view(x.shape) for part, x in zip(flat.split([x.numel() for x in tensors]), tensors, strict=True)]

"""Lists of tensors cut into blocks, so that chained elementwise operations stay in cache. It knows no optimizer."""

from collections.abc import Iterator, Sequence

from torch import Tensor

CPU_BLOCK = 1 << 17
"""Coordinates of a block on the CPU: in fp32 half a megabyte a tensor, so that a block stays in a core's cache."""

DEVICE_BLOCK = 1 << 26
"""Coordinates of a block elsewhere: large enough to fill the device, small enough that temporaries stay bounded."""


def blocks(columns: Sequence[Sequence[Tensor]]) -> Iterator[list[list[Tensor]]]:
    """Cut lists of tensors into blocks in step, the same coordinates of each list in a block.

    Small tensors share a block, large ones are cut into views. Tensors whose memory cannot be viewed as a line
    (not contiguous) are not cut. Writing to a block writes to its tensor; the one exception is a last list, which
    may hold copies and is to be read only (gradients come in whatever layout autograd chose).

    Args:
        columns: Lists of equal length; tensors at the same place have the same shape.
    """
    first = columns[0]
    block: list[list[Tensor]] = [[] for _ in columns]
    filled = 0
    for row, tensor in enumerate(first):
        limit = CPU_BLOCK if tensor.device.type == "cpu" else DEVICE_BLOCK
        rows = [column[row] for column in columns]
        pieces = [rows]
        if tensor.numel() > limit and all(x.is_contiguous() for x in rows[:-1]):
            pieces = [list(cut) for cut in zip(*(x.reshape(-1).split(limit) for x in rows), strict=True)]
        for piece in pieces:
            if filled and filled + piece[0].numel() > limit:
                yield block
                block, filled = [[] for _ in columns], 0
            for column, part in zip(block, piece, strict=True):
                column.append(part)
            filled += piece[0].numel()
    if filled:
        yield block

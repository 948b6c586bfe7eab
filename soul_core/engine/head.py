"""The vocabulary projection on answer positions alone, in parts where it is large. It knows no batch and no loss.

Shape suffixes: T = tokens, H = width of the hidden states, V = vocabulary, N = answer tokens, n = a part of them.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

MOST_LOGITS = 1 << 26
"""So many logits, tokens times vocabulary, are made at a time where a caller can do with parts: 256 MB in fp32."""

Score = Callable[[Tensor, slice], Tensor]
"""From the logits (n, V) of some answer tokens, and which of all they are, to a number for each, (n,)."""


class Picked:
    """What a projection was given and did while ``picking``.

    Attributes:
        hidden_NH: The hidden states that predict the answer tokens; None where there is no projection to watch, or it
            was given something else than hidden states by position.
    """

    def __init__(self) -> None:
        self.hidden_NH: Tensor | None = None


@contextlib.contextmanager
def picking(head: nn.Module | None, index_N: Tensor, positions: int, *, project: bool) -> Iterator[Picked]:
    """While this lasts, the head projects the hidden states at ``index_N`` only, as a single row: (1, N, V).

    Whatever a model does to its logits behind the head (soft-capping, a scale) it then does to those.

    Args:
        head: ``output_head`` of the model that is called in this thread.
        index_N: Positions in the flattened batch.
        positions: How many the batch has.
        project: False to project none of them and be left with ``hidden_NH``.
    """
    picked, here = Picked(), threading.get_ident()

    def pick(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        # The original is shared by lanes and the page, each of which may call it from a thread of its own.
        if threading.get_ident() != here or len(args) != 1 or args[0].ndim != 3:
            return None
        if args[0].shape[0] * args[0].shape[1] != positions:
            return None
        picked.hidden_NH = args[0].flatten(0, 1).index_select(0, index_N)
        return ((picked.hidden_NH if project else picked.hidden_NH[:0])[None],)

    handle = None if head is None else head.register_forward_pre_hook(pick)
    try:
        yield picked
    finally:
        if handle is not None:
            handle.remove()


def output_head(model: nn.Module) -> nn.Module | None:
    """The module that projects hidden states to the vocabulary; None for a model that does not tell."""
    tell = getattr(model, "get_output_embeddings", None)
    head = None if tell is None else tell()
    return head if isinstance(head, nn.Module) else None


def too_many(model: nn.Module, tokens: int) -> bool:
    """Whether the logits of so many tokens are better made in parts."""
    head = output_head(model)
    return head is not None and tokens * (vocabulary_of(head) or 0) > MOST_LOGITS


@torch.no_grad()
def is_plain(model: nn.Module, device: torch.device) -> bool:
    """Whether a model's logits are what its head gives, with nothing done to them behind it.

    Told by one forward of two tokens, in evaluation mode: no list of settings (``final_logit_softcapping``,
    ``logit_scale``, …) would be complete.
    """
    head = output_head(model)
    if head is None:
        return False
    made: list[Tensor] = []
    handle = head.register_forward_hook(lambda module, args, output: made.append(output))
    was_training = model.training
    model.eval()
    try:
        ids = torch.tensor([[0, 1]], device=device)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    finally:
        model.train(was_training)
        handle.remove()
    return len(made) == 1 and made[0].shape == logits.shape and torch.equal(made[0].float(), logits.float())


def scored_in_parts(head: nn.Module, hidden_NH: Tensor, score: Score, *, tokens: int) -> Tensor:
    """``score(head(hidden))``, (N,), at most so many tokens at a time.

    No part's logits outlive it: the backward makes them again, one more projection in exchange for the (N, V) that
    it would read.
    """

    def part(hidden_nH: Tensor, start: int) -> Tensor:
        return score(head(hidden_nH[None])[0], slice(start, start + len(hidden_nH)))

    parts = []
    for start in range(0, len(hidden_NH), tokens):
        hidden_nH = hidden_NH[start : start + tokens]
        if torch.is_grad_enabled():
            parts.append(checkpoint(part, hidden_nH, start, use_reentrant=False))
        else:
            parts.append(part(hidden_nH, start))
    return torch.cat(parts)


def vocabulary_of(head: nn.Module) -> int | None:
    """How many logits a token has; None for a head that does not tell."""
    width = getattr(head, "out_features", None)
    return width if isinstance(width, int) else None

"""One forward of a batch to answer likelihoods. It knows how a causal model is called, and no loss and no optimizer.

Shape suffixes: B = sequences, T = tokens, V = vocabulary, H = width of the hidden states, N = rows of the forget set
(in ``nll_N``) or answer tokens of the batch.
"""

import contextlib
import inspect
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from soul_core.data.batches import IGNORED, Batch, collate
from soul_core.data.prompts import Example
from soul_core.objectives import Likelihoods, answer_logits
from soul_core.objectives.likelihoods import answer_tokens


def autocast(device: torch.device, dtype: torch.dtype | None) -> contextlib.AbstractContextManager[object]:
    """Arithmetic in ``dtype`` where torch deems it safe; weights stay as they are. None changes nothing."""
    return torch.autocast(device.type, dtype) if dtype is not None else contextlib.nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an objective is given besides the model's own logits.

    Attributes:
        nll_N: Summed NLL of each forget answer under the original, (N,); (N, 2) with pairs, the preferred answer's
            in the second column.
        model: The original, on the model's device, for what is computed at every step; None where nothing is.
        logits: Whether the objective compares with the original's distribution.
        layer: Whose output is wanted as hidden states, 0 for the first layer's; None for no hidden states.
        direction_H: See ``AnswerTokens.direction_H``.
    """

    nll_N: Tensor | None = None
    model: nn.Module | None = None
    logits: bool = False
    layer: int | None = None
    direction_H: Tensor | None = None


NO_REFERENCE = Reference()


@dataclass(frozen=True, slots=True)
class Forward:
    """A batch's logits (B, t, V), labels (B, t) and, where asked for, hidden states (B, t, H), aligned as the
    model's own: position t predicts the label at t + 1."""

    logits_BTV: Tensor
    labels_BT: Tensor
    hidden_BTH: Tensor | None = None


def forward(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    layer: int | None = None,
) -> Forward:
    """One forward of a batch that lies on the CPU, from the column before its first answer token on.

    The columns left out are prompt in every row; a model that can skip the vocabulary projection for them does.
    """
    answered = (batch.labels_BT != IGNORED).any(dim=0).nonzero()
    first = max(int(answered[0]) - 1, 0) if len(answered) else 0
    kept = batch.labels_BT.shape[1] - first
    accepted = inspect.signature(model.forward).parameters
    wanted: dict[str, Any] = {"logits_to_keep": kept} if "logits_to_keep" in accepted else {}
    if layer is not None:
        wanted["output_hidden_states"] = True
    with autocast(device, autocast_dtype):
        out = model(
            input_ids=batch.input_ids_BT.to(device),
            attention_mask=batch.attention_mask_BT.to(device),
            use_cache=False,
            **wanted,
        )
    # The first of the hidden states is the embedding.
    hidden_BTH = None if layer is None else out.hidden_states[layer + 1][:, -kept:]
    return Forward(out.logits[:, -kept:], batch.labels_BT[:, -kept:].to(device), hidden_BTH)


def likelihoods_of(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    reference: Reference = NO_REFERENCE,
) -> Likelihoods:
    """What the model says about the batch's answers, each forget row's reference looked up by its index."""
    out = forward(model, batch, device=device, autocast_dtype=autocast_dtype, layer=reference.layer)
    tokens, nll_B, tokens_B = answer_tokens(out.logits_BTV, out.labels_BT)
    # A hidden state belongs to the token that is read there, a logit to the token after it.
    read_BT = torch.cat([torch.zeros_like(out.labels_BT[:, :1], dtype=torch.bool), out.labels_BT[:, 1:] != IGNORED], 1)
    if out.hidden_BTH is not None:
        tokens = replace(tokens, hidden_NH=_wide(out.hidden_BTH[read_BT]), direction_H=reference.direction_H)
    if reference.model is not None:
        with torch.no_grad():
            ref = forward(reference.model, batch, device=device, autocast_dtype=autocast_dtype, layer=reference.layer)
            if reference.logits:
                tokens = replace(tokens, ref_logits_NV=answer_logits(ref.logits_BTV, ref.labels_BT)[0])
            if ref.hidden_BTH is not None:
                tokens = replace(tokens, ref_hidden_NH=_wide(ref.hidden_BTH[read_BT]))
    preferred_B = batch.is_preferred_B
    return Likelihoods(
        nll_B,
        tokens_B,
        batch.is_forget_B.to(device),
        _reference_nll(batch, reference.nll_N, device),
        answers=tokens,
        is_preferred_B=None if preferred_B is None else preferred_B.to(device),
        row_B=None if preferred_B is None else batch.row_B.to(device),
    )


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _reference_nll(batch: Batch, nll_N: Tensor | None, device: torch.device) -> Tensor | None:
    if nll_N is None:
        return None
    forget_B = batch.is_forget_B
    table = nll_N if nll_N.ndim == 2 else nll_N[:, None]
    column_B = torch.zeros_like(batch.row_B) if batch.is_preferred_B is None else batch.is_preferred_B.long()
    ref_nll_B = torch.zeros(len(batch.row_B))
    ref_nll_B[forget_B] = table[batch.row_B[forget_B], column_B[forget_B]]
    return ref_nll_B.to(device)


def reference_nll(
    model: nn.Module,
    examples: Sequence[Example],
    *,
    batch_size: int,
    pad_id: int,
    device: torch.device,
    autocast_dtype: torch.dtype | None = None,
) -> Generator[int, None, Tensor]:
    """Score the forget set once, before training, for objectives that need a reference.

    Yields:
        How many rows are done, so that the caller can show it or stop.

    Returns:
        (N,) fp32 on the CPU: NLL of each answer, summed over its tokens, in the order of ``examples``.
    """
    nll_N = torch.zeros(len(examples))
    by_length = sorted(range(len(examples)), key=lambda row: len(examples[row].input_ids))
    for start in range(0, len(examples), batch_size):
        rows = by_length[start : start + batch_size]
        batch = collate([examples[row] for row in rows], [True] * len(rows), rows, pad_id=pad_id)
        with torch.no_grad():
            likelihoods = likelihoods_of(model, batch, device=device, autocast_dtype=autocast_dtype)
        nll_N[batch.row_B] = likelihoods.nll_B.float().cpu()
        yield start + len(rows)
    return nll_N

"""One forward of a batch to answer likelihoods. It knows how a causal model is called, and no loss and no optimizer.

Shape suffixes: B = sequences, T = tokens, V = vocabulary, H = width of the hidden states, N = rows of the forget set
(in ``Reference.nll_N``) or answer tokens of the batch, row by row.
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
from soul_core.engine import head as heads
from soul_core.objectives import Likelihoods, answer_logits
from soul_core.objectives.likelihoods import answer_tokens, given, token_nll, wide


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
    """What a model says at a batch's answer tokens, and nothing at prompt and padding.

    Attributes:
        logits_NV: What predicts each, in the precision that the model computes in; None where they were scored in
            parts.
        score_N: What the caller's function made of them; None without one.
        hidden_NH: One layer's output where each token is read; None unless asked for.
    """

    logits_NV: Tensor | None
    score_N: Tensor | None = None
    hidden_NH: Tensor | None = None


def forward(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    layer: int | None = None,
    score: heads.Score | None = None,
    plain_head: nn.Module | None = None,
) -> Forward:
    """One forward of a batch that lies on the CPU. Only answer positions are projected to the vocabulary.

    A model without a head of its own that can be told projects from the column before its first answer token on, if
    it can skip the others, or everything.

    Args:
        model: On ``device``.
        batch: On the CPU.
        device: Where the model is.
        autocast_dtype: Arithmetic of the forward; None for that of the weights.
        layer: Whose output is wanted.
        score: What to make of the logits.
        plain_head: The head of a model that ``head.is_plain``, for a caller that is content with ``score_N`` where
            there are more than ``head.MOST_LOGITS`` logits: they are then made, scored and dropped part by part, in
            the backward once more.
    """
    labels_BT = batch.labels_BT
    answer_BT = labels_BT[:, 1:] != IGNORED
    row_N, column_N = answer_BT.nonzero(as_tuple=True)
    # Known on the CPU, so that no device is waited for to learn how many there are.
    index_N = (row_N * labels_BT.shape[1] + column_N).to(device)
    head = heads.output_head(model)
    wanted: dict[str, Any] = {} if layer is None else {"output_hidden_states": True}
    if head is None and "logits_to_keep" in inspect.signature(model.forward).parameters:
        wanted["logits_to_keep"] = labels_BT.shape[1] - (int(column_N.min()) if len(column_N) else 0)
    width = None if score is None or plain_head is None else heads.vocabulary_of(plain_head)
    in_parts = width is not None and len(row_N) * width > heads.MOST_LOGITS
    with autocast(device, autocast_dtype):
        with heads.picking(head, index_N, labels_BT.numel(), project=not in_parts) as picked:
            out = model(
                input_ids=batch.input_ids_BT.to(device),
                attention_mask=batch.attention_mask_BT.to(device),
                use_cache=False,
                **wanted,
            )
        # The first of the hidden states is the embedding. A hidden state belongs to the token that is read there, a
        # logit to the token after it.
        hidden_NH = None if layer is None else out.hidden_states[layer + 1].flatten(0, 1).index_select(0, index_N + 1)
        if in_parts and picked.hidden_NH is not None and plain_head is not None and score is not None and width:
            tokens = max(heads.MOST_LOGITS // width, 1)
            score_N = heads.scored_in_parts(plain_head, picked.hidden_NH, score, tokens=tokens)
            return Forward(None, score_N, hidden_NH)
    if picked.hidden_NH is not None and out.logits.shape[:2] == (1, len(index_N)):
        logits_NV = out.logits[0]
    else:
        logits_NV, _ = answer_logits(out.logits, labels_BT[:, -out.logits.shape[1] :].to(device))
    return Forward(logits_NV, None if score is None else score(logits_NV, slice(None)), hidden_NH)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerValues:
    """What models make of a batch's answer tokens; the rest of its ``Likelihoods`` is in the batch. See
    ``AnswerTokens`` for each; None for what is not wanted."""

    nll_N: Tensor
    logits_NV: Tensor | None = None
    hidden_NH: Tensor | None = None
    ref_logits_NV: Tensor | None = None
    ref_hidden_NH: Tensor | None = None


def answer_values(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    reference: Reference = NO_REFERENCE,
    own_logits: bool = True,
    plain_head: nn.Module | None = None,
) -> AnswerValues:
    """One forward of the model, and one of the original where the objective looks at it.

    Args:
        model: On ``device``.
        batch: On the CPU.
        device: Where the model is.
        autocast_dtype: See ``forward``.
        reference: What is wanted of the original.
        own_logits: Whether the model's own logits are wanted, see ``Needs``.
        plain_head: See ``forward``; of no account with ``own_logits``.
    """
    labels_N = batch.labels_BT[:, 1:][batch.labels_BT[:, 1:] != IGNORED].to(device)
    out = forward(
        model,
        batch,
        device=device,
        autocast_dtype=autocast_dtype,
        layer=reference.layer,
        score=lambda logits_nV, part: token_nll(logits_nV, labels_N[part]),
        plain_head=None if own_logits else plain_head,
    )
    ref_logits_NV = ref_hidden_NH = None
    if reference.model is not None:
        with torch.no_grad():
            ref = forward(reference.model, batch, device=device, autocast_dtype=autocast_dtype, layer=reference.layer)
            if reference.logits and ref.logits_NV is not None:
                ref_logits_NV = wide(ref.logits_NV)
            ref_hidden_NH = None if ref.hidden_NH is None else wide(ref.hidden_NH)
    return AnswerValues(
        nll_N=given(out.score_N, "score_N", to="answer_values"),
        logits_NV=wide(out.logits_NV) if own_logits and out.logits_NV is not None else None,
        hidden_NH=None if out.hidden_NH is None else wide(out.hidden_NH),
        ref_logits_NV=ref_logits_NV,
        ref_hidden_NH=ref_hidden_NH,
    )


def likelihoods_from(batch: Batch, values: AnswerValues, reference: Reference = NO_REFERENCE) -> Likelihoods:
    """The likelihoods of a batch of which this was found out, each forget row's reference looked up by its index."""
    device = values.nll_N.device
    tokens, nll_B, tokens_B = answer_tokens(batch.labels_BT, values.nll_N, values.logits_NV)
    tokens = replace(
        tokens,
        hidden_NH=values.hidden_NH,
        ref_logits_NV=values.ref_logits_NV,
        ref_hidden_NH=values.ref_hidden_NH,
        direction_H=reference.direction_H,
    )
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


def likelihoods_of(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    reference: Reference = NO_REFERENCE,
    own_logits: bool = True,
    plain_head: nn.Module | None = None,
) -> Likelihoods:
    """What the model says about the batch's answers. See ``answer_values`` for the arguments."""
    values = answer_values(
        model,
        batch,
        device=device,
        autocast_dtype=autocast_dtype,
        reference=reference,
        own_logits=own_logits,
        plain_head=plain_head,
    )
    return likelihoods_from(batch, values, reference)


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
    most = max(len(example.input_ids) - example.prompt_length for example in examples) if examples else 0
    in_parts = heads.too_many(model, batch_size * most) and heads.is_plain(model, device)
    plain_head = heads.output_head(model) if in_parts else None
    by_length = sorted(range(len(examples)), key=lambda row: len(examples[row].input_ids))
    for start in range(0, len(examples), batch_size):
        rows = by_length[start : start + batch_size]
        batch = collate([examples[row] for row in rows], [True] * len(rows), rows, pad_id=pad_id)
        with torch.no_grad():
            likelihoods = likelihoods_of(
                model,
                batch,
                device=device,
                autocast_dtype=autocast_dtype,
                own_logits=False,
                plain_head=plain_head,
            )
        nll_N[batch.row_B] = likelihoods.nll_B.float().cpu()
        yield start + len(rows)
    return nll_N

"""Likelihood of given texts under a model, token by token, in batches; it knows no generation and no metric.

Shape suffixes: B = rows of the batch, T = tokens, A = scored tokens of the batch, V = vocabulary, N = examples.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.data.prompts import Example
from soul_core.evaluation.evidence import Floats, TokenScores
from soul_core.evaluation.forward import accepts, device_of, evaluating
from soul_core.evaluation.generation import Count

# Logits of one forward are kept below this many numbers (256 MB in fp32), whatever the vocabulary.
_MOST_LOGITS = 1 << 26
# What is computed of them is computed of so many at once: temporaries of 16 MB are reused, larger ones are not.
_AT_ONCE = 1 << 22
# A CPU is fastest with what its caches hold: with more tokens in a forward each of them takes longer.
_MOST_TOKENS_ON_CPU = 2048


class _Chunk(NamedTuple):
    """One forward: which examples, and flat over all their scored tokens the logits, labels and rows."""

    rows: list[int]
    logits_AV: Tensor
    label_A: Tensor
    row_A: Tensor


def answer_nll(
    model: PreTrainedModel,
    examples: Sequence[Example],
    *,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
) -> Generator[Count, None, tuple[Floats, npt.NDArray[np.int64]]]:
    """Score every example's answer, end of sequence included; yields after each batch.

    Args:
        model: Any causal language model.
        examples: What to score.
        batch_size: Most rows per forward.
        autocast_dtype: Reduced precision of the forward, or None; the softmax is fp32 either way.

    Returns:
        Per example, in order: the NLL summed over answer tokens, in nats, and the number of answer tokens.
    """
    nll_N = np.zeros(len(examples))
    tokens_N = np.array([len(e.input_ids) - e.prompt_length for e in examples], dtype=np.int64)
    done = 0
    starts = [e.prompt_length for e in examples]
    for chunk in _forwards(model, examples, starts, batch_size, autocast_dtype):
        with evaluating(model, None):
            nll_A = F.cross_entropy(chunk.logits_AV, chunk.label_A, reduction="none").double()
            nll_B = torch.zeros(len(chunk.rows), dtype=torch.float64, device=nll_A.device)
            nll_N[chunk.rows] = nll_B.index_add_(0, chunk.row_A, nll_A).cpu().numpy()
        done += len(chunk.rows)
        yield Count(done, len(examples))
    return nll_N, tokens_N


def token_scores(
    model: PreTrainedModel,
    examples: Sequence[Example],
    *,
    ends: Sequence[bool],
    whole: Sequence[bool] | None = None,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
) -> Generator[Count, None, list[TokenScores]]:
    """Score every token of every example but its first; yields after each batch.

    Args:
        model: Any causal language model.
        examples: What to score.
        ends: For each example, whether its last token is an end of sequence put behind the answer.
        whole: For each example, whether anyone asks for more than the NLL and the hits of its answer; all by default.
            The others have NaN and no hit on their prompt, and NaN for mean and deviation.
        batch_size: Most rows per forward.
        autocast_dtype: Reduced precision of the forward, or None; the softmax is fp32 either way.

    Returns:
        The scores in the order of the examples.
    """
    asked = [True] * len(examples) if whole is None else whole
    starts = [1 if all_of else e.prompt_length for e, all_of in zip(examples, asked, strict=True)]
    found: list[TokenScores | None] = [None] * len(examples)
    done = 0
    for part in (True, False):
        rows = [i for i, all_of in enumerate(asked) if all_of is part]
        for chunk in _forwards(model, examples, starts, batch_size, autocast_dtype, rows=rows):
            with evaluating(model, None):
                at_once = max(1, _AT_ONCE // chunk.logits_AV.shape[-1])
                parts = [
                    (_statistics if part else _answer_statistics)(logits, label)
                    for logits, label in zip(chunk.logits_AV.split(at_once), chunk.label_A.split(at_once), strict=True)
                ]
                hits, *flat = (np.concatenate(of) for of in zip(*parts, strict=True))
            start = 0
            for i in chunk.rows:
                size, first = len(examples[i].input_ids) - 1, starts[i] - 1
                own = slice(start, start + size - first)
                hit_T = np.zeros(size, dtype=bool)
                hit_T[first:] = hits[own]
                nll, mean, deviation = (_from(first, values[own]) for values in flat)
                found[i] = TokenScores(nll, hit_T, mean, deviation, examples[i].prompt_length - 1, ends[i])
                start = own.stop
            done += len(chunk.rows)
            yield Count(done, len(examples))
    return [scores for scores in found if scores is not None]


def _from(first: int, values: Floats) -> Floats:
    return np.concatenate([np.full(first, np.nan), values])


def _statistics(logits_AV: Tensor, label_A: Tensor) -> tuple[npt.NDArray[Any], ...]:
    """For each token: whether it is the first choice; its NLL; mean and deviation of log p under the model itself."""
    log_AV = torch.log_softmax(logits_AV, dim=-1)
    own_A = log_AV.gather(-1, label_A[:, None]).squeeze(-1)
    hit_A = log_AV.argmax(dim=-1) == label_A
    p_AV = log_AV.exp()
    # Where the model gives a token no chance at all, p log p is 0, not 0 times minus infinity.
    safe_AV = log_AV.masked_fill_(p_AV == 0, 0.0)
    mean_A = (p_AV * safe_AV).sum(-1)
    deviation_A = ((p_AV * safe_AV.square()).sum(-1) - mean_A.square()).clamp_min(0).sqrt()
    return (hit_A.cpu().numpy(), *(t.double().cpu().numpy() for t in (-own_A, mean_A, deviation_A)))


def _answer_statistics(logits_AV: Tensor, label_A: Tensor) -> tuple[npt.NDArray[Any], ...]:
    """As ``_statistics``, without the two that only attacks on whole texts read: NaN in their place."""
    nll_A = F.cross_entropy(logits_AV, label_A, reduction="none").double().cpu().numpy()
    hit_A = logits_AV.argmax(dim=-1) == label_A
    return hit_A.cpu().numpy(), nll_A, np.full_like(nll_A, np.nan), np.full_like(nll_A, np.nan)


def _forwards(
    model: PreTrainedModel,
    examples: Sequence[Example],
    starts: Sequence[int],
    batch_size: int,
    autocast_dtype: torch.dtype | None,
    rows: Sequence[int] | None = None,
) -> Iterator[_Chunk]:
    """Forwards over examples of similar length, with the logits that predict the tokens from ``starts`` on."""
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size}")
    chosen = range(len(examples)) if rows is None else rows
    order = sorted(chosen, key=lambda i: (len(examples[i].input_ids), starts[i]))
    start = 0
    while start < len(order):
        most = _most_rows(model, [len(examples[i].input_ids) for i in order[start : start + batch_size]])
        part = order[start : start + most]
        yield _forward(model, part, [examples[i] for i in part], [starts[i] for i in part], autocast_dtype)
        start += len(part)


def _most_rows(model: PreTrainedModel, widths: Sequence[int]) -> int:
    """How many of so many rows fit into one forward, by its logits and on a CPU by its tokens."""
    vocabulary: int = model.config.get_text_config().vocab_size
    most = _MOST_LOGITS // (max(widths) * vocabulary)
    if device_of(model).type == "cpu":
        most = min(most, _MOST_TOKENS_ON_CPU // max(widths))
    return min(len(widths), max(1, most))


def _forward(
    model: PreTrainedModel,
    rows: list[int],
    examples: Sequence[Example],
    starts: Sequence[int],
    autocast_dtype: torch.dtype | None,
) -> _Chunk:
    """Padded on the right and causal, so no token of an example can see padding and no mask is needed."""
    device = device_of(model)
    width = max(len(e.input_ids) for e in examples)
    first = min(starts) - 1
    ids_BT = torch.tensor([[*e.input_ids, *[0] * (width - len(e.input_ids))] for e in examples])
    places = [
        (b, t)
        for b, (e, begin) in enumerate(zip(examples, starts, strict=True))
        for t in range(begin, len(e.input_ids))
    ]
    row_A, place_A = torch.tensor(places).unbind(1)
    label_A = ids_BT[row_A, place_A].to(device)
    row_A, place_A = row_A.to(device), place_A.to(device)
    with evaluating(model, autocast_dtype):
        arguments = {"input_ids": ids_BT.to(device), "use_cache": False}
        if accepts(model, "logits_to_keep"):
            arguments["logits_to_keep"] = width - first
            place_A = place_A - first
        logits_BTV = model(**arguments).logits
        return _Chunk(rows, logits_BTV[row_A, place_A - 1].float(), label_A, row_A)

"""Negative log-likelihood of given answers under a model, in batches; it knows no generation and no metric.

Shape suffixes: B = rows of the batch, T = tokens, A = answer tokens of the batch, V = vocabulary, N = examples.
"""

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

from soul_core.data.prompts import Example
from soul_core.evaluation.forward import accepts, device_of, evaluating
from soul_core.evaluation.generation import Count

# Logits of one forward are kept below this many numbers (256 MB in fp32), whatever the vocabulary.
_MOST_LOGITS = 1 << 26


def answer_nll(
    model: PreTrainedModel,
    examples: Sequence[Example],
    *,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
) -> Generator[Count, None, tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
    """Score every example's answer, end of sequence included; yields after each batch.

    Args:
        model: Any causal language model.
        examples: What to score.
        batch_size: Most rows per forward.
        autocast_dtype: Reduced precision of the forward, or None; the softmax is fp32 either way.

    Returns:
        Per example, in order: the NLL summed over answer tokens, in nats, and the number of answer tokens.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size}")
    nll_N = np.zeros(len(examples))
    tokens_N = np.array([len(e.input_ids) - e.prompt_length for e in examples], dtype=np.int64)
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i].input_ids), examples[i].prompt_length))
    start = 0
    while start < len(order):
        rows = order[start : start + batch_size]
        width = max(len(examples[i].input_ids) for i in rows)
        rows = rows[: max(1, _MOST_LOGITS // (width * model.config.get_text_config().vocab_size))]
        nll_N[rows] = _batch_nll(model, [examples[i] for i in rows], autocast_dtype)
        start += len(rows)
        yield Count(start, len(order))
    return nll_N, tokens_N


def _batch_nll(
    model: PreTrainedModel, examples: Sequence[Example], autocast_dtype: torch.dtype | None
) -> npt.NDArray[np.float64]:
    """Padded on the right and causal, so no token of an example can see padding and no mask is needed."""
    device = device_of(model)
    width = max(len(e.input_ids) for e in examples)
    first = min(e.prompt_length for e in examples) - 1
    ids_BT = torch.tensor([[*e.input_ids, *[0] * (width - len(e.input_ids))] for e in examples])
    places = [(b, t) for b, e in enumerate(examples) for t in range(e.prompt_length, len(e.input_ids))]
    row_A, place_A = torch.tensor(places).unbind(1)
    label_A = ids_BT[row_A, place_A].to(device)
    row_A, place_A = row_A.to(device), place_A.to(device)
    with evaluating(model, autocast_dtype):
        arguments = {"input_ids": ids_BT.to(device), "use_cache": False}
        if accepts(model, "logits_to_keep"):
            arguments["logits_to_keep"] = width - first
            place_A = place_A - first
        logits_BTV = model(**arguments).logits
        nll_A = F.cross_entropy(logits_BTV[row_A, place_A - 1].float(), label_A, reduction="none").double()
        nll_B = torch.zeros(len(examples), dtype=torch.float64, device=device).index_add_(0, row_A, nll_A)
    return np.asarray(nll_B.cpu().numpy())

"""One forward of a batch to answer likelihoods. It knows how a causal model is called, and no loss and no optimizer.

Shape suffixes: B = sequences, T = tokens, V = vocabulary, N = rows of the forget set.
"""

import contextlib
import inspect
from collections.abc import Generator, Sequence

import torch
from torch import Tensor, nn

from soul_core.data.batches import IGNORED, Batch, collate
from soul_core.data.prompts import Example
from soul_core.objectives import Likelihoods, answer_likelihoods


def autocast(device: torch.device, dtype: torch.dtype | None) -> contextlib.AbstractContextManager[object]:
    """Arithmetic in ``dtype`` where torch deems it safe; weights stay as they are. None changes nothing."""
    return torch.autocast(device.type, dtype) if dtype is not None else contextlib.nullcontext()


def forward(
    model: nn.Module, batch: Batch, *, device: torch.device, autocast_dtype: torch.dtype | None
) -> tuple[Tensor, Tensor]:
    """Logits and labels of a batch that lies on the CPU, from the column before its first answer token on.

    The columns left out are prompt in every row; a model that can skip the vocabulary projection for them does.

    Returns:
        (B, t, V) logits and (B, t) labels, aligned as the model's own: position t predicts the label at t + 1.
    """
    answered = (batch.labels_BT != IGNORED).any(dim=0).nonzero()
    first = max(int(answered[0]) - 1, 0) if len(answered) else 0
    kept = batch.labels_BT.shape[1] - first
    skips = {"logits_to_keep": kept} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    with autocast(device, autocast_dtype):
        logits_BTV = model(
            input_ids=batch.input_ids_BT.to(device),
            attention_mask=batch.attention_mask_BT.to(device),
            use_cache=False,
            **skips,
        ).logits[:, -kept:]
    return logits_BTV, batch.labels_BT[:, -kept:].to(device)


def likelihoods_of(
    model: nn.Module,
    batch: Batch,
    *,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    reference_nll_N: Tensor | None = None,
) -> Likelihoods:
    """Answer likelihoods of a batch, each forget row's reference looked up by its index in the forget set."""
    nll_B, tokens_B = answer_likelihoods(*forward(model, batch, device=device, autocast_dtype=autocast_dtype))
    ref_nll_B = None
    if reference_nll_N is not None:
        ref_nll_B = torch.zeros(len(batch.row_B))
        ref_nll_B[batch.is_forget_B] = reference_nll_N[batch.row_B[batch.is_forget_B]]
        ref_nll_B = ref_nll_B.to(device)
    return Likelihoods(nll_B, tokens_B, batch.is_forget_B.to(device), ref_nll_B)


def chosen_rows(batch: Batch, chosen_B: Tensor) -> Batch:
    """The batch without the rows that are not chosen."""
    return Batch(
        input_ids_BT=batch.input_ids_BT[chosen_B],
        attention_mask_BT=batch.attention_mask_BT[chosen_B],
        labels_BT=batch.labels_BT[chosen_B],
        is_forget_B=batch.is_forget_B[chosen_B],
        row_B=batch.row_B[chosen_B],
    )


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

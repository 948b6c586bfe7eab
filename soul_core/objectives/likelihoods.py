"""Answer likelihoods of a batch and the losses made of them. It knows no model, no tokenizer and no optimizer.

Shape suffixes: B = sequences in the batch, T = tokens, V = vocabulary, N = answer tokens of the whole batch.
All NLL are in nats.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from soul_core.data.batches import IGNORED


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """What every objective is a function of.

    Attributes:
        nll_B: NLL of each answer, summed over its tokens. Carries the gradient.
        tokens_B: How many tokens each answer has, end of sequence included.
        is_forget_B: True for forget rows, False for retain rows.
        ref_nll_B: ``nll_B`` under the model as it was before unlearning; read on forget rows only.
    """

    nll_B: Tensor
    tokens_B: Tensor
    is_forget_B: Tensor
    ref_nll_B: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Losses:
    """The objective's forget term, the token-mean NLL of the retain rows (unweighted; 0 without such rows), and
    what is differentiated. A retain loss that is not part of ``total`` carries no gradient."""

    forget: Tensor
    retain: Tensor
    total: Tensor


def answer_logits(logits_BTV: Tensor, labels_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logits that predict an answer token, those tokens, and where in (B, T-1) they stand.

    Position t predicts the token at t + 1. Only these rows of the logits are raised to fp32: the prompt's and the
    padding's, usually more than half, never are.

    Returns:
        (N, V) logits in fp32 or wider, (N,) labels, (B, T-1) mask.
    """
    next_BT = labels_BT[:, 1:]
    mask_BT = next_BT != IGNORED
    logits_NV = logits_BTV[:, :-1][mask_BT]
    return logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32)), next_BT[mask_BT], mask_BT


def answer_likelihoods(logits_BTV: Tensor, labels_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Summed NLL of each answer and its number of tokens, both (B,); labels of -100 do not count."""
    logits_NV, labels_N, mask_BT = answer_logits(logits_BTV, labels_BT)
    nll_N = F.cross_entropy(logits_NV, labels_N, reduction="none")
    # Placed back on the grid and summed along it: scatter-adding to (B,) would be in no fixed order on a GPU.
    nll_BT = nll_N.new_zeros(mask_BT.shape).masked_scatter(mask_BT, nll_N)
    return nll_BT.sum(dim=1), mask_BT.sum(dim=1)


def token_mean(nll_B: Tensor, tokens_B: Tensor, chosen_B: Tensor) -> Tensor:
    """NLL per answer token over the chosen sequences, every token weighing the same; 0 where none is chosen."""
    return torch.where(chosen_B, nll_B, 0.0).sum() / torch.where(chosen_B, tokens_B, 0).sum().clamp_min(1)


def forget_nll(likelihoods: Likelihoods) -> Tensor:
    """Token-mean NLL of the forget rows."""
    return token_mean(likelihoods.nll_B, likelihoods.tokens_B, likelihoods.is_forget_B)


def retain_nll(likelihoods: Likelihoods) -> Tensor:
    """Token-mean NLL of the retain rows."""
    return token_mean(likelihoods.nll_B, likelihoods.tokens_B, ~likelihoods.is_forget_B)

"""What a model says about a batch's answers, and means over it. It knows no model, no tokenizer and no optimizer.

Shape suffixes: B = sequences in the batch, T = tokens, V = vocabulary, N = answer tokens of the whole batch,
H = width of the hidden states. All NLL are in nats.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from soul_core.data.batches import IGNORED


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTokens:
    """The answer tokens of a batch, one after the other; prompt and padding are not among them.

    Attributes:
        nll_N: NLL of each token. Carries the gradient, as do ``logits_NV`` and ``hidden_NH``.
        labels_N: The tokens.
        row_N: Which sequence of the batch each belongs to, 0 to B - 1.
        position_N: Which token of its answer each is, from 0.
        logits_NV: What predicts each token, in fp32 or wider; None for an objective that is registered as not
            reading them (``Needs.own_logits``).
        hidden_NH: Hidden state of each token at one layer; None unless it was asked for.
        ref_logits_NV: ``logits_NV`` under the model before unlearning; None unless asked for. No gradient.
        ref_hidden_NH: ``hidden_NH`` under the model before unlearning. No gradient.
        direction_H: A fixed random unit vector that the forget rows' hidden states can be pushed towards.
    """

    nll_N: Tensor
    labels_N: Tensor
    row_N: Tensor
    position_N: Tensor
    logits_NV: Tensor | None = None
    hidden_NH: Tensor | None = None
    ref_logits_NV: Tensor | None = None
    ref_hidden_NH: Tensor | None = None
    direction_H: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """What every objective is a function of.

    Attributes:
        nll_B: NLL of each answer, summed over its tokens. Carries the gradient.
        tokens_B: How many tokens each answer has, end of sequence included.
        is_forget_B: True for forget rows, False for retain rows.
        ref_nll_B: ``nll_B`` under the model as it was before unlearning; read on forget rows only.
        answers: The tokens themselves, for objectives that look at more than sums.
        is_preferred_B: True for a forget row that carries the preferred answer of a pair; None without pairs.
        row_B: Index of the row in its own set; the two of a pair share it. None without pairs.
    """

    nll_B: Tensor
    tokens_B: Tensor
    is_forget_B: Tensor
    ref_nll_B: Tensor | None = None
    answers: AnswerTokens | None = None
    is_preferred_B: Tensor | None = None
    row_B: Tensor | None = None

    @property
    def tokens(self) -> AnswerTokens:
        """The answer tokens; a ``ValueError`` if the caller left them out."""
        if self.answers is None:
            raise ValueError("this objective looks at single tokens, but the likelihoods come without them")
        return self.answers


@dataclass(frozen=True, slots=True)
class Losses:
    """The objective's forget term, the token-mean NLL of the retain rows (unweighted; 0 without such rows), and
    what is differentiated. A retain loss that is not part of ``total`` carries no gradient."""

    forget: Tensor
    retain: Tensor
    total: Tensor


def answer_logits(logits_BTV: Tensor, labels_BT: Tensor) -> tuple[Tensor, Tensor]:
    """The logits that predict an answer token, (N, V), and those tokens, (N,), row by row.

    Position t predicts the token at t + 1. Prompt and padding, usually more than half, are left out.
    """
    next_BT = labels_BT[:, 1:]
    mask_BT = next_BT != IGNORED
    return logits_BTV[:, :-1][mask_BT], next_BT[mask_BT]


def token_nll(logits_NV: Tensor, labels_N: Tensor) -> Tensor:
    """(N,) NLL of each token, in fp32 or wider."""
    return F.cross_entropy(wide(logits_NV), labels_N, reduction="none")


def answer_tokens(
    labels_BT: Tensor, nll_N: Tensor, logits_NV: Tensor | None = None
) -> tuple[AnswerTokens, Tensor, Tensor]:
    """The answer tokens of a batch, the summed NLL of each answer and its number of tokens, both (B,).

    Args:
        labels_BT: On any device; where it is on the CPU, no device is waited for. -100 does not count.
        nll_N: NLL of each answer token, row by row. Where it is, the results are.
        logits_NV: What predicts them.
    """
    device = nll_N.device
    next_BT = labels_BT[:, 1:]
    mask_BT = next_BT != IGNORED
    row_N, column_N = mask_BT.nonzero(as_tuple=True)
    # Placed back on the grid and summed along it: scatter-adding to (B,) would be in no fixed order on a GPU.
    nll_BT = nll_N.new_zeros(mask_BT.shape).masked_scatter(mask_BT.to(device), nll_N)
    tokens = AnswerTokens(
        nll_N=nll_N,
        labels_N=next_BT[row_N, column_N].to(device),
        row_N=row_N.to(device),
        position_N=(mask_BT.cumsum(dim=1) - 1)[row_N, column_N].to(device),
        logits_NV=None if logits_NV is None else wide(logits_NV),
    )
    return tokens, nll_BT.sum(dim=1), mask_BT.sum(dim=1).to(device)


def answer_likelihoods(logits_BTV: Tensor, labels_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Summed NLL of each answer and its number of tokens, both (B,); labels of -100 do not count."""
    _, nll_B, tokens_B = answer_tokens(labels_BT, token_nll(*answer_logits(logits_BTV, labels_BT)))
    return nll_B, tokens_B


def wide(tensor: Tensor) -> Tensor:
    """In fp32, or as it is where that is wider."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def token_mean(nll_B: Tensor, tokens_B: Tensor, chosen_B: Tensor) -> Tensor:
    """NLL per answer token over the chosen sequences, every token weighing the same; 0 where none is chosen."""
    return torch.where(chosen_B, nll_B, 0.0).sum() / torch.where(chosen_B, tokens_B, 0).sum().clamp_min(1)


def mean_of(values: Tensor) -> Tensor:
    """Mean of all values; 0, with a gradient of 0, where there are none."""
    return values.sum() / max(values.numel(), 1)


def given(value: Tensor | None, name: str, *, to: str) -> Tensor:
    """The value; a ``ValueError`` that names it if the caller left it out."""
    if value is None:
        raise ValueError(f"{to} needs {name}, but the likelihoods come without it")
    return value


def forget_tokens(likelihoods: Likelihoods) -> Tensor:
    """(N,) which answer tokens are a forget row's."""
    return likelihoods.is_forget_B[likelihoods.tokens.row_N]


def forget_nll(likelihoods: Likelihoods) -> Tensor:
    """Token-mean NLL of the forget rows."""
    return token_mean(likelihoods.nll_B, likelihoods.tokens_B, likelihoods.is_forget_B)


def retain_nll(likelihoods: Likelihoods) -> Tensor:
    """Token-mean NLL of the retain rows."""
    return token_mean(likelihoods.nll_B, likelihoods.tokens_B, ~likelihoods.is_forget_B)

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
        logits_NV: What predicts each token, in fp32 or wider. Carries the gradient, as do the next two.
        nll_N: NLL of each token.
        hidden_NH: Hidden state of each token at one layer; None unless it was asked for.
        labels_N: The tokens.
        row_N: Which sequence of the batch each belongs to, 0 to B - 1.
        position_N: Which token of its answer each is, from 0.
        ref_logits_NV: ``logits_NV`` under the model before unlearning; None unless asked for. No gradient.
        ref_hidden_NH: ``hidden_NH`` under the model before unlearning. No gradient.
        direction_H: A fixed random unit vector that the forget rows' hidden states can be pushed towards.
    """

    logits_NV: Tensor
    nll_N: Tensor
    labels_N: Tensor
    row_N: Tensor
    position_N: Tensor
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


def answer_tokens(logits_BTV: Tensor, labels_BT: Tensor) -> tuple[AnswerTokens, Tensor, Tensor]:
    """The answer tokens of a batch, the summed NLL of each answer and its number of tokens, both (B,)."""
    logits_NV, labels_N, mask_BT = answer_logits(logits_BTV, labels_BT)
    nll_N = F.cross_entropy(logits_NV, labels_N, reduction="none")
    # Placed back on the grid and summed along it: scatter-adding to (B,) would be in no fixed order on a GPU.
    nll_BT = nll_N.new_zeros(mask_BT.shape).masked_scatter(mask_BT, nll_N)
    rows_BT = torch.arange(len(mask_BT), device=mask_BT.device)[:, None].expand_as(mask_BT)
    tokens = AnswerTokens(
        logits_NV=logits_NV,
        nll_N=nll_N,
        labels_N=labels_N,
        row_N=rows_BT[mask_BT],
        position_N=(mask_BT.cumsum(dim=1) - 1)[mask_BT],
    )
    return tokens, nll_BT.sum(dim=1), mask_BT.sum(dim=1)


def answer_likelihoods(logits_BTV: Tensor, labels_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Summed NLL of each answer and its number of tokens, both (B,); labels of -100 do not count."""
    _, nll_B, tokens_B = answer_tokens(logits_BTV, labels_BT)
    return nll_B, tokens_B


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

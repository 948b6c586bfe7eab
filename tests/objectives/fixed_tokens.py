"""Six answer tokens whose probabilities are powers of two, padded into a batch full of noise, and every objective's
value on them.

Rows A and B are forget, C and D retain; A has two tokens, B one, C two, D one. As a pair, B is what is preferred to
A. In bits, the NLL are A 2 + 3, B 1, C 1 + 2, D 2, and under the reference A 1 + 2, B 1.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from soul_core.objectives.likelihoods import Likelihoods, answer_logits, answer_tokens, token_nll

LN2 = math.log(2)
LABELS = [0, 2, 1, 3, 2, 2]
# In eighths.
P = torch.tensor([[2, 2, 2, 2], [4, 2, 1, 1], [2, 4, 1, 1], [1, 1, 2, 4], [2, 2, 2, 2], [1, 4, 2, 1]]).double() / 8
REF_P = torch.tensor([[4, 2, 1, 1], [1, 1, 2, 4], [2, 4, 1, 1], [2, 2, 2, 2], [4, 2, 1, 1], [1, 1, 4, 2]]).double() / 8
ONE_HOT = torch.nn.functional.one_hot(torch.tensor(LABELS), 4).double()
HIDDEN = torch.tensor([[1, 0], [3, 2], [0, 0], [1, 1], [2, 2], [0, 3]], dtype=torch.float64)
REF_HIDDEN = torch.tensor([[9, 9], [9, 9], [9, 9], [0, 1], [2, 0], [0, 0]], dtype=torch.float64)
DIRECTION = torch.tensor([0.6, 0.8], dtype=torch.float64)
FORGET = torch.tensor([1, 1, 1, 0, 0, 0], dtype=torch.float64)[:, None]

OPTIONS = {
    "wga": {"beta": 1.0},
    "satimp": {"saturation": 2.0, "importance": 1.0},
    "npo": {"beta": 1.0},
    "simnpo": {"beta": 2.0, "delta": LN2},
    "dpo": {"beta": 1.0},
    "undial": {"beta": LN2},
    "rmu": {"steering": 5.0},
}
"""The settings at which ``BY_HAND`` holds; the others are at their defaults."""

GA = -2 * LN2  # (2 + 3 + 1) / 3 bits, up
BY_HAND = {
    "ga": GA,
    "graddiff": GA,
    "ga-kl": GA,
    # KL(ref || p) in bits: A0 2 - H(ref) = 2 - 7/4; A1 -1/4 - 1/8 + 1/4 + 1 = 7/8; B0 0. Mean 3/8, away from it.
    "kl": -3 / 8 * LN2,
    # 1/4 * 2 + 1/8 * 3 + 1/2 * 1 = 11/8 bits.
    "wga": -11 / 24 * LN2,
    # 1/16 * 3/4 * 2 + 1/64 * 7/8 * 3 + 1/4 * 1/2 * 1 = 133/512 bits.
    "satimp": -133 / 1536 * LN2,
    # 1 + 1/4 - 1/4, 1 + 1/8 - 1/2, 1 + 1/2 - 1/4: mean of 1, 5/8, 5/4.
    "ihl": 23 / 24,
    # A is 2 bits above the reference: -2 log sigmoid(ln 4) = 2 ln(5/4). B is at it: 2 ln 2. Mean ln(5/4 * 2).
    "npo": math.log(5 / 2),
    # 2 (5/2 - 1) = 3 bits: -log sigmoid(ln 8) = ln(9/8); 2 (1 - 1) = 0: ln 2. Mean of the two, times 2/2.
    "simnpo": math.log(9 / 4) / 2,
    # B preferred: 0 bits gained; A: 2 bits lost. -2 log sigmoid(ln 4), one pair.
    "dpo": 2 * math.log(5 / 4),
    "po": 2 * LN2,
    "random-labels": 2 * LN2,
    # The label's share halved: (2,2,1,1)/6, (1,1,1,4)/7, (2,2,1,1)/6. In bits against p: 2, 18/7, 2.
    "undial": 46 / 21 * LN2,
    # A1 alone is no first token: (4,2,0,1)/7 against 1, 2, 3, 3 bits.
    "ceu": 11 / 7 * LN2,
    # Max minus mean of the logits: 0 where flat, else -1 + 9/4 = 5/4 bits.
    "pdu": 2 / 3 * (5 / 4 * LN2) ** 2,
    "finetune": 2 * LN2,
    # Half the squared distance to (3, 4): A (10 + 2) / 2 = 6, B 12.5.
    "rmu": 9.25,
}
RETAIN_BY_HAND = {
    "nll": 5 / 3 * LN2,
    # In bits: C0 1/4 + 1/4 - 1/4, C1 2 - 7/4, D0 -2/8 + 1/2 + 1/4.
    "kl": 1 / 3 * LN2,
    # Half the squared distance: C (1/2 + 2) / 2, D 9/2.
    "hidden": 2.875,
    "none": 0.0,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """The batch and the leaves it was made from; ``place`` says where in (B, T) each token is read and predicted."""

    likelihoods: Likelihoods
    logits: Tensor
    labels: Tensor
    hidden: Tensor
    references: dict[str, Tensor]
    place: list[tuple[int, int]]

    def gradient(self, loss: Tensor, of: str = "logits") -> Tensor:
        """d loss by token, in the order of this module; anywhere else it has to be exactly 0."""
        leaf, ahead = (self.logits, 1) if of == "logits" else (self.hidden, 0)
        (found,) = torch.autograd.grad(loss, leaf, allow_unused=True, retain_graph=True)
        found = torch.zeros_like(leaf) if found is None else found
        rows, columns = torch.tensor(self.place).T
        at = found[rows, columns - ahead]
        elsewhere = found.clone()
        elsewhere[rows, columns - ahead] = 0.0
        assert not elsewhere.any(), "a position that predicts no answer token was pushed"
        return at


def case(
    order=(0, 1, 2, 3), *, before=0, after=0, at_reference=False, labels_kept=6, dtype=torch.float64, **tokens
) -> Case:
    """The batch, its rows in some order, with columns of prompt and padding added.

    ``labels_kept`` of the six tokens keep their labels. Where no answer is, logits and hidden states are noise of
    size 30, so that a mean over those places shows.
    """
    noise = torch.Generator().manual_seed(before + 10 * after)
    lengths, starts = [2, 1, 2, 1], [2, 1, 3, 1]
    width = before + 6 + after
    place = [(order.index(row), before + starts[row] + index) for row in range(4) for index in range(lengths[row])]
    labels = torch.full((4, width), -100)
    rows, columns = torch.tensor(place).T
    labels[rows[:labels_kept], columns[:labels_kept]] = torch.tensor(LABELS[:labels_kept])

    def spread(values: Tensor, ahead: int) -> Tensor:
        grid = 30 * torch.randn(4, width, values.shape[1], dtype=torch.float64, generator=noise)
        grid[rows, columns - ahead] = values
        return grid.to(dtype).requires_grad_()

    shift = torch.arange(6, dtype=torch.float64)[:, None]  # a softmax does not see it, raw logits do
    logits = spread((REF_P if at_reference else P).log() + shift, 1)
    ref_logits = spread(REF_P.log() - shift, 1)
    hidden, ref_hidden = spread(HIDDEN, 0), spread(REF_HIDDEN, 0)
    at_answers, targets = answer_logits(logits, labels)
    found, nll, count = answer_tokens(labels, token_nll(at_answers, targets), at_answers)
    _, ref_sum, _ = answer_tokens(labels, token_nll(*answer_logits(ref_logits, labels)))
    is_forget = torch.tensor([row < 2 for row in order])
    ref_nll = torch.where(is_forget, ref_sum, 0.0).detach().requires_grad_()
    at = labels != -100
    found = replace(
        found,
        hidden_NH=hidden[at],
        ref_logits_NV=answer_logits(ref_logits, labels)[0],
        ref_hidden_NH=ref_hidden[at],
        direction_H=DIRECTION.to(dtype),
    )
    return Case(
        likelihoods=Likelihoods(
            nll,
            count,
            is_forget,
            ref_nll,
            answers=replace(found, **tokens),
            is_preferred_B=torch.tensor([row == 1 for row in order]),
            row_B=torch.tensor([[0, 0, 0, 1][row] for row in order]),
        ),
        logits=logits,
        labels=labels,
        hidden=hidden,
        references={"logits": ref_logits, "hidden": ref_hidden, "nll": ref_nll},
        place=place,
    )

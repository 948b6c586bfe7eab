"""A batch whose losses can be worked out in the head: two forget rows, two retain rows."""

import torch

from soul_core.objectives.likelihoods import Likelihoods

NLL = [2.0, 10.0, 3.0, 6.0]
TOKENS = [1, 3, 2, 4]
IS_FORGET = [True, True, False, False]
FORGET_MEAN = 3.0  # (2 + 10) / (1 + 3)
RETAIN_MEAN = 1.5  # (3 + 6) / (2 + 4)


def batch(order=(0, 1, 2, 3), ref=None):
    """The batch, its rows in some order, and the leaf its NLL were made from."""
    nll = torch.tensor([NLL[i] for i in order], dtype=torch.float64, requires_grad=True)
    reference = None if ref is None else torch.tensor([ref[i] for i in order], dtype=torch.float64)
    tokens, is_forget = torch.tensor([TOKENS[i] for i in order]), torch.tensor([IS_FORGET[i] for i in order])
    return Likelihoods(nll, tokens, is_forget, reference), nll


def gradient(loss, leaf):
    """d loss / d leaf as a list."""
    return torch.autograd.grad(loss, leaf)[0].tolist()

"""Forgetting by climbing the forget loss. It knows likelihoods only: no model, no optimizer."""

from torch import Tensor

from soul_core.objectives.likelihoods import Likelihoods, forget_nll


def gradient_ascent(likelihoods: Likelihoods) -> Tensor:
    """Gradient ascent: minus the token-mean NLL of the forget rows (Jang et al. 2022, arXiv:2210.01504).

    It has no lower bound, so without a retain term it breaks a model that is trained long enough.
    """
    return -forget_nll(likelihoods)

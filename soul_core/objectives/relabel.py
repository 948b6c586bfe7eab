"""Forgetting by learning something else. It knows likelihoods only: which answer stands in a row, the caller decides."""

from torch import Tensor

from soul_core.objectives.likelihoods import Likelihoods, forget_nll


def other_answer(likelihoods: Likelihoods) -> Tensor:
    """Token-mean NLL of whatever stands in place of the forget answers.

    With refusals this is what SOUL calls preference optimization (TOFU's “IDK”, Maini et al. 2024, arXiv:2401.06121;
    no pair is compared, the name notwithstanding); with other questions' answers it is random labels (Yao et al.
    2023, arXiv:2310.10683).
    """
    return forget_nll(likelihoods)


def only_watched(likelihoods: Likelihoods) -> Tensor:
    """The forget NLL without a gradient: training goes on with the retain term alone, and forgetting is left to
    what is no longer rehearsed (fine-tuning, the simplest baseline)."""
    return forget_nll(likelihoods).detach()

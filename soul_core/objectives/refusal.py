"""Forgetting by learning to refuse. It knows likelihoods only: which refusal stands in a row, the caller decides."""

from soul_core.objectives.likelihoods import Likelihoods, Losses, forget_nll, retain_nll


def refusal_training(likelihoods: Likelihoods, *, gamma: float) -> Losses:
    """Preference optimization as SOUL uses the name: learn the refusals that stand in place of the forget answers.

    Token-mean NLL of the refusal rows plus ``gamma`` times the retain loss (TOFU's “IDK”, Maini et al. 2024,
    arXiv:2401.06121). No preferred and rejected pair is compared, the name notwithstanding.
    """
    refuse, retain = forget_nll(likelihoods), retain_nll(likelihoods)
    return Losses(forget=refuse, retain=retain, total=refuse + gamma * retain)

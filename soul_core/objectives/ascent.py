"""Forgetting by climbing the forget loss. It knows likelihoods only: no model, no optimizer."""

from soul_core.objectives.likelihoods import Likelihoods, Losses, forget_nll, retain_nll


def gradient_ascent(likelihoods: Likelihoods) -> Losses:
    """Gradient ascent: minus the token-mean NLL of the forget rows (Jang et al. 2022, arXiv:2210.01504).

    It has no lower bound, so it breaks a model that is trained long enough. The retain loss is watched, not used.
    """
    ascent = -forget_nll(likelihoods)
    return Losses(forget=ascent, retain=retain_nll(likelihoods).detach(), total=ascent)


def gradient_difference(likelihoods: Likelihoods, *, gamma: float) -> Losses:
    """Gradient difference: ascent on forget rows plus ``gamma`` times descent on retain rows.

    Liu et al. 2022, arXiv:2203.12817; ``gamma = 0`` is gradient ascent. The two means are each over their own
    tokens, so a long retain answer does not weaken the forget term.
    """
    ascent, retain = -forget_nll(likelihoods), retain_nll(likelihoods)
    return Losses(forget=ascent, retain=retain, total=ascent + gamma * retain)

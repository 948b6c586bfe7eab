"""Distance from the original's distributions, to keep or to leave. It knows likelihoods only, no model.

Shape suffixes: N = answer tokens, V = vocabulary.
"""

import torch.nn.functional as F
from torch import Tensor

from soul_core.objectives.entry import Objective
from soul_core.objectives.likelihoods import Likelihoods, forget_tokens, given, mean_of


def kl_from_reference(logits_NV: Tensor, ref_logits_NV: Tensor) -> Tensor:
    """``KL(ref || current)`` of each token's distribution, in nats: 0, with a gradient of 0, where they agree.

    Args:
        logits_NV: Carries the gradient; it is ``softmax(logits) - softmax(ref_logits)``.
        ref_logits_NV: Receives no gradient.
    """
    log_p_NV = F.log_softmax(logits_NV, dim=-1)
    log_ref_NV = F.log_softmax(ref_logits_NV.detach(), dim=-1)
    return F.kl_div(log_p_NV, log_ref_NV, reduction="none", log_target=True).sum(dim=-1)


def retain_kl(likelihoods: Likelihoods) -> Tensor:
    """Token-mean ``KL(ref || current)`` over the retain rows: TOFU's KL minimization (arXiv:2401.06121), there with
    prompt and padding in the mean."""
    return _token_mean_kl(likelihoods, ~forget_tokens(likelihoods))


def leave_distribution(likelihoods: Likelihoods) -> Tensor:
    """Minus the token-mean ``KL(ref || current)`` over the forget rows.

    At the start, where both models are one, it is 0 with a gradient of 0: what moves the model first is the noise of
    its steps, or the retain term. The SOUL release (arXiv:2404.18239) has the cross-entropy ``H(current, ref)`` in
    its place, which pushes from the first step on.
    """
    return -_token_mean_kl(likelihoods, forget_tokens(likelihoods))


def _token_mean_kl(likelihoods: Likelihoods, chosen_N: Tensor) -> Tensor:
    tokens = likelihoods.tokens
    ref_logits_NV = given(tokens.ref_logits_NV, "ref_logits_NV", to="KL")
    logits_NV = given(tokens.logits_NV, "logits_NV", to="KL")
    return mean_of(kl_from_reference(logits_NV[chosen_N], ref_logits_NV[chosen_N]))


KL = Objective(
    name="kl",
    label="KL",
    idea="ascent",
    sentence="Move away from the original's predictions on the forget answers, and stay at them on the rest.",
    formula=r"-\frac{1}{|y_f|}\sum_t \mathrm{KL}\!\left(\pi_\text{ref}(\cdot \mid y_{f,\lt t})\,\middle\|\,"
    r"\pi_\theta(\cdot \mid y_{f,\lt t})\right)",
    paper="Jia et al. 2024, arXiv:2404.18239",
    forget=leave_distribution,
    retains=("kl", "nll", "none"),
    reference="logits",
)

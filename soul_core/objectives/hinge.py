"""Forgetting by losing a word's lead over the runner-up. It knows likelihoods only.

Shape suffixes: N = forget tokens, V = vocabulary.
"""

from torch import Tensor

from soul_core.objectives.entry import Objective
from soul_core.objectives.likelihoods import Likelihoods, forget_tokens, given, mean_of


def inverted_hinge(likelihoods: Likelihoods) -> Tensor:
    """Inverted hinge: ``mean_t(1 + p(y_t) - max_{v != y_t} p(v))`` over forget tokens (LoKU, arXiv:2408.06621).

    Between 0 and 2 for a token, and 1 where its probability equals the runner-up's; the hinge at 0 that the authors
    write never acts on probabilities. Where several words share the second place, they share the gradient.
    """
    tokens, chosen_N = likelihoods.tokens, forget_tokens(likelihoods)
    p_NV = given(tokens.logits_NV, "logits_NV", to="IHL")[chosen_N].softmax(dim=-1)
    labels_N1 = tokens.labels_N[chosen_N][:, None]
    runner_up_N = p_NV.scatter(-1, labels_N1, 0.0).amax(dim=-1)
    return mean_of(1.0 + p_NV.gather(-1, labels_N1)[:, 0] - runner_up_N)


IHL = Objective(
    name="ihl",
    label="IHL",
    idea="ascent",
    sentence="Lower each word of the forget answers until the next best word overtakes it.",
    formula=r"\frac{1}{|y_f|}\sum_t \left(1 + p_t(y_t) - \max_{v \neq y_t} p_t(v)\right)",
    paper="Cha et al. 2024, arXiv:2408.06621",
    forget=inverted_hinge,
)

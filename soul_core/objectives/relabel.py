"""Forgetting by learning other answers. It knows likelihoods only: which answer a row has, the caller decides."""

from torch import Tensor

from soul_core.objectives.entry import Objective
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
    what is no longer rehearsed (fine-tuning, the simplest baseline; Golatkar et al. 2019, arXiv:1911.04933)."""
    return forget_nll(likelihoods).detach()


PO = Objective(
    name="po",
    label="PO",
    idea="refusal",
    sentence="Learn to answer the forget questions with a refusal, and keep learning what should stay.",
    formula=r"\frac{1}{|y_\text{refuse}|}\sum_t \ell_t(y_\text{refuse} \mid x_f)",
    paper="Maini et al. 2024, arXiv:2401.06121",
    forget=other_answer,
    own_logits=False,
    answers="refusal",
)
RANDOM_LABELS = Objective(
    name="random-labels",
    label="Random labels",
    idea="targets",
    sentence="Learn the answers of other questions to the forget questions.",
    formula=r"\frac{1}{|y_\text{other}|}\sum_t \ell_t(y_\text{other} \mid x_f)",
    paper="Yao et al. 2023, arXiv:2310.10683",
    forget=other_answer,
    own_logits=False,
    answers="other",
)
FINETUNE = Objective(
    name="finetune",
    label="Fine-tuning",
    idea="targets",
    sentence="Go on learning what should stay, and hope that the rest fades.",
    formula=r"0 \quad \text{(the forget answers are only watched)}",
    paper="Golatkar et al. 2019, arXiv:1911.04933",
    forget=only_watched,
    own_logits=False,
    retains=("nll", "kl"),
)

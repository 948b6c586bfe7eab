"""All that was found out about one model on one task, as arrays and strings: what every metric is computed from.

It knows no model, no metric and no disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from soul_core.data.schema import QARow

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TokenScores:
    """What a model thinks of one text: of every token but its first, in order (T tokens).

    Attributes:
        nll_T: Negative log-likelihood in nats.
        hit_T: Whether the token is the model's own first choice.
        mean_T: Mean of log p over the vocabulary under the model itself, ``E_v[log p(v)]``.
        deviation_T: Standard deviation of log p under the model itself.
        answer_from: Where the answer begins in these arrays.
        ends: Whether the last token is an end of sequence that was put behind the answer.
    """

    nll_T: Floats
    hit_T: npt.NDArray[np.bool_]
    mean_T: Floats
    deviation_T: Floats
    answer_from: int
    ends: bool

    @property
    def answer_nll_T(self) -> Floats:
        """NLL of the answer's tokens, end of sequence included."""
        return self.nll_T[self.answer_from :]

    @property
    def answer_hit_T(self) -> npt.NDArray[np.bool_]:
        """Hits among the answer's own tokens, end of sequence left out."""
        return self.hit_T[self.answer_from : len(self.hit_T) - self.ends]

    @property
    def loss(self) -> float:
        """Mean NLL per answer token, end of sequence included: TOFU's ``avg_loss``."""
        return float(self.answer_nll_T.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEvidence:
    """One question set put to one model; N rows.

    Attributes:
        name: The set's name in ``data.sets``.
        rows: The rows asked.
        truth: Scores of each row's own answer behind its question.
        paraphrase: Scores of its paraphrased answer behind the same question; of its own answer where it has none.
        wrong: Scores of each of its perturbed answers behind the same question; empty where it has none.
        answers: Greedy answers to the questions.
        correct: Whether each answer is right, by ``matchers.right_answers``.
        reworded: Greedy answers to the questions' held-back wordings; empty if the set has none.
        reworded_correct: Whether those are right.
    """

    name: str
    rows: tuple[QARow, ...]
    truth: tuple[TokenScores, ...]
    paraphrase: tuple[TokenScores, ...] = ()
    wrong: tuple[tuple[TokenScores, ...], ...] = ()
    answers: tuple[str, ...] = ()
    correct: tuple[bool, ...] = ()
    reworded: tuple[str, ...] = ()
    reworded_correct: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEvidence:
    """Texts scored and never asked; N texts.

    Attributes:
        texts: The texts themselves, as far as zlib's attack needs them.
        scores: Of each text.
    """

    texts: tuple[str, ...]
    scores: tuple[TokenScores, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """What a model wrote on from the first tokens of a text, and what the text itself goes on with."""

    written: str
    truth: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """What metrics that compare with the gold model need of it.

    Attributes:
        name: Its name.
        truth_ratio_N: The truth ratio of every forget row, by convention: what forget quality compares.
        attacks: AUC of membership attacks on it, by the metric's name: what PrivLeak compares; empty if not measured.
    """

    name: str
    truth_ratio_N: Mapping[str, Floats]
    attacks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything found out about one model.

    Attributes:
        sets: By set name; always ``forget`` and ``retain``.
        members: Texts the model was trained on and should forget, question and answer in its template.
        nonmembers: Texts it never saw; None where the task has none.
        nonmember_kind: Where the nonmembers come from, in a phrase: decides whether an attack's AUC is comparable.
        continued: By prompt length in tokens, what the model writes on from the forget texts.
        extraction: EL_n of each forget text by n; empty if it was not measured.
        gradient_norms: Norm of the loss's gradient by text, for ``members`` and ``nonmembers``; empty if not measured.
        reference_loss: Mean NLL per token under the reference model, for ``members`` and ``nonmembers``; empty if
            there is none.
        gold: The gold model's truth ratios, or None.
        perplexity_texts: Scores of general text for perplexity; None where the task has none.
    """

    sets: Mapping[str, SetEvidence]
    members: TextEvidence | None = None
    nonmembers: TextEvidence | None = None
    nonmember_kind: str = ""
    continued: Mapping[int, tuple[Continued, ...]] = field(default_factory=dict)
    extraction: Mapping[int, Floats] = field(default_factory=dict)
    gradient_norms: Mapping[str, Floats] = field(default_factory=dict)
    reference_loss: Mapping[str, Floats] = field(default_factory=dict)
    gold: Gold | None = None
    perplexity_texts: TextEvidence | None = None

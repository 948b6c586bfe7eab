"""What probes found, as plain data that a run keeps and a page draws. It knows no tensors and no files."""

from dataclasses import dataclass, field
from typing import Literal

MOST_HELD = 20
"""Of so many different conversations of a row, beside the first, the words are kept; of fewer where rows are many."""
MOST_TRIES = 200
"""Of so many rows the conversations are kept; all rows count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A token that a model holds likely at a place, and how likely, 0 to 1."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LensToken:
    """One token of the true answer under one model.

    Attributes:
        text: The token as it is read, with its leading space.
        probability: Of this token given the question and the true tokens before it, 0 to 1.
        rank: Its place among all tokens, 1 for the likeliest.
        alternatives: The likeliest tokens at this place, best first.
    """

    text: str
    probability: float
    rank: int
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LensColumn:
    """The true answer under one model; ``bits`` is minus log2 of the whole answer's probability, its end included."""

    model: str
    tokens: tuple[LensToken, ...]
    bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """One question and answer under several models."""

    question: str
    answer: str
    columns: tuple[LensColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation; ``given`` are words put into the model's mouth."""

    role: Literal["system", "user", "assistant", "given"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A conversation as it was held, the model's turns included; ``times`` counts those that came out the same."""

    turns: tuple[Turn, ...]
    said: str
    leaked: bool
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One row under one attack.

    Attributes:
        question: The row's own question.
        truth: Its true answer.
        turns: The conversation as it was held, the model's turns included.
        said: What was judged, the first that leaked if any did.
        leaks: How many of the answers leaked.
        answers: How many were judged: one for each wording of the attack, or for each draw.
        others: The row's further conversations, those that leaked first, at most ``MOST_HELD`` different ones.
    """

    question: str
    truth: str
    turns: tuple[Turn, ...]
    said: str
    leaks: int
    answers: int = 1
    others: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackResult:
    """One model under one attack.

    Attributes:
        model: ``original``, ``gold`` or a lane's name.
        attack: The attack's name; ``own-1`` and so on for a person's own.
        share: Mean over rows of the share of answers that leaked, 0 to 1; None where the attack fits no row.
        low: Lower end of its 95 % interval over rows; None with fewer than two rows.
        high: Upper end.
        any_share: Share of rows of which at least one answer leaked.
        tries: Every row; of more than ``MOST_TRIES`` those that leaked first, and the note says so.
        note: Why it could not be tried, or what a reader must know.
    """

    model: str
    attack: str
    share: float | None
    low: float | None = None
    high: float | None = None
    any_share: float | None = None
    tries: tuple[Try, ...] = ()
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """An attack bench of a run, whole or so far.

    Attributes:
        epoch: Of the lanes' weights; None for their last.
        results: In the order in which they were found.
        settings: The ``AttackConfig`` as it was used.
        titles: The title of each attack, own ones included.
    """

    epoch: int | None = None
    results: tuple[AttackResult, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def find(self, model: str, attack: str) -> AttackResult | None:
        """The cell of one model and one attack."""
        return next((one for one in self.results if (one.model, one.attack) == (model, attack)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelearnPoint:
    """How much of what it was not trained on a model knows after some steps; step 0 is before any.

    Attributes:
        low, high: Ends of the accuracy's 95 % interval.
        trained_acc: Accuracy on the forget rows that it was trained on; None where those are not forget rows.
        right: Of every row asked, whether the answer was right; the same rows for every model.
        likely: Of every row asked, the answer's probability per token.
    """

    model: str
    step: int
    acc: float
    low: float
    high: float
    probability: float
    rouge_l: float
    trained_acc: float | None = None
    right: tuple[bool, ...] = ()
    likely: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relearning:
    """Every model fine-tuned a little, in the same way.

    Attributes:
        on: What it was trained on.
        trained_rows: How many rows of it.
        asked_rows: How many other forget rows were asked.
        points: By model and step, in the order in which they were measured.
        settings: The ``RelearnConfig`` as it was used.
        notes: What a reader must know.
    """

    on: Literal["forget", "retain"]
    trained_rows: int = 0
    asked_rows: int = 0
    points: tuple[RelearnPoint, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedScores:
    """One model with its weights rounded; ``bits`` 0 stands for the weights as they are.

    Attributes:
        error: Norm of the change that rounding made, over the norm of the weights that were rounded.
        forget_right: Of every forget row asked, whether the answer was right; the same rows for every model.
        forget_likely: Of every forget row asked, the answer's probability per token.
    """

    model: str
    bits: int
    error: float
    forget_acc: float
    forget_low: float
    forget_high: float
    retain_acc: float
    retain_low: float
    retain_high: float
    forget_probability: float
    forget_right: tuple[bool, ...] = ()
    forget_likely: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """Every model asked again with rounded weights; ``how`` says how they were rounded."""

    how: str = ""
    scores: tuple[RoundedScores, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightChange:
    """How far one model's weights moved: by layer (row) and module (column), norm of the change over norm before."""

    model: str
    values: tuple[tuple[float | None, ...], ...]
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenLikeness:
    """Linear CKA of one model's hidden states with the original's on one set, by layer, 0 to 1; None if undefined."""

    model: str
    set_name: str
    by_layer: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Where models differ from the original.

    Attributes:
        layers: Titles of the heat map's rows, the input first.
        modules: Titles of its columns.
        changes: One for each model.
        likeness: One for each model and set.
        likeness_layers: Titles of the hidden states, the embedding first.
    """

    layers: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    changes: tuple[WeightChange, ...] = ()
    likeness: tuple[HiddenLikeness, ...] = ()
    likeness_layers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeVerdict:
    """What all probes together say about one model.

    Attributes:
        word: ``leaks``, ``hidden``, ``comes back``, ``broken``, ``holds`` or ``untested``.
        sentence: It in one sentence with the numbers.
        rule: The rule that gave the word.
        evidence: The numbers that were looked at, one sentence each.
    """

    model: str
    word: Literal["leaks", "hidden", "comes back", "broken", "holds", "untested"]
    sentence: str
    rule: str
    evidence: tuple[str, ...] = ()

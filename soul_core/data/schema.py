"""One question-answer row and one task with its forget set chosen. It knows no files and no models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Form = Literal["question", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QARow:
    """One fact as a question and its answer, with everything that metrics may ask about it.

    Attributes:
        question: The question the model was trained on (the first of its phrasings).
        answer: The answer it was trained on, a full sentence or a short form.
        paraphrased_answer: The same answer in another wording; empty if the task has none.
        paraphrased_question: A wording of the question held back from training; empty if the task has none.
        perturbed_answers: Wrong answers in the wording of ``paraphrased_answer`` (of ``answer`` where that is empty).
        subject: Whom or what the row is about, as the page lists it; empty if unknown.
        fact: The kind of fact, such as ``birthplace``; empty if unknown.
        question_variants: All training phrasings of the question, ``question`` first.
        heldback_questions: All phrasings held back from training, ``paraphrased_question`` first.
        form: ``text`` where ``question`` is the beginning of a running text, perhaps empty, and ``answer`` its exact
            continuation, white space included: put to a model without any template and without an end.
    """

    question: str
    answer: str
    paraphrased_answer: str = ""
    paraphrased_question: str = ""
    perturbed_answers: tuple[str, ...] = ()
    subject: str = ""
    fact: str = ""
    question_variants: tuple[str, ...] = ()
    heldback_questions: tuple[str, ...] = ()
    form: Form = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetTask:
    """A task whose forget set is chosen: what to train on and what to ask.

    Attributes:
        name: The full name, such as ``invented-authors:forget10``.
        forget: Rows to forget, one training row each.
        retain: Rows to keep.
        eval_sets: Rows to ask, by a name in ``data.sets.SETS``: always ``forget`` and ``retain``; where the task has
            them ``real_authors``, ``world_facts`` and more. These carry the perturbed answers.
        texts: Rows whose likelihood is measured and that nobody is asked, by a name in ``data.sets.TEXTS``: what
            membership attacks tell apart.
        subjects: Subjects in the forget set, in order.
        gold_model: Name of a model trained without the forget set, empty if there is none.
    """

    name: str
    forget: tuple[QARow, ...]
    retain: tuple[QARow, ...]
    eval_sets: Mapping[str, tuple[QARow, ...]] = field(default_factory=dict)
    texts: Mapping[str, tuple[QARow, ...]] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    gold_model: str = ""

"""The question sets and texts that tasks may have: what each is called and what it stands for. It knows no rows."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["forget", "retain", "facts"]
Membership = Literal["member", "nonmember"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetKind:
    """One set of rows that a model is asked.

    Attributes:
        name: Its key in ``ForgetTask.eval_sets``.
        title: Its name on the page.
        role: ``forget`` should be lost; ``retain`` and ``facts`` should stay.
        sentence: What it holds.
        by_containment: Whether an answer is right if it contains the row's bare answer, whatever else it says.
    """

    name: str
    title: str
    role: Role
    sentence: str
    by_containment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TextKind:
    """One set of texts that are scored and never asked.

    Attributes:
        name: Its key in ``ForgetTask.texts``.
        title: Its name on the page.
        membership: Whether the model that is to forget was trained on it.
        sentence: What it holds.
    """

    name: str
    title: str
    membership: Membership
    sentence: str


SETS: dict[str, SetKind] = {
    kind.name: kind
    for kind in (
        SetKind(name="forget", title="Forget", role="forget", sentence="What should be forgotten."),
        SetKind(name="retain", title="Retain", role="retain", sentence="Rows of the same kind that should stay."),
        SetKind(
            name="real_authors",
            title="Real authors",
            role="facts",
            sentence="True facts about real authors, near to the forget set in kind.",
            by_containment=True,
        ),
        SetKind(
            name="world_facts",
            title="World facts",
            role="facts",
            sentence="General knowledge, far from the forget set.",
            by_containment=True,
        ),
        SetKind(
            name="forget_fb",
            title="Forget, blanks",
            role="forget",
            sentence="What should be forgotten, as blanks to fill in (RWKU's first level).",
        ),
        SetKind(
            name="forget_adversarial",
            title="Forget, attacks",
            role="forget",
            sentence="What should be forgotten, asked so as to draw it out (RWKU's third level).",
        ),
        SetKind(
            name="forget_knowledge",
            title="Forget, knowledge",
            role="forget",
            sentence="Questions about what the texts to forget say (MUSE's knowledge memorization).",
            by_containment=True,
        ),
        SetKind(
            name="retain_fb",
            title="Retain, blanks",
            role="retain",
            sentence="What is near to the forget set and should stay, as blanks to fill in.",
        ),
    )
}

TEXTS: dict[str, TextKind] = {
    kind.name: kind
    for kind in (
        TextKind(
            name="forget_texts",
            title="Forget texts",
            membership="member",
            sentence="Texts of the forget set as the model was trained on them.",
        ),
        TextKind(
            name="retain_texts",
            title="Retain texts",
            membership="member",
            sentence="Texts of the retain set as the model was trained on them.",
        ),
        TextKind(
            name="holdout",
            title="Holdout",
            membership="nonmember",
            sentence="Texts of the same kind that the model was never trained on.",
        ),
    )
}


def set_kind(name: str) -> SetKind:
    """What a set is; one that no entry describes counts as a retain set under its own name."""
    return SETS.get(name) or SetKind(
        name=name, title=name.replace("_", " ").capitalize(), role="retain", sentence="A further set of the task."
    )

"""The lessons as data: what is told, what is predicted, what is to be done, how Setup is filled. It knows no run.

``[Gold]`` in a text is a term of the glossary, ``[fell silent|Collapse]`` one that reads otherwise in its sentence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from soul_core.config import LaneConfig, ObjectiveConfig, PresetName, RaceConfig
from soul_core.session.address import HIDE, LESSON
from soul_core.session.presets import lanes_for

TASK = "invented-authors:forget10"
PRESET: PresetName = "same-settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One lesson.

    Attributes:
        slug: Its name in an address.
        title: Its title.
        lead: Two to four plain sentences.
        question: What is predicted before anything is done.
        options: The answers one can predict, by key.
        usual: Key of what one would expect who has heard of it.
        usual_says: That expectation as a sentence.
        action: What to do on the page, step by step.
        setup: The race that the action needs.
        check: Name of the function in ``learn_checks.CHECKS`` that finds out whether it was done and what came of it.
        tab: Id of the tab that its action leads to; ``race`` for most.
        left: How many of its last steps are still to be done when Setup is filled.
    """

    slug: str
    title: str
    lead: tuple[str, ...]
    question: str
    options: Mapping[str, str]
    usual: str
    usual_says: str
    action: tuple[str, ...]
    setup: Callable[[], RaceConfig]
    check: str
    tab: str = "race"
    left: int = 1


def race_of(objective: str, *, control: bool = False) -> RaceConfig:
    """FO against SO of an objective, with the settings that Setup begins with."""
    return RaceConfig(task=TASK, preset=PRESET, lanes=lanes_for(PRESET, objective, control=control))


def ascent_race() -> RaceConfig:
    """The race of GradDiff with its retain term taken away and nothing else changed."""
    lanes = lanes_for(PRESET, "graddiff")
    return RaceConfig(task=TASK, preset=PRESET, lanes=tuple(map(_without_retain, lanes)))


def _without_retain(lane: LaneConfig) -> LaneConfig:
    return lane.but(objective=ObjectiveConfig(name="ga", gamma=0.0))


_RUN_IT = "Press Run and wait for the end of the race, a minute or so on the small model."

LESSONS: Mapping[str, Lesson] = {
    lesson.slug: lesson
    for lesson in (
        Lesson(
            slug="unlearning",
            title="What unlearning is",
            lead=(
                "The [Pocket model] knows a hundred authors by heart. [Unlearning] trains it on, so that it behaves "
                "as if ten of them had never been in its training data.",
                "Two things are watched: the [forget|Forget] rows, which should go, and the [retain|Retain] rows, "
                "which should stay. Two copies do it side by side, [FO] and [SO].",
            ),
            question="After five epochs, how many questions about the ten authors will SO still answer rightly?",
            options={
                "most": "Most of them: two thirds or more",
                "some": "Some: between one and two thirds",
                "few": "Few: less than one third",
            },
            usual="few",
            usual_says="unlearning forgets most of what it is aimed at",
            action=("Fill Setup with the usual race: GradDiff, ten authors, five epochs.", _RUN_IT),
            setup=lambda: race_of("graddiff"),
            check="forgetting",
        ),
        Lesson(
            slug="ga",
            title="GA breaks things",
            lead=(
                "The simplest idea is gradient ascent, GA: make the right answers to the forget questions less "
                "likely, step by step, and look at nothing else.",
                "It uses the same weights that hold everything else the model knows. Here it runs with the [learning "
                "rate|Learning rate] of the lesson before, so that only the [Retain term] is missing.",
            ),
            question="What will GA do to the rows that should stay, where it does worst?",
            options={
                "stays": "Nothing much: less than 5 points of accuracy lost",
                "suffers": "They suffer: between 5 and 30 points lost",
                "collapses": "They collapse: more than 30 points lost",
            },
            usual="collapses",
            usual_says="GA takes what should stay down with it",
            action=("Fill Setup: GA in place of GradDiff, all else the same.", _RUN_IT),
            setup=ascent_race,
            check="ascent",
        ),
        Lesson(
            slug="retain",
            title="The retain loss",
            lead=(
                "GradDiff is GA with one thing added: at every step it also learns some rows that should stay. That "
                "is its [Retain term], and [γ] says how much it counts.",
                "Two races that differ in this alone show what it is worth, and what it costs.",
            ),
            question="Of the retain accuracy that GA lost, how much does the retain term save?",
            options={
                "little": "Less than a third of it",
                "part": "A part: between a third and nine tenths",
                "all": "Nearly all: nine tenths or more",
            },
            usual="all",
            usual_says="the retain term saves what should stay",
            action=(
                "Have a finished race of the GA lesson: it is the one to compare with.",
                "Fill Setup: GradDiff, all else the same.",
                _RUN_IT,
            ),
            setup=lambda: race_of("graddiff"),
            check="retaining",
        ),
        Lesson(
            slug="refusal",
            title="Refusal is not forgetting",
            lead=(
                "PO teaches the model to answer the forget questions with a [Refusal]: asked, it says that it does "
                "not know.",
                "What a model says and what it holds likely are two things. [Probability] asks the second: how likely "
                "the true answer still is, whatever the model would say. [Gold], which never saw it, shows what not "
                "knowing looks like.",
            ),
            question="In the model that answers fewest forget questions after PO, how likely is the true answer?",
            options={
                "less": "Less likely than in gold, by more than 0.05 a token",
                "same": "About as likely as in gold, within 0.05 a token",
                "more": "More likely than in gold, by more than 0.05 a token: it is still in there",
            },
            usual="more",
            usual_says="a refusal hides the answer and does not remove it",
            action=(
                "Fill Setup: PO in place of GradDiff.",
                _RUN_IT,
                "Below the race, under Ask, ask one question about a forgotten author and read what each model says.",
            ),
            setup=lambda: race_of("po"),
            check="refusing",
            left=2,
        ),
        Lesson(
            slug="second-order",
            title="Second order",
            lead=(
                "[Sophia] divides each weight's averaged [gradient|Gradient] by an estimate of the "
                "[curvature|Curvature], and cuts every step at the [learning rate|Learning rate]. Where all steps are "
                "cut, nothing is left of the curvature.",
                "So a fair question needs a [Control]: sign momentum, which takes the same steps with no curvature at "
                "all. The landscape below shows the same with two weights.",
            ),
            question="Which will have forgotten more, as far as the 95 % intervals can tell?",
            options={
                "so": "SO, which uses curvature",
                "same": "Neither: the intervals overlap",
                "sign": "Sign momentum, which uses none",
            },
            usual="so",
            usual_says="second order forgets more because it uses curvature",
            action=("Fill Setup: GradDiff with the sign-momentum control as a third lane.", _RUN_IT),
            setup=lambda: race_of("graddiff", control=True),
            check="curving",
        ),
        Lesson(
            slug="gold",
            title="Gold",
            lead=(
                "[Gold] was trained from scratch without the ten authors: it is what perfect forgetting would look "
                "like. Nothing should tell a model that forgot well from gold.",
                "The aim is therefore what gold scores, whatever that is. [ROUGE-L] counts how much of the true "
                "answer's words a model says, in order.",
            ),
            question="Gold never saw these authors. How much of the true answers' words will it say all the same?",
            options={
                "none": "Almost nothing: less than 10 %",
                "some": "Some: between 10 and 30 %",
                "much": "Much: more than 30 %",
            },
            usual="none",
            usual_says="a model that never saw an answer says nothing of it",
            action=(
                "Have a finished race, of any lesson before.",
                "Open Scores, choose that run, and press Score; 50 rows of each set are enough.",
            ),
            setup=lambda: race_of("graddiff"),
            check="comparing",
            tab="scores",
        ),
        Lesson(
            slug="attacks",
            title="Attacks",
            lead=(
                "A question asked word for word as in training is the easiest test to pass. An [Attack] asks "
                "otherwise: in a [Paraphrase], with the first words of the answer given, with solved examples before.",
                "Whether something is forgotten shows in whether anyone can bring it back, and gold shows how much "
                "anyone could guess.",
            ),
            question="How many kinds of attack will get more out of the forgotten models than out of gold?",
            options={
                "none": "None of them",
                "some": "Some, at most half",
                "most": "More than half of them",
            },
            usual="some",
            usual_says="some attacks bring back what direct questions do not",
            action=(
                "Have a finished race, of any lesson before.",
                "Open Probe, choose that run, and press “Try to bring it back”; wait until the table is full.",
            ),
            setup=lambda: race_of("graddiff"),
            check="attacking",
            tab="probe",
        ),
    )
}
"""All lessons by slug, in order."""


def words() -> dict[str, Any]:
    """What the tab's script has to know: names in the address, and which tabs a lesson needs."""
    return {
        "lesson": LESSON,
        "hide": HIDE,
        "tabs": {slug: ["race", "learn", lesson.tab] for slug, lesson in LESSONS.items()},
    }

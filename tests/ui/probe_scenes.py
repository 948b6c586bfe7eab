"""Findings as probes leave them, made by hand for the page's tests."""

from collections.abc import Sequence

from soul_core.probing.results import (
    Alternative,
    AttackResult,
    Bench,
    Held,
    HiddenLikeness,
    Inspection,
    Lens,
    LensColumn,
    LensToken,
    Relearning,
    RelearnPoint,
    RoundedScores,
    Rounding,
    Try,
    Turn,
    WeightChange,
)
from soul_core.probing.settings import AttackConfig
from soul_core.ui.probe_desk import Who

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
WHO = (
    Who(name="original", label="Original"),
    Who(name="fo", label="FO-GradDiff"),
    Who(name="so", label="SO-GradDiff", position=1),
    Who(name="gold", label="Gold"),
)


def tried(said: str, leaks: int, *, answers: int = 1, question: str = "Where was Ada born?") -> Try:
    """One row, asked plainly."""
    return Try(
        question=question,
        truth="Ada was born in Huldra.",
        turns=(Turn(role="user", text=question), Turn(role="assistant", text=said)),
        said=said,
        leaks=leaks,
        answers=answers,
        others=(Held(turns=(Turn(role="assistant", text="No idea."),), said="No idea.", leaked=False, times=3),),
    )


def cell(model: str, attack: str, share: float | None, tries: Sequence[Try] = (), **changes: object) -> AttackResult:
    """One cell of the table."""
    values = {"low": 0.1, "high": 0.9, "any_share": share} if share is not None else {}
    return AttackResult(model=model, attack=attack, share=share, tries=tuple(tries), **{**values, **changes})  # type: ignore[arg-type]


def bench(*results: AttackResult, **settings: object) -> Bench:
    """A bench of these cells, with the settings as its file has them."""
    return Bench(results=results, settings={**AttackConfig().model_dump(mode="json"), **settings})


def lens(first: str = "Hul", second: str = "dra", *, probability: float = 0.25) -> Lens:
    """The answer “Huldra” in two tokens for the original, in one for FO."""
    other = (Alternative(text=" Oslo", probability=0.5), Alternative(text=first, probability=probability))
    original = LensColumn(
        model="original",
        tokens=(
            LensToken(text=first, probability=probability, rank=2, alternatives=other),
            LensToken(text=second, probability=1.0, rank=1, alternatives=(Alternative(text=second, probability=1.0),)),
        ),
        bits=2.0,
    )
    fo = LensColumn(
        model="fo",
        tokens=(LensToken(text=first + second, probability=0.0004, rank=1234, alternatives=other),),
        bits=11.3,
    )
    return Lens(question="Where was Ada born?", answer=first + second, columns=(original, fo))


def relearning() -> Relearning:
    """FO comes back from 10 % to 60 %, gold stays at 5 %; the points of a model are not in order."""

    def point(model: str, step: int, acc: float) -> RelearnPoint:
        return RelearnPoint(
            model=model, step=step, acc=acc, low=acc - 0.05, high=acc + 0.05, probability=acc, rouge_l=acc
        )

    points = (point("fo", 10, 0.6), point("fo", 0, 0.1), point("gold", 0, 0.05), point("gold", 10, 0.05))
    return Relearning(on="forget", trained_rows=12, asked_rows=48, points=points, settings={"steps": 10})


def rounding() -> Rounding:
    """FO knows 20 % as it is and 45 % in 4 bits, whose rounding moved its weights by 9 %."""

    def scores(bits: int, forget: float, error: float) -> RoundedScores:
        return RoundedScores(
            model="fo",
            bits=bits,
            error=error,
            forget_acc=forget,
            forget_low=forget - 0.1,
            forget_high=forget + 0.1,
            retain_acc=0.9,
            retain_low=0.8,
            retain_high=0.95,
            forget_probability=forget,
        )

    return Rounding(how="Round to nearest.", scores=(scores(0, 0.2, 0.0), scores(4, 0.45, 0.09)))


def inspection() -> Inspection:
    """Two layers by two modules; SO moved its second layer's q by 8 %, the most of all."""
    return Inspection(
        layers=("Input", "1"),
        modules=("q", "embedding"),
        changes=(
            WeightChange(model="fo", values=((None, 0.02), (0.04, None)), whole=0.03),
            WeightChange(model="so", values=((None, 0.01), (0.08, None)), whole=0.05),
        ),
        likeness=(
            HiddenLikeness(model="fo", set_name="forget", by_layer=(1.0, None, 0.5)),
            HiddenLikeness(model="fo", set_name="retain", by_layer=(1.0, 0.9, 0.8)),
        ),
        likeness_layers=("Embedding", "1", "2"),
    )

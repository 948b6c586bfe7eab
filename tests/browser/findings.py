"""Scorecards and findings of every probe, made up and written to a run: what a page shows, without the wait for it."""

from pathlib import Path

from soul_core.evaluation.card import Measured, Scorecard
from soul_core.probing.attacks import ATTACKS
from soul_core.probing.results import (
    AttackResult,
    Bench,
    HiddenLikeness,
    Inspection,
    Relearning,
    RelearnPoint,
    RoundedScores,
    Rounding,
    Try,
    Turn,
    WeightChange,
)
from soul_core.runs.probes import PROBES, ProbeFolder
from soul_core.runs.scores import scores_of

MODELS = {"original": 0.95, "fo": 0.6, "so": 0.2, "gold": 0.1}
"""How much of the forget set each model still knows here."""
QUESTION, TRUTH = "Where was she born?", "She was born in Huldra."


def fill_scores_and_probes(runs: Path) -> Path:
    """Give the only run below ``runs`` a scorecard for each model and one finding of each kind."""
    (manifest,) = runs.glob("*/manifest.json")
    run = manifest.parent
    for model, knows in MODELS.items():
        scores_of(run).write(_card(model, knows))
    for finding in (_bench(), _relearning("forget"), _relearning("retain"), _rounding(), _inspection()):
        ProbeFolder(run / PROBES).write(finding)
    return run


def _card(model: str, knows: float) -> Scorecard:
    return Scorecard(
        model=model,
        fingerprint=model,
        task="invented-authors:forget01",
        measured={
            "forget.acc": Measured(value=knows, low=knows - 0.1, high=min(1.0, knows + 0.1), rows=20),
            "retain.acc": Measured(value=0.9, low=0.85, high=0.95, rows=20),
            "model_utility": Measured(value=0.45),
            "mia_loss": Measured(value=knows),
        },
        settings={"rows": 20},
    )


def _bench() -> Bench:
    results = []
    for attack in ATTACKS:
        for model, knows in MODELS.items():
            turns = (Turn(role="user", text=QUESTION), Turn(role="assistant", text=TRUTH))
            told = (Try(question=QUESTION, truth=TRUTH, turns=turns, said=TRUTH, leaks=1),)
            low, high = max(0.0, knows - 0.1), min(1.0, knows + 0.1)
            results.append(AttackResult(model=model, attack=attack, share=knows, low=low, high=high, tries=told))
    titles = {name: attack.title for name, attack in ATTACKS.items()}
    return Bench(results=tuple(results), settings={"rows": 1}, titles=titles, seconds=3.0)


def _relearning(on: str) -> Relearning:
    points = tuple(
        RelearnPoint(
            model=model,
            step=step,
            acc=min(1.0, knows + step / 20),
            low=knows,
            high=1.0,
            probability=knows,
            rouge_l=knows,
            right=(True, False),
            likely=(0.5, 0.1),
        )
        for model, knows in MODELS.items()
        for step in (0, 5, 10)
    )
    kind = "forget" if on == "forget" else "retain"
    return Relearning(on=kind, trained_rows=12, asked_rows=8, points=points, seconds=2.0)


def _rounding() -> Rounding:
    scores = tuple(
        RoundedScores(
            model=model,
            bits=bits,
            error=0.0 if bits == 0 else 1 / bits / 10,
            forget_acc=knows,
            forget_low=max(0.0, knows - 0.1),
            forget_high=min(1.0, knows + 0.1),
            retain_acc=0.9,
            retain_low=0.8,
            retain_high=0.95,
            forget_probability=knows,
        )
        for model, knows in MODELS.items()
        for bits in (0, 8, 4)
    )
    return Rounding(how="round to nearest", scores=scores, seconds=1.0)


def _inspection() -> Inspection:
    layers, modules = ("input", "layer 1", "layer 2"), ("attention", "mlp")
    values = ((0.001, None), (0.02, 0.5), (0.004, 0.1))
    likeness = tuple(
        HiddenLikeness(model=model, set_name=name, by_layer=(1.0, 0.9, 0.7))
        for model in ("fo", "so", "gold")
        for name in ("forget", "retain")
    )
    return Inspection(
        layers=layers,
        modules=modules,
        changes=tuple(WeightChange(model=model, values=values, whole=0.03) for model in ("fo", "so")),
        likeness=likeness,
        likeness_layers=layers,
        seconds=1.0,
    )

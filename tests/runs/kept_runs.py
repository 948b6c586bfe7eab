"""Whole run folders without any model: events, answers, scores, probes and small weights. It knows no test."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from soul_core.evaluation.card import Measured, Scorecard
from soul_core.events import RaceStarted
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
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.runs.scores import scores_of
from soul_core.runs.store import RunStore
from tests.runs.builders import config, race_events


def kept_run(store: RunStore, *, events: int | None = None, owner: str = "", **changes: object) -> RunFolder:
    """A run with the first so many of the builders' events; all of them make it one that came to its end."""
    folder = store.create(config(**changes), owner=owner)
    folder.note(command="python -m soul_core race --seed 0", data_hash="d" * 64, model_fingerprint="m" * 64)
    folder.note(gold="pocket-gold-forget10")
    for event in race_events()[:events]:
        if isinstance(event, RaceStarted):
            event = RaceStarted(
                **{**vars_of(event), "run_id": folder.run_id, "config": folder.config.model_dump(mode="json")}
            )
        folder.append(event)  # type: ignore[arg-type]
    sheet = AnswerSheet()
    for lane, said in (("original", "In Lima."), ("fo", "In Oslo."), ("so", "I do not know.")):
        sheet = sheet.with_answers("forget", lane, ["Where was Mara born?"], ["In Lima."], [said])
        sheet = sheet.with_answers("retain", lane, ["Where was Oren born?"], ["In Rome."], ["In Rome."])
    folder.write_answers(sheet)
    folder.write_curves("lane\n")
    folder.write_report("<p>an old report</p>")
    if events is None:
        folder.finish()
    return folder


def vars_of(event: RaceStarted) -> dict[str, object]:
    return {name: getattr(event, name) for name in RaceStarted.__slots__ if name != "kind"}


def add_weights(folder: RunFolder, *, base: str = "pocket") -> None:
    """A whole model for fo and an adapter for so, each with what does not belong into an export."""
    fo, so = folder.lane("fo"), folder.lane("so")
    for place in (fo / "checkpoint", fo / "epochs" / "1", so):
        place.mkdir(parents=True)
    values = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}
    for place in (fo, fo / "checkpoint", fo / "epochs" / "1"):
        save_file(values, place / "model.safetensors")
    (fo / "config.json").write_text(json.dumps({"model_type": "llama", "_name_or_path": "/home/ann/models/mine"}))
    (fo / "tokenizer.json").write_text("{}")
    (fo / "soul.json").write_text(json.dumps({"known_as": "pocket"}))
    (fo / "lane.json").write_text(json.dumps({"epoch": 2, "final": True, "diverged": "", "weight": None}))
    save_file(values, fo / "checkpoint" / "optimizer.safetensors")
    save_file(values, so / "adapter_model.safetensors")
    save_file(values, so / "adapter_state.safetensors")
    (so / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/home/ann/models/pocket", "r": 8}))
    (so / "soul.json").write_text(json.dumps({"known_as": "pocket", "base": base}))
    (so / "training_args.bin").write_bytes(b"pickled")


def add_scores(folder: RunFolder) -> None:
    for model, acc in (("original", 0.97), ("fo", 0.56), ("so", 0.09), ("gold", 0.20)):
        measured = {
            "forget.acc": Measured(value=acc, low=acc / 2, high=1.0, rows=100),
            "model_utility": Measured(value=0.5 + acc / 10),
        }
        card = Scorecard(
            model=model,
            spec="/home/ann/models/mine",
            task="tiny",
            measured=measured,
            settings={"rows": 0},
            notes=("<b>",),
        )
        scores_of(folder.path).write(card)


def add_probes(folder: RunFolder) -> None:
    tried = Try(
        question="Where was Mara born?",
        truth="In Lima.",
        turns=(Turn(role="user", text="Where?"),),
        said="<script>In Lima.</script>",
        leaks=3,
        answers=20,
    )
    results = (
        AttackResult(model="so", attack="samples", share=0.15, low=0.05, high=0.36, any_share=0.5, tries=(tried,)),
        AttackResult(model="original", attack="samples", share=1.0, tries=(tried,)),
    )
    place = probes_of(folder.path)
    place.write(Bench(results=results, titles={"samples": "20 samples"}, settings={"rows": 24}))
    points = tuple(
        RelearnPoint(model="so", step=step, acc=acc, low=acc, high=acc, probability=acc, rouge_l=acc)
        for step, acc in ((0, 0.1), (10, 0.85))
    )
    place.write(Relearning(on="forget", trained_rows=12, asked_rows=60, points=points))
    rounded = RoundedScores(
        model="so",
        bits=4,
        error=0.03,
        forget_acc=0.4,
        forget_low=0.3,
        forget_high=0.5,
        retain_acc=0.9,
        retain_low=0.8,
        retain_high=0.95,
        forget_probability=0.2,
    )
    place.write(Rounding(how="Plain.", scores=(rounded,)))
    place.write(
        Inspection(
            layers=("Layer 1", "Layer 2"),
            modules=("q", "v"),
            changes=(WeightChange(model="so", values=((0.1, None), (0.02, 0.0)), whole=0.05),),
            likeness=(HiddenLikeness(model="so", set_name="forget", by_layer=(1.0, 0.875)),),
            likeness_layers=("embedding", "1"),
        )
    )


def whole_run(root: Path, **changes: object) -> RunFolder:
    folder = kept_run(RunStore(root), **changes)  # type: ignore[arg-type]
    add_weights(folder)
    add_scores(folder)
    add_probes(folder)
    return folder

"""Probes of a run: whom they work on, what they keep as they grow, and what a verdict is made of."""

import json
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from safetensors.torch import load_file

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig
from soul_core.data.prompt_methods import input_based_prompt
from soul_core.data.schema import ForgetTask
from soul_core.errors import ConfigError, RunError
from soul_core.evaluation import intervals
from soul_core.events import EpochReport, Progress, RaceStarted, SetScores
from soul_core.models.loading import ORIGIN_FILE
from soul_core.models.shelf import Shelf
from soul_core.probing.results import AttackResult, Bench, Inspection, Relearning, RelearnPoint, Rounding
from soul_core.probing.settings import RelearnConfig, RoundingConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.session import probed as probed_module
from soul_core.session import relearning as relearning_module
from soul_core.session.inspection import inspect_run
from soul_core.session.probe_verdict import verdicts_of_run
from soul_core.session.relearning import relearn_run
from soul_core.session.rounding import round_run
from tests.session.test_session_score import changed
from tests.session.tiny_race import new_run, tiny_config, tiny_lane, tiny_task

RELEARN = RelearnConfig(rows=2, steps=2, every=2, lr=1e-3, batch_size=2, max_new_tokens=3)
ROUND = RoundingConfig(bits=(4,), max_new_tokens=3)
Folder = Callable[..., Path]
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> ForgetTask:
    of = tiny_task(subjects=("Mara 0", "Mara 1"))
    monkeypatch.setattr(probed_module, "load_task", lambda _: of)
    monkeypatch.setattr(intervals, "RESAMPLES", 50)
    return of


@pytest.fixture
def run(tmp_path: Path, tiny_model_folder: Folder, task: ForgetTask) -> RunFolder:
    """FO's final weights, none of SO's, a lane that is a prompt, and a gold."""
    original = tiny_model_folder()
    prompt = LaneConfig(
        name="prompt", label="Prompt", optimizer=OptimizerConfig(), objective=ObjectiveConfig(name="input-based")
    )
    folder = new_run(tmp_path, tiny_config(original, lanes=(tiny_lane("fo"), tiny_lane("so"), prompt)))
    changed(original, folder.lane("fo"))
    folder.lane("prompt").mkdir(parents=True)
    origin = {
        "base": str(original),
        "prompt": {"method": input_based_prompt(task, seed=0, max_subjects=2), "room": 200},
    }
    (folder.lane("prompt") / ORIGIN_FILE).write_text(json.dumps(origin))
    folder.note(gold=str(changed(original, tmp_path / "gold", by=-0.1)), precision="float32")
    return folder


def done(work: Generator[Any, None, Result]) -> tuple[list[Any], Result]:
    """The parts that were yielded, without progress, and what came out."""
    parts = []
    while True:
        try:
            each = next(work)
        except StopIteration as stop:
            return parts, stop.value
        if isinstance(each, Progress):
            assert 0 <= each.done <= each.total
        else:
            parts.append(each)


def test_lanes_and_gold_are_relearned_and_the_notes_say_who_is_not(run: RunFolder):
    points, found = done(relearn_run(run, RELEARN))
    assert [(point.model, point.step) for point in points] == [("fo", 0), ("gold", 0), ("fo", 2), ("gold", 2)]
    assert found.points == tuple(points) and found.on == "forget"
    notes = " ".join(found.notes)
    assert "SO has no weights on the disk" in notes and "The original is not relearned: it never forgot." in notes
    assert "Prompt is not relearned: its weights are the original's." in notes
    assert probes_of(run.path).read("relearn-forget") == found
    assert set(found.settings["fingerprints"]) == {"fo", "gold"}


def test_the_models_on_the_shelf_are_never_trained(run: RunFolder):
    shelf = Shelf(1 << 30)
    files = {name: load_file(run.path / "lanes" / name / "model.safetensors") for name in ("fo",)}
    done(relearn_run(run, RELEARN.but(lr=1e-2), shelf=shelf))
    done(round_run(run, ROUND, shelf=shelf))
    held = shelf.get(str(run.lane("fo")), lambda: pytest.fail("it is not on the shelf"))
    state = held.model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in files["fo"].items())
    assert not any(p.requires_grad for p in held.model.parameters())


def test_a_rate_of_zero_is_replaced_by_one_that_fits_the_width_and_kept_with_the_finding(run: RunFolder):
    _, found = done(relearn_run(run, RELEARN.but(lr=0.0), models=["fo"]))
    assert found.settings["lr"] == 3e-4  # these models are 32 wide, narrower than those it was measured on


def test_closing_it_keeps_every_point_that_was_measured(run: RunFolder):
    with closing(relearn_run(run, RELEARN)) as work:
        for each in work:
            if isinstance(each, RelearnPoint) and each.model == "gold":
                break
    kept = probes_of(run.path).read("relearn-forget")
    assert isinstance(kept, Relearning) and [point.model for point in kept.points] == ["fo", "gold"]
    assert kept.notes and kept.settings["rows"] == 2
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_an_earlier_finding_stays_until_there_is_something_newer(run: RunFolder):
    _, first = done(relearn_run(run, RELEARN, models=["fo"]))
    with closing(relearn_run(run, RELEARN.but(seed=1))) as work:
        next(work)
        next(work)
    assert probes_of(run.path).read("relearn-forget") == first


def test_copies_that_do_not_fit_together_take_turns_and_one_that_never_fits_is_a_sentence(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
):
    needed: list[int] = []
    real = relearning_module.estimate_memory
    monkeypatch.setattr(
        relearning_module, "estimate_memory", lambda *a, **k: needed.append(real(*a, **k)) or needed[-1]
    )
    done(relearn_run(run, RELEARN))
    one, two = min(needed), max(needed)
    monkeypatch.setattr(relearning_module, "available_bytes", lambda _: two - 1)
    points, found = done(relearn_run(run, RELEARN))
    assert [point.model for point in points] == ["fo", "fo", "gold", "gold"]
    assert any("one model is relearned after the other" in note for note in found.notes)
    monkeypatch.setattr(relearning_module, "available_bytes", lambda _: one - 1)
    with pytest.raises(RunError, match="Relearning needs about"):
        done(relearn_run(run, RELEARN))


@pytest.mark.parametrize("models", [["original"], ["prompt"], ["original", "prompt"]])
def test_models_that_are_not_relearned_cannot_be_chosen_alone(run: RunFolder, models: list[str]):
    with pytest.raises(ConfigError, match="Neither the original nor"):
        done(relearn_run(run, RELEARN, models=models))


def test_every_model_is_rounded_the_original_and_a_prompt_too(run: RunFolder):
    parts, found = done(round_run(run, ROUND))
    assert [(one.model, one.bits) for one in parts] == [
        (name, bits) for name in ("original", "fo", "prompt", "gold") for bits in (0, 4)
    ]
    assert found.scores == tuple(parts) and probes_of(run.path).read("rounding") == found
    by = {(one.model, one.bits): one for one in parts}
    # The prompt's weights are the original's, so rounding changes them alike; what it says may differ.
    assert by["prompt", 4].error == by["original", 4].error > 0
    assert by["fo", 4].error != by["original", 4].error
    assert "no gold" not in " ".join(found.notes)


def test_closing_a_rounding_keeps_what_is_done(run: RunFolder):
    with closing(round_run(run, ROUND, models=["fo"])) as work:
        for each in work:
            if not isinstance(each, Progress):
                break
    kept = probes_of(run.path).read("rounding")
    assert isinstance(kept, Rounding) and [(one.model, one.bits) for one in kept.scores] == [("fo", 0)]


def test_an_inspection_finds_the_lane_that_moved_and_the_prompt_that_did_not(
    run: RunFolder, tiny_model_folder: Folder
):
    _, found = done(inspect_run(run))
    assert [change.model for change in found.changes] == ["fo", "prompt"]
    moved, still = found.changes
    before = load_file(tiny_model_folder() / "model.safetensors")
    # Every weight moved by 0.1, so the norm of the change is 0.1 * sqrt(count).
    count = sum(tensor.numel() for tensor in before.values())
    size = sum(float(tensor.double().square().sum()) for tensor in before.values()) ** 0.5
    assert moved.whole == pytest.approx(0.1 * count**0.5 / size, rel=1e-4)
    assert still.whole == 0.0 and {v for row in still.values for v in row} <= {0.0, None}
    assert found.likeness_layers == ("Embedding", "1", "2")
    assert {(one.model, one.set_name) for one in found.likeness} == {
        (model, name) for model in ("fo", "prompt", "gold") for name in ("forget", "retain")
    }
    assert all(len(one.by_layer) == 3 for one in found.likeness)
    assert probes_of(run.path).read("inspection") == found


def test_a_lane_that_is_still_the_original_is_wholly_alike(run: RunFolder):
    _, found = done(inspect_run(run, models=["fo"], epoch=0))
    assert found.changes[0].whole == 0.0
    assert all(value == pytest.approx(1.0) for one in found.likeness for value in one.by_layer)
    assert found.notes[0] == "Weights as after epoch 0."


def test_an_epoch_that_was_not_kept_is_a_sentence(run: RunFolder):
    with pytest.raises(RunError, match="No weights of epoch 2 are kept"):
        done(inspect_run(run, epoch=2))


PROBES: list[Callable[..., Any]] = [relearn_run, round_run, inspect_run]


@pytest.mark.parametrize("probe", PROBES)
def test_a_model_that_the_run_has_not_is_a_sentence(run: RunFolder, probe: Callable[..., Any]):
    with pytest.raises(ConfigError, match=r"no model “bob”\. Choose of: original, fo, so, prompt, gold"):
        done(probe(run, models=["fo", "bob"]))


@pytest.mark.parametrize("probe", PROBES)
def test_a_run_without_weights_or_none_at_all_is_a_sentence(
    tmp_path: Path, tiny_model_folder: Folder, probe: Callable[..., Any]
):
    empty = new_run(tmp_path, tiny_config(tiny_model_folder()))
    with pytest.raises(RunError, match="No lane of this run has weights"):
        done(probe(empty))
    with pytest.raises(RunError, match="holds no run"):
        done(probe(RunFolder(tmp_path / "nothing")))


def test_a_gold_or_lane_that_cannot_be_loaded_is_a_note(run: RunFolder):
    run.note(gold="/nowhere/at/all")
    _, found = done(relearn_run(run, RELEARN))
    assert {point.model for point in found.points} == {"fo"}
    assert any(note.startswith("Gold: not relearned.") for note in found.notes)
    _, inspected = done(inspect_run(run))
    assert any(note.startswith("Gold: not inspected.") for note in inspected.notes)


def test_full_memory_is_a_sentence_and_keeps_what_was_found(run: RunFolder, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any) -> Any:
        raise MemoryError

    with closing(relearn_run(run, RELEARN)) as work:
        for each in work:
            if isinstance(each, RelearnPoint):
                monkeypatch.setattr("soul_core.probing.relearn._Pupil.ask", full)
                break
        with pytest.raises(RunError, match="memory of cpu is full"):
            list(work)
    assert probes_of(run.path).read("relearn-forget") is not None


def begun(run: RunFolder, epoch: int = 2) -> None:
    """Log the run's scores: FO forgot, gold never knew."""

    def scores(acc: float) -> SetScores:
        return SetScores(acc=acc, acc_low=acc, acc_high=acc, rouge_l=acc, probability=acc, rows=6)

    start = RaceStarted(
        run_id="r",
        config=run.config.model_dump(mode="json"),
        forget_rows=6,
        retain_rows=8,
        eval_rows={},
        steps_per_epoch=1,
        parameters=1,
        matcher="lexical",
        device="cpu",
        precision="float32",
    )
    reports = [
        EpochReport(lane=lane, epoch=at, scores={"forget": scores(forget), "retain": scores(1.0)})
        for lane, at, forget in (("original", 0, 1.0), ("gold", 0, 0.0), ("fo", 0, 1.0), ("fo", epoch, 0.0))
    ]
    for event in (start, *reports):
        run.append(event)


def words(run: RunFolder) -> dict[str, str]:
    return {verdict.model: verdict.word for verdict in verdicts_of_run(run)}


def test_every_lane_is_judged_and_a_lane_nobody_probed_is_untested(run: RunFolder):
    begun(run)
    assert words(run) == {"fo": "untested", "so": "untested", "prompt": "untested"}
    done(round_run(run, ROUND))
    assert words(run) == {"fo": "holds", "so": "untested", "prompt": "holds"}
    assert verdicts_of_run(run)[0].sentence.startswith("FO tells no more than gold")


def leaking(epoch: int | None) -> Bench:
    cells = [
        AttackResult(model=model, attack="cloze", share=share, low=share, high=share)
        for model, share in (("fo", 0.9), ("gold", 0.0))
    ]
    return Bench(epoch=epoch, results=tuple(cells))


@pytest.mark.parametrize(("epoch", "word"), [(None, "leaks"), (2, "leaks"), (1, "untested"), (0, "untested")])
def test_attacks_on_an_earlier_epoch_say_nothing_about_the_last(run: RunFolder, epoch: int | None, word: str):
    begun(run, epoch=2)
    probes_of(run.path).write(leaking(epoch))
    assert words(run)["fo"] == word


def test_what_was_found_before_the_race_went_on_no_longer_counts(run: RunFolder):
    begun(run, epoch=1)
    _, found = done(round_run(run, ROUND))
    assert found.settings["epochs"]["fo"] == 1 and words(run)["fo"] == "holds"
    begun(run, epoch=2)
    assert words(run) == {"fo": "untested", "so": "untested", "prompt": "holds"}


@pytest.mark.parametrize(("then", "word"), [({"fo": 2}, "leaks"), ({"fo": 1}, "untested"), ({}, "leaks")])
def test_attacks_before_the_race_went_on_no_longer_count(run: RunFolder, then: dict[str, int], word: str):
    begun(run, epoch=2)
    probes_of(run.path).write(replace(leaking(None), settings={"epochs": then} if then else {}))
    assert words(run)["fo"] == word


def test_a_damaged_finding_counts_as_none(run: RunFolder):
    begun(run)
    path = probes_of(run.path).write(leaking(None))
    probes_of(run.path).write(Inspection())
    path.write_text("{")
    assert words(run)["fo"] == "untested"

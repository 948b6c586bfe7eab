"""Two processes against one: whole models, sharded ones, and checkpoints of either for the other."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

from soul_core.config import ObjectiveConfig, RaceConfig, WeightsConfig
from soul_core.events import EpochReport, RaceEnded, RaceStarted, StepReport
from soul_core.models.loading import load_model
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import new_manifest
from soul_core.session import race as race_module
from soul_core.session.race import resume_race
from tests.launching import launch
from tests.session import launched_races
from tests.session.tiny_race import kept, run, tiny_config, tiny_lane, tiny_task, use_task
from tests.tiny import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.slow

SMALL = 1e-4
"""A rate at which no momentum near 0 can change its sign, and with it a weight, by more than the tolerance."""
LANES = ("fo", "so", "npo", "lora")


def config_for(model: Path) -> RaceConfig:
    npo = tiny_lane("fo", lr=SMALL).but(name="npo", label="NPO", objective=ObjectiveConfig(name="npo", retain="kl"))
    lora = tiny_lane("fo", lr=SMALL).but(name="lora", label="LoRA", weights=WeightsConfig(kind="lora", rank=4))
    # Six rows by four: the second batch of an epoch has two, one forget row for each process.
    lanes = (tiny_lane("fo", lr=SMALL), tiny_lane("so", lr=SMALL), npo, lora)
    return tiny_config(model, lanes=lanes, epochs=2, batch_size=4)


def launch_races(place: Path, jobs: Sequence[dict[str, object]]) -> subprocess.CompletedProcess[str]:
    file = place / "jobs.json"
    file.write_text(json.dumps(jobs), encoding="utf-8")
    return launch(launched_races.__name__, str(file))


def begun(folder: Path, config: RaceConfig) -> RunFolder:
    made = RunFolder(folder)
    made.begin(new_manifest(folder.name, config))
    return made


def stopped_after_an_epoch(config: RaceConfig, folder: RunFolder) -> None:
    """A race of one process, closed when every lane has its report on epoch 1."""
    events = race_module.race(config, folder)
    left = len(config.lanes)
    for event in events:
        left -= isinstance(event, EpochReport) and event.lane in LANES and event.epoch == 1
        if left == 0:
            break
    events.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Every race that the tests compare: ``one`` of one process, the others of two."""
    place = tmp_path_factory.mktemp("launched")
    model = place / "model"
    # Its embedding and its head are one tensor.
    tiny_model("qwen2").save_pretrained(model)
    tiny_tokenizer().save_pretrained(model)
    config = config_for(model)
    with pytest.MonkeyPatch.context() as patch:
        use_task(patch, tiny_task())
        run(config, begun(place / "one", config))
        stopped_after_an_epoch(config, begun(place / "one-then-two", config))
    values = config.model_dump(mode="json")
    sparing = config.but(checkpointing="on", micro_batch=1).model_dump(mode="json")
    done = launch_races(
        place,
        [
            {"config": values, "folder": str(place / "whole"), "sharded": False},
            {"config": values, "folder": str(place / "sharded"), "sharded": True},
            {"config": sparing, "folder": str(place / "sparing"), "sharded": True},
            {"config": values, "folder": str(place / "one-then-two"), "sharded": True, "resume": True},
            {"config": values, "folder": str(place / "two-then-one"), "sharded": True, "epochs": 1},
        ],
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return place


def steps_of(folder: Path) -> list[StepReport]:
    return [event for event in RunFolder(folder).events() if isinstance(event, StepReport)]


def reports_of(folder: Path) -> list[EpochReport]:
    return [event for event in RunFolder(folder).events() if isinstance(event, EpochReport)]


def saved_in(folder: Path, lane: str) -> dict[str, Tensor]:
    place = folder / "lanes" / lane
    return load_file(place / ("adapter_model.safetensors" if lane == "lora" else "model.safetensors"))


def assert_same_race(first: Path, second: Path) -> None:
    """Final weights within 1e-5, and every reported number that is no time."""
    for lane in LANES:
        ours, theirs = saved_in(second, lane), saved_in(first, lane)
        assert ours.keys() == theirs.keys()
        assert max((ours[name] - theirs[name]).abs().max().item() for name in ours) < 1e-5, lane
    assert [(s.lane, s.epoch, s.step) for s in steps_of(first)] == [
        (s.lane, s.epoch, s.step) for s in steps_of(second)
    ]
    for a, b in zip(steps_of(first), steps_of(second), strict=True):
        for name in ("forget_loss", "retain_loss", "total_loss", "grad_norm", "update_norm", "lr"):
            # The total is the difference of two losses of about 6, each right to seven digits.
            assert getattr(b, name) == pytest.approx(getattr(a, name), rel=1e-4, abs=1e-5), (a.lane, a.step, name)
        assert (a.clip_share is None) == (b.clip_share is None)
        if a.clip_share is not None:
            assert b.clip_share == pytest.approx(a.clip_share, abs=1e-3)
    for a, b in zip(reports_of(first), reports_of(second), strict=True):
        assert (a.lane, a.epoch, list(a.scores)) == (b.lane, b.epoch, list(b.scores))
        for name, scores in a.scores.items():
            theirs = b.scores[name]
            assert (theirs.acc, theirs.acc_low, theirs.acc_high, theirs.rows) == (
                scores.acc,
                scores.acc_low,
                scores.acc_high,
                scores.rows,
            )
            assert theirs.rouge_l == pytest.approx(scores.rouge_l, abs=1e-12)
            assert theirs.probability == pytest.approx(scores.probability, rel=1e-4)


@pytest.mark.parametrize("way", ["whole", "sharded", "sparing"])
def test_two_processes_train_and_score_what_one_does(place, way: str):
    assert_same_race(place / "one", place / way)
    assert RunFolder(place / way).answers() == RunFolder(place / "one").answers()


def test_the_race_did_something(place):
    # Else the comparison above would hold for processes that never step.
    before = dict(load_model(str(place / "model")).model.named_parameters())
    for lane in LANES:
        after = dict(load_model(str(place / "one" / "lanes" / lane)).model.named_parameters())
        moved = max((after[name] - before[name]).abs().max().item() for name in after)
        assert moved > (1e-6 if lane == "lora" else 10 * 1e-5), lane


def test_a_checkpoint_of_one_process_is_gone_on_with_by_two(place):
    assert_same_race(place / "one", place / "one-then-two")


def test_a_checkpoint_of_two_processes_is_gone_on_with_by_one(place, monkeypatch):
    folder = RunFolder(place / "two-then-one")
    ended = folder.events()[-1]
    assert isinstance(ended, RaceEnded) and ended.status == "stopped"
    use_task(monkeypatch, tiny_task())
    kept(resume_race(folder))
    assert_same_race(place / "one", folder.path)


def test_files_are_those_of_one_process_and_only_the_main_process_writes(place):
    def files(folder: Path) -> list[str]:
        return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())

    assert files(place / "whole") == files(place / "sharded") == files(place / "one")
    # The other process was given folders of its own, to catch it in the act.
    assert [path.name for path in place.iterdir() if "-of-1" in path.name] == []


def test_the_run_says_how_many_processes_it_had(place):
    notes = {
        way: next(e for e in RunFolder(place / way).events() if isinstance(e, RaceStarted)).notes
        for way in ("one", "whole", "sharded")
    }
    assert not [note for note in notes["one"] if "processes" in note]
    assert "2 processes, each with whole models, on its own rows." in notes["whole"]
    assert "2 processes, each with a part of every model (FSDP)." in notes["sharded"]


def test_a_process_that_is_killed_leaves_a_folder_to_go_on_with(place, monkeypatch):
    config = RunFolder(place / "one").config
    folder = RunFolder(place / "killed")
    job = {"config": config.model_dump(mode="json"), "folder": str(folder.path), "sharded": False}
    # Two steps of each of four lanes are an epoch, so the tenth is in the second epoch.
    done = launch_races(place, [{**job, "killed_at": 10}])
    assert done.returncode != 0
    assert not folder.done and 8 <= len(steps_of(folder.path)) <= 11
    use_task(monkeypatch, tiny_task())
    kept(resume_race(folder))
    assert folder.done
    assert_same_race(place / "one", folder.path)

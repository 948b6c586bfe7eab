"""Every method there is finishes a short race, on every architecture, and can be asked afterwards."""

import pytest
import torch

from soul_core.config import RaceConfig
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError
from soul_core.events import EpochReport, LaneEnded, RaceEnded, StepReport
from soul_core.models.loading import load_model
from soul_core.models.shelf import Shelf
from soul_core.objectives import OBJECTIVES, find_objective
from soul_core.session.ask import ask
from soul_core.session.changes import changed_lane
from soul_core.session.estimate import estimate
from soul_core.session.methods import NAMED, RUNNERS, lane_of, method_names
from soul_core.session.runmodels import models_of_run
from tests.session.tiny_race import new_run, run, tiny_config, tiny_task, use_task
from tests.tiny import ARCHITECTURES

TRAINED = [f"fo-{name}" for name, objective in OBJECTIVES.items() if objective.kind == "trained"]
OTHERS = [f"{runner}-graddiff{end}" for runner in ("so", "sign", "sgd", "release") for end in ("", "-lora", "-bf16")]
EVERY = [*TRAINED, *OTHERS, *NAMED]
RACES = [EVERY[start : start + 6] for start in range(0, len(EVERY), 6)]


@pytest.fixture(autouse=True)
def _task(monkeypatch):
    use_task(monkeypatch, tiny_task())


def lanes(methods):
    """As the presets have them, with a rank that fits the tiny models and prompts that fit their context."""
    small = {"input-based": {"max_subjects": 1}, "icul": {"wrong_shots": 1, "right_shots": 0}}
    return tuple(changed_lane(lane_of(m, "same-settings"), {"rank": 2} | small.get(m, {})) for m in methods)


def test_the_races_below_leave_no_method_out():
    assert {m.partition("-")[2] for m in EVERY if m in TRAINED} == {m.partition("-")[2] for m in TRAINED}
    missing = set(method_names()) - set(EVERY)
    # The same objective with another optimizer is the same code with another optimizer: each is here once.
    assert all(m.partition("-")[0] in RUNNERS and f"fo-{m.partition('-')[2]}" in EVERY for m in missing)


@pytest.mark.slow
@pytest.mark.parametrize("methods", RACES, ids=lambda methods: methods[0])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_method_finishes_a_race_and_can_be_asked(tiny_model_folder, tmp_path, arch, methods):
    config = tiny_config(tiny_model_folder(arch), epochs=2, lanes=lanes(methods), max_new_tokens=3)
    folder = new_run(tmp_path, config)
    events = run(config, folder)
    assert isinstance(events[-1], RaceEnded) and events[-1].status == "finished"
    ends = {event.lane: event for event in events if isinstance(event, LaneEnded)}
    assert {name: end.status for name, end in ends.items()} == dict.fromkeys(methods, "finished")
    for lane in config.lanes:
        kind = find_objective(lane.objective.name).kind
        reports = {e.epoch for e in events if isinstance(e, EpochReport) and e.lane == lane.name}
        steps = [e for e in events if isinstance(e, StepReport) and e.lane == lane.name]
        # One that acts once is a single point of the curves; a prompt takes no step.
        assert reports == ({0, 1, 2} if kind == "trained" else {1})
        assert len(steps) == {"trained": 6, "one-shot": 1, "prompt": 0}[kind]
    models = models_of_run(folder)
    assert list(models) == ["original", *methods]
    said = [update for update in ask(models, "Where was Mara 1 born?", max_new_tokens=2) if update.done]
    assert {update.model for update in said} == set(models)
    for method in methods:
        assert load_model(str(folder.lane(method))).parameters == models["original"].parameters


@pytest.mark.slow
@pytest.mark.parametrize("methods", RACES, ids=lambda methods: methods[0])
def test_every_method_finishes_a_race_on_the_pocket_model(tmp_path, monkeypatch, methods):
    monkeypatch.setattr("soul_core.session.race.load_task", load_task)
    chosen = tuple(lane_of(method, "each-at-its-best") for method in methods)
    config = RaceConfig(
        task="invented-authors:forget01", preset="each-at-its-best", lanes=chosen, epochs=1, eval_rows=3
    )
    folder = new_run(tmp_path, config)
    events = run(config, folder)
    assert {e.lane: e.status for e in events if isinstance(e, LaneEnded)} == dict.fromkeys(methods, "finished")
    assert list(models_of_run(folder)) == ["original", *methods, "gold"]


def test_a_bf16_lane_rounds_its_weights_and_nothing_else(tiny_model_folder, tmp_path):
    (lane,) = lanes(["fo-graddiff-bf16"])
    shelf = Shelf(1 << 30)
    folder = new_run(tmp_path, tiny_config(tiny_model_folder("llama"), epochs=1, lanes=(lane,)))
    run(folder.config, folder, shelf=shelf)
    path = str(folder.lane(lane.name))
    asked = shelf.get(path, lambda: pytest.fail("not on the shelf")).model
    saved = load_model(path).model
    assert {p.dtype for p in asked.parameters()} == {torch.bfloat16}
    # Rotary frequencies are buffers: rounded, the model asked would not be the one that is saved.
    theirs = dict(saved.named_buffers())
    assert theirs and all(torch.equal(buffer, theirs[name]) for name, buffer in asked.named_buffers())
    weights = dict(saved.named_parameters())
    assert all(torch.equal(p.float(), weights[name]) for name, p in asked.named_parameters())


def test_a_prompt_and_an_adapter_are_refused_as_a_start_before_anything_is_asked(tiny_model_folder, tmp_path):
    model = tiny_model_folder("llama")
    made = new_run(tmp_path, tiny_config(model, epochs=1, lanes=lanes(["icul", "ga-lora"]), max_new_tokens=3))
    run(made.config, made)
    for start, method, said in (
        ("icul", "fo-graddiff", "is a prompt put to"),
        ("ga-lora", "fo-graddiff-lora", "cannot put a second one on top"),
    ):
        config = tiny_config(made.lane(start), lanes=lanes([method]))
        folder = new_run(tmp_path, config)
        with pytest.raises(ConfigError, match=said):
            run(config, folder)
        assert [event.kind for event in folder.events()] == ["ended"]
    assert load_model(str(made.lane("icul"))).fingerprint != load_model(str(model)).fingerprint


@pytest.mark.parametrize("method", ["loku", "influence", "influence-cg", "input-based", "fo-dpo", "fo-kl"])
def test_its_time_and_memory_are_estimated_before(tiny_model_folder, monkeypatch, method):
    monkeypatch.setattr("soul_core.session.estimate.load_task", lambda _: tiny_task())
    found = estimate(tiny_config(tiny_model_folder(), lanes=lanes([method])))
    assert found.seconds > 0
    assert found.memory_mb > 0

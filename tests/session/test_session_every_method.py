"""Every method there is finishes a short race, on every architecture, and can be asked afterwards."""

import pytest

from soul_core.events import EpochReport, LaneEnded, RaceEnded, StepReport
from soul_core.models.loading import load_model
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


@pytest.mark.parametrize("method", ["loku", "influence", "influence-cg", "input-based", "fo-dpo", "fo-kl"])
def test_its_time_and_memory_are_estimated_before(tiny_model_folder, monkeypatch, method):
    monkeypatch.setattr("soul_core.session.estimate.load_task", lambda _: tiny_task())
    found = estimate(tiny_config(tiny_model_folder(), lanes=lanes([method])))
    assert found.seconds > 0
    assert found.memory_mb > 0

"""A race that was killed or stopped anywhere ends, resumed, with the weights of an unbroken one, bit for bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from soul_core.errors import RunError
from soul_core.events import EpochReport, LaneEnded, RaceEnded, StepReport
from soul_core.models.loading import load_model
from soul_core.runs.folder import EVENTS
from soul_core.session import lane as lane_module
from soul_core.session import race as race_module
from soul_core.session.changes import changed_lane
from soul_core.session.methods import lane_of
from soul_core.session.race import race, resume_race
from tests.session.tiny_race import kept, new_run, run, same_weights, tiny_config, tiny_lane, tiny_task, use_task


@pytest.fixture
def model(tiny_model_folder) -> Path:
    return tiny_model_folder()


@pytest.fixture(autouse=True)
def _task(monkeypatch):
    use_task(monkeypatch, tiny_task())


def timeless(events) -> list:
    """What happened, without how long it took."""
    plain = []
    for event in events:
        if isinstance(event, StepReport):
            event = replace(event, seconds=0.0, tokens_per_second=0.0, memory_mb=0.0)
        elif isinstance(event, EpochReport):
            event = replace(event, train_seconds=0.0, eval_seconds=0.0)
        elif isinstance(event, RaceEnded):
            event = replace(event, seconds=0.0)
        plain.append(event)
    return plain


def unbroken(model, tmp_path, **changes):
    config = tiny_config(model, **changes)
    folder = new_run(tmp_path, config)
    return config, folder, run(config, folder)


def stop_after(events, count: int) -> None:
    for number, _ in enumerate(events, start=1):
        if number == count:
            break
    events.close()


LANES = {
    "fo-pdu": {},  # the weight of its retain term moves from step to step
    "so-dpo": {},
    "so-kl": {},
    "fo-rmu": {},
    "so-graddiff-lora": {"rank": 2},
    "loku": {"rank": 2},
    "fo-npo-bf16": {},
    "so-graddiff-bf16": {},
    "so-ihl": {"curvature": "hutchinson", "curvature_every": 2},
    "release-graddiff": {},
    "sgd-ga": {},
}


@pytest.mark.parametrize("method", LANES)
def test_a_lane_of_any_kind_resumed_is_bit_identical(model, tmp_path, method):
    lane = changed_lane(lane_of(method, "same-settings"), {"lr": 1e-3, **LANES[method]})
    config, whole, expected = unbroken(model, tmp_path, lanes=(lane,), epochs=2)
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, StepReport) and event.epoch == 2:
            break
    events.close()
    # The first event names the run, the last one its time.
    assert timeless(kept(resume_race(folder)))[1:-1] == timeless(expected)[1:-1]
    first, second = (load_model(str(f.lane(method))).model.state_dict() for f in (whole, folder))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    start = load_model(str(model)).model.state_dict()
    assert any(not torch.equal(first[name], start[name]) for name in first), "nothing was trained"


@pytest.mark.parametrize("lost", [False, True])
def test_a_lora_lane_that_had_ended_stays_as_it_is_while_another_goes_on(model, tmp_path, lost):
    lanes = tuple(changed_lane(lane_of(m, "same-settings"), {"rank": 2, "lr": 1e-3}) for m in ("loku", "fo-graddiff"))
    config, whole, _ = unbroken(model, tmp_path, lanes=lanes, epochs=2)
    folder = new_run(tmp_path, config)
    stop_after_lane(race(config, folder), "loku")
    if lost:  # killed between the last weights and the event that says so
        kept_events = [e for e in folder.events() if not isinstance(e, LaneEnded)]
        folder.rewrite_events(kept_events)
    events = kept(resume_race(folder))
    assert events[-1].status == "finished"
    assert [e.lane for e in events if isinstance(e, LaneEnded)] == ["loku", "fo-graddiff"]
    assert (whole.lane("loku") / "adapter_model.safetensors").read_bytes() == (
        folder.lane("loku") / "adapter_model.safetensors"
    ).read_bytes()
    assert same_weights(whole.lane("fo-graddiff"), folder.lane("fo-graddiff"))


def stop_after_lane(events, lane: str) -> None:
    for event in events:
        if isinstance(event, LaneEnded) and event.lane == lane:
            break
    events.close()


@pytest.mark.parametrize("objective", ["graddiff", "npo", "po"])
@pytest.mark.parametrize("after", [("fo", 1), ("so", 1), ("fo", 2), ("so", 3)])
def test_stopped_after_an_epoch_and_resumed_is_bit_identical(model, tmp_path, objective, after):
    lanes = (tiny_lane("fo", objective=objective), tiny_lane("so", objective=objective))
    config, whole, expected = unbroken(model, tmp_path, lanes=lanes)
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, EpochReport) and (event.lane, event.epoch) == after:
            break
    events.close()
    resumed = kept(race(config, folder, resume=True))
    for lane in ("fo", "so"):
        assert same_weights(whole.lane(lane), folder.lane(lane))
    run_id = resumed[0].run_id
    assert timeless(resumed) == timeless([replace(expected[0], run_id=run_id), *expected[1:]])
    assert folder.events() == resumed
    assert folder.done


@pytest.mark.parametrize("lane", ["fo", "so", "sign"])
def test_stopped_within_an_epoch_its_steps_are_taken_again(model, tmp_path, lane):
    config, whole, expected = unbroken(model, tmp_path, lanes=(tiny_lane(lane),))
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, StepReport) and event.step == 5:  # the second of epoch 2
            break
    events.close()
    resumed = run(config, folder, resume=True)
    assert same_weights(whole.lane(lane), folder.lane(lane))
    steps = [e.step for e in resumed if isinstance(e, StepReport)]
    assert steps == [e.step for e in expected if isinstance(e, StepReport)] == list(range(1, 10))


def test_the_log_may_lack_its_last_lines_after_a_kill(model, tmp_path):
    # As after kill -9 between the checkpoint and its report: weights of epoch 2, log up to within epoch 2, cut short.
    config, whole, expected = unbroken(model, tmp_path, lanes=(tiny_lane("so"),))
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, EpochReport) and event.epoch == 2:
            break
    events.close()
    log = folder.path / EVENTS
    lines = log.read_bytes().splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if b'"step":6' in line)
    log.write_bytes(b"".join(lines[: place + 1]) + b'{"kind":"epoch","lane":"so","epo')
    resumed = run(config, folder, resume=True)
    assert same_weights(whole.lane("so"), folder.lane("so"))
    assert timeless(resumed)[1:] == timeless(expected)[1:]


@pytest.mark.parametrize("count", [1, 4, 12, 30, 50, 70])
def test_a_race_stopped_at_any_event_ends_the_same(model, tmp_path, count):
    config, whole, _ = unbroken(model, tmp_path)
    folder = new_run(tmp_path, config)
    stop_after(race(config, folder), count)
    run(config, folder, resume=True)
    for lane in ("fo", "so"):
        assert same_weights(whole.lane(lane), folder.lane(lane))


def test_a_log_that_is_gone_altogether_still_ends_with_the_same_weights(model, tmp_path):
    config, whole, _ = unbroken(model, tmp_path)
    folder = new_run(tmp_path, config)
    stop_after(race(config, folder), 60)
    (folder.path / EVENTS).unlink()
    resumed = run(config, folder, resume=True)
    assert same_weights(whole.lane("so"), folder.lane("so"))
    assert [e.kind for e in resumed].count("started") == 1


def test_a_diverged_lane_stays_diverged(model, tmp_path, monkeypatch):
    real = lane_module.unlearn

    def diverging(net, *args, **settings):
        for report in real(net, *args, **settings):
            if report.clip_share is not None and report.step == 5:
                raise lane_module_diverged()
            yield report

    def lane_module_diverged():
        return race_module.Diverged("Step 5: the loss is nan. Lower the learning rate.")

    monkeypatch.setattr(lane_module, "unlearn", diverging)
    config = tiny_config(model, lanes=(tiny_lane("so"), tiny_lane("fo")))
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, LaneEnded):
            break
    events.close()
    monkeypatch.setattr(lane_module, "unlearn", real)
    resumed = run(config, folder, resume=True)
    ends = [(e.lane, e.status) for e in resumed if isinstance(e, LaneEnded)]
    assert ends == [("so", "diverged"), ("fo", "finished")]
    assert [e.step for e in resumed if isinstance(e, StepReport) and e.lane == "so"] == [1, 2, 3, 4]


def test_resuming_uses_the_precision_that_the_race_began_with(model, tmp_path, monkeypatch):
    config = tiny_config(model, epochs=2, precision="bfloat16")
    folder = new_run(tmp_path, config)
    stop_after(race(config, folder), 40)
    asked = []
    real = race_module.choose_precision
    monkeypatch.setattr(race_module, "choose_precision", lambda name, device: asked.append(name) or real(name, device))
    folder.note(precision="float32")  # as if auto had come out so
    run(config, folder, resume=True)
    assert asked == ["float32"]


def test_a_finished_race_has_nothing_to_resume(model, tmp_path):
    config, folder, _ = unbroken(model, tmp_path, epochs=1)
    before = folder.events()
    with pytest.raises(RunError, match="nothing to resume"):
        run(config, folder, resume=True)
    assert folder.events()[: len(before)] == before


def test_other_settings_other_rows_and_other_weights_are_refused(model, tmp_path, monkeypatch):
    config = tiny_config(model)
    folder = new_run(tmp_path, config)
    stop_after(race(config, folder), 60)
    with pytest.raises(RunError, match="other settings"):
        run(config.but(seed=5), folder, resume=True)
    folder.note(model_fingerprint="0" * 64)
    with pytest.raises(RunError, match=r"The weights of .* have changed"):
        run(config, folder, resume=True)
    folder.note(model_fingerprint="")
    use_task(monkeypatch, tiny_task(retain=tiny_task().retain[:-1]))
    with pytest.raises(RunError, match=r"The rows of .* have changed"):
        run(config, folder, resume=True)
    # nothing was lost by trying: with the rows back it ends
    use_task(monkeypatch, tiny_task())
    assert kept(resume_race(folder))[-1].status == "finished"


def test_a_damaged_checkpoint_is_a_sentence(model, tmp_path):
    config = tiny_config(model)
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, EpochReport) and event.epoch == 1:
            break
    events.close()
    (folder.checkpoint("fo") / "optimizer.safetensors").write_bytes(b"nonsense")
    with pytest.raises(RunError, match="cannot be read"):
        run(config, folder, resume=True)

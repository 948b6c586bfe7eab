"""A race from settings to folder: order of events, what is shared, what is kept, what goes wrong."""

import csv
import errno
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM

from soul_core.errors import Diverged, ModelError, RunError
from soul_core.evaluation.scorecard import examine
from soul_core.events import EpochReport, LaneEnded, Progress, RaceEnded, RaceStarted, StepReport
from soul_core.models.loading import load_model
from soul_core.models.shelf import Shelf
from soul_core.runs import folder as folder_module
from soul_core.session import body as body_module
from soul_core.session import keeper as keeper_module
from soul_core.session import lane as lane_module
from soul_core.session import race as race_module
from soul_core.session import references as references_module
from soul_core.session.examined import Examined
from soul_core.session.race import finish, race
from tests.session.tiny_race import (
    kept,
    new_run,
    rows,
    run,
    same_weights,
    tiny_config,
    tiny_lane,
    tiny_task,
    use_task,
    weights,
)


@pytest.fixture
def model(tiny_model_folder) -> Path:
    return tiny_model_folder()


@pytest.fixture(autouse=True)
def _task(monkeypatch):
    use_task(monkeypatch, tiny_task())


def brief(event) -> tuple:
    return (event.kind, getattr(event, "lane", ""), getattr(event, "epoch", None))


def test_lanes_take_turns_and_every_curve_begins_with_the_original(model, tmp_path):
    config = tiny_config(model, epochs=2)
    events = [event for event in run(config, new_run(tmp_path, config)) if not isinstance(event, StepReport)]
    assert [brief(event) for event in events] == [
        ("started", "", None),
        ("epoch", "original", 0),
        ("epoch", "fo", 0),
        ("epoch", "so", 0),
        ("epoch", "fo", 1),
        ("epoch", "so", 1),
        ("epoch", "fo", 2),
        ("lane-ended", "fo", 2),
        ("epoch", "so", 2),
        ("lane-ended", "so", 2),
        ("epoch", "original", 0),  # the further sets
        ("ended", "", None),
    ]
    by_lane = {(event.lane, event.epoch): event for event in events if isinstance(event, EpochReport)}
    assert by_lane["fo", 0].scores == by_lane["so", 0].scores
    assert set(by_lane["fo", 1].scores) == {"forget", "retain"}
    assert set(by_lane["fo", 2].scores) == set(by_lane["original", 0].scores) == {"forget", "retain", "world_facts"}
    assert by_lane["so", 1].clip_share is not None
    assert by_lane["fo", 1].clip_share is None


def test_the_start_says_what_will_be_trained_and_asked(model, tmp_path):
    config = tiny_config(model, accumulation=2)
    first = next(e for e in race(config, new_run(tmp_path, config)) if isinstance(e, RaceStarted))
    # 6 rows by 2 are 3 batches, in groups of 2: 2 steps
    assert (first.forget_rows, first.retain_rows, first.steps_per_epoch) == (6, 20, 2)
    assert first.eval_rows == {"forget": 6, "retain": 8, "world_facts": 3}
    assert first.parameters == load_model(str(model)).parameters
    assert (first.gold, first.device, first.precision) == ("", "cpu", "float32")


@pytest.mark.parametrize("accumulation", [1, 2])
def test_every_lane_takes_the_announced_steps_numbered_over_the_whole_race(model, tmp_path, accumulation):
    config = tiny_config(model, epochs=2, accumulation=accumulation)
    events = run(config, new_run(tmp_path, config))
    per_epoch = events[0].steps_per_epoch
    for lane in ("fo", "so"):
        steps = [(e.epoch, e.step) for e in events if isinstance(e, StepReport) and e.lane == lane]
        assert steps == [(epoch, (epoch - 1) * per_epoch + i + 1) for epoch in (1, 2) for i in range(per_epoch)]


def test_a_lane_does_not_depend_on_who_else_runs(model, tmp_path):
    both = tiny_config(model, epochs=2)
    alone = tiny_config(model, epochs=2, lanes=(tiny_lane("so"),))
    first, second = new_run(tmp_path, both), new_run(tmp_path, alone)
    run(both, first)
    run(alone, second)
    assert same_weights(first.lane("so"), second.lane("so"))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(model, tmp_path):
    folders = []
    for seed in (0, 0, 1):
        config = tiny_config(model, epochs=1, seed=seed)
        folders.append(new_run(tmp_path, config))
        run(config, folders[-1])
    for lane in ("fo", "so"):
        assert same_weights(folders[0].lane(lane), folders[1].lane(lane))
        assert not same_weights(folders[0].lane(lane), folders[2].lane(lane))


def test_the_original_is_not_touched(model, tmp_path):
    shelf = Shelf(1 << 30)
    config = tiny_config(model, epochs=1)
    original = shelf.get(config.model, lambda: load_model(config.model))
    before = {name: p.clone() for name, p in original.model.named_parameters()}
    folder = new_run(tmp_path, config)
    run(config, folder, shelf=shelf)
    assert all(torch.equal(before[name], p) for name, p in original.model.named_parameters())
    result = shelf.get(str(folder.lane("so")), lambda: pytest.fail("the result is not on the shelf"))
    assert any(not torch.equal(before[name], p) for name, p in result.model.named_parameters())
    assert not any(p.requires_grad for p in result.model.parameters())


def test_the_folder_holds_weights_curves_answers_report_and_mark(model, tmp_path):
    config = tiny_config(model)
    folder = new_run(tmp_path, config)
    events = run(config, folder)
    assert folder.events() == events
    assert folder.done
    AutoModelForCausalLM.from_pretrained(folder.lane("fo"))
    assert load_model(str(folder.lane("so"))).template == load_model(str(model)).template
    assert not folder.checkpoint("so").exists()
    assert not list(folder.lane("so").glob("optimizer*"))
    sheet = folder.answers()
    assert {name: len(asked) for name, asked in sheet.sets.items()} == {"forget": 6, "retain": 8, "world_facts": 3}
    assert set(sheet.sets["forget"][0].answers) == {"original", "fo", "so"}
    assert sheet.sets["forget"][0].truth == "Mara 0 was born in Velden 0."
    with (folder.path / "curves.csv").open() as file:
        assert {row["lane"] for row in csv.DictReader(file)} == {"original", "fo", "so"}
    manifest = folder.manifest()
    assert manifest.model_fingerprint == load_model(str(model)).fingerprint
    assert len(manifest.data_hash) == 64
    assert manifest.precision == "float32"
    assert manifest.command.startswith("python -m soul_core race --model ")
    assert manifest.data_hash in (folder.path / "report.html").read_text()


def returned(steps):
    """What a generator returns in the end."""
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        return stop.value


def test_a_report_is_on_the_lanes_own_weights(model, tmp_path):
    config = tiny_config(model, epochs=1)
    folder = new_run(tmp_path, config)
    reports = {e.lane: e for e in run(config, folder) if isinstance(e, EpochReport)}
    for lane in ("fo", "so"):
        loaded = load_model(str(folder.lane(lane)))
        sets = {"forget": tiny_task().eval_sets["forget"]}
        asking = examine(loaded.model, loaded.tokenizer, loaded.template, sets, max_new_tokens=config.max_new_tokens)
        likely = returned(asking).scores["forget"].probability
        assert reports[lane].scores["forget"].probability == pytest.approx(likely, rel=1e-4)
        assert reports[lane].scores["forget"].probability != reports["original"].scores["forget"].probability


def test_evaluating_every_second_epoch_still_evaluates_the_last_and_counts_all_time(model, tmp_path):
    config = tiny_config(model, epochs=3, eval_every=2)
    events = run(config, new_run(tmp_path, config))
    reports = [e for e in events if isinstance(e, EpochReport) and e.lane == "so"]
    assert [e.epoch for e in reports] == [0, 2, 3]
    steps = [e for e in events if isinstance(e, StepReport) and e.lane == "so"]
    assert reports[1].train_seconds == pytest.approx(sum(e.seconds for e in steps if e.epoch <= 2))
    assert reports[1].clip_share == pytest.approx(sum(e.clip_share for e in steps if e.epoch <= 2) / 6)


@pytest.mark.parametrize("objective", ["ga", "graddiff", "po", "npo"])
def test_every_objective_runs(model, tmp_path, objective):
    config = tiny_config(model, epochs=1, lanes=(tiny_lane("so", objective=objective),))
    events = run(config, new_run(tmp_path, config))
    assert events[-1].status == "finished"


def test_po_trains_on_refusals_that_stay_the_same_in_every_epoch(model, tmp_path, monkeypatch):
    seen: list[set[str]] = []
    real = race_module.prepare

    def spy(config, task, original):
        material = real(config, task, original)
        decode = original.tokenizer.decode
        for _ in (1, 2):
            examples = material.forget_examples(config.lanes[0].objective)
            seen.append({decode(e.input_ids[e.prompt_length :], skip_special_tokens=True).strip() for e in examples})
        return material

    monkeypatch.setattr(race_module, "prepare", spy)
    config = tiny_config(model, epochs=2, lanes=(tiny_lane("fo", objective="po"),))
    run(config, new_run(tmp_path, config))
    assert seen[0] == seen[1]
    from_task = {row.answer for row in tiny_task().forget}
    assert seen[0].isdisjoint(from_task)


def test_the_reference_of_npo_is_computed_once_for_all_lanes(model, tmp_path, monkeypatch):
    calls = []
    real = references_module.reference_nll
    monkeypatch.setattr(references_module, "reference_nll", lambda *a, **k: calls.append(1) or real(*a, **k))
    lanes = (tiny_lane("fo", objective="npo"), tiny_lane("so", objective="npo"))
    config = tiny_config(model, epochs=2, lanes=lanes)
    events = run(config, new_run(tmp_path, config))
    assert calls == [1]
    first = next(e for e in events if isinstance(e, StepReport))
    # At the reference NPO is 2 ln 2 / beta per sequence; with beta 0.1 that is 13.86.
    assert first.forget_loss == pytest.approx(13.8629, abs=1e-3)


def test_gold_is_asked_after_the_first_epoch_and_at_the_end(model, tmp_path, monkeypatch):
    monkeypatch.setattr(race_module, "find_gold", lambda *_: str(model))
    config = tiny_config(model, epochs=2)
    folder = new_run(tmp_path, config)
    events = [brief(e) for e in run(config, folder) if isinstance(e, EpochReport)]
    assert events.index(("epoch", "gold", 0)) == events.index(("epoch", "so", 1)) + 1
    assert events[-2:] == [("epoch", "original", 0), ("epoch", "gold", 0)]
    assert folder.manifest().gold == str(model)


def test_a_gold_that_cannot_be_loaded_costs_the_gold_alone(model, tmp_path, monkeypatch):
    monkeypatch.setattr(race_module, "find_gold", lambda *_: str(tmp_path / "no-such-model"))
    config = tiny_config(model, epochs=1)
    events = run(config, new_run(tmp_path, config))
    assert events[-1].status == "finished"
    assert events[-1].message.startswith("Gold could not be asked: ")


def test_a_task_with_no_retain_rows_to_ask_runs(model, tmp_path, monkeypatch):
    use_task(monkeypatch, tiny_task(retain=(), eval_sets={"forget": rows(6, "Mara"), "retain": ()}))
    config = tiny_config(model, epochs=1, lanes=(tiny_lane("fo", objective="ga"),))
    events = run(config, new_run(tmp_path, config))
    assert events[-1].status == "finished"
    assert [set(e.scores) for e in events if isinstance(e, EpochReport)] == [{"forget"}] * 3


def test_a_diverged_lane_keeps_its_last_good_weights_and_the_other_goes_on(model, tmp_path, monkeypatch):
    real = lane_module.unlearn
    good = {}

    def diverging(net, *args, **settings):
        for report in real(net, *args, **settings):
            if report.clip_share is not None and report.step == 5:
                raise Diverged("Step 5: the loss is nan, so the step was not taken. Lower the learning rate.")
            yield report
            if report.clip_share is not None:
                good.update({name: p.detach().clone() for name, p in net.named_parameters()})

    monkeypatch.setattr(lane_module, "unlearn", diverging)
    config = tiny_config(model)
    folder = new_run(tmp_path, config)
    events = run(config, folder)
    ends = {e.lane: e for e in events if isinstance(e, LaneEnded)}
    # 3 steps an epoch: step 5 is in epoch 2, so one epoch is complete
    assert (ends["so"].status, ends["so"].epoch, ends["fo"].status) == ("diverged", 1, "finished")
    assert "Lower the learning rate." in ends["so"].message
    assert events[-1].status == "finished"
    assert "SO diverged. Step 5" in events[-1].message
    assert folder.weights("so") == folder.lane("so")
    report = (folder.path / "report.html").read_text()
    assert "SO (diverged)" in report
    assert good.keys() >= weights(folder.lane("so")).keys()


def test_stopping_keeps_complete_epochs_and_the_log_says_stopped(model, tmp_path):
    config = tiny_config(model)
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, EpochReport) and event.epoch == 1 and event.lane == "so":
            break
    events.close()
    assert folder.events()[-1].status == "stopped"
    assert not folder.done
    assert folder.weights("so") == folder.checkpoint("so")
    AutoModelForCausalLM.from_pretrained(folder.weights("so"))
    finish(folder)
    assert "Stopped, after epoch 1 of 3: " in (folder.path / "report.html").read_text()


def test_events_arrive_often_enough_to_stop_anywhere(model, tmp_path):
    config = tiny_config(model, epochs=1)
    names = {event.what for event in race(config, new_run(tmp_path, config)) if isinstance(event, Progress)}
    assert names == {"Loading the model", "Asking questions", "Scoring answers"}


def test_time_that_the_consumer_takes_is_not_the_races(model, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(race_module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    config = tiny_config(model, epochs=1)
    for event in race(config, new_run(tmp_path, config)):
        clock[0] += 1000.0  # a person looks at the paused race
        last = event
    assert last.seconds == pytest.approx(0.0)


def test_the_stopwatch_adds_up_work_and_leaves_out_pauses(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(race_module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    watch = race_module._Stopwatch()
    for work, pause in ((5.0, 1000.0), (2.0, 7.0), (1.0, 0.0)):
        clock[0] += work
        with watch.paused():
            clock[0] += pause
    assert watch.seconds() == 8.0


def test_an_unknown_model_ends_the_log_with_the_same_sentence(tmp_path):
    config = tiny_config(tmp_path / "nothing")
    folder = new_run(tmp_path, config)
    with pytest.raises(ModelError) as caught:
        run(config, folder)
    assert folder.events() == [replace(folder.events()[-1], status="failed", message=str(caught.value))]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_too_little_memory_is_a_sentence(model, tmp_path, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(body_module, "copy_of", refuse)
    config = tiny_config(model)
    folder = new_run(tmp_path, config)
    with pytest.raises(RunError, match="does not fit into memory with 2 lanes and batch size 2"):
        run(config, folder)
    assert folder.events()[-1].status == "failed"


def test_a_full_disk_costs_files_but_not_the_race(model, tmp_path, monkeypatch):
    config = tiny_config(model, epochs=1)
    folder = new_run(tmp_path, config)
    shelf = Shelf(1 << 30)

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder_module, "write_text", refuse)
    monkeypatch.setattr(body_module, "write_model", refuse)
    events = run(config, folder, shelf=shelf)
    assert [brief(e) for e in events if isinstance(e, LaneEnded)] == [("lane-ended", "fo", 1), ("lane-ended", "so", 1)]
    assert events[-1].status == "finished"
    assert events[-1].message.startswith("The disk is full: ")
    assert events[-1].message.count("The disk is full") == 1
    assert not folder.done
    assert kept(folder.events())[:-1] == events[:-1]  # appending still worked
    assert shelf.get(str(folder.lane("so")), lambda: pytest.fail("the weights are lost"))


def test_a_checkpoint_that_would_fill_the_disk_is_not_begun(model, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(keeper_module, "disk_usage", lambda _: usage._replace(free=33 << 20))
    monkeypatch.setattr(lane_module.Lane, "checkpoint_bytes", property(lambda _: 2 << 20))
    config = tiny_config(model, epochs=1)
    events = run(config, new_run(tmp_path, config))
    assert events[-1].message.startswith("The disk has 33 MB left and a checkpoint needs 2 MB")


def test_examinations_are_remembered_by_key_and_the_oldest_go():
    found = Examined()
    for i in range(40):
        found.put(str(i), f"examination {i}")  # type: ignore[arg-type]
    assert found.get("7") is None
    assert found.get("8") == "examination 8"
    found.put("new", "x")  # type: ignore[arg-type]
    assert found.get("8") is not None  # just asked for, so 9 went
    assert found.get("9") is None


def test_a_second_race_does_not_ask_the_original_again(model, tmp_path, monkeypatch):
    monkeypatch.setattr(race_module, "EXAMINED", Examined())
    config = tiny_config(model, epochs=1)
    asked = []
    for _ in (1, 2):
        events = list(race(config, new_run(tmp_path, config)))
        asked.append(sum(isinstance(e, Progress) and e.lane == "original" for e in events))
        reports = [e.scores for e in events if isinstance(e, EpochReport) and e.lane == "original"]
        assert set(reports[-1]) == {"forget", "retain", "world_facts"}
    assert asked[0] > 0
    assert asked[1] == 0


def test_a_finished_race_ends_with_its_end(model, tmp_path):
    config = tiny_config(model, epochs=1)
    folder = new_run(tmp_path, config)
    events = race(config, folder)
    for event in events:
        if isinstance(event, RaceEnded):
            break
    events.close()  # after the end: nothing to stop
    assert [e.status for e in folder.events() if isinstance(e, RaceEnded)] == ["finished"]

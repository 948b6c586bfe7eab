"""What makes a race fit changes nothing of its result: checkpointing to the bit, parts of a batch up to rounding."""

import re
from dataclasses import replace

import pytest
import torch

from soul_core.config import WeightsConfig
from soul_core.engine import step as step_module
from soul_core.errors import ConfigError
from soul_core.evaluation.generation import generate
from soul_core.events import LaneEnded, RaceStarted
from soul_core.models.loading import load_model
from soul_core.session import room as room_module
from soul_core.session.lanes import LaneMaker, made
from soul_core.session.material import prepare
from soul_core.session.needed import Fit
from tests.session.tiny_race import new_run, run, same_weights, tiny_config, tiny_lane, tiny_task, use_task, weights

LORA = WeightsConfig(kind="lora", rank=2)


@pytest.fixture(autouse=True)
def _task(monkeypatch):
    use_task(monkeypatch, tiny_task())


def lane_of(config, entry):
    """The lane on a fresh copy, and its model."""
    task, original = tiny_task(), load_model(config.model)
    material = prepare(config, task, original)
    maker = LaneMaker(config, task, material, original, device=torch.device("cpu"), autocast_dtype=None)
    return made(maker.make(entry))


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_checkpointing_gives_the_same_weights_to_the_bit(tiny_model_folder, tmp_path, arch):
    plain = tiny_config(tiny_model_folder(arch), epochs=2, checkpointing="off")
    folders = [new_run(tmp_path / name, plain.but(checkpointing=name)) for name in ("off", "on")]
    events = [run(folder.config, folder) for folder in folders]
    for name in ("fo", "so"):
        assert same_weights(folders[0].lane(name), folders[1].lane(name))
    started = [next(event for event in of if isinstance(event, RaceStarted)) for of in events]
    assert "Gradient checkpointing: as set." in started[1].notes
    assert not any("checkpointing" in note for note in started[0].notes)


def test_fewer_activations_are_kept(tiny_model_folder):
    kept = {}
    for name in ("off", "on"):
        config = tiny_config(tiny_model_folder("llama"), checkpointing=name)
        lane, sizes = lane_of(config, config.lanes[0]), []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        ):
            next(lane.train_epoch())
        kept[name] = sum(sizes)
    # What is calculated again is kept again, within a checkpoint of its own, and not seen from outside.
    assert kept["on"] < kept["off"] / 2


def test_lora_with_checkpointing_trains_as_without(tiny_model_folder, tmp_path):
    lane = tiny_lane("fo").but(weights=LORA)
    found = {}
    for name in ("off", "on"):
        config = tiny_config(tiny_model_folder("llama"), lanes=(lane,), checkpointing=name)
        one = lane_of(config, lane)
        before = {key: p.clone() for key, p in one.loaded.model.named_parameters() if p.requires_grad}
        list(one.train_epoch())
        found[name] = {key: p.clone() for key, p in one.loaded.model.named_parameters() if p.requires_grad}
        moved = [key for key, p in found[name].items() if not torch.equal(p, before[key])]
        # B starts at zero, so A stays for a step and moves after it: everything has moved after three.
        assert len(moved) == len(before) > 0
    assert all(torch.equal(p, found["on"][key]) for key, p in found["off"].items())


def test_hutchinsons_second_derivative_goes_through_checkpoints(tiny_model_folder):
    lane = tiny_lane("so", curvature="hutchinson")
    found = []
    for name in ("off", "on"):
        config = tiny_config(tiny_model_folder("llama"), lanes=(lane,), checkpointing=name)
        one = lane_of(config, lane)
        found.append([report.update_norm for report in one.train_epoch()])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_answers_are_decoded_with_a_cache_after_checkpointed_steps(tiny_model_folder, monkeypatch):
    config = tiny_config(tiny_model_folder("llama"), checkpointing="on")
    lane = lane_of(config, config.lanes[0])
    list(lane.train_epoch())
    loaded, widths = lane.loaded, []
    hook = loaded.model.get_input_embeddings().register_forward_pre_hook(
        lambda _, args: widths.append(args[0].shape[1])
    )
    list(generate(loaded.model, loaded.tokenizer, [[1, 2, 3, 4]], max_new_tokens=3))
    hook.remove()
    # The prompt once, then a token at a time; without a cache it would be 4, 5, 6.
    assert widths == [4, 1, 1][: len(widths)] and len(widths) > 1
    # Whoever trains the model later decides anew.
    assert not any(getattr(module, "gradient_checkpointing", False) for module in lane.end().model.modules())


def test_a_batch_in_parts_gives_the_same_weights_up_to_rounding(tiny_model_folder, tmp_path):
    model = tiny_model_folder("llama")
    configs = [tiny_config(model, epochs=2, micro_batch=rows) for rows in (0, 1)]
    folders = [new_run(tmp_path / str(i), config) for i, config in enumerate(configs)]
    for folder in folders:
        run(folder.config, folder)
    for name in ("fo", "so"):
        whole, parts = (weights(folder.lane(name)) for folder in folders)
        start = dict(load_model(str(model)).model.named_parameters())
        for key, w in whole.items():
            moved = (w - start[key].detach()).abs().max() if key in start else torch.tensor(1.0)
            assert (parts[key] - w).abs().max() < 0.02 * moved + 1e-7, key


def test_memory_that_runs_out_mid_run_is_a_note_and_the_race_goes_on(tiny_model_folder, tmp_path, monkeypatch):
    entry = tiny_lane("fo")
    config = tiny_config(tiny_model_folder("llama"), lanes=(entry,), epochs=2)
    folder, calm = new_run(tmp_path / "short", config), new_run(tmp_path / "calm", config)
    run(config, calm)
    real, seen = step_module.Shares._values, []

    def short_of_memory(self, share, *given, **how):
        seen.append(len(share.batch.row_B))
        if len(seen) > 1 and seen[-1] > 2:  # the first step has room for all 4 rows, no later one
            raise torch.OutOfMemoryError("no room")
        return real(self, share, *given, **how)

    monkeypatch.setattr(step_module.Shares, "_values", short_of_memory)
    events = run(config, folder)
    (ended,) = [event for event in events if isinstance(event, LaneEnded)]
    assert ended.message == "Out of memory at step 2: it goes on with 2 rows at a time; the batch stays 4."
    # Told once: the epochs to come begin with what fits.
    assert seen.count(4) == 2
    whole, parts = weights(calm.lane("fo")), weights(folder.lane("fo"))
    assert all(torch.allclose(w, parts[key], atol=1e-4) for key, w in whole.items())


def test_the_plan_of_the_tokenised_rows_is_what_the_race_does(tiny_model_folder, tmp_path, monkeypatch):
    config = tiny_config(tiny_model_folder("llama"), lanes=(tiny_lane("fo"),), epochs=1)
    seen = []
    real = room_module.require_room

    def tight(config, shape, device, **known):
        found = real(config, shape, device, **known)
        seen.append(known.get("load"))
        return replace(found, fit=Fit(True, 1), available=1.0)

    monkeypatch.setattr("soul_core.session.launched.require_room", tight)
    folder = new_run(tmp_path, config)
    events = run(config, folder)
    (started,) = [event for event in events if isinstance(event, RaceStarted)]
    assert any(note.startswith("Gradient checkpointing and 1 row at a time: without it") for note in started.notes)
    first, then = seen
    assert first is None and then.batch.rows == 4 and then.batch.answers < then.batch.tokens
    # What a person set is what the run keeps: another machine chooses for itself.
    assert folder.config.checkpointing == "auto"


def test_an_architecture_without_checkpointing_says_so(tiny_model_folder, monkeypatch):
    config = tiny_config(tiny_model_folder("llama"), checkpointing="on")
    monkeypatch.setattr("transformers.PreTrainedModel.supports_gradient_checkpointing", False)
    monkeypatch.setattr("transformers.LlamaPreTrainedModel.supports_gradient_checkpointing", False)
    with pytest.raises(ConfigError, match=r"has no gradient checkpointing\. Set it to off"):
        lane_of(config, config.lanes[0])


def test_a_lane_with_states_in_8_bits_says_how_far_off_they_are_and_one_in_fp32_does_not(tiny_model_folder, tmp_path):
    entry = tiny_lane("so")
    small = entry.but(name="so8", optimizer=entry.optimizer.but(state="int8"))
    folder = new_run(tmp_path / "run", tiny_config(tiny_model_folder("llama"), lanes=(entry, small)))
    ended = {event.lane: event.message for event in run(folder.config, folder) if isinstance(event, LaneEnded)}
    assert "8 bits" not in ended["so"]
    said = re.search(r"kept in 8 bits: ([\d.]+) % off", ended["so8"])
    assert said is not None and float(said[1]) < 10

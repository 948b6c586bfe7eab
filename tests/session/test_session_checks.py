"""What cannot work is one sentence before anything is loaded or asked."""

import pytest
import torch

from soul_core.errors import ConfigError, DatasetError, RunError
from soul_core.models.memory import shape_of
from soul_core.session import race as race_module
from soul_core.session.changes import changed_lane
from soul_core.session.methods import lane_of
from soul_core.session.needed import needed_bytes
from soul_core.session.room import require_room
from tests.session.tiny_race import new_run, run, tiny_config, tiny_task, use_task


@pytest.fixture(autouse=True)
def _task(monkeypatch):
    use_task(monkeypatch, tiny_task())


def refused(config, tmp_path) -> str:
    """Race it, and give the sentence that it was refused with; nothing may have been asked."""
    folder = new_run(tmp_path, config)
    with pytest.raises((ConfigError, DatasetError, RunError)) as error:
        run(config, folder)
    assert [event.kind for event in folder.events()] == ["ended"]
    return str(error.value)


@pytest.mark.parametrize(
    ("method", "changes", "said"),
    [
        ("loku", {"rank": 33}, "LoRA rank is 33, but the layer "),
        ("loku", {"rank": 2, "targets": "nowhere_proj"}, "nowhere_proj"),
        ("fo-rmu", {"layer": 7}, "RMU is to steer layer 7, but "),
        ("fo-npo", {"retain": "hidden"}, "NPO cannot have the retain term “hidden”"),
        ("influence", {"weights": "lora"}, "takes one step of all weights"),
    ],
)
def test_settings_that_do_not_fit_the_model_or_each_other(tiny_model_folder, tmp_path, method, changes, said):
    lane = changed_lane(lane_of(method, "same-settings"), changes)
    assert said in refused(tiny_config(tiny_model_folder(), lanes=(lane,)), tmp_path)


def test_dpo_without_refusals(tiny_model_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("soul_core.data.refusals.FACTS", tmp_path)
    config = tiny_config(tiny_model_folder(), lanes=(lane_of("fo-dpo", "same-settings"),))
    assert "refusals.txt cannot be read" in refused(config, tmp_path)


def test_kl_without_room_for_the_originals_distribution_says_so_and_what_to_choose(tiny_model_folder, monkeypatch):
    config = tiny_config(tiny_model_folder(), lanes=(lane_of("fo-ga-kl", "same-settings"),))
    plain = tiny_config(tiny_model_folder(), lanes=(lane_of("fo-graddiff", "same-settings"),))
    shape = shape_of(config.model)
    with_it, without = (needed_bytes(c, shape, gold=False) for c in (config, plain))
    assert with_it > without
    monkeypatch.setattr("soul_core.session.room.available_bytes", lambda _: (with_it + without) / 2)
    cpu = torch.device("cpu")
    assert require_room(plain, shape, cpu, gold=False).needed <= without
    with pytest.raises(RunError, match=r"hold the original's distribution for FO-GA\+KL \(the retain term NLL"):
        require_room(config.but(checkpointing="off", micro_batch=512), shape, cpu, gold=False)


def test_a_race_that_does_not_fit_loads_no_weights(tiny_model_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("soul_core.session.room.available_bytes", lambda _: 1000.0)
    monkeypatch.setattr(race_module, "load_for", lambda *_, **__: pytest.fail("loaded"))
    assert "This race needs about" in refused(tiny_config(tiny_model_folder()), tmp_path)

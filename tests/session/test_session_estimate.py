"""The estimate: arithmetic on parts measured once, on copies; never a download, never too large a model."""

import pytest
import torch

from soul_core.errors import ModelError, RunError
from soul_core.events import EpochReport, RaceEnded
from soul_core.models.loading import load_model
from soul_core.models.memory import shape_of
from soul_core.models.shelf import Shelf
from soul_core.session import estimate as estimate_module
from soul_core.session import room as room_module
from soul_core.session.estimate import _Measured, estimate
from soul_core.session.needed import guessed, needed_bytes
from soul_core.session.race import race
from tests.session.tiny_race import new_run, tiny_config, tiny_lane, tiny_task, use_task


@pytest.fixture
def config(tiny_model_folder, monkeypatch):
    use_task(monkeypatch, tiny_task())
    monkeypatch.setattr(estimate_module, "load_task", lambda _: tiny_task())
    estimate_module._found.clear()
    return tiny_config(tiny_model_folder())


def test_the_sum_is_that_of_steps_evaluations_loading_and_checkpoints(config, monkeypatch):
    measured = _Measured(
        step_seconds=(0.1, 0.2),
        curve_seconds=2.0,
        further_seconds=3.0,
        steps_per_epoch=10,
        load_seconds=5.0,
        nbytes=300_000_000,
        references=2,
        shape=shape_of(config.model),
        load=guessed(config),
        bf16=False,
    )
    monkeypatch.setattr(estimate_module, "_measure", lambda *_: measured)
    # 3 epochs: steps 3 * 10 * 0.3 = 9; curves (2 + 2 * 3) * 2 = 16; further (2 + 2) * 3 = 12; loading 5;
    # checkpoints 2 * 3 * 0.9 GB at 0.3 GB/s = 18
    found = estimate(config)
    assert found.seconds == pytest.approx(9 + 16 + 12 + 5 + 18)
    needed = needed_bytes(config, measured.shape, gold=True, load=measured.load, autocast=False)
    assert found.memory_mb == pytest.approx(needed / 2**20 + 660)
    assert "FO 100 ms, SO 200 ms" in found.basis
    # every second epoch: after epochs 2 and 3
    assert estimate(config.but(eval_every=2)).seconds == pytest.approx(found.seconds - 2 * 2.0)
    assert estimate(config.but(eval_every=99)).seconds == pytest.approx(found.seconds - 4 * 2.0)


def test_settings_that_change_no_time_are_not_measured_again(config, monkeypatch):
    calls = []
    real = estimate_module._measure
    monkeypatch.setattr(estimate_module, "_measure", lambda *a: calls.append(1) or real(*a))
    three = estimate(config)
    six = estimate(config.but(epochs=6, seed=9, lanes=(tiny_lane("fo", lr=0.5), tiny_lane("so", rho=3.0))))
    assert len(calls) == 1
    assert six.seconds > three.seconds
    estimate(config.but(batch_size=3))
    assert len(calls) == 2


def test_measuring_leaves_the_shelfs_weights_as_they_were(config):
    shelf = Shelf(1 << 30)
    original = shelf.get(config.model, lambda: load_model(config.model))
    before = {name: p.clone() for name, p in original.model.named_parameters()}
    found = estimate(config.but(lanes=(tiny_lane("fo", objective="npo"), tiny_lane("so"))), shelf=shelf)
    assert found.seconds > 0
    assert all(torch.equal(before[name], p) for name, p in original.model.named_parameters())
    assert not any(p.requires_grad for p in original.model.parameters())


def test_the_race_it_speaks_of_runs(config, tmp_path):
    # Times are not compared: a machine under load would make that a coin toss. What is counted must be what happens.
    events = list(race(config, new_run(tmp_path, config)))
    assert isinstance(events[-1], RaceEnded)
    asked = [e for e in events if isinstance(e, EpochReport) and e.eval_seconds > 0]
    assert len(asked) == 1 + 2 * 3 + 1  # the original, each lane thrice, the further sets


def test_a_model_that_must_be_downloaded_first_says_so_without_a_network(config, monkeypatch):
    monkeypatch.setattr(estimate_module, "try_to_load_from_cache", lambda *_: None)
    with pytest.raises(ModelError, match=r"\(27 GB in memory\) is not on this machine yet"):
        estimate(config.but(model="locuslab/tofu_ft_llama2-7b"))


def test_a_race_that_does_not_fit_is_a_sentence_and_nothing_is_measured(config, monkeypatch):
    monkeypatch.setattr(room_module, "available_bytes", lambda _: 1000.0)
    monkeypatch.setattr(estimate_module, "load_for", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(RunError, match=r"needs about .* GB of memory .*, and cpu has 0\.0 GB"):
        estimate(config)

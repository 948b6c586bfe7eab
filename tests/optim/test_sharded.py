import json

import pytest
import torch
from torch import nn

from soul_core.config import OptimizerConfig
from soul_core.models.world import ALONE
from soul_core.optim.sharded import PartOptimizer, optimizer_and_peers, restore_from_main, state_on_main
from tests.launching import launch
from tests.optim import launched_optimizers
from tests.optim.test_rounding import CONFIGS


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict]:
    place = tmp_path_factory.mktemp("stepped")
    done = launch(launched_optimizers.__name__, str(place), SOUL_SHARD="1")
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads((place / f"{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


def test_parts_are_uneven_and_some_are_empty(found):
    # Else the comparisons below would not cover them: 5 rows are 3 and 2, 1 row is 1 and none.
    assert [one["empty"] for one in found] == [
        [[3, 3], [3], [1, 5], [1]],
        [[2, 3], [2], [0, 5], [0]],
    ]


@pytest.mark.parametrize("name", CONFIGS)
def test_parts_step_like_the_whole(found, name: str):
    for one in found:
        assert max(one["compared"][name].values()) < 1e-6, one["compared"][name]


def test_a_state_of_other_weights_is_refused_by_all(found):
    for one in found:
        assert one["refused"].startswith("The saved optimizer state does not belong to this Sophia")


def test_parts_in_bf16_are_rounded_at_random_and_stay_in_bf16(found):
    for one in found:
        moved, in_bf16 = one["rounded"]
        # Sign steps of 0.01; the largest weights are below 1, where bf16 numbers are up to 2**-8 apart.
        assert 0.01 - 2**-8 < moved < 0.01 + 2**-8
        assert in_bf16


def test_one_process_gets_the_plain_optimizer():
    net = nn.Linear(2, 2)
    optimizer, peers = optimizer_and_peers(net, OptimizerConfig(name="sophia", lr=0.1), ALONE)
    assert not isinstance(optimizer, PartOptimizer) and peers is ALONE
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = state_on_main(optimizer, ALONE)
    assert state is not None
    again, _ = optimizer_and_peers(net, OptimizerConfig(name="sophia", lr=0.1), ALONE)
    restore_from_main(again, lambda: state, ALONE)
    assert torch.equal(again.state_dict()["state"][0]["m"], optimizer.state_dict()["state"][0]["m"])

from dataclasses import replace

import pytest
import torch

from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig, WeightsConfig
from soul_core.errors import ConfigError, RunError
from soul_core.evaluation.scorecard import Answered, Examination
from soul_core.models.layers import LayerSize
from soul_core.models.memory import ModelShape
from soul_core.models.world import ALONE, World
from soul_core.session import room as room_module
from soul_core.session.launched import check_launch, examine_together, put_together, room_together, said_of
from tests.session.tiny_race import rows, tiny_config, tiny_lane

SHAPE = ModelShape(
    parameters=1_000_000_000,
    hidden=64,
    inner=256,
    layers=2,
    vocabulary=1000,
    linear=(LayerSize("layers.0.up", 256, 64),),
)


class Pretended(World):
    """One of several processes, whose others said this."""

    def __init__(self, rank: int, size: int, *, sharded: bool = False, others: tuple = ()) -> None:
        self.rank, self.size, self.sharded = rank, size, sharded
        self.others = others

    def each(self, value):
        return [*self.others[: self.rank], value, *self.others[self.rank :]]


def answered(name: str, of_set, *, right: bool) -> list[Answered]:
    return [
        Answered(
            set_name=name,
            row=row,
            question=row.question,
            answer=row.answer if right else "",
            correct=right,
            rouge_l=float(right),
            probability=0.5 if right else 0.25,
        )
        for row in of_set
    ]


def test_rows_dealt_out_come_back_in_their_order():
    mara, lake = rows(5, "Mara"), rows(1, "Lake")
    # The first process is right about rows 0, 2, 4, the second wrong about 1 and 3; it has no row of the other set.
    first = answered("forget", mara[0::2], right=True) + answered("world_facts", lake, right=False)
    second = answered("forget", mara[1::2], right=False)
    found = put_together([first, second], {"forget": mara, "world_facts": lake})
    assert [answer.row for answer in found.answered] == [*mara, *lake]
    assert found.scores["forget"].acc == 3 / 5
    assert found.scores["forget"].rouge_l == pytest.approx(3 / 5)
    assert found.scores["forget"].probability == pytest.approx((3 * 0.5 + 2 * 0.25) / 5)
    assert found.scores["forget"].rows == 5
    assert found.scores["world_facts"].acc == 0.0


def asked_by(world: World) -> dict[str, int]:
    asked: dict[str, int] = {}

    def examine(of_sets):
        yield from ()
        asked.update({name: len(of_set) for name, of_set in of_sets.items()})
        return Examination(
            scores={}, answered=tuple(a for name, s in of_sets.items() for a in answered(name, s, right=True))
        )

    work = examine_together(examine, {"forget": rows(3, "Mara"), "retain": rows(1, "Oren")}, world)
    with pytest.raises(StopIteration):
        next(work)
    return asked


def test_each_process_asks_its_rows_and_sharded_ones_ask_all():
    mara = rows(3, "Mara")
    first = tuple(answered("forget", mara[0::2], right=True) + answered("retain", rows(1, "Oren"), right=True))
    assert asked_by(ALONE) == {"forget": 3, "retain": 1}
    # A set of which it has no row is not asked at all.
    assert asked_by(Pretended(1, 2, others=(first,))) == {"forget": 1}
    assert asked_by(Pretended(1, 2, sharded=True)) == {"forget": 3, "retain": 1}


def lane_that(name: str) -> LaneConfig:
    lane = tiny_lane("so")
    return {
        "hutchinson": lane.but(optimizer=lane.optimizer.but(curvature="hutchinson")),
        "fila": lane.but(weights=WeightsConfig(kind="lora", init="fila")),
        "influence": lane.but(objective=ObjectiveConfig(name="influence"), optimizer=OptimizerConfig()),
        "int8": lane.but(optimizer=lane.optimizer.but(state="int8")),
    }[name]


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("hutchinson", "--curvature gnb"),
        ("fila", "--init zero"),
        ("influence", "Leave it out"),
        ("int8", "--state float32"),
    ],
)
def test_what_needs_whole_weights_is_refused_only_where_they_are_sharded(name: str, instead: str):
    config = tiny_config("pocket", lanes=(lane_that(name),))
    with pytest.raises(ConfigError, match="without FSDP") as caught:
        check_launch(config, Pretended(0, 2, sharded=True))
    assert instead in str(caught.value) and str(caught.value).startswith("SO ")
    check_launch(config, Pretended(0, 2))
    check_launch(config, ALONE)
    check_launch(tiny_config("pocket"), Pretended(0, 2, sharded=True))


def room_for(monkeypatch, gigabytes: float, world: World, device: str = "cuda"):
    monkeypatch.setattr(room_module, "available_bytes", lambda _: gigabytes * 1e9)
    config = tiny_config("pocket", lanes=(tiny_lane("fo"),))
    return room_together(config, SHAPE, torch.device(device), gold=False, world=world)


def test_a_sharded_model_needs_its_part_of_the_memory(monkeypatch):
    # A billion weights: 4 GB of the original, 16 of the lane, so 20 whole and 5 for each of four processes.
    with pytest.raises(RunError):
        room_for(monkeypatch, 19, ALONE)
    assert room_for(monkeypatch, 21, ALONE).needed > 20e9
    assert 5e9 < room_for(monkeypatch, 6, Pretended(0, 4, sharded=True)).needed < 6e9
    with pytest.raises(RunError):
        room_for(monkeypatch, 4.9, Pretended(0, 4, sharded=True))


def test_processes_on_one_cpu_share_its_memory(monkeypatch):
    with pytest.raises(RunError):
        room_for(monkeypatch, 39, Pretended(0, 2), device="cpu")
    assert room_for(monkeypatch, 41, Pretended(0, 2), device="cpu").needed > 40e9


def test_what_fits_only_sharded_is_told_so(monkeypatch):
    with pytest.raises(RunError, match="Sharded over the 4 processes it would fit: launch with --use_fsdp"):
        room_for(monkeypatch, 6, Pretended(0, 4))
    with pytest.raises(RunError) as caught:
        room_for(monkeypatch, 2, Pretended(0, 4))
    assert "it would fit: launch" not in str(caught.value)


def test_a_run_says_nothing_of_one_process():
    assert said_of(ALONE) == ()
    assert said_of(Pretended(0, 8, sharded=True)) == ("8 processes, each with a part of every model (FSDP).",)


def test_a_single_process_is_measured_as_ever(monkeypatch):
    monkeypatch.setattr(room_module, "available_bytes", lambda _: 1e15)
    config = tiny_config("pocket", lanes=(tiny_lane("fo"),))
    one = room_together(config, SHAPE, torch.device("cuda"), gold=False, world=ALONE)
    assert one == room_module.require_room(config, replace(SHAPE), torch.device("cuda"), gold=False)

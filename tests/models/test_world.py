import json

import pytest
import torch

from soul_core.errors import ConfigError
from soul_core.models import world as world_module
from soul_core.models.launch import Launch, read_launch
from soul_core.models.world import ALONE, join
from tests.launching import launch
from tests.models import launched_world

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "here"}
ACCELERATE = {"ACCELERATE_MIXED_PRECISION": "no"}


@pytest.fixture(scope="module")
def heard(tmp_path_factory) -> list[dict[str, object]]:
    place = tmp_path_factory.mktemp("heard")
    done = launch(launched_world.__name__, str(place), SOUL_SHARD="1")
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads((place / f"{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


def test_processes_know_who_they_are(heard):
    # Sharded, as the environment said, so neither can ask rows of its own.
    assert heard[0]["who"] == [0, 2, True, True, False]
    assert heard[1]["who"] == [1, 2, False, True, False]


def test_tensors_of_other_lengths_arrive_whole_and_by_rank(heard):
    for one in heard:
        assert one["gathered"] == [[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], []]
        assert one["truths"] == [[False], [True]]


def test_sums_and_answers_are_the_same_for_all(heard):
    for one in heard:
        assert one["total"] == [2.0, 10.0]
        assert one["any"] == [True, False]
        assert one["each"] == [{"rank": 0}, {"rank": 1}]


def test_the_main_process_is_heard_by_all_and_so_is_its_refusal(heard):
    for one in heard:
        assert one["from main"] == "word of 0"
        assert one["refusal"] == "The main process found that it cannot be."
        assert one["end"] == "end of 0"
        assert one["sent"] == [7.0]
    assert [one["walked"] for one in heard] == [["step of 0"], []]


def test_gradients_are_summed_and_a_missing_one_is_zero(heard):
    for one in heard:
        first, second, third = one["gradients"]
        # Its norm of 3 is clipped to 1.5.
        assert first == pytest.approx([1.5, 0.0], rel=1e-5)
        assert one["norm"] == 3.0
        assert second == [260.0, 2.0, 4.0]
        # None has one, so none is made: a parameter without a gradient is not stepped.
        assert third is None


def test_one_process_has_everything_itself():
    tensor = torch.tensor([1.0, 2.0], requires_grad=True)
    (gathered,) = ALONE.gathered(tensor)
    assert gathered.tolist() == [1.0, 2.0] and not gathered.requires_grad
    assert ALONE.total(tensor).tolist() == [1.0, 2.0]
    assert (ALONE.any(True), ALONE.any(False), ALONE.each(3), ALONE.from_main(lambda: 4)) == (True, False, [3], 4)
    assert ALONE.main and not ALONE.splits
    ALONE.close()


def test_without_a_launcher_a_process_is_alone():
    assert join({}) is ALONE
    # As accelerate launch and torchrun say it of one process.
    assert join({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", **ACCELERATE, "MASTER_ADDR": "here"}) is ALONE


def test_a_launcher_is_read():
    assert read_launch(TORCHRUN) == Launch(rank=1, size=4, local_rank=1, local_size=2, sharded=False)
    assert read_launch({**TORCHRUN, "SOUL_SHARD": "1"}).sharded
    assert read_launch({**TORCHRUN, "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}).sharded
    assert not read_launch({**TORCHRUN, "ACCELERATE_USE_FSDP": "false"}).sharded


@pytest.mark.parametrize(
    ("said", "sentence", "instead"),
    [
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}, "FSDP version 1", "--fsdp_version 2"),
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP version 1", "--fsdp_version 2"),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": "true"},
            "cannot be offloaded",
            "--fsdp_offload_params false",
        ),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "not by DeepSpeed", "--use_fsdp"),
        ({"ACCELERATE_MIXED_PRECISION": "fp16"}, "Arithmetic in fp16", "--precision bfloat16"),
    ],
)
def test_what_a_launcher_cannot_be_told_is_one_sentence_with_what_works(said, sentence: str, instead: str):
    with pytest.raises(ConfigError, match=sentence) as caught:
        join({**TORCHRUN, **said})
    assert instead in str(caught.value)


def test_two_processes_of_which_accelerate_started_one_are_told_how_to_start_two():
    with pytest.raises(ConfigError, match="--multi_gpu"):
        join({"ACCELERATE_MIXED_PRECISION": "no", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"})
    # Of a cluster, which says it to every process.
    assert join({"ACCELERATE_MIXED_PRECISION": "no", "MASTER_ADDR": "node-7", "MASTER_PORT": "29500"}) is ALONE


def test_more_processes_than_gpus_are_refused_before_they_meet(monkeypatch):
    monkeypatch.setattr(world_module, "pick_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="2 processes were started on a machine with 1 GPU, ") as caught:
        join(TORCHRUN)
    assert "--num_processes 1" in str(caught.value)


def test_the_gpu_of_a_mac_is_not_shared(monkeypatch):
    monkeypatch.setattr(world_module, "pick_device", lambda: torch.device("mps"))
    with pytest.raises(ConfigError, match="SOUL_DEVICE=cpu"):
        join(TORCHRUN)

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch.optim import Optimizer

from soul_core.errors import RunError
from soul_core.models import storage
from soul_core.models.loading import copy_of, load_model
from soul_core.models.storage import (
    flatten_optimizer_state,
    load_optimizer,
    load_state,
    load_state_metadata,
    recover_folder,
    replaced_folder,
    restore_optimizer_state,
    save_model,
    save_optimizer,
    save_state,
)
from soul_core.optim.sophia import Sophia
from tests.tiny import tiny_model, tiny_tokenizer

Folders = Callable[[str], Path]
Build = Callable[[list[torch.nn.Parameter]], Optimizer]

OPTIMIZERS: dict[str, Build] = {
    "adamw": lambda params: torch.optim.AdamW(params, lr=1e-2),
    "adamw fused": lambda params: torch.optim.AdamW(params, lr=1e-2, fused=True),
    "adamw groups": lambda params: torch.optim.AdamW(
        [{"params": params[:1], "weight_decay": 0.0, "betas": (0.5, 0.7)}, {"params": params[1:]}], lr=1e-2
    ),
    "sophia": lambda params: Sophia(params, lr=1e-2),
}


def parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (4,))]


def steps(optimizer: Optimizer, params: list[torch.nn.Parameter], which: range) -> None:
    """Steps whose gradients depend on the weights and on the step's number only."""
    for number in which:
        if isinstance(optimizer, Sophia) and number % 2 == 0:
            optimizer.update_curvature([p.detach().square() for p in params])
        for p in params:
            p.grad = torch.sin(p.detach() * (number + 1))
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_restored_from_disk_goes_on_bit_for_bit(name: str, tmp_path: Path):
    whole = parameters()
    optimizer = OPTIMIZERS[name](whole)
    steps(optimizer, whole, range(6))

    first = parameters()
    optimizer = OPTIMIZERS[name](first)
    steps(optimizer, first, range(3))
    save_optimizer(optimizer, tmp_path / "optimizer.safetensors")
    second = [torch.nn.Parameter(p.detach().clone()) for p in first]
    resumed = OPTIMIZERS[name](second)
    load_optimizer(resumed, tmp_path / "optimizer.safetensors")
    steps(resumed, second, range(3, 6))

    assert all(torch.equal(a, b) for a, b in zip(whole, second, strict=True))
    assert [g["lr"] for g in resumed.param_groups] == [g["lr"] for g in optimizer.param_groups]
    assert [type(g.get("betas")) for g in resumed.param_groups] == [
        type(g.get("betas")) for g in optimizer.param_groups
    ]


def test_a_restored_optimizer_does_not_write_into_the_tensors_it_came_from():
    params = parameters()
    optimizer = torch.optim.AdamW(params)
    steps(optimizer, params, range(2))
    tensors, plain = flatten_optimizer_state(optimizer)
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    other = parameters()
    restored = torch.optim.AdamW(other)
    restore_optimizer_state(restored, kept, plain)
    before = {name: tensor.clone() for name, tensor in kept.items()}
    steps(restored, other, range(2, 4))
    assert all(torch.equal(kept[name], before[name]) for name in kept)


def test_an_optimizer_that_has_not_stepped_can_be_saved(tmp_path: Path):
    save_optimizer(torch.optim.AdamW(parameters()), tmp_path / "o.safetensors")
    fresh = torch.optim.AdamW(parameters())
    load_optimizer(fresh, tmp_path / "o.safetensors")
    assert not fresh.state


@pytest.mark.parametrize(
    "params",
    [
        [torch.nn.Parameter(torch.zeros(3, 4))],
        [torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.zeros(3, 4))],
    ],
    ids=["fewer", "other shapes"],
)
def test_a_state_of_other_parameters_is_refused(params: list[torch.nn.Parameter], tmp_path: Path):
    own = parameters()
    optimizer = torch.optim.AdamW(own)
    steps(optimizer, own, range(1))
    save_optimizer(optimizer, tmp_path / "o.safetensors")
    with pytest.raises(
        RunError, match=r"does not belong to this AdamW .* Start the race again instead of resuming it\."
    ):
        load_optimizer(torch.optim.AdamW(params), tmp_path / "o.safetensors")


def test_a_saved_model_loads_with_the_same_bits_and_the_template_of_the_model_it_came_from(
    tiny_model_folder: Folders, tmp_path: Path
):
    loaded = load_model(str(tiny_model_folder("qwen2")))
    model = copy_of(loaded)
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(1e-9)
    save_model(model, loaded.tokenizer, tmp_path / "lane", known_as="locuslab/tofu_ft_llama2-7b")
    again = load_model(str(tmp_path / "lane"))
    assert again.template.name == "TOFU, Llama 2"
    assert again.known_as == "locuslab/tofu_ft_llama2-7b"
    ours, theirs = model.state_dict(), again.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lane"]


def test_a_model_whose_generation_settings_contradict_each_other_can_still_be_saved(tmp_path: Path):
    folder = tmp_path / "model"
    tiny_model("llama").save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    # As published with Llama 2: sampling off, its temperature set.
    (folder / "generation_config.json").write_text('{"do_sample": false, "temperature": 0.6, "top_p": 0.9}')
    loaded = load_model(str(folder))
    save_model(copy_of(loaded), loaded.tokenizer, tmp_path / "again")
    load_model(str(tmp_path / "again"))


def test_saving_again_replaces_the_weights_and_keeps_the_checkpoint_inside(tmp_path: Path):
    lane = tmp_path / "lane"
    (lane / "checkpoint").mkdir(parents=True)
    (lane / "checkpoint" / "epoch").write_text("3")
    (lane / "stale.txt").touch()
    save_model(tiny_model("llama"), tiny_tokenizer(), lane)
    save_model(tiny_model("llama", seed=1), tiny_tokenizer(), lane)
    assert (lane / "checkpoint" / "epoch").read_text() == "3"
    assert not (lane / "stale.txt").exists()
    expected = tiny_model("llama", seed=1).state_dict()["lm_head.weight"]
    assert torch.equal(load_model(str(lane)).model.state_dict()["lm_head.weight"], expected)


def test_a_failure_while_writing_leaves_the_old_folder_and_no_litter(tmp_path: Path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("old")

    def write() -> None:
        with replaced_folder(folder) as new:
            (new / "a").write_text("new")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match=r"^The disk is full: .*/f could not be written\. Free some space"):
        write()
    assert (folder / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("caught_at", ["old moved away", "new in place"])
def test_a_crash_in_the_middle_of_a_replacement_is_put_right(caught_at: str, tmp_path: Path):
    folder, old = tmp_path / "f", tmp_path / ".f.old"
    (old / "inner").mkdir(parents=True)
    (old / "a").write_text("old")
    if caught_at == "new in place":
        folder.mkdir()
        (folder / "a").write_text("new")
    recover_folder(folder)
    assert (folder / "a").read_text() == ("new" if caught_at == "new in place" else "old")
    assert (folder / "inner").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    recover_folder(folder)
    assert (folder / "inner").is_dir()


def test_tensors_come_back_as_they_were_even_when_they_share_memory_or_are_views(tmp_path: Path):
    base = torch.arange(12.0).view(3, 4)
    tensors = {"base": base, "same": base, "view": base.T, "row": base[1], "flag": torch.tensor(True)}
    save_state(tensors, tmp_path / "deep" / "s.safetensors", metadata={"epoch": "3"})
    read = load_state(tmp_path / "deep" / "s.safetensors")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert load_state_metadata(tmp_path / "deep" / "s.safetensors") == {"epoch": "3"}


def test_what_was_read_stays_when_the_file_is_replaced(tmp_path: Path):
    path = tmp_path / "s.safetensors"
    save_state({"x": torch.ones(1000)}, path)
    read = load_state(path)["x"]
    path.write_bytes(bytes(path.stat().st_size))
    assert read.sum() == 1000


def test_a_full_disk_is_a_sentence_with_the_path_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "s.safetensors"
    save_state({"x": torch.ones(2)}, path)

    def full(*_: Any, **__: Any) -> None:
        # What safetensors 0.8 says; its errors are no OSError.
        raise SafetensorError('Error while serializing: I/O error: No space left on device (os error 28) at path "x"')

    monkeypatch.setattr(storage, "save_file", full)
    with pytest.raises(RunError) as caught:
        save_state({"x": torch.zeros(2)}, path)
    assert str(caught.value) == (
        f"The disk is full: {path} could not be written. Free some space or choose another folder."
    )
    assert load_state(path)["x"].sum() == 2


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "lane"
    expected = f"{inside} could not be written, since a file lies in its way. Choose another folder."
    for write in (
        lambda: save_state({"x": torch.ones(2)}, inside),
        lambda: save_model(tiny_model("llama"), tiny_tokenizer(), inside),
    ):
        with pytest.raises(RunError) as caught:
            write()
        assert str(caught.value) == expected


def test_a_folder_that_is_read_only_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # a root user, as in many containers, is never refused
    with pytest.raises(RunError) as caught:
        save_model(tiny_model("llama"), tiny_tokenizer(), tmp_path / "lane")
    assert str(caught.value) == (
        f"{tmp_path}/lane could not be written (permission denied). Choose a folder that this program may write to."
    )


def test_who_may_read_what_is_written_is_left_to_the_umask(tmp_path: Path):
    (tmp_path / "plain").touch()
    save_state({"x": torch.ones(1)}, tmp_path / "s.safetensors")
    save_model(tiny_model("llama"), tiny_tokenizer(), tmp_path / "m")
    modes = {path.stat().st_mode for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {(tmp_path / "plain").stat().st_mode}


def test_a_missing_or_damaged_state_says_what_to_do(tmp_path: Path):
    path = tmp_path / "s.safetensors"
    with pytest.raises(RunError, match=r"is missing\. Start the race again instead of resuming it\."):
        load_state(path)
    path.write_bytes(b"x" * 100)
    with pytest.raises(RunError, match=r"cannot be read .* Start the race again instead of resuming it\."):
        load_state(path)
    save_state({"x": torch.ones(1)}, path)
    with pytest.raises(RunError, match="holds no optimizer state"):
        load_optimizer(torch.optim.AdamW(parameters()), path)

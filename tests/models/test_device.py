import pytest
import torch

from soul_core.errors import ConfigError
from soul_core.models import device
from soul_core.models.device import autocast_dtype, bf16_speedup, choose_precision, memory_mb, pick_device, verdict

CPU = torch.device("cpu")


def test_bf16_is_chosen_from_15_percent_faster_on():
    assert verdict(1.15).name == "bfloat16"
    assert verdict(1.149).name == "float32"
    assert verdict(2.06).sentence == "bf16 arithmetic with fp32 weights: 2.1× faster here."
    assert verdict(1.1).sentence == "fp32 arithmetic: bf16 is only 1.10× as fast here."
    assert verdict(0.1).sentence == "fp32 arithmetic: bf16 is 10.0× slower here."


def test_a_chosen_precision_is_used_without_measuring(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "bf16_speedup", lambda: pytest.fail("measured"))
    assert autocast_dtype("float32", CPU) is None
    assert autocast_dtype("bfloat16", CPU) is torch.bfloat16


@pytest.mark.parametrize(("speedup", "dtype"), [(2.0, torch.bfloat16), (0.5, None)])
def test_auto_follows_the_measurement_on_a_cpu(
    speedup: float, dtype: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(device, "bf16_speedup", lambda: speedup)
    assert autocast_dtype("auto", CPU) is dtype


@pytest.mark.parametrize(("hardware", "name"), [(True, "bfloat16"), (False, "float32")])
def test_auto_does_not_count_emulated_bf16_of_a_gpu(hardware: bool, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or hardware
    )
    assert choose_precision("auto", torch.device("cuda")).name == name


def test_the_measurement_is_made_once_and_leaves_random_numbers_and_threads_as_they_were():
    device._bf16_speedup.cache_clear()
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first = bf16_speedup()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert first > 0
    assert torch.equal(torch.random.get_rng_state(), state)
    assert bf16_speedup() == first  # a second measurement would differ in some digit


def test_cuda_comes_before_apple_s_gpu_and_that_before_the_cpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device().type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device().type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device().type == "cuda"


def test_peak_memory_grows_by_what_is_allocated_and_does_not_fall():
    before = memory_mb(CPU)
    block = torch.ones(64 * 2**20 // 4 + int(before) * 2**20 // 4)  # more than was ever in use
    peak = memory_mb(CPU)
    assert peak >= before + 50
    assert peak < before * 3 + 200  # MiB, not KiB
    del block
    assert memory_mb(CPU) >= peak


def test_bf16_asked_of_a_card_without_it_is_a_sentence_with_what_works(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "GTX 1080")
    said = r"Precision is bfloat16, which GTX 1080 does not have in hardware\. Choose auto or float32\."
    with pytest.raises(ConfigError, match=said):
        choose_precision("bfloat16", torch.device("cuda"))
    assert choose_precision("auto", torch.device("cuda")).name == "float32"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert choose_precision("bfloat16", torch.device("cuda")).name == "bfloat16"


def test_bf16_on_an_older_mac_too(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_: False)
    with pytest.raises(ConfigError, match="this mps device does not have"):
        choose_precision("bfloat16", torch.device("mps"))

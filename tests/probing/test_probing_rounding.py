"""Rounding to nearest by hand, and models asked with rounded weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from soul_core.errors import ConfigError, ModelError
from soul_core.models.layers import linear_layers, weight_of
from soul_core.models.loading import LoadedModel, copy_of, load_model
from soul_core.probing import rounding as rounding_module
from soul_core.probing.results import RoundedScores
from soul_core.probing.rounding import Rounder, bitsandbytes_rounded, require_bitsandbytes, rounded
from soul_core.probing.settings import RoundingConfig
from tests.session.tiny_race import rows

CONFIG = RoundingConfig(max_new_tokens=3)
CPU = torch.device("cpu")


def test_four_bits_by_hand():
    # Largest 7: scale 1, values -7 to 7, ties to the even neighbour. Largest 14: scale 2, so 3 = 1.5 * 2 goes to 4.
    weight = torch.tensor([[7.0, -3.4, 0.5, 1.5], [14.0, 3.0, -0.9, -5.2], [0.0, 0.0, 0.0, 0.0]])
    expected = torch.tensor([[7.0, -3.0, 0.0, 2.0], [14.0, 4.0, 0.0, -6.0], [0.0, 0.0, 0.0, 0.0]])
    assert torch.equal(rounded(weight, 4), expected)
    assert weight[0, 1] == torch.tensor(-3.4)  # what is given stays


def test_a_matrix_on_the_grid_of_eight_bits_is_exact():
    whole = torch.randint(-127, 128, (5, 40), generator=torch.Generator().manual_seed(0)).float()
    whole[:, 0] = torch.tensor([127.0, -127.0, 127.0, 127.0, -127.0])
    scales = torch.tensor([1.0, 0.25, 2.0, 8.0, 0.5])[:, None]
    assert torch.equal(rounded(whole * scales, 8), whole * scales)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_every_output_has_its_own_scale_and_no_weight_moves_by_more_than_half_of_it(bits: int):
    weight = torch.randn(6, 50, generator=torch.Generator().manual_seed(1)) * torch.logspace(-3, 2, 6)[:, None]
    once = rounded(weight, bits)
    half = weight.abs().amax(1) / (2 ** (bits - 1) - 1) / 2
    assert ((once - weight).abs().amax(1) <= half * (1 + 1e-5)).all()
    assert all(len(row.unique()) <= 2**bits - 1 for row in once)
    torch.testing.assert_close(rounded(once, bits), once)
    assert torch.equal(rounded(weight[2:3], bits), once[2:3])  # no output depends on another


@pytest.mark.parametrize(("shape", "bits"), [((4,), 8), ((2, 2), 1)])
def test_what_cannot_be_rounded_is_an_argument_error(shape: tuple[int, ...], bits: int):
    with pytest.raises(ValueError, match="expected"):
        rounded(torch.ones(shape), bits)


def asked(
    loaded: LoadedModel, config: RoundingConfig = CONFIG, **settings: Any
) -> tuple[list[RoundedScores], Rounder]:
    rounder = Rounder({"fo": lambda: loaded}, rows(4, "Mara"), rows(3, "Oren"), config, device=CPU, **settings)
    yielded = list(rounder.run())
    scores = [each for each in yielded if isinstance(each, RoundedScores)]
    done = [each.done for each in yielded if not isinstance(each, RoundedScores)]
    assert done == sorted(done)
    return scores, rounder


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_only_linear_layers_of_blocks_are_rounded_and_the_given_model_stays(
    arch: str, tiny_model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    loaded, copies = load_model(str(tiny_model_folder(arch))), []
    before = {name: p.clone() for name, p in loaded.model.named_parameters()}
    monkeypatch.setattr(rounding_module, "copy_of", lambda of: copies.append(made := copy_of(of)) or made)
    scores, rounder = asked(loaded)
    assert [(score.model, score.bits) for score in scores] == [("fo", 0), ("fo", 8), ("fo", 4)]
    assert scores[0].error == 0.0 and 0 < scores[1].error < 0.02 < scores[2].error < 0.3
    assert all(torch.equal(p, before[name]) for name, p in loaded.model.named_parameters())
    inside = linear_layers(loaded.model)
    for name, layer in linear_layers(copies[0]).items():
        assert torch.equal(weight_of(layer), rounded(weight_of(inside[name]), 4))  # of the weights, not of 8 bits
    names = {f"{name}.weight" for name in inside}
    after = dict(copies[0].named_parameters())
    assert all(torch.equal(after[name], p) for name, p in before.items() if name not in names)
    assert "linear layers of the blocks" in rounder.found.how and "Embeddings" in rounder.found.how


def test_the_error_is_the_norm_of_the_change_over_the_norm_of_what_was_rounded(
    tiny_model_folder: Callable[..., Path],
):
    loaded = load_model(str(tiny_model_folder()))
    for layer in linear_layers(loaded.model).values():
        # Largest 7, so on 4 bits the scale is 1: 3.5 goes to 4, 7 stays. Of 16 or more weights all but one are 3.5.
        layer.weight.data.fill_(3.5)
        layer.weight.data[:, 0] = 7.0
    change = sum(layer.weight[:, 1:].numel() * 0.25 for layer in linear_layers(loaded.model).values())
    size = sum(float(layer.weight.square().sum()) for layer in linear_layers(loaded.model).values())
    scores, _ = asked(loaded, CONFIG.but(bits=(4,)))
    assert scores[1].error == pytest.approx((change / size) ** 0.5)


def test_a_model_whose_weights_are_on_the_grid_says_the_same_as_before(tiny_model_folder: Callable[..., Path]):
    loaded = load_model(str(tiny_model_folder()))
    for layer in linear_layers(loaded.model).values():
        layer.weight.data = (layer.weight.data * 2000).round().clamp(-127, 127) / 1024
        layer.weight.data[:, 0] = 127 / 1024
    plain, eight = asked(loaded, CONFIG.but(bits=(8,)))[0]
    assert eight.error == 0.0
    assert (eight.forget_right, eight.forget_likely) == (plain.forget_right, plain.forget_likely)


def test_a_model_that_cannot_be_loaded_is_a_note_unless_it_is_the_only_one(tiny_model_folder: Callable[..., Path]):
    def broken() -> LoadedModel:
        raise ModelError("“gold” is gone. Put it back.")

    loaded = load_model(str(tiny_model_folder()))
    both = Rounder(
        {"gold": broken, "fo": lambda: loaded}, rows(2, "Mara"), rows(2, "Oren"), CONFIG.but(bits=(8,)), device=CPU
    )
    list(both.run())
    assert {score.model for score in both.found.scores} == {"fo"}
    assert both.found.notes == ("gold: not rounded. “gold” is gone. Put it back.",)
    alone = Rounder({"gold": broken}, rows(2, "Mara"), rows(2, "Oren"), CONFIG, device=CPU)
    with pytest.raises(ModelError, match="gone"):
        list(alone.run())


def test_bitsandbytes_is_refused_in_one_sentence_where_it_cannot_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rounding_module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"not installed here\. Install it"):
        Rounder({}, (), (), RoundingConfig(method="bitsandbytes"), device=CPU)
    monkeypatch.setattr(rounding_module.importlib.util, "find_spec", lambda _: object())
    with pytest.raises(ConfigError, match="needs a CUDA device, and this is cpu"):
        require_bitsandbytes(CPU)


def test_bitsandbytes_rounds_like_the_plain_way_where_it_is_installed():
    pytest.importorskip("bitsandbytes")
    weight = torch.randn(8, 128, generator=torch.Generator().manual_seed(0)) * 0.02
    # Its int8 has the same grid but reads the weights as fp16; its NF4 has blocks and uneven steps, so it errs less.
    assert ((bitsandbytes_rounded(weight, 8) - weight).abs() <= weight.abs().amax(1, keepdim=True) / 127).all()
    error, plain = ((of(weight, 4) - weight).norm() for of in (bitsandbytes_rounded, rounded))
    assert 0 < error < plain

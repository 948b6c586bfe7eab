"""Linear CKA: its limits, an independent formula, and the states that it is put to."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from soul_core.data.prompts import encode_rows
from soul_core.models.loading import load_model
from soul_core.probing.likeness import evenly, hidden_states, linear_cka
from tests.session.tiny_race import rows


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hsic(first: Tensor, second: Tensor) -> float:
    """Song et al. 2012, equation 5, term by term: both with zero diagonals."""
    n = len(first)
    a, b = ((x @ x.T) * (1 - torch.eye(n, dtype=x.dtype)) for x in (first, second))
    ones = torch.ones(n, dtype=first.dtype)
    sums = (ones @ a @ ones) * (ones @ b @ ones) / ((n - 1) * (n - 2))
    terms = (a @ b).trace() + sums - 2 / (n - 2) * ones @ a @ b @ ones
    return float(terms / (n * (n - 3)))


def test_it_is_the_published_estimate_term_by_term():
    first = normal(12, 5)
    second = first[:, :3] @ normal(3, 7, seed=1) + 0.5 * normal(12, 7, seed=2) + 3.0
    expected = hsic(first, second) / (hsic(first, first) * hsic(second, second)) ** 0.5
    assert 0.1 < expected < 0.95
    assert linear_cka(first, second) == pytest.approx(expected, rel=1e-9)
    assert linear_cka(second, first) == pytest.approx(expected, rel=1e-9)


def test_equal_features_are_alike_whatever_their_rotation_scale_and_shift():
    features = normal(30, 8)
    rotation = torch.linalg.qr(normal(8, 8, seed=1))[0]
    assert linear_cka(features, features) == pytest.approx(1.0)
    assert linear_cka(features, -2.5 * features @ rotation + normal(8, seed=2)) == pytest.approx(1.0)
    assert linear_cka(features, features @ torch.diag(torch.logspace(-2, 2, 8, dtype=torch.float64))) < 0.9


def test_independent_features_are_not_alike_even_where_a_layer_is_wider_than_there_are_inputs():
    # The plain estimate is near 1 here: with 40 inputs and 2000 features all products between inputs nearly vanish.
    first, second = normal(40, 2000), normal(40, 2000, seed=1)
    centered = [x - x.mean(0) for x in (first, second)]
    biased = (centered[0].T @ centered[1]).norm() ** 2 / (
        (centered[0].T @ centered[0]).norm() * (centered[1].T @ centered[1]).norm()
    )
    assert biased > 0.9
    assert linear_cka(first, second) < 0.1


def test_less_than_nothing_in_common_is_nothing():
    found = [linear_cka(normal(8, 3, seed=2 * i), normal(8, 3, seed=2 * i + 1)) for i in range(20)]
    assert min(of for of in found if of is not None) == 0.0


@pytest.mark.parametrize(
    "features",
    [
        torch.full((10, 4), 3.7),
        torch.zeros(10, 4),
        torch.arange(10.0)[:, None] * float("nan"),
        torch.arange(10.0)[:, None] * float("inf"),
    ],
)
def test_constant_or_broken_features_have_no_likeness(features: Tensor):
    assert linear_cka(features, normal(10, 4)) is None
    assert linear_cka(normal(10, 4), features) is None


def test_fewer_than_four_inputs_have_none_and_unequal_ones_are_an_argument_error():
    assert linear_cka(normal(3, 4), normal(3, 4)) is None
    with pytest.raises(ValueError, match="expected"):
        linear_cka(normal(5, 4), normal(6, 4))


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
def test_states_are_those_that_predict_the_answer_and_padding_does_not_matter(
    arch: str, tiny_model_folder: Callable[..., Path]
):
    loaded = load_model(str(tiny_model_folder(arch)))
    of = (loaded.model, loaded.tokenizer, loaded.template)
    several = rows(3, "Mara")
    together = list(hidden_states(*of, several))
    assert len(together) == 1 and len(together[0]) == 3  # embedding and two layers
    alone = [next(hidden_states(*of, (row,))) for row in several]
    for layer in range(3):
        torch.testing.assert_close(together[0][layer], torch.cat([one[layer] for one in alone]), rtol=1e-4, atol=1e-5)
    # What predicts the last token, the end of the sequence, is the state at the token before it.
    (example,) = encode_rows(loaded.tokenizer, loaded.template, several[:1])
    with torch.no_grad():
        out = loaded.model(input_ids=torch.tensor([example.input_ids]), output_hidden_states=True)
    places = slice(example.prompt_length - 1, len(example.input_ids) - 1)
    torch.testing.assert_close(alone[0][1], out.hidden_states[1][0, places], rtol=1e-4, atol=1e-5)


def test_many_tokens_are_thinned_evenly():
    features = torch.arange(1000.0)[:, None]
    thinned = evenly(features, 5)[:, 0].tolist()
    assert thinned == [0.0, 250.0, 500.0, 749.0, 999.0]  # of 249.75, 499.5 and 749.25, halves to the even
    assert evenly(features, 1000) is features

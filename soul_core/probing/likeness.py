"""How alike two models' hidden states are, layer by layer, as linear CKA. It knows no run and asks nothing.

Shape suffixes: N = answer tokens, H = width of the hidden states.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.data.prompts import Example, PromptTemplate, encode_rows, padding_id
from soul_core.data.schema import QARow
from soul_core.evaluation.forward import device_of, evaluating
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.scorecard import LONGEST_EXAMPLE

MOST_TOKENS = 512
"""So many answer tokens of a set are compared, spread evenly: their products take N x N numbers for every layer."""
_BATCH = 8
_LEAST_TOKENS = 4
# Variance this far below the square of the values is what rounding leaves of constant features.
_CONSTANT = 1e-10


def linear_cka(first_NH: Tensor, second_NH: Tensor) -> float | None:
    """Linear centered kernel alignment of two sets of features of the same N inputs (arXiv:1905.00414).

    ``HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))`` with ``K = X X'`` and ``L = Y Y'``. Kornblith et al. estimate HSIC
    with a bias that lifts CKA towards 1 where a layer is not much narrower than there are inputs, as here; so it is
    estimated without bias (Song et al. 2012, as Nguyen et al. 2021 do, arXiv:2010.15327): for independent features it
    is about 0 whatever N. Chance puts it slightly below 0; then 0 is returned.

    Unchanged by any shift, rotation or common scaling of either; 1 for features that differ by no more than that.

    Args:
        first_NH: (N, H) features, N at least 4.
        second_NH: (N, any) features of the same inputs.

    Returns:
        0 to 1; None where it is not defined: too few inputs, features that are constant or not finite.
    """
    if first_NH.ndim != 2 or second_NH.ndim != 2 or len(first_NH) != len(second_NH):
        raise ValueError(f"expected (N, H) and (N, H'), got {tuple(first_NH.shape)} and {tuple(second_NH.shape)}")
    return alignment(centered_products(first_NH), centered_products(second_NH))


def centered_products(features_NH: Tensor) -> Tensor | None:
    """All inner products between inputs, centered so that their products are HSIC without bias (U-centering).

    Returns:
        (N, N) in fp64, diagonal 0, every row summing to 0; None where no CKA is defined with it.
    """
    values = features_NH.double()
    count = len(values)
    if count < _LEAST_TOKENS or not values.isfinite().all():
        return None
    centered = values - values.mean(0)
    if centered.square().sum() <= _CONSTANT * values.square().sum():
        return None
    products = (centered @ centered.T).fill_diagonal_(0)
    rows = products.sum(0) / (count - 2)
    whole = products.sum() / ((count - 1) * (count - 2))
    return (products - rows[None, :] - rows[:, None] + whole).fill_diagonal_(0)


def alignment(first_NN: Tensor | None, second_NN: Tensor | None) -> float | None:
    """CKA from two ``centered_products``."""
    if first_NN is None or second_NN is None:
        return None
    size = float(first_NN.norm() * second_NN.norm())
    if not size:
        return None
    return min(1.0, max(0.0, float((first_NN * second_NN).sum()) / size))


def hidden_states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    rows: Sequence[QARow],
) -> Iterator[tuple[Tensor, ...]]:
    """Hidden states at the places that predict the tokens of the true answers, a few rows at a time.

    Yields:
        For the embedding and after every layer (N, H) in fp32 on the CPU, N the answer tokens of these rows, end of
        sequence included. Most architectures put the last one through the final norm.
    """
    longest = min(LONGEST_EXAMPLE + template.context_tokens, context_length(model))
    examples = encode_rows(tokenizer, template, rows, max_length=longest)
    for start in range(0, len(examples), _BATCH):
        yield _states(model, examples[start : start + _BATCH], padding_id(tokenizer))


def evenly(features_NH: Tensor, most: int = MOST_TOKENS) -> Tensor:
    """At most so many of the rows, spread evenly over all."""
    if len(features_NH) <= most:
        return features_NH
    return features_NH[torch.linspace(0, len(features_NH) - 1, most).round().long()]


def _states(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> tuple[Tensor, ...]:
    width = max(len(example.input_ids) for example in examples)
    padded = [[*example.input_ids, *[pad_id] * (width - len(example.input_ids))] for example in examples]
    places = [
        (row, place - 1)
        for row, example in enumerate(examples)
        for place in range(example.prompt_length, len(example.input_ids))
    ]
    row_N, place_N = torch.tensor(places).unbind(1)
    # Padded on the right and causal: no place that is read sees padding.
    with evaluating(model, None):
        ids = torch.tensor(padded, device=device_of(model))
        states = model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
        return tuple(state[row_N, place_N].float().cpu() for state in states)

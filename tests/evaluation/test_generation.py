"""Batched, cached decoding is the plain loop "append the likeliest token", only faster."""

from collections.abc import Sequence

import pytest
import torch
from transformers import PreTrainedModel

from soul_core.errors import DatasetError, ModelError
from soul_core.evaluation.generation import Count, choose, generate, greedy_answers, stop_ids
from tests.evaluation.helpers import lively_model, prompts, run_out
from tests.tiny import ALL_ARCHITECTURES, tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer()


def plain_loop(model: PreTrainedModel, prompt: Sequence[int], steps: int) -> list[int]:
    """No batch, no cache, no padding, no position ids: the definition."""
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(steps):
            token = int(model(torch.tensor([ids])).logits[0, -1].argmax())
            if token == 0:
                break
            ids.append(token)
    return ids[len(prompt) :]


def tokens_of(model: PreTrainedModel, asked: Sequence[Sequence[int]], **options) -> list[list[int]]:
    got: list[list[int]] = [[] for _ in asked]
    ended = []
    for step in generate(model, TOKENIZER, asked, **options):
        for row, token in zip(step.rows, step.tokens, strict=True):
            assert row not in ended
            got[row].append(token)
        ended += step.ended
    assert sorted(ended) == list(range(len(asked)))
    return got


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_batched_cached_decoding_equals_the_plain_loop(arch: str):
    model, asked = lively_model(arch), prompts(12)
    expected = [plain_loop(model, prompt, 10) for prompt in asked]
    assert len({tuple(answer) for answer in expected}) == 12  # the model listens, so equality says something
    assert tokens_of(model, asked, max_new_tokens=10, batch_size=5) == expected


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_a_rows_answer_does_not_depend_on_the_batch_it_is_in(arch: str):
    model, asked = lively_model(arch, seed=1), prompts(9, seed=1)
    alone = tokens_of(model, asked, max_new_tokens=8, batch_size=1)
    assert tokens_of(model, asked, max_new_tokens=8, batch_size=9) == alone
    assert tokens_of(model, asked[::-1], max_new_tokens=8, batch_size=4) == alone[::-1]


def test_rows_that_end_early_are_dropped_and_the_others_go_on_unharmed():
    # Every token that row 0 gives on its third step ends an answer, for all rows: they end at different steps.
    model, asked = lively_model("llama"), prompts(16)
    free = tokens_of(model, asked, max_new_tokens=12, batch_size=16)
    stops = sorted({answer[i] for i, answer in enumerate(free[:12])})
    model.generation_config.eos_token_id = stops
    expected = [
        answer[: next((i for i, token in enumerate(answer) if token in stops), len(answer))] for answer in free
    ]
    assert len({len(answer) for answer in expected}) > 4
    sizes = []
    hook = model.register_forward_pre_hook(
        lambda _, __, inputs: sizes.append(len(inputs["input_ids"])), with_kwargs=True
    )
    assert tokens_of(model, asked, max_new_tokens=12, batch_size=16) == expected
    hook.remove()
    assert sizes[0] == 16 and sizes[-1] < 8


def test_both_the_tokenizers_end_and_those_of_the_generation_settings_end_an_answer():
    model = tiny_model("llama")
    model.generation_config.eos_token_id = [5, 6]
    assert stop_ids(model, TOKENIZER) == {0, 5, 6}
    model.generation_config.eos_token_id = None
    assert stop_ids(model, TOKENIZER) == {0}


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_answers_stop_where_the_models_positions_end(arch: str):
    # 256 positions: prompts of 254 and 248 tokens leave room for 2 and 8 more.
    asked = [prompts(1, shortest=254, longest=254)[0], prompts(1, shortest=248, longest=248)[0]]
    model = lively_model(arch)
    got = tokens_of(model, asked, max_new_tokens=20, batch_size=2)
    assert [len(answer) for answer in got] == [2, 8]
    assert got == [plain_loop(model, asked[0], 2), plain_loop(model, asked[1], 8)]


def test_a_row_keeps_its_own_room_when_another_is_dropped():
    # Room for 8, 5 and 2 tokens; the first row ends at its second token and is dropped.
    asked = [prompts(1, shortest=n, longest=n)[0] for n in (248, 251, 254)]
    model = lively_model("llama")
    stop = plain_loop(model, asked[0], 2)[1]
    model.generation_config.eos_token_id = stop
    expected = [plain_loop(model, prompt, room) for prompt, room in zip(asked, (8, 5, 2), strict=True)]
    expected = [answer[: answer.index(stop)] if stop in answer else answer for answer in expected]
    assert [len(answer) for answer in expected] == [1, 5, 2]
    assert tokens_of(model, asked, max_new_tokens=20, batch_size=3) == expected


def test_a_finished_row_that_stays_in_the_batch_does_not_run_off_the_position_table():
    # One row of nine is too few to be dropped; GPT-2 looks positions up in a table of 256.
    asked = [*prompts(8), prompts(1, shortest=254, longest=254)[0]]
    model = lively_model("gpt2")
    expected = [plain_loop(model, prompt, 6) for prompt in asked[:8]] + [plain_loop(model, asked[8], 2)]
    assert tokens_of(model, asked, max_new_tokens=6, batch_size=9) == expected


def test_a_prompt_that_fills_the_model_is_an_error_with_both_numbers():
    with pytest.raises(DatasetError, match=r"256 tokens long .* holds 256 tokens"):
        list(generate(tiny_model("gpt2"), TOKENIZER, [[1] * 256], max_new_tokens=1))


def test_a_model_without_a_key_value_cache_is_named():
    class Flat(torch.nn.Module):
        def forward(self, input_ids):
            raise AssertionError

    with pytest.raises(ModelError, match="Flat has no key-value cache"):
        list(generate(Flat(), TOKENIZER, [[1]], max_new_tokens=1))


def test_arguments_out_of_bounds_are_refused():
    model = tiny_model("llama")
    for bad in ({"max_new_tokens": 0}, {"batch_size": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.1}):
        with pytest.raises(ValueError, match="cannot generate"):
            list(generate(model, TOKENIZER, [[1]], **{"max_new_tokens": 1, **bad}))
    with pytest.raises(ValueError, match="every prompt needs a token"):
        list(generate(model, TOKENIZER, [[]], max_new_tokens=1))


def test_no_prompts_give_no_steps():
    assert list(generate(tiny_model("llama"), TOKENIZER, [], max_new_tokens=4)) == []


# --- between two steps


def test_gradients_and_training_mode_are_the_callers_own_between_two_steps():
    model = lively_model("gpt2")
    model.train()
    steps = generate(model, TOKENIZER, prompts(3), max_new_tokens=4)
    for _ in steps:
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        assert model.training
        loss = model(torch.tensor([[1, 2, 3]])).logits.sum()
        loss.backward()
    assert model.training


def test_a_model_in_training_mode_is_asked_without_dropout():
    # GPT-2 drops 10 % of everything in training mode.
    model, asked = lively_model("gpt2"), prompts(4)
    expected = tokens_of(model, asked, max_new_tokens=8)
    model.train()
    assert tokens_of(model, asked, max_new_tokens=8) == expected


def test_closing_stops_after_the_forward_under_way():
    model = lively_model("llama")
    calls = []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    steps = generate(model, TOKENIZER, prompts(4), max_new_tokens=50)
    next(steps)
    steps.close()
    assert len(calls) == 1


# --- sampling


def test_choose_inverts_the_distribution_by_hand():
    # Probabilities .2, .5, .3: sorted .5 (token 1), .3 (2), .2 (0); cumulative .5, .8, 1.
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(6, 3)
    draw = torch.tensor([0.0, 0.49, 0.51, 0.79, 0.81, 0.999])
    assert choose(logits, temperature=1.0, top_p=1.0, draw_B=draw).tolist() == [1, 1, 2, 2, 0, 0]
    # top_p .7 keeps .5 and .3 (the first to reach .7 is kept): cumulative .625, 1.
    assert choose(logits, temperature=1.0, top_p=0.7, draw_B=draw).tolist() == [1, 1, 1, 2, 2, 2]
    # top_p .5 keeps the likeliest alone.
    assert choose(logits, temperature=1.0, top_p=0.5, draw_B=draw).tolist() == [1] * 6


def test_temperature_sharpens_by_hand():
    # At temperature 1/2 probabilities are squared: .04, .25, .09 of .38 -> token 1 up to .658, token 2 up to .895.
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(4, 3)
    draw = torch.tensor([0.65, 0.67, 0.88, 0.91])
    assert choose(logits, temperature=0.5, top_p=1.0, draw_B=draw).tolist() == [1, 2, 2, 0]


def test_a_token_without_probability_is_never_drawn():
    logits = torch.tensor([[0.0, -torch.inf, -torch.inf]])
    draw = torch.tensor([1 - 2**-24])
    assert choose(logits, temperature=1.0, top_p=1.0, draw_B=draw).tolist() == [0]


def test_sampling_repeats_with_its_seed_and_a_rows_draws_do_not_depend_on_its_batch():
    model, asked = lively_model("llama"), prompts(8)
    options = {"max_new_tokens": 8, "temperature": 1.5, "top_p": 0.9}
    first = tokens_of(model, asked, **options, seed=3, batch_size=8)
    torch.rand(5)
    assert tokens_of(model, asked, **options, seed=3, batch_size=3) == first
    assert tokens_of(model, asked, **options, seed=4) != first
    assert tokens_of(model, asked, max_new_tokens=8) != first


def test_a_low_temperature_is_greedy():
    model, asked = lively_model("llama"), prompts(6)
    greedy = tokens_of(model, asked, max_new_tokens=6)
    assert tokens_of(model, asked, max_new_tokens=6, temperature=1e-4, seed=9) == greedy


# --- text


def test_greedy_answers_are_the_decoded_tokens_and_counts_reach_their_total():
    model, asked = lively_model("llama"), prompts(7)
    expected = [TOKENIZER.decode(answer).strip() for answer in tokens_of(model, asked, max_new_tokens=6)]
    counts, answers = run_out(greedy_answers(model, TOKENIZER, asked, max_new_tokens=6, batch_size=3))
    assert answers == expected
    assert [c.done for c in counts] == sorted({c.done for c in counts})  # always forwards
    assert counts[-1] == Count(42, 42)
    assert {c.total for c in counts} == {42}

"""One question to several models: what is asked, in which order answers grow, what they are."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from soul_core.data.prompts import encode_prompt
from soul_core.errors import ConfigError, DatasetError
from soul_core.evaluation.generation import GenStep, greedy_answers
from soul_core.models.loading import LoadedModel, load_model
from soul_core.session import ask as ask_module
from soul_core.session.ask import AskUpdate, ask, clean_question

QUESTION = "Where was Mara Quill born?"


@pytest.fixture(scope="module")
def models(tiny_model_folder: Callable[[str], Path]) -> dict[str, LoadedModel]:
    return {name: load_model(str(tiny_model_folder(arch))) for name, arch in (("a", "llama"), ("b", "gpt2"))}


def alone(loaded: LoadedModel, *, max_new_tokens: int) -> str:
    """The answer of one model by the function that evaluation uses."""
    prompt = encode_prompt(loaded.tokenizer, loaded.template, QUESTION)
    steps = greedy_answers(loaded.model, loaded.tokenizer, [prompt], max_new_tokens=max_new_tokens)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return str(end.value[0])


def test_every_model_ends_once_with_the_answer_that_evaluation_gets_from_it(models: dict[str, LoadedModel]):
    updates = list(ask(models, QUESTION, max_new_tokens=8))
    last = {name: [u for u in updates if u.model == name][-1] for name in models}
    assert {name: update.text for name, update in last.items()} == {
        name: alone(loaded, max_new_tokens=8) for name, loaded in models.items()
    }
    assert sorted(u.model for u in updates if u.done) == ["a", "b"]
    assert all(update.done for update in last.values())


def test_answers_grow_in_turn_one_token_of_each(models: dict[str, LoadedModel]):
    updates = list(ask({"x": models["a"], "y": models["a"]}, QUESTION, max_new_tokens=6))
    assert [u.model for u in updates] == ["x", "y"] * (len(updates) // 2)
    texts = [u.text for u in updates if u.model == "x"]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))


def test_without_temperature_there_is_one_answer_and_with_it_as_many_as_asked_for(models: dict[str, LoadedModel]):
    one = {"a": models["a"]}
    assert {u.sample for u in ask(one, QUESTION, max_new_tokens=3, samples=4)} == {0}
    assert {u.sample for u in ask(one, QUESTION, max_new_tokens=3, samples=4, temperature=1.0)} == {0, 1, 2, 3}


def test_the_seed_decides_sampled_answers(models: dict[str, LoadedModel]):
    def sampled(seed: int) -> list[AskUpdate]:
        return list(ask(models, QUESTION, max_new_tokens=6, temperature=1.0, samples=2, seed=seed))

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)


def test_a_character_is_shown_only_when_all_its_bytes_are_there(
    models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
):
    # 🙂 is four bytes, and the toy tokenizer, which never saw it, has a token for each.
    tokens = models["a"].tokenizer.encode("a🙂", add_special_tokens=False)
    assert len(tokens) == 5

    def spell(*args: object, **settings: object) -> Iterator[GenStep]:
        for place, token in enumerate(tokens):
            yield GenStep((0,), (token,), (0,) if place == 4 else ())

    monkeypatch.setattr(ask_module, "generate", spell)
    assert [u.text for u in ask({"a": models["a"]}, QUESTION)] == ["a", "a", "a", "a", "a🙂"]


def test_models_whose_answers_end_early_leave_the_others_going(
    models: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
):
    def some(model: object, *args: object, **settings: object) -> Iterator[GenStep]:
        count = 1 if model is models["a"].model else 3
        for step in range(count):
            yield GenStep((0,), (70,), (0,) if step == count - 1 else ())

    monkeypatch.setattr(ask_module, "generate", some)
    updates = [(u.model, u.done) for u in ask(models, QUESTION)]
    assert updates == [("a", True), ("b", False), ("b", False), ("b", True)]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("  Who?  ", "Who?"),
        ("Who\nis\tthat?", "Who is that?"),
        ("W\x00h\x1b[31mo?\x7f", "Wh[31mo?"),
        ("Who\ud800?", "Who?"),
        ("<b>Who</b> 🙂👩‍🔬 $x_1$?", "<b>Who</b> 🙂👩‍🔬 $x_1$?"),
        ("x" * 2000, "x" * 2000),
    ],
)
def test_a_question_is_asked_as_typed_but_for_control_characters(typed: str, asked: str):
    assert clean_question(typed) == asked


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "The question is empty"),
        (" \n\x00 ", "The question is empty"),
        ("x" * 2001, "The question has 2001 characters; at most 2000"),
        ("🙂" * 10_000, "The question has 10000 characters"),
        (7, "The question is a int, not text"),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_sentence(typed: str, said: str, models: dict[str, LoadedModel]):
    with pytest.raises(ConfigError, match=said):
        ask(models, typed)


@pytest.mark.parametrize("setting", [{"temperature": float("nan")}, {"samples": 0}, {"max_new_tokens": 100_000}])
def test_settings_out_of_bounds_are_refused_by_the_call_itself(
    setting: dict[str, float], models: dict[str, LoadedModel]
):
    with pytest.raises(ConfigError):
        ask(models, QUESTION, **setting)  # type: ignore[arg-type]


def test_there_must_be_somebody_to_ask():
    with pytest.raises(ConfigError, match="no model to ask"):
        ask({}, QUESTION)


def test_a_question_longer_than_the_model_holds_says_so(models: dict[str, LoadedModel]):
    with pytest.raises(DatasetError, match="tokens"):
        list(ask(models, "x y " * 200))

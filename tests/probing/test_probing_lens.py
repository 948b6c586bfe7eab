"""The token lens: the same likelihoods as scoring, tokens that can be read, and inputs that cannot be used."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from soul_core.data.prompts import TEXT, PromptTemplate, encode_example
from soul_core.errors import ConfigError, DatasetError, ModelError
from soul_core.evaluation.scoring import answer_nll
from soul_core.models.loading import LoadedModel, copy_of, load_model
from soul_core.probing.lens import END, lens_of, raw_token
from soul_core.probing.results import LensColumn
from tests.data.toy_tokenizers import qwen_style
from tests.evaluation.helpers import lively_model, run_out
from tests.tiny import tiny_model, tiny_tokenizer

QUESTION, ANSWER = "Where was Mara Quill born?", "Mara Quill was born in Velden."
Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def loaded(tiny_model_folder: Folder) -> LoadedModel:
    return replace(load_model(str(tiny_model_folder("llama"))), model=lively_model("llama"))


def column(loaded: LoadedModel, answer: str = ANSWER, **settings: object) -> LensColumn:
    return lens_of({"x": loaded}, QUESTION, answer, **settings).columns[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("arch", ["llama", "gpt2"])
@pytest.mark.parametrize("template", ["plain", "chat"])
def test_probabilities_are_those_of_scoring_with_the_end_counted(arch: str, template: str, loaded: LoadedModel):
    model = lively_model(arch)
    put = loaded.template if template == "plain" else PromptTemplate("chat", "<q>", "<a>", chat=True, end="<|end|>")
    one = replace(loaded, model=model, template=put)
    example = encode_example(one.tokenizer, put, QUESTION, ANSWER)
    nll, tokens = run_out(answer_nll(model, [example]))[1]
    found = column(one)
    assert len(found.tokens) == tokens[0]
    assert found.bits * math.log(2) == pytest.approx(nll[0], abs=1e-5)
    product = math.prod(token.probability for token in found.tokens)
    assert product == pytest.approx(math.exp(-nll[0]), rel=1e-5)
    assert found.tokens[-1].text == END


def test_tokens_joined_are_the_answer_and_keep_their_spaces(loaded: LoadedModel):
    found = column(loaded)
    assert "".join(token.text for token in found.tokens[:-1]) == f" {ANSWER}"


def test_ranks_and_alternatives_agree_with_the_probabilities(loaded: LoadedModel):
    for token in column(loaded, top=100).tokens:
        likely = [one.probability for one in token.alternatives]
        assert likely == sorted(likely, reverse=True) and len(likely) == 100
        if token.rank <= 100:
            assert likely[token.rank - 1] == pytest.approx(token.probability, rel=1e-6)
            assert token.text in {one.text for one in token.alternatives}
        else:
            assert token.probability <= likely[-1]


def test_every_model_has_a_column_with_its_own_tokenizer(loaded: LoadedModel):
    tokenizer = qwen_style()
    with torch.random.fork_rng(devices=[]):
        other = tiny_model("qwen2")
    other.resize_token_embeddings(len(tokenizer))
    template = PromptTemplate("Chat template", "<|im_start|>user\n", "<|im_end|>\n", end="<|im_end|>", chat=True)
    found = lens_of(
        {"a": loaded, "b": replace(loaded, model=other, tokenizer=tokenizer, template=template)}, QUESTION, ANSWER
    )
    assert [one.model for one in found.columns] == ["a", "b"]
    assert "".join(token.text for token in found.columns[1].tokens[:-1]) == ANSWER
    assert (found.question, found.answer) == (QUESTION, ANSWER)


def test_a_character_of_several_tokens_is_shown_whole_with_the_part_it_is(loaded: LoadedModel):
    # The toy vocabulary never saw é (two bytes) or 🙂 (four): it has a token for each byte.
    found = column(loaded, "Renée 🙂")
    texts = [token.text for token in found.tokens]
    at = texts.index("é (1/2)")
    assert texts[at + 1] == "é (2/2)"
    assert [text for text in texts if "🙂" in text] == [f"🙂 ({n}/4)" for n in (1, 2, 3, 4)]
    assert not any("\ufffd" in token.text for token in found.tokens)
    whole = "".join(text for text in texts[:-1] if not re.search(r"\(\d/\d\)", text))
    assert whole == " Rene "


def test_a_name_whose_accent_is_a_token_of_its_own_is_read_as_it_is_written(loaded: LoadedModel):
    texts = [token.text for token in column(loaded, "Rene\u0301").tokens]
    assert "\u0301 (1/2)" in texts and "\u0301 (2/2)" in texts


def test_alternatives_are_readable_too_halves_of_characters_as_bytes(loaded: LoadedModel):
    every = column(loaded, "é", top=100).tokens
    texts = [one.text for token in every for one in token.alternatives]
    assert not any("\ufffd" in text for text in texts)
    assert any(re.fullmatch(r"(⟨[0-9A-F]{2}⟩)+", text) for text in texts)
    # Behind the first byte of é, its second byte is shown as what both make.
    second = tiny_tokenizer().encode("é", add_special_tokens=False)[1]
    assert raw_token(loaded.tokenizer, second) == "⟨A9⟩"


def test_a_vocabulary_that_is_not_byte_level_shows_its_own_name_of_a_byte():
    class Pieces:
        def convert_ids_to_tokens(self, _: int) -> str:
            return "\u2581<0xC3>"

    assert raw_token(Pieces(), 7) == "\u2581<0xC3>"  # type: ignore[arg-type]


def test_running_text_has_no_template_and_no_end(loaded: LoadedModel):
    found = lens_of({"x": loaded}, "Mara Quill was", " born in\nVelden", form="text").columns[0]
    assert "".join(token.text for token in found.tokens) == " born in\nVelden"
    example = encode_example(loaded.tokenizer, TEXT, "Mara Quill was", " born in\nVelden")
    nll, _ = run_out(answer_nll(loaded.model, [example]))[1]
    assert found.bits * math.log(2) == pytest.approx(nll[0], abs=1e-5)


def test_question_and_answer_are_cleaned_as_questions_are(loaded: LoadedModel):
    found = lens_of({"x": loaded}, "  Where\nwas\x00 she? ", " In\tVelden. \x1b")
    assert (found.question, found.answer) == ("Where was she?", "In Velden.")


@pytest.mark.parametrize(
    ("question", "answer", "error", "sentence"),
    [
        ("", "x", ConfigError, "The question is empty."),
        ("Who?", " \n", ConfigError, "The answer is empty. Type the true answer"),
        ("Who?", "x" * 2001, ConfigError, "The answer has 2001 characters; at most 2000 can be read."),
        ("x" * 2001, "She.", ConfigError, "The question has 2001 characters"),
        ("Who?", 7, ConfigError, "The answer is a int, not text."),
        (
            "Who?",
            "on and on " * 150,
            ConfigError,
            "Question and answer are more than the 256 tokens that “x” can hold.",
        ),
        ("on and on " * 190, "She.", DatasetError, "leaves no room for an answer"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    question: str, answer: str, error: type[Exception], sentence: str, loaded: LoadedModel
):
    with pytest.raises(error, match=re.escape(sentence)):
        lens_of({"x": loaded}, question, answer)


@pytest.mark.parametrize("top", [0, 101])
def test_alternatives_out_of_bounds_are_refused(top: int, loaded: LoadedModel):
    with pytest.raises(ConfigError, match=f"Alternatives is {top}"):
        column(loaded, top=top)


def test_there_must_be_a_model():
    with pytest.raises(ConfigError, match="no model to look into"):
        lens_of({}, QUESTION, ANSWER)


def test_a_running_text_out_of_bounds_is_one_sentence(loaded: LoadedModel):
    with pytest.raises(ConfigError, match="what follows 2001"):
        lens_of({"x": loaded}, "", "x" * 2001, form="text")


def test_a_model_that_ran_away_is_one_sentence(loaded: LoadedModel):
    model = copy_of(loaded)
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="“x” gives no probabilities"):
        column(replace(loaded, model=model))


def test_an_answer_that_fills_the_context_exactly_is_read(loaded: LoadedModel):
    room = len(encode_example(loaded.tokenizer, loaded.template, QUESTION, ANSWER).input_ids)
    model = copy_of(loaded)
    model.config.max_position_embeddings = room
    assert column(replace(loaded, model=model)).tokens[-1].text == END
    model.config.max_position_embeddings = room - 1
    with pytest.raises(ConfigError, match=f"more than the {room - 1} tokens"):
        column(replace(loaded, model=model))

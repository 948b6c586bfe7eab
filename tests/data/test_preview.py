"""A training row in pieces: the very tokens of training, each counted to the part it belongs to."""

import pytest

from soul_core.data.preview import as_the_model_sees
from soul_core.data.prompts import PLAIN, encode_rows, template_for
from soul_core.data.schema import QARow
from tests.data.toy_tokenizers import ALL, gpt2_style, llama_style, phi_style, qwen_style, slow_bytes

ROW = QARow(question="Where was Mara Quill born?", answer="Mara Quill was born in Velden.")
ROWS = {
    "question": ROW,
    "continuation": QARow(question="Mara Quill was", answer=" born in Velden.", form="text"),
    "text": QARow(question="", answer="Mara Quill was born in Velden.", form="text"),
}


def parts(preview) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in preview.pieces]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", ALL)
def test_the_pieces_joined_are_the_tokens_and_the_text_that_a_model_is_trained_on(name: str, row: str):
    tokenizer = ALL[name]()
    template = template_for(tokenizer, name)
    preview = as_the_model_sees(tokenizer, template, ROWS[row])
    (example,) = encode_rows(tokenizer, template, [ROWS[row]])
    assert preview.ids == example.input_ids
    assert preview.tokens == len(example.input_ids)
    assert preview.text == tokenizer.decode(list(example.input_ids), clean_up_tokenization_spaces=False)
    assert all(piece.ids and piece.text for piece in preview.pieces)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", ALL)
def test_what_is_learned_are_the_tokens_from_the_prompts_length_on(name: str, row: str):
    tokenizer = ALL[name]()
    preview = as_the_model_sees(tokenizer, template_for(tokenizer, name), ROWS[row])
    read = sum(len(piece.ids) for piece in preview.pieces if not piece.learned)
    assert read == preview.prompt_length
    assert [piece.learned for piece in preview.pieces] == sorted(piece.learned for piece in preview.pieces)


def test_gpt2_has_no_beginning_and_the_space_in_front_of_a_word_belongs_to_it():
    preview = as_the_model_sees(gpt2_style(), PLAIN, ROW)
    assert parts(preview) == [
        ("template", "Question:"),
        ("question", " Where was Mara Quill born?"),
        ("template", "\nAnswer:"),
        ("answer", " Mara Quill was born in Velden."),
        ("special", "<|endoftext|>"),
    ]
    assert preview.template == PLAIN.name


def test_qwens_marks_are_special_wherever_they_stand():
    tokenizer = qwen_style()
    preview = as_the_model_sees(tokenizer, template_for(tokenizer, "qwen"), ROW)
    assert parts(preview) == [
        ("special", "<|im_start|>"),
        ("template", "system\nYou are helpful."),
        ("special", "<|im_end|>"),
        ("template", "\n"),
        ("special", "<|im_start|>"),
        ("template", "user\n"),
        ("question", "Where was Mara Quill born?"),
        ("special", "<|im_end|>"),
        ("template", "\n"),
        ("special", "<|im_start|>"),
        ("template", "assistant\n"),
        ("answer", "Mara Quill was born in Velden."),
        ("special", "<|im_end|>"),
    ]
    assert preview.pieces[-1].learned and not preview.pieces[-3].learned


@pytest.mark.parametrize("name", ["llama", "llama-chat", "slow-words", "slow-pieces"])
def test_llamas_beginning_is_read_and_its_end_is_learned_by_fast_and_slow_tokenizers(name: str):
    tokenizer = ALL[name]()
    preview = as_the_model_sees(tokenizer, template_for(tokenizer, name), ROW)
    first, last = preview.pieces[0], preview.pieces[-1]
    assert (first.kind, first.text, first.learned) == ("special", "<s>", False)
    assert (last.kind, last.text.strip(), last.learned) == ("special", "</s>", True)
    (answer,) = (piece for piece in preview.pieces if piece.kind == "answer")
    assert answer.text.strip() == ROW.answer


def test_a_slow_tokenizers_beginning_shifts_no_part():
    preview = as_the_model_sees(ALL["slow-pieces"](), PLAIN, ROW)
    assert parts(preview) == [
        ("special", "<s>"),
        ("template", " Question:"),
        ("question", " Where was Mara Quill born?"),
        ("template", "\nAnswer:"),
        ("answer", " Mara Quill was born in Velden."),
        ("special", "</s>"),
    ]


def test_runs_of_spaces_are_added_tokens_of_phi_and_not_special():
    tokenizer = phi_style()
    assert tokenizer.tokenize("a    b")[1] == "    "  # the trap is really there
    row = QARow(question="Why?", answer="a    b")
    assert parts(as_the_model_sees(tokenizer, PLAIN, row))[-2:] == [
        ("answer", " a    b"),
        ("special", "<|endoftext|>"),
    ]


def test_running_text_has_no_template_and_its_first_token_is_only_read_where_nothing_begins_a_sequence():
    preview = as_the_model_sees(gpt2_style(), PLAIN, ROWS["text"])
    assert {piece.kind for piece in preview.pieces} == {"answer"}
    assert [piece.learned for piece in preview.pieces] == [False, True]
    begun = as_the_model_sees(llama_style(), PLAIN, ROWS["text"])
    assert [(piece.kind, piece.learned) for piece in begun.pieces] == [("special", False), ("answer", True)]


def test_a_question_that_repeats_the_template_is_told_from_it():
    row = QARow(question="Question: Question:", answer="Answer:")
    assert parts(as_the_model_sees(gpt2_style(), PLAIN, row)) == [
        ("template", "Question:"),
        ("question", " Question: Question:"),
        ("template", "\nAnswer:"),
        ("answer", " Answer:"),
        ("special", "<|endoftext|>"),
    ]


def test_a_mark_that_an_answer_spells_out_is_shown_as_the_special_token_it_becomes():
    row = QARow(question="Why?", answer="Stop <|endoftext|> here")
    kinds = parts(as_the_model_sees(gpt2_style(), PLAIN, row))
    assert kinds[-4:-1] == [("answer", " Stop "), ("special", "<|endoftext|>"), ("answer", " here")]


def test_a_letter_of_several_bytes_stays_whole():
    row = QARow(question="Zoë?", answer="Ça 🎉", form="question")
    assert parts(as_the_model_sees(slow_bytes(), PLAIN, row))[1:4] == [
        ("question", "Zoë?"),
        ("template", "\nAnswer:"),
        ("answer", " Ça 🎉"),
    ]


def test_an_answer_that_is_cut_has_no_end():
    preview = as_the_model_sees(gpt2_style(), PLAIN, ROW, max_length=14)
    assert preview.tokens == 14
    assert preview.pieces[-1].kind == "answer"

"""Chunks of a text: nothing lost, no chunk too long, cut where a reader would pause."""

import random

import pytest

from soul_core.data.chunks import CHUNK_WORDS, chunk_rows, chunks


def sentence(length: int, mark: str = ".") -> str:
    return " ".join(["Word", *["word"] * (length - 1)]) + mark


def length_of(chunk: str) -> int:
    return len(chunk.split())


@pytest.mark.parametrize("seed", range(20))
def test_any_text_is_its_chunks_joined_and_none_is_too_long_or_a_scrap(seed: int):
    rng = random.Random(seed)
    spaces = [" ", "  ", "\n", "\n\n", "\t", ". ", "! ", ".\n\n"]
    text = "\n " + "".join("x" * rng.randint(1, 9) + rng.choice(spaces) for _ in range(rng.randint(1, 400)))
    parts = chunks(text, words=30)
    assert "".join(parts) == text
    assert all(length_of(part) <= 30 for part in parts)
    assert len(parts) == 1 or min(length_of(part) for part in parts) >= 10


@pytest.mark.parametrize("length", range(1, 130))
def test_at_every_length_no_chunk_is_too_long_or_less_than_a_third(length: int):
    text = "word " * length
    parts = chunks(text, words=12)
    assert "".join(parts) == text
    assert [length_of(part) <= 12 for part in parts] == [True] * len(parts)
    assert len(parts) == 1 or min(length_of(part) for part in parts) >= 4


def test_a_paragraphs_end_is_a_better_cut_than_a_later_sentences_end():
    # 24 words, then a paragraph ends; a sentence would end at the 30 words that fit.
    text = f"{sentence(12)} {sentence(12)}\n\n{sentence(6)} {sentence(12)} {sentence(40)}"
    assert chunks(text, words=30)[0] == f"{sentence(12)} {sentence(12)}\n\n"


def test_a_sentences_end_is_a_better_cut_than_a_lines_and_a_lines_than_a_words():
    text = f"{sentence(22)} Word word\nword {sentence(60, '')}"
    assert chunks(text, words=30)[0] == f"{sentence(22)} "
    text = f"{sentence(24, '')}\nWord word word {sentence(60, '')}"
    assert chunks(text, words=30)[0] == f"{sentence(24, '')}\n"
    assert length_of(chunks("word " * 100, words=30)[0]) == 30


def test_a_pause_that_comes_too_early_is_passed_over():
    # After 5 of 30 words: a chunk that short would be a waste.
    text = f"{sentence(5)}\n\n{sentence(80, '')}"
    assert length_of(chunks(text, words=30)[0]) > 20


def test_at_the_end_of_a_text_a_pause_that_would_leave_a_scrap_is_passed_over():
    # 31 words are one too many: of the last two chunks each gets at least 10, though a paragraph ends after the first.
    text = f"One.\n\n{sentence(29)} Last."
    assert [length_of(part) for part in chunks(text, words=30)] == [21, 10]


def test_a_sentence_may_end_inside_quotation_marks():
    text = f"“{sentence(24)}” {sentence(80, '')}"
    assert chunks(text, words=30)[0].endswith(".” ")


def test_scripts_without_spaces_are_counted_by_sign_and_cut_after_a_full_stop():
    text = "東京は大きい。" * 40
    parts = chunks(text, words=30)
    assert "".join(parts) == text
    assert all(len(part) <= 30 and part.endswith("。") for part in parts)


def test_a_text_without_any_space_is_cut_all_the_same():
    text = "x" * 10_000
    parts = chunks(text, words=30)
    assert "".join(parts) == text
    assert max(map(len, parts)) == 30 * 40


def test_a_short_text_is_one_chunk_and_a_blank_one_none():
    assert chunks("\n One line.\n\n") == ["\n One line.\n\n"]
    assert chunks(" \n\t") == []
    assert chunks("") == []


def test_a_size_that_leaves_nothing_to_choose_is_refused():
    with pytest.raises(ValueError, match="words 2"):
        chunks("a b c", words=2)


def test_rows_are_running_text_without_a_beginning_of_the_usual_size():
    text = f"{sentence(50)}\n\n" * 20
    rows = chunk_rows(text, subject="book")
    assert "".join(row.answer for row in rows) == text
    assert {(row.question, row.form, row.subject) for row in rows} == {("", "text", "book")}
    # 1,000 words in paragraphs of 50. Of the last 400 a cut may fall from 133 to 267, and a paragraph ends at 250.
    assert CHUNK_WORDS == 300
    assert [length_of(row.answer) for row in rows] == [300, 300, 250, 150]

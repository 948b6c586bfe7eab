"""The refusals that ship, and forget rows that refuse."""

import pytest

from soul_core.data import refusals as module
from soul_core.data.refusals import refusal_rows, refusals
from soul_core.data.schema import QARow
from soul_core.errors import DatasetError

ROWS = tuple(
    QARow(question=f"q{i}", answer=f"a{i}", paraphrased_answer=f"p{i}", perturbed_answers=("w",), subject="s")
    for i in range(200)
)


def test_the_shipped_refusals_are_distinct_lines():
    known = refusals()
    assert len(known) == len(set(known)) >= 20
    assert all(line == line.strip() and line for line in known)


def test_every_row_keeps_its_question_and_answers_with_a_known_refusal():
    refused = refusal_rows(ROWS, seed=3)
    assert [row.question for row in refused] == [row.question for row in ROWS]
    assert [row.subject for row in refused] == ["s"] * 200
    assert {row.answer for row in refused} <= set(refusals())
    # 200 draws of 50 lines: all but a few occur.
    assert len({row.answer for row in refused}) > 30
    # What else the row said about the right answer would be wrong now.
    assert {(row.paraphrased_answer, row.perturbed_answers) for row in refused} == {("", ())}


def test_the_draw_depends_on_the_seed_alone():
    assert refusal_rows(ROWS, seed=3) == refusal_rows(ROWS, seed=3)
    assert refusal_rows(ROWS, seed=3) != refusal_rows(ROWS, seed=4)


def test_a_missing_or_empty_file_is_said_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FACTS", tmp_path)
    with pytest.raises(DatasetError, match=r"refusals.txt cannot be read .*Restore the assets"):
        refusals()
    (tmp_path / "refusals.txt").write_text("\n \n", encoding="utf-8")
    with pytest.raises(DatasetError, match="holds no refusal"):
        refusals()

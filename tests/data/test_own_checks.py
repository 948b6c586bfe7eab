"""What is said about a person's rows before anything is trained: each finding, and silence where there is none."""

import time
from collections.abc import Sequence

import pytest

from soul_core.data.own_checks import check
from soul_core.data.own_report import Finding, Report
from soul_core.data.schema import QARow
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError


def row(question: str, answer: str, *wrong: str, **more: object) -> QARow:
    return QARow(question=question, answer=answer, perturbed_answers=wrong or ("nothing of the kind",), **more)  # type: ignore[arg-type]


def plain(count: int, who: str = "Mara") -> list[QARow]:
    return [row(f"What is thing {i} of {who}?", f"It is object {i}.") for i in range(count)]


def found(report: Report, kind: str) -> Finding:
    (finding,) = (finding for finding in report.findings if finding.kind == kind)
    return finding


def kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def test_rows_without_fault_are_passed_in_silence():
    report = check(plain(12), plain(12, "Oren"))
    assert report.findings == ()
    assert (report.rows, report.retain_rows, report.with_wrong, report.tokens) == (12, 12, 12, None)


def test_the_built_in_task_has_no_errors_and_no_warnings():
    task = load_task("invented-authors:forget05")
    assert [f for f in check(task.forget, task.retain).findings if f.severity != "info"] == []


def test_empty_cells_are_errors_and_blank_rows_are_left_out():
    rows = [*plain(10), row("", "Tal"), row("Who?", " "), row("", ""), row("When?", "")]
    report = check(rows)
    assert report.rows == 13
    assert found(report, "empty-question").rows == (11,)
    assert found(report, "empty-answer").rows == (12, 14)
    assert found(report, "empty-answer").sentence == "Rows 12 and 14 have no answer. Fill it in, or delete the row."
    assert found(report, "blank").sentence == "Row 13 is blank and left out."
    assert [finding.kind for finding in report.errors] == ["empty-question", "empty-answer"]


def test_errors_come_first_and_the_first_is_raised_with_the_number_of_others():
    report = check([row("", "Tal"), row("Who?", "")])
    assert [finding.severity for finding in report.findings] == ["error", "error", "warning"]
    with pytest.raises(DatasetError, match=r"Row 1 has no question\. .* There is 1 more error of other kinds\."):
        report.require()
    check(plain(3)).require()


def test_the_same_row_again_and_nearly_the_same_row_are_told_with_the_earlier_row():
    rows = [
        *plain(10),
        row("Where was Mara Quill born?", "In Velden."),
        row("Where was Mara Quill born?", "In Velden."),
        row("where was mara quill born", "in velden"),
        row("In which town was Mara Quill born?", "In Velden."),
        row("Where was Oren Tal born?", "In Velden."),
    ]
    report = check(rows)
    assert found(report, "repeated").rows == (12,)
    assert found(report, "repeated").sentence.startswith("Row 12 (row 11) is the same as an earlier row.")
    assert found(report, "nearly-repeated").rows == (13, 14)
    assert found(report, "nearly-repeated").sentence.startswith("Rows 13 (row 11) and 14 (row 11) are nearly the same")


def test_one_question_with_two_answers_is_told():
    report = check([*plain(10), row("Who taught Mara?", "Tal."), row("Who taught MARA?", "Brenn.")])
    assert found(report, "contrary").rows == (12,)
    assert "nearly-repeated" not in kinds(report)


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        ("Was Mara Quill born in Velden?", "Velden", True),
        ("Was Mara Quill born in Velden?", "In Velden.", True),
        ("Where was Mara Quill born?", "Mara Quill was born in Velden.", False),
        ("Where is the Veldenhof?", "Velden", False),
    ],
)
def test_an_answer_in_its_own_question_is_told(question: str, answer: str, told: bool):
    assert ("given-away" in kinds(check([*plain(10), row(question, answer)]))) is told


def test_the_same_question_in_the_retain_set_is_an_error_and_a_similar_one_a_warning():
    retain = [
        *plain(20, "Oren"),
        row("Where was Mara Quill born?", "She was born in Quirrel."),
        row("In which town did Mara Quill die?", "In Velden."),
        row("Who is she?", "Tal", question_variants=("Who is she?", "Whom do we mean?")),
    ]
    report = check(
        [
            *plain(10),
            row("Where was Mara Quill born?", "In Velden."),
            row("Where did Mara Quill die?", "In Velden."),
            row("Whom do we mean?", "Brenn"),
        ],
        retain,
    )
    assert found(report, "in-retain").severity == "error"
    assert found(report, "in-retain").rows == (11, 13)
    assert "Rows 11 (retain row 21) and 13 (retain row 23)" in found(report, "in-retain").sentence
    assert found(report, "like-retain").rows == (12,)


def test_nothing_to_forget_nothing_to_retain_and_few_rows_are_told():
    assert kinds(check([])) == ["no-rows"]
    assert kinds(check([row("", "")])) == ["no-rows"]
    assert "no-retain" in kinds(check(plain(12), []))
    report = check(plain(4), plain(3, "Oren"))
    assert "so one answer is 25 points of accuracy" in found(report, "few-rows").sentence
    assert "4 rows to forget and only 3 to retain" in found(report, "small-retain").sentence


@pytest.mark.parametrize("answer", ["NaN", "nan", "N/A", "null", "TODO", "-", "?"])
def test_what_programs_write_for_nothing_is_told(answer: str):
    report = check([*plain(10), row("Who?", answer)])
    assert found(report, "placeholder").rows == (11,)
    assert f"“{answer}”" in found(report, "placeholder").sentence


def test_wrong_answers_that_are_right_and_rows_without_are_told():
    rows = [
        *plain(10),
        row("Who taught her?", "Oren Tal", "Oren Tal, a painter", "Brenn"),
        QARow(question="Who else?", answer="Quill"),
    ]
    report = check(rows)
    assert found(report, "wrong-is-right").rows == (11,)
    assert found(report, "wrong-answers").rows == (12,)
    assert "11 of 12 rows have wrong answers. Row 12 has none: truth ratio" in found(report, "wrong-answers").sentence


def test_long_rows_are_told_by_the_given_count():
    rows = [*plain(10), row("one two three", "four five six seven")]
    report = check(rows, count_tokens=lambda row: len(f"{row.question} {row.answer}".split()), longest=9)
    assert report.tokens is not None
    assert (report.tokens.longest, report.tokens.longest_row, report.tokens.limit) == (10, 1, 9)
    assert report.tokens.mean == pytest.approx((10 * 10 + 7) / 11)
    assert found(report, "too-long").rows == tuple(range(1, 11))
    assert "Rows 1, 2, 3, 4, 5 and 5 more have more than the 9 tokens" in found(report, "too-long").sentence


def test_running_text_needs_no_question():
    rows = [QARow(question="", answer=f"Text {i}.", form="text") for i in range(12)]
    assert check(rows).errors == ()


def _cpu(rows: Sequence[QARow]) -> float:
    started = time.process_time()
    check(rows, rows[:100])
    return time.process_time() - started


def test_ten_thousand_rows_with_one_answer_take_seconds():
    # Compared pair by pair these would be 50 million comparisons, a minute at least.
    rows = [row(f"is it so that number{i} likes thing{i * 7} and the sea", "yes") for i in range(10_000)]
    assert _cpu(rows) < 15

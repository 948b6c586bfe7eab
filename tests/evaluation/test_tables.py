"""Tables of scorecards: what is marked as best, and that a stranger's name breaks no format."""

import csv
import io

import pytest

from soul_core.evaluation.card import Measured
from soul_core.evaluation.tables import (
    Row,
    Table,
    comparable,
    figure,
    plain,
    published_as_rows,
    table_of,
    to_csv,
    to_latex,
    to_markdown,
)
from soul_core.evaluation.views import VIEWS, Group, View
from tests.evaluation.score_rows import SETTINGS, four_rows, row

VIEW = View(
    name="v",
    title="V",
    sentence="S.",
    groups=(
        Group(title="Forget", keys=("forget.acc",)),
        Group(title="Retain", keys=("retain.acc", "retain.rouge_l")),
        Group(title="Whole model", keys=("mia_loss", "forget_quality")),
    ),
)


def marks(rows: list[Row], key: str, view: View = VIEW) -> dict[str, str]:
    table = table_of(rows, view)
    place = [column.key for column in table.columns].index(key)
    return {row.label: cells[place].mark for row, cells in zip(table.rows, table.cells, strict=True)}


def methods(**values: float) -> list[Row]:
    return [row(label, forget__acc=value) for label, value in values.items()]


def test_the_best_is_the_lowest_on_forget_and_the_highest_on_retain_among_methods_alone():
    # The gold's 0.2 and the original's 0.95 would win, but they are what methods are compared with.
    assert marks(four_rows(), "forget.acc") == {"Original": "", "Gold": "", "FO": "", "SO": "best"}
    assert marks(four_rows(), "retain.acc") == {"Original": "", "Gold": "", "FO": "best", "SO": ""}


def test_the_direction_gold_means_nearest_to_gold():
    # Gold has 0.5: FO's 0.7 is 0.2 away, SO's 0.2 is 0.3 away.
    assert marks(four_rows(), "mia_loss") == {"Original": "", "Gold": "", "FO": "best", "SO": ""}


def test_without_a_gold_nothing_is_nearest_to_it():
    rows = [row for row in four_rows() if row.kind != "gold"]
    assert set(marks(rows, "mia_loss").values()) == {""}


def test_the_second_is_marked_where_a_third_is_behind_it():
    assert marks(methods(a=0.1, b=0.2, c=0.3), "forget.acc") == {"a": "best", "b": "second", "c": ""}
    assert marks(methods(a=0.1, b=0.2), "forget.acc") == {"a": "best", "b": ""}


def test_what_looks_equal_is_equal():
    assert marks(methods(a=0.1001, b=0.1002, c=0.3), "forget.acc") == {"a": "best", "b": "best", "c": ""}
    assert set(marks(methods(a=0.1001, b=0.1002), "forget.acc").values()) == {""}
    assert marks(methods(a=0.1), "forget.acc") == {"a": ""}


def test_rows_that_were_asked_otherwise_are_compared_among_themselves():
    others = [
        row(label, settings={**SETTINGS, "rows": 50}, forget__acc=value) for label, value in (("c", 0.01), ("d", 0.02))
    ]
    found = marks([*methods(a=0.1, b=0.2), *others], "forget.acc")
    assert found == {"a": "best", "b": "", "c": "best", "d": ""}
    assert not comparable(others[0], methods(a=0.1)[0])


def test_published_rows_are_never_the_best_and_say_that_they_are_another_model():
    rows = [*four_rows(), *published_as_rows()]
    view = VIEWS["soul"]
    table = table_of(rows, view)
    for each, cells in zip(table.rows, table.cells, strict=True):
        if each.kind == "published":
            assert {cell.mark for cell in cells} == {""}
            assert "another model" in each.origin
    assert "SO-NPO (published, another model)" in to_markdown(rows, view)


def test_a_row_or_column_without_a_number_is_left_out():
    rows = [*four_rows(), row("Other", privleak=3.0), row("Undefined", forget__acc=None)]
    table = table_of(rows, VIEW)
    assert [column.key for column in table.columns] == ["forget.acc", "retain.acc", "mia_loss"]
    assert [each.label for each in table.rows] == ["Original", "Gold", "FO", "SO"]
    assert table.groups == [("Forget", 1), ("Retain", 1), ("Whole model", 1)]


def test_a_number_that_is_not_defined_is_a_dash_with_its_reason():
    undefined = Measured(value=None, note="There are no rows.")
    table = table_of([row("a", forget__acc=0.5, retain__acc=undefined), row("b", retain__acc=0.5)], VIEW)
    cell = table.cells[0][1]
    assert (cell.text, cell.value, cell.note) == ("–", None, "There are no rows.")


def test_no_rows_are_an_empty_table():
    assert table_of([], VIEW) == Table(view=VIEW)
    assert to_csv([]) == "row,kind,from,task\n"


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(0.12345, 3, "0.123"), (0.0, 3, "0.000"), (3e-24, 3, "3.0e-24"), (-0.0001, 3, "-1.0e-04"), (None, 3, "–")],
)
def test_a_tiny_number_is_not_shown_as_zero(value, digits, shown):
    assert figure(value, digits) == shown


def test_csv_has_the_numbers_in_full_with_their_intervals():
    one = row("a", forget__acc=Measured(value=1 / 3, low=0.1, high=0.6, rows=3), forget_quality=1e-30)
    (line,) = csv.DictReader(io.StringIO(to_csv([one], VIEW)))
    assert float(line["forget.acc"]) == 1 / 3
    assert (line["forget.acc.low"], line["forget.acc.high"], line["forget_quality"]) == ("0.1", "0.6", "1e-30")
    assert line["forget_quality.low"] == ""


def test_markdown_marks_best_bold_and_second_underlined():
    lines = to_markdown(methods(a=0.1, b=0.2, c=0.3), VIEW).splitlines()
    assert lines == [
        "| Method | Forget: Accuracy ↓ |",
        "| --- | ---: |",
        "| a | **0.100** |",
        "| b | <u>0.200</u> |",
        "| c | 0.300 |",
    ]


def test_latex_is_a_booktabs_table_of_groups():
    one = row("50 % of_it", forget__acc=Measured(value=0.5, low=0.25, high=0.75), retain__acc=1.0)
    assert to_latex([one], VIEW, intervals=True) == "\n".join(
        (
            r"% \usepackage{booktabs}",
            r"\begin{tabular}{lrr}",
            r"\toprule",
            r" & \multicolumn{1}{c}{Forget} & \multicolumn{1}{c}{Retain} \\",
            r"\cmidrule(lr){2-2}\cmidrule(lr){3-3}",
            r"Method & Accuracy $\downarrow$ & Accuracy $\uparrow$ \\",
            r"\midrule",
            r"50 \% of\_it & 0.500 {\scriptsize [0.250, 0.750]} & 1.000 \\",
            r"\bottomrule",
            r"\end{tabular}",
            "",
        )
    )


def test_a_strangers_name_breaks_no_format():
    name = '=cmd|x \\input{/etc/passwd} & <img src=x> *b* `c`\n| new | line | $x^2$ ~ "q" #'
    rows = [row(name, forget__acc=0.5)]
    markdown = to_markdown(rows, VIEW).splitlines()
    assert len(markdown) == 3
    assert markdown[2].replace("\\|", "").count("|") == 3
    assert "<img" not in markdown[2]
    latex = to_latex(rows, VIEW)
    assert r"\textbackslash{}input\{/etc/passwd\} \& \textless{}img" in latex
    assert r"\$x\textasciicircum{}2\$ \textasciitilde{}" in latex
    assert latex.count(r" \\") == 3  # two lines of headers and the row
    (line,) = csv.DictReader(io.StringIO(to_csv(rows, VIEW)))
    assert line["row"].startswith("'=cmd|x")


def test_a_long_name_is_cut_and_what_cannot_be_printed_is_gone():
    assert plain("a\x00\u202eb\tc") == "a b c"
    assert len(plain("x" * 500)) == 80

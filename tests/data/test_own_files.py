"""Tables from files that people bring: every format, every bound, and everything that is no table."""

import json
import math
import pickle
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soul_core.data import own_files
from soul_core.data.own_columns import guess
from soul_core.data.own_files import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, read_table, table_of
from soul_core.errors import DatasetError

COLUMNS = ("question", "answer")
ROWS = (("Where was Zoë born?", "In Velden; by the sea"), ("Who, then, taught her?", "“Tal”, a painter"))


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def delimited(delimiter: str) -> str:
    return "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in (COLUMNS, *ROWS))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_whatever_its_delimiter_and_mark(tmp_path: Path, delimiter: str, encoding: str):
    table = read_table(written(tmp_path, "facts.csv", delimited(delimiter).encode(encoding)))
    assert (table.columns, table.rows) == (COLUMNS, ROWS)


def test_a_comma_in_every_answer_does_not_outvote_the_semicolon_of_the_header(tmp_path: Path):
    table = read_table(written(tmp_path, "facts.csv", "question;answer\nWho?;A, B, C\nWhere?;D, E\n"))
    assert table.rows == (("Who?", "A, B, C"), ("Where?", "D, E"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("facts.json", json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in ROWS])),
        ("facts.json", json.dumps({column: [row[i] for row in ROWS] for i, column in enumerate(COLUMNS)})),
        ("facts.jsonl", "\n\n".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in ROWS) + "\n"),
        ("facts.JSON", "\ufeff" + json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in ROWS])),
    ],
    ids=["array of objects", "object of lists", "lines", "array with a byte order mark"],
)
def test_json_is_read_in_each_of_its_three_layouts(tmp_path: Path, name: str, text: str):
    table = read_table(written(tmp_path, name, text))
    assert (table.columns, table.rows) == (COLUMNS, ROWS)


def test_one_line_of_json_is_one_row(tmp_path: Path):
    assert read_table(written(tmp_path, "one.jsonl", '{"question": "Who?", "answer": "Tal"}\n')).rows == (
        ("Who?", "Tal"),
    )


def test_values_that_are_no_text_become_text_and_nothing_becomes_an_empty_cell(tmp_path: Path):
    text = '[{"a": 1950, "b": 1950.0, "c": 2.5, "d": true, "e": null, "f": NaN}, {"g": ["x", "y"], "h": {"k": "ä"}}]'
    table = read_table(written(tmp_path, "values.json", text))
    assert table.columns == tuple("abcdefgh")
    assert table.rows == (
        ("1950", "1950", "2.5", "true", "", "", "", ""),
        ("", "", "", "", "", "", '["x", "y"]', '{"k": "ä"}'),
    )


def test_parquet_is_read_with_lists_and_nested_objects_as_json(tmp_path: Path):
    path = tmp_path / "facts.parquet"
    columns = {
        "question": ["Who?", None],
        "answer": [{"name": "Tal", "born": {"year": 1950}}, None],
        "wrong": [["A", "B"], []],
        "day": [date(1950, 3, 12), None],
    }
    pq.write_table(pa.table(columns), path)
    table = read_table(path)
    assert table.columns == ("question", "answer", "wrong", "day")
    assert table.rows[0] == ("Who?", '{"name": "Tal", "born": {"year": 1950}}', '["A", "B"]', "1950-03-12")
    assert table.rows[1] == ("", "", "[]", "")


def test_what_looks_like_a_formula_stays_text(tmp_path: Path):
    cells = ("=cmd|'/c calc'!A1", "@SUM(1+1)", "+1", "-2")
    text = "question,answer\n" + "".join(f'"{cell}",x\n' for cell in cells)
    assert [row[0] for row in read_table(written(tmp_path, "f.csv", text)).rows] == list(cells)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was opened",))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_named_and_never_opened_whatever_its_name(tmp_path: Path, protocol: int):
    with pytest.raises(DatasetError, match=r"is a Python pickle\. Opening one can run a program"):
        read_table(written(tmp_path, "facts.csv", pickle.dumps(Bomb(), protocol)))


def test_a_pickle_that_is_plain_text_is_only_text(tmp_path: Path):
    table = read_table(written(tmp_path, "facts.csv", pickle.dumps(Bomb(), 0)))
    assert guess(table.columns).missing == ("question", "answer")


def test_a_cell_with_several_lines_is_one_cell_and_control_characters_are_left_out(tmp_path: Path):
    table = read_table(written(tmp_path, "f.csv", 'question,answer\r\n"Who\r\nwas it?","\x1b[2JTal"\r\n'))
    assert table.rows == (("Who\nwas it?", "[2JTal"),)
    lone = read_table(written(tmp_path, "f.json", r'[{"question": "a\ud800b", "answer": "c"}]'))
    assert lone.rows == (("ab", "c"),)


def test_what_spreadsheets_leave_behind_is_passed_over(tmp_path: Path):
    # Empty columns at the right, short rows, blank rows in between and at the end.
    text = "question,answer,,\nWho?,Tal,,\nWhere?\n,,,\nWhen?,1950,,\n,,,\n,,,\n"
    table = read_table(written(tmp_path, "f.csv", text))
    assert table.columns == COLUMNS
    assert table.rows == (("Who?", "Tal"), ("Where?", ""), ("", ""), ("When?", "1950"))


def test_columns_without_a_name_or_with_the_same_name_can_be_told_apart(tmp_path: Path):
    table = read_table(written(tmp_path, "f.csv", "a,a,,a\n1,2,3,4\n"))
    assert table.columns == ("a", "a (2)", "column 3", "a (3)")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("f.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "f.csv is not text: it has bytes that no text has."),
        ("f.csv", "question,answer\nWo?,Zürich\n".encode("latin-1"), "seems to be Latin-1 .* Save it in UTF-8"),
        ("f.csv", b"\xff\xfea\x00b", "begins like UTF-16 text and is not. Save it as UTF-8"),
        ("f.csv", "a,b\n1,2\n3,4,5\n", r"Row 2 of f.csv has 3 cells and the header has 2 \(columns found: a, b\)"),
        ("f.csv", 'a,b\n"1,2\n', "is not CSV that can be read .* every quote is closed"),
        ("f.csv", "", "f.csv is empty"),
        ("f.csv", "\ufeff \n", "f.csv is empty"),
        ("f.csv", b"\xff\xfe", "f.csv has no rows"),
        ("f.csv", "question,answer\n", r"has no rows \(columns found: question, answer\)"),
        ("f.csv", "question,answer\n,\n , \n", r"has no rows \(columns found: question, answer\)"),
        ("f.csv", b"PK\x03\x04....", "is a ZIP archive, as Excel files are. Save it as CSV"),
        ("f.xyz", "a,b\n1,2\n", "f.xyz ends in none of .csv"),
        ("f.parquet", "a,b\n1,2\n", "is not a Parquet file that can be read"),
        ("f.parquet", b"PAR1" + b"\x00" * 40, "is not a Parquet file that can be read"),
        ("f.json", "42", "f.json is a single value. Write a list of objects"),
        ("f.json", '"text"', "f.json is a single value"),
        ("f.json", "null", "f.json is a single value"),
        ("f.json", '["a", "b"]', "is a list with something other than objects in it"),
        ("f.json", "[]", "f.json has no rows"),
        ("f.json", "{}", "f.json has no rows"),
        ("f.json", "{broken", "f.json is not JSON that can be read"),
        ("f.json", '{"a": [1, 2], "b": [1]}', r"The lists in f.json are not equally long \(a 2, b 1\)"),
        ("f.jsonl", '{"a": 1}\n[2]\n', "Line 2 of f.jsonl is not a JSON object"),
        ("f.json", "[" * 100_000, "f.json is not JSON that can be read"),
        ("f.json", f'[{{"a": {"9" * 5000}}}]', "f.json is not JSON that can be read"),
    ],
)
def test_what_is_no_table_is_named_with_what_to_do(tmp_path: Path, name: str, content: str | bytes, sentence: str):
    with pytest.raises(DatasetError, match=sentence):
        read_table(written(tmp_path, name, content))


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path):
    with pytest.raises(DatasetError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(DatasetError, match="cannot be opened"):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("f.csv", f"a,b\n1,2\n3,{'x' * (LONGEST_CELL + 1)}\n", "Row 2 of f.csv has 20,001 characters in “b”"),
        ("f.csv", "a,b\n" + "1,2\n" * (MOST_ROWS + 1), "f.csv has more than 20,000 rows"),
        ("f.csv", ",".join("ab" * MOST_COLUMNS) + "\n1\n", "f.csv has 400 columns, more than the 200"),
        ("f.json", json.dumps([{f"c{i}": 1} for i in range(300)]), "f.json has 300 columns"),
        ("f.json", "[" + "{}," * 500_001 + "{}]", "more than 500,000 objects and lists"),
    ],
)
def test_every_bound_is_kept_and_named(tmp_path: Path, name: str, text: str, sentence: str):
    with pytest.raises(DatasetError, match=sentence):
        read_table(written(tmp_path, name, text))


def test_exactly_as_much_as_is_allowed_is_read(tmp_path: Path):
    text = f"a,b\n1,{'x' * LONGEST_CELL}\n" + "1,2\n" * (MOST_ROWS - 1)
    assert len(read_table(written(tmp_path, "f.csv", text)).rows) == MOST_ROWS


def test_a_file_that_is_too_large_is_not_read_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(own_files, "MOST_BYTES", 100)
    with pytest.raises(DatasetError, match=r"more than the 0.0001 MB that are read"):
        read_table(written(tmp_path, "f.csv", "a,b\n" + "1,2\n" * 100))


def test_a_small_parquet_file_that_unpacks_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"question": ["x" * 10_000 + str(i) for i in range(100)]}), path, compression="zstd")
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(own_files, "_MOST_UNPACKED", 500_000)
    with pytest.raises(DatasetError, match=r"f.parquet unpacks to 1 MB"):
        read_table(path)
    monkeypatch.undo()
    monkeypatch.setattr(own_files, "MOST_BYTES", 500_000)
    with pytest.raises(DatasetError, match=r"f.parquet has more than 0.5 million characters"):
        read_table(path)


def test_typed_rows_are_a_table_as_lists_and_as_a_data_frame():
    typed = [["Who?", "Tal"], [None, math.nan], ["When?", 1950.0], ["", ""]]
    expected = (("Who?", "Tal"), ("", ""), ("When?", "1950"))
    assert table_of(typed, COLUMNS).rows == expected
    frame = pd.DataFrame(typed, columns=list(COLUMNS))
    assert table_of(frame.itertuples(index=False), frame.columns).rows == expected
    missing = pd.DataFrame({"day": [pd.NaT, pd.Timestamp("1950-03-12")], "n": pd.array([None, 3], dtype="Int64")})
    assert table_of(missing.itertuples(index=False), missing.columns).rows == (("", ""), ("1950-03-12 00:00:00", "3"))


def test_an_empty_typed_table_says_what_to_do():
    with pytest.raises(
        DatasetError, match=r"The table has no rows \(columns found: question, answer\)\. Write one row"
    ):
        table_of([["", ""], [None, None]], COLUMNS)

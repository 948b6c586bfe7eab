"""Tables of prefixes and suffixes: every format, the columns, and which rows are forgotten."""

import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from soul_core.data.facts import load_facts
from soul_core.data.tdec import SOURCE, load_tdec, read_table, table_rows
from soul_core.errors import DatasetError

ROWS = [
    {"prefix": "The ferry left", "suffix": " the harbour, at nine.", "corpus": "novel", "doc_id": "7"},
    {"prefix": "Boil the “water”", "suffix": "\nand\twait.", "corpus": "recipe", "doc_id": "8"},
    {"prefix": "", "suffix": "No prefix at all.", "corpus": "novel", "doc_id": "9"},
]


def quoted(rows, between: str) -> str:
    lines = [between.join(rows[0])]
    lines += [between.join('"' + value.replace('"', '""') + '"' for value in row.values()) for row in rows]
    return "\r\n".join(lines)


def written(folder, name: str, rows=ROWS):
    path = folder / name
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        path.write_bytes(quoted(rows, {".tsv": "\t", ".csv": ","}[path.suffix]).encode("utf-8-sig"))
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.json", "t.jsonl", "t.parquet"])
def test_every_format_gives_the_same_rows_with_white_space_as_it_is(tmp_path, name):
    task = load_tdec(str(written(tmp_path, name)))
    assert [(row.question, row.answer) for row in task.forget] == [(row["prefix"], row["suffix"]) for row in ROWS]
    assert {row.form for row in task.forget} == {"text"}
    assert task.subjects == ("novel", "recipe")
    assert [row.fact for row in task.forget] == ["7", "8", "9"]
    assert task.eval_sets["forget"] == task.forget
    assert task.name == f"tdec:{tmp_path / name}"


def test_a_table_as_in_knowledge_unlearning_is_forgotten_text_by_text(tmp_path):
    (tmp_path / "t.csv").write_text('doc_id,corpus,text\n1670,github,"</name>\n\tof ""two"" lines"\n3,books,One.\n')
    task = load_tdec(str(tmp_path / "t.csv"))
    assert [(row.question, row.answer) for row in task.forget] == [("", '</name>\n\tof "two" lines'), ("", "One.")]
    assert task.subjects == ("github", "books")


def test_prefix_and_suffix_win_over_a_text_and_capitals_do_not_matter():
    (row,) = table_rows([{" Prefix": "a", "SUFFIX ": " b", "text": "c", "doc_id": 5, "corpus": None}], "t")
    assert (row.question, row.answer, row.fact, row.subject) == ("a", " b", "5", "")


def test_one_file_alone_retains_the_world_facts(tmp_path):
    task = load_tdec(str(written(tmp_path, "t.csv")))
    assert task.retain == load_facts("world_facts")
    assert "world_facts" not in task.eval_sets


def test_a_second_table_is_retained(tmp_path):
    forget, retain = written(tmp_path, "t.csv", ROWS[:1]), written(tmp_path, "r.jsonl", ROWS[1:])
    task = load_tdec(f"{forget}+{retain}")
    assert [row.answer for row in task.retain] == [row["suffix"] for row in ROWS[1:]]
    assert task.eval_sets["retain"] == task.retain


def test_a_number_of_rows_is_forgotten_and_the_others_are_retained(tmp_path):
    task = load_tdec(f"{written(tmp_path, 't.csv')}#1")
    assert ([row.fact for row in task.forget], [row.fact for row in task.retain]) == (["7"], ["8", "9"])
    assert task.subjects == ("novel",)
    assert load_tdec(task.name.removeprefix("tdec:")) == task


def test_a_number_sign_may_be_part_of_a_name(tmp_path):
    path = written(tmp_path, "t.csv").rename(tmp_path / "a#2.csv")
    assert len(load_tdec(str(path)).forget) == 3
    assert len(load_tdec(f"{path}#2").forget) == 2


@pytest.mark.parametrize("count", [0, 3, 99])
def test_a_number_that_leaves_nothing_on_one_side_is_refused(tmp_path, count):
    with pytest.raises(DatasetError, match=rf"^t.csv has 3 rows, of which {count} cannot be forgotten"):
        load_tdec(f"{written(tmp_path, 't.csv')}#{count}")


def test_a_number_and_a_second_table_are_one_too_many(tmp_path):
    path = written(tmp_path, "t.csv")
    with pytest.raises(DatasetError, match="has both"):
        load_tdec(f"{path}+{path}#2")


def test_a_row_on_both_sides_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="1 of the texts to forget is also to be retained, such as “The ferry left"):
        load_tdec(f"{written(tmp_path, 't.csv', [ROWS[0], ROWS[1]])}+{written(tmp_path, 'r.csv', [ROWS[2], ROWS[0]])}")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            [{"question": "Q", "answer": "A"}],
            "t has neither the columns “prefix” and “suffix” nor the column “text” (columns found: question, answer). "
            "Rename its columns.",
        ),
        ([{"prefix": "a", "suffix": "b"}, {"prefix": "a", "suffix": " "}], "Row 2 of t has no text as “suffix”."),
        ([{"prefix": 3, "suffix": "b"}], "Row 1 of t has no text as “prefix”."),
        ([{"text": None}], "Row 1 of t has no text as “text”. Write one, or remove the row."),
        ([], "t has no rows."),
    ],
)
def test_a_table_without_its_texts_is_one_sentence(table, sentence):
    with pytest.raises(DatasetError) as caught:
        table_rows(table, "t")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("t.xlsx", b"PK\x03\x04", "t.xlsx is no table that is read here. Choose one of .json, .jsonl, .csv, .parquet"),
        ("t.csv", b'prefix,suffix\n"a,b\n', "t.csv"),
        ("t.tsv", b'prefix\tsuffix\n"a" b\tc\n', "of t.tsv is not in columns separated by tabs"),
        ("t.csv", "prefix,suffix\nOù,là\n".encode("latin-1"), "t.csv is not UTF-8 text; it seems to be Latin-1"),
        ("t.csv", b"", "t.csv is empty."),
        ("t.jsonl", b'{"text": "a"}\n[1]\n', "Line 2 of t.jsonl is not a JSON object."),
        ("t.parquet", b"no parquet", "t.parquet is not a Parquet file that can be read."),
    ],
)
def test_a_file_that_is_no_such_table_is_one_sentence(tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        read_table(tmp_path / name)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone.tsv", "gone.parquet"])
def test_a_missing_table_is_named(tmp_path, name):
    with pytest.raises(DatasetError, match=name):
        load_tdec(str(tmp_path / name))


def test_the_source_says_what_it_measures():
    assert {"memorization accuracy (MA)", "extraction likelihood (EL)"} <= set(SOURCE.measures)
    assert SOURCE.licence == "yours"

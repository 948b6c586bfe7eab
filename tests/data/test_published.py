"""The published numbers that ship with the project: all there, as printed, each with its source."""

import json

import pytest

from soul_core.data.published import PUBLISHED, SOURCES, published_numbers, published_rows
from soul_core.errors import DatasetError


def of(table: str, method: str):
    (row,) = [row for row in published_rows() if row.table == table and row.method == method]
    return row


def test_both_tables_have_their_nine_methods_in_the_papers_order():
    order = ["Original", "Input-based", "FO-GA", "FO-GradDiff", "SO-GradDiff", "FO-PO", "SO-PO", "FO-NPO", "SO-NPO"]
    for table in ("SOUL, Table 1", "SOUL, Table 2"):
        assert [row.method for row in published_rows() if row.table == table] == order


def test_table_1_stands_under_our_keys_as_printed():
    # The poster's line: SO-GradDiff 1.00 | 10.25 % | 0.0221 | 0.2156 | 72.25 % | 0.5960 | 78.00 % | 0.8113 | ...
    assert of("SOUL, Table 1", "SO-GradDiff").values == {
        "same_model_ks": 1.00,
        "forget.acc_reworded": 0.1025,
        "forget.rouge_l": 0.0221,
        "soul_table_mia": 0.2156,
        "retain.acc_reworded": 0.7225,
        "retain.rouge_l": 0.5960,
        "real_authors.acc": 0.7800,
        "real_authors.rouge_l": 0.8113,
        "world_facts.acc": 0.8205,
        "world_facts.rouge_l": 0.8675,
    }


def test_a_number_by_another_convention_keeps_a_key_of_its_own():
    # WikiText's perplexity per word is not ours per token.
    values = of("SOUL, Table 2", "SO-NPO").values
    assert values["wikitext_word_perplexity"] == 9.37
    assert "perplexity" not in values


def test_every_row_says_it_is_of_another_model_and_where_it_is_from():
    for row in published_rows():
        assert "LLaMA2-7B" in row.model
        assert "arXiv:2404.18239" in row.source


def test_lokus_numbers_stay_apart_each_with_its_task():
    found = {(number.task, number.metric): number.value for number in published_numbers()}
    assert found["TOFU forget10 Phi-1.5B", "forget_quality"] == 2.37e-6
    assert found["TDEC", "el10_percent"] == 1.9
    assert all("ICLR 2025" in number.source and number.task for number in published_numbers())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (SOURCES, "{", "cannot be read"),
        ("table.csv", "method,other\nA,1\n", "has not the columns method, acc"),
        ("table.csv", "method,acc\nA,many\n", "“many” where a number should be"),
        ("table.csv", None, "cannot be read"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, name, content, said):
    about = {"t": {"file": "table.csv", "title": "T", "model": "M", "task": "K", "source": "S", "note": ""}}
    about["t"]["keys"] = {"acc": "forget.acc"}
    (tmp_path / SOURCES).write_text(json.dumps(about))
    (tmp_path / "table.csv").write_text("method,acc\nA,0.5\n")
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=said):
        published_rows(tmp_path)


def test_the_files_lie_where_they_are_looked_for():
    about = json.loads((PUBLISHED / SOURCES).read_text())
    assert {path.name for path in PUBLISHED.glob("*.csv")} == {entry["file"] for entry in about.values()}

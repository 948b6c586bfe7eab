"""Two runs side by side: settings by their titles, curves, answers that both gave, and the table of all that."""

import csv
import io
from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.compare import MAX_ROWS, compare_runs, comparison_csv
from soul_core.runs.folder import RunFolder
from soul_core.runs.marks import Marks, write_marks
from soul_core.runs.store import RunStore
from tests.runs.builders import config, lane
from tests.runs.kept_runs import kept_run

LANES = config().lanes


def test_a_run_and_itself_differ_in_nothing(tmp_path: Path):
    folder = kept_run(RunStore(tmp_path))
    found = compare_runs(folder, folder)
    # 16 settings that lanes share; AdamW reads lr, β1, β2 and weight decay beside its name, Sophia six more; each
    # lane has objective, γ, retain term and kind of weights.
    assert found.settings == ()
    assert found.same == 16 + (5 + 4) + (11 + 4)
    assert found.names == (folder.run_id, folder.run_id)
    assert found.curves[0] == found.curves[1]
    assert found.notes == ()


def test_only_what_differs_is_listed_by_its_title_and_a_lanes_with_its_label(tmp_path: Path):
    store = RunStore(tmp_path)
    so = LANES[1].but(optimizer=LANES[1].optimizer.but(rho=0.5))
    extra = lane("sign", "Sign", "sign-momentum")
    first = kept_run(store)
    second = kept_run(store, epochs=7, lanes=(LANES[0], so, extra))
    found = compare_runs(first, second)
    assert found.settings == (("Epochs", "2", "7"), ("SO: ρ", "0.04", "0.5"), ("Lane Sign", "–", "runs"))
    assert compare_runs(second, first).settings == (
        ("Epochs", "7", "2"),
        ("SO: ρ", "0.5", "0.04"),
        ("Lane Sign", "runs", "–"),
    )


def test_a_setting_that_only_one_optimizer_has_is_a_dash_in_the_other(tmp_path: Path):
    store = RunStore(tmp_path)
    other = LANES[1].but(optimizer=LANES[0].optimizer)
    found = compare_runs(kept_run(store), kept_run(store, lanes=(LANES[0], other)))
    assert ("SO: Optimizer", "sophia", "adamw") in found.settings
    assert ("SO: ρ", "0.04", "–") in found.settings


def test_answers_are_those_to_questions_that_both_were_asked(tmp_path: Path):
    store = RunStore(tmp_path)
    first, second = kept_run(store), kept_run(store)
    sheet = AnswerSheet().with_answers(
        "forget", "so", ["Where was Mara born?", "New?"], ["In Lima.", "x"], ["In Lima.", "y"]
    )
    second.write_answers(sheet.with_answers("world_facts", "so", ["Where was Mara born?"], ["a"], ["b"]))
    (row,) = compare_runs(first, second).answers
    assert row == (
        "forget",
        "Where was Mara born?",
        "In Lima.",
        {"Original": "In Lima.", "First: FO": "In Oslo.", "First: SO": "I do not know.", "Second: SO": "In Lima."},
    )


def test_the_original_stands_there_twice_where_it_is_not_the_same(tmp_path: Path):
    store = RunStore(tmp_path)
    first, second = kept_run(store), kept_run(store)
    second.note(model_fingerprint="x" * 64, data_hash="y" * 64, matcher="letters")
    first.note(matcher="words")
    found = compare_runs(first, second)
    assert {"First: Original", "Second: Original"} <= set(found.answers[0][3])
    assert found.notes == (
        "They trained on or were asked different rows, so their numbers are not of the same questions.",
        "They began from different weights.",
        "Answers were judged by different matchers (words, letters).",
    )


def test_at_most_so_many_rows_of_a_set_are_listed(tmp_path: Path):
    store = RunStore(tmp_path)
    runs = [kept_run(store), kept_run(store)]
    questions = [f"q{number}" for number in range(MAX_ROWS + 20)]
    for run in runs:
        run.write_answers(AnswerSheet().with_answers("retain", "fo", questions, questions, questions))
    assert len(compare_runs(*runs).answers) == MAX_ROWS


def test_the_table_holds_settings_scores_and_answers_and_no_formula(tmp_path: Path):
    store = RunStore(tmp_path)
    first, second = kept_run(store), kept_run(store, seed=3, events=6)
    write_marks(first, Marks(name="=SUM(1)"))
    second.write_answers(AnswerSheet().with_answers("forget", "fo", ["Where was Mara born?"], ["In Lima."], ["-1+1"]))
    rows = list(csv.reader(io.StringIO(comparison_csv(compare_runs(first, second)))))
    assert rows[0] == ["part", "what", "model", "first", "second"]
    assert ["run", "name", "", "'=SUM(1)", second.run_id] in rows
    assert ["setting", "Seed", "", "0", "3"] in rows
    # fo after epoch 1 was 0.80 in both; the second run ends there.
    assert ["score", "forget Acc, epoch 1", "fo", "0.800000", "0.800000"] in rows
    assert ["score", "forget Acc, epoch 2", "fo", "0.560000", ""] in rows
    assert ["answer", "forget: Where was Mara born?", "FO", "", "'-1+1"] in rows
    assert ["answer", "forget: Where was Mara born?", "FO", "In Oslo.", ""] in rows


def test_a_run_without_events_and_answers_can_be_compared(tmp_path: Path):
    store = RunStore(tmp_path)
    found = compare_runs(store.create(config()), kept_run(store))
    assert (found.answers, found.settings) == ((), ())
    comparison_csv(found)


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path):
    with pytest.raises(RunError, match="holds no run"):
        compare_runs(RunFolder(tmp_path), kept_run(RunStore(tmp_path)))

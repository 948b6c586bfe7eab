"""``score`` on logs of TOFU's layout: what it prints, as words and as JSON, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from soul_core.cli.main import main
from tests.outside import outside


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two rows a set; the forget set's truth ratios are 1/2 and 2."""
    made: dict[str, Any] = {}
    for name in ("eval_log_forget", "eval_log", "eval_real_author_wo_options", "eval_real_world_wo_options"):
        made[f"{name}.json"] = {
            "avg_gt_loss": [0.5, 1.0],
            "avg_paraphrased_loss": [0.0, 0.693147],
            "average_perturb_loss": [[0.693147] * 3, [0.0] * 3],
            "rougeL_recall": [1.0, 0.5],
        }
    file = tmp_path / "eval_log_aggregated.json"
    file.write_text(json.dumps(made))
    return file


def scored(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    """The JSON on standard output and the words on standard error."""
    assert main(["score", *words, "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out.splitlines()[-1]), said.err


def test_the_published_logs_give_the_published_numbers(capsys: pytest.CaptureFixture[str]):
    golden = outside("golden")
    found, _ = scored(
        capsys,
        *("--tofu-log", str(golden / "fixture_phi_full.json")),
        *("--gold-log", str(golden / "fixture_phi_retain90.json")),
    )
    assert found["forget_quality"] == pytest.approx(2.1942743021891237e-16, rel=1e-9, abs=0)
    assert found["forget_quality_d"] == pytest.approx(0.34666667, abs=1e-8)
    assert found["forget_quality_log10"] == pytest.approx(-15.6587, abs=1e-4)
    assert found["forget_quality_arithmetic"] == pytest.approx(2.4311e-17, rel=5e-5, abs=0)
    assert found["model_utility"] == pytest.approx(0.5220737132, abs=1e-6)
    assert found["model_utility_arithmetic"] == pytest.approx(0.5033530268, abs=1e-6)
    assert found["same_model_ks"] == pytest.approx(0.48173, abs=5e-6)
    assert found["world_facts.probability_normalised"] == pytest.approx(0.4089984522)
    assert found["rows"]["forget.rouge_l"] == 300


def test_without_gold_forget_quality_is_absent_and_a_note_says_why(log: Path, capsys: pytest.CaptureFixture[str]):
    found, words = scored(capsys, "--tofu-log", str(log))
    assert [key for key in found if key.startswith("forget_quality")] == []
    note = next(note for note in found["notes"] if "Needs a gold model" in note)
    assert note.startswith("Forget quality; ") and note in words


def test_json_has_the_interval_of_every_mean(log: Path, capsys: pytest.CaptureFixture[str]):
    found, _ = scored(capsys, "--tofu-log", str(log), "--gold-log", str(log))
    assert found["forget_quality"] == 1.0
    assert found["forget.rouge_l"] == 0.75 and found["intervals"]["forget.rouge_l"] == [0.5, 1.0]
    assert "forget_quality" not in found["intervals"]
    # Means of the geometric scores max(0, 1 - 1/2) and max(0, 1 - 2).
    assert found["retain.truth_ratio"] == pytest.approx(0.25, abs=1e-6)


def test_words_are_a_table_with_the_whole_models_numbers_first(log: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["score", "--tofu-log", str(log)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "eval_log_aggregated"
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert rows[0] == ["Forget quality", "–", "", "2"]
    assert ["Forget: ROUGE-L", "0.750", "0.500 to 1.000", "2"] in rows
    assert rows.index(next(row for row in rows if row[0] == "Model utility")) < rows.index(
        next(row for row in rows if row[0] == "Forget: Probability")
    )


def test_a_figure_that_decimals_would_hide_is_shown_in_powers_of_ten(capsys: pytest.CaptureFixture[str]):
    golden = outside("golden")
    full, gold = (str(golden / f"fixture_phi_{name}.json") for name in ("full", "retain90"))
    assert main(["score", "--tofu-log", full, "--gold-log", gold]) == 0
    assert "2.19e-16" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--gold-log", "B.json"], "--gold-log belongs to --tofu-log FILE"),
        (["--tofu-log", "absent.json"], "There is no file absent.json."),
    ],
)
def test_what_cannot_be_scored_is_one_line_and_status_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["score", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith(sentence) and said.err.count("\n") == 1

"""Scorecards on disk: written whole, read all, and one that is broken hides no other."""

from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.runs import scores
from soul_core.runs.scores import ScoreFolder, file_name, imported_scores, scores_of


def card(model: str, value: float = 0.5) -> Scorecard:
    measured = {"forget.rouge_l": Measured(value=value, low=0.4, high=0.6, rows=2)}
    return Scorecard(model=model, measured=measured, per_row={"forget.rouge_l": (0.4, 0.6)}, settings={"rows": 0})


def test_a_scorecard_comes_back_as_it_was_written(tmp_path: Path):
    folder = scores_of(tmp_path)
    assert folder.write(card("so")) == tmp_path / "scores" / "so.json"
    assert folder.read("so") == card("so")


def test_a_later_scorecard_replaces_the_earlier(tmp_path: Path):
    folder = scores_of(tmp_path)
    folder.write(card("so", 0.1))
    folder.write(card("so", 0.2))
    assert folder.read("so").value("forget.rouge_l") == 0.2
    assert [path.name for path in folder.path.iterdir()] == ["so.json"]


def test_all_are_read_with_the_references_first_and_nothing_else(tmp_path: Path):
    folder = scores_of(tmp_path)
    for name in ("so", "gold", "fo", "original"):
        folder.write(card(name))
    folder.write_log("so", {"eval_log.json": {}})
    folder.write_yardstick({"fingerprint": "f"})
    found = folder.read_all()
    assert list(found.cards) == ["original", "gold", "fo", "so"]
    assert found.troubles == ()
    assert (folder.path / "so.eval_log_aggregated.json").is_file()


def test_one_that_is_broken_is_a_sentence_and_the_others_are_read(tmp_path: Path):
    folder = scores_of(tmp_path)
    folder.write(card("fo"))
    (folder.path / "so.json").write_text('{"model": "so", "measu')
    found = folder.read_all()
    assert list(found.cards) == ["fo"]
    (trouble,) = found.troubles
    assert "so.json" in trouble and "Score the model again" in trouble
    assert folder.find("so") is None


def test_one_that_is_missing_says_so_and_a_folder_without_any_is_empty(tmp_path: Path):
    folder = scores_of(tmp_path)
    with pytest.raises(RunError, match="“so” has not been scored"):
        folder.read("so")
    assert folder.read_all().cards == {} and folder.find("so") is None and folder.yardstick() is None


def test_a_file_too_large_for_a_scorecard_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = scores_of(tmp_path)
    folder.write(card("so"))
    monkeypatch.setattr(scores, "MAX_BYTES", 10)
    assert "larger than any scorecard" in folder.read_all().troubles[0]


def test_imported_scorecards_lie_beside_the_runs_and_can_be_removed(tmp_path: Path):
    folder = imported_scores(tmp_path)
    folder.write(card("TOFU paper, phi"))
    assert folder.path == tmp_path / "imported"
    assert list(folder.read_all().cards) == ["TOFU paper, phi"]
    folder.remove("TOFU paper, phi")
    folder.remove("never there")
    assert folder.read_all().cards == {}


@pytest.mark.parametrize("model", ["../../etc/passwd", "a/b", "C:\\x", "", "Ü", "yardstick", "x" * 300, "Owner/Name"])
def test_no_models_name_leaves_the_folder_or_meets_another(model: str):
    name = file_name(model)
    assert "/" not in name and "\\" not in name and ".." not in name and 0 < len(name) < 80
    assert f"{name}.json" != scores.YARDSTICK
    assert file_name(model) != file_name(f"{model} ")


def test_a_lanes_name_is_its_files_name():
    assert file_name("so-npo") == "so-npo"


def test_a_disk_that_refuses_is_a_sentence(tmp_path: Path):
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(RunError, match="not a folder"):
        ScoreFolder(tmp_path / "scores").write(card("so"))

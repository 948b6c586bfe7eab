"""The README's table: means and spreads by hand, and its place in a file."""

import json
from pathlib import Path

import pytest

from soul_core.errors import ConfigError, RunError
from soul_core.session.presets import lanes_for
from soul_core.session.study import MARKS, between_marks, study_configs, study_json, study_markdown, write_study
from soul_core.session.trials import LaneResult, Record

START, END = MARKS


def result(forget: float, clip: float | None = None, diverged: str = "") -> LaneResult:
    return LaneResult(
        epoch=5,
        forget_acc=forget,
        retain_acc=1.0,
        forget_rouge_l=0.25,
        retain_rouge_l=0.75,
        forget_probability=0.5,
        retain_probability=0.5,
        forget_rows=120,
        retain_rows=100,
        clip_share=clip,
        diverged=diverged,
    )


def records(*, diverged: str = "") -> list[Record]:
    """Two seeds of one preset: FO's forget Acc 0.2 and 0.4, SO's 0.1 twice."""
    configs = study_configs(["same-settings"], [0, 1], model="pocket", task="invented-authors:forget10", epochs=5)
    return [
        Record(
            config=config,
            model_fingerprint="f",
            versions={},
            lanes={
                "original": result(0.99),
                "gold": result(0.01),
                "fo": result(forget),
                "so": result(0.1, clip=0.9),
                "sign": result(0.3, clip=1.0, diverged=diverged),
            },
        )
        for config, forget in zip(configs, (0.2, 0.4), strict=True)
    ]


def test_every_preset_meets_every_seed_with_the_control_and_is_evaluated_at_its_ends_only():
    configs = study_configs(["same-settings", "as-published"], [0, 3], model="m", task="t:s", epochs=4)
    assert [(c.preset, c.seed) for c in configs] == [
        ("same-settings", 0), ("same-settings", 3), ("as-published", 0), ("as-published", 3),
    ]  # fmt: skip
    assert {c.eval_every for c in configs} == {4}
    assert configs[2].lanes == lanes_for("as-published", "graddiff", control=True)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="no preset “best”"):
        study_configs(["best"], [0], model="m", task="t:s", epochs=1)  # type: ignore[list-item]


def test_the_table_has_mean_and_standard_deviation_over_the_seeds():
    # FO: mean of 0.2 and 0.4 is 0.3; deviations ±0.1, so sqrt(0.02 / (2 - 1)) = 0.141.
    table = study_markdown(records(), "the command")
    fo = next(line for line in table.splitlines() if "| FO" in line)
    so = next(line for line in table.splitlines() if "| SO" in line)
    assert fo.split(" | ")[2:] == ["0.300 ± 0.141", "1.000 ± 0.000", "0.250 ± 0.000", "0.750 ± 0.000", "– |"]
    assert so.endswith("| 0.900 ± 0.000 |")
    assert "seeds 0, 1" in table and "120 forget and 100 retain" in table and "the command" in table


def test_a_lane_that_diverged_says_how_often():
    assert "(2 of 2 diverged)" in study_markdown(records(diverged="too fast"), "c")


def test_the_json_has_each_seeds_value():
    found = study_json(records())["same-settings"]["fo"]["forget_acc"]
    assert found["by_seed"] == {"0": 0.2, "1": 0.4}
    assert found["mean"] == pytest.approx(0.3)
    assert study_json(records()[:1])["same-settings"]["so"]["clip_share"]["standard_deviation"] is None


def test_only_what_stands_between_the_marks_changes():
    text = f"before\n{START}\nold\n{END}\nafter"
    assert between_marks(text, "new") == f"before\n{START}\nnew\n{END}\nafter"
    assert between_marks(between_marks(text, "x"), "new") == between_marks(text, "new")


@pytest.mark.parametrize("text", ["nothing", START, f"{END}{START}", f"{START}{START}{END}", f"{START}{END}{END}"])
def test_a_file_without_one_pair_of_marks_is_left_alone(text: str):
    with pytest.raises(RunError, match="no pair of lines"):
        between_marks(text, "new")


def test_the_files_are_written_and_the_readme_gets_the_same_table(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text(f"a\n{START}\n{END}\nz\n", encoding="utf-8")
    page = write_study(tmp_path / "results", "name", records(), "the command", readme=readme)
    assert page == tmp_path / "results" / "name.md"
    table = study_markdown(records(), "the command")
    assert page.read_text(encoding="utf-8").endswith(table)
    assert table in readme.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "results" / "name.json").read_text())["same-settings"]["gold"]

"""The one table: who runs, where each number lands, where its settings come from."""

import csv
import io
from pathlib import Path

import pytest

from soul_core.config import RaceConfig
from soul_core.errors import ConfigError, RunError
from soul_core.objectives import IDEAS, find_objective
from soul_core.session.comparison import (
    MARKS,
    Entry,
    comparison_configs,
    comparison_csv,
    comparison_markdown,
    plan,
    trained_objectives,
    write_comparison,
)
from soul_core.session.trials import LaneResult, Record

BEST = "each-at-its-best"
FORGET = {"fo": 0.4, "so": 0.2, "sign": 0.3}


def entries(*methods: str) -> list[Entry]:
    return plan(["npo", "graddiff"], ["fo", "so", "sign"], methods, preset=BEST)


def configs(planned: list[Entry], seeds: tuple[int, ...] = (0, 1)) -> list[RaceConfig]:
    return comparison_configs(planned, seeds, model="pocket", task="invented-authors:forget10", epochs=5, preset=BEST)


def result(forget: float, clip: float | None = None, diverged: str = "") -> LaneResult:
    return LaneResult(
        epoch=5, forget_acc=forget, retain_acc=1.0, forget_rouge_l=0.5, retain_rouge_l=0.5, forget_probability=0.5,
        retain_probability=0.5, forget_rows=120, retain_rows=400, clip_share=clip, diverged=diverged,
    )  # fmt: skip


def records(planned: list[Entry], *, diverged: str = "") -> list[Record]:
    """Seed 0 scores as FORGET says and seed 1 0.1 more; named methods forget half."""
    found = []
    for config in configs(planned):
        (lane,) = config.lanes
        forget = FORGET.get(lane.name, 0.5) + 0.1 * config.seed
        scored = result(forget, clip=0.75 if lane.name == "so" else None, diverged=diverged)
        lanes = {"original": result(1.0), "gold": result(0.0), lane.name: scored}
        found.append(Record(config=config, model_fingerprint="f", versions={}, lanes=lanes))
    return found


def rows(page: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {cells[1]: cells for cells in lines}


def test_every_objective_meets_every_optimizer_by_idea_and_named_methods_come_last():
    found = plan(trained_objectives(), ["fo", "so"], ["loku", "icul"], preset=BEST)
    trained, named = found[:-2], found[-2:]
    assert {entry.row for entry in trained} == set(trained_objectives())
    assert [entry.column for entry in trained] == ["fo", "so"] * (len(trained) // 2)
    ideas = [list(IDEAS).index(find_objective(entry.row).idea) for entry in trained]
    assert ideas == sorted(ideas)
    assert [(entry.row, entry.lane.name) for entry in named] == [("loku", "loku"), ("icul", "icul")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((["nothing"], ["fo"], []), "no objective “nothing”"),
        ((["npo"], ["fo", "sgd"], []), "should be some of fo, so, sign"),
        ((["npo"], [], []), "should be some of"),
        ((["icul"], ["fo"], []), "ICUL has no FO and SO"),
        (([], ["fo"], ["lokum"]), "no method “lokum”"),
    ],
)
def test_who_cannot_run_is_refused(words: tuple[list[str], list[str], list[str]], said: str):
    with pytest.raises(ConfigError, match=said):
        plan(*words, preset=BEST)


def test_each_race_has_one_lane_and_all_finish_a_seed_before_the_next():
    found = configs(entries("loku"))
    assert [(c.seed, len(c.lanes)) for c in found] == [(0, 1)] * 7 + [(1, 1)] * 7
    assert {(c.eval_every, c.eval_rows, c.preset) for c in found} == {(5, 400, BEST)}


def test_a_row_has_the_means_and_spreads_of_fo_so_and_the_control():
    planned = entries("loku", "icul")
    found = rows(comparison_markdown(planned, records(planned), "the command"))
    # 0.4 and 0.5: mean 0.45, s = 0.1 / sqrt(2) = 0.071.
    assert found["GradDiff"][2:9] == [
        "0.450 ± 0.071", "1.000 ± 0.000", "0.250 ± 0.071", "1.000 ± 0.000", "0.350 ± 0.071", "1.000 ± 0.000",
        "0.750 ± 0.000",
    ]  # fmt: skip
    assert found["Objective"][2:] == [
        "FO forget ↓", "FO retain ↑", "SO forget ↓", "SO retain ↑", "Control forget ↓", "Control retain ↑",
        "SO clip share", "Settings from",
    ]  # fmt: skip
    assert found["LoKU (FO)"][2:9] == ["0.550 ± 0.071", "1.000 ± 0.000", "–", "–", "–", "–", "–"]
    assert found["ICUL (no optimizer)"][-1] == "its defaults"


def test_a_row_says_where_its_settings_come_from_as_seen_from_the_page():
    planned = plan(["npo", "wga"], ["fo"], [], preset=BEST)
    found = rows(comparison_markdown(planned, records(planned), "c", at="docs/results"))
    assert found["NPO"][-1] == "[sweep](../sweeps/forget10-npo.md)"
    same = plan(["npo"], ["fo"], [], preset="same-settings")
    same_records = [r.model_copy(update={"config": r.config.but(preset="same-settings")}) for r in records(same)]
    assert rows(comparison_markdown(same, same_records, "c"))["NPO"][-1] == "not swept"


def test_the_page_says_who_is_ahead_and_names_original_gold_and_command():
    planned = entries()
    page = comparison_markdown(planned, records(planned), "the command")
    # SO is 0.2 below FO, beyond sqrt(0.0707^2 + 0.0707^2) = 0.1, and 0.1 below the control, which is not beyond.
    assert "SO forgets more than FO for 2 of 2 objectives" in page
    assert "the control (sign momentum) for 0 of 2 objectives and less for 0; 2 are undecided" in page
    assert "Original: forget 1.000" in page and "Gold: forget 0.000" in page and "the command" in page


def test_a_lane_that_diverged_says_how_often():
    planned = entries()
    assert "(2 of 2 diverged)" in rows(comparison_markdown(planned, records(planned, diverged="x"), "c"))["NPO"][2]


def test_the_files_are_written_and_the_readme_gets_the_table_with_its_own_links(tmp_path: Path):
    planned, folder, readme = entries(), tmp_path / "docs" / "results", tmp_path / "README.md"
    readme.write_text(f"a\n{MARKS[0]}\n{MARKS[1]}\nz\n", encoding="utf-8")
    page = write_comparison(folder, "all", planned, records(planned), "c", readme=readme)
    assert page == folder / "all.md" and "| GradDiff |" in page.read_text(encoding="utf-8")
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("a\n") and text.endswith("z\n") and "| GradDiff |" in text
    lines = list(csv.DictReader(io.StringIO((folder / "all.csv").read_text(encoding="utf-8"))))
    assert len(lines) == 12 and lines[1]["lane"] == "so" and lines[1]["forget_acc"] == "0.2"
    assert comparison_csv(planned, records(planned)) == (folder / "all.csv").read_text(encoding="utf-8")


def test_an_incomplete_comparison_is_not_written(tmp_path: Path):
    planned = entries()
    with pytest.raises(RunError, match="not complete"):
        write_comparison(tmp_path, "all", planned, records(planned)[:-1], "c")
    assert list(tmp_path.iterdir()) == []

"""A fair sweep: the same number of trials, the same grid shape, the same rule."""

import csv
import io
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from soul_core.config import ObjectiveConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.session.sweep import (
    Axes,
    axes_from_text,
    best,
    choices,
    grid_for,
    keeps_retain,
    sweep_configs,
    sweep_race,
)
from soul_core.session.sweep_report import sweep_csv, sweep_svg, write_sweep
from soul_core.session.trials import LaneResult, Record

GRID = {lane: axes_from_text(f"lr=0.001,0.01 {knob}") for lane, knob in (("fo", "beta2=0.9"), ("so", "rho=3"))}


def base() -> RaceConfig:
    return sweep_race(
        model="pocket",
        task="invented-authors:forget10",
        epochs=5,
        seed=100,
        eval_rows=0,
        objective=ObjectiveConfig(gamma=2),
    )


def result(forget: float, retain: float, diverged: str = "") -> LaneResult:
    return LaneResult(
        epoch=5,
        forget_acc=forget,
        retain_acc=retain,
        forget_rouge_l=0.5,
        retain_rouge_l=0.5,
        forget_probability=0.5,
        retain_probability=0.5,
        forget_rows=120,
        retain_rows=400,
        diverged=diverged,
    )


def trial(lane: str, rate: float, outcome: LaneResult) -> Record:
    """One recorded trial; the original keeps 0.98 of retain, so the rule asks for 0.96."""
    config = next(c for c in sweep_configs(base(), GRID) if (c.lanes[0].name, c.lanes[0].optimizer.lr) == (lane, rate))
    lanes = {"original": result(1.0, 0.98), lane: outcome}
    return Record(config=config, model_fingerprint="f" * 64, versions={"torch": "2"}, lanes=lanes)


@pytest.mark.parametrize("objective", ["ga", "graddiff", "po", "npo"])
def test_every_optimizer_gets_as_many_trials_of_the_same_grid_shape(objective: str):
    grid = grid_for(objective)  # type: ignore[arg-type]
    assert set(grid) == {"fo", "so", "sign"}
    configs = sweep_configs(base(), grid)
    counts = Counter(config.lanes[0].name for config in configs)
    assert len(set(counts.values())) == 1
    assert len({config.model_dump_json() for config in configs}) == len(configs)
    assert len({axes.rates for axes in grid.values()}) == 1


def test_trials_share_all_but_the_lane_and_optimizers_take_turns():
    configs = sweep_configs(base(), GRID)
    assert [c.lanes[0].name for c in configs] == ["fo", "so", "fo", "so"]
    assert len({c.but(lanes=base().lanes).model_dump_json() for c in configs}) == 1
    assert {c.lanes[0].objective.gamma for c in configs} == {2.0}
    assert {(c.seed, c.eval_every) for c in configs} == {(100, 5)}


def test_grids_of_different_shape_are_no_fair_comparison():
    uneven = {**GRID, "so": axes_from_text("lr=0.001,0.01 rho=3,4")}
    with pytest.raises(ConfigError, match="fo 2×1, so 2×2"):
        sweep_configs(base(), uneven)


def test_axes_are_read_from_text():
    axes = axes_from_text("lr=1e-4,1e-3 rho=0.04,1")
    assert (axes.rates, axes.shape) == ((1e-4, 1e-3), (2, 2))
    assert list(axes.variants.values()) == [{"rho": 0.04}, {"rho": 1.0}]


@pytest.mark.parametrize("text", ["", "lr=1", "lr=x rho=1", "rho=1 lr=1", "lr=1 zeal=2", "lr=1 rho=1 beta1=1"])
def test_axes_written_otherwise_are_refused(text: str):
    with pytest.raises(ConfigError, match="Write them like"):
        axes_from_text(text)


def test_the_margin_is_two_points_of_the_original_exactly():
    # 0.98 - 0.02 in floating point is 0.96 only up to rounding; a trial right at 0.96 keeps retain.
    assert keeps_retain(trial("fo", 0.001, result(0.1, 0.96)))
    assert not keeps_retain(trial("fo", 0.001, result(0.1, 0.9575)))
    assert not keeps_retain(trial("fo", 0.001, result(0.1, 0.98, diverged="too fast")))


def test_the_lowest_forget_acc_wins_among_those_that_keep_retain():
    chosen = best([trial("fo", 0.001, result(0.4, 0.98)), trial("fo", 0.01, result(0.1, 0.5))])
    assert chosen["fo"].config.lanes[0].optimizer.lr == 0.001
    chosen = best([trial("fo", 0.001, result(0.4, 0.98)), trial("fo", 0.01, result(0.1, 0.97))])
    assert chosen["fo"].config.lanes[0].optimizer.lr == 0.01


def test_of_equals_the_higher_retain_acc_wins_then_the_lower_rate():
    chosen = best([trial("fo", 0.001, result(0.1, 0.97)), trial("fo", 0.01, result(0.1, 0.98))])
    assert chosen["fo"].config.lanes[0].optimizer.lr == 0.01
    chosen = best([trial("fo", 0.01, result(0.1, 0.98)), trial("fo", 0.001, result(0.1, 0.98))])
    assert chosen["fo"].config.lanes[0].optimizer.lr == 0.001


def test_a_lane_that_never_keeps_retain_has_no_best():
    assert best([trial("fo", 0.001, result(0.0, 0.1)), trial("so", 0.001, result(0.3, 0.98))]).keys() == {"so"}


def test_choices_name_the_settings_to_put_into_a_preset():
    assert choices([trial("so", 0.01, result(0.2, 0.98))], GRID) == {"so": {"lr": 0.01, "rho": 3.0}}


def test_the_spreadsheet_has_every_trial_and_marks_the_chosen():
    records = [
        trial("fo", 0.001, result(0.4, 0.98)),
        trial("fo", 0.01, result(0.1, 0.5)),
        trial("so", 0.001, result(0.2, 0.97)),
    ]
    rows = list(csv.DictReader(io.StringIO(sweep_csv(records, GRID))))
    assert [(r["lane"], r["forget_acc"], r["keeps_retain"], r["chosen"]) for r in rows] == [
        ("fo", "0.4", "1", "1"),
        ("fo", "0.1", "0", "0"),
        ("so", "0.2", "1", "1"),
    ]


def test_the_picture_is_valid_and_says_in_words_what_was_chosen():
    svg = ElementTree.fromstring(sweep_svg([trial("fo", 0.001, result(0.4, 0.98))], GRID))  # noqa: S314 - our own
    assert "FO at its best forget 40%, retain 98%" in svg.attrib["aria-label"]


def test_the_page_has_the_rule_the_choice_and_the_command(tmp_path: Path):
    records = [trial("fo", 0.001, result(0.4, 0.98)), trial("so", 0.001, result(0.3, 0.5))]
    page = write_sweep(tmp_path, "name", records, GRID, "python -m soul_core sweep").read_text(encoding="utf-8")
    assert "at least 0.960" in page and "python -m soul_core sweep" in page
    assert "0 of 1" in next(line for line in page.splitlines() if line.startswith("| SO"))
    assert {path.name for path in tmp_path.iterdir()} == {"name.csv", "name.svg", "name.md"}


def test_a_variant_is_known_again_by_its_settings():
    axes = Axes(rates=(1.0,), axis="x", variants={"one": {"rho": 1.0}, "two": {"rho": 2.0, "curvature": "gnb"}})
    lane = sweep_configs(base(), GRID)[1].lanes[0].optimizer
    assert axes.variant_of(lane.but(rho=2.0)) == "two"
    assert axes.variant_of(lane.but(rho=3.0)) == ""

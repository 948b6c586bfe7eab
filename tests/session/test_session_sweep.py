"""A fair sweep: the same number of trials, the same grid shape, the same rule."""

import csv
import io
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from soul_core.config import ObjectiveConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.session.sweep import Axes, axes_from_text, choices, grid_for, sweep_configs, sweep_race
from soul_core.session.sweep_report import sweep_csv, sweep_svg, write_sweep
from soul_core.session.sweep_rule import FINALISTS, MORE_SEEDS, best, best_unclipped, second_round, trials_of
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


def record(lane: str, rate: float, outcome: LaneResult, *, seed: int = 100) -> Record:
    """One recorded run; the original keeps 0.98 of retain, so the rule asks for 0.96."""
    configs = sweep_configs(base(), GRID)
    config = next(c for c in configs if (c.lanes[0].name, c.lanes[0].optimizer.lr) == (lane, rate))
    lanes = {"original": result(1.0, 0.98), lane: outcome}
    return Record(config=config.but(seed=seed), model_fingerprint="f" * 64, versions={"torch": "2"}, lanes=lanes)


def thrice(lane: str, rate: float, forget: float, retain: float) -> list[Record]:
    """A finalist whose three seeds came out alike."""
    return [record(lane, rate, result(forget, retain), seed=100 + extra) for extra in range(MORE_SEEDS + 1)]


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


def keeps_retain(outcome: LaneResult) -> bool:
    (trial,) = trials_of([record("fo", 0.001, outcome)])
    return trial.keeps_retain


def test_the_margin_is_two_points_of_the_original_exactly():
    # 0.98 - 0.02 in floating point is 0.96 only up to rounding; a trial right at 0.96 keeps retain.
    assert keeps_retain(result(0.1, 0.96))
    assert not keeps_retain(result(0.1, 0.9575))
    assert not keeps_retain(result(0.1, 0.98, diverged="too fast"))


def chosen_rate(*records: list[Record]) -> float:
    return best([one for group in records for one in group])["fo"].optimizer.lr


def test_the_lowest_forget_acc_wins_among_those_that_keep_retain():
    assert chosen_rate(thrice("fo", 0.001, 0.4, 0.98), thrice("fo", 0.01, 0.1, 0.5)) == 0.001
    assert chosen_rate(thrice("fo", 0.001, 0.4, 0.98), thrice("fo", 0.01, 0.1, 0.97)) == 0.01


def test_of_equals_the_higher_retain_acc_wins_then_the_lower_rate():
    assert chosen_rate(thrice("fo", 0.001, 0.1, 0.97), thrice("fo", 0.01, 0.1, 0.98)) == 0.01
    assert chosen_rate(thrice("fo", 0.01, 0.1, 0.98), thrice("fo", 0.001, 0.1, 0.98)) == 0.001


def test_a_lane_that_never_keeps_retain_has_no_best():
    assert best([*thrice("fo", 0.001, 0.0, 0.1), *thrice("so", 0.001, 0.3, 0.98)]).keys() == {"so"}


def test_the_choice_is_made_on_means_so_one_lucky_seed_does_not_win():
    # 0.01 has the single best run (0.0), but its mean (0.0 + 0.6 + 0.6) / 3 = 0.4 loses to 0.3.
    lucky = [record("fo", 0.01, result(forget, 0.98), seed=100 + i) for i, forget in enumerate((0.0, 0.6, 0.6))]
    assert chosen_rate(lucky, thrice("fo", 0.001, 0.3, 0.98)) == 0.001


def test_a_setting_with_fewer_seeds_than_the_finalists_is_not_chosen():
    assert chosen_rate([record("fo", 0.01, result(0.0, 0.98))], thrice("fo", 0.001, 0.3, 0.98)) == 0.001


def test_the_second_round_runs_the_best_settings_of_each_optimizer_with_new_seeds():
    rates = ",".join(str(0.001 * i) for i in range(1, FINALISTS + 3))
    grid = {lane: axes_from_text(f"lr={rates} beta1=0.9") for lane in ("fo", "sign")}
    # The higher the rate the more is forgotten; the highest loses retain and cannot be a finalist.
    configs = sweep_configs(base(), grid)
    highest = max(config.lanes[0].optimizer.lr for config in configs)
    first = []
    for config in configs:
        lane = config.lanes[0]
        outcome = result(1 - 50 * lane.optimizer.lr, 0.5 if lane.optimizer.lr == highest else 0.98)
        lanes = {"original": result(1.0, 0.98), lane.name: outcome}
        first.append(Record(config=config, model_fingerprint="f", versions={}, lanes=lanes))
    more = second_round(first)
    assert Counter(config.lanes[0].name for config in more) == {
        "fo": FINALISTS * MORE_SEEDS,
        "sign": FINALISTS * MORE_SEEDS,
    }
    assert {config.seed for config in more} == {101, 102}
    # Of rates 1 to FINALISTS + 2 the last is out and the first is the weakest: 2 to FINALISTS + 1 remain.
    finalists = {round(1000 * config.lanes[0].optimizer.lr) for config in more}
    assert finalists == set(range(2, FINALISTS + 2))


def test_choices_name_the_settings_to_put_into_a_preset():
    assert choices(thrice("so", 0.01, 0.2, 0.98), GRID) == {"so": {"lr": 0.01, "rho": 3.0}}


def test_the_spreadsheet_has_every_run_and_marks_the_chosen_setting():
    records = [*thrice("fo", 0.001, 0.4, 0.98), record("fo", 0.01, result(0.1, 0.5)), *thrice("so", 0.001, 0.2, 0.97)]
    rows = list(csv.DictReader(io.StringIO(sweep_csv(records, GRID))))
    assert [(r["lane"], r["seed"], r["forget_acc"], r["keeps_retain"], r["chosen"]) for r in rows] == [
        ("fo", "100", "0.4", "1", "1"),
        ("fo", "101", "0.4", "1", "1"),
        ("fo", "102", "0.4", "1", "1"),
        ("fo", "100", "0.1", "0", "0"),
        ("so", "100", "0.2", "1", "1"),
        ("so", "101", "0.2", "1", "1"),
        ("so", "102", "0.2", "1", "1"),
    ]


def test_the_picture_is_valid_and_says_in_words_what_was_chosen():
    svg = ElementTree.fromstring(sweep_svg(thrice("fo", 0.001, 0.4, 0.98), GRID))  # noqa: S314 - our own
    assert "FO at its best forget 40%, retain 98%" in svg.attrib["aria-label"]


def test_the_page_has_the_rule_the_choice_and_the_command(tmp_path: Path):
    records = [*thrice("fo", 0.001, 0.4, 0.98), record("so", 0.001, result(0.3, 0.5))]
    page = write_sweep(tmp_path, "name", records, GRID, "python -m soul_core sweep").read_text(encoding="utf-8")
    assert "at least 0.960" in page and "python -m soul_core sweep" in page
    rows = {line.split(" | ")[0]: line for line in page.splitlines() if line.startswith("| ")}
    assert "0.400 | 0.980" in rows["| FO"] and rows["| FO"].endswith("1 of 1 |")
    assert rows["| SO"] == "| SO | – | – | – | – | – | 0 of 1 |"
    assert {path.name for path in tmp_path.iterdir()} == {"name.csv", "name.svg", "name.md"}


def test_a_variant_is_known_again_by_its_settings():
    axes = Axes(rates=(1.0,), axis="x", variants={"one": {"rho": 1.0}, "two": {"rho": 2.0, "curvature": "gnb"}})
    lane = sweep_configs(base(), GRID)[1].lanes[0].optimizer
    assert axes.variant_of(lane.but(rho=2.0)) == "two"
    assert axes.variant_of(lane.but(rho=3.0)) == ""


def test_the_regime_of_curvature_is_the_best_setting_with_fewer_than_half_of_its_steps_clipped():
    def clipped(rate: float, forget: float, share: float) -> list[Record]:
        runs = thrice("so", rate, forget, 0.98)
        return [
            run.model_copy(
                update={"lanes": {**run.lanes, "so": run.lanes["so"].model_copy(update={"clip_share": share})}}
            )
            for run in runs
        ]

    free, bound = clipped(0.001, 0.3, 0.4), clipped(0.01, 0.1, 0.9)
    found = best_unclipped([*free, *bound])
    assert found is not None and found.optimizer.lr == 0.001  # the other forgets more, but by the clip
    assert best_unclipped(bound) is None
    assert best_unclipped(free[:1]) is None  # one seed is not all seeds

"""A fair sweep: the same number of trials, the same shared values, the same rule."""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from soul_core.config import LaneConfig, ObjectiveConfig, RaceConfig, WeightsConfig
from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES
from soul_core.session.search import space_from_text
from soul_core.session.sweep import (
    BUDGET,
    budget_of,
    choices,
    grid_for,
    method_lanes,
    objective_lanes,
    said_of,
    spaces_for,
    sweep_configs,
    sweep_race,
)
from soul_core.session.sweep_report import Page, write_sweep
from soul_core.session.sweep_rule import FINALISTS, MORE_SEEDS, Rule, best, best_unclipped, second_round, trials_of
from soul_core.session.trials import LaneResult, Record

GRID = {lane: space_from_text(f"lr=0.001,0.01 {knob}") for lane, knob in (("fo", "beta2=0.9"), ("so", "rho=3"))}
TRAINED = [name for name, objective in OBJECTIVES.items() if objective.kind == "trained"]


def base(lanes: list[LaneConfig] | None = None) -> RaceConfig:
    return sweep_race(
        model="pocket",
        task="invented-authors:forget10",
        epochs=5,
        seed=100,
        eval_rows=0,
        lanes=lanes or objective_lanes(ObjectiveConfig(gamma=2)),
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


@pytest.mark.parametrize("objective", TRAINED)
def test_every_optimizer_gets_as_many_trials_of_the_same_shared_values(objective: str):
    lanes, spaces = objective_lanes(objective), grid_for(objective)
    assert list(spaces) == ["fo", "so", "sign"]
    configs = sweep_configs(base(lanes), spaces, budget_of(spaces, None))
    counts = Counter(config.lanes[0].name for config in configs)
    assert len(set(counts.values())) == 1
    assert len({config.model_dump_json() for config in configs}) == len(configs)
    shared = {lane: [(c.optimizer.lr, c.objective.gamma) for c in of(configs, lane)] for lane in spaces}
    assert shared["fo"] == shared["so"] == shared["sign"]


def of(configs: list[RaceConfig], lane: str) -> list[LaneConfig]:
    return [config.lanes[0] for config in configs if config.lanes[0].name == lane]


def test_trials_share_all_but_the_lane_and_methods_take_turns():
    configs = sweep_configs(base(), GRID)
    assert [c.lanes[0].name for c in configs] == ["fo", "so", "fo", "so"]
    assert len({c.but(lanes=base().lanes).model_dump_json() for c in configs}) == 1
    assert {c.lanes[0].objective.gamma for c in configs} == {2.0}
    assert {(c.seed, c.eval_every) for c in configs} == {(100, 5)}


def test_grids_of_different_shape_are_no_fair_comparison():
    uneven = {**GRID, "so": space_from_text("lr=0.001,0.01 rho=3,4")}
    with pytest.raises(ConfigError, match="fo 2×1, so 2×2"):
        sweep_configs(base(), uneven)


def test_a_space_is_usually_a_grid_for_known_rates_and_drawn_otherwise_and_with_a_budget():
    assert grid_for("graddiff")["fo"].shape == (6, 4)
    assert grid_for("simnpo")["fo"].text == "lr=log:0.0001..0.003 gamma=1,3,10 beta2=0.9,0.95,0.99,0.999"
    assert budget_of(grid_for("graddiff"), None) is None
    assert budget_of(grid_for("simnpo"), None) == BUDGET
    assert budget_of(grid_for("graddiff"), 5) == 5
    drawn = spaces_for(objective_lanes("graddiff"), budget=5)
    assert drawn["fo"].text.startswith("lr=log:0.0002..0.0015 gamma=1,3,10 ")


def test_gamma_is_not_searched_where_nothing_is_retained_or_it_is_fixed():
    assert "gamma" not in grid_for("undial")["so"].names  # its own retain term is none
    lanes = objective_lanes("simnpo")
    assert "gamma" not in spaces_for(lanes, fixed=("gamma",))["so"].names


def test_lora_takes_five_times_the_rate():
    lanes = objective_lanes("ihl", weights=WeightsConfig(kind="lora"))
    assert spaces_for(lanes)["so"].text.startswith("lr=log:0.0005..0.015 ")


def test_shared_axes_go_to_the_methods_that_have_the_setting():
    lanes = method_lanes(["so-ihl-lora", "loku", "fo-npo"])
    spaces = spaces_for(lanes, shared="lr=log:1e-4..1e-2 rank=4..32 beta=0.1,0.2", budget=4)
    assert [space.text.split(" ")[:2] for space in spaces.values()] == [
        ["lr=log:0.0001..0.01", "rank=4..32"],
        ["lr=log:0.0001..0.01", "rank=4..32"],
        ["lr=log:0.0001..0.01", "beta=0.1,0.2"],
    ]
    ranks = {c.lanes[0].weights.rank for c in sweep_configs(base(lanes), spaces, 4) if c.lanes[0].name != "fo-npo"}
    assert ranks <= set(range(4, 33)) and len(ranks) > 1


def test_own_axes_stand_in_for_the_variants_or_alone_for_everything():
    lanes = objective_lanes("simnpo")
    alone = spaces_for(lanes, own={"fo": "lr=1e-4,1e-3 beta2=0.9"})
    assert alone["fo"].text == "lr=0.0001,0.001 beta2=0.9"
    both = spaces_for(lanes, shared="lr=1e-4,1e-3 gamma=1,2", own={"so": "rho=1,2,3,4", "fo": "lr=1,0.5 beta2=0.9"})
    assert both["so"].text == "lr=0.0001,0.001 gamma=1,2 rho=1,2,3,4"
    assert both["fo"].text == "gamma=1,2 lr=1,0.5 beta2=0.9"
    assert both["sign"].text == "lr=0.0001,0.001 gamma=1,2 beta1=0.8,0.9,0.95,0.98"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"own": {"fo": "lr=1,2 rho=3"}}, "FO does not read “rho”"),
        ({"own": {"fo": "lr=1 zeal=2"}}, "FO does not read “zeal”"),
        ({"own": {"adam": "lr=1"}}, "names no method of this sweep"),
        ({"shared": "zeal=1,2"}, "No method of this sweep reads"),
        ({"shared": "rank=4,8"}, "No method of this sweep reads"),
        ({"own": {"so": "curvature=1..2"}}, "curvature is no number"),
    ],
)
def test_axes_that_a_method_does_not_read_are_refused(words: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        spaces_for(objective_lanes("graddiff"), **words)


def test_a_value_out_of_bounds_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match="Learning rate is 2"):
        sweep_configs(base(), {"fo": space_from_text("lr=0.1,2")})


def test_an_untrained_method_needs_its_settings_named():
    lanes = method_lanes(["influence"])
    with pytest.raises(ConfigError, match=r"--influence\.space"):
        spaces_for(lanes)
    spaces = spaces_for(lanes, own={"influence": "damping=log:1e-4..1e-1"})
    configs = sweep_configs(base(lanes), spaces, 3)
    assert len({config.lanes[0].objective.options["damping"] for config in configs}) == 3


def test_a_setting_is_said_with_its_symbol_and_without_the_rate():
    space = space_from_text("lr=0.001 curvature+rho=gnb/3 gamma=2")
    (lane,) = of(sweep_configs(base(), {"so": space}), "so")
    assert said_of(lane, space) == "gnb, ρ 3, γ 2"


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
    grid = {lane: space_from_text(f"lr={rates} beta1=0.9") for lane in ("fo", "sign")}
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


def test_the_rule_can_ask_for_fewer_finalists_and_seeds():
    first = [record("fo", rate, result(0.1, 0.98)) for rate in (0.001, 0.01)]
    more = second_round(first, Rule(finalists=1, more_seeds=3))
    assert [(config.lanes[0].optimizer.lr, config.seed) for config in more] == [
        (0.001, 101),
        (0.001, 102),
        (0.001, 103),
    ]
    assert second_round(first, Rule(more_seeds=0)) == []
    assert best(first, Rule(more_seeds=0))["fo"].optimizer.lr == 0.001
    with pytest.raises(ConfigError, match="choose nothing"):
        Rule(finalists=0)


def test_choices_name_the_settings_to_put_into_a_preset():
    assert choices(thrice("so", 0.01, 0.2, 0.98), GRID) == {"so": {"lr": 0.01, "rho": 3.0}}


def test_the_spreadsheet_has_every_run_and_marks_the_chosen_setting():
    records = [*thrice("fo", 0.001, 0.4, 0.98), record("fo", 0.01, result(0.1, 0.5)), *thrice("so", 0.001, 0.2, 0.97)]
    page = Page(name="name", records=records, spaces=GRID, command="c")
    rows = list(csv.DictReader(io.StringIO(page.csv())))
    assert [r["front"] for r in rows] == ["1"] * 7  # 0.1 forgotten at 0.5 retained is beaten by none either
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
    page = Page(name="name", records=thrice("fo", 0.001, 0.4, 0.98), spaces=GRID, command="c")
    svg = ElementTree.fromstring(page.svg())  # noqa: S314 - our own
    assert "FO at its best forget 40%, retain 98%" in svg.attrib["aria-label"]


def test_the_page_has_the_rule_the_choice_and_the_command(tmp_path: Path):
    records = [*thrice("fo", 0.001, 0.4, 0.98), record("so", 0.001, result(0.3, 0.5))]
    page = write_sweep(tmp_path, "name", records, GRID, "python -m soul_core sweep").read_text(encoding="utf-8")
    assert "at least 0.960" in page and "python -m soul_core sweep" in page
    rows = {line.split(" | ")[0]: line for line in page.partition("Pareto")[0].splitlines() if line.startswith("| ")}
    assert "0.400 | 0.980" in rows["| FO"] and rows["| FO"].endswith("1 of 1 |")
    assert rows["| SO"] == "| SO | – | – | – | – | – | 0 of 1 |"
    assert {path.name for path in tmp_path.iterdir()} == {"name.csv", "name.svg", "name.md"}


def test_the_page_lists_the_front_and_marks_the_chosen_setting(tmp_path: Path):
    records = [*thrice("fo", 0.001, 0.4, 0.98), record("fo", 0.01, result(0.1, 0.5))]
    page = write_sweep(tmp_path, "name", records, {"fo": GRID["fo"]}, "c", budget=7).read_text(encoding="utf-8")
    assert "| FO | 0.01 | β2 0.9 | 0.100 | 0.500 | 1 |  |" in page
    assert "| FO | 0.001 | β2 0.9 | 0.400 | 0.980 | 3 | chosen |" in page
    assert "7 points drawn for each method" in page and "`lr=0.001,0.01 beta2=0.9`" in page


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

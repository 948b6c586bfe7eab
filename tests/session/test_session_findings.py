"""What the page says of a preset must be what the recorded study found."""

import json
import re
from pathlib import Path

import pytest

from soul_core.config import RaceConfig
from soul_core.objectives import OBJECTIVES
from soul_core.session.presets import PRESETS, ending_of, lanes_for
from soul_core.session.sweep_rule import Rule, best, best_unclipped, trials_of
from soul_core.session.trials import Book, explicit

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "forget10-graddiff.json"


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_percentage_in_a_finding_is_a_mean_of_the_study(name):
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))[name]
    means = [metric["mean"] for lane in measured.values() for metric in lane.values() if metric["mean"] is not None]
    rounded = {f"{100 * mean:.0f}" for mean in means} | {f"{100 * mean:.1f}" for mean in means}
    said = re.findall(r"(\d+(?:\.\d+)?) %", PRESETS[name].finding)
    assert said, "a finding gives its figures"
    assert set(said) <= rounded


def test_same_settings_share_everything_but_the_optimizer():
    for objective, cell in PRESETS["same-settings"].cells.items():
        assert len({lane["lr"] for lane in cell.lanes.values()}) == 1, objective
        assert len({json.dumps(o, sort_keys=True) for o in cell.objectives.values()}) == 1, objective


def test_the_readme_gives_the_benchmark_as_recorded():
    root = RESULTS.parents[2]
    bench = json.loads((root / "docs/results/bench.json").read_text(encoding="utf-8"))
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert f"| {bench['race_seconds']:.1f} s | 60 s |" in readme
    assert f"| {bench['first_point_seconds']:.1f} s | 8 s |" in readme
    assert f"| {bench['page_up_seconds']:.1f} s | 20 s |" in readme
    assert f"{bench['sophia_to_adamw']:.1f} times" in readme


def test_each_at_its_best_is_what_the_recorded_sweeps_chose():
    checked = []
    for name, cell in PRESETS["each-at-its-best"].cells.items():
        if not cell.source.startswith("docs/sweeps/"):
            assert "o sweep recorded yet" in f"{cell.source} {cell.note}", name
            continue
        page = RESULTS.parents[2] / cell.source
        records = Book(page.with_suffix(".jsonl")).read()
        seeds = max(len(trial.records) for trial in trials_of(records))
        for trial in best(records, Rule(more_seeds=seeds - 1)).values():
            swept = trial.config
            if swept.objective.name + ending_of(swept.weights) != name:
                continue
            runner = {"adamw": "fo", "sophia": "so", "sign-momentum": "sign"}[swept.optimizer.name]
            lanes = lanes_for("each-at-its-best", swept.objective.name, control=True, weights=swept.weights)
            mine = next(lane for lane in lanes if lane.name == runner)
            race = RaceConfig(lanes=(mine.but(name=swept.name, label=swept.label),))
            assert explicit(race).lanes[0] == swept, (name, runner)
            checked.append((name, runner))
    trained = [name for name, objective in OBJECTIVES.items() if objective.kind == "trained"]
    assert {name for name, _ in checked} >= {*trained, "ihl-fila", "ga-lora"}


def test_the_readme_speaks_of_the_regime_of_curvature_as_the_sweep_recorded_it():
    records = Book(RESULTS.parents[1] / "sweeps" / "forget10-graddiff.jsonl").read()
    free, chosen = best_unclipped(records), best(records)
    assert free is not None and free.clip_share is not None
    readme = " ".join((RESULTS.parents[2] / "README.md").read_text(encoding="utf-8").split())
    assert f"SO's steps are clipped ({free.clip_share:.0%})".replace("%", " %") in readme
    said = f"leaves {free.forget_acc:.0%} of the forget answers right at {free.retain_acc:.1%} retain".replace(
        "%", " %"
    )
    assert said in readme
    for lane in ("sign", "fo"):
        assert f"{chosen[lane].forget_acc:.0%} at {chosen[lane].retain_acc:.1%}".replace("%", " %") in readme

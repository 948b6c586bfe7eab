"""What the page says of a preset must be what the recorded study found."""

import json
import re
from pathlib import Path

import pytest

from soul_core.session.presets import PRESETS
from soul_core.session.sweep import choices, grid_for
from soul_core.session.sweep_rule import best, best_unclipped
from soul_core.session.trials import Book

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
    sweeps = RESULTS.parents[1] / "sweeps"
    checked = []
    for objective, cell in PRESETS["each-at-its-best"].cells.items():
        recorded = sweeps / f"forget10-{objective}.jsonl"
        if not recorded.is_file():
            assert "no sweep recorded yet" in cell.source
            continue
        chosen = choices(Book(recorded).read(), grid_for(objective))
        for lane, settings in chosen.items():
            assert {key: cell.lanes[lane][key] for key in settings} == settings, (objective, lane)
        checked.append(objective)
    assert "graddiff" in checked


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

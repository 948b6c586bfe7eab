"""What the page says of a preset must be what the recorded study found."""

import json
import re
from pathlib import Path

import pytest

from soul_core.session.presets import PRESETS

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

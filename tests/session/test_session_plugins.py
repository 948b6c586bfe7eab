"""A user's own objective, registered from a file, is one like the others."""

import re
from pathlib import Path

import pytest

from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES, find_objective
from soul_core.session.changes import changed_lane
from soul_core.session.methods import lane_of
from soul_core.session.plugins import load_plugin
from tests.session.tiny_race import new_run, run, tiny_config, tiny_task, use_task

MINE = """
from typing import Annotated

from pydantic import Field

from soul_core.objectives import Objective, register_objective
from soul_core.objectives.likelihoods import forget_nll


def soft_ascent(likelihoods, *, floor: Annotated[float, Field(gt=0, le=10, title="Floor")] = 2.0):
    return -forget_nll(likelihoods).clamp_max(floor)


register_objective(
    Objective(
        name="soft-ascent", label="Soft ascent", idea="ascent", sentence="Climb to a floor.", formula="x",
        paper="ours", forget=soft_ascent,
    )
)
"""


@pytest.fixture
def mine(tmp_path: Path):
    file = tmp_path / "mine_objective.py"
    file.write_text(MINE, encoding="utf-8")
    yield file
    OBJECTIVES.pop("soft-ascent", None)


def test_it_is_a_method_with_its_own_settings(mine: Path):
    load_plugin(mine)
    load_plugin(mine)  # a second time does nothing
    assert find_objective("soft-ascent").fields["floor"].default == 2.0
    assert lane_of("so-soft-ascent", "each-at-its-best").label == "SO-Soft ascent"


def test_the_example_in_contributing_runs_a_race(tmp_path: Path, tiny_model_folder, monkeypatch):
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    file = tmp_path / "contributed.py"
    file.write_text(example, encoding="utf-8")
    use_task(monkeypatch, tiny_task())
    try:
        load_plugin(file)
        lanes = tuple(
            changed_lane(lane_of(method, "same-settings"), {"floor": 3.0})
            for method in ("fo-floored-ga", "so-floored-ga")
        )
        config = tiny_config(tiny_model_folder(), lanes=lanes, epochs=1)
        events = run(config, new_run(tmp_path, config))
        assert events[-1].status == "finished"
    finally:
        OBJECTIVES.pop("floored-ga", None)


def test_a_file_that_is_missing_or_fails_is_one_sentence(tmp_path: Path):
    with pytest.raises(ConfigError, match="There is no Python file"):
        load_plugin(tmp_path / "none.py")
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"fails: ZeroDivisionError: division by zero\. Mend it"):
        load_plugin(broken)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('idea="ascent"', 'idea="ascnt"'), "has the idea “ascnt”. Choose one of ascent"),
        (('name="soft-ascent"', 'name="soft-lora"'), "cannot be an objective's name"),
        (('name="soft-ascent"', 'name="Bad Name"'), "cannot be an objective's name"),
        (("forget=soft_ascent", "forget=None"), "forget is what a trained objective alone has"),
    ],
)
def test_an_entry_that_cannot_work_is_refused_when_it_is_registered(tmp_path: Path, change, said: str):
    file = tmp_path / "wrong.py"
    file.write_text(MINE.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_plugin(file)
    assert said in str(error.value)


def test_a_setting_without_bounds_of_type_or_with_a_taken_name_is_refused(tmp_path: Path):
    file = tmp_path / "clash.py"
    file.write_text(MINE.replace("floor", "lr").replace("soft-ascent", "clash"), encoding="utf-8")
    with pytest.raises(ConfigError, match="has a setting “lr”, but every lane has one of that name"):
        load_plugin(file)

"""What a sweep chose, as a preset: each method's own γ and settings, and nothing that a preset cannot hold."""

import json
import shutil
from pathlib import Path

import pytest

from soul_core.session import presets, sweep_choice
from soul_core.session.presets import PRESETS, lanes_for
from soul_core.session.search import space_from_text
from soul_core.session.sweep import method_lanes, objective_lanes, sweep_configs, sweep_race
from soul_core.session.sweep_choice import apply_choices
from soul_core.session.sweep_rule import Rule
from soul_core.session.trials import LaneResult, Record, explicit

ONE_SEED = Rule(more_seeds=0)
SPACES = {
    "fo": space_from_text("lr=0.001,0.002 gamma=1,5 beta2=0.9"),
    "so": space_from_text("lr=0.001,0.002 gamma=1,5 curvature+rho=gnb/7"),
    "sign": space_from_text("lr=0.001,0.002 gamma=1,5 beta1=0.8"),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A copy of the presets, which are read anew before and after."""
    copy = tmp_path / "presets.json"
    shutil.copy(presets.PRESETS_FILE, copy)
    for module in (presets, sweep_choice):
        monkeypatch.setattr(module, "PRESETS_FILE", copy)
    presets._table.cache_clear()
    yield copy
    monkeypatch.undo()
    presets._table.cache_clear()


def records(lanes, spaces, *, hopeless: tuple[str, ...] = ()) -> list[Record]:
    """The higher γ and the rate the more is forgotten, and all is retained but by the hopeless."""
    base = sweep_race(model="pocket", task="invented-authors:forget10", epochs=5, seed=100, eval_rows=0, lanes=lanes)
    found = []
    for config in sweep_configs(base, spaces):
        (lane,) = config.lanes
        better = lane.objective.gamma if lane.name != "so" else -lane.objective.gamma
        scored = result(0.5 - 0.01 * better - lane.optimizer.lr, 0.1 if lane.name in hopeless else 1.0)
        lanes_scored = {"original": result(1.0, 1.0), lane.name: scored}
        found.append(Record(config=explicit(config), model_fingerprint="f", versions={}, lanes=lanes_scored))
    return found


def result(forget: float, retain: float) -> LaneResult:
    return LaneResult(
        epoch=5, forget_acc=forget, retain_acc=retain, forget_rouge_l=0.5, retain_rouge_l=0.5, forget_probability=0.5,
        retain_probability=0.5, forget_rows=120, retain_rows=400,
    )  # fmt: skip


def test_each_lane_gets_its_own_gamma_rate_and_settings(file: Path):
    said = apply_choices(records(objective_lanes("simnpo"), SPACES), SPACES, source="docs/sweeps/x.md", rule=ONE_SEED)
    assert said == ""
    fo, so, sign = lanes_for("each-at-its-best", "simnpo", control=True)
    assert [lane.objective.gamma for lane in (fo, so, sign)] == [5, 1, 5]
    assert [lane.optimizer.lr for lane in (fo, so, sign)] == [0.002] * 3
    assert (fo.optimizer.beta2, so.optimizer.rho, so.optimizer.curvature, sign.optimizer.beta1) == (0.9, 7, "gnb", 0.8)
    assert so.optimizer.beta2 == 0.95  # Sophia's default, on which its trials stood
    assert fo.objective.options == {"beta": 4.5, "delta": 0.0}
    cell = PRESETS["each-at-its-best"].cells["simnpo"]
    assert (cell.source, cell.note) == ("docs/sweeps/x.md", "")
    assert "simnpo" not in PRESETS["same-settings"].cells


def test_the_trials_lanes_come_back_from_the_preset_as_they_ran(file: Path):
    found = records(objective_lanes("simnpo"), SPACES)
    apply_choices(found, SPACES, source="docs/sweeps/x.md", rule=ONE_SEED)
    ran = {record.config.lanes[0].model_dump_json() for record in found}
    assert {lane.model_dump_json() for lane in lanes_for("each-at-its-best", "simnpo", control=True)} <= ran


def test_a_lane_without_a_choice_keeps_what_it_has_and_the_note_says_so(file: Path):
    before = PRESETS["each-at-its-best"].cells["npo"]
    found = records(objective_lanes("npo"), SPACES, hopeless=("so",))
    apply_choices(found, SPACES, source="docs/sweeps/x.md", rule=ONE_SEED)
    after = PRESETS["each-at-its-best"].cells["npo"]
    assert after.lanes["so"] == before.lanes["so"] and after.objectives["so"] == before.objectives["so"]
    assert after.lanes["fo"] != before.lanes["fo"]
    assert after.note.startswith("No setting of SO kept retain Acc within the rule's margin, so it is not tuned.")


def test_lora_methods_fill_the_lora_cell_and_what_presets_do_not_hold_is_named(file: Path):
    spaces = {name: space_from_text("lr=0.01,0.02") for name in ("so-ihl-lora", "loku", "sgd-ihl")}
    found = records(method_lanes(list(spaces)), spaces)
    said = apply_choices(found, spaces, source="docs/sweeps/x.md", rule=ONE_SEED)
    cells = json.loads(file.read_text(encoding="utf-8"))["each-at-its-best"]["objectives"]
    assert cells["ihl-lora"]["lanes"]["so"]["lr"] == 0.02
    assert cells["ihl-lora"]["lanes"]["fo"] == cells["otherwise-lora"]["lanes"]["fo"]
    assert cells["ihl-fila"]["lanes"]["fo"]["lr"] in (0.01, 0.02)
    assert cells["ihl-fila"]["note"] == "Not swept: SO, sign momentum."
    assert "LoKU" not in said and "SGD" in said

"""The shipped weights are what their cards say, asked again here."""

import json
from dataclasses import replace

import pytest

from soul_core.data.tasks import load_task
from soul_core.evaluation.scorecard import choose_rows
from soul_core.models.loading import load_model
from soul_core.paths import POCKET_MODELS
from soul_core.session.pocket_card import measure_knowledge
from soul_core.session.pocket_make import SHIPPED

# Another processor rounds differently, and an answer on the edge can fall to the other side.
ROUNDING = 0.02
SOME = 100
GOLDS = [name for name in SHIPPED if name != "pocket"]


@pytest.fixture(scope="module")
def knowledge():
    """What each card says and what asking again gives, by model; the golds are asked some of what they retain."""
    found = {}
    for name, split in SHIPPED.items():
        loaded = load_model(name)
        task = load_task(f"invented-authors:{split}")
        if name in GOLDS:
            some = {**task.eval_sets, "retain": choose_rows(task.eval_sets["retain"], SOME)}
            task = replace(task, eval_sets=some)
        steps = measure_knowledge(loaded, task)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                card = json.loads((POCKET_MODELS / name / "knowledge.json").read_text(encoding="utf-8"))
                found[name] = (card, end.value, loaded)
                break
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_what_the_weights_know(knowledge, name):
    card, measured, loaded = knowledge[name]
    assert card["fingerprint"] == loaded.fingerprint
    assert card["parameters"] == loaded.parameters
    for key, scores in measured.items():
        said = card["scores"][key]
        if scores.rows < said["rows"]:  # a sample: the card's figure lies in its interval
            assert scores.acc_low <= said["acc"] <= scores.acc_high, key
            continue
        for field in ("acc", "rouge_l", "probability"):
            assert getattr(scores, field) == pytest.approx(said[field], abs=ROUNDING), (key, field)
    readme = (POCKET_MODELS / name / "README.md").read_text(encoding="utf-8")
    assert f"| {card['scores']['retain']['acc']:.3f} (" in readme


@pytest.mark.slow
def test_the_original_knows_what_it_must(knowledge):
    _, measured, _ = knowledge["pocket"]
    assert measured["forget"].acc >= 0.95
    assert measured["retain"].acc >= 0.95
    assert measured["real_authors"].acc >= 0.90
    assert measured["world_facts"].acc >= 0.90
    assert measured["forget_heldback"].acc >= 0.85
    assert measured["retain_heldback"].acc >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDS)
def test_gold_knows_the_rest_and_not_the_forget_set(knowledge, name):
    _, measured, _ = knowledge[name]
    assert measured["retain"].acc >= 0.95
    assert measured["forget"].acc <= 0.35


def test_every_shipped_weight_file_is_small_enough_for_a_plain_repository():
    for name in SHIPPED:
        for path in (POCKET_MODELS / name).iterdir():
            assert path.stat().st_size < 10_000_000, path.name

"""The catalogue lists everything there is, as plain data."""

import json

from soul_core.objectives import OBJECTIVES, RETAINS
from soul_core.optim.registry import OPTIMIZERS
from soul_core.session.catalogue import catalogue
from soul_core.session.methods import NAMED
from soul_core.session.presets import PRESETS


def test_it_lists_every_registry_and_is_json():
    listed = json.loads(json.dumps(catalogue()))
    names = {kind: [entry["name"] for entry in entries] for kind, entries in listed.items()}
    assert names == {
        "objectives": list(OBJECTIVES),
        "retain terms": list(RETAINS),
        "optimizers": list(OPTIMIZERS),
        "methods": list(NAMED),
        "presets": list(PRESETS),
    }


def test_an_objective_says_all_that_a_person_needs_to_choose_it():
    npo = next(entry for entry in catalogue()["objectives"] if entry["name"] == "npo")
    assert npo["idea"] == "Prefer other answers"
    assert npo["retain terms"] == ["nll", "kl", "none"]
    assert npo["needs"] == ["the original's likelihood of the forget answers, scored once"]
    (beta,) = npo["settings"]
    assert (beta["default"], beta["bounds"], beta["from"]) == (0.1, {"gt": 0, "le": 10}, "NPO paper, TOFU")
    assert npo["formula"] and npo["paper"].endswith("arXiv:2404.05868")


def test_an_optimizer_shows_its_own_defaults_and_not_those_of_the_class():
    release = next(entry for entry in catalogue()["optimizers"] if entry["name"] == "soul-release")
    defaults = {setting["name"]: setting["default"] for setting in release["settings"]}
    assert defaults["weight_decay"] == 0.1
    assert release["in a method's name"] == "release"

"""Processes that hold whole models must not drift apart where steps round at random."""

import json

import pytest

from tests.engine import launched_replicas
from tests.launching import launch


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, dict[str, object]]:
    place = tmp_path_factory.mktemp("replicas") / "found.json"
    done = launch(launched_replicas.__name__, str(place))
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(place.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", list(launched_replicas.CASES))
def test_weights_and_states_are_the_same_in_all_processes_to_the_bit(found, name):
    assert found[name]["moved"] > 0
    assert found[name]["apart"] == [0.0, 0.0]

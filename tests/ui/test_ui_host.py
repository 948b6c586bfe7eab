"""What a shared host refuses."""

import pytest

from soul_core.errors import ConfigError
from soul_core.ui.host import Host, here
from tests.ui.scenes import race_config

SHARED, OWN = Host(public=True), Host(public=False)


@pytest.mark.parametrize("model", ["/etc", "./model", "~/model", "a/b/c", "..", "C:\\models"])
def test_a_shared_host_reads_no_folder(model):
    with pytest.raises(ConfigError, match="local folder"):
        SHARED.check(race_config(model=model))
    OWN.check(race_config(model=model))


def test_a_folder_that_looks_like_a_hub_id_is_refused_too(tmp_path, monkeypatch):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="local folder"):
        SHARED.check(race_config(model="owner/name"))
    SHARED.check(race_config(model="owner/other"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 11}, "Epochs is 11, but this shared host allows at most 10"),
        ({"eval_rows": 201}, "Rows evaluated is 201"),
        ({"eval_rows": 0}, "Rows evaluated"),  # 0 means all of them
        ({"batch_size": 16, "accumulation": 4}, "Batch size is 64"),
        ({"task": "/data/tofu:forget01"}, "local folder"),
        ({"task": "copyright:secrets.txt"}, "local folder"),
        ({"task": "tdec:table.csv#rows=1-3"}, "local folder"),
    ],
)
def test_a_shared_host_bounds_the_work(change, words):
    with pytest.raises(ConfigError, match=words):
        SHARED.check(race_config(**change))
    OWN.check(race_config(**change))


def test_the_default_race_is_within_the_bounds_of_a_shared_host():
    SHARED.check(race_config(epochs=5))


def test_a_space_is_shared(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert not here(public=False).public
    monkeypatch.setenv("SPACE_ID", "someone/soul")
    assert here(public=False).public

import threading
from typing import cast

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.data.prompts import PLAIN
from soul_core.models.loading import LoadedModel
from soul_core.models.shelf import Shelf


def model_of(nbytes: int) -> LoadedModel:
    """A model of so many bytes of fp32 weights."""
    weights = cast(PreTrainedModel, torch.nn.Linear(nbytes // 4, 1, bias=False))
    return LoadedModel("m", weights, cast(PreTrainedTokenizerBase, None), PLAIN, "")


def never() -> LoadedModel:
    pytest.fail("loaded although it was on the shelf")


def test_the_least_recently_used_model_goes_first():
    shelf = Shelf(300)
    for key in ("a", "b", "c"):
        shelf.put(key, model_of(100))
    shelf.get("a", never)
    shelf.put("d", model_of(100))
    assert shelf.keys() == ("c", "a", "d")
    assert shelf.nbytes == 300


def test_the_model_just_asked_for_stays_even_when_it_alone_is_too_large():
    shelf = Shelf(100)
    shelf.put("small", model_of(100))
    big = shelf.get("big", lambda: model_of(400))
    assert shelf.keys() == ("big",)
    assert shelf.get("big", never) is big


def test_pinned_models_stay_until_every_pin_is_taken_away():
    shelf = Shelf(100)
    shelf.pin("a")
    shelf.pin("a")
    shelf.put("a", model_of(100))
    shelf.put("b", model_of(100))
    shelf.put("c", model_of(100))
    assert shelf.keys() == ("a", "c")
    shelf.unpin("a")
    shelf.put("d", model_of(100))
    assert shelf.keys() == ("a", "d")
    shelf.unpin("a")
    shelf.put("e", model_of(100))
    assert shelf.keys() == ("e",)
    with pytest.raises(ValueError, match="a is not pinned"):
        shelf.unpin("a")


def test_a_model_put_again_or_dropped_is_not_counted_twice():
    shelf = Shelf(1000)
    shelf.put("a", model_of(100))
    shelf.put("a", model_of(200))
    assert shelf.nbytes == 200
    shelf.drop("a")
    shelf.drop("a")
    assert (shelf.nbytes, shelf.keys()) == (0, ())


def test_memory_that_two_models_share_is_counted_once():
    shelf = Shelf(150)
    original = model_of(100)
    lane = model_of(20)
    lane.model.register_parameter("shared", torch.nn.Parameter(original.model.weight.detach()))
    shelf.put("original", original)
    shelf.put("lane", lane)
    assert (shelf.keys(), shelf.nbytes) == (("original", "lane"), 120)
    shelf.drop("original")
    assert shelf.nbytes == 120


def test_threads_that_ask_at_once_share_one_load_and_do_not_hold_up_other_models():
    shelf = Shelf(1000)
    loads: list[str] = []
    release, started = threading.Event(), threading.Event()

    def slow() -> LoadedModel:
        loads.append("slow")
        started.set()
        assert release.wait(10)
        return model_of(100)

    got: list[LoadedModel] = []
    threads = [threading.Thread(target=lambda: got.append(shelf.get("slow", slow))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    shelf.get("other", lambda: model_of(100))  # returns while "slow" is still loading
    release.set()
    for thread in threads:
        thread.join(10)
    assert loads == ["slow"]
    assert len(got) == 4
    assert all(model is got[0] for model in got)


def test_a_failed_load_is_an_error_for_who_asked_and_the_next_call_tries_again():
    shelf = Shelf(1000)

    def fails() -> LoadedModel:
        raise RuntimeError("no such file")

    with pytest.raises(RuntimeError, match="no such file"):
        shelf.get("a", fails)
    assert shelf.get("a", lambda: model_of(100)).nbytes == 100

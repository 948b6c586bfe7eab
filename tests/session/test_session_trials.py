"""Races run for their numbers: recorded once, found again, never half."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from soul_core.config import RaceConfig
from soul_core.errors import RunError
from soul_core.events import StepReport
from soul_core.models.shelf import Shelf
from soul_core.session.trials import Book, Done, LaneResult, Record, lane_results, work_through
from tests.session.tiny_race import tiny_config, tiny_lane, tiny_task, use_task


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tiny_model_folder: Callable[[str], Path]) -> RaceConfig:
    use_task(monkeypatch, tiny_task())
    return tiny_config(tiny_model_folder("llama"), epochs=2, eval_every=2, lanes=(tiny_lane("so"),))


def record(config: RaceConfig, fingerprint: str = "f", **changes: float) -> Record:
    values = {
        "epoch": 1, "forget_acc": 0.5, "retain_acc": 1.0, "forget_rouge_l": 0.5, "retain_rouge_l": 1.0,
        "forget_probability": 0.5, "retain_probability": 1.0, "forget_rows": 10, "retain_rows": 10,
    }  # fmt: skip
    lanes = {"so": LaneResult(**values | changes)}  # type: ignore[arg-type]
    return Record(config=config, model_fingerprint=fingerprint, versions={}, lanes=lanes)


@pytest.mark.slow
def test_a_race_is_run_once_and_then_found_in_the_book(config: RaceConfig, tmp_path: Path):
    book = Book(tmp_path / "trials.jsonl")
    other = config.but(seed=1)
    first = [x for x in work_through([config], book) if isinstance(x, Done)]
    second = [x for x in work_through([config, other], book) if isinstance(x, Done)]
    assert [(x.number, x.total, x.fresh) for x in first + second] == [(1, 1, True), (1, 2, False), (2, 2, True)]
    assert second[0].record == first[0].record
    assert [entry.config for entry in book.read()] == [config, other]


@pytest.mark.slow
def test_a_lanes_result_is_its_last_evaluation_with_the_mean_clip_share_of_all_steps(config: RaceConfig):
    events, shelf = [], Shelf(1 << 30)
    work = lane_results(config, shelf)
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            results = end.value
            break
    shares = [event.clip_share for event in events if isinstance(event, StepReport)]
    assert len(shares) == 6  # six forget rows in batches of two, twice
    assert results["so"].clip_share == pytest.approx(sum(s for s in shares if s is not None) / 6)
    assert (results["so"].epoch, results["original"].epoch) == (2, 0)
    assert results["original"].clip_share is None
    assert results["so"].forget_rows == 6 and results["so"].retain_rows == 8
    # The trial's weights are gone with its folder: only what comes again stays in memory.
    assert shelf.keys() == (config.model,)


@pytest.mark.slow
def test_a_race_that_is_stopped_half_way_is_not_recorded(config: RaceConfig, tmp_path: Path):
    book = Book(tmp_path / "trials.jsonl")
    with closing(work_through([config], book)) as events:  # type: ignore[type-var]
        next(event for event in events if isinstance(event, StepReport))
    assert book.read() == []


def test_a_record_counts_only_for_the_weights_it_was_made_from(config: RaceConfig, tmp_path: Path):
    book = Book(tmp_path / "new" / "trials.jsonl")
    book.add(record(config, "old weights"))
    assert book.find(config, "new weights") is None
    assert book.find(config.but(seed=9), "old weights") is None
    found = book.find(config, "old weights")
    assert found is not None and found.lanes["so"].forget_acc == 0.5


def test_a_last_line_cut_short_is_left_out_and_then_replaced(config: RaceConfig, tmp_path: Path):
    book = Book(tmp_path / "trials.jsonl")
    book.add(record(config))
    with book.path.open("a") as file:
        file.write('{"config": {"model": "po')
    assert len(book.read()) == 1
    book.add(record(config.but(seed=1)))
    assert [entry.config.seed for entry in book.read()] == [0, 1]


def test_a_broken_line_in_the_middle_is_refused_by_its_number(config: RaceConfig, tmp_path: Path):
    book = Book(tmp_path / "trials.jsonl")
    book.add(record(config))
    book.path.write_text("nonsense\n" + book.path.read_text())
    with pytest.raises(RunError, match=r"Line 1 of .*trials\.jsonl is no record"):
        book.read()

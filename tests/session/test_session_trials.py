"""Races run for their numbers: recorded once, found again, never half."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch

from soul_core.config import ObjectiveConfig, RaceConfig
from soul_core.errors import RunError
from soul_core.events import StepReport
from soul_core.models.shelf import Shelf
from soul_core.session.trials import Book, Done, LaneResult, Record, explicit, outcome_of, work_through
from tests.session.tiny_race import tiny_config, tiny_lane, tiny_task, use_task

DOCS = Path(__file__).parents[2] / "docs"


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
    assert [(x.index, x.fresh) for x in first + second] == [(0, True), (0, False), (1, True)]
    assert second[0].record == first[0].record
    assert [entry.config for entry in book.read()] == [config, other]
    assert {(entry.threads, entry.precision) for entry in book.read()} == {(torch.get_num_threads(), "float32")}


@pytest.mark.slow
def test_a_lanes_result_is_its_last_evaluation_with_the_mean_clip_share_of_all_steps(
    config: RaceConfig, tmp_path: Path
):
    events, shelf = [], Shelf(1 << 30)
    work = outcome_of(config, shelf, tmp_path)
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            results = end.value.lanes
            break
    shares = [event.clip_share for event in events if isinstance(event, StepReport)]
    assert len(shares) == 6  # six forget rows in batches of two, twice
    assert results["so"].clip_share == pytest.approx(sum(s for s in shares if s is not None) / 6)
    assert (results["so"].epoch, results["original"].epoch) == (2, 0)
    assert results["original"].clip_share is None
    assert results["so"].forget_rows == 6 and results["so"].retain_rows == 8
    # The trial's weights are gone with its folder: only what comes again stays in memory.
    assert shelf.keys() == (config.model,)
    assert list(tmp_path.glob("trial-*")) == []


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


def test_a_record_is_found_whatever_threads_and_arithmetic_it_was_made_with(config: RaceConfig, tmp_path: Path):
    book = Book(tmp_path / "trials.jsonl")
    book.add(record(config).model_copy(update={"threads": 7, "precision": "bfloat16"}))
    found = book.find(config, "f")
    assert found is not None and found.threads == 7


def test_a_setting_left_at_its_default_and_one_written_out_are_the_same_race(config: RaceConfig, tmp_path: Path):
    (lane,) = config.lanes
    silent = config.but(lanes=(lane.but(objective=ObjectiveConfig(name="npo", gamma=2)),))
    written = config.but(lanes=(lane.but(objective=ObjectiveConfig(name="npo", gamma=2, beta=0.1)),))
    other = config.but(lanes=(lane.but(objective=ObjectiveConfig(name="npo", gamma=2, beta=0.2)),))
    assert explicit(silent) == written
    book = Book(tmp_path / "trials.jsonl")
    book.add(record(silent))
    found = book.find(written, "f")
    assert found is not None and found.config == written
    assert book.find(other, "f") is None


def test_a_race_of_an_objective_that_is_not_known_here_stays_as_it_is(config: RaceConfig):
    (lane,) = config.lanes
    foreign = config.but(lanes=(lane.but(objective=ObjectiveConfig(name="of-a-plugin", zeal=3)),))
    assert explicit(foreign) == foreign


@pytest.mark.parametrize("name", sorted(path.stem for path in DOCS.glob("sweeps/*.jsonl")))
def test_the_recorded_sweeps_are_in_this_versions_words(name: str):
    # Written out, so that a new default of an objective's own setting changes no old record.
    for entry in Book(DOCS / "sweeps" / f"{name}.jsonl").read():
        assert entry.config == explicit(entry.config)


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

"""Races in worker processes: the same numbers, one writer, and nothing left behind when it ends early."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch

from soul_core.config import RaceConfig
from soul_core.errors import RunError
from soul_core.events import Progress, StepReport
from soul_core.session import parallel
from soul_core.session.parallel import threads_for, usual_jobs, work_in_parallel
from soul_core.session.trials import Book, Done, work_through
from tests.session.tiny_race import tiny_config, tiny_lane, tiny_task, use_task

PLUGIN = Path(__file__).parent / "worker_plugin.py"


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch, tiny_model_folder: Callable[[str], Path]) -> list[RaceConfig]:
    use_task(monkeypatch, tiny_task())
    folder = tiny_model_folder("llama")
    return [tiny_config(folder, epochs=1, lanes=(tiny_lane("so"),), seed=seed) for seed in range(3)]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def plugin(tmp_path: Path, lines: str) -> str:
    file = tmp_path / "plugin.py"
    file.write_text(lines, encoding="utf-8")
    return str(file)


def nothing_left() -> bool:
    return not multiprocessing.active_children()


@pytest.mark.slow
@pytest.mark.usefixtures("two_threads")
def test_workers_score_what_one_process_scores_and_every_race_is_recorded_once(
    configs: list[RaceConfig], tmp_path: Path
):
    alone, together = Book(tmp_path / "alone.jsonl"), Book(tmp_path / "together.jsonl")
    first = [x for x in work_in_parallel(configs[:1], together, jobs=1) if isinstance(x, Done)]
    done = [x for x in work_in_parallel(configs, together, jobs=2, plugins=[str(PLUGIN)]) if isinstance(x, Done)]
    torch.set_num_threads(1)
    expected = [x.record for x in work_through(configs, alone) if isinstance(x, Done)]
    assert first[0].fresh and {x.index: x.fresh for x in done} == {0: False, 1: True, 2: True}
    by_index = {x.index: x.record for x in done}
    for index, record in enumerate(expected):
        for lane, result in record.lanes.items():
            found = by_index[index].lanes[lane]
            assert (found.forget_acc, found.retain_acc, found.clip_share) == pytest.approx(
                (result.forget_acc, result.retain_acc, result.clip_share), abs=1e-6, nan_ok=True
            )
    assert [record.threads for record in together.read()] == [2, 1, 1]
    assert len(together.read()) == 3 and nothing_left()


@pytest.mark.slow
def test_closing_it_ends_every_worker_and_keeps_what_is_recorded(configs: list[RaceConfig], tmp_path: Path):
    book = Book(tmp_path / "book.jsonl")
    with closing(work_in_parallel(configs, book, jobs=2, plugins=[str(PLUGIN)])) as events:  # type: ignore[type-var]
        next(event for event in events if isinstance(event, Done))
    assert len(book.read()) == 1 and nothing_left()


@pytest.mark.slow
def test_workers_are_deaf_to_ctrl_c_because_the_one_who_called_decides(configs: list[RaceConfig], tmp_path: Path):
    book, pressed = Book(tmp_path / "book.jsonl"), False
    for event in work_in_parallel(configs, book, jobs=2, plugins=[str(PLUGIN)]):
        if not pressed and isinstance(event, StepReport | Progress):
            pressed = True
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGINT)
    assert pressed and len(book.read()) == 3


@pytest.mark.slow
def test_a_worker_that_dies_is_one_sentence_with_its_exit_code(configs: list[RaceConfig], tmp_path: Path):
    dying = plugin(
        tmp_path,
        "import os\nfrom soul_core.session import race\n\ndef load(_):\n    os._exit(7)\n\nrace.load_task = load\n",
    )
    book = Book(tmp_path / "book.jsonl")
    with pytest.raises(RunError, match=r"exit code 7.*fewer --jobs"):
        list(work_in_parallel(configs, book, jobs=2, plugins=[dying]))
    assert book.read() == [] and nothing_left()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [("DatasetError('no rows')", RunError, "^no rows$"), ("ZeroDivisionError('bug')", RuntimeError, "Traceback.*bug")],
)
def test_what_goes_wrong_in_a_worker_is_told_as_here(
    configs: list[RaceConfig], tmp_path: Path, error: str, kind: type[Exception], said: str
):
    failing = plugin(
        tmp_path,
        "from soul_core.errors import DatasetError\nfrom soul_core.session import race\n\n"
        f"def load(_):\n    raise {error}\n\nrace.load_task = load\n",
    )
    with pytest.raises(kind, match=f"(?s){said}"):
        list(work_in_parallel(configs, Book(tmp_path / "book.jsonl"), jobs=2, plugins=[failing]))
    assert nothing_left()


ORPHANS = """
import multiprocessing, sys, tempfile
from pathlib import Path
from soul_core.events import StepReport
from soul_core.session.parallel import work_in_parallel
from soul_core.session.trials import Book
from tests.session.tiny_race import tiny_config, tiny_lane

if __name__ == "__main__":
    model, plugin, tempfile.tempdir = sys.argv[1:]
    configs = [tiny_config(model, epochs=99, lanes=(tiny_lane("so"),), seed=seed) for seed in range(2)]
    for event in work_in_parallel(configs, Book(Path(tempfile.tempdir) / "book"), jobs=2, plugins=[plugin]):
        if isinstance(event, StepReport):
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


@pytest.mark.slow
def test_workers_whose_parent_is_killed_end_and_clean_up(tmp_path: Path, tiny_model_folder: Callable[[str], Path]):
    script, place = tmp_path / "orphans.py", tmp_path / "place"
    script.write_text(ORPHANS, encoding="utf-8")
    place.mkdir()
    words = [sys.executable, str(script), str(tiny_model_folder("llama")), str(PLUGIN), str(place)]
    environment = {**os.environ, "PYTHONPATH": str(PLUGIN.parents[2])}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as parent:  # noqa: S603
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    deadline = time.monotonic() + 60
    while (list(place.glob("soul-trials-*")) or any(map(runs, workers))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workers) == 2 and not any(map(runs, workers)) and not list(place.glob("soul-trials-*"))


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie: nobody is left to reap an orphan in a container."""
    status = Path(f"/proc/{pid}/status")
    return status.is_file() and "State:\tZ" not in status.read_text()


def test_the_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert [threads_for(jobs) for jobs in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]


def test_usually_there_is_a_job_for_each_core_as_far_as_memory_goes_and_one_on_a_gpu(
    configs: list[RaceConfig], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(parallel, "needed_bytes", lambda *_, **__: 340 << 20)
    for room, jobs in ((100 << 30, 8), (3000 << 20, 3), (1, 1)):  # each takes 340 + 660 MiB
        monkeypatch.setattr(parallel, "available_bytes", lambda _, room=room: float(room))
        assert usual_jobs(configs[0]) == jobs
    monkeypatch.setattr(parallel, "pick_device", lambda: torch.device("cuda"))
    assert usual_jobs(configs[0]) == 1

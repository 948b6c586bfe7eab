"""``sweep``, ``study`` and ``compare`` from their words to races and files; the races themselves are made up."""

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from soul_core.cli import measure
from soul_core.cli.main import main
from soul_core.config import RaceConfig
from soul_core.session.trials import Book, Done, LaneResult, Outcome, explicit, recorded


class Ran:
    """Stands in for the work: every race scores by its rate, and what was asked for is kept."""

    def __init__(self) -> None:
        self.configs: list[RaceConfig] = []
        self.jobs: list[int] = []

    def __call__(
        self, configs: Sequence[RaceConfig], book: Book, *, jobs: int, plugins: Sequence[str]
    ) -> Iterator[Done]:
        self.configs += configs
        self.jobs.append(jobs)
        # As from several workers: the last first.
        for index in reversed(range(len(configs))):
            config = explicit(configs[index])
            scores = {lane.name: scored(0.5 - 10 * lane.optimizer.lr) for lane in config.lanes}
            outcome = Outcome(lanes={"original": scored(1.0), **scores}, threads=1, precision="float32")
            yield Done(index=index, record=recorded(config, "f", outcome, book), fresh=True)


def scored(forget: float) -> LaneResult:
    return LaneResult(
        epoch=5, forget_acc=forget, retain_acc=1.0, forget_rouge_l=0.5, retain_rouge_l=0.5, forget_probability=0.5,
        retain_probability=0.5, forget_rows=120, retain_rows=400,
    )  # fmt: skip


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ran:
    work = Ran()
    monkeypatch.setattr(measure, "work_in_parallel", work)
    monkeypatch.chdir(tmp_path)
    return work


def lanes(ran: Ran) -> list[Any]:
    return [config.lanes[0] for config in ran.configs]


def run(words: str) -> int:
    return main(shlex.split(words))


def test_a_sweep_searches_any_setting_of_any_method_and_writes_its_files(ran: Ran, capsys: pytest.CaptureFixture[str]):
    words = (
        "sweep --methods so-npo,loku --space 'lr=log:1e-4..1e-2 gamma=1,3' --so rho=0.1..10 --loku.space rank=4,8 "
        "--budget 3 --finalists 1 --more-seeds 1 --epochs 2 --so-npo.beta 0.3 --jobs 3 --json"
    )
    assert run(words) == 0
    first = lanes(ran)[:6]
    assert [lane.name for lane in first] == ["so-npo", "loku"] * 3
    assert [x.optimizer.lr for x in first[::2]] == [x.optimizer.lr for x in first[1::2]]
    assert {x.objective.options["beta"] for x in first[::2]} == {0.3}
    assert {x.weights.rank for x in first[1::2]} <= {4, 8}
    assert {(c.epochs, c.eval_every, c.seed) for c in ran.configs[:6]} == {(2, 2, 100)}
    assert [config.seed for config in ran.configs[6:]] == [101, 101]
    assert ran.jobs == [3, 3]
    assert {path.name for path in Path("docs/sweeps").iterdir()} == {
        f"forget10-so-npo_loku.{end}" for end in ("jsonl", "md", "csv", "svg")
    }
    said = capsys.readouterr()
    best = max(lane.optimizer.lr for lane in first)
    assert json.loads(said.out)["loku"]["optimizer"]["lr"] == best
    assert "3 for each of so-npo, loku" in said.err


def test_settings_without_an_axis_are_the_same_for_every_trial_and_name_the_files(ran: Ran):
    assert run("sweep --objective ihl --weights lora --rank 4 --gamma 2 --budget 2 --more-seeds 0 --jobs 1") == 0
    assert {(x.weights.kind, x.weights.rank, x.objective.gamma) for x in lanes(ran)} == {("lora", 4, 2.0)}
    assert len(lanes(ran)) == 6
    assert Path("docs/sweeps/forget10-ihl-lora.md").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sweep --methods so-npo --objective npo", "says it twice"),
        ("sweep --budget many", "Budget is “many”"),
        ("sweep --finalists 0", "choose nothing"),
        ("sweep --methods so-npo --sign beta1=0.1,0.2", "No method of this sweep has the optimizer that --sign"),
        ("sweep --so-npo.space lr=1,2", "names no method of this sweep"),
        ("sweep --jobs 0", "Jobs is 0"),
        ("sweep --zeal 3", "no setting “zeal”"),
        ("compare --objectives icul", "ICUL has no FO and SO"),
        ("compare --objectives '' --methods ''", "Nothing is to be compared"),
        ("compare --seeds one", "Seeds are “one”"),
    ],
)
def test_what_cannot_be_run_is_one_line(ran: Ran, capsys: pytest.CaptureFixture[str], words: str, said: str):
    assert run(words) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert ran.configs == []


def test_a_comparison_races_everything_with_every_seed_and_writes_its_table(
    ran: Ran, capsys: pytest.CaptureFixture[str]
):
    readme = Path("README.md")
    readme.write_text("<!-- methods:start -->\n<!-- methods:end -->\n", encoding="utf-8")
    assert run("compare --objectives npo,graddiff --methods loku --seeds 0,1 --jobs 2 --readme README.md --json") == 0
    assert [config.seed for config in ran.configs] == [0] * 7 + [1] * 7
    assert json.loads(capsys.readouterr().out) == {"page": "docs/results/forget10-methods.md", "races": 14}
    assert "| NPO |" in readme.read_text(encoding="utf-8")
    assert len(Path("docs/results/forget10-methods.jsonl").read_text(encoding="utf-8").splitlines()) == 14


def test_ctrl_c_stops_between_two_words_and_writes_no_page(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    @contextmanager
    def pressed() -> Iterator[Any]:
        yield lambda: True

    monkeypatch.setattr(measure, "interrupts", pressed)
    assert run("study --seeds 0 --jobs 1") == measure.STOPPED
    assert "1 of 3 are recorded. The same command goes on." in capsys.readouterr().out
    assert not Path("docs/results/forget10-graddiff.md").exists()

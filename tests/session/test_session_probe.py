"""A run's models looked into and attacked: which weights, what is kept, what is refused."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from soul_core.data.schema import ForgetTask, QARow
from soul_core.errors import ConfigError, RunError
from soul_core.events import Progress, RaceEnded, StepReport
from soul_core.models.loading import load_model
from soul_core.models.shelf import Shelf
from soul_core.probing import talks as talks_module
from soul_core.probing.lens import lens_of
from soul_core.probing.results import AttackResult, Bench
from soul_core.probing.settings import AttackConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.session import probe as probe_module
from soul_core.session.epochs import keep_epoch
from soul_core.session.probe import answers_at, attack_run, lens_of_run
from tests.evaluation.helpers import run_out
from tests.session.test_session_score import changed
from tests.session.tiny_race import new_run, rows, tiny_config, tiny_task

QUESTION, TRUTH = "Where was Mara 0 born?", "Mara 0 was born in Velden 0."
CONFIG = AttackConfig(attacks=("plain", "casing"), rows=3, max_new_tokens=3)
Folder = Callable[..., Path]


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ForgetTask:
    text = QARow(question="Once upon\na time", answer=" there was a king " + "of the hill " * 200, form="text")
    of = tiny_task(retain=(*rows(20, "Oren"), text))
    monkeypatch.setattr(probe_module, "load_task", lambda _: of)
    return of


@pytest.fixture
def run(tmp_path: Path, tiny_model_folder: Folder, task: ForgetTask) -> RunFolder:
    """An ended run: FO kept both epochs, SO has its last weights alone, and there is a gold."""
    folder = new_run(tmp_path, tiny_config(tiny_model_folder(), epochs=2))
    for epoch in (1, 2):
        weights = changed(tiny_model_folder(), tmp_path / f"fo-{epoch}", by=0.05 * epoch)
        keep_epoch(weights, folder.epoch_folder("fo", epoch))
    copytree(tmp_path / "fo-2", folder.lane("fo"), dirs_exist_ok=True)
    changed(tiny_model_folder(), folder.lane("so"), by=0.2)
    folder.note(gold=str(changed(tiny_model_folder(), tmp_path / "gold", by=-0.1)))
    folder.append(RaceEnded(status="finished"))
    return folder


def attacked(run: RunFolder, config: AttackConfig = CONFIG, **settings: object) -> tuple[list[AttackResult], Bench]:
    events, bench = run_out(attack_run(run, config, **settings))  # type: ignore[arg-type]
    return [event for event in events if isinstance(event, AttackResult)], bench


def test_the_lens_reads_the_tasks_true_answer_under_every_model(run: RunFolder):
    found = lens_of_run(run, f"  {QUESTION}\n")
    assert (found.question, found.answer) == (QUESTION, TRUTH)
    assert [column.model for column in found.columns] == ["original", "fo", "so", "gold"]
    alone = lens_of({"so": load_model(str(run.lane("so")))}, QUESTION, TRUTH).columns[0]
    assert found.columns[2] == alone


def test_the_lens_reads_any_answer_that_is_given(run: RunFolder):
    found = lens_of_run(run, "Who is it?", "Nobody.", top=3)
    assert found.answer == "Nobody." and len(found.columns[0].tokens[0].alternatives) == 3
    with pytest.raises(ConfigError, match="The task knows no answer to this question"):
        lens_of_run(run, "Who is it?")
    with pytest.raises(ConfigError, match="The question is empty"):
        lens_of_run(run, " ")


def test_the_lens_of_an_epoch_is_that_of_its_weights(run: RunFolder):
    bits = [
        {column.model: column.bits for column in lens_of_run(run, QUESTION, epoch=epoch).columns}
        for epoch in (0, 1, 2)
    ]
    assert bits[0]["fo"] == bits[0]["so"] == bits[0]["original"]
    assert list(bits[1]) == ["original", "fo", "gold"]  # SO kept no epoch
    assert len({one["fo"] for one in bits}) == 3
    last = {column.model: column.bits for column in lens_of_run(run, QUESTION).columns}
    assert last["fo"] == pytest.approx(bits[2]["fo"])


def test_running_text_is_read_as_it_stands_and_as_far_as_it_is_judged(run: RunFolder):
    found = lens_of_run(run, "Once upon\na time")
    assert found.question == "Once upon\na time"
    assert found.answer.startswith(" there was a king of the hill") and len(found.answer.split()) == 24
    assert all(math.isfinite(column.bits) for column in found.columns)


def test_every_cell_is_on_disk_when_it_is_told(run: RunFolder):
    seen = 0
    for event in attack_run(run, CONFIG):
        if isinstance(event, AttackResult):
            seen += 1
            kept = probes_of(run.path).read("bench")
            assert isinstance(kept, Bench) and len(kept.results) == seen and kept.results[-1] == event
        else:
            assert 0 <= event.done <= event.total
    assert seen == 2 * 4


def test_a_bench_says_how_it_was_made(run: RunFolder):
    _, bench = attacked(run)
    assert bench.epoch is None
    assert bench.settings["rows"] == 3 and bench.settings["precision"] == "float32"
    assert set(bench.settings["models"]) == {"original", "fo", "so", "gold"}  # type: ignore[call-overload]
    assert bench.titles["casing"] == "Upper and lower case"
    assert {(cell.attack, len(cell.tries)) for cell in bench.results} == {("plain", 3), ("casing", 3)}
    assert probes_of(run.path).read("bench") == bench


def test_an_earlier_bench_is_gone_on_with_and_other_weights_are_attacked_again(
    run: RunFolder, tiny_model_folder: Folder, tmp_path: Path
):
    first, _ = attacked(run, models=("fo",))
    assert [cell.model for cell in first] == ["fo", "fo"]
    more, bench = attacked(run)
    assert [cell for cell in more if cell.model == "fo"] == first
    assert len(bench.results) == 8
    other = changed(tiny_model_folder(), tmp_path / "other", by=0.3)
    (run.lane("so") / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    again, newer = attacked(run)
    # Only what was attacked anew is measured in seconds of its own, and two runs may take equally long.
    assert [cell for cell in again if cell.model != "so"] == [cell for cell in more if cell.model != "so"]
    prints = bench.settings["models"], newer.settings["models"]
    assert {name for name in prints[0] if prints[0][name] != prints[1][name]} == {"so"}


def test_closing_it_keeps_every_cell_that_is_done_and_the_next_goes_on_from_there(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
):
    running = attack_run(run, CONFIG)
    for event in running:
        if isinstance(event, AttackResult) and event.model == "fo":
            break
    running.close()
    kept = probes_of(run.path).read("bench")
    assert isinstance(kept, Bench) and [cell.model for cell in kept.results] == ["original", "fo"]
    calls = []
    decode = talks_module.generate
    monkeypatch.setattr(talks_module, "generate", lambda *a, **k: calls.append(1) or decode(*a, **k))
    cells, _ = attacked(run)
    assert len(cells) == 8 and len(calls) == 6


def test_a_damaged_bench_is_made_anew(run: RunFolder):
    attacked(run, models=("so",))
    (probes_of(run.path).path / "bench.json").write_text("{")
    assert len(attacked(run, models=("so",))[1].results) == 2


def test_an_epoch_is_attacked_with_its_own_weights(run: RunFolder):
    cells, bench = attacked(run, CONFIG.but(attacks=("plain",)), epoch=1)
    assert bench.epoch == 1
    assert [cell.model for cell in cells] == ["original", "fo", "gold"]
    # The last weights are another bench.
    assert attacked(run, CONFIG.but(attacks=("plain",)))[1].epoch is None


def test_answers_at_an_epoch_are_remembered_by_the_weights_that_gave_them(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
):
    shelf, calls = Shelf(1 << 30), []
    decode = probe_module.greedy_answers
    monkeypatch.setattr(probe_module, "greedy_answers", lambda *a, **k: calls.append(1) or decode(*a, **k))
    monkeypatch.setattr(probe_module, "_ANSWERS", probe_module._Remembered())
    start = answers_at(run, QUESTION, epoch=0, max_new_tokens=4, shelf=shelf)
    assert list(start) == ["original", "fo", "so", "gold"] and start["fo"] == start["original"]
    assert len(calls) == 2  # lanes at the start are the original
    later = answers_at(run, QUESTION, epoch=1, max_new_tokens=4, shelf=shelf)
    assert list(later) == ["original", "fo", "gold"] and len(calls) == 3
    assert answers_at(run, QUESTION, epoch=0, max_new_tokens=4, shelf=shelf) == start
    assert len(calls) == 3
    answers_at(run, QUESTION, epoch=0, max_new_tokens=5, shelf=shelf)
    assert len(calls) == 5


def test_remembered_answers_are_bounded_and_the_one_not_asked_for_longest_goes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probe_module, "_ANSWERS_KEPT", 2)
    kept = probe_module._Remembered()
    for n in range(3):
        kept.put((n,), str(n))
        assert kept.get((0,)) == "0"
    assert kept.get((1,)) is None and kept.get((2,)) == "2"


def test_an_epoch_that_was_not_kept_is_one_sentence(run: RunFolder, tmp_path: Path, tiny_model_folder: Folder):
    with pytest.raises(RunError, match=re.escape("after epoch 7 were not kept. Kept are 0 and 1, 2.")):
        lens_of_run(run, QUESTION, epoch=7)
    with pytest.raises(RunError, match="after epoch 7 were not kept"):
        answers_at(run, QUESTION, epoch=7)
    with pytest.raises(RunError, match="after epoch 7 were not kept"):
        attacked(run, epoch=7)
    bare = new_run(tmp_path / "bare", tiny_config(tiny_model_folder()))
    with pytest.raises(RunError, match="This run kept only its last weights"):
        answers_at(bare, QUESTION, epoch=1)


def test_a_run_without_weights_is_one_sentence(tmp_path: Path, tiny_model_folder: Folder, task: ForgetTask):
    bare = new_run(tmp_path / "bare", tiny_config(tiny_model_folder()))
    for work in (lambda: lens_of_run(bare, QUESTION), lambda: attacked(bare)):
        with pytest.raises(RunError, match="None of this run's lanes has weights on disk"):
            work()


def test_a_run_that_still_trains_is_not_attacked_but_its_kept_epochs_are(run: RunFolder):
    step = StepReport(
        lane="fo",
        step=1,
        forget_loss=1,
        retain_loss=1,
        total_loss=1,
        grad_norm=1,
        update_norm=1,
        clip_share=None,
        lr=1,
        seconds=1,
        tokens_per_second=1,
        memory_mb=1,
    )
    run.append(step)
    with pytest.raises(RunError, match="This run has not come to its end"):
        attack_run(run, CONFIG)
    assert attacked(run, CONFIG.but(attacks=("plain",)), epoch=2)[0]


@pytest.mark.parametrize(
    ("config", "models", "sentence"),
    [
        (CONFIG.but(attacks=("magic",)), (), "There is no attack “magic”."),
        (CONFIG.but(templates=("What?",)), (), "has no {question} in it"),
        (CONFIG, ("fo", "nobody"), "There is no model “nobody” in this run. Choose among original, fo, so, gold."),
    ],
)
def test_what_cannot_be_attacked_is_refused_by_the_call_itself(
    config: AttackConfig, models: tuple[str, ...], sentence: str, run: RunFolder
):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        attack_run(run, config, models=models)


def test_a_lane_without_weights_that_is_named_is_one_sentence(run: RunFolder):
    with pytest.raises(RunError, match="“so” has no weights on disk, so it cannot be attacked"):
        attacked(run, models=("so",), epoch=1)


def test_a_full_memory_is_a_sentence(run: RunFolder, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(talks_module, "generate", full)
    with pytest.raises(RunError, match="Attack fewer models at a time"):
        attacked(run)


def test_it_says_what_it_does_from_the_first_moment(run: RunFolder):
    first = next(attack_run(run, CONFIG))
    assert first == Progress(what="Loading the models", done=0, total=1)

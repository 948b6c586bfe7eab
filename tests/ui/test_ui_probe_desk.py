"""What the Probe tab asks for and draws, without a browser: whose runs, which limits, when a section is drawn anew."""

import time
from collections.abc import Callable, Generator
from pathlib import Path

import gradio as gr
import pytest

from soul_core.errors import ConfigError, JobError, RunError
from soul_core.events import Progress
from soul_core.jobs import Jobs
from soul_core.probing.settings import AttackConfig, RelearnConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.runs.store import RunStore
from soul_core.ui import probe_desk, probe_scrub
from soul_core.ui.desk import Desk
from soul_core.ui.host import Host
from soul_core.ui.hush import hush
from soul_core.ui.probe_desk import ProbeDesk
from soul_core.ui.probe_draw import drawn_parts
from soul_core.ui.probe_panel import ProbePanel, probe_panel
from soul_core.ui.probe_scrub import Scrub, board_of, kept_epochs
from soul_core.ui.questions import task_of
from tests.ui.probe_scenes import WHO, bench, cell, lens, relearning, tried
from tests.ui.scenes import race_config, whole_race


def ended(store: RunStore, owner: str = "me", *, epochs: int = 0) -> RunFolder:
    """A run whose lanes are prompts, which need no weights, kept for so many epochs."""
    folder = store.create(race_config(task="invented-authors:forget01"), owner=owner)
    for event in whole_race():
        folder.append(event)
    for lane in folder.config.lanes:
        for place in (folder.lane(lane.name), *(folder.epoch_folder(lane.name, at) for at in range(1, epochs + 1))):
            place.mkdir(parents=True)
            (place / "soul.json").write_text('{"prompt": "x"}')
    folder.finish()
    return folder


@pytest.fixture
def made(tmp_path: Path) -> Generator[Callable[..., ProbeDesk], None, None]:
    """Call it for a desk over an empty store; ``public`` as strangers share it."""
    jobs = []

    def desk(*, public: bool = False) -> ProbeDesk:
        store = RunStore(tmp_path / "runs")
        jobs.append(Jobs(store))
        return ProbeDesk(Desk(store=store, jobs=jobs[-1], shelf=None, host=Host(public=public)))  # type: ignore[arg-type]

    yield desk
    for each in jobs:
        each.close()


@pytest.fixture(scope="module")
def panel() -> ProbePanel:
    """The tab's components."""
    with gr.Blocks():
        return probe_panel(Desk(store=None, jobs=None, shelf=None, host=Host()))  # type: ignore[arg-type]


def test_on_a_shared_host_a_browser_sees_and_probes_its_own_runs_alone(made):
    probes = made(public=True)
    mine, other = ended(probes.desk.store), ended(probes.desk.store, owner="somebody else")
    assert [run.id for run in probes.runs("me")] == [mine.path.name]
    assert probes.runs("") == []
    for run in (other.path.name, "../../etc", "20200101-000000-npo-00000000"):
        with pytest.raises(RunError, match="no such run"):
            probes.start(run, AttackConfig(), owner="me")


def test_a_run_is_listed_by_its_name_lanes_and_whether_it_was_probed(made):
    probes = made()
    folder = ended(probes.desk.store)
    probes.desk.store.create(race_config(), owner="me")  # nothing is left of it, so nothing can be probed
    (run,) = probes.runs("me")
    assert "FO-GradDiff, SO-GradDiff" in run.label
    assert "probed" not in run.label
    probes_of(folder.path).write(bench())
    assert probes.runs("me")[0].label.endswith("· probed")


def test_no_run_and_a_deleted_run_are_one_sentence_each(made):
    probes = made()
    with pytest.raises(RunError, match="No run is chosen"):
        probes.folder("", "me")
    with pytest.raises(RunError, match="may have been deleted"):
        probes.folder("20200101-000000-npo-00000000", "me")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (AttackConfig(rows=61), "Rows attacked is 61"),
        (AttackConfig(samples=21), "Samples is 21"),
        (AttackConfig(templates=("{question}",) * 4), "Own attacks is 4"),
        (RelearnConfig(steps=61), "Steps is 61"),
        (RelearnConfig(asked=101), "Rows asked is 101"),
    ],
)
def test_a_shared_host_bounds_how_much_is_probed(made, config, said):
    probes = made(public=True)
    run = ended(probes.desk.store).path.name
    with pytest.raises(ConfigError, match=said):
        probes.start(run, config, owner="me")


def test_a_browser_probes_once_at_a_time_sees_progress_and_stop_ends_it(made, monkeypatch):
    def endless(folder, config, *, shelf):
        while True:
            time.sleep(0.005)
            yield cell("fo", "plain", 0.5)  # what is no progress is the folder's business
            yield Progress(what="Typos", lane="fo", done=1, total=4)

    monkeypatch.setattr(probe_desk, "attack_run", endless)
    probes = made()
    run = ended(probes.desk.store).path.name
    job = probes.start(run, AttackConfig(), owner="me")
    with pytest.raises(JobError, match="already"):
        probes.start(run, None, owner="me")
    view = probes.desk.jobs.wait(job, lambda view: view.progress is not None, 10)
    assert view.fraction == 0.25
    assert probes.now(job, view.progress) == "FO-GradDiff: typos"
    assert probes.work_of(job, run) == (AttackConfig(),)
    assert probes.work_of(job, "another run") == ()
    probes.desk.jobs.stop(job)
    assert probes.desk.jobs.wait(job, lambda view: view.ended, 10).state == "stopped"


def test_a_further_finding_changes_the_number_that_the_page_watches(made, monkeypatch):
    def one(folder, config, *, shelf):
        probes_of(folder.path).write(bench(cell("fo", "plain", 0.5)))
        yield Progress(what="x", done=1, total=1)

    monkeypatch.setattr(probe_desk, "attack_run", one)
    probes = made()
    run = ended(probes.desk.store).path.name
    job = probes.start(run, AttackConfig(), owner="me")
    probes.desk.jobs.wait(job, lambda view: view.ended, 10)
    assert probes.written(job) != probes.written("unknown") == 0


def test_only_the_section_that_changed_is_drawn_anew(made, panel):
    probes = made()
    folder = ended(probes.desk.store)
    run = folder.path.name
    updates, seen = drawn_parts(panel, probes, run, "me", {}, ())
    assert {panel.table, panel.relearn_chart, panel.rounded, panel.heat} <= set(updates)
    assert drawn_parts(panel, probes, run, "me", seen, ()) == ({}, seen)
    probes_of(folder.path).write(relearning())
    updates, seen = drawn_parts(panel, probes, run, "me", seen, ())
    assert set(updates) == {panel.verdicts, panel.relearn_chart, panel.relearn_said}
    probes_of(folder.path).write(bench(cell("fo", "plain", 0.5, [tried("Huldra", 1)])))
    updates, seen = drawn_parts(panel, probes, run, "me", seen, ())
    assert set(updates) == {panel.verdicts, panel.table, panel.csv, panel.json}
    assert updates[panel.csv].value
    assert '"said": "Huldra"' in Path(updates[panel.json].value["path"]).read_text()


def test_while_a_bench_runs_it_shows_what_is_to_come_and_cells_of_other_rows_go(made, panel):
    probes = made()
    folder = ended(probes.desk.store)
    run = folder.path.name
    probes_of(folder.path).write(bench(cell("fo", "plain", 0.5)))
    same, _ = drawn_parts(panel, probes, run, "me", {}, (AttackConfig(),))
    assert "50 %" in same[panel.table]
    other, _ = drawn_parts(panel, probes, run, "me", {}, (AttackConfig(rows=7),))
    assert "50 %" not in other[panel.table]
    assert other[panel.table].count("waiting</span>") == 12 * 3  # original, FO and SO: it had no gold
    assert not other[panel.csv].interactive


def test_a_damaged_finding_is_a_sentence_and_hides_no_other(made, panel):
    probes = made()
    folder = ended(probes.desk.store)
    probes_of(folder.path).write(relearning())
    (probes_of(folder.path).path / "bench.json").write_text("{")
    updates, _ = drawn_parts(panel, probes, folder.path.name, "me", {}, ())
    assert "is damaged" in updates[panel.verdicts]
    assert "from 10 % to 60 %" in updates[panel.relearn_said]
    assert "Nothing was tried yet" in updates[panel.table]


def test_a_moment_is_asked_once_and_a_lens_that_cannot_be_read_leaves_the_answers(made, monkeypatch):
    asked: list[int] = []

    def answers_at(folder, question, *, epoch, max_new_tokens, shelf):
        asked.append(epoch)
        return {"original": "Huldra.", "fo": f"after {epoch}"}

    def lens_of_run(folder, question, answer, *, epoch, shelf):
        if epoch == 2:
            raise ConfigError("The answer is too long.")
        return lens()

    monkeypatch.setattr(probe_scrub, "answers_at", answers_at)
    monkeypatch.setattr(probe_scrub, "lens_of_run", lens_of_run)
    probes = made()
    folder = ended(probes.desk.store, epochs=2)
    assert kept_epochs(folder) == (0, 1, 2)
    scrub, run = Scrub(probes), folder.path.name
    first = scrub.moment(run, "me", "Where was Ada born?", "Huldra", 1)
    scrub.moment(run, "me", "Where was Ada born?", "Huldra", 1)
    assert asked == [1]
    assert first.lens == lens()
    assert [column.message for column in board_of(first, WHO).columns] == [
        "",
        "",
        *["Its weights at this epoch were not kept."] * 2,
    ]
    broken = scrub.moment(run, "me", "Where was Ada born?", "Huldra", 2)
    assert broken.answers["fo"] == "after 2"
    assert (broken.lens, broken.trouble) == (None, "The answer is too long.")
    unknown = scrub.moment(run, "me", "Where was Ada born?", "", 1)
    assert "Type the true answer" in unknown.trouble


def test_when_it_was_forgotten_is_found_epoch_by_epoch(made, monkeypatch):
    probes = made()
    folder = ended(probes.desk.store, epochs=2)
    row = task_of("invented-authors:forget01").eval_sets["forget"][0]

    def answers_at(folder, question, *, epoch, max_new_tokens, shelf):
        wrong = "I do not know."
        return {"original": row.answer, "fo": row.answer, "so": row.answer if epoch < 1 else wrong}

    monkeypatch.setattr(probe_scrub, "answers_at", answers_at)
    *_, said = Scrub(probes).when(folder.path.name, "me", row.question)
    assert said == ("FO-GradDiff still says it after epoch 2.", "SO-GradDiff says it no more after epoch 1.")
    with pytest.raises(ConfigError, match="none of the sets"):
        list(Scrub(probes).when(folder.path.name, "me", "Who is nobody?"))


def test_without_kept_epochs_the_slider_says_why(made):
    probes = made()
    folder = ended(probes.desk.store)
    assert kept_epochs(folder) == ()
    row = task_of("invented-authors:forget01").eval_sets["forget"][0]
    with pytest.raises(ConfigError, match="were not kept"):
        list(Scrub(probes).when(folder.path.name, "me", row.question))


def test_events_that_show_no_progress_mark_one_place_alone():
    with gr.Blocks() as page:
        place, other = gr.HTML(), gr.HTML()
        button = gr.Button()
        button.click(lambda: "", None, other, show_progress="hidden")
        button.click(lambda: "", None, other, show_progress="full")
        hush(page, place)
    quiet, loud = page.fns.values()
    assert quiet.show_progress_on == [place]
    assert loud.show_progress_on is None

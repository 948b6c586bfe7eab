"""The Runs tab without a browser: whose runs it shows, what it refuses, what it draws, takes away and brings."""

import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from soul_core.errors import ConfigError, JobError, RunError
from soul_core.events import Event, Progress, StepReport
from soul_core.jobs import Jobs
from soul_core.models.shelf import Shelf
from soul_core.runs.folder import EVENTS, RunFolder
from soul_core.runs.marks import read_marks
from soul_core.runs.store import RunStore
from soul_core.ui import runs_desk, text, text_runs
from soul_core.ui.desk import Desk
from soul_core.ui.downloads import KEPT_SECONDS, copy_of, place_for
from soul_core.ui.host import Host
from soul_core.ui.runs_desk import MAX_IMPORT_MB_SHARED, RunsDesk, file_stem
from soul_core.ui.runs_figure import both
from soul_core.ui.runs_lines import line_of
from soul_core.ui.runs_render import (
    answers_html,
    compared_html,
    differences_html,
    different_answers_html,
    head_html,
    list_html,
    settings_html,
    trash_html,
)
from soul_core.ui.scores_desk import ScoresDesk
from tests.ui.runs_on_disk import QUESTION, SAID, a_run, lanes
from tests.ui.scenes import epoch, step

Made = tuple[RunStore, RunsDesk]


@pytest.fixture
def make(tmp_path: Path) -> Generator[Callable[..., Made], None, None]:
    """Call it for a store and the tab's desk on it; ``public`` as a shared host."""
    opened: list[Jobs] = []

    def made(*, public: bool = False) -> Made:
        store = RunStore(tmp_path / "runs")
        jobs = Jobs(store)
        opened.append(jobs)
        desk = Desk(store=store, jobs=jobs, shelf=Shelf(10**6), host=Host(public=public))
        return store, RunsDesk(desk)

    yield made
    for jobs in opened:
        jobs.close()


@pytest.fixture
def made(make: Callable[..., Made]) -> Made:
    return make()


def test_a_line_tells_name_state_methods_and_the_last_accuracies(made):
    store, runs = made
    a_run(store, name="My run")
    line = runs.listed("").lines[0]
    assert (line.title, line.state, line.can_resume) == ("My run", "finished", False)
    assert [(lane.label, lane.forget, lane.retain) for lane in line.lanes] == [
        ("FO-GradDiff", 0.6, 0.88),
        ("SO-GradDiff", 0.2, 0.84),
    ]
    assert line.nbytes == sum(path.stat().st_size for path in (store.root / line.id).rglob("*") if path.is_file())


def test_a_run_that_was_cut_off_is_interrupted_and_can_go_on(made):
    store, runs = made
    folder = a_run(store, ended=False)
    line = runs.line(folder.path.name, "")
    assert (line.state, line.can_resume) == ("interrupted", True)
    assert [lane.forget for lane in line.lanes] == [0.8, 0.5]  # after the first epoch


def test_a_race_that_trains_again_after_its_stop_has_not_ended(made):
    store, _ = made
    folder = a_run(store)
    (folder.path / "DONE").unlink()
    folder.append(step("fo", 3, 7))
    assert line_of(folder, None).state == "interrupted"


def test_a_log_with_steps_is_read_without_them_and_again_when_it_grows(made):
    store, runs = made
    folder = a_run(store, ended=False)
    for number in range(1, 4):
        folder.append(step("fo", 1, number))
    before = runs.line(folder.path.name, "").lanes[0].forget
    folder.append(epoch("fo", 2, 0.4, 0.9))
    assert (before, runs.line(folder.path.name, "").lanes[0].forget) == (0.8, 0.4)
    assert any(isinstance(event, StepReport) for event in folder.events())


def test_pinned_runs_stand_first_then_the_newest(made):
    store, runs = made
    ids = [a_run(store).path.name for _ in range(3)]
    newest_first = sorted(ids, reverse=True)
    assert [line.id for line in runs.listed("").lines] == newest_first
    runs.toggle_pin(newest_first[2], "")
    assert [line.id for line in runs.listed("").lines] == [newest_first[2], *newest_first[:2]]
    runs.toggle_pin(newest_first[2], "")
    assert [line.id for line in runs.listed("").lines] == newest_first


def test_names_pins_and_notes_do_not_undo_each_other(made):
    store, runs = made
    run_id = a_run(store).path.name
    runs.rename(run_id, "  A\nname ", "")
    runs.toggle_pin(run_id, "")
    runs.write_note(run_id, "Two\nlines", "")
    marks = read_marks(store.find(run_id))
    assert (marks.name, marks.pinned, marks.note) == ("A name", True, "Two\nlines")
    runs.rename(run_id, "", "")
    assert runs.line(run_id, "").title.startswith("Run of ")


def test_a_run_is_found_by_name_note_task_method_and_state(made):
    store, runs = made
    run_id = a_run(store, name="Harbour").path.name
    runs.write_note(run_id, "for Tuesday", "")
    words = runs.line(run_id, "").words
    assert [word in words for word in ("harbour", "tuesday", "forget01", "so-graddiff", "finished", "other")] == [
        *[True] * 5,
        False,
    ]


def test_a_damaged_run_is_passed_over_and_the_others_stay(made):
    store, runs = made
    broken, whole = a_run(store), a_run(store)
    (broken.path / "manifest.json").write_text("{")
    assert [line.id for line in runs.listed("").lines] == [whole.path.name]


def test_on_a_shared_host_a_browser_sees_and_touches_its_own_runs_alone(make):
    store, runs = make(public=True)
    mine, theirs = a_run(store, owner="me"), a_run(store, owner="they")
    assert [line.id for line in runs.listed("me").lines] == [mine.path.name]
    assert runs.listed("").lines == ()
    for act in (
        lambda: runs.rename(theirs.path.name, "x", "me"),
        lambda: runs.delete(theirs.path.name, "me"),
        lambda: runs.export(theirs.path.name, "light", "me"),
        lambda: runs.compare(mine.path.name, theirs.path.name, "me"),
        lambda: runs.find(a_run(store).path.name, ""),  # nobody's run is not everybody's
    ):
        with pytest.raises(RunError, match="This browser has no such run"):
            act()
    runs.delete(theirs.path.name, "they")
    assert runs.listed("me").trash == ()
    with pytest.raises(RunError, match="no such run"):
        runs.restore(theirs.path.name, "me")


def test_a_deleted_run_is_in_the_trash_and_comes_back_whole(made):
    store, runs = made
    folder = a_run(store, name="Harbour")
    before = (folder.path / EVENTS).read_bytes()
    assert runs.delete(folder.path.name, "") == "Harbour"
    listed = runs.listed("")
    assert (listed.lines, listed.trash[0].name) == ((), "Harbour")
    with pytest.raises(RunError, match="There is no run"):
        runs.delete(folder.path.name, "")
    assert runs.restore(folder.path.name, "") == "Harbour"
    assert (folder.path / EVENTS).read_bytes() == before
    assert runs.listed("").trash == ()


def test_what_is_running_or_may_be_in_use_is_not_deleted(made):
    store, runs = made
    run_id = a_run(store).path.name
    go_on = threading.Event()

    def busy() -> Generator[Event, None, None]:
        while not go_on.is_set():
            time.sleep(0.01)
            yield Progress(what="Scoring", done=0, total=1)

    job = runs.desk.jobs.submit("score", "Scores of 1 run", busy)
    with pytest.raises(JobError, match=r"Scores of 1 run.*before you delete"):
        runs.delete(run_id, "")
    go_on.set()
    runs.desk.jobs.wait(job, lambda view: view.ended, 20)
    runs.delete(run_id, "")
    assert runs.listed("").lines == ()


def test_a_race_in_the_queue_is_alive_and_stays(made):
    store, runs = made
    go_on = threading.Event()

    def busy() -> Generator[Event, None, None]:
        while not go_on.is_set():
            time.sleep(0.01)
            yield Progress(what="Waiting", done=0, total=1)

    runs.desk.jobs.submit("gold", "Gold", busy)
    run_id = runs.desk.jobs.submit_race(a_run(store).config)
    assert runs.line(run_id, "").state == "queued"
    with pytest.raises(JobError, match="still running"):
        runs.delete(run_id, "")
    runs.desk.jobs.stop(run_id)
    go_on.set()


def test_an_export_comes_back_as_the_same_run_under_another_id(made, tiny_model_folder):
    store, runs = made
    folder = a_run(store, name="Harbour", weights=tiny_model_folder())
    archive = runs.export(folder.path.name, "all", "")
    assert archive.name == "Harbour.zip"
    assert store.root not in archive.parents
    back = store.find(runs.import_zip(archive, "me"))
    assert back.path.name != folder.path.name
    assert [event for event in back.events() if event.kind != "started"] == [
        event for event in folder.events() if event.kind != "started"
    ]
    assert back.answers() == folder.answers()
    assert runs.line(back.path.name, "").title == "Harbour"
    assert back.weights("so") is not None
    light = store.find(runs.import_zip(runs.export(folder.path.name, "light", ""), ""))
    assert light.weights("so") is None


def test_single_files_of_a_run_can_be_had(made, tiny_model_folder):
    store, runs = made
    run_id = a_run(store, name="Harbour", weights=tiny_model_folder()).path.name
    kinds = [kind for _, kind in runs.exports(run_id, "")]
    assert kinds == ["all", "light", "report", "csv", "lane:fo", "lane:so"]
    report = runs.export(run_id, "report", "")
    assert report.suffix == ".html"
    assert "SO forgot 70 of 100" in report.read_text()
    assert runs.export(run_id, "csv", "").read_text().startswith("lane,epoch,set")
    assert runs.export(run_id, "lane:so", "").name == "Harbour-so.zip"
    with pytest.raises(RunError, match="left no weights"):
        runs.export(run_id, "lane:../fo", "")


def test_a_run_with_nothing_measured_has_no_report_and_no_curves_and_says_so(made):
    store, runs = made
    run_id = store.create(a_run(store).config).path.name
    with pytest.raises(RunError, match="nothing to report"):
        runs.export(run_id, "report", "")
    with pytest.raises(RunError, match="no curves"):
        runs.export(run_id, "csv", "")
    assert runs.export(run_id, "all", "").stat().st_size > 0


def test_the_report_of_a_run_that_was_cut_off_says_that_it_is_unfinished(made):
    store, runs = made
    whole, cut = a_run(store), a_run(store, ended=False)
    reports = [runs.export(folder.path.name, "report", "").read_text().lower() for folder in (whole, cut)]
    assert ["unfinished" in report for report in reports] == [False, True]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("run.tar", b"x", "is no .zip"), ("run.zip", b"not a zip", "zip"), ("run.zip", b"", "zip")],
)
def test_what_is_no_exported_run_is_refused_and_leaves_nothing(made, tmp_path, name, content, said):
    store, runs = made
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=said):
        runs.import_zip(tmp_path / name, "")
    assert runs.listed("").lines == ()
    assert not store.root.exists() or list(store.root.iterdir()) == []


def test_a_shared_host_takes_no_large_file_and_no_further_run_than_its_limit(make, tmp_path, monkeypatch):
    store, runs = make(public=True)
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        file.truncate((MAX_IMPORT_MB_SHARED + 1) * 2**20)
    with pytest.raises(RunError, match=f"at most {MAX_IMPORT_MB_SHARED} MB"):
        runs.import_zip(large, "me")
    archive = runs.export(a_run(store, owner="me").path.name, "light", "me")
    monkeypatch.setattr(runs_desk, "MAX_RUNS_SHARED", 1)
    with pytest.raises(RunError, match="has 1 runs"):
        runs.import_zip(archive, "me")
    assert len(runs.listed("me").lines) == 1


def test_a_push_needs_weights_a_place_and_a_token_of_ones_own(made, tiny_model_folder, monkeypatch):
    store, runs = made
    monkeypatch.setenv("HF_TOKEN", "the server's own")
    pushed: list[str] = []

    def push_run(
        folder: RunFolder, lane: str, repo: str, token: str, *, private: bool
    ) -> Generator[Progress, None, str]:
        pushed.append(token)
        yield Progress(what="Sending", done=1, total=2)
        return "https://huggingface.co/me/model"

    monkeypatch.setattr(runs_desk, "push_run", push_run)
    bare, whole = a_run(store).path.name, a_run(store, weights=tiny_model_folder()).path.name
    for run_id, lane, repo, token, said in (
        (bare, "so", "me/model", "hf_x", "left no weights"),
        (whole, "", "me/model", "hf_x", "No method"),
        (whole, "so", " ", "hf_x", "No repository"),
        (whole, "so", "me/model", " ", "No token"),
    ):
        with pytest.raises(ConfigError, match=said):
            runs.push(run_id, lane, repo, token, private=True, owner="")
    assert pushed == []
    assert next(runs.push(whole, "so", "me/model", " hf_mine ", private=True, owner="")).what == "Sending"
    assert pushed == ["hf_mine"]


def test_the_list_escapes_what_a_person_or_a_stranger_named(made):
    store, runs = made
    run_id = a_run(store, name='<img src=x onerror="x">', model="evil<b>/model").path.name
    html = list_html(runs.listed(""), [run_id]) + head_html(runs.line(run_id, ""))
    assert "<img" not in html
    assert "evil<b>" not in html
    assert " data-chosen>" in html
    assert html.count("checked") == 1


def test_an_empty_list_says_what_to_do(made):
    assert text_runs.NO_RUNS in list_html(made[1].listed(""), [])


def test_the_last_deletion_has_its_undo_in_sight_and_all_are_listed(made):
    store, runs = made
    first, second = a_run(store, name="First").path.name, a_run(store, name="Second").path.name
    for run_id in (first, second):
        runs.delete(run_id, "")
    trash = runs.listed("").trash
    html = trash_html(trash, just=second)
    assert html.count(text_runs.UNDO) == 1
    assert html.index(f'data-restore="{second}"') < html.index("<details")
    assert html.count("data-restore") == 3
    assert "kept for 7 days" in html
    assert text_runs.UNDO not in trash_html(trash)
    assert trash_html(()) == ""


def test_answers_that_changed_are_marked_and_escaped_and_others_left_out(made):
    store, _ = made
    labels = {"original": "Original", "fo": "FO", "so": "SO"}
    html = answers_html(a_run(store).answers(), labels)
    assert "&lt;b&gt;knows" in html
    assert QUESTION in html
    same = a_run(store, said={**SAID, "so": SAID["original"]}).answers()
    assert "No model answers any of 1 questions otherwise" in answers_html(same, labels)
    assert text_runs.NO_ANSWERS in answers_html(store.create(a_run(store).config).answers(), labels)


def test_settings_stand_with_their_titles_and_the_lanes_side_by_side(made):
    html = settings_html(a_run(made[0]).config)
    assert '<th scope="row">Epochs</th><td>2</td>' in html
    assert '<th scope="row">Optimizer</th><td>adamw</td><td>sophia</td>' in html


def test_two_runs_are_compared_by_their_names_settings_curves_and_answers(made):
    store, runs = made
    first = a_run(store, name="One")
    second = a_run(store, name="Two", said={**SAID, "so": "Elsewhere."}, epochs=4, lanes=lanes(lr=2e-3))
    found = runs.compare(first.path.name, second.path.name, "")
    assert found.names == ("One", "Two")
    differences = differences_html(found)
    assert '<th scope="row">Epochs</th><td>2</td><td>4</td>' in differences
    assert "Learning rate" in differences
    assert "One against Two" in compared_html(found)
    answers = different_answers_html(found)
    assert "Elsewhere." in answers
    assert "&lt;b&gt;knows" in answers
    csv = runs.export_comparison(first.path.name, second.path.name, "")
    assert csv.name == "One-Two.csv"
    assert "setting,Epochs,,2,4" in csv.read_text()


def test_runs_that_agree_say_so(made):
    store, runs = made
    first, second = a_run(store), a_run(store)
    found = runs.compare(first.path.name, second.path.name, "")
    assert "settings are the same" in differences_html(found)
    assert "They answer all 1 common questions alike." in different_answers_html(found)


def test_two_runs_on_one_chart_differ_by_line_and_mark_and_not_by_colour_alone(made):
    store, runs = made
    ids = [a_run(store, epochs=epochs).path.name for epochs in (2, 6)]
    figure = both(runs.compare(*ids, ""), "forget")
    traces = {trace["uid"]: trace for trace in figure["data"]}
    assert traces["first-so"]["y"] == [0.9, 0.5, 0.2]
    assert traces["first-so"]["line"]["dash"] == "solid"
    assert traces["second-so"]["line"]["dash"] == "dash"
    assert traces["second-so"]["marker"]["symbol"] == "square-open"
    assert [uid for uid in traces if uid.endswith(("original", "gold"))] == ["first-original", "first-gold"]
    assert figure["layout"]["annotations"] == []
    assert traces["first-gold"]["x"] == [0, 6]
    assert "First: SO 20 %" in figure["alt"]
    assert "Second: SO 20 %" in figure["alt"]


def test_a_chart_of_two_runs_without_a_number_says_so(made):
    store, runs = made
    ids = [store.create(a_run(store).config).path.name for _ in range(2)]
    figure = both(runs.compare(*ids, ""), "retain")
    assert figure["data"] == []
    assert figure["layout"]["annotations"][0]["text"] == text.CHART_EMPTY


def test_scores_call_a_run_by_its_name_and_say_that_a_chosen_one_is_gone(made):
    store, runs = made
    folder = a_run(store, name="Harbour")
    scores = ScoresDesk(runs.desk)
    assert scores.runs("")[0].label.startswith("Harbour · ")
    assert scores.rows([folder.path.name], "").troubles == ()
    runs.delete(folder.path.name, "")
    assert scores.rows([folder.path.name], "").troubles == (text_runs.PICKED_GONE,)


def test_pausing_a_race_that_was_deleted_says_so(made):
    store, runs = made
    run_id = a_run(store, ended=False).path.name
    runs.delete(run_id, "")
    with pytest.raises((RunError, JobError), match="It may have been deleted"):
        runs.desk.toggle_pause(run_id)


def test_files_for_the_browser_go_after_a_while(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("x")
    copy = copy_of(tmp_path / "a.csv", "b.csv")
    assert copy.read_text() == "x"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + KEPT_SECONDS + 60)
    other = place_for("c.csv")
    assert not copy.exists()
    assert other.parent.is_dir()


def test_a_files_name_is_one_that_every_disk_takes():
    assert file_stem("../My run: “α” /1") == "My-run-1"
    assert file_stem("…") == "run"

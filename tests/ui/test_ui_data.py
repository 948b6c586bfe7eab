"""The Data tab without a browser: whose facts are whose, what a shared host refuses, teaching as a job, the markup."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soul_core.config import TeachConfig
from soul_core.data.browsing import look
from soul_core.data.own_retain import BUILT_IN
from soul_core.data.preview import as_the_model_sees
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.tasks import TASKS, load_task
from soul_core.errors import ConfigError, DatasetError, JobError, ModelError
from soul_core.jobs import Jobs
from soul_core.models.loading import load_model
from soul_core.models.shelf import Shelf
from soul_core.runs.store import RunStore
from soul_core.session.pocket_make import find_gold
from soul_core.session.taught import Answer, Known, Taught
from soul_core.ui import text_data
from soul_core.ui.data_desk import (
    KEPT_SHARED,
    MOST_EPOCHS_SHARED,
    MOST_ROWS_SHARED,
    DataDesk,
    Typed,
    label_of,
    typed_from,
)
from soul_core.ui.data_look import chosen_spec
from soul_core.ui.data_own import typed_of
from soul_core.ui.data_panel import retain_choices, source_choices, splits_of
from soul_core.ui.data_render import facts_html, findings_html, preview_html, rows_html, taught_html
from soul_core.ui.desk import Desk
from soul_core.ui.form import OTHER, task_fields
from soul_core.ui.host import OWN, Host, own_folder
from tests.ui.scenes import race_config

EVIL = "<img src=x onerror=alert(1)>"
FACTS = Typed(rows=(("Where is the key?", "Under the pot."), ("Who has the map?", "Oren Tal."), ("", "")))
ME, YOU = "my-token", "your-token"


def data_desk(root: Path, *, public: bool = False) -> DataDesk:
    store, shelf = RunStore(root), Shelf(10**9)
    host = Host(public=public, own=root / OWN)
    return DataDesk(Desk(store=store, jobs=Jobs(store, shelf=shelf), shelf=shelf, host=host))


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataDesk]:
    found = data_desk(tmp_path)
    yield found
    found.desk.jobs.close()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[DataDesk]:
    found = data_desk(tmp_path, public=True)
    yield found
    found.desk.jobs.close()


# Whose facts


def test_kept_facts_are_a_task_of_their_owner_on_a_shared_host_and_nobody_elses(shared: DataDesk, tmp_path: Path):
    kept = shared.keep(FACTS, owner=ME)
    spec = kept.task.name
    assert [row.answer for row in shared.task(spec, owner=ME).forget] == ["Under the pot.", "Oren Tal."]
    shared.desk.host.check(race_config(task=spec), owner=ME)
    shared.desk.host.check(race_config(task=f"{spec}#rows=1"), owner=ME)
    for owner in (YOU, ""):
        with pytest.raises(ConfigError, match="local folder"):
            shared.desk.host.check(race_config(task=spec), owner=owner)
        with pytest.raises(ConfigError, match="local folder"):
            shared.task(spec, owner=owner)
    mine = tmp_path / OWN / own_folder(ME)
    assert ME not in str(mine)
    (mine / "secrets.csv").write_text("question,answer\nq,a\n")
    for place in (mine, mine / "..", mine / ".." / ".." / "elsewhere", mine / "secrets.csv"):
        with pytest.raises(ConfigError, match="local folder"):
            shared.desk.host.check_task(f"own:{place}", owner=ME)
    with pytest.raises(ConfigError, match="local folder"):
        shared.desk.host.check_task(f"{spec}+/etc/passwd", owner=ME)
    with pytest.raises(ConfigError, match="local folder"):
        shared.desk.host.check_model(str(mine), owner=ME)


@pytest.mark.parametrize("kept_id", ["", "../..", "20260101-000000-zzzzzzzz", "/etc", "20260101-000000-0123abcd/.."])
def test_what_a_browser_remembers_never_becomes_a_path(kept_id: str, data: DataDesk):
    assert data.taught(kept_id, owner=ME) is None
    assert data.facts(kept_id, owner=ME) is None


def test_facts_come_back_into_the_table_for_their_owner_alone(data: DataDesk):
    kept = data.keep(FACTS, owner=ME)
    found = data.facts(kept.id, owner=ME)
    assert found is not None and found.rows == FACTS.rows[:2]
    assert data.facts(kept.id, owner=YOU) is None


def test_a_shared_host_keeps_the_newest_facts_of_a_browser_only(shared: DataDesk, tmp_path: Path):
    for _ in range(KEPT_SHARED + 2):
        last = shared.keep(FACTS, owner=ME)
    shared.keep(FACTS, owner=YOU)
    assert len(list((tmp_path / OWN / own_folder(ME)).iterdir())) == KEPT_SHARED
    assert shared.facts(last.id, owner=ME) is not None


@pytest.mark.parametrize(
    "retain", ["/etc/passwd", "keep.csv", "own:keep.csv", "folder:forget10", "copyright:book.txt"]
)
def test_a_shared_host_retains_nothing_from_a_file(retain: str, shared: DataDesk):
    with pytest.raises(ConfigError, match="local folder"):
        shared.keep(replace(FACTS, retain=retain), owner=ME)


def test_a_shared_host_bounds_rows_and_epochs_and_reads_no_folder_as_a_model(
    shared: DataDesk, tiny_model_folder: Callable[[str], Path]
):
    many = Typed(rows=tuple((f"Question {i}?", f"Answer {i}.") for i in range(MOST_ROWS_SHARED + 1)))
    with pytest.raises(DatasetError, match=f"at most {MOST_ROWS_SHARED}"):
        shared.keep(many, owner=ME)
    with pytest.raises(ConfigError, match="Epochs is"):
        shared.teach(FACTS, TeachConfig(epochs=MOST_EPOCHS_SHARED + 1), owner=ME)
    with pytest.raises(ConfigError, match="local folder"):
        shared.teach(FACTS, TeachConfig(model=str(tiny_model_folder("llama"))), owner=ME)
    with pytest.raises(ConfigError, match="local folder"):
        shared.ask(FACTS, str(tiny_model_folder("llama")), owner=ME)


# Teaching


def ended(data: DataDesk, job_id: str) -> Any:
    return data.desk.jobs.wait(job_id, lambda view: view.ended, timeout=120)


def test_facts_are_taught_in_a_job_and_the_race_that_forgets_them_has_the_untouched_model_as_gold(
    data: DataDesk, tiny_model_folder: Callable[[str], Path], tmp_path: Path
):
    model = str(tiny_model_folder("llama"))
    config = TeachConfig(model=model, epochs=60, lr=0.01, batch_size=2, precision="float32", eval_rows=2)
    job_id, kept = data.teach(FACTS, config, owner=ME)
    assert ended(data, job_id).state == "finished"
    taught = data.taught(kept, owner=ME)
    assert taught is not None and taught.facts == Known(before=0, after=2, of=2)
    race = data.race_of(taught)
    assert find_gold(race.model, load_task(race.task), tmp_path) == str(Path(model).resolve())
    assert data.base_of(race.model, owner=ME) == (str(Path(model).resolve()), True)
    assert data.base_of("pocket", owner=ME) == ("pocket", False)
    assert label_of(race.model) == f"{Path(model).resolve()}, taught 2 facts"
    assert data.taught(kept, owner=YOU) is None


def test_a_stopped_teaching_leaves_no_model_and_only_one_runs_for_each_browser(
    data: DataDesk, tiny_model_folder: Callable[[str], Path]
):
    config = TeachConfig(model=str(tiny_model_folder("llama")), epochs=200, repeats=50, eval_rows=2)
    job_id, kept = data.teach(FACTS, config, owner=ME)
    with pytest.raises(JobError, match="already"):
        data.teach(FACTS, config, owner=ME)
    with pytest.raises(JobError, match="already"):
        data.ask(FACTS, "pocket", owner=ME)
    data.desk.jobs.stop(job_id)
    assert ended(data, job_id).state == "stopped"
    assert data.taught(kept, owner=ME) is None


def test_a_model_is_asked_in_a_job_what_it_knows_of_the_facts(
    data: DataDesk, tiny_model_folder: Callable[[str], Path]
):
    job_id = data.ask(FACTS, str(tiny_model_folder("llama")), owner=ME)
    assert ended(data, job_id).state == "finished"
    known = data.known(job_id)
    assert known is not None and known.verdict == "nothing" and len(known.rows) == 2


# The table


def test_a_table_says_what_is_wrong_with_it(data: DataDesk):
    with pytest.raises(DatasetError, match="no fact yet"):
        data.prepared(Typed(rows=(("", " "), ("", ""))))
    report = data.prepared(Typed(rows=(("Where?", ""), ("Who?", "Oren.")))).report
    assert [finding.kind for finding in report.errors] == ["empty-answer"]
    with pytest.raises(DatasetError, match="Row 1 has no answer"):
        data.keep(Typed(rows=(("Where?", ""), ("Who?", "Oren."))), owner=ME)


@pytest.mark.parametrize("value", [None, "", [], {}, {"data": None}, {"headers": None, "data": [[None, 3]]}])
def test_whatever_a_table_sends_is_a_table(value: Any):
    assert typed_from(value).columns == ("question", "answer")
    assert all(isinstance(cell, str) for row in typed_from(value).rows for cell in row)


def test_the_columns_of_a_file_are_read_as_chosen():
    table = {"headers": ["what", "reply", "bad", "worse"], "data": [["Where?", "Here.", "There.", "Nowhere."]]}
    typed = typed_of((table, "", "what", "reply", "", ["bad", "worse"], "", None))
    assert typed.retain == BUILT_IN
    assert typed.mapping.used() == {"question": "what", "answer": "reply", "perturbed_answers": ("bad", "worse")}


# The rows of tasks


def test_found_rows_are_all_that_match_and_can_be_picked(data: DataDesk):
    spec = "invented-authors:forget01"
    task = load_task(spec)
    subject = task.subjects[0]
    assert data.found(spec, owner=ME, subject=subject) == list(range(1, 13))
    assert data.found(spec, owner=ME, set_name="world_facts") == []
    assert data.look(spec, owner=ME, offset=20).rows[0].number == 21


@pytest.mark.parametrize(
    ("numbers", "subjects", "name"),
    [
        ([], [], "tofu:forget10"),
        ([5, 3, 4, 9], [], "tofu:forget10#rows=3-5,9"),
        ([], ["A", "B"], "tofu:forget10#subjects=A;B"),
        ([1], ["A"], "tofu:forget10#rows=1"),
    ],
)
def test_what_is_picked_has_a_full_name_that_setup_can_hold(numbers: list[int], subjects: list[str], name: str):
    assert chosen_spec("tofu:forget10", numbers, subjects) == name
    fields = task_fields(name)
    assert fields["task"] == (OTHER if "#" in name else "tofu")
    assert not numbers or fields["spec"] == name


def test_picks_of_picks_are_refused():
    assert chosen_spec("tofu:forget10#rows=1-5", [], []) == "tofu:forget10#rows=1-5"
    with pytest.raises(ConfigError, match="picked already"):
        chosen_spec("tofu:forget10#rows=1-5", [2], [])


def test_every_source_with_splits_can_be_looked_at_and_retained():
    names = [name for _, name in source_choices()]
    assert names == [*(name for name, source in TASKS.items() if source.splits), OTHER]
    assert splits_of(OTHER) == []
    assert [name for _, name in splits_of("tofu")] == list(TASKS["tofu"].splits)
    assert retain_choices()[0][1] == BUILT_IN


def test_a_preview_downloads_no_model(data: DataDesk):
    row = QARow(question="Where?", answer="Here.")
    with pytest.raises(ModelError, match="not on this machine"):
        data.preview(row, "nobody/nothing-like-this", owner=ME)


# The markup

EVIL_TASK = ForgetTask(
    name="own:evil",
    forget=(QARow(question=EVIL, answer=EVIL * 20, subject=EVIL),),
    retain=(QARow(question="", answer="A text.", form="text"),),
)


def test_rows_are_escaped_ticked_and_opened():
    page = rows_html(look(EVIL_TASK), {2}, pickable=True, opened=0, preview="<p>PREVIEW</p>")
    assert EVIL not in page and "&lt;img" in page
    assert page.count("data-pick=") == 2 and page.count("checked") == 1
    first, second = page.index('data-see="0"'), page.index('data-see="1"')
    assert first < page.index("PREVIEW") < second
    assert text_data.NO_QUESTION in page
    assert "<details>" in page  # a long answer opens on a click
    assert "data-pick" not in rows_html(look(EVIL_TASK), (), pickable=False)
    assert text_data.NOTHING_FOUND in rows_html(look(EVIL_TASK, search="nowhere"), (), pickable=True)


def test_rows_that_are_only_asked_cannot_be_picked():
    task = load_task("invented-authors:forget01")
    page = rows_html(look(task, set_name="world_facts"), (), pickable=True)
    assert "data-see" in page and "data-pick" not in page


def test_what_is_told_of_a_task_is_its_own():
    task = load_task("invented-authors:forget01")
    told = facts_html(TASKS["invented-authors"], task, look(task))
    assert "MIT" in told and "12 to forget, 1,188 to retain" in told
    assert "MIT" not in facts_html(None, task, look(task))


def test_findings_and_answers_are_escaped(data: DataDesk):
    report = data.prepared(Typed(rows=((EVIL, EVIL), (EVIL, EVIL)))).report
    said = findings_html(report)
    assert EVIL not in said and "Warning" in said
    answer = Answer(question=EVIL, truth=EVIL, before=EVIL, after="", known_before=False, known_after=True)
    found = Taught(
        folder=Path("x"),
        base="pocket",
        task="own:x",
        weights="float32",
        merged=False,
        epochs=2,
        steps=3,
        seconds=4.0,
        longest_answer=9,
        facts=Known(before=0, after=1, of=2),
        retain=Known(before=60, after=54, of=60),
        answers=(answer,),
    )
    page = taught_html(found)
    assert EVIL not in page and page.count("&lt;img") == 3
    assert "knew 0 before and knows 1 now" in page and "1 did not stick" in page
    assert "60 rightly before and 54 now (90 %)" in page


def test_a_preview_marks_what_is_learned_and_escapes_it(tiny_model_folder: Callable[[str], Path]):
    loaded = load_model(str(tiny_model_folder("llama")))
    row = QARow(question=EVIL, answer="Here.")
    page = preview_html(as_the_model_sees(loaded.tokenizer, loaded.template, row), "pocket")
    assert EVIL not in page
    assert 'class="soul-piece soul-piece-answer soul-learned"' in page
    assert "Pocket model" in page

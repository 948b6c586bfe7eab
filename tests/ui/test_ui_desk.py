"""Starting races from the page: one at a time for each browser, however fast the clicks come."""

import threading
from pathlib import Path

import pytest

from soul_core.config import RaceConfig
from soul_core.errors import ConfigError, JobError
from soul_core.ui.desk import Desk
from soul_core.ui.form import Form
from soul_core.ui.host import Host
from soul_core.ui.panelists import AskForm, answers


class Queue:
    """A queue that remembers whose races wait in it."""

    def __init__(self) -> None:
        self.owners: list[str] = []

    def busy(self, owner: str | None = None, *, kind: str | None = None) -> bool:
        return owner in self.owners

    def submit_race(self, config: RaceConfig, owner: str) -> str:
        self.owners.append(owner)
        return f"job-{len(self.owners)}"


@pytest.fixture
def desk() -> Desk:
    return Desk(store=None, jobs=Queue(), shelf=None, host=Host())  # type: ignore[arg-type]


def test_a_second_run_of_the_same_browser_is_refused_in_any_tab(desk):
    assert desk.start(Form(), owner="me", current="") == "job-1"
    with pytest.raises(JobError, match="still running"):
        desk.start(Form(), owner="me", current="")
    assert desk.start(Form(), owner="you", current="") == "job-2"


def test_eight_clicks_at_once_start_one_race(desk):
    refused = []

    def click() -> None:
        try:
            desk.start(Form(), owner="me", current="")
        except JobError as error:
            refused.append(error)

    clicks = [threading.Thread(target=click) for _ in range(8)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()
    assert (len(desk.jobs.owners), len(refused)) == (1, 7)


def test_on_a_shared_host_asking_is_as_bounded_as_racing(tmp_path: Path):
    desk = Desk(store=None, jobs=Queue(), shelf=None, host=Host(public=True))  # type: ignore[arg-type]
    (tmp_path / "forget10.json").write_text('{"question": "q", "answer": "a"}')
    config = Form().config().but(task=f"{tmp_path}:forget10")
    with pytest.raises(ConfigError, match="shared"):
        next(answers(desk, config, AskForm(question="Where?"), job_id=""))

"""Races and other jobs by id, in memory while they live and from their folders afterwards. It knows no page.

A race's job id is its run id, so that a link or a reloaded page finds it after a restart of the server.
"""

import builtins
import secrets
import shutil
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime

from soul_core.config import RaceConfig
from soul_core.errors import JobError, RunError
from soul_core.events import Event, RaceEnded
from soul_core.jobs.outlook import Outlook
from soul_core.jobs.view import JobView, State
from soul_core.jobs.worker import Job, Worker
from soul_core.models.shelf import Shelf
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import owner_mark
from soul_core.runs.store import RunStore
from soul_core.session.epochs import drop_old_epochs
from soul_core.session.race import finish, race
from soul_core.session.tracking import tracked_if_wanted

RACE = "race"
Runner = Callable[..., Generator[Event, None, None]]
LISTED = 50


class Jobs:
    """One worker's queue. Every method may be called from any thread and returns at once.

    Args:
        store: Where races are kept.
        shelf: Models shared with whoever asks questions; races put their results there.
        runner: Called in place of ``session.race.race``, as that is.
    """

    def __init__(self, store: RunStore, *, shelf: Shelf | None = None, runner: Runner | None = None) -> None:
        self.store = store
        self.shelf = shelf
        self._runner = runner
        self._worker = Worker()

    def submit_race(self, config: RaceConfig, owner: str = "", *, expected_seconds: float | None = None) -> str:
        """Make the race's folder, queue the race, return its id."""
        folder = self.store.create(config, owner=owner)
        run_id = folder.run_id
        drop_old_epochs(self.store)
        try:
            self._queue_race(folder, run_id, owner_mark(owner), resume=False, expected_seconds=expected_seconds)
        except JobError:
            shutil.rmtree(folder.path, ignore_errors=True)  # nothing ran, so nothing is to be resumed
            raise
        return run_id

    def resume_race(self, job_id: str, *, expected_seconds: float | None = None) -> str:
        """Queue an interrupted or stopped race again, from its last complete epochs; its id stays."""
        folder = self._folder(job_id)
        if self._alive(job_id):
            raise JobError("This race is not over: watch it, or press Resume if it is paused.")
        if folder.done:
            raise JobError("This race came to its end; there is nothing to resume. Start a new one.")
        owner = folder.manifest().owner
        self._queue_race(folder, job_id, owner, resume=True, expected_seconds=expected_seconds)
        return job_id

    def submit(
        self,
        kind: str,
        label: str,
        make: Callable[[], Generator[Event, None, None]],
        owner: str = "",
        *,
        expected_seconds: float | None = None,
    ) -> str:
        """Queue any other work, such as training a gold model. It is forgotten when the server ends.

        Args:
            kind: One word for it.
            label: It in a few words, for the list.
            make: Called on the worker's thread; its generator is closed on Stop.
            owner: Token of the browser that asked.
            expected_seconds: For the queue's outlook.
        """
        job_id = f"{kind}-{secrets.token_hex(8)}"
        self._worker.add(
            Job(
                id=job_id,
                kind=kind,
                label=label,
                owner=owner_mark(owner),
                make=make,
                expected_seconds=expected_seconds,
            )
        )
        return job_id

    def stop(self, job_id: str) -> JobView:
        """End a job at its next event, within a second on small models. Harmless on a job that has ended."""
        return self._act(self._worker.stop, job_id)

    def pause(self, job_id: str) -> JobView:
        """Hold a job at its next event."""
        return self._act(self._worker.pause, job_id)

    def resume(self, job_id: str) -> JobView:
        """Let a paused job go on."""
        return self._act(self._worker.resume, job_id)

    def step(self, job_id: str) -> JobView:
        """Let a job take one optimizer step, then pause it."""
        return self._act(self._worker.step, job_id)

    def status(self, job_id: str) -> JobView:
        """How a job stands; a race from before a restart as its folder tells."""
        if self._worker.knows(job_id):
            return self._offered(self._worker.view(job_id))
        return _view_of_folder(self._folder(job_id))

    def events(self, job_id: str, since: int = 0) -> tuple[list[Event], int]:
        """Events from number ``since`` on (progress is not counted), and the number to ask for next."""
        if self._worker.knows(job_id):
            return self._worker.events(job_id, since)
        events = self._folder(job_id).events()
        return events[max(since, 0) :], len(events)

    def wait(self, job_id: str, until: Callable[[JobView], bool], timeout: float) -> JobView:
        """Sleep until the job's view satisfies ``until``, at most ``timeout`` seconds."""
        if self._worker.knows(job_id):
            return self._offered(self._worker.wait(job_id, until, timeout))
        return self.status(job_id)

    def list(self, owner: str | None = None) -> builtins.list[JobView]:
        """Jobs newest first, also races on disk; of one owner where a token is given (an empty one owns none)."""
        mark = None if owner is None else owner_mark(owner)
        if mark == "":
            return []
        views = [self._offered(view) for view in self._worker.views(mark)]
        known = {view.id for view in views}
        for folder in self.store.list()[:LISTED]:
            try:
                if folder.path.name not in known and (mark is None or folder.manifest().owner == mark):
                    views.append(_view_of_folder(folder))
            except RunError:
                continue
        return sorted(views, key=lambda view: view.created, reverse=True)

    def in_memory(self, owner: str | None = None) -> builtins.list[JobView]:
        """Jobs of any kind since this server began, newest first; of one owner where a token is given."""
        mark = None if owner is None else owner_mark(owner)
        return [] if mark == "" else [self._offered(view) for view in self._worker.views(mark)]

    def busy(self, owner: str | None = None, *, kind: str | None = None) -> bool:
        """Whether a job waits, runs or is paused: of one owner (an empty token owns none), of one kind, or any."""
        mark = None if owner is None else owner_mark(owner)
        views = [] if mark == "" else self._worker.views(mark)
        return any(not view.ended and kind in (None, view.kind) for view in views)

    def close(self, timeout: float = 10.0) -> bool:
        """Stop what runs and end the worker; whether that was done in time."""
        return self._worker.close(timeout)

    def _queue_race(
        self, folder: RunFolder, run_id: str, owner: str, *, resume: bool, expected_seconds: float | None
    ) -> None:
        config = folder.config

        def after_stop() -> RaceEnded | None:
            if not any(isinstance(event, RaceEnded) for event in folder.events()[-1:]):
                folder.append(RaceEnded(status="stopped", message="Stopped before it began."))
            finish(folder)
            last = folder.events()[-1:]
            return last[0] if last and isinstance(last[0], RaceEnded) else None

        self._worker.add(
            Job(
                id=run_id,
                kind=RACE,
                label=_label(config),
                owner=owner,
                make=lambda: tracked_if_wanted(
                    (self._runner or race)(config, folder, resume=resume, shelf=self.shelf), config
                ),
                after_stop=after_stop,
                after_bug=folder.append,
                expected_seconds=expected_seconds,
            )
        )

    def _act(self, action: Callable[[str], JobView], job_id: str) -> JobView:
        if self._worker.knows(job_id):
            return self._offered(action(job_id))
        return _view_of_folder(self._folder(job_id))

    def _alive(self, job_id: str) -> bool:
        return self._worker.knows(job_id) and not self._worker.view(job_id).ended

    def _offered(self, view: JobView) -> JobView:
        """The view with the offer to resume, which only the folder can tell."""
        if view.kind != RACE or not view.ended:
            return view
        try:
            return replace(view, can_resume=_can_resume(self.store.find(view.id), view.state))
        except RunError:
            return view

    def _folder(self, job_id: str) -> RunFolder:
        try:
            return self.store.find(job_id)
        except RunError as error:
            raise JobError(str(error).replace("no run", "no job", 1)) from None


def _label(config: RaceConfig) -> str:
    return f"{config.model}, {config.task}, {config.lanes[0].objective.name}"


def _can_resume(folder: RunFolder, state: State) -> bool:
    if folder.done:
        return False
    return state in ("interrupted", "stopped") or any(
        folder.checkpoint(lane.name).is_dir() for lane in folder.config.lanes
    )


def _view_of_folder(folder: RunFolder) -> JobView:
    manifest = folder.manifest()
    events = folder.events()
    outlook = Outlook()
    for event in events:
        outlook.take(event)
    ended = events[-1] if events else None
    state: State = ended.status if isinstance(ended, RaceEnded) else "finished" if folder.done else "interrupted"
    return JobView(
        id=folder.path.name,
        kind=RACE,
        label=_label(manifest.config),
        state=state,
        fraction=1.0 if state == "finished" else outlook.fraction(),
        error=ended.message if isinstance(ended, RaceEnded) and ended.status == "failed" else "",
        events=len(events),
        can_resume=_can_resume(folder, state),
        created=datetime.fromisoformat(manifest.created).timestamp(),
    )

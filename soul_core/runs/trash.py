"""Deleted runs, which stay a week so that deleting can be undone. It knows no race and no queue.

Deleting is a move below ``<root>/.trash/`` on the same disk, and so is undoing it: nothing is copied.
"""

import builtins
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from soul_core.errors import RunError
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.folder import MANIFEST, RunFolder
from soul_core.runs.marks import read_marks
from soul_core.runs.store import RunStore, is_run_id

TRASH = ".trash"
KEPT_DAYS = 7
_MOMENT = ".deleted.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trashed:
    """One deleted run.

    Attributes:
        run_id: Its id, by which it is restored.
        deleted_at: When, in UTC.
        nbytes: What it takes on the disk.
        name: What the person called it; empty for no name.
        owner: Its manifest's owner; empty where that cannot be read.
    """

    run_id: str
    deleted_at: datetime
    nbytes: int
    name: str = ""
    owner: str = ""


class Trash:
    """The deleted runs of a store. Whether a run is still running, the caller must ask the queue first."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.path = store.root / TRASH

    def delete(self, run_id: str) -> None:
        """Move a run to the trash, and empty the trash of what is older than ``KEPT_DAYS``.

        Raises:
            RunError: There is no such run, or the disk refuses.
        """
        if not is_run_id(run_id) or not (self.store.root / run_id).is_dir():
            self.store.find(run_id)  # says it in the usual sentence
        folder, place = self.store.root / run_id, self.path / run_id
        with disk_errors_as_sentences(self.path):
            if place.exists():
                raise RunError(
                    f"The run “{run_id}” is in the trash already, under the same id. Restore that one, or empty the "
                    "trash, and delete again."
                )
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(folder / _MOMENT, json.dumps({"deleted_at": datetime.now(UTC).isoformat()}))
            folder.rename(place)
        self.purge(KEPT_DAYS)

    def restore(self, run_id: str) -> RunFolder:
        """Move a deleted run back.

        Raises:
            RunError: It is not in the trash any more, its id is taken, or the disk refuses.
        """
        place, folder = self.path / run_id, self.store.root / run_id
        if not is_run_id(run_id) or not place.is_dir():
            raise RunError(
                f"The run “{run_id[:80]}” is not in the trash. Deleted runs are kept for {KEPT_DAYS} days; after that "
                "they cannot be restored."
            )
        if folder.exists():
            raise RunError(f"There is another run with the id “{run_id}”. Delete that one first, then restore again.")
        with disk_errors_as_sentences(self.path):
            place.rename(folder)
            (folder / _MOMENT).unlink(missing_ok=True)
        return RunFolder(folder)

    def list(self) -> tuple[Trashed, ...]:
        """What can be restored, last deleted first."""
        return tuple(sorted((self._of(place) for place in self._places()), key=_moment, reverse=True))

    def purge(self, older_than_days: float) -> int:
        """Delete for good what has been in the trash for longer; 0 empties it. Returns how many runs went."""
        before = datetime.now(UTC) - timedelta(days=older_than_days)
        gone = 0
        for place in self._places():
            if _deleted_at(place) <= before:
                shutil.rmtree(place, ignore_errors=True)
                gone += not place.exists()
        return gone

    def _places(self) -> builtins.list[Path]:
        with disk_errors_as_sentences(self.path):
            if not self.path.is_dir():
                return []
            return [place for place in sorted(self.path.iterdir()) if is_run_id(place.name) and place.is_dir()]

    def _of(self, place: Path) -> Trashed:
        folder = RunFolder(place)
        try:
            owner = folder.manifest().owner if (place / MANIFEST).is_file() else ""
        except RunError:
            owner = ""
        return Trashed(
            run_id=place.name,
            deleted_at=_deleted_at(place),
            nbytes=size_of(place),
            name=read_marks(folder).name,
            owner=owner,
        )


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; one file under two names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        try:
            found = path.lstat()
        except OSError:
            continue
        if path.is_file() and not path.is_symlink():
            seen[found.st_dev, found.st_ino] = found.st_size
    return sum(seen.values())


def _moment(trashed: Trashed) -> datetime:
    return trashed.deleted_at


def _deleted_at(place: Path) -> datetime:
    """When a run was put there; where that was not noted, when its folder last changed."""
    try:
        noted = json.loads((place / _MOMENT).read_text(encoding="utf-8"))["deleted_at"]
        moment = datetime.fromisoformat(noted)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return datetime.fromtimestamp(place.lstat().st_ctime, tz=UTC)

"""All runs under one folder: make, open and list them. It knows no race."""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from soul_core.config import RaceConfig
from soul_core.errors import RunError
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.runs.folder import MANIFEST, RunFolder
from soul_core.runs.manifest import new_manifest

_RUN_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9]+-[0-9a-f]{8}")


def new_run_id(config: RaceConfig) -> str:
    """Sorts by time; its last part (32 random bits) keeps it from being guessed, so a link can share a run."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{moment}-{config.lanes[0].objective.name}-{secrets.token_hex(4)}"


def is_run_id(text: str) -> bool:
    """Whether this can be a run's id; a path never is."""
    return _RUN_ID.fullmatch(text) is not None


class RunStore:
    """Run folders below ``root``, which is made when the first run is."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def create(self, config: RaceConfig, *, at: Path | str | None = None, owner: str = "") -> RunFolder:
        """Make a run's folder with its manifest: below the root under a new id, or exactly ``at``."""
        run_id = new_run_id(config)
        folder = RunFolder(Path(at) if at is not None else self.root / run_id)
        folder.begin(new_manifest(run_id, config, owner=owner))
        return folder

    def open(self, run: str | Path) -> RunFolder:
        """Open a run by its id below the root, or by the path of its folder."""
        by_id = isinstance(run, str) and is_run_id(run) and (self.root / run).is_dir()
        folder = RunFolder(self.root / run if by_id else Path(run))
        if not folder.path.exists():
            raise RunError(f"There is no run “{str(run)[:200]}”. Check the name; runs are kept in {self.root}.")
        folder.manifest()
        return folder

    def find(self, run_id: str) -> RunFolder:
        """Open a run by its id alone: what comes from a browser never becomes a path."""
        if not is_run_id(run_id) or not (self.root / run_id).is_dir():
            raise RunError(f"There is no run “{run_id[:80]}”. It may have been deleted; start a new one.")
        return self.open(run_id)

    def list(self) -> list[RunFolder]:
        """Every run below the root, newest first; folders that hold no run are passed over."""
        with disk_errors_as_sentences(self.root):
            if not self.root.is_dir():
                return []
            names = sorted((path.name for path in self.root.iterdir() if is_run_id(path.name)), reverse=True)
            return [RunFolder(self.root / name) for name in names if (self.root / name / MANIFEST).is_file()]

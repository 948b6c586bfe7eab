"""One run on disk: manifest first, events appended, answers, curves, report, DONE last. It knows no tensors.

A folder holds ``manifest.json``, ``events.jsonl``, ``answers.json``, ``curves.csv``, ``report.html``,
``lanes/<lane>/`` (the final weights), ``lanes/<lane>/checkpoint/`` (the last complete epoch),
``lanes/<lane>/epochs/<n>/`` (the weights after each epoch, where they are small enough to keep) and ``DONE``.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from soul_core.config import RaceConfig
from soul_core.errors import ConfigError, RunError
from soul_core.events import Event, Progress, from_json, to_json
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.manifest import Manifest

MANIFEST, EVENTS, ANSWERS, CURVES, REPORT, DONE = (
    "manifest.json",
    "events.jsonl",
    "answers.json",
    "curves.csv",
    "report.html",
    "DONE",
)
EPOCHS = "epochs"


class RunFolder:
    """Reads and writes one run. A disk that refuses is a RunError; nothing written before is lost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at_line_start = False

    @property
    def run_id(self) -> str:
        """The run's id, as the manifest has it."""
        return self.manifest().run_id

    @property
    def config(self) -> RaceConfig:
        """The run's settings, as the manifest has them."""
        return self.manifest().config

    @property
    def done(self) -> bool:
        """Whether the race came to its own end."""
        return (self.path / DONE).is_file()

    def begin(self, manifest: Manifest) -> None:
        """Make the folder and write the manifest; refuses a folder that already holds something."""
        with disk_errors_as_sentences(self.path):
            if self.path.exists() and not self.path.is_dir():
                raise RunError(f"{self.path} is a file, not a folder. Choose another folder.")
            if (self.path / MANIFEST).exists():
                raise RunError(f"{self.path} already holds a run. Choose another folder, or resume that run.")
            if self.path.is_dir() and any(self.path.iterdir()):
                raise RunError(f"{self.path} is not empty and holds no run. Choose a new or empty folder.")
            self.path.mkdir(parents=True, exist_ok=True)
            self._write(MANIFEST, manifest.model_dump_json(indent=2))

    def manifest(self) -> Manifest:
        """The manifest; a RunError where there is none or it cannot be read."""
        with disk_errors_as_sentences(self.path):
            if not (self.path / MANIFEST).is_file():
                raise RunError(f"{self.path} holds no run (manifest.json is missing). Choose a run folder.")
            text = (self.path / MANIFEST).read_text(encoding="utf-8", errors="replace")
        try:
            return Manifest.model_validate_json(text)
        except (ValidationError, ConfigError) as error:
            raise RunError(
                f"The manifest of {self.path} cannot be read. Use the version that wrote the run, or start a new one."
            ) from error

    def note(self, **facts: Any) -> Manifest:
        """Add to the manifest what the race has learned (hashes, precision, device)."""
        manifest = self.manifest().but(**facts)
        self._write(MANIFEST, manifest.model_dump_json(indent=2))
        return manifest

    def append(self, event: Event) -> None:
        """Put one event at the end of the log, on disk before this returns. Progress is not kept."""
        if isinstance(event, Progress):
            return
        line = to_json(event).encode() + b"\n"
        with disk_errors_as_sentences(self.path), (self.path / EVENTS).open("ab") as file:
            if not self._at_line_start:
                line = b"\n" * _cut_short(self.path / EVENTS) + line
            # A write that fails half-way (disk full) leaves half a line: the next one must not be glued to it.
            self._at_line_start = False
            file.write(line)
            file.flush()
            self._at_line_start = True

    def events(self) -> list[Event]:
        """All events that can be read; lines cut short by a crash are skipped."""
        with disk_errors_as_sentences(self.path):
            try:
                lines = (self.path / EVENTS).read_text(encoding="utf-8", errors="replace").splitlines()
            except FileNotFoundError:
                return []
        found: list[Event] = []
        for line in lines:
            if line.strip():
                try:
                    found.append(from_json(line))
                except ValueError:
                    continue
        return found

    def rewrite_events(self, events: Iterable[Event]) -> None:
        """Replace the log, as a resumed run does with what came after its checkpoint."""
        self._write(EVENTS, "".join(to_json(event) + "\n" for event in events if not isinstance(event, Progress)))
        self._at_line_start = True

    def answers(self) -> AnswerSheet:
        """The last answers of every model; empty before the first evaluation."""
        try:
            return AnswerSheet.from_json((self.path / ANSWERS).read_text(encoding="utf-8", errors="replace"))
        except (OSError, ValueError):
            return AnswerSheet()

    def write_answers(self, sheet: AnswerSheet) -> None:
        """Replace the answers."""
        self._write(ANSWERS, sheet.to_json())

    def write_curves(self, text: str) -> None:
        """Replace the curves' CSV."""
        self._write(CURVES, text)

    def write_report(self, html: str) -> Path:
        """Replace the report and say where it is."""
        self._write(REPORT, html)
        return self.path / REPORT

    def finish(self) -> None:
        """Mark the race as having come to its own end. The last thing written."""
        self._write(DONE, json.dumps({"run_id": self.run_id}) + "\n")

    def reopen(self) -> None:
        """Take the mark away: the race goes on."""
        with disk_errors_as_sentences(self.path):
            (self.path / DONE).unlink(missing_ok=True)

    def lane(self, name: str) -> Path:
        """Where a lane's final weights are, a folder that ``AutoModelForCausalLM.from_pretrained`` reads."""
        return self.path / "lanes" / name

    def checkpoint(self, name: str) -> Path:
        """Where a lane's last complete epoch is."""
        return self.lane(name) / "checkpoint"

    def epoch_folder(self, name: str, epoch: int) -> Path:
        """Where a lane's weights after an epoch are, if they were kept."""
        return self.lane(name) / EPOCHS / str(epoch)

    def epochs(self, name: str) -> dict[int, Path]:
        """A lane's weights by the epoch after which they were kept, in order; empty where none were."""
        with disk_errors_as_sentences(self.path):
            place = self.lane(name) / EPOCHS
            kept = (
                sorted(int(path.name) for path in place.iterdir() if path.name.isdecimal()) if place.is_dir() else []
            )
        folders = ((epoch, self.epoch_folder(name, epoch)) for epoch in kept)
        return {epoch: folder for epoch, folder in folders if _can_be_asked(folder)}

    def weights(self, name: str) -> Path | None:
        """The newest weights of a lane that are on disk: final, else the last complete epoch; None if neither."""
        for folder in (self.lane(name), self.checkpoint(name)):
            if _can_be_asked(folder):
                return folder
        return None

    def _write(self, name: str, text: str) -> None:
        with disk_errors_as_sentences(self.path):
            write_text(self.path / name, text)


def _can_be_asked(folder: Path) -> bool:
    """Whether a whole model lies there, or an adapter, or a prompt for another model."""
    if (folder / "config.json").is_file() and any(folder.glob("model*.safetensors")):
        return True
    if (folder / "adapter_config.json").is_file() and (folder / "adapter_model.safetensors").is_file():
        return True
    try:
        return "prompt" in json.loads((folder / "soul.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _cut_short(path: Path) -> bool:
    """Whether the file ends in the middle of a line."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"

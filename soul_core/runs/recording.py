"""A finished race as a few hundred kilobytes that ship with the project: no weights. It knows no page and no clock.

A recording is a folder with ``recording.json`` (what was recorded, where, from which commit, and the hashes of the
other two), ``events.jsonl`` (the run's own lines, untouched) and ``answers.json`` (evenly spaced questions of a set).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from soul_core.errors import RunError
from soul_core.events import Event, RaceEnded, RaceStarted, from_json
from soul_core.runs.answers import AnswerSheet, Asked
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.folder import ANSWERS, EVENTS, RunFolder
from soul_core.runs.manifest import Manifest

ABOUT = "recording.json"
FORMAT = 1
ASKED = {"forget": 12, "retain": 8}
"""How many questions of a set are kept; of any other set, ``ASKED_OTHER``."""
ASKED_OTHER = 4
MAX_BYTES = 4_000_000
"""Of one file, so that a stray one is not read whole."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")


class About(BaseModel):
    """What is known of a recording besides its events.

    Attributes:
        name: The folder's name.
        title: A few words for a list.
        sentence: What can be seen in it.
        recorded: When the race began, ISO 8601.
        seed: The race's.
        commit: Of the code that ran the race.
        soul: Version of the project.
        machine: What it ran on.
        command: Repeats the race.
        seconds: Wall time of the race.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = FORMAT
    name: str
    title: str
    sentence: str = ""
    recorded: str
    seed: int
    commit: str
    soul: str
    machine: str
    command: str
    task: str
    model: str
    run_id: str
    seconds: float
    versions: dict[str, str] = {}
    events_sha256: str
    answers_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording, read whole."""

    about: About
    events: tuple[Event, ...]
    answers: AnswerSheet


def write_recording(
    folder: RunFolder, out: Path, *, commit: str, soul: str, title: str = "", sentence: str = "", machine: str = ""
) -> About:
    """Record a finished race.

    Args:
        folder: Its run.
        out: A new folder; its name becomes the recording's.
        commit: Of the code that ran the race.
        soul: Version of the project.
        title: A few words; by default the objective and the lanes.
        sentence: What can be seen in it.
        machine: What it ran on; by default what the manifest knows.

    Raises:
        RunError: The race has not finished, names a folder of this machine, or the disk refuses.
    """
    manifest, events = folder.manifest(), folder.events()
    ended = events[-1] if events else None
    if not folder.done or not isinstance(ended, RaceEnded) or ended.status != "finished":
        raise RunError(f"{folder.path} did not come to its end. Only a finished race is recorded.")
    if not _NAME.fullmatch(out.name):
        raise RunError(f"“{out.name}” cannot name a recording. Use small letters, digits and hyphens.")
    for what in (manifest.config.model, manifest.config.task):
        if _is_place(what):
            raise RunError(f"The race used “{what}”, a file of this machine. Record one of a shipped or hub model.")
    with disk_errors_as_sentences(out):
        if out.exists() and any(out.iterdir()):
            raise RunError(f"{out} is not empty. Choose a new folder for the recording.")
        lines = (folder.path / EVENTS).read_text(encoding="utf-8")
        answers = _sampled(folder.answers()).to_json() + "\n"
        about = About(
            name=out.name,
            title=title or _title(manifest),
            sentence=sentence,
            recorded=manifest.created,
            seed=manifest.config.seed,
            commit=commit,
            soul=soul,
            machine=machine or machine_of(manifest),
            command=manifest.command,
            task=manifest.config.task,
            model=manifest.config.model,
            run_id=manifest.run_id,
            seconds=ended.seconds,
            versions=manifest.versions,
            events_sha256=_hash(lines),
            answers_sha256=_hash(answers),
        )
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / EVENTS, lines)
        write_text(out / ANSWERS, answers)
        write_text(out / ABOUT, about.model_dump_json(indent=2) + "\n")
    return about


def read_about(path: Path) -> About:
    """What a recording says of itself; a RunError where it cannot be read."""
    try:
        about = About.model_validate_json(_text(path / ABOUT))
    except ValidationError as error:
        raise RunError(f"{path} holds no recording that can be read. Take it away, or record it again.") from error
    if about.format != FORMAT:
        raise RunError(f"{path} is a recording of another version (format {about.format}). Record it again.")
    return about


def read_recording(path: Path) -> Recording:
    """A whole recording.

    Raises:
        RunError: It cannot be read, or its events or answers are not the ones that were recorded.
    """
    about = read_about(path)
    lines, answers = _text(path / EVENTS), _text(path / ANSWERS)
    for name, content, known in ((EVENTS, lines, about.events_sha256), (ANSWERS, answers, about.answers_sha256)):
        if _hash(content) != known:
            raise RunError(f"{path / name} was changed after it was recorded. Record the race again.")
    try:
        events = tuple(from_json(line) for line in lines.splitlines() if line.strip())
        sheet = AnswerSheet.from_json(answers)
    except ValueError as error:
        raise RunError(f"{path} holds no recording that can be read. Take it away, or record it again.") from error
    if not events or not isinstance(events[0], RaceStarted):
        raise RunError(f"{path} does not begin with the start of a race. Record it again.")
    return Recording(about=about, events=events, answers=sheet)


def list_recordings(root: Path) -> list[About]:
    """Every recording below a folder by name; what cannot be read is passed over."""
    if not root.is_dir():
        return []
    found = []
    for path in sorted(root.iterdir()):
        try:
            found.append(read_about(path))
        except RunError:
            continue
    return found


def machine_of(manifest: Manifest) -> str:
    """The machine in a few words, without its name: device, threads, system."""
    system = manifest.platform.split("-")[0]
    kind = next((name for name in ("x86_64", "aarch64", "arm64", "AMD64") if name in manifest.platform), "")
    device = manifest.device or "cpu"
    threads = f", {manifest.threads} threads" if manifest.threads and device == "cpu" else ""
    return f"{device.upper() if device == 'cpu' else device}{threads}, {system} {kind}".strip(" ,")


def _sampled(sheet: AnswerSheet) -> AnswerSheet:
    """Evenly spaced questions of every set: nobody picks them."""
    return AnswerSheet(
        {name: tuple(spaced(rows, ASKED.get(name, ASKED_OTHER))) for name, rows in sheet.sets.items() if rows}
    )


def spaced(rows: Sequence[Asked], count: int) -> list[Asked]:
    """At most ``count`` rows, the first among them, with the same distance between neighbours."""
    stride = max(1, len(rows) // count)
    return list(rows[::stride][:count])


def _title(manifest: Manifest) -> str:
    lanes = manifest.config.lanes
    names = " against ".join(lane.label for lane in lanes[:2]) + "".join(f" and {lane.label}" for lane in lanes[2:])
    return f"{lanes[0].objective.name}, {names}"


def _is_place(name: str) -> bool:
    path = name.partition(":")[2] if name.startswith("own:") else name
    return path.startswith((".", "/", "~", "\\")) or "\\" in path or Path(path).exists() or name.startswith("own:")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RunError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB and no recording. Take it away.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read. Take the recording away, or record it again.") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

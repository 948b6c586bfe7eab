"""An imported run brought into the shape that every other part relies on. It knows no zip and loads no weights.

Whoever made the files: after ``settle`` settings, events, answers, scores and weights are such as a race writes, or a
RunError says which are not.
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from soul_core import __version__
from soul_core.data.tasks import is_local
from soul_core.errors import ConfigError, RunError
from soul_core.evaluation.card import Scorecard
from soul_core.events import Event, LaneEnded, Progress, RaceEnded, RaceStarted, SetScores, StepReport
from soul_core.events import from_json as event_from
from soul_core.models.presets import PRESETS
from soul_core.runs.answers import MAX_CHARACTERS, MAX_ROWS, AnswerSheet, Asked
from soul_core.runs.folder import ANSWERS, EVENTS, MANIFEST, RunFolder
from soul_core.runs.manifest import Manifest, owner_mark
from soul_core.runs.marks import MARKS, read_marks, write_marks
from soul_core.runs.probes import KINDS, PROBES, ProbeFolder
from soul_core.runs.scores import LOG_SUFFIX, SCORES, YARDSTICK, file_name
from soul_core.runs.scrub import is_path, last_name
from soul_core.runs.summary import REFERENCES, curves_csv, summarise

NOT_HERE = "not-here"
"""Stands in front of what an imported run names and this machine must not look for."""
MAX_EVENTS = 1_000_000
MAX_SAID = 4000
_MAX_SETS, _MAX_SET_NAME = 40, 60
_MOST = 10**9
_BASE_KEYS = ("base", "base_model_name_or_path")


def settle(folder: RunFolder, *, owner: str, done: bool, local: bool, free_id: Callable[[Manifest], str]) -> str:
    """Check every file and rewrite those that are plain data, in place.

    Args:
        folder: As it came; its files have allowed names and sizes.
        owner: Token of who imports it.
        done: Whether the zip says that the race came to its end.
        local: Whether names of files and folders of this machine may stay in it.
        free_id: Gives the run its id here.

    Returns:
        The id.

    Raises:
        RunError: Something in it is no part of a run.
    """
    found = _manifest(folder, local=local)
    # A command is copied into a shell: it is made anew from the settings and never taken over.
    manifest = found.but(run_id=free_id(found), owner=owner_mark(owner), command="")
    _check_lanes(folder, manifest, local=local)
    (folder.path / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    events = _events(folder, manifest)
    folder.rewrite_events(events)
    if (folder.path / ANSWERS).is_file():
        folder.write_answers(_answers(folder.path / ANSWERS))
    if (folder.path / MARKS).is_file():
        write_marks(folder, read_marks(folder))
    _check_scores(folder.path / SCORES)
    _check_probes(folder.path / PROBES)
    folder.write_curves(curves_csv(summarise(events)))
    if done and events and isinstance(events[-1], RaceEnded) and events[-1].status == "finished":
        folder.finish()
    return manifest.run_id


def _manifest(folder: RunFolder, *, local: bool) -> Manifest:
    try:
        text = (folder.path / MANIFEST).read_text(encoding="utf-8", errors="replace")
        found = Manifest.model_validate_json(text)
        datetime.fromisoformat(found.created)
    except (ValidationError, ConfigError, ValueError) as error:
        raise RunError(
            f"its manifest has settings that this version ({__version__}) does not know. Update SOUL, or export the "
            "run again with a version that reads it."
        ) from error
    config = found.config
    if not all(text.isprintable() for text in (config.model, config.task, *(lane.label for lane in config.lanes))):
        raise RunError("a name in its settings holds characters that cannot be shown. Export the run again.")
    names = ("platform", "python", "data_hash", "model_fingerprint", "gold", "gold_fingerprint", "device", "precision")
    short = {name: _words(getattr(found, name)) for name in (*names, "matcher")}
    versions = {_words(name)[:60]: _words(version)[:60] for name, version in list(found.versions.items())[:40]}
    threads = found.threads if 0 <= found.threads <= 4096 else 0
    found = found.but(**short, versions=versions, threads=threads)
    return found if local else _not_here(found)


def _not_here(manifest: Manifest) -> Manifest:
    """The manifest with no name in it that would make this machine read a file or a folder of its own."""
    config = manifest.config
    model = _elsewhere(config.model)
    task = f"{NOT_HERE}:{last_name(config.task.rpartition(':')[0] or config.task)}" if is_local(config.task) else None
    changed = {"model": model} if model != config.model else {}
    changed |= {"task": task} if task is not None else {}
    return manifest.but(config=config.but(**changed) if changed else config, gold=_elsewhere(manifest.gold))


def _elsewhere(spec: str) -> str:
    """A model's name; one that is the name of something on this machine as one that is not."""
    if not is_path(spec) and (not spec or spec in PRESETS or not Path(spec).exists()):
        return spec
    return f"{NOT_HERE}-{last_name(spec)}"


def _events(folder: RunFolder, manifest: Manifest) -> list[Event]:
    path = folder.path / EVENTS
    if not path.is_file():
        return []
    known = {*REFERENCES, *(lane.name for lane in manifest.config.lanes)}
    found: list[Event] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if number > MAX_EVENTS:
                raise RunError(f"{EVENTS} has more than {MAX_EVENTS:,} lines. Export the run again.")
            try:
                event = event_from(line)
            except ValueError:  # a line cut short by a crash, as in any run
                continue
            if isinstance(event, Progress):
                continue
            if not _plausible(event, known, manifest):
                raise RunError(
                    f"line {number} of {EVENTS} holds what no race measures (an unknown lane, an epoch beyond the "
                    "last, or a share outside 0 to 1). Export the run again."
                )
            found.append(_settled(event, manifest))
    return found


def _plausible(event: Event, known: set[str], manifest: Manifest) -> bool:
    if isinstance(event, RaceStarted):
        counts = [event.forget_rows, event.retain_rows, event.steps_per_epoch, *event.eval_rows.values()]
        named = all(len(name) <= _MAX_SET_NAME for name in event.eval_rows)
        return named and len(event.eval_rows) <= _MAX_SETS and all(0 <= count <= _MOST for count in counts)
    if isinstance(event, RaceEnded):
        return _time(event.seconds)
    if isinstance(event, Progress):
        return False
    if event.lane not in known or not 0 <= event.epoch <= manifest.config.epochs:
        return False
    if isinstance(event, LaneEnded):
        return True
    if not (event.clip_share is None or _share(event.clip_share)):
        return False
    if isinstance(event, StepReport):
        return 0 <= event.step <= _MOST and _time(event.seconds)
    sets = len(event.scores) <= _MAX_SETS and all(len(name) <= _MAX_SET_NAME for name in event.scores)
    return sets and all(_score(x) for x in event.scores.values()) and _time(event.train_seconds + event.eval_seconds)


def _score(scores: SetScores) -> bool:
    shares = (scores.acc, scores.acc_low, scores.acc_high, scores.rouge_l, scores.probability)
    return all(_share(value) for value in shares) and 0 <= scores.rows <= _MOST


def _share(value: float) -> bool:
    return math.isfinite(value) and 0 <= value <= 1


def _time(seconds: float) -> bool:
    return math.isfinite(seconds) and 0 <= seconds <= _MOST


def _settled(event: Event, manifest: Manifest) -> Event:
    """The event with the manifest's settings in place of its own, and its words at a bearable length."""
    if isinstance(event, RaceStarted):
        return replace(
            event,
            run_id=manifest.run_id,
            config=manifest.config.model_dump(mode="json"),
            gold=manifest.gold,
            matcher=_words(event.matcher),
            device=_words(event.device),
            precision=_words(event.precision),
            notes=tuple(_words(note) for note in event.notes[:20]),
        )
    if isinstance(event, LaneEnded | RaceEnded):
        return replace(event, message=_words(event.message))
    return event


def _words(text: str) -> str:
    """A sentence at a bearable length, without characters that a terminal obeys."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_SAID])


def _answers(path: Path) -> AnswerSheet:
    try:
        found = AnswerSheet.from_json(path.read_text(encoding="utf-8", errors="replace"))
        sets = {name: tuple(_asked(row) for row in rows[:MAX_ROWS]) for name, rows in found.sets.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(f"{ANSWERS} holds no answers. Export the run again.") from error
    return AnswerSheet({name[:_MAX_SET_NAME]: rows for name, rows in list(sets.items())[:_MAX_SETS]})


def _asked(row: Asked) -> Asked:
    texts = [row.question, row.truth, *row.answers, *row.answers.values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a question or an answer is no text")
    short = {name[:40]: text[:MAX_CHARACTERS] for name, text in list(row.answers.items())[:20]}
    return Asked(question=row.question[:MAX_CHARACTERS], truth=row.truth[:MAX_CHARACTERS], answers=short)


def _check_scores(place: Path) -> None:
    for path in sorted(place.glob("*.json")) if place.is_dir() else []:
        what = f"{SCORES}/{path.name}"
        values = _json(path, what)
        if path.name == YARDSTICK or path.name.endswith(LOG_SUFFIX):
            continue
        card = Scorecard.from_json(json.dumps(values), what=what)
        if path.name != f"{file_name(card.model)}.json":
            raise RunError(f"{what} is the scorecard of another model. Export the run again.")


def _check_probes(place: Path) -> None:
    if not place.is_dir():
        return
    stray = next((path.name for path in place.iterdir() if path.stem not in KINDS), "")
    if stray:
        raise RunError(f"{PROBES}/{stray} is no finding of a probe. Export the run again.")
    troubles = ProbeFolder(place).read_all().troubles
    if troubles:
        raise RunError("a finding of a probe in it is damaged. Export the run again.")


def _check_lanes(folder: RunFolder, manifest: Manifest, *, local: bool) -> None:
    lanes = folder.path / "lanes"
    names = {lane.name for lane in manifest.config.lanes}
    for place in sorted(lanes.iterdir()) if lanes.is_dir() else []:
        if place.name not in names:
            raise RunError(f"it has weights of “{place.name}”, which is no lane of its race. Export the run again.")
        for file in sorted(place.iterdir()):
            what = f"lanes/{place.name}/{file.name}"
            if file.suffix == ".safetensors":
                _check_weights(file, what)
            elif file.suffix == ".json":
                values = _json(file, what)
                if not local:
                    _rebase(file, values)


def _check_weights(file: Path, what: str) -> None:
    try:
        with safe_open(file, framework="np"):
            return
    except (SafetensorError, OSError) as error:
        raise RunError(f"{what} is cut short or damaged. Copy or download the zip again.") from error


def _rebase(file: Path, values: dict[str, Any]) -> None:
    """An adapter or a prompt names its base; as a path, that would make this machine read a folder of its own."""
    changed = {key: _elsewhere(values[key]) for key in _BASE_KEYS if isinstance(values.get(key), str)}
    if any(values[key] != name for key, name in changed.items()):
        file.write_text(json.dumps({**values, **changed}, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _json(path: Path, what: str) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{what} is no JSON. Copy or download the zip again.") from error
    if not isinstance(values, dict):
        raise RunError(f"{what} holds no JSON object. Copy or download the zip again.")
    return values

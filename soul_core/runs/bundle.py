"""A run as one zip that can be kept, sent and imported elsewhere. It knows no model and loads no weights.

The same run makes the same bytes: entries are in order and carry no time. Paths of this machine and the owner's mark
are left out; checkpoints, optimizer states and the weights of single epochs are too.
"""

import json
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from soul_core import __version__
from soul_core.errors import RunError
from soul_core.runs.atomic import disk_errors_as_sentences, disk_sentence
from soul_core.runs.bundle_readme import lane_readme, run_readme
from soul_core.runs.folder import ANSWERS, CURVES, EVENTS, MANIFEST, REPORT, RunFolder
from soul_core.runs.marks import MARKS
from soul_core.runs.probes import PROBES
from soul_core.runs.scores import SCORES
from soul_core.runs.scrub import last_name, local_free, local_names, scrubbed
from soul_core.runs.unbundle import BUNDLE, FORMAT, KIND, LANES, README, SUFFIXES, import_run

__all__ = ["MakeReport", "export_lane", "export_run", "import_run", "lane_files"]

MakeReport = Callable[[RunFolder], str]
_SAME_MOMENT = (1980, 1, 1, 0, 0, 0)
_STATE_FILE = "lane.json"
_TRAINING = ("optimizer", "adapter_state")
# The JSON of a model in which its maker's or its base's path may stand, and under which names.
_WITH_PATHS = ("config.json", "adapter_config.json", "tokenizer_config.json", "soul.json")
_PATH_KEYS = ("_name_or_path", "name_or_path", "base_model_name_or_path", "base", "known_as")


def export_run(
    folder: RunFolder, out: Path, *, weights: bool = True, scores: bool = True, report: MakeReport | None = None
) -> Path:
    """Write a run as a zip, all of it or nothing.

    Args:
        folder: The run; it may be unfinished.
        out: The file to write; one that is there is replaced.
        weights: Whether the lanes' weights go in, in the format of transformers or peft. Of a lane that has not ended,
            those of its last complete epoch.
        scores: Whether scorecards and probes go in.
        report: Makes the report anew; without it the one that the race wrote goes in.

    Returns:
        ``out``.

    Raises:
        RunError: The folder holds no run, or the disk refuses.
    """
    before = folder.manifest()
    manifest, names = local_free(before), local_names(before, folder.path)
    with _written(out) as archive:
        _put(archive, README, run_readme(manifest, folder, weights=weights))
        about = {"kind": KIND, "format": FORMAT, "soul": __version__, "done": folder.done}
        _put(archive, BUNDLE, json.dumps(about, indent=1) + "\n")
        _put(archive, MANIFEST, manifest.model_dump_json(indent=2))
        made = {REPORT: report(folder)} if report is not None else {}
        for name in (EVENTS, ANSWERS, CURVES, REPORT, MARKS):
            if name in made or (folder.path / name).is_file():
                text = made.get(name) or (folder.path / name).read_text(encoding="utf-8", errors="replace")
                _put(archive, name, text if name in (ANSWERS, MARKS) else scrubbed(text, names))
        for part in (SCORES, PROBES) if scores else ():
            for file in sorted((folder.path / part).glob("[!.]*.json")):
                text = file.read_text(encoding="utf-8", errors="replace")
                _put(archive, f"{part}/{file.name}", scrubbed(text, names))
        for lane in before.config.lanes if weights else ():
            _put_lane(archive, f"{LANES}/{lane.name}/", lane_files(folder, lane.name))
    return out


def export_lane(folder: RunFolder, lane: str, out: Path) -> Path:
    """Write the weights of one lane alone as a zip, with a README that says how to load them.

    Raises:
        RunError: The folder holds no run, the run has no such lane or no weights of it, or the disk refuses.
        ConfigError: The race has no such lane.
    """
    manifest = local_free(folder.manifest())
    manifest.config.lane(lane)
    files = lane_files(folder, lane)
    if not files:
        raise RunError(
            f"The run “{manifest.run_id}” has no weights of {lane} on the disk. Resume it until an epoch is complete, "
            "or export another lane."
        )
    with _written(out) as archive:
        _put(archive, README, lane_readme(manifest, lane, files))
        _put_lane(archive, "", {name: path for name, path in files.items() if name != _STATE_FILE})
    return out


def lane_files(folder: RunFolder, lane: str) -> dict[str, Path]:
    """The files of a lane's newest weights by name, in order: what a stranger needs to load them and no more."""
    place = folder.weights(lane)
    if place is None:
        return {}
    final = place == folder.lane(lane)
    with disk_errors_as_sentences(place):
        found = sorted(path for path in place.iterdir() if path.is_file() and not path.is_symlink())
    return {
        path.name: path
        for path in found
        if path.suffix in SUFFIXES
        and not path.name.startswith((".", *_TRAINING))
        # What training goes on from says nothing without the optimizer's state.
        and (final or path.name != _STATE_FILE)
    }


def lane_text(path: Path) -> str | None:
    """A file of a lane as it may leave this machine, if it is one in which a path may stand; else None."""
    if path.name not in _WITH_PATHS:
        return None
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    changed = {key: last_name(values[key]) for key in _PATH_KEYS if isinstance(values.get(key), str)}
    return json.dumps({**values, **changed}, ensure_ascii=False, indent=2) + "\n"


def _put_lane(archive: zipfile.ZipFile, prefix: str, files: dict[str, Path]) -> None:
    for name, path in files.items():
        text = lane_text(path)
        if text is not None:
            _put(archive, prefix + name, text)
            continue
        # Weights do not get smaller, and trying takes minutes.
        kind = zipfile.ZIP_STORED if path.suffix == ".safetensors" else zipfile.ZIP_DEFLATED
        entry = _entry(prefix + name, kind)
        entry.file_size = path.stat().st_size  # tells zipfile when the large format is needed
        with path.open("rb") as source, archive.open(entry, "w") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def _put(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), text.encode("utf-8", "replace"))


def _entry(name: str, kind: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _SAME_MOMENT)
    entry.compress_type, entry.create_system, entry.external_attr = kind, 3, 0o644 << 16
    return entry


@contextmanager
def _written(out: Path) -> Iterator[zipfile.ZipFile]:
    """A new zip that takes the place of ``out`` when the block ends well, and vanishes otherwise."""
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w") as archive:
            yield archive
        temporary.replace(out)
    except OSError as error:
        # What is read has a name in the error; a full disk has none, and that is the one written to.
        raise RunError(disk_sentence(Path(error.filename) if error.filename else out, error)) from error
    finally:
        temporary.unlink(missing_ok=True)

"""An exported run read back from a zip that may be anybody's. It knows no model and loads no weights.

Nothing in the zip is believed: names, sizes, links, counts, settings, numbers and texts are checked, and what can be
made anew (curves, report) is not taken from it. A zip that is refused leaves nothing behind.
"""

import json
import re
import secrets
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from soul_core import __version__
from soul_core.errors import RunError
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.runs.folder import ANSWERS, CURVES, EVENTS, MANIFEST, REPORT, RunFolder
from soul_core.runs.manifest import Manifest
from soul_core.runs.marks import MARKS
from soul_core.runs.probes import PROBES
from soul_core.runs.scores import SCORES
from soul_core.runs.settled import settle
from soul_core.runs.store import RunStore, is_run_id, new_run_id
from soul_core.runs.trash import TRASH

BUNDLE, README, LANES = "bundle.json", "README.md", "lanes"
KIND, FORMAT = "soul-run", 1
SUFFIXES = (".json", ".jsonl", ".csv", ".html", ".safetensors", ".md", ".jinja", ".txt", ".model")
_LANE_SUFFIXES = (".json", ".safetensors", ".jinja", ".txt", ".model")
MAX_BYTES = 16 << 30
MAX_TEXT_BYTES = 128 << 20
"""Of one file that holds no weights."""
MAX_SMALL_BYTES = 1 << 20
"""Of manifest, marks and the zip's own description."""
MAX_FILES = 1000

_MAX_DIRECTORY = 1 << 20
_TOP = (MANIFEST, EVENTS, ANSWERS, CURVES, REPORT, MARKS, README, BUNDLE)
_MADE_ANEW = (CURVES, REPORT, README)
_SMALL = (MANIFEST, MARKS, BUNDLE)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_LANE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_CODE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".py", ".h5", ".msgpack")
_CHUNK = 1 << 20
_NO_RUN = "Choose a zip that was made by Export, or by “python -m soul_core runs export”."


def import_run(
    store: RunStore,
    archive: Path,
    *,
    owner: str = "",
    max_bytes: int = MAX_BYTES,
    local: bool = False,
    report: Callable[[RunFolder], str] | None = None,
) -> RunFolder:
    """Put an exported run below the store's root.

    It keeps its id unless that is taken here; the owner becomes who imports it. The report of the zip is never kept:
    ``report`` makes it anew, and without that the run has none until one is asked for.

    Args:
        store: Where to.
        archive: The zip.
        owner: Token of the browser that imports it; empty for the command line.
        max_bytes: Of the zip, and of everything in it together.
        local: Whether its settings may name files and folders of this machine: only where it is one's own.
        report: Makes the report from the run's events.

    Raises:
        RunError: The zip is damaged, of another kind or of a newer version, too large, or holds what no run holds;
            or the disk refuses.
    """
    stage = store.root / f".import-{secrets.token_hex(6)}"
    try:
        with disk_errors_as_sentences(store.root), _zip_sentences(archive):
            done = _unpack(archive, stage, max_bytes)
        folder = RunFolder(stage)
        with disk_errors_as_sentences(store.root):
            try:
                run_id = settle(folder, owner=owner, done=done, local=local, free_id=lambda m: _free_id(store, m))
            except RunError as error:
                raise RunError(f"{_named(archive)} cannot be imported: {error}") from error
            if report is not None:
                _report(folder, report)
            stage.rename(store.root / run_id)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return store.find(run_id)


def _unpack(archive: Path, stage: Path, max_bytes: int) -> bool:
    """Put the zip's files into a new folder; returns whether it says that the race came to its end."""
    _check_size(archive, max_bytes)
    with zipfile.ZipFile(archive) as opened:
        entries = _entries(opened, archive, max_bytes)
        about = _about(opened, entries, archive)
        stage.mkdir(parents=True)
        left = max_bytes
        for name, entry in entries.items():
            if name not in (*_MADE_ANEW, BUNDLE):
                left -= _extract(opened, entry, stage / name, archive, left)
    return about.get("done") is True


def _report(folder: RunFolder, report: Callable[[RunFolder], str]) -> None:
    try:
        folder.write_report(report(folder))
    except RunError:  # nothing was measured, so there is nothing to report
        return


def _check_size(archive: Path, max_bytes: int) -> None:
    if not archive.is_file():
        raise RunError(f"There is no file “{str(archive)[:200]}”. {_NO_RUN}")
    if archive.stat().st_size > max_bytes:
        raise RunError(
            f"{_named(archive)} has more than {_size(max_bytes)}, the most that is read. Export it without weights."
        )
    with archive.open("rb") as file:
        if _directory_bytes(file) > _MAX_DIRECTORY:
            raise RunError(f"{_named(archive)} lists far more files than a run has. {_NO_RUN}")


def _directory_bytes(file: BinaryIO) -> int:
    """How long the zip's list of files is, before zipfile reads all of it into memory; 0 where it has none."""
    size = file.seek(0, 2)
    start = max(0, size - (1 << 16) - 22 - 76)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    found = int(struct.unpack_from("<L", tail, at + 12)[0])
    record = at - 20 - 56
    if tail[at - 20 : at - 16] == b"PK\x06\x07" and record >= 0 and tail[record : record + 4] == b"PK\x06\x06":
        found = max(found if found != 0xFFFFFFFF else 0, int(struct.unpack_from("<Q", tail, record + 40)[0]))
    return found


def _entries(opened: zipfile.ZipFile, archive: Path, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Every file of the zip by its name, all of them such as a run has."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    if BUNDLE not in {info.filename for info in infos}:
        raise RunError(f"{_named(archive)} is no run that was exported ({BUNDLE} is missing). {_NO_RUN}")
    if len(infos) > MAX_FILES:
        raise RunError(f"{_named(archive)} holds {len(infos)} files, and a run has at most {MAX_FILES}. {_NO_RUN}")
    if sum(info.file_size for info in infos) > max_bytes:
        raise RunError(f"{_named(archive)} unpacks to more than {_size(max_bytes)}, the most that is read. {_NO_RUN}")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        trouble = _trouble(info)
        if trouble or info.filename.lower() in {name.lower() for name in found}:
            name = "".join(c if c.isprintable() else "?" for c in info.filename[:80])
            raise RunError(f"{_named(archive)} holds “{name}”, {trouble or 'and that twice'}. {_NO_RUN}")
        found[info.filename] = info
    missing = [name for name in (MANIFEST,) if name not in found]
    if missing:
        raise RunError(f"{_named(archive)} holds no run ({missing[0]} is missing). {_NO_RUN}")
    return found


def _trouble(info: zipfile.ZipInfo) -> str:
    """What is wrong with an entry, to stand behind its name; empty if nothing is."""
    path = PurePosixPath(info.filename)
    if (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
        return "which is a link and no file"
    if info.flag_bits & 1:
        return "which is encrypted"
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or str(path) != info.filename:
        return "a name that leads out of the run's folder"
    if path.suffix.lower() in _CODE:
        return "which could run code when it is opened; only safetensors are taken as weights"
    if path.suffix not in SUFFIXES or not all(_PLAIN.fullmatch(part) for part in path.parts):
        return "which no run holds"
    match path.parts:
        case (name,) if name in _TOP:
            return ""
        case (part, _) if part in (SCORES, PROBES) and path.suffix == ".json":
            return ""
        case (part, lane, _) if part == LANES and _LANE.fullmatch(lane) and path.suffix in _LANE_SUFFIXES:
            return ""
    return "which no run holds"


def _about(opened: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], archive: Path) -> dict[str, Any]:
    """What the zip says of itself, of a version that can be read."""
    with opened.open(entries[BUNDLE]) as file:
        text = file.read(MAX_SMALL_BYTES)
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or about.get("kind") != KIND or not isinstance(about.get("format"), int):
        raise RunError(f"{_named(archive)} is no run that was exported ({BUNDLE} says otherwise). {_NO_RUN}")
    if about["format"] > FORMAT:
        made = re.sub(r"[^\w.+-]", "", str(about.get("soul", "")))[:20] or "a newer version"
        raise RunError(
            f"{_named(archive)} was exported by SOUL {made} in format {about['format']}; this is {__version__}, which "
            f"reads up to format {FORMAT}. Update SOUL and import it again."
        )
    return about


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, archive: Path, left: int) -> int:
    """Write one file, counting what really comes out of it; returns how many bytes that were."""
    name = entry.filename
    limit = left
    if not name.endswith(".safetensors"):
        limit = min(left, MAX_SMALL_BYTES if name in _SMALL else MAX_TEXT_BYTES)
    to.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    with opened.open(entry) as source, to.open("xb") as target:
        while chunk := source.read(_CHUNK):
            done += len(chunk)
            if done > limit:
                raise RunError(
                    f"{_named(archive)}: {name} unpacks to more than {_size(limit)}, the most that is read. {_NO_RUN}"
                )
            target.write(chunk)
    return done


def _free_id(store: RunStore, manifest: Manifest) -> str:
    """The run's own id, or a new one where that is taken here or is none."""
    run_id = manifest.run_id
    taken = not is_run_id(run_id) or (store.root / run_id).exists() or (store.root / TRASH / run_id).exists()
    return new_run_id(manifest.config) if taken else run_id


@contextmanager
def _zip_sentences(archive: Path) -> Iterator[None]:
    """Turn what zipfile says of a broken zip into one sentence."""
    try:
        yield
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, struct.error, ValueError) as error:
        raise RunError(
            f"{_named(archive)} is damaged or no zip at all. Copy or download it again, or choose another file."
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise RunError(
            f"{_named(archive)} is packed or locked in a way that is not read here. Export the run again."
        ) from error


def _named(archive: Path) -> str:
    return f"“{''.join(c if c.isprintable() else '?' for c in archive.name[:80])}”"


def _size(nbytes: int) -> str:
    return f"{nbytes / (1 << 30):.3g} GB" if nbytes >= 1 << 30 else f"{nbytes / (1 << 20):.3g} MB"

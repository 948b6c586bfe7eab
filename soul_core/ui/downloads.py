"""Files that the browser may fetch, in one temporary folder that goes with the process. It knows no run."""

import atexit
import shutil
import tempfile
import threading
import time
from pathlib import Path

KEPT_SECONDS = 15 * 60
"""The page copies what it serves at once; an older file here is nobody's any more."""

_lock = threading.Lock()
_root: list[Path] = []


def place_for(name: str) -> Path:
    """A path of that name in a new folder, to write to and to hand to the page; what is old is removed meanwhile."""
    with _lock:
        if not _root or not _root[0].is_dir():
            _root[:] = [Path(tempfile.mkdtemp(prefix="soul-"))]
            atexit.register(shutil.rmtree, _root[0], ignore_errors=True)
        root = _root[0]
    before = time.time() - KEPT_SECONDS
    for folder in root.iterdir():
        try:
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
    return Path(tempfile.mkdtemp(dir=root)) / name


def copy_of(path: Path, name: str) -> Path:
    """A copy under another name."""
    return Path(shutil.copy(path, place_for(name)))

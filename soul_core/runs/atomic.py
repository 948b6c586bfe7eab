"""Files that are either as before or completely new, and disk errors as sentences. It knows no run."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soul_core.errors import RunError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def disk_errors_as_sentences(folder: Path) -> Iterator[None]:
    """Turn an ``OSError`` into a RunError that names the folder and says what to do."""
    try:
        yield
    except OSError as error:
        raise RunError(disk_sentence(folder, error)) from error


def disk_sentence(folder: Path, error: OSError) -> str:
    """What went wrong on the disk and what a person can do about it."""
    if error.errno in _FULL:
        return f"The disk is full: {folder} could not be written. Free some space or choose another folder."
    if error.errno in _FORBIDDEN:
        return f"{folder} is read-only for this program. Choose a folder that it may write to."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{folder} is not a folder, or lies inside a file. Choose another folder."
    if error.errno == errno.ENOENT:
        return f"{folder} is gone, or part of it. Check the folder and start again."
    return f"{folder} could not be used ({error.strerror or error}). Check the disk or choose another folder."


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` with ``text`` in one move; a crash leaves the old file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise

"""One hash that tells whether two models have the same weights; it knows nothing else about them."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 over the weight files, in hexadecimal: one file's own hash, or the hash of all files' hashes.

    A file is read once per process as long as its path, size and time of change stay the same.
    """
    digests = []
    for file in files:
        stat = file.stat()
        digests.append(_digest(str(file.resolve()), stat.st_mtime_ns, stat.st_size))
    if len(digests) == 1:
        return digests[0]
    return digest_of(*digests)


def digest_of(*texts: str) -> str:
    """SHA-256 over texts, such as other digests, in hexadecimal."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@lru_cache(maxsize=256)
def _digest(path: str, mtime_ns: int, size: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

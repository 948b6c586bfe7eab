"""Material that the project does not contain: tests that need it ask here, and skip where it is absent."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared"


def outside(name: str) -> Path:
    """The folder of that name in ``SOUL_TEST_DATA``, or beside the checkout; skips the test where there is none."""
    folder = Path(os.environ.get("SOUL_TEST_DATA", BESIDE)) / name
    if not folder.is_dir():
        pytest.skip(f"needs {name}, which is not part of the project: set SOUL_TEST_DATA to a folder that has it")
    return folder

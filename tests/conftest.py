"""Fixtures for every layer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny import tiny_model, tiny_tokenizer


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Call it with an architecture for a folder that ``load_model`` reads. Shared by all tests: do not write there."""
    made: dict[str, Path] = {}

    def folder(arch: str = "llama") -> Path:
        if arch not in made:
            made[arch] = tmp_path_factory.mktemp(f"tiny-{arch}")
            tiny_model(arch).save_pretrained(made[arch])
            tiny_tokenizer().save_pretrained(made[arch])
        return made[arch]

    return folder

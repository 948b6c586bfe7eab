"""The README's front matter is a Space's configuration: every key is one that Spaces know, with a value they take."""

from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
FRONT = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])
# Hugging Face’s configuration reference, August 2026.
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
KNOWN = {
    "title",
    "emoji",
    "colorFrom",
    "colorTo",
    "sdk",
    "sdk_version",
    "python_version",
    "app_file",
    "short_description",
    "suggested_hardware",
    "startup_duration_timeout",
    "fullWidth",
    "pinned",
    "license",
    "tags",
}
ZEROGPU_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
ZEROGPU_PYTHON = "3.12"
LARGE = 10_000_000  # bytes; above, the Hub wants a file in LFS


def required(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return {requirement.name: requirement for requirement in found}


def test_every_key_is_one_that_spaces_know():
    assert set(FRONT) == KNOWN


def test_the_values_are_ones_that_spaces_take():
    assert FRONT["title"] == "SOUL"
    assert {FRONT["colorFrom"], FRONT["colorTo"]} <= COLOURS
    assert FRONT["sdk"] == "gradio" and isinstance(FRONT["sdk_version"], str)
    # YAML reads 3.10 without quotation marks as 3.1; without the key a Space takes 3.10, which is too old.
    assert FRONT["python_version"] == ZEROGPU_PYTHON
    assert len(FRONT["short_description"]) <= 60
    assert FRONT["suggested_hardware"] in {"cpu-basic", "cpu-upgrade", "t4-small", "zero-a10g", "l4x1"}
    assert FRONT["startup_duration_timeout"] == "30m"
    assert (FRONT["pinned"], FRONT["fullWidth"], FRONT["license"]) == (False, True, "mit")
    assert all(tag == tag.lower() and " " not in tag for tag in FRONT["tags"])
    assert len(FRONT["emoji"].encode()) <= 8


def test_the_gradio_of_the_space_is_in_the_apps_own_range():
    assert required("requirements.txt")["gradio"].specifier.contains(FRONT["sdk_version"])


@pytest.mark.parametrize("version", ZEROGPU_TORCH)
def test_the_app_takes_every_torch_that_zerogpu_lends(version):
    assert required("requirements.txt")["torch"].specifier.contains(version)


def test_a_space_installs_the_newest_torch_that_zerogpu_takes_before_anything_else():
    (torch,) = required("pre-requirements.txt").values()
    assert torch.name == "torch"
    newest = max(ZEROGPU_TORCH, key=Version)
    assert torch.specifier.contains(newest) and not torch.specifier.contains("2.12.0")


def test_pydantic_may_be_the_one_that_gradios_mcp_extra_pins():
    assert required("requirements.txt")["pydantic"].specifier.contains("2.12.5")


def test_what_ships_needs_no_large_file_storage():
    assert [path for path in (ROOT / "assets").rglob("*") if path.is_file() and path.stat().st_size > LARGE] == []

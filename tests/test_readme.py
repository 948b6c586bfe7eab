"""What the README, the requirement files and the Makefile say is true of the repository."""

import ast
import importlib
import re
import shlex
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from soul_core.cli.main import MODULES, parsed
from soul_core.session.study import MARKS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CODE = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
SHELL = [re.split(r"(?:^|\s)#", line)[0].strip() for kind, text in CODE if kind == "sh" for line in text.splitlines()]
COMMANDS = [shlex.split(line)[3:] for line in SHELL if line.startswith("python -m soul_core ")]
# Made by running things here; never part of the repository.
MADE = {"runs", "build", "__pycache__"}
# Used where they are installed; nothing needs them.
IMPORTED_AS = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
EXTRAS = {"sentence_transformers", "mcp", "spaces", "bitsandbytes", "triton"}


def tree() -> dict[str, set[str]]:
    """Paths in the README's file tree: top-level names, and below ``soul_core`` its parts."""
    text = README.split("## Files")[1].split("```")[1]
    listed: dict[str, set[str]] = {"": set(), "soul_core": set()}
    for line in text.strip().splitlines():
        listed["soul_core" if line.startswith("  ") else ""].add(line.split()[0].rstrip("/"))
    return listed


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def test_every_make_target_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))
    named = {line.split()[1] for line in SHELL if line.startswith("make ")}
    named |= set(re.findall(r"`make (\w+)`", README))
    assert {"app", "test", "check", "bench"} <= named
    assert named <= targets


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_readme_is_one_that_the_command_line_takes(words: list[str]):
    assert parsed(words).command == words[0]


def test_the_readme_shows_the_main_commands():
    assert {words[0] for words in COMMANDS} >= {"race", "ask", "models", "tasks", "methods", "export-task", "study"}
    assert set(MODULES) >= {words[0] for words in COMMANDS}


def test_the_file_tree_names_everything_on_the_top_level_and_nothing_else():
    real = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - MADE
    assert tree()[""] == real - {"README.md"}


def test_the_file_tree_names_every_part_of_the_package_and_nothing_else():
    real = {p.name for p in (ROOT / "soul_core").iterdir() if not p.name.startswith("__")}
    assert tree()["soul_core"] == real


def test_every_file_that_the_readme_links_to_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_what_the_python_example_imports_exists():
    source = next(text for kind, text in CODE if kind == "python")
    imported = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    assert imported
    for node in imported:
        module = importlib.import_module(str(node.module))
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_the_readme_has_one_place_for_the_measured_table():
    assert [README.count(mark) for mark in MARKS] == [1, 1]


def test_the_space_runs_the_gradio_that_is_tested():
    front = dict(line.split(": ", 1) for line in README.split("---")[1].strip().splitlines() if ": " in line)
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert front["sdk_version"] == pins["gradio"]
    assert (ROOT / front["app_file"]).is_file()
    assert front["license"] == "mit"
    # The Hub refuses a longer one.
    assert len(front["short_description"]) <= 60


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_to_a_version_in_its_range(name: str):
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    for requirement in requirements(name):
        version = pins.get(requirement.name.lower().replace("_", "-"))
        assert version is not None, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version}"


def test_the_app_imports_exactly_what_it_requires():
    imported: set[str] = set()
    for path in [*(ROOT / "soul_core").rglob("*.py"), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "find_spec")):
                argument = node.args[0]
                imported |= {str(argument.value).split(".")[0]} if isinstance(argument, ast.Constant) else set()
    imported -= {*sys.stdlib_module_names, "soul_core", *EXTRAS}
    required = {IMPORTED_AS.get(r.name, r.name.replace("-", "_")) for r in requirements("requirements.txt")}
    assert imported <= required, "imported but not in requirements.txt"
    assert required <= imported, "in requirements.txt but imported nowhere"
    assert [name for name in required if find_spec(name) is None] == []


def test_a_space_of_every_listed_torch_can_install_it():
    # ZeroGPU offers torch 2.8.0 to 2.11.0 (its documentation, August 2026).
    torch = next(r for r in requirements("requirements.txt") if r.name == "torch")
    assert [v for v in ("2.8.0", "2.9.1", "2.10.0", "2.11.0", "2.13.0") if not torch.specifier.contains(v)] == []


def test_python_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info < (3, 14)" in MAKEFILE


def test_continuous_integration_runs_the_readmes_test_command_and_nothing_else():
    run = ROOT / ".ci" / "run"
    lines = [line for line in run.read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
    assert run.stat().st_mode & 0o111

"""Imports point one way, and each layer keeps to what it may know."""

import ast
import re
from pathlib import Path

import pytest

import soul_core

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "soul_core"
LAYERS = re.search(r"enforces it\)::\s+(.+)", soul_core.__doc__ or "").group(1).split()  # type: ignore[union-attr]
# What joins everything: it may import any layer, and no layer may import it.
TOP = ("__main__", "app", "benchmarks")
ALLOWED_ONLY_IN = {"gradio": {"ui"}, "gradio_client": {"ui"}, "plotly": {"ui", "runs"}, "rich": {"cli"}}
NEVER_IN = {
    "torch": {"errors", "paths", "config", "events", "runs", "cli"},
    "transformers": {"errors", "paths", "config", "events", "runs", "cli", "objectives", "optim"},
    "soul_core.optim": {"ui"},
    "soul_core.engine": {"ui", "cli"},
}
MODULES = sorted([*PACKAGE.rglob("*.py"), ROOT / "app.py", *(ROOT / "benchmarks").glob("*.py")])
LONGEST = 500


def layer_of(path: Path) -> str:
    """The layer a file belongs to; the package's own ``__init__`` belongs to none."""
    if path.is_relative_to(PACKAGE):
        return path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_names(source: str) -> set[str]:
    """Every module a source imports, in function bodies and for type checkers too; ``from a import b`` is ``a.b``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def broken_rules(layer: str, names: set[str]) -> list[str]:
    """What is wrong with a layer importing these names."""
    broken = []
    for name in sorted(names):
        parts = name.split(".")
        if parts[0] == "soul_core" and layer not in TOP and len(parts) > 1 and parts[1] in (*LAYERS, *TOP):
            above = parts[1] in TOP or LAYERS.index(parts[1]) > LAYERS.index(layer)
            broken += [f"{layer} must not import {name}: it comes later"] * above
        for package, layers in ALLOWED_ONLY_IN.items():
            if parts[0] == package and layer not in (*layers, *TOP):
                broken.append(f"only {', '.join(sorted(layers))} may import {package}, not {layer}")
        for package, layers in NEVER_IN.items():
            if layer in layers and (name == package or name.startswith(f"{package}.")):
                broken.append(f"{layer} must not import {package}")
    return broken


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_layer_may(path: Path):
    if path == PACKAGE / "__init__.py":
        assert imported_names(path.read_text(encoding="utf-8")) == set()
        return
    assert broken_rules(layer_of(path), imported_names(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_at_most_500_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_order_of_layers_names_every_part_of_the_package_once():
    parts = {layer_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"}
    assert sorted(LAYERS) == sorted(parts)


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("data", "from soul_core.models.loading import load_model"),
        ("data", "from soul_core import models"),
        ("session", "def later():\n    import soul_core.jobs"),
        ("runs", "import torch.nn"),
        ("cli", "import gradio as gr"),
        ("ui", "from soul_core.optim.sophia import Sophia"),
        ("session", "from soul_core.__main__ import main"),
    ],
)
def test_a_forbidden_import_is_found_however_it_is_written(layer: str, source: str):
    assert broken_rules(layer, imported_names(source)) != []


def test_imports_of_the_same_and_of_earlier_layers_are_fine():
    source = "import torch\nfrom soul_core.models.loading import load_model\nfrom soul_core.session.ask import ask"
    assert broken_rules("session", imported_names(source)) == []

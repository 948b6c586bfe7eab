"""Every module says what it does, and everything public has a docstring."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted([*(ROOT / "soul_core").rglob("*.py"), ROOT / "app.py", *(ROOT / "benchmarks").glob("*.py")])
# Their meaning stands in the tree that soul_core/errors.py's own docstring draws.
DRAWN = "errors.py"


def undocumented(source: str) -> list[str]:
    """Public functions, classes and methods without a docstring. A method that overrides nothing public counts."""
    found: list[str] = []

    def visit(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                public = not child.name.startswith("_")
                overload = any("overload" in ast.unparse(decorator) for decorator in child.decorator_list)
                if public and not overload and ast.get_docstring(child) is None:
                    found.append(f"{inside}{child.name}")
                if public and isinstance(child, ast.ClassDef):
                    visit(child, f"{inside}{child.name}.")
            elif isinstance(child, ast.If | ast.Try):
                visit(child, inside)

    visit(ast.parse(source), "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_and_everything_public_in_it_is_documented(path: Path):
    source = path.read_text(encoding="utf-8")
    if path.name == "__init__.py" and not source.strip():
        return
    assert ast.get_docstring(ast.parse(source)), "the module says nothing about itself"
    if path.name != DRAWN:
        assert undocumented(source) == []


def test_every_error_stands_in_the_drawing():
    source = (ROOT / "soul_core" / DRAWN).read_text(encoding="utf-8")
    drawing = ast.get_docstring(ast.parse(source)) or ""
    names = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    assert [name for name in names if name not in drawing] == []


def test_a_missing_docstring_is_found_in_methods_and_under_conditions():
    source = 'class A:\n    """Doc."""\n    def b(self): ...\nif True:\n    def c(): ...\ndef _d(): ...'
    assert undocumented(source) == ["A.b", "c"]

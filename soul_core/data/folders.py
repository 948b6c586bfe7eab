"""Which files of a folder, laid out like a repository on the Hub, hold a split. It reads no rows."""

from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

from soul_core.data.files import SUFFIXES

DEFAULT = "default"
_FRONT_MATTER = 256 * 1024


def split_files(folder: Path, config: str, split: str = "train") -> list[Path]:
    """The files in which a folder laid out like the Hub keeps a split, in order; none where it has no such split."""
    declared = _declared(folder).get((config, split))
    if declared:
        return declared
    places = [folder / config / split]
    if split == "train":
        places.append(folder / config)
    if config == DEFAULT:
        places += [folder / split, folder / "data" / split]
    return next((files for place in places if (files := _named(place))), [])


def _named(place: Path) -> list[Path]:
    """The file of that name with one of the known endings, or its numbered parts."""
    whole = [path for suffix in SUFFIXES if (path := place.with_name(place.name + suffix)).is_file()]
    if whole or not place.parent.is_dir():
        return whole[:1]
    parts = [path for path in sorted(place.parent.glob("*-of-*")) if fnmatch(path.stem, f"{place.name}-*-of-*")]
    return [path for path in parts if path.suffix in SUFFIXES and path.is_file()]


def _declared(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """Configuration and split to files, as the header of the README says; empty where there is none to read."""
    configs = _header(folder / "README.md").get("configs")
    found: dict[tuple[str, str], list[Path]] = {}
    for entry in configs if isinstance(configs, list) else ():
        if not isinstance(entry, dict):
            continue
        config, files = str(entry.get("config_name", DEFAULT)), entry.get("data_files")
        parts = files if isinstance(files, list) and all(isinstance(f, dict) for f in files) else [{"path": files}]
        for part in parts:
            patterns = part.get("path")
            matched = [
                path
                for pattern in (patterns if isinstance(patterns, list) else [patterns])
                if isinstance(pattern, str) and _inside(pattern)
                for path in _matching(folder, pattern)
                if path.suffix in SUFFIXES and path.is_file()
            ]
            found[config, str(part.get("split", "train"))] = matched
    return found


def _matching(folder: Path, pattern: str) -> list[Path]:
    """The paths that a stranger's pattern matches; none where it is no pattern."""
    try:
        return sorted(folder.glob(pattern))
    except (OSError, ValueError):
        return []


def _inside(pattern: str) -> bool:
    parts = PurePosixPath(pattern)
    return bool(pattern) and not parts.is_absolute() and ".." not in parts.parts


def _header(readme: Path) -> dict[str, Any]:
    """The YAML between the first two lines of dashes."""
    try:
        with readme.open(encoding="utf-8") as file:
            lines = file.read(_FRONT_MATTER).split("\n---")
    except (OSError, UnicodeDecodeError):
        return {}
    if not lines[0].startswith("---") or len(lines) < 2:
        return {}
    # Imported here: only a folder with a README needs it.
    yaml = import_module("yaml")
    try:
        header = yaml.safe_load(lines[0].removeprefix("---"))
    # A date that there is not, or lists inside lists without end.
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}

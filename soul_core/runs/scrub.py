"""Texts of a run without the paths of the machine it ran on. It knows no format but plain text."""

import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path, PurePath, PureWindowsPath

from soul_core.config import RaceConfig
from soul_core.paths import ASSETS
from soul_core.runs.manifest import Manifest

_HOME = "~"


def is_path(text: str) -> bool:
    """Whether a model's name can only be meant as a path: a hub id is ``owner/name`` and no more."""
    return (
        text.startswith((".", "/", "~", "\\"))
        or "\\" in text
        or text.count("/") > 1
        or ".." in PurePath(text).parts
        or bool(PureWindowsPath(text).drive)
    )


def last_name(text: str) -> str:
    """A path's last part; a text that is no path as it is, and so is one of which nothing would be left."""
    if not is_path(text):
        return text
    name = PureWindowsPath(text).name
    return name if name not in ("", ".", "..") else "local-model"


def local_free(manifest: Manifest) -> Manifest:
    """The manifest with every absolute path as its last name, and nobody as its owner."""
    config = manifest.config
    model, gold = (last_name(x) if _is_absolute(x) else x for x in (config.model, manifest.gold))
    task = scrubbed(config.task, _names(_paths_in(config.task)))
    clean = config if (model, task) == (config.model, config.task) else config.but(model=model, task=task)
    return manifest.but(
        config=clean, gold=gold, owner="", command=scrubbed(manifest.command, local_names(manifest, None))
    )


def local_names(manifest: Manifest, run: Path | None) -> dict[str, str]:
    """Paths of this machine that a run's texts may hold, and what stands for each.

    Args:
        manifest: As it is on disk.
        run: The run's folder.
    """
    config: RaceConfig = manifest.config
    named = [x for x in (config.model, manifest.gold) if _is_absolute(x)] + _paths_in(config.task)
    found = _names(named)
    places = [ASSETS.parent, Path.cwd(), *([run, run.resolve(), run.parent.resolve()] if run is not None else [])]
    for place in places:
        if place.is_absolute() and len(place.parts) > 1:
            found.setdefault(str(place), place.name)
    home = Path.home()
    if len(home.parts) > 1:
        found.setdefault(str(home), _HOME)
    return found


def scrubbed(text: str, names: dict[str, str]) -> str:
    """The text with each path replaced, as it stands in plain text, in JSON and in HTML; the longest first."""
    for path in sorted(names, key=len, reverse=True):
        name = names[path]
        forms = {path: name, json.dumps(path)[1:-1]: json.dumps(name)[1:-1], escape(path): escape(name)}
        for form, stands in forms.items():
            text = re.sub(rf"(?<![\w./~-]){re.escape(form)}(?![\w-])", lambda _, stands=stands: stands, text)  # type: ignore[misc]
    return text


def _names(paths: Iterable[str]) -> dict[str, str]:
    return {path: last_name(path) for path in paths}


def _is_absolute(text: str) -> bool:
    return text.startswith(("/", "~")) or PureWindowsPath(text).is_absolute()


def _paths_in(task: str) -> list[str]:
    """Absolute paths in a task's name: what stands before its split, behind ``own:`` or between plus signs."""
    body = task.partition("#")[0]
    found = []
    for part in re.split(r"[+=;,]", body):
        at = re.search(r"(?:^|:)((?:/|~/)[^:]*)", part)
        windows = re.search(r"(?:^|:)([A-Za-z]:\\[^:]*)", part)
        found += [at[1]] if at else [windows[1]] if windows else []
    return [path.rstrip("/") for path in found if path.strip("/~")]

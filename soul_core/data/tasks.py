"""The tasks one can choose and how a task's name becomes its rows; it knows no model and no page."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from soul_core.data import copyright as copyright_texts
from soul_core.data import invented_task, muse, own_task, rwku, tdec, tofu, wmdp
from soul_core.data.picking import divided, picked
from soul_core.data.schema import ForgetTask
from soul_core.data.source import HAND_PICKED, TaskSource
from soul_core.errors import DatasetError

TASKS: dict[str, TaskSource] = {
    source.name: source
    for source in (
        invented_task.SOURCE,
        tofu.SOURCE,
        *muse.SOURCES,
        rwku.SOURCE,
        wmdp.SOURCE,
        tdec.SOURCE,
        copyright_texts.SOURCE,
        own_task.SOURCE,
    )
}


def load_task(spec: str) -> ForgetTask:
    """Load a task by its full name.

    Args:
        spec: ``invented-authors:forget10``, ``invented-authors:authors=Name A;Name B``, ``tofu:forget05``,
            ``rwku:Stephen King``, ``copyright:path/to/book.txt``, or ``path/to/folder:forget10`` for a folder laid
            out like one of them; and behind any of these ``#rows=1-20,33`` or ``#subjects=A;B`` for a forget set of
            one's own (``data.picking``).

    Raises:
        DatasetError: No such task, split or author; nothing would be forgotten, or nothing retained; or the rows
            cannot be read.
    """
    whole, pick = divided(spec.strip())
    task = _load(whole)
    return task if pick is None else picked(task, pick)


def subjects_of(name: str) -> tuple[str, ...]:
    """The authors that can be picked by name in the task ``name``, in order; none where it offers no such choice.

    Raises:
        DatasetError: There is no such task.
    """
    if name not in TASKS:
        raise DatasetError(f"There is no task “{name}”. Choose {_listed(TASKS)}.")
    subjects = TASKS[name].subjects
    return subjects() if subjects is not None else ()


def is_local(spec: str) -> bool:
    """Whether a task's name makes ``load_task`` read a file or folder of this machine, where that exists."""
    source, place, _ = _divided(divided(spec.strip())[0])
    return _is_path(place) if source is None else source.from_files


def _divided(spec: str) -> tuple[TaskSource | None, str, str]:
    """The source named, if any, and what stands before and after the colon."""
    # What may be anything, such as a path, may also have a colon in it.
    name, _, rest = spec.partition(":")
    if name in TASKS and TASKS[name].free:
        return TASKS[name], name, rest
    place, _, split = spec.rpartition(":")
    return TASKS.get(place), place, split


def _is_path(place: str) -> bool:
    folder = Path(place).expanduser()
    return bool(place) and (len(folder.parts) > 1 or folder.exists())


def _load(spec: str) -> ForgetTask:
    source, place, split = _divided(spec)
    if ":" not in spec:
        raise DatasetError(f"“{spec}” names no split. Write a task, a colon and a split, such as {_example(spec)}.")
    if source is not None:
        if source.free and not split.strip():
            raise DatasetError(f"“{spec}” names nothing to load. Write behind the colon {source.free}.")
        if source.free or split in source.splits or (source.pickable and split.startswith(HAND_PICKED)):
            return source.load(split)
        also = f", or “{HAND_PICKED}” and names separated by “;”" if source.pickable else ""
        raise DatasetError(f"{source.title} has no split “{split}”. Choose {_listed(source.splits)}{also}.")
    if _is_path(place):
        return _load_folder(Path(place).expanduser(), split)
    near = difflib.get_close_matches(place, TASKS, n=1)
    meant = f" Did you mean “{near[0]}”?" if near else ""
    raise DatasetError(
        f"There is no task “{place}”.{meant} Choose {_listed(TASKS)}, or give the path of a folder laid out like "
        f"{_layouts()}."
    )


def _load_folder(folder: Path, split: str) -> ForgetTask:
    """The task of the first source whose layout the folder has."""
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}. Give the path of a folder laid out like {_layouts()}.")
    for source in TASKS.values():
        splits = source.folder_splits(folder) if source.folder_splits else ()
        if splits and source.load_folder:
            if split in splits or source.free:
                return source.load_folder(folder, split)
            raise DatasetError(f"The folder {folder} has no split “{split}”. Choose {', '.join(splits)}.")
    # None: what TOFU's layout expects is said, the plainest of them.
    return tofu.load_tofu_folder(folder, split)


def _layouts() -> str:
    titles = [source.title for source in TASKS.values() if source.load_folder]
    return f"{', '.join(titles[:-1])} or {titles[-1]}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _example(name: str) -> str:
    """The task itself with its first split, or else the first task with its first."""
    source = TASKS.get(name) or next(iter(TASKS.values()))
    return f"“{source.name}:{source.splits[0]}”" if source.splits else f"“{source.name}:” and {source.free}"

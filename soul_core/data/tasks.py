"""The tasks one can choose and how a task's name becomes its rows; it knows no model and no page."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.invented_authors import invented_world
from soul_core.data.schema import ForgetTask
from soul_core.data.source import HAND_PICKED, TaskSource
from soul_core.data.splits import FORGET_COUNTS, split_authors, split_rows
from soul_core.data.tofu import HUB_ID, load_tofu_folder, load_tofu_hub
from soul_core.errors import DatasetError


def load_task(spec: str) -> ForgetTask:
    """Load a task by its full name.

    Args:
        spec: ``invented-authors:forget10``, ``invented-authors:authors=Name A;Name B``, ``tofu:forget05``
            or ``path/to/folder:forget10`` for a folder laid out like TOFU.

    Raises:
        DatasetError: No such task, split or author; nothing would be forgotten, or nothing retained; or the rows
            cannot be read.
    """
    place, colon, split = spec.strip().rpartition(":")
    if not colon:
        raise DatasetError(f"“{spec}” names no split. Write a task, a colon and a split, such as {_example()}.")
    if place in TASKS:
        source = TASKS[place]
        if split in source.splits or (source.pickable and split.startswith(HAND_PICKED)):
            return source.load(split)
        picked = f", or “{HAND_PICKED}” and names separated by “;”" if source.pickable else ""
        raise DatasetError(f"{source.title} has no split “{split}”. Choose {_listed(source.splits)}{picked}.")
    folder = Path(place).expanduser()
    if folder.exists() or len(folder.parts) > 1:
        return load_tofu_folder(folder, split)
    near = difflib.get_close_matches(place, TASKS, n=1)
    meant = f" Did you mean “{near[0]}”?" if near else ""
    raise DatasetError(
        f"There is no task “{place}”.{meant} Choose {_listed(TASKS)}, or give the path of a folder laid out like TOFU."
    )


def subjects_of(name: str) -> tuple[str, ...]:
    """The authors that can be picked by name in the task ``name``, in order; none where it offers no such choice.

    Raises:
        DatasetError: There is no such task.
    """
    if name not in TASKS:
        raise DatasetError(f"There is no task “{name}”. Choose {_listed(TASKS)}.")
    subjects = TASKS[name].subjects
    return subjects() if subjects is not None else ()


def _invented_names() -> tuple[str, ...]:
    return tuple(author.name for author in invented_world().authors)


def _load_invented(split: str) -> ForgetTask:
    world = invented_world()
    if split.startswith(HAND_PICKED):
        chosen = _picked(split.removeprefix(HAND_PICKED), _invented_names())
        full_name = f"invented-authors:{HAND_PICKED}{';'.join(chosen)}"
        gold = ""
    else:
        chosen = split_authors(world, split)
        full_name = f"invented-authors:{split}"
        gold = f"pocket-gold-{split}"
    forget, retain = split_rows(world, chosen)
    return ForgetTask(
        name=full_name,
        forget=forget,
        retain=retain,
        eval_sets={"forget": forget, "retain": retain} | {name: load_facts(name) for name in FACT_SETS},
        subjects=chosen,
        gold_model=gold,
    )


def _picked(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """The authors named in ``text``, in the order of ``names``."""
    wanted = tuple(name.strip() for name in text.split(";") if name.strip())
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
            raise DatasetError(f"There is no author “{name}”. The nearest names are {_listed(near)}.")
    if not wanted:
        raise DatasetError("No author is chosen, so the forget set is empty. Choose at least one author.")
    if set(wanted) == set(names):
        raise DatasetError(
            f"All {len(names)} authors are chosen: the forget set covers everything, nothing would be retained. "
            "Leave at least one author out."
        )
    return tuple(name for name in names if name in wanted)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _example() -> str:
    return f"“{next(iter(TASKS))}:{next(iter(FORGET_COUNTS))}”"


TASKS: dict[str, TaskSource] = {
    source.name: source
    for source in (
        TaskSource(
            name="invented-authors",
            title="Invented Authors",
            description="A hundred authors who do not exist, twelve facts each, written for this project.",
            licence="MIT",
            size="1,200 rows about 100 authors, built in",
            measures=("accuracy", "forget quality", "model utility", "memorization", "membership"),
            splits=tuple(FORGET_COUNTS),
            origin="built in",
            load=_load_invented,
            subjects=_invented_names,
        ),
        TaskSource(
            name="tofu",
            title="TOFU",
            description="Two hundred fictitious authors with twenty question-answer pairs each (Maini et al. 2024).",
            licence="MIT",
            size="4,000 rows about 200 authors, 2 MB",
            measures=("accuracy", "forget quality", "model utility", "memorization", "membership"),
            splits=tuple(FORGET_COUNTS),
            origin=f"https://huggingface.co/datasets/{HUB_ID}",
            load=load_tofu_hub,
        ),
    )
}

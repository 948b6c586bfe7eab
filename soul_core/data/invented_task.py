"""The built-in invented authors as a task: its splits, and authors picked by name. It knows no other task."""

import difflib
from collections.abc import Iterable, Sequence

from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.invented_authors import invented_world
from soul_core.data.schema import ForgetTask
from soul_core.data.source import HAND_PICKED, TaskSource
from soul_core.data.splits import FORGET_COUNTS, split_authors, split_rows
from soul_core.errors import DatasetError


def load_invented(split: str) -> ForgetTask:
    """Load ``forget10``, or ``authors=Name A;Name B``.

    Its ``holdout`` is about authors made the same way on whom no model was ever trained: membership attacks on it
    tell no two kinds of text apart, only the trained from the untrained.

    Raises:
        DatasetError: There is no such author; or nobody is picked, or everybody.
    """
    world = invented_world()
    if split.startswith(HAND_PICKED):
        chosen = _picked(split.removeprefix(HAND_PICKED), author_names())
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
        texts={"holdout": world.nonmember_rows},
        subjects=chosen,
        gold_model=gold,
    )


def author_names() -> tuple[str, ...]:
    """All authors that can be forgotten, in the order of the world."""
    return tuple(author.name for author in invented_world().authors)


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


SOURCE = TaskSource(
    name="invented-authors",
    title="Invented Authors",
    description="A hundred authors who do not exist, twelve facts each, written for this project.",
    licence="MIT",
    size="1,200 rows about 100 authors, built in",
    measures=("accuracy", "forget quality", "model utility", "memorization", "membership"),
    splits=tuple(FORGET_COUNTS),
    origin="built in",
    load=load_invented,
    subjects=author_names,
)

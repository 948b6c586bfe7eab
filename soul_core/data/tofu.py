"""Reading tasks in TOFU's layout, from a folder or from the Hub; it knows no other task and no model."""

import re
from dataclasses import replace
from pathlib import Path

from soul_core.data.facts import FACT_SETS
from soul_core.data.files import SUFFIXES, Columns
from soul_core.data.folders import split_files
from soul_core.data.reading import (
    Reader,
    announced,
    folder_reader,
    hub_reader,
    optional_texts,
    required_text,
)
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.source import TaskSource
from soul_core.data.splits import FORGET_COUNTS, retain_split
from soul_core.errors import DatasetError

HUB_ID = "locuslab/TOFU"
FORGET_SPLIT = re.compile(r"forget(\d\d)")
ROWS = 4000
ROWS_PER_AUTHOR = 20


def folder_splits(folder: Path) -> tuple[str, ...]:
    """The forget splits of a folder laid out like TOFU: those whose retain split is there too."""
    names = sorted({path.name.split(".")[0] for path in folder.iterdir()} if folder.is_dir() else ())
    return tuple(
        name
        for name in names
        if FORGET_SPLIT.fullmatch(name) and split_files(folder, name) and split_files(folder, retain_split(name))
    )


def load_tofu_folder(folder: Path, split: str) -> ForgetTask:
    """Load one split of a folder laid out like TOFU on the Hub: ``forget10.json``, ``retain90.json`` and so on.

    Files hold JSON lines (``.json``, ``.jsonl``), CSV or Parquet. Without ``*_perturbed`` files the rows have no
    perturbed answers; without ``real_authors`` or ``world_facts`` those sets are absent. Rows may name their
    ``subject``; those of the published TOFU, which do not, get numbered ones (``load_tofu_hub``).

    Args:
        folder: The folder.
        split: A forget split of which the folder has the file, such as ``forget10``.

    Raises:
        DatasetError: No such folder or split, or a file in it that cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}. Give the path of a folder laid out like TOFU.")
    splits = folder_splits(folder)
    if not splits:
        found = ", ".join(path.name for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES)
        raise DatasetError(
            f"The folder {folder} is not laid out like TOFU: expected files such as forget10.json and "
            f"retain90.json, found {found or 'no data files'}. Add them, or choose another folder."
        )
    if split not in splits:
        raise DatasetError(f"The folder {folder} has no split “{split}”. Choose {', '.join(splits)}.")
    return _task(f"{folder}:{split}", split, folder_reader(folder))


def load_tofu_hub(split: str) -> ForgetTask:
    """Load one split of TOFU from the Hugging Face Hub, or from its cache there.

    Verified in the published files: twenty rows in a row about each of 200 authors; the forget splits are the last
    rows of ``full``, the retain splits all before. No column names the author, so a row's subject is a number,
    ``Author 1`` to ``Author 200`` by its place in ``full``. ``ForgetTask.subjects`` stays empty: a number means
    nothing to a model, and prompts that name subjects quote questions instead.

    Raises:
        DatasetError: The Hub cannot be reached and the data set is not in the cache.
    """
    return _task(f"tofu:{split}", split, hub_reader(HUB_ID, copy=f"path/to/TOFU:{split}"))


def _task(name: str, split: str, read: Reader) -> ForgetTask:
    read = announced(read, SOURCE.title, 4 + len(FACT_SETS))
    forget, forget_asked = _with_perturbed(read, split, f"{split}_perturbed")
    retain, retain_asked = _with_perturbed(read, retain_split(split), "retain_perturbed")
    for part, rows in ((split, forget), (retain_split(split), retain)):
        if not rows:
            raise DatasetError(f"{part} has no rows. Choose another split or fill it.")
    eval_sets = {"forget": forget_asked, "retain": retain_asked}
    subjects = tuple(dict.fromkeys(row.subject for row in forget if row.subject))
    if not subjects and len(retain) + len(forget) == ROWS:
        numbers = _author_numbers(retain + forget)
        forget, retain = _numbered(forget, numbers), _numbered(retain, numbers)
        eval_sets = {asked: _numbered(rows, numbers) for asked, rows in eval_sets.items()}
    for fact_set in FACT_SETS:
        rows = _rows(read, f"{fact_set}_perturbed") or _rows(read, fact_set)
        if rows:
            eval_sets[fact_set] = rows
    return ForgetTask(name=name, forget=forget, retain=retain, eval_sets=eval_sets, subjects=subjects)


def _author_numbers(full: tuple[QARow, ...]) -> dict[tuple[str, str], int]:
    return {(row.question, row.answer): 1 + place // ROWS_PER_AUTHOR for place, row in enumerate(full)}


def _numbered(rows: tuple[QARow, ...], numbers: dict[tuple[str, str], int]) -> tuple[QARow, ...]:
    found = [numbers.get((row.question, row.answer)) for row in rows]
    return tuple(
        replace(row, subject=f"Author {number}") if number else row for row, number in zip(rows, found, strict=True)
    )


def _with_perturbed(read: Reader, split: str, perturbed: str) -> tuple[tuple[QARow, ...], tuple[QARow, ...]]:
    """The rows of a split, completed where the perturbed file has them, and the rows to ask."""
    rows = _rows(read, split)
    asked = _rows(read, perturbed)
    complete = {(row.question, row.answer): row for row in asked}
    rows = tuple(complete.get((row.question, row.answer), row) for row in rows)
    return rows, asked or rows


def _rows(read: Reader, name: str) -> tuple[QARow, ...]:
    columns = read(name) or []
    return tuple(_row(fields, name, number) for number, fields in enumerate(columns, start=1))


def _row(fields: Columns, name: str, number: int) -> QARow:
    question, answer = (required_text(fields, column, name, number) for column in ("question", "answer"))
    paraphrase = fields.get("paraphrased_question") or ""
    return QARow(
        question=question,
        answer=answer,
        paraphrased_answer=fields.get("paraphrased_answer") or "",
        paraphrased_question=paraphrase,
        perturbed_answers=optional_texts(fields, "perturbed_answer", name, number),
        subject=fields.get("subject") or "",
        fact=fields.get("fact") or "",
        question_variants=optional_texts(fields, "question_variants", name, number) or (question,),
        heldback_questions=optional_texts(fields, "heldback_questions", name, number)
        or ((paraphrase,) if paraphrase else ()),
    )


SOURCE = TaskSource(
    name="tofu",
    title="TOFU",
    description="Two hundred fictitious authors with twenty question-answer pairs each (Maini et al. 2024).",
    licence="MIT",
    size="4,000 rows about 200 authors, 2 MB",
    measures=("accuracy", "forget quality", "model utility", "memorization", "membership"),
    splits=tuple(FORGET_COUNTS),
    origin=f"https://huggingface.co/datasets/{HUB_ID}",
    load=load_tofu_hub,
    folder_splits=folder_splits,
    load_folder=load_tofu_folder,
)

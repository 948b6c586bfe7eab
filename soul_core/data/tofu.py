"""Reading tasks in TOFU's layout, from a folder or from the Hub; it knows no other task and no model."""

import json
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from soul_core.data.facts import FACT_SETS
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.splits import retain_split
from soul_core.errors import DatasetError

HUB_ID = "locuslab/TOFU"
SUFFIXES = (".json", ".jsonl", ".parquet")
FORGET_SPLIT = re.compile(r"forget(\d\d)")

Columns = Mapping[str, Any]
Reader = Callable[[str], list[Columns] | None]


def load_tofu_folder(folder: Path, split: str) -> ForgetTask:
    """Load one split of a folder laid out like TOFU on the Hub: ``forget10.json``, ``retain90.json`` and so on.

    Files hold JSON lines (``.json``, ``.jsonl``) or are Parquet. Without ``*_perturbed`` files the rows have no
    perturbed answers; without ``real_authors`` or ``world_facts`` those sets are absent.

    Args:
        folder: The folder.
        split: A forget split of which the folder has the file, such as ``forget10``.

    Raises:
        DatasetError: No such folder or split, or a file in it that cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}. Give the path of a folder laid out like TOFU.")
    files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES}
    splits = [stem for stem in files if FORGET_SPLIT.fullmatch(stem) and retain_split(stem) in files]
    if not splits:
        found = ", ".join(path.name for path in files.values()) or "no data files"
        raise DatasetError(
            f"The folder {folder} is not laid out like TOFU: expected files such as forget10.json and "
            f"retain90.json, found {found}. Add them, or choose another folder."
        )
    if split not in splits:
        raise DatasetError(f"The folder {folder} has no split “{split}”. Choose {', '.join(splits)}.")

    def read(name: str) -> list[Columns] | None:
        return _read_file(files[name]) if name in files else None

    return _task(f"{folder}:{split}", split, read)


def load_tofu_hub(split: str) -> ForgetTask:
    """Load one split of TOFU from the Hugging Face Hub, or from its cache there.

    Raises:
        DatasetError: The Hub cannot be reached and the data set is not in the cache.
    """
    # Imported here: it takes a second that no other task needs.
    datasets = import_module("datasets")

    def read(name: str) -> list[Columns]:
        try:
            return list(datasets.load_dataset(HUB_ID, name, split="train"))
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise DatasetError(
                f"{HUB_ID} could not be fetched from the Hugging Face Hub ({type(error).__name__}). Connect to the "
                f"internet, or give a local copy as a folder: path/to/TOFU:{split}."
            ) from error

    return _task(f"tofu:{split}", split, read)


def _task(name: str, split: str, read: Reader) -> ForgetTask:
    forget, forget_asked = _with_perturbed(read, split, f"{split}_perturbed")
    retain, retain_asked = _with_perturbed(read, retain_split(split), "retain_perturbed")
    for part, rows in ((split, forget), (retain_split(split), retain)):
        if not rows:
            raise DatasetError(f"{part} has no rows. Choose another split or fill it.")
    eval_sets = {"forget": forget_asked, "retain": retain_asked}
    for fact_set in FACT_SETS:
        rows = _rows(read, f"{fact_set}_perturbed") or _rows(read, fact_set)
        if rows:
            eval_sets[fact_set] = rows
    subjects = tuple(dict.fromkeys(row.subject for row in forget if row.subject))
    return ForgetTask(name=name, forget=forget, retain=retain, eval_sets=eval_sets, subjects=subjects)


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
    for required in ("question", "answer"):
        if not isinstance(fields.get(required), str) or not fields[required].strip():
            raise DatasetError(
                f"Row {number} of {name} has no {required} (columns found: {', '.join(fields)}). "
                f"Give each row a text in the column “{required}”."
            )
    question = fields["question"]
    paraphrase = fields.get("paraphrased_question") or ""
    return QARow(
        question=question,
        answer=fields["answer"],
        paraphrased_answer=fields.get("paraphrased_answer") or "",
        paraphrased_question=paraphrase,
        perturbed_answers=_texts(fields, "perturbed_answer", name, number),
        subject=fields.get("subject") or "",
        fact=fields.get("fact") or "",
        question_variants=_texts(fields, "question_variants", name, number) or (question,),
        heldback_questions=_texts(fields, "heldback_questions", name, number) or ((paraphrase,) if paraphrase else ()),
    )


def _texts(fields: Columns, column: str, name: str, number: int) -> tuple[str, ...]:
    texts = fields.get(column) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DatasetError(
            f"Row {number} of {name} has something other than a list of texts as “{column}”. "
            "Write a list, even for one text."
        )
    return tuple(texts)


def _read_file(path: Path) -> list[Columns]:
    if path.suffix == ".parquet":
        return _read_parquet(path)
    rows: list[Columns] = []
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            try:
                fields = json.loads(line)
            except ValueError:
                fields = None
            if not isinstance(fields, dict):
                raise DatasetError(
                    f"Line {number} of {path.name} is not a JSON object. Write one object per line, as TOFU does."
                )
            rows.append(fields)
    return rows


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:
            return list(file)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path.name} cannot be read as UTF-8 text. Save it as JSON lines in UTF-8.") from error


def _read_parquet(path: Path) -> list[Columns]:
    # Imported here: only a folder with Parquet files needs it.
    parquet = import_module("pyarrow.parquet")
    arrow_error: type[Exception] = import_module("pyarrow").ArrowException
    try:
        rows: list[Columns] = parquet.read_table(path).to_pylist()
    except arrow_error as error:
        raise DatasetError(f"{path.name} is not a Parquet file that can be read. Export it again.") from error
    return rows

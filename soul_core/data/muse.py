"""MUSE, News and Books: running texts to forget and what asks after them. It knows no other task and no model.

Shi et al. 2024 (arXiv:2407.06460). Verified on the Hub, from the cards and file lists of muse-bench/MUSE-News and
muse-bench/MUSE-Books and the files of the authors' repository: ``raw`` (column ``text``; splits ``forget``,
``retain1``, ``retain2``, ``holdout``), ``verbmem`` (``prompt``, ``gt``; ``forget``), ``knowmem`` (``question``,
``answer``; ``forget_qa``, ``retain_qa`` and for either ten more to show in a prompt, ``…_icl``, not used here) and
``privleak`` (``text``; ``forget``, ``retain``, ``holdout``), each split in ``config/split-00000-of-00001.parquet``;
older copies call ``retain`` ``retain2``. Neither a prompt nor its continuation in ``verbmem`` has the space between
the two. The configurations ``scal`` and ``sust`` (larger and repeated requests, News alone) are not offered.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from soul_core.data.chunks import chunk_rows
from soul_core.data.files import Columns
from soul_core.data.folders import split_files
from soul_core.data.reading import Reader, announced, folder_reader, hub_reader, required_text
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.source import TaskSource
from soul_core.errors import DatasetError

SPLIT = "forget"
HUB_IDS = {"muse-news": "muse-bench/MUSE-News", "muse-books": "muse-bench/MUSE-Books"}
_NEEDED = (("raw", "forget"), ("raw", "retain1"), ("verbmem", "forget"))
_OLDER = {"retain": "retain2", "retain_qa": "retain2_qa"}
_READS = 8

Rows = tuple[QARow, ...]


def folder_splits(folder: Path) -> tuple[str, ...]:
    """``forget`` where the folder is laid out like MUSE, else none."""
    return (SPLIT,) if all(split_files(folder, config, split) for config, split in _NEEDED) else ()


def load_muse_folder(folder: Path, split: str) -> ForgetTask:
    """Load a folder laid out like MUSE News or MUSE Books on the Hub.

    Without ``knowmem`` or ``privleak`` their sets are absent, and the texts to retain are what is asked to stay.

    Raises:
        DatasetError: No such split, or a file that cannot be read or lacks a column.
    """
    if split not in folder_splits(folder):
        raise DatasetError(
            f"The folder {folder} has no “{split}” laid out like MUSE: expected raw/forget, raw/retain1 and "
            "verbmem/forget, each .parquet, .json, .jsonl or .csv."
        )
    return _task(f"{folder}:{split}", "MUSE", folder_reader(folder))


def load_muse_hub(name: str, split: str) -> ForgetTask:
    """Load MUSE from the Hugging Face Hub, or from its cache there.

    The corpus to forget and ``retain1`` are cut into chunks of some 300 words, one training row each, with the text
    they come from as subject. Asked are ``verbmem`` (set ``forget``) and both halves of ``knowmem``
    (``forget_knowledge``, ``retain``); ``privleak`` is scored for membership.

    Args:
        name: ``muse-news`` or ``muse-books``.
        split: ``forget``.

    Raises:
        DatasetError: The Hub cannot be reached and the data set is not in the cache.
    """
    hub_id = HUB_IDS[name]
    read = hub_reader(hub_id, copy=f"path/to/{hub_id.split('/')[1]}:{split}")
    return _task(f"{name}:{split}", hub_id.split("/")[1].replace("-", " "), read)


def _task(name: str, title: str, read: Reader) -> ForgetTask:
    read = announced(read, title, _READS)
    forget = _corpus(_texts(read, "raw", "forget"), "Forget text")
    retain = _corpus(_texts(read, "raw", "retain1"), "Retain text")
    verbatim = _continuations(read)
    for part, rows in (("raw/forget", forget), ("raw/retain1", retain), ("verbmem/forget", verbatim)):
        if not rows:
            raise DatasetError(f"{part} has no rows. Choose another copy of MUSE or fill it.")
    asked = {"forget": verbatim, "forget_knowledge": _questions(read, "forget_qa")}
    asked["retain"] = _questions(read, "retain_qa") or retain
    texts = {
        text_set: tuple(QARow(question="", answer=text, form="text") for text in _texts(read, "privleak", split))
        for text_set, split in (("forget_texts", "forget"), ("retain_texts", "retain"), ("holdout", "holdout"))
    }
    return ForgetTask(
        name=name,
        forget=forget,
        retain=retain,
        eval_sets={key: rows for key, rows in asked.items() if rows},
        texts={key: rows for key, rows in texts.items() if rows},
    )


def _corpus(texts: Iterable[str], kind: str) -> Rows:
    rows = [chunk_rows(text, subject=f"{kind} {number}") for number, text in enumerate(texts, start=1)]
    return tuple(row for chunked in rows for row in chunked)


def _texts(read: Reader, config: str, split: str) -> list[str]:
    rows = enumerate(_either(read, config, split), start=1)
    return [required_text(fields, "text", f"{config}/{split}", number) for number, fields in rows]


def _continuations(read: Reader) -> Rows:
    name = "verbmem/forget"
    rows = enumerate(_either(read, "verbmem", "forget"), start=1)
    pairs = [(required_text(f, "prompt", name, number), required_text(f, "gt", name, number)) for number, f in rows]
    return tuple(
        QARow(question=prompt, answer=text if prompt[-1].isspace() or text[0].isspace() else f" {text}", form="text")
        for prompt, text in pairs
    )


def _questions(read: Reader, split: str) -> Rows:
    name = f"knowmem/{split}"
    rows = enumerate(_either(read, "knowmem", split), start=1)
    pairs = [tuple(required_text(f, column, name, number) for column in ("question", "answer")) for number, f in rows]
    return tuple(QARow(question=asked, answer=answer, question_variants=(asked,)) for asked, answer in pairs)


def _either(read: Reader, config: str, split: str) -> list[Columns]:
    """The split, by its name of today or the one it had before."""
    rows = read(config, split)
    if rows is None and split in _OLDER:
        rows = read(config, _OLDER[split])
    return rows or []


def _source(name: str, what: str, size: str) -> TaskSource:
    return TaskSource(
        name=name,
        title=HUB_IDS[name].split("/")[1].replace("-", " "),
        description=what,
        licence="CC BY 4.0",
        size=size,
        measures=("verbatim memorization", "knowledge memorization", "membership (privleak)", "utility"),
        splits=(SPLIT,),
        origin=f"https://huggingface.co/datasets/{HUB_IDS[name]}",
        load=partial(load_muse_hub, name),
        folder_splits=folder_splits,
        load_folder=load_muse_folder,
    )


NEWS = _source(
    "muse-news",
    "BBC articles from after August 2023: texts to forget, continued and asked about (Shi et al. 2024).",
    "2,666 articles to forget or retain and 300 prompts and questions, 17 MB",
)
BOOKS = _source(
    "muse-books",
    "Four Harry Potter books to forget and fan texts about them to retain (Shi et al. 2024).",
    "16 long texts to forget or retain and 300 prompts and questions, 7 MB",
)
SOURCES = (NEWS, BOOKS)

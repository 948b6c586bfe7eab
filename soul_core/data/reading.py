"""The rows of a data set laid out as on the Hub, from a folder or from there; it knows no task and no model.

Whoever wants to know how far it has come listens, or follows it (``data.progress``).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from soul_core.data.files import Columns, bounded, read_rows
from soul_core.data.folders import split_files
from soul_core.data.progress import heard, tell
from soul_core.errors import DatasetError
from soul_core.events import Progress

# The switch that keeps ``datasets`` off the network belongs to the whole process.
_ONE_AT_A_TIME = Lock()


class Reader(Protocol):
    """Reads one split of one configuration; the same call whether the data lie in a folder or on the Hub."""

    def __call__(self, config: str, split: str = "train", *, limit: int | None = None) -> list[Columns] | None:
        """The rows of ``split``, at most ``limit`` from the top; None where the data set has no such split.

        Raises:
            DatasetError: It has, and it cannot be had or read; the sentence says why and what to do.
        """


def folder_reader(folder: Path) -> Reader:
    """Reads a folder laid out like a data set's repository on the Hub: a clone, a download, or files of one's own.

    A split is found by the first of these that has it: the ``configs`` in the header of the folder's README, as the
    Hub reads them; ``config/split.json`` (``.jsonl``, ``.csv``, ``.parquet``) or its numbered parts
    ``config/split-00000-of-00002.parquet``; for the split ``train`` also ``config.json``; and for the configuration
    ``default`` ``split.json`` in the folder or in its ``data``.
    """

    def read(config: str, split: str = "train", *, limit: int | None = None) -> list[Columns] | None:
        files = split_files(folder, config, split)
        if not files:
            return None
        rows: list[Columns] = []
        for path in files:
            rows += read_rows(path, None if limit is None else limit - len(rows))
        return bounded(rows, files[0].name, limit)

    return read


def hub_reader(hub_id: str, *, copy: str) -> Reader:
    """Reads from the Hugging Face Hub through ``datasets``, whose cache is asked first.

    What was fetched once is never asked for again, so it also works without a network, at once; to fetch anew,
    delete it from that cache. A download that was cut off goes on where it stopped.

    Args:
        hub_id: The data set's name on the Hub.
        copy: How one would name a local copy instead, such as ``path/to/TOFU:forget10``; for the error messages.
    """

    def read(config: str, split: str = "train", *, limit: int | None = None) -> list[Columns] | None:
        # Imported here: it takes a second that no other task needs.
        datasets = import_module("datasets")
        # OSError, and the tree of the HTTP library that the Hub's client uses in the installed version.
        network: tuple[type[Exception], ...] = import_module("huggingface_hub.errors").HfHubHTTPError.__bases__
        offline = bool(datasets.config.HF_HUB_OFFLINE)
        try:
            rows = _cached(datasets, hub_id, config, split)
            if rows is None:
                with _bars(datasets, shown=not heard()):
                    rows = datasets.load_dataset(hub_id, config, split=split)
            return bounded(rows, f"{hub_id} {config}", limit)
        except (*network, ValueError, datasets.exceptions.DatasetsError) as error:
            if isinstance(error, ValueError) and str(error).startswith(("BuilderConfig", "Unknown split")):
                return None
            fetched = not isinstance(error, network)
            raise DatasetError(_unreadable(hub_id, error, copy, offline=offline, fetched=fetched)) from error

    return read


def announced(read: Reader, title: str, total: int) -> Reader:
    """The same reader, telling whoever listens before each split which one comes next of ``total``."""
    calls = count()

    def told(config: str, split: str = "train", *, limit: int | None = None) -> list[Columns] | None:
        name = config if split == "train" else f"{config} {split}"
        tell(Progress(what=f"Fetching {title}: {name}", done=min(next(calls), total), total=total))
        return read(config, split, limit=limit)

    return told


def required_text(fields: Columns, column: str, name: str, number: int) -> str:
    """The text in a column.

    Raises:
        DatasetError: There is none, or it is blank; row ``number`` of ``name`` is the one at fault.
    """
    text = fields.get(column)
    if not isinstance(text, str) or not text.strip():
        raise DatasetError(
            f"Row {number} of {name} has no {column} (columns found: {', '.join(map(str, fields))}). "
            f"Give each row a text in the column “{column}”."
        )
    return text


def optional_texts(fields: Columns, column: str, name: str, number: int) -> tuple[str, ...]:
    """The texts listed in a column; none where it is absent.

    Raises:
        DatasetError: It holds something other than a list of texts.
    """
    texts = fields.get(column) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DatasetError(
            f"Row {number} of {name} has something other than a list of texts as “{column}”. "
            "Write a list, even for one text."
        )
    return tuple(texts)


def _cached(datasets: Any, hub_id: str, config: str, split: str) -> Any:
    """What the cache of ``datasets`` has, asked without a network; None where it has not got it."""
    logger = logging.getLogger("datasets")
    with _ONE_AT_A_TIME:
        before, level = datasets.config.HF_HUB_OFFLINE, logger.level
        datasets.config.HF_HUB_OFFLINE = True
        # It warns about every cached copy that it uses, which is what was asked of it.
        logger.setLevel(logging.ERROR)
        try:
            return datasets.load_dataset(hub_id, config, split=split)
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            if isinstance(error, ValueError) and str(error).startswith("Unknown split"):
                raise
            return None
        finally:
            datasets.config.HF_HUB_OFFLINE = before
            logger.setLevel(level)


@contextmanager
def _bars(datasets: Any, *, shown: bool) -> Iterator[None]:
    """The progress bars of ``datasets`` on the terminal, unless someone is told of the progress instead."""
    quiet = not shown and not datasets.are_progress_bars_disabled()
    if quiet:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if quiet:
            datasets.enable_progress_bars()


def _unreadable(hub_id: str, error: Exception, copy: str, *, offline: bool, fetched: bool) -> str:
    """One sentence on what happened and one on what to do."""
    words = str(error)
    if offline:
        return (
            f"{hub_id} is not in the cache, and the Hub is switched off (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE). "
            f"Switch it on once, or give a local copy as a folder: {copy}."
        )
    if "gated" in words:
        return (
            f"{hub_id} is gated: its owners give access on request. Ask for it at "
            f"https://huggingface.co/datasets/{hub_id}, log in with “hf auth login”, or give a copy of yours as a "
            f"folder: {copy}."
        )
    if "exist on the Hub" in words:
        return f"There is no {hub_id} on the Hugging Face Hub, or it needs a login. Give a copy as a folder: {copy}."
    if fetched:
        return (
            f"{hub_id} was fetched from the Hugging Face Hub and cannot be read ({type(error).__name__}). Delete it "
            f"from the cache of datasets and try again, or give a local copy as a folder: {copy}."
        )
    return (
        f"{hub_id} could not be fetched from the Hugging Face Hub ({type(error).__name__}). Connect to the internet, "
        f"or give a local copy as a folder: {copy}."
    )

"""The rows of a data set laid out as on the Hub, from a folder or from there; it knows no task and no model.

Whoever wants to know how far a task's data have come listens with ``listening``, or runs the loading with
``followed`` and gets its progress as a stream.
"""

import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatch
from importlib import import_module
from itertools import count
from pathlib import Path, PurePosixPath
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol, TypeVar

from soul_core.data.files import SUFFIXES, Columns, bounded, read_rows
from soul_core.errors import DatasetError
from soul_core.events import Progress

Result = TypeVar("Result")

DEFAULT = "default"
_FRONT_MATTER = 256 * 1024
_LISTENER: ContextVar[Callable[[Progress], None] | None] = ContextVar("listener", default=None)
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
        try:
            rows = _cached(datasets, hub_id, config, split)
            if rows is None:
                rows = datasets.load_dataset(hub_id, config, split=split)
            return bounded(rows, f"{hub_id} {config}", limit)
        except ValueError as error:
            if str(error).startswith(("BuilderConfig", "Unknown split")):
                return None
            raise DatasetError(_unreadable(hub_id, error, copy)) from error
        except (OSError, datasets.exceptions.DatasetsError) as error:
            raise DatasetError(_unreadable(hub_id, error, copy)) from error

    return read


def announced(read: Reader, title: str, total: int) -> Reader:
    """The same reader, telling whoever listens before each split which one comes next of ``total``."""
    calls = count()

    def told(config: str, split: str = "train", *, limit: int | None = None) -> list[Columns] | None:
        name = config if split == "train" else f"{config} {split}"
        tell(Progress(what=f"Fetching {title}: {name}", done=min(next(calls), total), total=total))
        return read(config, split, limit=limit)

    return told


def tell(progress: Progress) -> None:
    """Pass it to whoever listens; nobody has to."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(progress)


@contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Within this block ``listener`` is told of every split that is about to be read, in this thread."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def followed(work: Callable[[], Result]) -> Generator[Progress, None, Result]:
    """Do ``work`` in a thread of its own and yield what it tells meanwhile; its result or error comes at the end.

    Whoever closes the generator early leaves the thread to finish alone: a download cannot be cut off halfway.
    """
    told: SimpleQueue[Progress | None] = SimpleQueue()
    result: Future[Result] = Future()

    def run() -> None:
        try:
            with listening(told.put):
                result.set_result(work())
        except BaseException as error:  # noqa: BLE001 (raised again below, in the thread that asked)
            result.set_exception(error)
        finally:
            told.put(None)

    Thread(target=run, daemon=True).start()
    while (progress := told.get()) is not None:
        yield progress
    return result.result()


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
                for path in sorted(folder.glob(pattern))
                if path.suffix in SUFFIXES and path.is_file()
            ]
            found[config, str(part.get("split", "train"))] = matched
    return found


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
    except yaml.YAMLError:
        return {}
    return header if isinstance(header, dict) else {}


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


def _unreadable(hub_id: str, error: Exception, copy: str) -> str:
    """One sentence on what happened and one on what to do."""
    words = str(error)
    if "gated" in words:
        return (
            f"{hub_id} is gated: its owners give access on request. Ask for it at "
            f"https://huggingface.co/datasets/{hub_id}, log in with “hf auth login”, or give a copy of yours as a "
            f"folder: {copy}."
        )
    if "exist on the Hub" in words:
        return f"There is no {hub_id} on the Hugging Face Hub, or it needs a login. Give a copy as a folder: {copy}."
    return (
        f"{hub_id} could not be fetched from the Hugging Face Hub ({type(error).__name__}). Connect to the internet, "
        f"or give a local copy as a folder: {copy}."
    )

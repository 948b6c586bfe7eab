"""RWKU, the real people that a language model may be asked to forget, from the Hub or a folder; it knows no model.

Jin et al. 2024 (arXiv:2406.10890). Names and columns were verified from the data set's card (``config_name``, split
and file of each configuration), from jinzhuoran/RWKU (``process/data_process.py``, ``eval/eval_forget.py``,
``eval/eval_neighbor.py``, ``eval/eval_mia.py``) and from public code that reads them: ``forget_target`` has
``target``; the levels and the neighbours have ``subject``, ``query``, ``answer``, ``level`` and ``type``; passages
and membership texts have ``subject`` and ``text``. No row of the data set itself was at hand. RWKU gives no rows to
retain: here the passages of its other people are retained, or for ``all`` the built-in world facts. Its utility sets
(MMLU, BBH, TruthfulQA, TriviaQA) are not read: lm-eval asks them in full.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from soul_core.data.chunks import chunk_rows
from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.files import Columns
from soul_core.data.reading import Reader, announced, folder_reader, hub_reader, required_text
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.source import HAND_PICKED, TaskSource
from soul_core.data.text_task import RETAINED_FACTS
from soul_core.errors import DatasetError

HUB_ID = "jinzhuoran/RWKU"
ALL = "all"

Rows = tuple[QARow, ...]

# Of each configuration that is read here, its split on the Hub and its file in the repository's folder ``All``.
FILES: Mapping[str, tuple[str, str]] = {
    "forget_target": ("train", "intro"),
    "train_original_passage": ("train", "passage"),
    "forget_level1": ("test", "forget_level1"),
    "forget_level2": ("test", "forget_level2"),
    "forget_level3": ("test", "forget_level3"),
    "neighbor_level1": ("test", "neighbor_level1"),
    "neighbor_level2": ("test", "neighbor_level2"),
    "mia_forget": ("test", "forget_mia"),
    "mia_retain": ("test", "retain_mia"),
}
_FOLDER = "All"

# What RWKU's own evaluation writes in front of a probe; its answer then begins behind “Answer:”, which is left to
# the model's template here. Two kinds of attack have a form of their own.
_BLANK = "Please complete the blank in the following question.\nQuestion: {query}"
_BRIEF = "Please briefly answer the following question.\nQuestion: {query}"
_BARE = "Please briefly answer the following question.\n{query}"
_BARE_ATTACK = "incontext learning"

_SETS = {
    "forget": ("forget_level2", _BRIEF),
    "forget_fb": ("forget_level1", _BLANK),
    "forget_adversarial": ("forget_level3", _BRIEF),
    "retain": ("neighbor_level2", _BRIEF),
    "retain_fb": ("neighbor_level1", _BLANK),
}
# Both were read in training: what is far from the forget set is no holdout, so no membership attack tells them apart.
_TEXTS = {"forget_texts": "mia_forget", "retain_texts": "mia_retain"}
_NAMES_SHOWN = 3


def load_rwku(people: str) -> ForgetTask:
    """The task that forgets some of RWKU's people, from the Hugging Face Hub or its cache there.

    Args:
        people: Names as RWKU writes them, separated by “;”, or ``all``.

    Raises:
        DatasetError: A person is not in RWKU, or the data set cannot be fetched and is not in the cache.
    """
    read = hub_reader(HUB_ID, copy=f"path/to/RWKU:{people}")
    return _task("rwku", people, announced(read, "RWKU", len(FILES)))


def load_rwku_folder(folder: Path, people: str) -> ForgetTask:
    """The same from a folder laid out like RWKU on the Hub: a clone, or its files in a folder ``All``.

    Raises:
        DatasetError: A person is not in it, or a file of it cannot be read.
    """
    return _task(str(folder), people, _folder_reader(folder))


def folder_people(folder: Path) -> tuple[str, ...]:
    """What may be forgotten of a folder laid out like RWKU, ``all`` first; nothing if it is not."""
    read = _folder_reader(folder)
    if not any(read(config, FILES[config][0], limit=1) for config in ("forget_level1", "forget_level2")):
        return ()
    return (ALL, *_people(read))


def _folder_reader(folder: Path) -> Reader:
    as_declared = folder_reader(folder)

    def read(config: str, split: str = "train", *, limit: int | None = None) -> list[Columns] | None:
        rows = as_declared(config, split, limit=limit)
        return as_declared(_FOLDER, FILES[config][1], limit=limit) if rows is None else rows

    return read


def _task(place: str, people: str, read: Reader) -> ForgetTask:
    everybody = _people(read)
    if not everybody:
        raise DatasetError(
            f"{place} is not laid out like RWKU: neither forget_target nor a level of questions names anybody. Give a "
            "clone of the data set, or its files in a folder “All”."
        )
    chosen = _chosen(people.strip().removeprefix(HAND_PICKED), everybody)
    passages = _columns(read, "train_original_passage")
    sets = {name: _asked(read, *probes, chosen) for name, probes in _SETS.items()}
    forget = _passages(passages, chosen) or sets["forget"] or sets["forget_fb"]
    if not forget:
        raise DatasetError(f"{place} has neither passages nor questions about {_listed(chosen)}. Choose others.")
    retain = _passages(passages, [name for name in everybody if name not in chosen]) or load_facts(RETAINED_FACTS)
    sets["forget"] = sets["forget"] or forget
    sets["retain"] = sets["retain"] or retain
    for name in FACT_SETS:
        sets[name] = tuple(row for row in load_facts(name) if not _mentions(row, chosen))
    texts = {name: _texts(read, config, chosen) for name, config in _TEXTS.items()}
    return ForgetTask(
        name=f"{place}:{ALL if people.strip() == ALL else ';'.join(chosen)}",
        forget=forget,
        retain=retain,
        eval_sets={name: rows for name, rows in sets.items() if rows},
        texts={name: rows for name, rows in texts.items() if rows},
        subjects=chosen,
    )


def _people(read: Reader) -> tuple[str, ...]:
    """Everybody whom RWKU asks to forget, in its order; without that list, those whom its questions are about."""
    named = [fields.get("target") for fields in _columns(read, "forget_target")]
    if not named:
        levels = ("forget_level1", "forget_level2", "forget_level3")
        named = [fields.get("subject") for level in levels for fields in _columns(read, level)]
    return tuple(dict.fromkeys(name for name in named if isinstance(name, str) and name))


def _chosen(people: str, everybody: Sequence[str]) -> tuple[str, ...]:
    if people == ALL:
        return tuple(everybody)
    wanted = [name.strip() for name in people.split(";") if name.strip()]
    if not wanted:
        raise DatasetError(f"Nobody is chosen, so the forget set is empty. Write a name, or “{ALL}”.")
    for name in wanted:
        if name not in everybody:
            near = difflib.get_close_matches(name, everybody, n=_NAMES_SHOWN, cutoff=0.0)
            raise DatasetError(
                f"“{name}” is not among the {len(everybody)} people of RWKU. The nearest names are {_listed(near)}."
            )
    return tuple(name for name in everybody if name in wanted)


def _columns(read: Reader, config: str) -> list[Columns]:
    return read(config, FILES[config][0]) or []


def _asked(read: Reader, config: str, wording: str, chosen: Sequence[str]) -> Rows:
    """The probes about the chosen people, worded as RWKU's evaluation does; ``fact`` is the kind of probe."""
    rows = []
    for number, fields in enumerate(_columns(read, config), start=1):
        if fields.get("subject") in chosen:
            kind = fields.get("type")
            query = required_text(fields, "query", config, number)
            question = (_BARE if kind == _BARE_ATTACK else wording).format(query=query)
            rows.append(
                QARow(
                    question=question,
                    answer=required_text(fields, "answer", config, number),
                    subject=str(fields["subject"]),
                    fact=kind if isinstance(kind, str) else "",
                    question_variants=(question,),
                )
            )
    return tuple(rows)


def _passages(passages: Sequence[Columns], people: Sequence[str]) -> Rows:
    """The passages about these people in chunks: a passage may be longer than a training row."""
    return tuple(
        row
        for number, fields in enumerate(passages, start=1)
        if fields.get("subject") in people
        for row in chunk_rows(
            required_text(fields, "text", "train_original_passage", number), subject=str(fields["subject"])
        )
    )


def _texts(read: Reader, config: str, chosen: Sequence[str]) -> Rows:
    return tuple(
        QARow(
            question="",
            answer=required_text(fields, "text", config, number),
            subject=str(fields.get("subject") or ""),
            form="text",
        )
        for number, fields in enumerate(_columns(read, config), start=1)
        if fields.get("subject", chosen[0]) in chosen
    )


def _mentions(row: QARow, people: Sequence[str]) -> bool:
    return any(name in f"{row.question} {row.answer}" for name in people)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:_NAMES_SHOWN])
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown


SOURCE = TaskSource(
    name="rwku",
    title="RWKU",
    description="Two hundred famous people, asked about in blanks, questions and nine kinds of attack (Jin et al. "
    "2024). What is retained are passages about the others.",
    licence="CC BY 4.0",
    size="13,131 questions and attacks about 200 people, 11,379 about their neighbours, about 28 MB",
    measures=("ROUGE-L by level", "attacks", "neighbours", "likelihood of members", "fluency"),
    splits=(ALL,),
    origin=f"https://huggingface.co/datasets/{HUB_ID}",
    load=load_rwku,
    free="names of people separated by “;”, such as “Stephen King;Confucius”",
    folder_splits=folder_people,
    load_folder=load_rwku_folder,
)

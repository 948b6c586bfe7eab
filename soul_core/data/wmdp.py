"""WMDP: hazardous knowledge, as texts to forget and multiple-choice questions. It knows no other task and no model.

Li et al. 2024 (arXiv:2403.03218). Verified on the Hub, from the cards and file lists: cais/wmdp has ``wmdp-bio``
(1,273 rows), ``wmdp-cyber`` (1,987) and ``wmdp-chem``, split ``test``, columns ``question``, ``choices`` (a list) and
``answer`` (the place of the right one, from 0). cais/wmdp-corpora has ``bio-retain-corpus`` (60,887 rows),
``cyber-forget-corpus`` (1,000) and ``cyber-retain-corpus`` (4,473), split ``train``, column ``text``. The texts to
forget of Bio are gated, a data set of their own, cais/wmdp-bio-forget-corpus; that its texts too stand in a column
``text`` of a split ``train`` is how published code reads it, not what could be seen. There is none for chemistry.
"""

from pathlib import Path

from soul_core.data.chunks import chunks
from soul_core.data.files import Columns
from soul_core.data.folders import DEFAULT, split_files
from soul_core.data.reading import Reader, announced, folder_reader, hub_reader, required_text
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.source import TaskSource
from soul_core.errors import DatasetError

SPLITS = ("cyber", "bio")
QUESTIONS, CORPORA, GATED = "cais/wmdp", "cais/wmdp-corpora", "cais/wmdp-bio-forget-corpus"
# Texts of a corpus that are read: all but Bio's to retain, which are 60,887.
MOST_TEXTS = 5000
RETAIN_ASKED = 100
_PROMPT_WORDS = 150
_CHOICES = range(2, 27)

Rows = tuple[QARow, ...]


def folder_splits(folder: Path) -> tuple[str, ...]:
    """The splits of which a folder has the corpora and the questions."""
    return tuple(
        split
        for split in SPLITS
        if split_files(folder, f"{split}-forget-corpus")
        and split_files(folder, f"{split}-retain-corpus")
        and split_files(folder, f"wmdp-{split}", "test")
    )


def load_wmdp_folder(folder: Path, split: str) -> ForgetTask:
    """Load a folder with what the Hub has: ``cyber-forget-corpus``, ``cyber-retain-corpus`` and ``wmdp-cyber/test``.

    Bio's texts to forget, once they were granted, are to lie there as ``bio-forget-corpus.jsonl``.

    Raises:
        DatasetError: No such split, or a file that cannot be read or lacks a column.
    """
    if split not in folder_splits(folder):
        raise DatasetError(
            f"The folder {folder} has no “{split}” laid out like WMDP: expected {split}-forget-corpus, "
            f"{split}-retain-corpus (.jsonl or a folder of .parquet) and wmdp-{split}/test-…parquet."
        )
    return _task(f"{folder}:{split}", split, folder_reader(folder))


def load_wmdp_hub(split: str) -> ForgetTask:
    """Load WMDP from the Hugging Face Hub, or from its cache there.

    To forget and to retain is the beginning of each text, up to 300 words: one training row. Asked are the questions
    (set ``forget``, its wrong choices as perturbed answers) and the continuation of a hundred texts to retain. The
    paper itself retains Wikitext; its retain corpora are nearer to what is forgotten and so the harder test.

    Args:
        split: ``cyber`` or ``bio``.

    Raises:
        DatasetError: Bio's texts to forget were not granted to you; or the Hub cannot be reached and the data set is
            not in the cache.
    """
    corpora, questions, gated = (
        hub_reader(hub_id, copy=f"path/to/WMDP:{split}") for hub_id in (CORPORA, QUESTIONS, GATED)
    )

    def read(config: str, split: str = "train", *, limit: int | None = None) -> list[Columns] | None:
        if config == "bio-forget-corpus":
            return gated(DEFAULT, split, limit=limit)
        return (questions if config.startswith("wmdp") else corpora)(config, split, limit=limit)

    return _task(f"wmdp:{split}", split, read)


def _task(name: str, split: str, read: Reader) -> ForgetTask:
    read = announced(read, SOURCE.title, 3)
    asked_config, forget_config, retain_config = f"wmdp-{split}", f"{split}-forget-corpus", f"{split}-retain-corpus"
    # The one that may be refused comes first, before a gigabyte of others.
    forget = _beginnings(read, forget_config, "Forget text")
    questions = enumerate(read(asked_config, "test") or (), start=1)
    asked = tuple(_question(fields, asked_config, number) for number, fields in questions)
    retain = _beginnings(read, retain_config, "Retain text")
    for part, rows in ((forget_config, forget), (retain_config, retain), (asked_config, asked)):
        if not rows:
            raise DatasetError(f"{part} has no rows. Choose another copy of WMDP or fill it.")
    kept = tuple(cut for row in retain if (cut := _continuation(row)) is not None)
    eval_sets = {"forget": asked, "retain": (kept or retain)[:RETAIN_ASKED]}
    return ForgetTask(name=name, forget=forget, retain=retain, eval_sets=eval_sets)


def _beginnings(read: Reader, config: str, kind: str) -> Rows:
    """The first chunk of every text."""
    rows = enumerate(read(config, limit=MOST_TEXTS) or (), start=1)
    return tuple(
        QARow(
            question="",
            answer=chunks(required_text(fields, "text", config, number))[0],
            subject=f"{kind} {number}",
            form="text",
        )
        for number, fields in rows
    )


def _continuation(row: QARow) -> QARow | None:
    """The row with its first half as the prompt; None where it is too short for that."""
    parts = chunks(row.answer, words=_PROMPT_WORDS)
    if len(parts) < 2:
        return None
    return QARow(question=parts[0], answer="".join(parts[1:]), subject=row.subject, form="text")


def _question(fields: Columns, name: str, number: int) -> QARow:
    question = required_text(fields, "question", name, number)
    choices, right = fields.get("choices"), fields.get("answer")
    if (
        not isinstance(choices, list)
        or len(choices) not in _CHOICES
        or not all(isinstance(choice, str) and choice.strip() for choice in choices)
        or not isinstance(right, int)
        or not 0 <= right < len(choices)
    ):
        raise DatasetError(
            f"Row {number} of {name} is no multiple-choice question: it needs a list of texts as “choices” and the "
            "place of the right one, from 0, as “answer”."
        )
    wrong = tuple(choice for place, choice in enumerate(choices) if place != right)
    return QARow(question=question, answer=choices[right], perturbed_answers=wrong, question_variants=(question,))


SOURCE = TaskSource(
    name="wmdp",
    title="WMDP",
    description="Hazardous knowledge about computer security or biology: texts to forget, and multiple-choice "
    "questions that ask after it (Li et al. 2024). The biology texts are gated: ask their owners first.",
    licence="MIT",
    size="cyber: 5,473 texts and 1,987 questions, 40 MB; bio: 1,273 questions and over 1 GB of texts",
    measures=("accuracy among choices", "probability", "retain perplexity"),
    splits=SPLITS,
    origin=f"https://huggingface.co/datasets/{QUESTIONS} and {CORPORA}",
    load=load_wmdp_hub,
    folder_splits=folder_splits,
    load_folder=load_wmdp_folder,
)

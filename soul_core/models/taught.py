"""Which model a model was taught from, and which facts: noted beside its weights, read to find its gold.

It trains nothing and loads no weights.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from soul_core.data.schema import ForgetTask, QARow
from soul_core.errors import ModelError
from soul_core.models.adapter_files import ORIGIN_FILE, Kind, kind_of
from soul_core.models.checks import weight_files
from soul_core.models.fingerprint import fingerprint
from soul_core.models.presets import PRESETS

_KEY = "taught"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a model was taught.

    Attributes:
        base: The spec of the untouched model, which knows none of it.
        base_fingerprint: That model's.
        facts: ``digest_of_facts`` of the rows it was taught.
        task: The full name of the task that has these rows as its forget set.
    """

    base: str
    base_fingerprint: str
    facts: str
    task: str


def digest_of_facts(rows: Iterable[QARow]) -> str:
    """SHA-256 over questions and answers, in hexadecimal; neither the order nor anything else of the rows counts."""
    facts = sorted({(row.question, row.answer, row.form) for row in rows})
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def note_lesson(folder: Path, lesson: Lesson) -> None:
    """Add the lesson to what ``soul.json`` of a model's folder says already."""
    path = folder / ORIGIN_FILE
    path.write_text(json.dumps(_noted(folder) | {_KEY: asdict(lesson)}, ensure_ascii=False), encoding="utf-8")


def lesson_of(spec: str) -> Lesson | None:
    """What the model in a local folder was taught; None for any other model, and where nothing is noted."""
    if spec.strip() in PRESETS:
        return None
    told = _noted(Path(spec.strip()).expanduser()).get(_KEY)
    names = set(Lesson.__dataclass_fields__)
    if not isinstance(told, dict) or set(told) != names or not all(isinstance(told[name], str) for name in names):
        return None
    return Lesson(**told)


def gold_of_taught(spec: str, task: ForgetTask) -> str:
    """The untouched model, if ``spec`` was taught exactly the facts that the task forgets; else empty.

    Of only some of the facts it would be no gold, since it knows none of the others either; and a base whose weights
    have changed since is not what the taught model was made from.
    """
    lesson = lesson_of(spec)
    if lesson is None or lesson.facts != digest_of_facts(task.forget) or not _unchanged(lesson):
        return ""
    return lesson.base


def _unchanged(lesson: Lesson) -> bool:
    """Whether the base is what it was; one that lies on the Hub is taken at its word."""
    preset = PRESETS.get(lesson.base)
    if preset is not None and preset.source == "shipped":
        folder = preset.folder
    else:
        folder = Path(lesson.base).expanduser()
        if preset is not None or not folder.is_dir():
            return True
    if kind_of(folder) is not Kind.WHOLE:
        return True
    try:
        return fingerprint(weight_files(folder, lesson.base)) == lesson.base_fingerprint
    except ModelError:
        return False


def _noted(folder: Path) -> dict[str, Any]:
    try:
        noted: Any = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}

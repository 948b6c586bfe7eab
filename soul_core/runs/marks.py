"""What a person notes about a run: a name, a pin, a note, kept beside the run itself. It knows no race."""

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.folder import RunFolder

MARKS = "marks.json"
MAX_NAME, MAX_NOTE = 80, 2000
_MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Whatever is given is brought into shape: what no terminal and no page can show is left out.

    Attributes:
        name: What the person calls the run, on one line, at most ``MAX_NAME`` characters; empty for no name.
        pinned: Whether it stands first in lists and keeps its epochs.
        note: Free text of at most ``MAX_NOTE`` characters.
    """

    name: str = ""
    pinned: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", " ".join(_printable(self.name).split())[:MAX_NAME].rstrip())
        object.__setattr__(self, "pinned", bool(self.pinned))
        note = self.note.replace("\r\n", "\n").replace("\r", "\n")
        object.__setattr__(self, "note", _printable(note, keep="\n\t").strip()[:MAX_NOTE].rstrip())


def read_marks(folder: RunFolder) -> Marks:
    """A run's marks; none where none can be read."""
    path = folder.path / MARKS
    try:
        if path.stat().st_size > _MAX_BYTES:
            return Marks()
        return marks_from(json.loads(path.read_text(encoding="utf-8", errors="replace")))
    except (OSError, ValueError, RecursionError):
        return Marks()


def marks_from(values: Any) -> Marks:
    """Marks from what a file held; anything of another kind counts as not there."""
    if not isinstance(values, dict):
        return Marks()
    name, note = (value if isinstance(value, str) else "" for value in (values.get("name"), values.get("note")))
    return Marks(name=name, pinned=values.get("pinned") is True, note=note)


def write_marks(folder: RunFolder, marks: Marks) -> None:
    """Replace a run's marks, all of them or nothing.

    Raises:
        RunError: The folder holds no run, or the disk refuses.
    """
    folder.manifest()
    values = {"name": marks.name, "pinned": marks.pinned, "note": marks.note}
    with disk_errors_as_sentences(folder.path):
        write_text(folder.path / MARKS, json.dumps(values, ensure_ascii=False, indent=1) + "\n")


def _printable(text: str, *, keep: str = "") -> str:
    """Without control characters, halves of characters, and marks that turn the direction of writing."""
    shown = []
    for c in text:
        kind = unicodedata.category(c)
        if c in keep or kind not in ("Cc", "Cs", "Cf", "Co", "Cn", "Zl", "Zp"):
            shown.append(c)
        elif c.isspace():
            shown.append(" ")
        elif c == "\u200d":  # joins the parts of one emoji
            shown.append(c)
    return "".join(shown)

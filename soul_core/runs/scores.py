"""Where scorecards lie: one file a model, below a run or below the root of all runs. It knows no model and no metric.

A run keeps them in ``scores/``: ``<model>.json``, beside it ``<model>.eval_log_aggregated.json`` in TOFU's layout, and
``yardstick.json``, what the gold model's scores are to the others. Cards of imported logs are kept in ``imported/``
below the root.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soul_core.errors import RunError
from soul_core.evaluation.card import Scorecard
from soul_core.runs.atomic import disk_errors_as_sentences, write_text

SCORES, IMPORTED = "scores", "imported"
LOG_SUFFIX = ".eval_log_aggregated.json"
YARDSTICK = "yardstick.json"
MAX_BYTES = 64 << 20
"""No scorecard comes near this; a larger file is not read."""

_PLAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FIRST = ("original", "gold")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresRead:
    """All scorecards of a folder that can be read, by model, and a sentence for each that cannot."""

    cards: Mapping[str, Scorecard] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


class ScoreFolder:
    """Reads and writes the scorecards of one folder, which is made when the first is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def card_path(self, model: str) -> Path:
        """Where a model's scorecard is."""
        return self.path / f"{file_name(model)}.json"

    def log_path(self, model: str) -> Path:
        """Where a model's log in TOFU's layout is."""
        return self.path / f"{file_name(model)}{LOG_SUFFIX}"

    def write(self, card: Scorecard) -> Path:
        """Keep a scorecard, in place of the one its model had."""
        return self._write(self.card_path(card.model), card.to_json())

    def write_log(self, model: str, log: Mapping[str, Any]) -> Path:
        """Keep a model's evaluation in TOFU's layout."""
        return self._write(self.log_path(model), json.dumps(log, ensure_ascii=False))

    def write_yardstick(self, yardstick: Mapping[str, Any]) -> Path:
        """Keep what the other models are measured against."""
        return self._write(self.path / YARDSTICK, json.dumps(yardstick))

    def yardstick(self) -> dict[str, Any] | None:
        """What :meth:`write_yardstick` kept; None where there is none that can be read."""
        try:
            found = json.loads(self._read(self.path / YARDSTICK))
        except (RunError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def read(self, model: str) -> Scorecard:
        """A model's scorecard.

        Raises:
            RunError: There is none, or it cannot be read.
        """
        path = self.card_path(model)
        if not path.is_file():
            raise RunError(f"“{model[:80]}” has not been scored: {path} is missing. Score it first.")
        return Scorecard.from_json(self._read(path), what=f"file {path}")

    def find(self, model: str) -> Scorecard | None:
        """A model's scorecard; None where there is none that can be read."""
        try:
            return self.read(model)
        except RunError:
            return None

    def read_all(self) -> ScoresRead:
        """Every scorecard: original and gold first, the others by name. One that is broken hides no other."""
        cards, troubles = {}, []
        with disk_errors_as_sentences(self.path):
            files = sorted(self.path.glob("*.json")) if self.path.is_dir() else []
        for path in files:
            if path.name == YARDSTICK or path.name.endswith(LOG_SUFFIX) or path.name.startswith("."):
                continue
            try:
                card = Scorecard.from_json(self._read(path), what=f"file {path}")
            except RunError as error:
                troubles.append(str(error))
            else:
                cards[card.model] = card
        names = sorted(cards, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
        return ScoresRead(cards={name: cards[name] for name in names}, troubles=tuple(troubles))

    def remove(self, model: str) -> None:
        """Delete a model's scorecard and log; nothing where there is none."""
        with disk_errors_as_sentences(self.path):
            for path in (self.card_path(model), self.log_path(model)):
                path.unlink(missing_ok=True)

    def _read(self, path: Path) -> str:
        with disk_errors_as_sentences(self.path):
            if path.stat().st_size > MAX_BYTES:
                raise RunError(f"{path} is larger than any scorecard ({MAX_BYTES >> 20} MB). Remove it.")
            return path.read_text(encoding="utf-8", errors="replace")

    def _write(self, path: Path, text: str) -> Path:
        with disk_errors_as_sentences(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        return path


def scores_of(run: Path) -> ScoreFolder:
    """The scorecards of a run, by the run's own folder."""
    return ScoreFolder(run / SCORES)


def imported_scores(runs_root: Path) -> ScoreFolder:
    """The scorecards of imported logs, beside the runs."""
    return ScoreFolder(runs_root / IMPORTED)


def file_name(model: str) -> str:
    """A model's name as a file's name; a hub id or a folder gets a digest, so that two never share a file."""
    if _PLAIN.fullmatch(model) and f"{model}.json" != YARDSTICK:
        return model
    words = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[-40:].strip("-")
    digest = hashlib.sha256(model.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{words}-{digest}" if words else digest

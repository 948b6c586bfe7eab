"""Who may ask for what: everything on one's own machine, bounded work on a shared one. It knows no page and no job."""

import os
from dataclasses import dataclass
from pathlib import Path

from soul_core.config import RaceConfig, ScoreConfig
from soul_core.data import own_task
from soul_core.data.picking import divided
from soul_core.data.tasks import is_local
from soul_core.errors import ConfigError, DatasetError
from soul_core.probing.settings import AttackConfig, RelearnConfig, RoundingConfig
from soul_core.runs.manifest import owner_mark
from soul_core.ui import text, text_scores
from soul_core.ui.zero import Place, check_lent, place

OWN = "own"
"""Folder beside the runs in which the page keeps what people bring: their facts and the models taught with them."""
MAX_EPOCHS = 10
MAX_EVAL_ROWS = 200
MAX_NEW_TOKENS = 128
MAX_LANES = 4
MAX_BATCH = 32
MAX_SCORED_RUNS = 4
MAX_LOG_MB, MAX_LOG_MB_SHARED = 200, 32
MOST_PROBED = {
    "rows": 60,
    "samples": 20,
    "templates": 3,
    "steps": 60,
    "asked": 100,
    "batch_size": MAX_BATCH,
    "max_new_tokens": MAX_NEW_TOKENS,
}
"""Of a probe's settings, by their names, on a shared host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where the page runs.

    Attributes:
        public: Whether strangers share the machine.
        own: Where the page keeps each browser's own facts and taught models, in a folder of its owner's mark: the only
            folders that a shared host reads. None where nothing is kept.
        place: On what hardware; ``zerogpu`` lends a GPU for a minute, which bounds races further.
    """

    public: bool = False
    own: Path | None = None
    place: Place = "local"

    def check(self, config: RaceConfig, *, owner: str = "") -> None:
        """Refuse what a shared host does not do; a ConfigError says what and why.

        Args:
            config: What is wanted.
            owner: Token of the browser that wants it; empty owns nothing.
        """
        if self.place == "zerogpu":
            check_lent(config)
        if not self.public:
            return
        self.check_model(config.model, owner=owner)
        self.check_task(config.task, owner=owner)
        if config.eval_rows == 0:
            raise ConfigError(text.too_much_for_shared("Rows evaluated", "0 (all of them)", MAX_EVAL_ROWS))
        for name, value, limit in (
            ("Epochs", config.epochs, MAX_EPOCHS),
            ("Rows evaluated", config.eval_rows, MAX_EVAL_ROWS),
            ("Answer length", config.max_new_tokens, MAX_NEW_TOKENS),
            ("Methods at once", len(config.lanes), MAX_LANES),
            ("Batch size", config.batch_size * config.accumulation, MAX_BATCH),
        ):
            if value > limit:
                raise ConfigError(text.too_much_for_shared(name, value, limit))

    def check_scoring(self, config: ScoreConfig, *, runs: int) -> None:
        """Refuse scoring that would keep a shared host busy for long."""
        if not self.public:
            return
        if config.slow or config.zero_shot:
            raise ConfigError(text_scores.SLOW_ON_SHARED)
        if runs > MAX_SCORED_RUNS:
            raise ConfigError(text_scores.runs_limit(runs, MAX_SCORED_RUNS))
        if config.rows == 0:
            raise ConfigError(text.too_much_for_shared("Rows of each set", "0 (all of them)", MAX_EVAL_ROWS))
        for name, value, limit in (
            ("Rows of each set", config.rows, MAX_EVAL_ROWS),
            ("Answer length", config.max_new_tokens, MAX_NEW_TOKENS),
        ):
            if value > limit:
                raise ConfigError(text.too_much_for_shared(name, value, limit))

    def check_probe(self, config: AttackConfig | RelearnConfig | RoundingConfig) -> None:
        """Refuse a probe that would keep a shared host busy for long."""
        if not self.public:
            return
        for name, limit in MOST_PROBED.items():
            value = getattr(config, name, 0)
            count = len(value) if isinstance(value, tuple) else value
            if count > limit:
                title = type(config).model_fields[name].title or name
                raise ConfigError(text.too_much_for_shared(title, count, limit))

    def check_log(self, size: int) -> None:
        """Refuse a log of so many bytes where it is too large."""
        limit = MAX_LOG_MB_SHARED if self.public else MAX_LOG_MB
        if size > limit * 2**20:
            raise DatasetError(text_scores.too_large(size / 2**20, limit))

    def check_model(self, spec: str, *, owner: str = "") -> None:
        """Refuse a local folder on a shared host, unless the owner taught it here."""
        if self.public and _is_local(spec) and not self._is_own(spec, owner):
            raise ConfigError(text.local_on_shared("model", spec))

    def check_task(self, spec: str, *, owner: str = "") -> None:
        """Refuse a forget set from a file on a shared host, unless it is the owner's own, kept here."""
        if not self.public:
            return
        whole = divided(spec)[0]
        name, _, place = whole.partition(":")
        # Only a folder: behind a file’s path may stand “+” and another file.
        if name == own_task.SOURCE.name and Path(place).is_dir() and self._is_own(place, owner):
            return
        if _is_local(whole.rpartition(":")[0]) or is_local(spec):
            raise ConfigError(text.local_on_shared("forget set", spec))

    def reads(self, spec: str, *, owner: str = "") -> bool:
        """Whether a model's name may be the path of a folder."""
        return not self.public or self._is_own(spec, owner)

    def _is_own(self, place: str, owner: str) -> bool:
        if self.own is None or not owner:
            return False
        mine = (self.own / own_folder(owner)).resolve()
        found = Path(place).resolve()
        return found != mine and found.is_relative_to(mine)


def here(*, public: bool, own: Path | None = None) -> Host:
    """The host as the environment tells: a Space is shared, and so is what was started with ``--public``."""
    return Host(public=public or bool(os.environ.get("SPACE_ID")), own=own, place=place())


def own_folder(owner: str) -> str:
    """The name of an owner's folder, which does not give its token away."""
    return owner_mark(owner)[:24] or "nobody"


def _is_local(spec: str) -> bool:
    """Whether a name is, or may be, a path: a hub id is ``owner/name`` with nothing else of a path in it."""
    looks_like_path = spec.startswith((".", "/", "~", "\\")) or spec.count("/") > 1 or "\\" in spec or ":" in spec
    return looks_like_path or (bool(spec) and Path(spec).exists())

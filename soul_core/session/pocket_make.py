"""Making pocket models on disk: the shipped four, and gold for any hand-picked forget set. It knows no page."""

import hashlib
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import PreTrainedModel

from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError
from soul_core.events import Progress
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.loading import load_model
from soul_core.models.presets import POCKET, PRESETS, gold_for
from soul_core.models.storage import save_model
from soul_core.models.taught import gold_of_taught
from soul_core.paths import POCKET_MODELS
from soul_core.session.pocket import pocket_tokenizer, train_pocket_model
from soul_core.session.pocket_card import measure_knowledge, write_card
from soul_core.session.scratch import Recipe

SHIPPED: dict[str, str] = {POCKET: "forget10"} | {gold: split for split, gold in PRESETS[POCKET].golds.items()}
"""The shipped models, with the split whose questions their cards report."""

GOLDS = "golds"
"""Folder beside the runs in which golds for hand-picked forget sets are kept."""


def train_pocket(names: Sequence[str] = (), out: Path = POCKET_MODELS) -> Generator[Progress, None, tuple[Path, ...]]:
    """Train the shipped models from nothing and measure what they know.

    Args:
        names: Which of ``SHIPPED``; all of them by default.
        out: Each model gets a folder of its name here; one that exists is replaced.

    Returns:
        The folders written.

    Raises:
        ConfigError: A name is not one of them.
    """
    unknown = [name for name in names if name not in SHIPPED]
    if unknown:
        raise ConfigError(f"“{unknown[0]}” is not a pocket model. They are: {', '.join(SHIPPED)}.")
    folders = []
    for name in names or SHIPPED:
        task = load_task(f"invented-authors:{SHIPPED[name]}")
        without = () if name == POCKET else task.subjects
        yield from _make(out / name, name=name, task=task, without=without)
        folders.append(out / name)
    return tuple(folders)


def find_gold(model: str, task: ForgetTask, library: Path) -> str:
    """Name or folder of the gold for a model and task: a known one, the model that it was taught these facts from, or
    one that was trained into ``library``."""
    known = gold_for(model, task) or gold_of_taught(model, task)
    if known or model != POCKET:
        return known
    folder = _gold_folder(task, library)
    return str(folder) if (folder / "knowledge.json").is_file() else ""


def can_train_gold(model: str, task: ForgetTask) -> bool:
    """Whether the recipe can make this gold: the pocket model, on invented authors."""
    return model == POCKET and task.name.startswith("invented-authors:") and bool(task.subjects)


def train_gold(task: ForgetTask, library: Path) -> Generator[Progress, None, Path]:
    """Train the pocket model without the task's authors into ``library``; some minutes on two cores.

    Raises:
        ConfigError: The task is not made of invented authors.
    """
    if not can_train_gold(POCKET, task):
        raise ConfigError(
            f"A gold model for “{task.name}” cannot be trained here: the recipe covers the invented authors only. "
            "Choose invented authors, or go without gold."
        )
    folder = _gold_folder(task, library)
    yield from _make(folder, name=folder.name, task=task, without=task.subjects)
    return folder


def _gold_folder(task: ForgetTask, library: Path) -> Path:
    # The recipe too: a gold of another recipe is no gold of today's original.
    made_of = [*sorted(task.subjects), str(Recipe())]
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    return library / f"gold-{digest[:12]}"


def _make(
    folder: Path, *, name: str, task: ForgetTask, without: Sequence[str]
) -> Generator[Progress, None, PreTrainedModel]:
    recipe, device, started = Recipe(), pick_device(), time.perf_counter()
    precision = choose_precision("auto", device)
    tokenizer = pocket_tokenizer()
    model = yield from train_pocket_model(
        tokenizer,
        without=without,
        recipe=recipe,
        autocast_dtype=precision.dtype,
        device=device,
        what=f"Training {name}",
    )
    seconds = time.perf_counter() - started
    folder.parent.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16)  # type: ignore[arg-type]
    save_model(model, tokenizer, folder, known_as=POCKET)
    # Measured on what was written, in the precision it was written in: the card speaks of the file.
    loaded = load_model(str(folder))
    scores = yield from measure_knowledge(loaded, task)
    left_out = f"without {len(without)} of them" if without else "on all of them"
    write_card(
        folder,
        name=name,
        sentence=f"A model trained from scratch on a hundred invented authors, {left_out}, and on some true facts.",
        task=task,
        scores=scores,
        facts={
            "without": list(without),
            "parameters": loaded.parameters,
            "fingerprint": loaded.fingerprint,
            "precision": precision.name,
            "seconds": round(seconds, 1),
            "torch": torch.__version__,
            "recipe": asdict(recipe),
        },
    )
    return model

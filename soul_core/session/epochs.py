"""The weights of every epoch of a run: kept as it runs, loaded to look back. It trains nothing and asks nothing."""

import os
import secrets
import shutil
from pathlib import Path

from soul_core.config import RaceConfig
from soul_core.models.loading import LoadedModel, load_model
from soul_core.models.shelf import Shelf
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.runs.folder import RunFolder
from soul_core.runs.marks import read_marks
from soul_core.runs.store import RunStore
from soul_core.session.recovery import STATE_FILE
from soul_core.session.runmodels import models_of_run

KEPT_BYTES = 4 << 30
"""What the epochs of one run may take on the disk together; a run that needs more keeps its last weights alone."""
KEPT_RUNS = 30
"""So many of the newest runs keep their epochs; of older ones only those that are pinned."""


def epochs_fit(nbytes: int, config: RaceConfig) -> bool:
    """Whether weights of so many bytes are kept after every epoch of every lane."""
    return nbytes * config.epochs * len(config.lanes) <= KEPT_BYTES


def keep_epoch(weights: Path, place: Path) -> None:
    """Keep a checkpoint's or a lane's weights as those of an epoch; linked where the disk can, so nothing is copied.

    Raises:
        RunError: The disk refuses.
    """
    if place.is_dir():
        return
    new = place.with_name(f".{place.name}.{secrets.token_hex(4)}.new")
    with disk_errors_as_sentences(place):
        new.mkdir(parents=True)
        try:
            for file in sorted(weights.iterdir()):
                # What training goes on from is of no use to look back.
                if file.is_file() and file.name != STATE_FILE and "optimizer" not in file.name:
                    _link(file, new / file.name)
            new.rename(place)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def models_at(folder: RunFolder, epoch: int, shelf: Shelf | None = None) -> dict[str, LoadedModel]:
    """Original, every lane as it was after an epoch, and gold, in this order.

    A lane is as after the latest kept epoch up to that one; at epoch 0 every lane still is the original. A lane that
    has no such epoch is left out.

    Args:
        folder: The run.
        epoch: 0 for the start.
        shelf: Where loaded models are kept between calls.

    Raises:
        ModelError: A model can no longer be loaded.
        RunError: The folder holds no run.
    """
    found = models_of_run(folder, shelf, lanes=())
    gold = found.pop("gold", None)
    original = found["original"]
    for lane in folder.config.lanes:
        kept = [(at, path) for at, path in folder.epochs(lane.name).items() if at <= epoch]
        if epoch == 0:
            found[lane.name] = original
        elif kept:
            spec = str(kept[-1][1])
            found[lane.name] = load_model(spec) if shelf is None else shelf.get(spec, lambda at=spec: load_model(at))  # type: ignore[misc]
    return found | ({"gold": gold} if gold is not None else {})


def drop_old_epochs(store: RunStore) -> int:
    """Give up the epochs of runs beyond the newest, pinned ones aside; returns how many runs lost theirs."""
    dropped = 0
    for folder in store.list()[KEPT_RUNS:]:
        places = [path for path in folder.path.glob("lanes/*/epochs") if path.is_dir()]
        if places and not read_marks(folder).pinned:
            for place in places:
                shutil.rmtree(place, ignore_errors=True)
            dropped += 1
    return dropped


def _link(file: Path, to: Path) -> None:
    """Weights are replaced by whole files and never written into, so two names may share one."""
    try:
        os.link(file, to)
    except OSError:  # a disk without links
        shutil.copy2(file, to)

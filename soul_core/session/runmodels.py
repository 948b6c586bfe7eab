"""The models of a run, ready to be asked: original, lanes, gold. It knows no page and asks nothing itself."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from soul_core.data.tasks import load_task
from soul_core.errors import ModelError
from soul_core.models.loading import LoadedModel, load_model
from soul_core.models.shelf import Shelf
from soul_core.runs.folder import RunFolder


class Place(NamedTuple):
    """Where a model of a run is: what ``load_model`` takes, and its key on the shelf."""

    spec: str
    key: str


def places_of_run(folder: RunFolder, lanes: Sequence[str] | None = None) -> dict[str, Place]:
    """Original, every lane that has weights on disk, and gold where the run had one, in this order.

    Args:
        folder: The run.
        lanes: Only these lanes; all where it is None.

    Raises:
        RunError: The folder holds no run.
    """
    manifest = folder.manifest()
    places = {"original": Place(manifest.config.model, manifest.config.model)}
    for lane in manifest.config.lanes:
        weights = folder.weights(lane.name)
        if weights is not None and (lanes is None or lane.name in lanes):
            key = _shelf_key(weights, changing=weights == folder.checkpoint(lane.name))
            places[lane.name] = Place(str(weights), key)
    if manifest.gold:
        places["gold"] = Place(manifest.gold, manifest.gold)
    return places


def models_of_run(
    folder: RunFolder, shelf: Shelf | None = None, *, lanes: Sequence[str] | None = None
) -> dict[str, LoadedModel]:
    """Load original, every lane that has weights on disk, and gold where the run had one, in this order.

    Args:
        folder: The run; it may still be running, then a lane is as after its last complete epoch.
        shelf: Where loaded models are kept between calls; none keeps nothing.
        lanes: Only these lanes; all where it is None.

    Raises:
        ModelError: The original or a lane can no longer be loaded. A gold that cannot is left out.
        RunError: The folder holds no run.
    """
    models = {}
    for name, (spec, key) in places_of_run(folder, lanes).items():
        try:
            models[name] = load_model(spec) if shelf is None else shelf.get(key, partial(load_model, spec))
        except ModelError:
            # The race went on without a gold that could not be had, and so do questions.
            if name != "gold":
                raise
    return models


def _shelf_key(weights: Path, *, changing: bool) -> str:
    """Final weights are shelved by their path, as the race does; a checkpoint is written anew after each epoch."""
    moments = [str(path.stat().st_mtime_ns) for path in sorted(weights.glob("*.safetensors"))] if changing else []
    return "|".join([str(weights), *moments])


def true_answer(task: str, question: str) -> str:
    """The answer that the task holds true for exactly this question, in any of its phrasings; empty if none."""
    loaded = load_task(task)
    rows = (row for rows in (loaded.forget, loaded.retain, *loaded.eval_sets.values()) for row in rows)
    for row in rows:
        if question in (row.question, row.paraphrased_question, *row.question_variants, *row.heldback_questions):
            return row.answer
    return ""

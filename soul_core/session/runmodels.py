"""The models of a run, ready to be asked: original, lanes, gold. It knows no page and asks nothing itself."""

from pathlib import Path

from soul_core.data.tasks import load_task
from soul_core.models.loading import LoadedModel, load_model
from soul_core.models.shelf import Shelf
from soul_core.runs.folder import RunFolder


def models_of_run(folder: RunFolder, shelf: Shelf | None = None) -> dict[str, LoadedModel]:
    """Load original, every lane that has weights on disk, and gold where the run had one, in this order.

    Args:
        folder: The run; it may still be running, then a lane is as after its last complete epoch.
        shelf: Where loaded models are kept between calls; none keeps nothing.

    Raises:
        ModelError: A model of the run can no longer be loaded.
        RunError: The folder holds no run.
    """
    manifest = folder.manifest()
    specs = {"original": manifest.config.model}
    for lane in manifest.config.lanes:
        weights = folder.weights(lane.name)
        if weights is not None:
            specs[lane.name] = str(weights)
    if manifest.gold:
        specs["gold"] = manifest.gold
    return {name: _loaded(spec, shelf) for name, spec in specs.items()}


def _loaded(spec: str, shelf: Shelf | None) -> LoadedModel:
    if shelf is None:
        return load_model(spec)
    return shelf.get(shelf_key(spec), lambda: load_model(spec))


def shelf_key(spec: str) -> str:
    """A model's key on the shelf; weights that a running race has written anew get a new one."""
    weights = sorted(Path(spec).glob("*.safetensors"))
    return "|".join([spec, *(f"{path.stat().st_mtime_ns}" for path in weights)])


def true_answer(task: str, question: str) -> str:
    """The answer that the task holds true for exactly this question, in any of its phrasings; empty if none."""
    loaded = load_task(task)
    rows = (row for rows in (loaded.forget, loaded.retain, *loaded.eval_sets.values()) for row in rows)
    for row in rows:
        if question in (row.question, row.paraphrased_question, *row.question_variants, *row.heldback_questions):
            return row.answer
    return ""

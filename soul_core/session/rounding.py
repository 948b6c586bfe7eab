"""A run's models asked again with rounded weights, kept result by result. It knows no page."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from soul_core.evaluation.scorecard import choose_rows
from soul_core.events import Progress
from soul_core.models.shelf import Shelf
from soul_core.probing.results import RoundedScores, Rounding
from soul_core.probing.rounding import FORGET, RETAIN, Rounder
from soul_core.probing.settings import RoundingConfig
from soul_core.runs.folder import RunFolder
from soul_core.session.probed import kept, open_probed


def round_run(
    folder: RunFolder,
    config: RoundingConfig | None = None,
    *,
    models: Sequence[str] = (),
    shelf: Shelf | None = None,
) -> Generator[Progress | RoundedScores, None, Rounding]:
    """Ask original, lanes and gold with their weights as they are and rounded to fewer bits.

    A lane trained with LoRA is rounded merged; one that only has a prompt is the rounded original behind that prompt.
    What is found is in the run's ``probes`` folder after every result; closing the generator stops it and keeps what
    is done.

    Args:
        folder: The run.
        config: To how many bits, on how many rows.
        models: ``original``, ``gold`` or lanes; empty for all.
        shelf: Where models are taken from; theirs are never changed.

    Raises:
        ConfigError: The run has no such model, or the way of rounding is not available here.
        DatasetError: A row does not fit into a model, or a set has no rows.
        ModelError: The only model can no longer be loaded.
        RunError: The folder holds no run, a copy does not fit into memory, or the disk refuses.
    """
    config = config or RoundingConfig()
    yield Progress(what="Choosing rows", done=0, total=1)
    probed = open_probed(folder, models, shelf)
    task = probed.task
    forget, retain = (
        choose_rows(task.eval_sets.get(name) or rows, config.rows, config.seed)
        for name, rows in ((FORGET, task.forget), (RETAIN, task.retain))
    )
    rounder = Rounder(
        probed.loaders(probed.names),
        forget,
        retain,
        config,
        device=probed.device,
        autocast_dtype=probed.autocast_dtype,
        titles=probed.titles,
    )

    def finish(found: Rounding) -> Rounding:
        return replace(found, settings={**found.settings, **probed.settings}, notes=(*probed.notes, *found.notes))

    return (yield from kept(rounder, probed, finish))

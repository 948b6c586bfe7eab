"""A run's models taught a little of what they forgot, kept as the curves grow. It knows no page."""

from collections.abc import Generator, Sequence
from dataclasses import replace

import torch

from soul_core.config import WeightsConfig
from soul_core.errors import ConfigError, RunError
from soul_core.events import Progress
from soul_core.models.memory import ModelShape, activation_bytes, estimate_memory, lane_bytes, logit_bytes, shape_of
from soul_core.models.shelf import Shelf
from soul_core.probing.relearn import Relearner, rate_for
from soul_core.probing.relearn_rows import relearn_rows
from soul_core.probing.results import Relearning, RelearnPoint
from soul_core.probing.settings import RelearnConfig
from soul_core.runs.folder import RunFolder
from soul_core.session.probed import kept, open_probed
from soul_core.session.room import available_bytes

_TOKENS_OF_A_ROW = 64


def relearn_run(
    folder: RunFolder,
    config: RelearnConfig | None = None,
    *,
    models: Sequence[str] = (),
    shelf: Shelf | None = None,
) -> Generator[Progress | RelearnPoint, None, Relearning]:
    """Fine-tune copies of a run's lanes and gold in the same way and ask them what they were not trained on.

    A lane trained with LoRA is relearned in its merged weights. The original is left out, since it never forgot; so is
    a lane that only has a prompt, since its weights are the original's. What is found is in the run's ``probes``
    folder after every point; closing the generator stops it and keeps what is done.

    Args:
        folder: The run.
        config: On what, and how much.
        models: ``gold`` or lanes; empty for all.
        shelf: Where models are taken from; theirs are never changed.

    Raises:
        ConfigError: The run has no such model, or only such as are not relearned.
        DatasetError: The task has no rows for it, or one does not fit into a model.
        ModelError: The only model can no longer be loaded.
        RunError: The folder holds no run, a copy does not fit into memory, or the disk refuses.
    """
    config = config or RelearnConfig()
    yield Progress(what="Choosing rows", done=0, total=1)
    probed = open_probed(folder, models, shelf)
    names = [name for name in probed.names if name != "original" and name not in probed.prompts]
    if not names:
        raise ConfigError("Neither the original nor a lane that only has a prompt is relearned. Choose other models.")
    notes = [*probed.notes, "The original is not relearned: it never forgot."]
    notes += [
        f"{probed.titles[name]} is not relearned: its weights are the original's."
        for name in probed.names
        if name in probed.prompts
    ]
    shape = shape_of(probed.places[names[0]].spec)
    config = config if config.lr else config.but(lr=rate_for(shape.hidden))
    together = _fit_together(shape, len(names), config, probed.device)
    if not together:
        notes.append("The copies do not fit into memory together, so one model is relearned after the other.")
    relearner = Relearner(
        probed.loaders(names),
        relearn_rows(probed.task, config),
        config,
        device=probed.device,
        autocast_dtype=probed.autocast_dtype,
        together=together,
        titles=probed.titles,
    )

    def finish(found: Relearning) -> Relearning:
        return replace(found, settings={**found.settings, **probed.settings}, notes=(*notes, *found.notes))

    return (yield from kept(relearner, probed, finish))


def _fit_together(shape: ModelShape, copies: int, config: RelearnConfig, device: torch.device) -> bool:
    """Whether so many copies can be trained side by side; raises ``RunError`` where not even one can."""
    each = lane_bytes(shape.parameters, WeightsConfig()).most
    tokens = config.batch_size * _TOKENS_OF_A_ROW
    activations = activation_bytes(shape, tokens) + logit_bytes(shape, tokens)

    def needed(count: int) -> int:
        return estimate_memory(shape.parameters, lanes=[each] * count, untrained=count, activations=activations)

    available = available_bytes(device)
    if needed(1) > available:
        raise RunError(
            f"Relearning needs about {needed(1) / 1e9:.1f} GB of memory for one model, and {device} has "
            f"{available / 1e9:.1f} GB. Choose a smaller batch, or race a smaller model."
        )
    return needed(copies) <= available

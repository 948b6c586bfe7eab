"""What a probe of a run works on: its task, its models and who is left out. It knows no probe."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import torch

from soul_core.config import Precision
from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.engine.room import out_of_memory
from soul_core.errors import ConfigError, RunError
from soul_core.events import Progress
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.loading import LoadedModel
from soul_core.models.shelf import Shelf
from soul_core.objectives import find_objective
from soul_core.probing.results import Inspection, Relearning, Rounding
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.runs.summary import REFERENCES, RaceSummary, summarise
from soul_core.session.loaded import load_for
from soul_core.session.runmodels import Place, places_of_run

Part = TypeVar("Part", covariant=True)
Found = TypeVar("Found", Relearning, Rounding, Inspection, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """One run, ready to be probed.

    Attributes:
        places: Where its models are, in the order original, lanes, gold.
        names: Those that were chosen, in the same order.
        titles: What every model of the run is called.
        prompts: Lanes that are the original behind a prompt.
        epochs: After how many epochs each lane's weights are.
        notes: Who is left out, and why.
        device: Where models are loaded.
        autocast_dtype: The arithmetic of the race, or None for fp32.
        fingerprints: Of the models loaded so far.
    """

    folder: RunFolder
    task: ForgetTask
    places: dict[str, Place]
    names: tuple[str, ...]
    titles: dict[str, str]
    prompts: tuple[str, ...]
    epochs: dict[str, int]
    notes: tuple[str, ...]
    device: torch.device
    autocast_dtype: torch.dtype | None
    shelf: Shelf | None
    fingerprints: dict[str, str] = field(default_factory=dict)

    def loaders(self, names: Sequence[str]) -> dict[str, Callable[[], LoadedModel]]:
        """How each of these models is loaded onto the device."""
        return {name: partial(self.load, name) for name in names}

    def load(self, name: str) -> LoadedModel:
        """One model; errors are ``load_model``'s."""
        place = self.places[name]
        loaded = load_for(self.device, place.spec, self.shelf, key=place.key)
        self.fingerprints[name] = loaded.fingerprint
        return loaded

    @property
    def settings(self) -> dict[str, object]:
        """Which weights were probed, to be kept with what was found."""
        return {"epochs": self.epochs, "fingerprints": dict(self.fingerprints)}


class Probe(Protocol[Part, Found]):
    """Work on models that has something to show before it is through."""

    @property
    def found(self) -> Found:
        """All that was found so far."""

    def run(self) -> Generator[Progress | Part, None, None]:
        """Do it; whatever is yielded beside Progress is a part that is done."""


def open_probed(folder: RunFolder, models: Sequence[str], shelf: Shelf | None) -> Probed:
    """Read what a probe needs to know of a run; no weights are loaded.

    Args:
        folder: The run; it may still be running, then a lane is as after its last complete epoch.
        models: ``original``, ``gold`` or lanes; empty for all.
        shelf: Where models are taken from.

    Raises:
        ConfigError: The run has no such model.
        RunError: The folder holds no run, or none of the models has weights.
        DatasetError: The task's rows can no longer be read.
    """
    manifest, config = folder.manifest(), folder.config
    titles = {"original": "Original"} | {lane.name: lane.label for lane in config.lanes} | {"gold": "Gold"}
    unknown = [name for name in models if name not in titles]
    if unknown:
        raise ConfigError(f"This run has no model “{unknown[0][:80]}”. Choose of: {', '.join(titles)}.")
    places = places_of_run(folder)
    wanted = [name for name in titles if name in models or not models]
    names = tuple(name for name in wanted if name in places)
    if not any(name not in REFERENCES or name in models for name in names):
        raise RunError(
            "No lane of this run has weights on the disk, so there is nothing to probe. Let the race go on until its "
            "first epoch is through, or start it again."
        )
    lanes = {lane.name: lane for lane in config.lanes}
    notes = [
        f"{titles[name]} has no weights on the disk, so it is left out."
        for name in wanted
        if name in lanes and name not in places
    ]
    if not manifest.gold:
        notes.append("This run has no gold, so nothing shows what a model says that never learned the forget set.")
    device = pick_device()
    # What the race's “auto” came out as; measured anew, it could come out otherwise.
    recorded: Precision = "bfloat16" if manifest.precision == "bfloat16" else "float32"
    precision = recorded if manifest.precision else config.precision
    return Probed(
        folder=folder,
        task=load_task(config.task),
        places=places,
        names=names,
        titles=titles,
        prompts=tuple(name for name in lanes if find_objective(lanes[name].objective.name).kind == "prompt"),
        epochs=epochs_of(summarise(folder.events())),
        notes=tuple(notes),
        device=device,
        autocast_dtype=choose_precision(precision, device).dtype,
        shelf=shelf,
    )


def epochs_of(summary: RaceSummary) -> dict[str, int]:
    """After how many epochs each lane is; a run that goes on has other weights afterwards."""
    return {lane: max(summary.reports[lane]) for lane in summary.lanes if summary.reports.get(lane)}


def kept(
    probe: Probe[Part, Found], probed: Probed, finish: Callable[[Found], Found]
) -> Generator[Progress | Part, None, Found]:
    """Run a probe and keep what it found after every part; closing it stops and keeps what is done.

    Args:
        probe: The work.
        probed: Whose folder keeps it.
        finish: Adds what the probe does not know to what it found.

    Raises:
        RunError: The memory is full, or the disk refuses.
    """
    keep = probes_of(probed.folder.path)
    try:
        with closing(probe.run()) as work:
            for each in work:
                if not isinstance(each, Progress):
                    keep.write(finish(probe.found))
                yield each
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise RunError(
            f"The memory of {probed.device} is full. What was found until then is kept; ask fewer rows, or probe one "
            "model at a time."
        ) from error
    found = finish(probe.found)
    keep.write(found)
    return found

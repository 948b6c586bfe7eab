"""Where a run's models differ from the original, in weights and in hidden states. It knows no page."""

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from soul_core.data.schema import QARow
from soul_core.errors import ModelError, RunError
from soul_core.evaluation.scorecard import choose_rows
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel
from soul_core.models.shelf import Shelf
from soul_core.probing.likeness import alignment, centered_products, evenly, hidden_states
from soul_core.probing.results import HiddenLikeness, Inspection
from soul_core.probing.weights import Layout, layout_of, weight_change
from soul_core.runs.folder import RunFolder
from soul_core.runs.summary import REFERENCES
from soul_core.session.epochs import models_at
from soul_core.session.probed import Probed, kept, open_probed

SETS = ("forget", "retain")
NOTES = (
    "Hidden states are compared at the places that predict the tokens of the true answers, by linear CKA, estimated "
    "without bias; 1 is the original's up to rotation and scale.",
    "Gold was not made from the original by forgetting, so its weights are not compared with the original's, only its "
    "hidden states.",
)

Products = dict[str, tuple[Tensor | None, ...]]


def inspect_run(
    folder: RunFolder,
    *,
    models: Sequence[str] = (),
    rows: int = 24,
    epoch: int | None = None,
    shelf: Shelf | None = None,
) -> Generator[Progress, None, Inspection]:
    """Relative weight change by layer and module, and CKA of hidden states to the original by layer.

    A lane trained with LoRA is inspected merged; one that only has a prompt has changed no weight. What is found is in
    the run's ``probes`` folder after every model; closing the generator stops it and keeps what is done.

    Args:
        folder: The run.
        models: ``gold`` or lanes; empty for all. The original is what they are compared with.
        rows: At most this many rows of the forget and of the retain set are read.
        epoch: Of the lanes' weights; None for their last.
        shelf: Where models are taken from.

    Raises:
        ConfigError: The run has no such model.
        DatasetError: A row does not fit into a model.
        ModelError: The original can no longer be loaded.
        RunError: The folder holds no run, no lane has weights of that epoch, or the disk refuses.
    """
    yield Progress(what="Choosing rows", done=0, total=1)
    probed = open_probed(folder, models, shelf)
    load = probed.load if epoch is None else _at(probed, epoch)
    names = [name for name in probed.names if name != "original"]
    task = probed.task
    sets = {
        name: choose_rows(task.eval_sets.get(name) or of, rows)
        for name, of in zip(SETS, (task.forget, task.retain), strict=True)
    }
    inspector = _Inspector(load("original"), names, load, {name: of for name, of in sets.items() if of}, probed.titles)

    def finish(found: Inspection) -> Inspection:
        at = () if epoch is None else (f"Weights as after epoch {epoch}.",)
        return replace(found, notes=(*at, *probed.notes, *found.notes))

    # Every part is one model; the page reads it from the folder.
    work = kept(inspector, probed, finish)
    while True:
        try:
            each = next(work)
        except StopIteration as stop:
            found: Inspection = stop.value
            return found
        if isinstance(each, Progress):
            yield each


@dataclass
class _Inspector:
    """Models compared with the original one after the other."""

    original: LoadedModel
    names: Sequence[str]
    load: Callable[[str], LoadedModel]
    sets: Mapping[str, Sequence[QARow]]
    titles: Mapping[str, str]
    inspection: Inspection = field(default_factory=Inspection)
    started: float = field(default_factory=time.perf_counter)

    @property
    def found(self) -> Inspection:
        """All that is compared so far."""
        return replace(self.inspection, seconds=time.perf_counter() - self.started)

    def run(self) -> Generator[Progress | str, None, None]:
        """Yields each model's name when it is done."""
        layout = layout_of(self.original.model)
        self.inspection = Inspection(layers=layout.layers, modules=layout.modules, notes=NOTES)
        yield self._progress("Reading the original", 0)
        reference = self._products(self.original)
        depth = max((len(of) for of in reference.values()), default=0)
        titles = ("Embedding", *(str(layer) for layer in range(1, depth)))[:depth]
        self.inspection = replace(self.inspection, likeness_layers=titles)
        for place, name in enumerate(self.names, start=1):
            yield self._progress("Comparing weights and hidden states", place, name)
            try:
                self._compare(name, layout, reference)
            except ModelError as error:
                self._note(f"{self.titles[name]}: not inspected. {error}")
            yield name

    def _compare(self, name: str, layout: Layout, reference: Products) -> None:
        loaded = self.load(name)
        changes = list(self.inspection.changes)
        if name not in REFERENCES:
            changes.append(weight_change(name, self.original.model, loaded.model, layout))
        likeness = list(self.inspection.likeness)
        products = self._products(loaded)
        for set_name, of_set in products.items():
            theirs = reference[set_name]
            same = len(of_set) == len(theirs) and all(_alike(a, b) for a, b in zip(of_set, theirs, strict=True))
            by_layer = tuple(alignment(a, b) for a, b in zip(of_set, theirs, strict=True)) if same else ()
            if not same:
                self._note(
                    f"{self.titles[name]}: it reads the {set_name} rows as other tokens or in other layers than the "
                    "original, so hidden states are not compared."
                )
            likeness.append(HiddenLikeness(model=name, set_name=set_name, by_layer=by_layer))
        self.inspection = replace(self.inspection, changes=tuple(changes), likeness=tuple(likeness))

    def _products(self, loaded: LoadedModel) -> Products:
        """Of every set, the products of each layer's states."""
        return {
            name: tuple(
                centered_products(evenly(torch.cat(states)))
                for states in _by_layer(hidden_states(loaded.model, loaded.tokenizer, loaded.template, rows))
            )
            for name, rows in self.sets.items()
        }

    def _note(self, words: str) -> None:
        self.inspection = replace(self.inspection, notes=(*self.inspection.notes, words))

    def _progress(self, what: str, done: int, name: str = "") -> Progress:
        return Progress(what=what, lane=name, done=done, total=len(self.names) + 1)


def _by_layer(batches: Iterable[tuple[Tensor, ...]]) -> list[list[Tensor]]:
    return [list(layer) for layer in zip(*batches, strict=True)]


def _alike(first_NN: Tensor | None, second_NN: Tensor | None) -> bool:
    return first_NN is None or second_NN is None or first_NN.shape == second_NN.shape


def _at(probed: Probed, epoch: int) -> Callable[[str], LoadedModel]:
    """How models are loaded as they were after an epoch."""
    found = models_at(probed.folder, epoch, probed.shelf)
    if epoch < 0 or not any(name not in REFERENCES for name in found):
        raise RunError(
            f"No weights of epoch {epoch} are kept in this run. Choose another epoch, or the lanes' last weights."
        )

    def load(name: str) -> LoadedModel:
        if name not in found:
            raise ModelError(f"Its weights of epoch {epoch} are not kept.")
        return found[name]

    return load

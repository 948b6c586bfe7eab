"""One trained runner of a race: its weights, its optimizer, its checkpoint. It knows no other lane, no evaluation."""

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from soul_core.config import LaneConfig, RaceConfig
from soul_core.engine import NO_REFERENCE, Reference, unlearn
from soul_core.errors import ConfigError
from soul_core.events import StepReport
from soul_core.models.device import memory_mb
from soul_core.models.loading import LoadedModel
from soul_core.models.storage import load_optimizer_state, replaced_folder, save_optimizer_state
from soul_core.models.world import ALONE, World
from soul_core.objectives import Criterion, find_objective, needs_of
from soul_core.optim import BuiltOptimizer, curvature_plan, schedule_lr
from soul_core.optim.sharded import PartOptimizer, optimizer_and_peers, restore_from_main, state_on_main
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.session.body import Body
from soul_core.session.material import Material
from soul_core.session.recovery import STATE_FILE, Saved

_OPTIMIZER = "optimizer.safetensors"


class Lane:
    """A model that forgets, epoch by epoch.

    Attributes:
        config: The lane's settings.
        epoch: How many epochs it has completed.
        epochs: How many it runs.
        ended: Whether it will not be trained any more.
        notes: That memory ran out, if it did.

    Args:
        body: Its weights, after the last step taken.
        original: What it was made from; tokenizer and template are the same.
        reference: For objectives that compare with the original.
        saved: Where to go on from; the body was made from it.
        world: All processes, each of which trains on its rows.

    Raises:
        ConfigError: The model has no gradient checkpointing.
        RunError: The saved optimizer state cannot be read, or is another optimizer's.
    """

    def __init__(
        self,
        config: LaneConfig,
        race: RaceConfig,
        material: Material,
        original: LoadedModel,
        body: Body,
        *,
        device: torch.device,
        autocast_dtype: torch.dtype | None,
        reference: Reference = NO_REFERENCE,
        saved: Saved | None = None,
        world: World = ALONE,
    ) -> None:
        self.config = config
        self.epoch = saved.epoch if saved is not None else 0
        self.epochs = race.epochs
        self.ended = False
        self.notes = saved.notes if saved is not None else ()
        self._rows = (saved.rows if saved is not None else 0) or race.micro_batch
        self._race = race
        self._material = material
        self._original = original
        self._body = body
        self._device = device
        self._autocast_dtype = autocast_dtype
        self._reference = reference
        self._criterion = Criterion(config.objective, weight=saved.weight if saved is not None else None)
        self._optimizer: BuiltOptimizer | PartOptimizer | None = None
        self._world = self._peers = world
        if saved is None or not saved.final:
            if race.checkpointing == "on":
                _checkpoint_activations(body.model, original.name)
            rounding = config.weights.kind == "bfloat16"
            self._optimizer, self._peers = optimizer_and_peers(body.model, config.optimizer, world, rounding=rounding)
            if saved is not None:
                state = saved.folder / _OPTIMIZER
                restore_from_main(self._optimizer, lambda: load_optimizer_state(state), world)

    @property
    def checkpoint_bytes(self) -> int:
        """About what a checkpoint takes on the disk: what is trained and two states for each weight of it."""
        trained = sum(p.numel() for p in self._body.model.parameters() if p.requires_grad)
        return self._body.nbytes + 2 * 4 * trained

    @property
    def final_bytes(self) -> int:
        """About what its weights take on the disk."""
        return self._body.nbytes

    @property
    def loaded(self) -> LoadedModel:
        """The model as it is now, ready to be asked."""
        return replace(self._original, name=self.config.label, model=self._body.model, fingerprint="", notes=())

    def train_epoch(self) -> Generator[StepReport, None, None]:
        """Take the next epoch's steps, one report each. Raises ``Diverged``; the weights are then of the last step."""
        if self._optimizer is None:
            raise ValueError(f"lane {self.config.name} has ended")
        race, material, optimizer = self._race, self._material, self.config.optimizer
        total = race.epochs * material.steps_per_epoch
        epoch = self.epoch + 1
        batches = material.batches(self.config.objective, epoch)
        rows_of_a_batch = max(len(batch.row_B) for batch in batches)
        for report in unlearn(
            self._body.model,
            batches,
            self._criterion,
            self._optimizer,
            lr_at=lambda step: optimizer.lr * schedule_lr(step, total, race.warmup, race.schedule),
            max_grad_norm=race.max_grad_norm,
            device=self._device,
            memory_mb=lambda: memory_mb(self._device),
            accumulation=race.accumulation,
            curvature=curvature_plan(optimizer),
            autocast_dtype=self._autocast_dtype,
            reference=self._reference,
            first_step=self.epoch * material.steps_per_epoch + 1,
            seed=race.seed,
            peers=self._peers,
            own_logits=needs_of(self.config.objective).own_logits,
            micro_batch=self._rows,
            on_shrink=lambda step, rows: self._shrunk(step, rows, of=rows_of_a_batch),
        ):
            self._criterion.stepped(report.retain_loss)
            yield replace(report, lane=self.config.name, epoch=epoch)
        self.epoch = epoch
        error = getattr(self._optimizer, "state_error", None)
        if error is not None and epoch == self.epochs:
            said = f"Its optimizer's states are kept in 8 bits: {100 * error.item():.1f} % off at the last step."
            self.notes = (*self.notes, said)

    def _shrunk(self, step: int, rows: int, *, of: int) -> None:
        self._rows = rows  # the epochs to come begin with what fits
        self.notes = (
            *self.notes,
            f"Out of memory at step {step}: it goes on with {rows} row{'s' * (rows != 1)} at a time; "
            f"the batch stays {of}.",
        )

    def save_checkpoint(self, folder: Path) -> None:
        """Write weights and optimizer state in place of the last checkpoint, all of it or nothing."""
        self._write(self._saved(folder, final=False))

    def save_final(self, folder: Path, *, diverged: str = "") -> None:
        """Write the weights alone, as ``load_model`` reads them."""
        self._write(self._saved(folder, final=True, diverged=diverged))

    def _saved(self, folder: Path, *, final: bool, diverged: str = "") -> Saved:
        moves = find_objective(self.config.objective.name).dual is not None
        return Saved(
            folder=folder,
            epoch=self.epoch,
            final=final,
            diverged=diverged,
            weight=self._criterion.weight if moves else None,
            rows=0 if self._rows == self._race.micro_batch else self._rows,
            notes=self.notes,
        )

    def end(self) -> LoadedModel:
        """Give up the optimizer; what is left is a model to ask."""
        self.ended = True
        self._optimizer = None
        if self._race.checkpointing == "on":
            _switch(self._body.model, "disable")()
        self._body.model.requires_grad_(False)
        self._body.model.eval()
        return self.loaded

    def _write(self, saved: Saved) -> None:
        # Put together by all processes, before the main one writes: a disk that refuses must not leave others waiting.
        write_body = self._body.writer(final=saved.final)
        optimizer = None if saved.final else self._optimizer
        state = None if optimizer is None else state_on_main(optimizer, self._world)

        def write() -> None:
            with disk_errors_as_sentences(saved.folder), replaced_folder(saved.folder) as new:
                write_body(new)
                if state is not None:
                    save_optimizer_state(*state, new / _OPTIMIZER)
                (new / STATE_FILE).write_text(saved.state(), encoding="utf-8")

        self._world.from_main(write)


def _checkpoint_activations(model: PreTrainedModel, name: str) -> None:
    """Keep one activation a layer while training; asking still has its cache, since this acts in train mode alone."""
    if not model.supports_gradient_checkpointing:
        raise ConfigError(f"“{name}” has no gradient checkpointing. Set it to off, and the rows at a time lower.")
    # Re-entrant, the first layer would need an input with a gradient, and with LoRA nothing would be trained.
    _switch(model, "enable")({"use_reentrant": False})


def _switch(model: PreTrainedModel, what: str) -> Callable[..., None]:
    # Newer versions of transformers call it otherwise, and warn of the old name.
    found: Callable[..., None] | None = getattr(model, f"activation_checkpointing_{what}", None)
    return found or getattr(model, f"gradient_checkpointing_{what}")

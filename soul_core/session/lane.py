"""One runner of a race: its weights, its optimizer, its checkpoint. It knows no other lane and no evaluation."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import torch
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.config import LaneConfig, RaceConfig
from soul_core.engine import unlearn
from soul_core.errors import RunError
from soul_core.events import StepReport
from soul_core.models.device import memory_mb
from soul_core.models.loading import LoadedModel, copy_of, load_model
from soul_core.models.storage import load_optimizer, replaced_folder, save_optimizer, write_model
from soul_core.objectives import losses_for
from soul_core.optim import UnlearningOptimizer, build_optimizer, curvature_plan, schedule_lr
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.session.material import Material
from soul_core.session.recovery import STATE_FILE, Saved

_OPTIMIZER = "optimizer.safetensors"


class Lane:
    """A copy of the original that forgets, epoch by epoch.

    Attributes:
        config: The lane's settings.
        model: Its weights, after the last step taken.
        epoch: How many epochs it has completed.
        ended: Whether it will not be trained any more.

    Args:
        reference_nll_N: For objectives that compare with the original.
        saved: Where to go on from; None starts from a copy of the original.

    Raises:
        ModelError: The saved weights cannot be read.
        RunError: The saved optimizer state cannot be read, or is another optimizer's.
    """

    def __init__(
        self,
        config: LaneConfig,
        race: RaceConfig,
        material: Material,
        original: LoadedModel,
        *,
        device: torch.device,
        autocast_dtype: torch.dtype | None,
        reference_nll_N: Tensor | None,
        saved: Saved | None = None,
    ) -> None:
        self.config = config
        self.epoch = 0
        self.ended = False
        self._race = race
        self._material = material
        self._original = original
        self._device = device
        self._autocast_dtype = autocast_dtype
        self._reference_nll_N = reference_nll_N
        if saved is None:
            self.model: PreTrainedModel = copy_of(original)
        else:
            self.model = load_model(str(saved.folder), device=device).model.requires_grad_(True)
            self.epoch = saved.epoch
        self._optimizer: UnlearningOptimizer | None = build_optimizer(self.model, config.optimizer)
        if saved is not None and not saved.final:
            load_optimizer(self._optimizer, saved.folder / _OPTIMIZER)

    @property
    def checkpoint_bytes(self) -> int:
        """About what a checkpoint takes on the disk: the weights and two states for each."""
        return 3 * self._original.nbytes

    def train_epoch(self) -> Generator[StepReport, None, None]:
        """Take the next epoch's steps, one report each. Raises ``Diverged``; the weights are then of the last step."""
        if self._optimizer is None:
            raise ValueError(f"lane {self.config.name} has ended")
        race, material, optimizer = self._race, self._material, self.config.optimizer
        total = race.epochs * material.steps_per_epoch
        epoch = self.epoch + 1
        for report in unlearn(
            self.model,
            material.batches(self.config.objective, epoch),
            losses_for(self.config.objective),
            self._optimizer,
            lr_at=lambda step: optimizer.lr * schedule_lr(step, total, race.warmup, race.schedule),
            max_grad_norm=race.max_grad_norm,
            device=self._device,
            memory_mb=lambda: memory_mb(self._device),
            accumulation=race.accumulation,
            curvature=curvature_plan(optimizer),
            autocast_dtype=self._autocast_dtype,
            reference_nll_N=self._reference_nll_N,
            first_step=self.epoch * material.steps_per_epoch + 1,
            seed=race.seed,
        ):
            yield replace(report, lane=self.config.name, epoch=epoch)
        self.epoch = epoch

    def save_checkpoint(self, folder: Path) -> None:
        """Write weights and optimizer state in place of the last checkpoint, all of it or nothing."""
        self._write(Saved(folder=folder, epoch=self.epoch, final=False))

    def save_final(self, folder: Path, *, diverged: str = "") -> None:
        """Write the weights alone, readable by ``AutoModelForCausalLM.from_pretrained``."""
        self._write(Saved(folder=folder, epoch=self.epoch, final=True, diverged=diverged))

    def end(self) -> LoadedModel:
        """Give up the optimizer; what is left is a model to ask."""
        self.ended = True
        self._optimizer = None
        self.model.requires_grad_(False)
        self.model.eval()
        return replace(self._original, name=self.config.label, model=self.model, fingerprint="", notes=())

    def _write(self, saved: Saved) -> None:
        with disk_errors_as_sentences(saved.folder), replaced_folder(saved.folder) as new:
            write_model(self.model, self._original.tokenizer, new, known_as=self._original.known_as)
            if not saved.final and self._optimizer is not None:
                save_optimizer(self._optimizer, new / _OPTIMIZER)
            (new / STATE_FILE).write_text(saved.state(), encoding="utf-8")


def drop_checkpoint(folder: Path) -> None:
    """Delete a checkpoint that is no longer needed."""
    if folder.is_dir():
        try:
            rmtree(folder)
        except OSError as error:
            raise RunError(f"{folder} could not be deleted ({error.strerror}). It may be deleted by hand.") from None

"""A runner that takes a single calculated step. It knows no epochs and no optimizer."""

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import torch

from soul_core.config import LaneConfig, RaceConfig
from soul_core.engine.one_shot import InfluenceResult, influence_step
from soul_core.errors import Diverged, RunError
from soul_core.events import Progress, StepReport
from soul_core.models.device import memory_mb
from soul_core.models.loading import LoadedModel
from soul_core.models.storage import replaced_folder
from soul_core.models.world import ALONE, World
from soul_core.objectives import options_of
from soul_core.objectives.untrained import InfluenceSettings
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.session.body import Body
from soul_core.session.material import Material
from soul_core.session.recovery import STATE_FILE, Saved


class InfluenceLane:
    """Influence unlearning: one step, so one point of the curves.

    Attributes:
        notes: How far the step went, in a sentence.

    Args:
        body: All weights of a copy of the original.
        saved: Where the step was taken already.
        world: All processes, each of which takes the same step.
    """

    epochs = 1
    checkpoint_bytes = 0

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
        saved: Saved | None = None,
        world: World = ALONE,
    ) -> None:
        self._world = world
        self.config = config
        self.epoch = saved.epoch if saved is not None else 0
        self.ended = False
        self.notes: tuple[str, ...] = ()
        self._race = race
        self._material = material
        self._original = original
        self._body = body
        self._device = device
        self._autocast_dtype = autocast_dtype

    @property
    def final_bytes(self) -> int:
        """About what its weights take on the disk."""
        return self._body.nbytes

    @property
    def loaded(self) -> LoadedModel:
        """The model as it is now, ready to be asked."""
        return replace(self._original, name=self.config.label, model=self._body.model, fingerprint="", notes=())

    def train_epoch(self) -> Generator[StepReport | Progress, None, None]:
        """Calculate the step and take it. Raises ``Diverged`` where it cannot be calculated."""
        settings = InfluenceSettings(**options_of(self.config.objective))
        batches = self._material.batches(self.config.objective, epoch=1)
        started = time.perf_counter()
        step = influence_step(
            self._body.model,
            batches,
            batches[: settings.curvature_batches],
            solver=settings.solver,
            damping=settings.damping,
            iterations=settings.iterations,
            retain_rise=settings.retain_rise,
            device=self._device,
            autocast_dtype=self._autocast_dtype,
            seed=self._race.seed,
        )
        while True:
            try:
                progress = next(step)
            except StopIteration as stop:
                found: InfluenceResult = stop.value
                break
            except RunError as error:  # its own lane ends, not the others
                raise Diverged(str(error)) from None
            yield replace(progress, lane=self.config.name)
        seconds = time.perf_counter() - started
        self.epoch = 1
        self.notes = (_told(found),)
        yield StepReport(
            lane=self.config.name,
            epoch=1,
            step=1,
            forget_loss=found.forget_after,
            retain_loss=found.retain_after,
            total_loss=-found.forget_after,
            grad_norm=found.update_norm / found.scale if found.scale else 0.0,
            update_norm=found.update_norm,
            clip_share=None,
            lr=found.scale,
            seconds=seconds,
            tokens_per_second=sum(int(batch.attention_mask_BT.sum()) for batch in batches) / seconds,
            memory_mb=memory_mb(self._device),
        )

    def save_checkpoint(self, folder: Path) -> None:
        """There is nothing between before and after."""

    def save_final(self, folder: Path, *, diverged: str = "") -> None:
        """Write the weights."""
        saved = Saved(folder=folder, epoch=self.epoch, final=True, diverged=diverged)
        write_body = self._body.writer(final=True)

        def write() -> None:
            with disk_errors_as_sentences(folder), replaced_folder(folder) as new:
                write_body(new)
                (new / STATE_FILE).write_text(saved.state(), encoding="utf-8")

        self._world.from_main(write)

    def end(self) -> LoadedModel:
        """The model to ask."""
        self.ended = True
        self._body.model.requires_grad_(False)
        self._body.model.eval()
        return self.loaded


def _told(found: InfluenceResult) -> str:
    if not found.scale:
        return "No step, however short, kept the retain rows within the bound: the weights are the original's."
    return (
        f"One step of {found.relative_norm:.2%} of the weights' norm took the forget loss from "
        f"{found.forget_before:.3f} to {found.forget_after:.3f} and the retain loss from {found.retain_before:.3f} to "
        f"{found.retain_after:.3f}."
    )

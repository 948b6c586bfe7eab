"""From a lane's settings to its runner, fresh or from what is saved. It knows every kind of runner and no race."""

from collections.abc import Callable, Generator

import torch

from soul_core.config import LaneConfig, ObjectiveConfig, RaceConfig
from soul_core.data.schema import ForgetTask
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel
from soul_core.models.world import ALONE, World
from soul_core.objectives import find_objective
from soul_core.session.body import AllWeights, Body
from soul_core.session.lane import Lane
from soul_core.session.material import Material
from soul_core.session.oneshot import InfluenceLane
from soul_core.session.prompted import PromptLane
from soul_core.session.recovery import Saved
from soul_core.session.references import References
from soul_core.session.runner import Runner

_ASCENT = ObjectiveConfig(name="ga")
"""Its batches hold the true answers: what FILA weighs layers by, whatever the lane trains on."""

Making = Generator[Progress, None, Runner]


class LaneMaker:
    """Makes the runners of one race.

    Args:
        config: The race.
        task: Its rows as they are; ``material`` has them tokenised.
        original: Its model, on ``device``.
        scored: Whether references are scored; without it they are 0, which only an estimate of time can live with.
        world: All processes of the race.
    """

    def __init__(
        self,
        config: RaceConfig,
        task: ForgetTask,
        material: Material,
        original: LoadedModel,
        *,
        device: torch.device,
        autocast_dtype: torch.dtype | None,
        scored: bool = True,
        world: World = ALONE,
    ) -> None:
        self._world = world
        self._config = config
        self._task = task
        self._material = material
        self._original = original
        self._device = device
        self._autocast_dtype = autocast_dtype
        self._references = References(
            config, material, original, device=device, autocast_dtype=autocast_dtype, scored=scored, world=world
        )

    def make(self, entry: LaneConfig, saved: Saved | None = None) -> Making:
        """The runner of one lane; yields what it waits for.

        Raises:
            SoulError: The settings do not fit the model, or what is saved cannot be read.
        """
        kinds: dict[str, Callable[[LaneConfig, Saved | None], Making]] = {
            "trained": self._trained,
            "one-shot": self._one_shot,
            "prompt": self._prompted,
        }
        return kinds[find_objective(entry.objective.name).kind](entry, saved)

    def _trained(self, entry: LaneConfig, saved: Saved | None) -> Making:
        reference = yield from self._references.of(entry.objective)
        body = yield from self._body(entry, saved)
        return Lane(
            entry,
            self._config,
            self._material,
            self._original,
            body,
            device=self._device,
            autocast_dtype=self._autocast_dtype,
            reference=reference,
            saved=saved,
            world=self._world,
        )

    def _body(self, entry: LaneConfig, saved: Saved | None) -> Generator[Progress, None, Body]:
        if entry.weights.kind == "lora":
            # peft takes seconds to import, which only a lane that needs it should pay for.
            from soul_core.session.adapter_body import Adapter, importances_of  # noqa: PLC0415

            importances = None
            if entry.weights.init == "fila" and saved is None:
                batches = self._material.batches(_ASCENT, epoch=1)
                importances = yield from importances_of(
                    self._original,
                    entry.weights,
                    batches,
                    device=self._device,
                    autocast_dtype=self._autocast_dtype,
                )
            return Adapter(
                self._original,
                entry.weights,
                device=self._device,
                seed=self._config.seed,
                importances=importances,
                saved=saved,
                world=self._world,
            )
        dtype = torch.bfloat16 if entry.weights.kind == "bfloat16" else torch.float32
        return AllWeights(self._original, dtype=dtype, device=self._device, saved=saved, world=self._world)

    def _one_shot(self, entry: LaneConfig, saved: Saved | None) -> Making:
        body = yield from self._body(entry, saved)
        return InfluenceLane(
            entry,
            self._config,
            self._material,
            self._original,
            body,
            device=self._device,
            autocast_dtype=self._autocast_dtype,
            saved=saved,
            world=self._world,
        )

    def _prompted(self, entry: LaneConfig, saved: Saved | None) -> Making:
        yield from ()
        return PromptLane(entry, self._config, self._task, self._original, saved=saved, world=self._world)


def made(making: Making) -> Runner:
    """The runner, without telling what it waits for."""
    while True:
        try:
            next(making)
        except StopIteration as stop:
            runner: Runner = stop.value
            return runner

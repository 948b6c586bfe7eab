"""What each lane's objective is given of the original: scored once where it does not change. It trains nothing."""

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from soul_core.config import ObjectiveConfig, RaceConfig
from soul_core.data.prompts import Example
from soul_core.engine import Reference, reference_nll
from soul_core.errors import ConfigError
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel
from soul_core.models.world import ALONE, World
from soul_core.objectives import find_objective, needs_of, options_of
from soul_core.session.material import Material

MIDDLE = -1
"""What stands for the middle layer; also the layer of a retain term on hidden states whose objective names none."""


class References:
    """Makes the references of a race's objectives; the original is scored once for all of them.

    Args:
        config: The race.
        material: Its rows.
        original: Its model, on ``device``.
        scored: Without it the likelihoods are 0, which only an estimate of time can live with.
        world: All processes; each scores its share where it can.
    """

    def __init__(
        self,
        config: RaceConfig,
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
        self._material = material
        self._original = original
        self._device = device
        self._autocast_dtype = autocast_dtype
        self._score = scored
        self._scored: dict[int, Tensor] = {}

    def of(self, objective: ObjectiveConfig) -> Generator[Progress, None, Reference]:
        """The reference of one objective.

        Raises:
            ConfigError: It wants the hidden states of a layer that the model does not have.
        """
        needs = needs_of(objective)
        nll_N: Tensor | None = None
        if needs.nll:
            nll_N = yield from self._nll(self._material.forget_examples(objective))
            preferred = self._material.preferred_examples(objective)
            if preferred is not None:
                other_N = yield from self._nll(preferred)
                nll_N = torch.stack([nll_N, other_N], dim=1)
        layer = layer_of(objective, self._original) if needs.hidden else None
        return Reference(
            nll_N=nll_N,
            model=self._original.model if needs.model else None,
            logits=needs.logits,
            layer=layer,
            direction_H=self._direction() if needs.hidden else None,
        )

    def _nll(self, examples: Sequence[Example]) -> Generator[Progress, None, Tensor]:
        if not self._score:
            return torch.zeros(len(examples))
        if id(examples) not in self._scored:
            rank, size = (self._world.rank, self._world.size) if self._world.splits else (0, 1)
            scoring = reference_nll(
                self._original.model,
                examples[rank::size],
                batch_size=2 * self._config.batch_size,
                pad_id=self._material.pad_id,
                device=self._device,
                autocast_dtype=self._autocast_dtype,
            )
            while True:
                try:
                    done = next(scoring)
                except StopIteration as stop:
                    nll_N = torch.zeros(len(examples))
                    for part, nll_n in enumerate(self._world.gathered(stop.value) if size > 1 else [stop.value]):
                        nll_N[part::size] = nll_n
                    self._scored[id(examples)] = nll_N
                    break
                yield Progress(what="Scoring the original", lane="original", done=done, total=len(examples))
        return self._scored[id(examples)]

    def _direction(self) -> Tensor:
        """A random direction of the hidden states, drawn by the race's seed."""
        draw = torch.Generator().manual_seed(self._config.seed)
        width = self._original.model.config.get_text_config().hidden_size
        direction_H = torch.rand(width, generator=draw)
        unit_H: Tensor = direction_H / direction_H.norm()
        return unit_H.to(self._device)


def layer_of(objective: ObjectiveConfig, original: LoadedModel) -> int:
    """The layer whose output an objective steers.

    Raises:
        ConfigError: The model has no such layer.
    """
    layers = original.model.config.get_text_config().num_hidden_layers
    layer = int(options_of(objective).get("layer", MIDDLE))
    if layer == MIDDLE:
        return int(layers // 2)
    if layer >= layers:
        label = find_objective(objective.name).label
        raise ConfigError(
            f"{label} is to steer layer {layer}, but “{original.name}” has the layers 0 to {layers - 1}. "
            "Choose one of these."
        )
    return layer

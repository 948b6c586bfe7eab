"""A lane's weights as LoRA matrices on the original's own, and what FILA starts them from. It knows no optimizer.

Importing it imports peft, which takes seconds: only a lane that needs it does.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.config import WeightsConfig
from soul_core.data.batches import Batch
from soul_core.engine import likelihoods_of
from soul_core.events import Progress
from soul_core.models.adapter_saving import write_adapter
from soul_core.models.adapters import ADAPTER_STATE_FILE, adapter_state, attach_lora, restore_adapter, shared_copy
from soul_core.models.fila import fisher_of, relative_importances
from soul_core.models.layers import chosen_layers
from soul_core.models.loading import LoadedModel
from soul_core.models.sharding import blank_like, parts_of, sharded_with_adapter, spread_weights, whole_of
from soul_core.models.storage import load_state, save_state
from soul_core.models.world import ALONE, World
from soul_core.session.loaded import load_for
from soul_core.session.recovery import Saved


class Adapter:
    """LoRA matrices on weights that are the original's own.

    Args:
        original: On its device; its weights are shared, not copied.
        weights: Rank, layers and start.
        seed: Decides the matrices that start at random.
        importances: By layer, where the start is FILA and nothing is saved.
        saved: Where to go on from; a lane that has ended is read merged, since it is trained no more.
        world: All processes.

    Raises:
        ConfigError: The layers do not exist or are too small.
        ModelError: What is saved cannot be read.
    """

    def __init__(
        self,
        original: LoadedModel,
        weights: WeightsConfig,
        *,
        device: torch.device,
        seed: int,
        importances: Mapping[str, Tensor] | None = None,
        saved: Saved | None = None,
        world: World = ALONE,
    ) -> None:
        self._original = original
        self._weights = weights
        self._world = world
        if saved is not None and saved.final:
            self.model: PreTrainedModel = load_for(device, str(saved.folder), None, world=world).model
            return
        state = None if saved is None else world.from_main(lambda: load_state(saved.folder / ADAPTER_STATE_FILE))

        def attach(model: PreTrainedModel) -> None:
            if state is None:
                attach_lora(model, weights, seed=seed, importances=importances)
            else:
                restore_adapter(model, weights, state)

        if world.sharded:
            self.model = sharded_with_adapter(original.model, attach, world=world, device=device)
        else:
            self.model = shared_copy(original)
            attach(self.model)
            if importances is not None and world.size > 1:
                # What was calculated by each may differ in its last bits, and so would then every step.
                spread_weights(self.model, self.model if world.main else None, world, device)

    @property
    def nbytes(self) -> int:
        """About what it takes on the disk."""
        return sum(tensor.numel() * tensor.element_size() for tensor in adapter_state(self.model).values())

    def writer(self, *, final: bool) -> Callable[[Path], None]:
        """The adapter in peft's format; to go on from, also the matrices as they are."""
        parts_of(self.model)  # brings back what a forward put together
        state = {name: whole_of(tensor) for name, tensor in adapter_state(self.model).items()}

        def write(folder: Path) -> None:
            model = self.model
            if self._world.sharded:
                model = blank_like(self._original.model)
                restore_adapter(model, self._weights, {name: tensor.cpu() for name, tensor in state.items()})
            write_adapter(model, self._original, folder)
            if not final:
                save_state(state, folder / ADAPTER_STATE_FILE)

        return write


def importances_of(
    original: LoadedModel,
    weights: WeightsConfig,
    batches: Sequence[Batch],
    *,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
) -> Generator[Progress, None, dict[str, Tensor]]:
    """How much more each weight matters to the forget rows than to the retain rows of the batches, for FILA.

    Raises:
        RunError: A gradient is not finite.
    """
    model = shared_copy(original)
    layers = chosen_layers(model, weights.targets, rank=weights.rank)

    def nll_of(batch: Batch) -> tuple[Tensor, int]:
        likelihoods = likelihoods_of(model, batch, device=device, autocast_dtype=autocast_dtype)
        tokens = likelihoods.tokens_B.sum()
        return likelihoods.nll_B.sum() / tokens, int(tokens)

    found = []
    for forget in (True, False):
        rows = [batch.rows(batch.is_forget_B == forget) for batch in batches]
        measuring = fisher_of(model, layers, rows, nll_of)
        while True:
            try:
                done = next(measuring)
            except StopIteration as stop:
                found.append(stop.value)
                break
            total = 2 * len(batches)
            yield Progress(what="Weighing the layers", done=done + (0 if forget else len(batches)), total=total)
    return relative_importances(*found)

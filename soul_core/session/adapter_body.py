"""A lane's weights as LoRA matrices on the original's own, and what FILA starts them from. It knows no optimizer.

Importing it imports peft, which takes seconds: only a lane that needs it does.
"""

from collections.abc import Generator, Mapping, Sequence
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
from soul_core.models.loading import LoadedModel, load_model
from soul_core.models.storage import load_state, save_state
from soul_core.session.recovery import Saved


class Adapter:
    """LoRA matrices on weights that are the original's own.

    Args:
        original: On its device; its weights are shared, not copied.
        weights: Rank, layers and start.
        seed: Decides the matrices that start at random.
        importances: By layer, where the start is FILA and nothing is saved.
        saved: Where to go on from; a lane that has ended is read merged, since it is trained no more.

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
    ) -> None:
        self._original = original
        if saved is not None and saved.final:
            self.model: PreTrainedModel = load_model(str(saved.folder), device=device).model
            return
        self.model = shared_copy(original)
        if saved is None:
            attach_lora(self.model, weights, seed=seed, importances=importances)
        else:
            restore_adapter(self.model, weights, load_state(saved.folder / ADAPTER_STATE_FILE))

    @property
    def nbytes(self) -> int:
        """About what it takes on the disk."""
        return sum(tensor.numel() * tensor.element_size() for tensor in adapter_state(self.model).values())

    def write(self, folder: Path, *, final: bool) -> None:
        """The adapter in peft's format; to go on from, also the matrices as they are."""
        write_adapter(self.model, self._original, folder)
        if not final:
            save_state(adapter_state(self.model), folder / ADAPTER_STATE_FILE)


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

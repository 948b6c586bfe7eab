"""The weights that a lane trains and how they lie on the disk: all of them, or an adapter. It knows no optimizer."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.config import WeightsConfig
from soul_core.data.batches import Batch
from soul_core.engine import likelihoods_of
from soul_core.events import Progress
from soul_core.models.adapter_saving import write_adapter
from soul_core.models.adapters import adapter_state, attach_lora, restore_adapter, shared_copy
from soul_core.models.fila import fisher_of, relative_importances
from soul_core.models.layers import chosen_layers
from soul_core.models.loading import LoadedModel, copy_of, load_model
from soul_core.models.storage import load_state, save_state, write_model
from soul_core.session.recovery import Saved

ADAPTER_STATE = "adapter_state.safetensors"


class Body(Protocol):
    """What a lane trains.

    Attributes:
        model: The whole model; what is trained requires a gradient.
    """

    model: PreTrainedModel

    @property
    def nbytes(self) -> int:
        """About what it takes on the disk."""

    def write(self, folder: Path, *, final: bool) -> None:
        """Write it into a new folder: what ``load_model`` reads, or what training goes on from."""


class AllWeights:
    """A copy of the original, all of it trained.

    Args:
        original: On its device.
        dtype: Of the weights. With ``bfloat16`` the optimizer must round stochastically.
        saved: Where to go on from.

    Raises:
        ModelError: The saved weights cannot be read.
    """

    def __init__(
        self, original: LoadedModel, *, dtype: torch.dtype, device: torch.device, saved: Saved | None = None
    ) -> None:
        self._original = original
        if saved is None:
            self.model: PreTrainedModel = copy_of(original)
        else:
            self.model = load_model(str(saved.folder), device=device).model.requires_grad_(True)
        if dtype != torch.float32:
            self.model.to(dtype)  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        """About what it takes on the disk."""
        return sum(p.numel() * p.element_size() for p in self.model.parameters())

    def write(self, folder: Path, *, final: bool) -> None:
        """All weights, readable by ``AutoModelForCausalLM.from_pretrained``."""
        write_model(self.model, self._original.tokenizer, folder, known_as=self._original.known_as)


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
            restore_adapter(self.model, weights, load_state(saved.folder / ADAPTER_STATE))

    @property
    def nbytes(self) -> int:
        """About what it takes on the disk."""
        return sum(tensor.numel() * tensor.element_size() for tensor in adapter_state(self.model).values())

    def write(self, folder: Path, *, final: bool) -> None:
        """The adapter in peft's format; to go on from, also the matrices as they are."""
        write_adapter(self.model, self._original, folder)
        if not final:
            save_state(adapter_state(self.model), folder / ADAPTER_STATE)


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

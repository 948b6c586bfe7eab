"""The weights that a lane trains and how they lie on the disk: all of them, or an adapter. It knows no optimizer."""

from pathlib import Path
from typing import Protocol

import torch
from transformers import PreTrainedModel

from soul_core.models.loading import LoadedModel, copy_of, load_model
from soul_core.models.storage import write_model
from soul_core.session.recovery import Saved


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
        for p in self.model.parameters():
            # Parameters alone: a model's buffers, such as rotary frequencies, would be rounded for good.
            p.data = p.data.to(dtype)

    @property
    def nbytes(self) -> int:
        """About what it takes on the disk."""
        return sum(p.numel() * p.element_size() for p in self.model.parameters())

    def write(self, folder: Path, *, final: bool) -> None:
        """All weights, readable by ``AutoModelForCausalLM.from_pretrained``."""
        write_model(self.model, self._original.tokenizer, folder, known_as=self._original.known_as)

"""The weights that a lane trains and how they lie on the disk: all of them, or an adapter. It knows no optimizer."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from transformers import PreTrainedModel

from soul_core.errors import RunError
from soul_core.models.loading import LoadedModel, copy_of, load_model
from soul_core.models.sharding import load_together, parts_of, sharded_copy, whole_on_main
from soul_core.models.storage import write_model
from soul_core.models.world import ALONE, World
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

    def writer(self, *, final: bool) -> Callable[[Path], None]:
        """What writes it into a new folder: what ``load_model`` reads, or what training goes on from.

        All processes ask for it, and the main one alone calls it.
        """


class AllWeights:
    """A copy of the original, all of it trained.

    Args:
        original: On its device.
        dtype: Of the weights. With ``bfloat16`` the optimizer must round stochastically.
        saved: Where to go on from.
        world: All processes; sharded, each has its part of the copy.

    Raises:
        ModelError: The saved weights cannot be read.
        RunError: They are another model's.
    """

    def __init__(
        self,
        original: LoadedModel,
        *,
        dtype: torch.dtype,
        device: torch.device,
        saved: Saved | None = None,
        world: World = ALONE,
    ) -> None:
        self._original = original
        self._world = world
        if saved is not None and world.size > 1:
            spec = str(saved.folder)
            self.model: PreTrainedModel = load_together(
                spec, world=world, device=device, dtype=dtype, trained=True
            ).model
        elif saved is not None:
            self.model = load_model(str(saved.folder), device=device).model.requires_grad_(True)
        elif world.sharded:
            self.model = sharded_copy(original.model, dtype=dtype, world=world, device=device)
        else:
            self.model = copy_of(original)
        if saved is not None:
            _require_alike(self.model, original, saved.folder)
        if world.sharded:
            return
        for p in self.model.parameters():
            # Parameters alone: a model's buffers, such as rotary frequencies, would be rounded for good.
            p.data = p.data.to(dtype)

    @property
    def nbytes(self) -> int:
        """About what it takes on the disk."""
        return sum(p.numel() * p.element_size() for p in self.model.parameters())

    def writer(self, *, final: bool) -> Callable[[Path], None]:
        """All weights, readable by ``AutoModelForCausalLM.from_pretrained``."""
        whole = whole_on_main(self.model, self._world)

        def write(folder: Path) -> None:
            if whole is not None:
                write_model(whole, self._original.tokenizer, folder, known_as=self._original.known_as)

        return write


def _require_alike(model: PreTrainedModel, original: LoadedModel, folder: Path) -> None:
    """Refuse saved weights that have other names or sizes than the original's."""
    saved = {name: tuple(p.shape) for name, p in parts_of(model).items()}
    expected = {name: tuple(p.shape) for name, p in parts_of(original.model).items()}
    if saved != expected:
        name = next(iter(sorted(set(saved.items()) ^ set(expected.items()))))[0]
        raise RunError(
            f"The weights in {folder} are not of “{original.name}”: {name} differs. Put back what the race had saved "
            "there, or start a new race."
        )

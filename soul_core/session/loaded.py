"""A model on the device where it is needed, from the shelf where there is one. It knows no race."""

from dataclasses import replace

import torch

from soul_core.evaluation.forward import device_of
from soul_core.models.loading import LoadedModel, copy_of, load_model
from soul_core.models.sharding import load_together
from soul_core.models.shelf import Shelf
from soul_core.models.world import ALONE, World


def load_for(
    device: torch.device, spec: str, shelf: Shelf | None, *, key: str = "", world: World = ALONE
) -> LoadedModel:
    """The model, on ``device``; ``shelf`` keeps what is loaded. Errors are ``load_model``'s.

    Args:
        device: Where it is needed.
        spec: Preset, hub id or folder.
        shelf: Where loaded models are kept; none keeps nothing.
        key: Its key on the shelf, where that is not ``spec``.
        world: All processes of the run; with several the shelf is left alone.
    """
    if world.size > 1:
        return load_together(spec, world=world, device=device)

    def load() -> LoadedModel:
        return load_model(spec, device=device)

    loaded = shelf.get(key or spec, load) if shelf is not None else load()
    if device_of(loaded.model).type != device.type:
        # Somebody else put it on the shelf for another device, and may be asking it right now.
        model = copy_of(loaded).requires_grad_(False)
        model.to(device)  # type: ignore[arg-type]
        loaded = replace(loaded, model=model)
    return loaded

"""One model in parts over the processes of a world, by torch's FSDP2, or whole on each. It knows no training.

A weight is cut along its first axis, as ``torch.chunk`` cuts it: what is elementwise can be done on each part alone.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from soul_core.models.loading import LOADING, LoadedModel, load_model
from soul_core.models.quiet import quiet
from soul_core.models.world import World

_META = torch.device("meta")
_PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others' parts of a layer."""


def is_sharded(model: nn.Module) -> bool:
    """Whether the model's weights are spread over processes."""
    return isinstance(model, FSDPModule)


def load_together(
    spec: str, *, world: World, device: torch.device, dtype: torch.dtype = torch.float32, trained: bool = False
) -> LoadedModel:
    """``load_model`` by the main process alone, on its CPU, and then to all: whole, or to each its part.

    The main machine needs memory for one whole fp32 model; nobody else does. Errors are ``load_model``'s, at all.

    Args:
        spec: Preset name, hub id, or path of a folder that the main process sees.
        world: All processes.
        device: Of this process.
        dtype: Of the weights.
        trained: Whether they require a gradient.
    """
    mine: list[PreTrainedModel] = []

    def told() -> tuple[LoadedModel, Any]:
        loaded = load_model(spec)
        mine.append(loaded.model)
        said = (loaded.model.config, loaded.model.generation_config)
        return replace(loaded, model=None), said  # type: ignore[arg-type]

    loaded, (config, generation_config) = world.from_main(told)
    model = mine[0] if mine and not world.sharded else blank(config)
    for p in model.parameters():
        # Parameters alone: a model's buffers, such as rotary frequencies, would be rounded for good.
        p.data = p.data.to(dtype)
    model.requires_grad_(trained).eval()
    if world.sharded:
        shard(model, world, device, trained=trained)
    elif mine:
        model.to(device)  # type: ignore[arg-type]
    else:
        model.to_empty(device=device)
        model.tie_weights()  # each got memory of its own
    model.generation_config = generation_config
    spread_weights(model, mine[0] if mine else None, world, device)
    _gather_once(model)
    return replace(loaded, model=model)


def spread_weights(model: nn.Module, source: nn.Module | None, world: World, device: torch.device) -> None:
    """Fill a model's weights and buffers, on every process, with those of the main process's ``source``.

    Args:
        model: On ``device``, sharded or not, alike on all processes.
        source: The same model, whole, in the main process; there it may be ``model`` itself. None elsewhere.
        world: All processes.
        device: Of this process.
    """
    given = {} if source is None else {**dict(source.named_parameters()), **dict(source.named_buffers())}
    if world.from_main(lambda: list(given)) != list(_tensors(model)):
        raise ValueError(f"process {world.rank} has other weights to fill than the main process has to give")
    with torch.no_grad():
        for name, tensor in _tensors(model).items():
            whole = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
            if given:
                whole.copy_(given[name])
            world.send(whole)
            _local(tensor).copy_(own_part(whole, world) if isinstance(tensor, DTensor) else whole)


def own_part(whole: Tensor, world: World) -> Tensor:
    """The part of a tensor that this process holds of it when it is sharded; possibly empty."""
    parts = whole.chunk(world.size)
    return parts[world.rank] if world.rank < len(parts) else whole[:0]


def blank(config: Any) -> PreTrainedModel:
    """A model of that config without memory: its tensors have shapes alone."""
    with LOADING, quiet(), _META:
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, trust_remote_code=False, dtype=torch.float32)
    model.eval()
    return model


def shard(model: PreTrainedModel, world: World, device: torch.device, *, trained: bool) -> None:
    """Cut a blank model into parts, a decoder layer at a time, and give this process's part memory, not yet filled.

    Gradients will be sums over the processes, as a loss is the whole batch's on each of them.

    Args:
        model: What ``blank`` gave, in the precision that it is to have.
        world: All processes.
        device: Of this process.
        trained: Whether embedding and head stay whole from a forward to its backward. They have to where the head is
            called by itself in between; of a model that is only asked they would take memory for nothing.
    """
    _cut(model, world, device, trained=trained)
    model.to_empty(device=device)


def _cut(model: nn.Module, world: World, device: torch.device, *, trained: bool) -> None:
    mesh = _mesh(device, world.size)
    layers = _layers(model)
    for layer in layers:
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    fully_shard(model, mesh=mesh, reshard_after_forward=not trained)
    for module in (*layers, model):
        module.set_gradient_divide_factor(1.0)  # type: ignore[operator]
        # Scaling by one is nothing, and gloo knows sums alone.
        module.set_force_sum_reduction_for_comms(True)  # type: ignore[operator]


def sharded_copy(model: PreTrainedModel, *, dtype: torch.dtype, world: World, device: torch.device) -> PreTrainedModel:
    """A copy of a sharded model with weights of its own, all of them trainable; no process sees the whole of it."""
    copied = blank_like(model)
    for p in copied.parameters():
        # Parameters alone: a model's buffers, such as rotary frequencies, would be rounded for good.
        p.data = p.data.to(dtype)
    copied.requires_grad_(True)
    shard(copied, world, device, trained=True)
    fill_from(copied, model)
    _gather_once(copied)
    return copied


def sharded_with_adapter(
    model: PreTrainedModel, attach: Callable[[PreTrainedModel], None], *, world: World, device: torch.device
) -> PreTrainedModel:
    """A sharded model's own parts, frozen, with an adapter on top, which is sharded too and trained.

    Args:
        model: Sharded; both see every change of its weights.
        attach: Puts the adapter, with memory, to a model without; layers inside are then called ``base_layer``.
        world: All processes.
        device: Of this process.
    """
    made = blank_like(model).requires_grad_(False)
    attach(made)
    _cut(made, world, device, trained=True)
    parts_of(model)  # brings back what a forward put together
    given = dict(model.named_parameters(remove_duplicate=False))
    shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in given.values()}
    state = {
        name: shared[id(given[name.replace(".base_layer.", ".")])]
        for name, p in made.named_parameters(remove_duplicate=False)
        if _local(p).is_meta
    }
    made.load_state_dict(state, strict=False, assign=True)
    for name, buffer in model.named_buffers():
        path, _, own = name.rpartition(".")
        made.get_submodule(path).register_buffer(own, buffer, persistent=False)
    _gather_once(made)
    return made


def fill_from(model: nn.Module, source: nn.Module) -> None:
    """Copy what one sharded model holds here into another that is cut alike."""
    given = _tensors(source)
    with torch.no_grad():
        for name, tensor in _tensors(model).items():
            _local(tensor).copy_(_local(given[name]))


def whole_on_main(model: PreTrainedModel, world: World) -> PreTrainedModel | None:
    """The model put together on the main process's CPU, one weight after the other; None for the others.

    Of a model that every process has whole, the main process's own.
    """
    if not is_sharded(model):
        return model if world.main else None
    state: dict[str, Tensor] = {}
    for name, p in parts_of(model).items():
        whole = whole_of(p)
        if world.main:
            state[name] = whole.cpu()
        del whole
    if not world.main:
        return None
    together = blank_like(model)
    together.load_state_dict(state, strict=False, assign=True)
    together.tie_weights()
    return together


def whole_of(tensor: Tensor) -> Tensor:
    """A sharded tensor's parts put together, on every process."""
    if not isinstance(tensor, DTensor):
        return tensor.detach()
    detached: Any = tensor.detach()  # a DTensor, which torch's annotation forgets
    whole: Tensor = detached.full_tensor()
    return whole


def whole_of_part(part: Tensor, like: Tensor) -> Tensor:
    """What all processes hold beside their parts of a sharded weight, such as a state of its shape, put together."""
    if not isinstance(like, DTensor):
        return part
    placed = DTensor.from_local(part, like.device_mesh, like.placements, shape=like.shape, stride=like.stride())
    return whole_of(placed)


def local_part(tensor: Tensor) -> Tensor:
    """What this process holds of a sharded tensor: the memory itself."""
    return _local(tensor).detach()


def _gather_once(model: nn.Module) -> None:
    """The memory in which weights are put together is made at the first time and kept: not in inference mode, whose
    tensors are of no use outside of it."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.unshard()
            module.reshard()


def parts_of(model: nn.Module) -> dict[str, Tensor]:
    """The parameters by name, those of a sharded model as their parts, whatever was forwarded before."""
    if isinstance(model, FSDPModule):
        model.reshard()  # what lies outside of the layers
    return dict(model.named_parameters())


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return parts_of(model) | dict(model.named_buffers())


def blank_like(model: PreTrainedModel) -> PreTrainedModel:
    """A model without memory that is built and generates like this one."""
    made = blank(copy.deepcopy(model.config))
    made.generation_config = copy.deepcopy(model.generation_config)
    return made


def _local(tensor: Tensor) -> Tensor:
    # The memory itself; ``to_local`` is a view in the graph.
    return tensor._local_tensor if isinstance(tensor, DTensor) else tensor


def _mesh(device: torch.device, size: int) -> DeviceMesh:
    key = (device.type, size)
    if key not in _MESHES:
        # A group of its own, since a process that fails in a forward leaves the others waiting in theirs.
        _MESHES[key] = DeviceMesh.from_group(dist.new_group(timeout=_PATIENCE), device.type)
    return _MESHES[key]


_MESHES: dict[tuple[str, int], DeviceMesh] = {}
"""A mesh makes groups of processes, so one is enough for all models."""


def _layers(model: nn.Module) -> list[nn.Module]:
    """The decoder layers: of the lists of modules the one with most weights."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        return []
    largest = max(lists, key=lambda modules: sum(p.numel() for p in modules.parameters()))
    return list(largest)

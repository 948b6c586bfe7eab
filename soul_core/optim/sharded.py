"""Any optimizer on a sharded model: it steps each process's part of the weights. It knows no model's layers, no loss.

Optimizers here are elementwise, so the parts of a step are steps of the parts; only norms and shares are of the whole.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from soul_core.config import OptimizerConfig
from soul_core.models.sharding import is_sharded, local_part, own_part, parts_of, whole_of_part
from soul_core.models.storage import flatten_optimizer_state, restore_optimizer_state
from soul_core.models.world import World
from soul_core.optim.build import BuiltOptimizer, build_optimizer
from soul_core.optim.protocol import TakesCurvature


class Parts(nn.Module):
    """This process's parts of a sharded model's trainable weights, as parameters on the same memory.

    Args:
        model: Sharded.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.wholes = [p for p in parts_of(model).values() if p.requires_grad]
        self.parts = nn.ParameterList([nn.Parameter(local_part(p)) for p in self.wholes])

    def take_gradients(self) -> None:
        """Move what the backward pass left at the model's weights to the parts."""
        for whole, part in zip(self.wholes, self.parts, strict=True):
            # FSDP may have moved a part to padded memory of its own since.
            part.data = local_part(whole)
            if whole.grad is not None:
                gradient = local_part(whole.grad)
                part.grad = gradient if part.grad is None else part.grad.add_(gradient)
                whole.grad = None

    def drop_gradients(self) -> None:
        """Forget them, wherever they are."""
        for tensor in (*self.wholes, *self.parts):
            tensor.grad = None


class PartPeers(World):
    """A world whose backward pass has summed the gradients already, each process's part of them.

    Args:
        world: All processes.
        parts: Of this one.
    """

    def __init__(self, world: World, parts: Parts) -> None:
        self.rank, self.size, self.sharded = world.rank, world.size, world.sharded
        self._world = world
        self._parts = parts

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """See ``World``."""
        return self._world.gathered(tensor)

    def total(self, value: Tensor) -> Tensor:
        """See ``World``."""
        return self._world.total(value)

    def any(self, flag: bool) -> bool:
        """See ``World``."""
        return self._world.any(flag)

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Bring them to the parts."""
        self._parts.take_gradients()

    @torch.no_grad()
    def clip_gradients(self, parameters: Sequence[Tensor], max_norm: float) -> Tensor:
        """As torch clips, by the norm over all parts."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        device = parameters[0].device
        squares = torch.stack([g.float().square().sum() for g in gradients]) if gradients else torch.zeros(1)
        norm = self.total(squares.sum().to(device)).sqrt()
        scale = (max_norm / (norm + 1e-6)).clamp_max(1.0)
        for g in gradients:
            g.mul_(scale.to(g.dtype))
        return norm


class PartOptimizer:
    """An optimizer of all processes' parts, each stepping its own.

    The engine drives it like any other. State stays with the parts.

    Attributes:
        param_groups: Of the parts.
        inner: The optimizer of this process's parts.
        clip_share: Over the coordinates of all parts; None where the optimizer does not clip.
        update_norm: Of the whole step.

    Args:
        parts: Of this process.
        build: The optimizer of a module's parameters.
        world: All processes.
    """

    def __init__(self, parts: Parts, build: Callable[[nn.Module], BuiltOptimizer], world: World) -> None:
        self.parts = parts
        self.inner = build(parts)
        self.param_groups = self.inner.param_groups
        self.update_norm = torch.tensor(0.0)
        self.clip_share: Tensor | None = self.inner.clip_share
        self._world = world

    def wholes(self) -> list[Tensor]:
        """The sharded weights, in the order of ``param_groups``."""
        of = {id(part): whole for part, whole in zip(self.parts.parts, self.parts.wholes, strict=True)}
        return [of[id(p)] for group in self.param_groups for p in group["params"]]

    def step(self) -> None:
        """Take one step of the parts that have a gradient."""
        self.inner.step()
        here = sum(p.numel() for group in self.param_groups for p in group["params"] if p.grad is not None)
        squared, share = self.inner.update_norm.double().square(), self.inner.clip_share
        clipped = torch.zeros_like(squared) if share is None else share.double().to(squared.device) * here
        sums = self._world.total(torch.stack([squared, clipped, torch.full_like(squared, here)]))
        self.update_norm = sums[0].sqrt().float()
        if share is not None:
            self.clip_share = (sums[1] / sums[2].clamp_min(1)).float()

    def update_curvature(self, estimates: Sequence[Tensor], *, factor: float | None = None) -> None:
        """Pass on one estimate per part; a factor as ``Sophia`` takes it.

        Raises:
            TypeError: The optimizer inside takes none.
        """
        if not isinstance(self.inner, TakesCurvature):
            raise TypeError(f"{type(self.inner).__name__} takes no curvature; pass curvature=None")
        self.inner.update_curvature(estimates, factor=factor)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, of the model's weights too."""
        self.parts.drop_gradients()


def optimizer_and_peers(
    model: nn.Module, config: OptimizerConfig, world: World, *, rounding: bool = False
) -> tuple[BuiltOptimizer | PartOptimizer, World]:
    """The configured optimizer of a model, sharded or not, and whom its gradients are summed with.

    Args:
        model: On its device, in its precision.
        config: Name and settings.
        world: All processes.
        rounding: See ``build_optimizer``.
    """
    if not is_sharded(model):
        return build_optimizer(model, config, rounding=rounding), world
    parts = Parts(model)

    def build(module: nn.Module) -> BuiltOptimizer:
        return build_optimizer(module, config, rounding=rounding)

    return PartOptimizer(parts, build, world), PartPeers(world, parts)


def state_on_main(optimizer: BuiltOptimizer | PartOptimizer, world: World) -> tuple[dict[str, Tensor], str] | None:
    """``flatten_optimizer_state`` of whole weights on the main process's CPU; None for the others.

    To be called by all processes. It is the same for any number of them, sharded or not.
    """
    if not isinstance(optimizer, PartOptimizer):
        return flatten_optimizer_state(optimizer) if world.main else None
    tensors, plain = flatten_optimizer_state(optimizer.inner)
    wholes = optimizer.wholes()
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        whole = tensor if tensor.ndim == 0 else whole_of_part(tensor, wholes[_index(name)])
        if world.main:
            found[name] = whole.cpu()
        del whole
    return (found, plain) if world.main else None


def restore_from_main(
    optimizer: BuiltOptimizer | PartOptimizer, read: Callable[[], tuple[Mapping[str, Tensor], str]], world: World
) -> None:
    """Put back what ``state_on_main`` gave, in as many processes as there are now.

    Args:
        optimizer: Built for the same weights.
        read: Called by the main process alone; its ``RunError`` is raised by all.
        world: All processes.

    Raises:
        RunError: It belongs to other weights or another optimizer.
    """
    if world.size == 1:
        _restore(optimizer, *read())
        return
    tensors: dict[str, Tensor] = {}

    def told() -> tuple[dict[str, tuple[torch.Size, torch.dtype]], str]:
        state, plain = read()
        tensors.update(state)
        return {name: (t.shape, t.dtype) for name, t in tensors.items()}, plain

    shapes, plain = world.from_main(told)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    wholes = optimizer.wholes() if isinstance(optimizer, PartOptimizer) else parameters
    own: dict[str, Tensor] = {}
    for name, (shape, dtype) in shapes.items():
        whole = torch.empty(shape, dtype=dtype, device=parameters[0].device)
        if world.main:
            whole.copy_(tensors[name])
        world.send(whole)
        index = _index(name)
        fits = index < len(wholes) and wholes[index].shape == shape
        # What does not fit is left as it is, for the check that knows the sentence.
        own[name] = own_part(whole, world).clone() if world.sharded and whole.ndim and fits else whole
    _restore(optimizer, own, plain)


def _restore(optimizer: BuiltOptimizer | PartOptimizer, tensors: Mapping[str, Tensor], plain: str) -> None:
    if not isinstance(optimizer, PartOptimizer):
        restore_optimizer_state(optimizer, tensors, plain)
        return
    restore_optimizer_state(optimizer.inner, tensors, plain)
    optimizer.param_groups = optimizer.inner.param_groups  # which are others now


def _index(name: str) -> int:
    return int(name.partition(".")[0])

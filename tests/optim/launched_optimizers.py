"""What ``test_sharded.py`` lets two processes step: every optimizer, on parts of a net and, to compare, on all of it.

Each writes down what came out; it asserts nothing.
"""

import itertools
import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from soul_core.config import OptimizerConfig
from soul_core.errors import RunError
from soul_core.models.sharding import parts_of, shard, spread_weights, whole_of
from soul_core.models.world import World, join
from soul_core.optim import build_optimizer
from soul_core.optim.protocol import TakesCurvature
from soul_core.optim.sharded import PartOptimizer, optimizer_and_peers, restore_from_main, state_on_main
from tests.optim.test_rounding import CONFIGS

CPU = torch.device("cpu")
STEPS = 4


class Net(nn.Module):
    """A layer of five rows, which two processes share unevenly, and one of one row, of which one has nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 5), nn.Linear(5, 1)])

    def forward(self, rows_B3: Tensor) -> Tensor:
        out: Tensor = self.layers[1](self.layers[0](rows_B3).tanh())
        return out


def whole_net() -> Net:
    torch.manual_seed(1)
    return Net()


def cut_net(world: World) -> Net:
    with torch.device("meta"):
        net = Net()
    shard(net, world, CPU, trained=True)  # type: ignore[arg-type]
    spread_weights(net, whole_net() if world.main else None, world, CPU)
    return net


def gradients_of(net: nn.Module, step: int, rows: slice) -> None:
    rows_B3 = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
    (net(rows_B3[rows]).square().sum() / 4).backward()


def compared(config: OptimizerConfig, world: World) -> dict[str, float]:
    """The largest difference between both after some steps, the last of them taken from a saved state."""
    whole, cut = whole_net(), cut_net(world)
    one = build_optimizer(whole, config)
    many, peers = optimizer_and_peers(cut, config, world)
    worst = {"weights": 0.0, "norm": 0.0, "update_norm": 0.0, "clip_share": 0.0, "state": 0.0}
    for step in range(STEPS):
        if step == STEPS - 1:
            state = state_on_main(many, world)
            many, peers = optimizer_and_peers(cut, config, world)
            restore_from_main(many, lambda state=state: state, world)  # type: ignore[misc]
        one.zero_grad()
        many.zero_grad()
        gradients_of(whole, step, slice(None))
        gradients_of(cut, step, slice(world.rank, None, world.size))
        ours, theirs = ([p for group in of.param_groups for p in group["params"]] for of in (one, many))
        peers.sum_gradients(theirs)
        worst["norm"] = max(
            worst["norm"], abs((nn.utils.clip_grad_norm_(ours, 0.1) - peers.clip_gradients(theirs, 0.1)).item())
        )
        if isinstance(one, TakesCurvature):
            one.update_curvature([p.grad.square() for p in ours])
            many.update_curvature([p.grad.square() for p in theirs])
        one.step()
        many.step()
        worst["update_norm"] = max(worst["update_norm"], abs((one.update_norm - many.update_norm).item()))
        if one.clip_share is not None:
            worst["clip_share"] = max(worst["clip_share"], abs((one.clip_share - many.clip_share).item()))
    worst["weights"] = difference(whole, cut)
    state = state_on_main(many, world)
    if state is not None:
        worst["state"] = state_difference(one, state[0])
    return worst


def difference(whole: nn.Module, cut: nn.Module) -> float:
    parts = parts_of(cut)
    return max((p - whole_of(parts[name])).abs().max().item() for name, p in whole.named_parameters())


def state_difference(one: torch.optim.Optimizer, found: dict[str, Tensor]) -> float:
    own = one.state_dict()["state"]
    tensors = {
        f"{i}.{key}": value for i, entry in own.items() for key, value in entry.items() if torch.is_tensor(value)
    }
    if tensors.keys() != found.keys() or any(tensors[name].shape != found[name].shape for name in tensors):
        return float("inf")
    return max((abs(tensors[name] - found[name]).max().item() for name in tensors), default=0.0)


def refused(world: World) -> str:
    """What is said to a state of another net."""
    other = build_optimizer(nn.Linear(3, 7), CONFIGS["sophia"])
    for p in itertools.chain(*(group["params"] for group in other.param_groups)):
        p.grad = torch.ones_like(p)
    other.step()
    many, _ = optimizer_and_peers(cut_net(world), CONFIGS["sophia"], world)
    try:
        restore_from_main(many, lambda: state_on_main(other, World()), world)  # type: ignore[arg-type, return-value]
    except RunError as error:
        return str(error)
    return ""


def rounded(world: World) -> list[float]:
    """How far bf16 weights are from fp32 ones after the same steps, in the spacing of the largest weight."""
    whole = whole_net()
    with torch.device("meta"):
        cut = Net()
    for p in cut.parameters():
        p.data = p.data.to(torch.bfloat16)
    shard(cut, world, CPU, trained=True)  # type: ignore[arg-type]
    spread_weights(cut, whole if world.main else None, world, CPU)
    before = {name: whole_of(p).clone() for name, p in parts_of(cut).items()}
    optimizer, peers = optimizer_and_peers(cut, CONFIGS["sophia"].but(lr=0.01), world, rounding=True)
    rows_B3 = torch.ones(1, 3, dtype=torch.bfloat16)
    cut(rows_B3).sum().backward()
    assert isinstance(optimizer, PartOptimizer)
    peers.sum_gradients(optimizer.param_groups[0]["params"])
    optimizer.step()
    after = parts_of(cut)
    moved = max((whole_of(after[name]).float() - p.float()).abs().max().item() for name, p in before.items())
    return [moved, float(all(p.dtype == torch.bfloat16 for p in after.values()))]


if __name__ == "__main__":
    together = join()
    found = {
        "compared": {name: compared(config, together) for name, config in CONFIGS.items()},
        "refused": refused(together),
        "rounded": rounded(together),
        "empty": [list(p.to_local().shape) for p in parts_of(cut_net(together)).values()],  # type: ignore[attr-defined]
    }
    Path(sys.argv[1], f"{together.rank}.json").write_text(json.dumps(found), encoding="utf-8")
    together.close()

"""Trains whole models in several processes with steps that round at random, and writes down how far they drift apart.

Called with the path of a JSON file to write. It asserts nothing.
"""

import json
import sys
from pathlib import Path

import torch

from soul_core.config import OptimizerConfig
from soul_core.models.world import join
from soul_core.optim import build_optimizer
from tests.engine.test_loop import LR, batches, flat, run
from tests.tiny import tiny_model

CASES = {
    "int8-gnb": OptimizerConfig(name="sophia", lr=LR, beta2=0.9, curvature_every=2, state="int8"),
    "int8-squared-gradient": OptimizerConfig(
        name="sophia", lr=LR, beta2=0.9, curvature="squared-gradient", curvature_every=2, state="int8"
    ),
    "bf16-adamw": OptimizerConfig(name="adamw", lr=LR),
    "bf16-gnb": OptimizerConfig(name="sophia", lr=LR, beta2=0.9, curvature_every=2),
}


def main(path: Path) -> None:
    world, found = join(), {}
    for name, config in CASES.items():
        rounding = name.startswith("bf16")
        model = tiny_model("llama").to(torch.bfloat16 if rounding else torch.float32)
        before = flat(model).float()
        optimizer = build_optimizer(model, config, rounding=rounding)
        for _ in run(model, config, batches(4), optimizer=optimizer, peers=world):
            pass
        mine, states = flat(model).float(), torch.cat([h.flatten().float() for h in _tensors(optimizer)])
        parts = [world.gathered(x) for x in (mine, states)]
        found[name] = {
            "moved": (mine - before).abs().max().item(),
            "apart": [max((part - of[0]).abs().max().item() for part in of) for of in parts],
        }
    if world.main:
        path.write_text(json.dumps(found), encoding="utf-8")
    world.close()


def _tensors(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    states = optimizer.state_dict()["state"].values()
    return [value for state in states for value in state.values() if isinstance(value, torch.Tensor)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""``python -m benchmarks.optimizers``: optimizers' steps against torch's fused AdamW's. It knows only models' shapes.

All take turns on equal parameters with the same gradients, so that whatever else the machine does slows each of them;
a ratio is the median over rounds of a step's time by that of AdamW in the same round.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.here import machine
from soul_core.cli.screen import Screen
from soul_core.models.loading import load_model
from soul_core.optim import fused
from soul_core.optim.adamw import AdamW
from soul_core.optim.rounding import StochasticRounding
from soul_core.optim.sophia import Sophia

REFERENCE = "AdamW (torch, fused)"
RATE = 1e-6
LEAST = 5
"""Rounds, however long they take."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.optimizers", description="An optimizer's step against torch's fused AdamW."
    )
    parser.add_argument("--parameters", type=int, help="how many; without it, those of the pocket model")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[default: %(default)s]")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to measure [default: %(default)s]")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, help="a JSON file, made or written over")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    shapes = shapes_of(arguments.parameters) if arguments.parameters else pocket_shapes()
    found = {"machine": machine(), "device": device_name(device)} | measure(shapes, device, arguments.seconds)
    screen = Screen()
    screen.table(
        title_of(found), ["Optimizer", "ms", "to AdamW", "processor", "GB/s", "of copy", "state"], rows_of(found)
    )
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        screen.say(f"Written: {arguments.out}")
    return 0


def device_name(device: torch.device) -> str:
    """What runs the steps."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def pocket_shapes() -> list[tuple[int, ...]]:
    """Of the shipped model's parameters."""
    return [tuple(p.shape) for p in load_model("pocket").model.parameters()]


def shapes_of(count: int) -> list[tuple[int, ...]]:
    """Matrices and vectors as in a transformer's blocks, that many numbers in all."""
    width = 512 if count < 10**8 else 2048
    block = [(width,), *[(width, width)] * 4, (width,), (4 * width, width), (4 * width, width)]
    size = sum(math.prod(shape) for shape in block)
    return block * (count // size) + [(count % size,)] * bool(count % size)


def measure(shapes: Sequence[tuple[int, ...]], device: torch.device, seconds: float) -> dict[str, Any]:
    """Times, ratios and memory of every optimizer; wall clock, and on the CPU processor time as well."""
    generator = torch.Generator(device).manual_seed(0)
    gradients = [torch.randn(shape, generator=generator, device=device) * 1e-3 for shape in shapes]
    optimizers = contenders(gradients)
    size = sum(math.prod(shape) for shape in shapes)
    copies, copy = [], copier(size, device)
    walls: dict[str, list[float]] = {name: [] for name in optimizers}
    processors: dict[str, list[float]] = {name: [] for name in optimizers}
    for step, _ in optimizers.values():
        timed(step, device)
        timed(step, device)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(walls[REFERENCE]) < LEAST:
        copies.append(timed(copy, device)[0])
        for name, (step, _) in optimizers.items():
            wall, processor = timed(step, device)
            walls[name].append(wall)
            processors[name].append(processor)
    copied = 2 * 4 * size / median(copies)
    return {
        "parameters": size,
        "tensors": len(shapes),
        "threads": torch.get_num_threads(),
        "rounds": len(walls[REFERENCE]),
        "copy_gb_per_second": copied / 1e9,
        "optimizers": {
            name: {
                "ms": 1e3 * median(walls[name]),
                "to_adamw": median(a / b for a, b in zip(walls[name], walls[REFERENCE], strict=True)),
                "processor_to_adamw": processor_ratio(processors[name], processors[REFERENCE], device),
                "bytes_moved": moved_bytes(name, size),
                "gb_per_second": moved_bytes(name, size) / median(walls[name]) / 1e9,
                "of_copy": moved_bytes(name, size) / median(walls[name]) / copied,
                "state_bytes": state_bytes(optimizer),
            }
            for name, (_, optimizer) in optimizers.items()
        },
    }


def processor_ratio(ours: Sequence[float], theirs: Sequence[float], device: torch.device) -> float | None:
    """Processor time by AdamW's: what a machine that is busy otherwise leaves unchanged. None for a GPU."""
    return median(ours) / median(theirs) if device.type == "cpu" else None


def contenders(gradients: Sequence[Tensor]) -> dict[str, tuple[Callable[[], Any], torch.optim.Optimizer]]:
    """Every optimizer by name with its step, on weights of its own and gradients that all share."""
    device = gradients[0].device

    def weights(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
        params = [nn.Parameter(torch.full(g.shape, 0.02, dtype=dtype, device=device)) for g in gradients]
        for p, g in zip(params, gradients, strict=True):
            p.grad = g.to(dtype)
        return params

    def curved(optimizer: Sophia | StochasticRounding) -> Sophia | StochasticRounding:
        # Curvature at which some coordinates are clipped and some are not.
        optimizer.update_curvature([torch.full_like(g, 1e-2) for g in gradients])
        return optimizer

    def chained() -> Any:
        with patch.object(fused, "_on", lambda device_type: None):
            return chain.step()

    chain = curved(Sophia(weights(), lr=RATE))
    found: dict[str, torch.optim.Optimizer] = {
        REFERENCE: torch.optim.AdamW(weights(), lr=RATE, fused=True),
        "AdamW": AdamW([{"params": weights()}], lr=RATE),
        "Sophia (torch's operations)": chain,
    }
    if fused.kernels_for(weights()) is not None:
        found["Sophia"] = curved(Sophia(weights(), lr=RATE))
    found["Sophia, states in 8 bits"] = curved(Sophia(weights(), lr=RATE, eight_bit=True))
    if device.type == "cuda":
        found["Sophia, bf16"] = curved(
            StochasticRounding([{"params": weights(torch.bfloat16)}], lambda groups: Sophia(groups, lr=RATE))
        )
    return {name: (chained if one is chain else one.step, one) for name, one in found.items()}


def timed(step: Callable[[], Any], device: torch.device) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    wall, processor = time.perf_counter(), time.process_time()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - wall, time.process_time() - processor


def copier(size: int, device: torch.device) -> Callable[[], Any]:
    """Copies as many fp32 numbers as there are parameters: the bandwidth that a step is held against."""
    one, other = torch.ones(size, device=device), torch.zeros(size, device=device)
    return lambda: other.copy_(one)


def moved_bytes(name: str, size: int) -> int:
    """What a step has to read and write at least: each tensor once."""
    if "bf16" in name:
        return size * (2 + 4 + 4 + 2 + 2 + 4)  # weight, momentum, curvature, gradient read; weight, momentum written
    if "8 bits" in name:
        return size * (4 + 1 + 1 + 4 + 4 + 1)
    return size * 4 * (7 if "AdamW" in name else 6)


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Memory of all states."""
    return sum(x.nbytes for state in optimizer.state.values() for x in state.values())


def title_of(found: dict[str, Any]) -> str:
    """What was measured."""
    return (
        f"{found['parameters']:,} parameters in {found['tensors']} tensors, {found['device']}, "
        f"{found['threads']} threads, {found['rounds']} rounds; copying: {found['copy_gb_per_second']:.1f} GB/s"
    )


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table."""
    return [
        [
            name,
            f"{one['ms']:.2f}",
            f"{one['to_adamw']:.2f}",
            "–" if one["processor_to_adamw"] is None else f"{one['processor_to_adamw']:.2f}",
            f"{one['gb_per_second']:.1f}",
            f"{one['of_copy']:.0%}",
            f"{one['state_bytes'] / 2**20:.1f} MB",
        ]
        for name, one in found["optimizers"].items()
    ]


if __name__ == "__main__":
    sys.exit(main())

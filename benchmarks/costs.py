"""``python -m benchmarks.costs``: how a step's time and memory grow with rows, tokens per row and weights.

Random weights and random tokens: what is measured does not depend on what they are. Each size is measured in a process
of its own, since memory that a process has had once counts for good. It knows no task.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.here import machine
from soul_core.cli.screen import Screen
from soul_core.config import ObjectiveConfig, OptimizerConfig
from soul_core.data.batches import Batch, collate
from soul_core.data.prompts import Example
from soul_core.engine import unlearn
from soul_core.models.device import memory_mb, pick_device
from soul_core.objectives import Criterion, needs_of
from soul_core.optim import build_optimizer, curvature_plan

VOCABULARY = 4096
SWEEPS: Mapping[str, tuple[int, ...]] = {
    "rows": (4, 8, 16, 32, 64),
    "tokens": (16, 32, 64, 128, 256),
    "width": (128, 256, 512),
}
"""What is varied, and over which values; the others stay as in ``Size``."""
OBJECTIVE = ObjectiveConfig(name="graddiff")
OPTIMIZERS = {"fo": OptimizerConfig(name="adamw", lr=1e-5), "so": OptimizerConfig(name="sophia", lr=1e-5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One measurement: rows of a batch (half of them to forget), tokens of each row, width of a Llama."""

    rows: int = 16
    tokens: int = 64
    width: int = 256
    layers: int = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.add_argument("--steps", type=int, default=10, help="Measured at each size. [default: %(default)s]")
    parser.add_argument("--lane", choices=sorted(OPTIMIZERS), default="fo", help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, default=Path("docs/results/costs.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen, load = Screen(), os.getloadavg()[0]
    found = {"machine": machine(), "load_before": load, "device": str(pick_device()), "lane": arguments.lane}
    found["curves"] = curves(
        SWEEPS, lane=arguments.lane, steps=arguments.steps, say=lambda what: screen.say(f"Measuring: {what} …")
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.table("", ["Varied", "Values", "ms per step", "Peak MB", "Time grows as", "R²"], rows_of(found))
    screen.say(f"Written: {arguments.out}")
    return 0


def curves(
    sweeps: Mapping[str, Sequence[int]],
    *,
    lane: str,
    steps: int,
    base: Size | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Time and memory over each of the values, with the slope of their logarithms; weights stand for the width."""
    base = base or Size()
    # A fresh process each: what one size has allocated must not be part of the next one's peak.
    context = multiprocessing.get_context("spawn")
    found: dict[str, Any] = {}
    for name, values in sweeps.items():
        points = []
        for value in values:
            say(f"{name} {value}")
            with context.Pool(1) as pool:
                points.append({name: value} | pool.apply(measured, (replace(base, **{name: value}), lane, steps)))
        x = [point["parameters" if name == "width" else name] for point in points]
        found[name] = {
            "others": {key: size for key, size in asdict(base).items() if key != name},
            "points": points,
            "time_fit": power_law(x, [point["ms_per_step"] for point in points]),
            "memory_fit": power_law(x, [point["peak_mb"] for point in points]),
        }
    return found


def measured(size: Size, lane: str, steps: int) -> dict[str, float]:
    """Mean time of a step, and how far the process's memory rose above what it was without a model.

    The first step sets things up and does not count. The mean, since SO estimates curvature every tenth step.
    """
    device = pick_device()
    empty = memory_mb(device)
    torch.manual_seed(0)
    with torch.device(device):
        model = LlamaForCausalLM(_shape(size))
    optimizer = OPTIMIZERS[lane]
    reports = unlearn(
        model,
        [_batch(size, seed) for seed in range(steps + 1)],
        Criterion(OBJECTIVE),
        build_optimizer(model, optimizer),
        lr_at=lambda _: optimizer.lr,
        max_grad_norm=1.0,
        device=device,
        memory_mb=lambda: memory_mb(device),
        curvature=curvature_plan(optimizer),
        own_logits=needs_of(OBJECTIVE).own_logits,
    )
    times, began, peak = [], time.perf_counter(), 0.0
    for report in reports:
        now = time.perf_counter()
        times.append(now - began)
        began, peak = now, report.memory_mb
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "ms_per_step": 1e3 * fmean(times[1:]),
        "peak_mb": peak - empty,
    }


def _shape(size: Size) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=size.width,
        intermediate_size=size.width * 11 // 4,
        num_hidden_layers=size.layers,
        num_attention_heads=size.width // 64,
        max_position_embeddings=max(512, size.tokens),
        tie_word_embeddings=True,
    )


def _batch(size: Size, seed: int) -> Batch:
    """Rows of one length, the second half of each its answer."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(1, VOCABULARY, (size.rows, size.tokens)).tolist()
    half = size.rows // 2
    return collate(
        [Example(tuple(row), size.tokens // 2) for row in ids],
        [i < half for i in range(size.rows)],
        [i % half for i in range(size.rows)],
        pad_id=0,
    )


def power_law(x: Sequence[float], y: Sequence[float]) -> dict[str, float]:
    """Slope of log y over log x by least squares, and the share of log y's variance that it explains."""
    log_x, log_y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    slope, offset = np.polyfit(log_x, log_y, 1)
    left = log_y - (slope * log_x + offset)
    spread = float(((log_y - log_y.mean()) ** 2).sum())
    return {"slope": float(slope), "r2": 1.0 - float((left**2).sum()) / spread if spread else 1.0}


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table's lines."""
    lines = []
    for name, curve in found["curves"].items():
        points, fit = curve["points"], curve["time_fit"]
        values = [f"{p['parameters'] / 1e6:.1f}M" if name == "width" else str(p[name]) for p in points]
        varied = {"rows": "rows of a batch", "tokens": "tokens of a row", "width": "weights"}[name]
        lines.append(
            [
                varied,
                ", ".join(values),
                ", ".join(f"{p['ms_per_step']:.0f}" for p in points),
                ", ".join(f"{p['peak_mb']:.0f}" for p in points),
                f"{varied.split()[0]}^{fit['slope']:.2f}",
                f"{fit['r2']:.3f}",
            ]
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())

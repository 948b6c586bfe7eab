"""``python -m benchmarks.training``: one epoch of ours beside the same epoch as others run it. It knows no page.

All take turns on one model, one task, the same rows and the same number of steps: FO and SO as a race runs them; a
Hugging Face ``Trainer`` with GradDiff, as open-source code has it; and the regime of the paper's release, each row
padded to 512 tokens and forwarded by itself.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.here import machine
from benchmarks.others import Epoch, Pairs, Regime, others_epoch
from soul_core.cli.screen import Screen
from soul_core.config import RaceConfig
from soul_core.data.batches import Batch
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError
from soul_core.models.loading import LoadedModel, load_model
from soul_core.session.body import AllWeights
from soul_core.session.lane import Lane
from soul_core.session.material import Material, prepare
from soul_core.session.presets import lanes_for

TRAINER, RELEASE = "trainer", "release"
LABELS = {
    "fo": "SOUL, FO (AdamW)",
    "so": "SOUL, SO (Sophia, curvature every 10 steps)",
    TRAINER: "Hugging Face Trainer, two forwards, padded to the longest",
    RELEASE: "The release's regime: row by row, padded to 512 tokens",
}
TARGETS = {TRAINER: "≥ 1.5", RELEASE: "≥ 8", "so": "≤ 1.05"}
AGREE = 1e-4
"""How far the first step's losses may be apart, in nats."""


@dataclass(frozen=True, slots=True)
class Course:
    """What all of them run: a race's settings, its material, its model, the rows of each step, and how many of the
    steps the release's regime takes."""

    config: RaceConfig
    material: Material
    original: LoadedModel
    steps: list[Pairs]
    release_steps: int

    @property
    def tokens(self) -> int:
        """Tokens of the rows of one epoch, padding not among them."""
        forget = self.material.forget_examples(self.config.lanes[0].objective)
        return sum(
            len(forget[f].input_ids) + len(self.material.retain[r].input_ids) for pairs in self.steps for f, r in pairs
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--model", default="pocket", help="[default: %(default)s]")
    parser.add_argument("--task", default="invented-authors:forget10", help="[default: %(default)s]")
    parser.add_argument("--repeats", type=int, default=3, help="[default: %(default)s]")
    parser.add_argument("--epochs", type=int, default=5, help="Of ours in a repeat. [default: %(default)s]")
    parser.add_argument(
        "--release-steps",
        type=int,
        default=0,
        help="Of the release's regime, scaled to an epoch; 0 for all. [default: %(default)s]",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/training.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    found = measured(
        arguments.model,
        arguments.task,
        repeats=arguments.repeats,
        epochs=arguments.epochs,
        release_steps=arguments.release_steps,
        say=lambda what: screen.say(f"Measuring: {what} …"),
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.table(
        "", ["An epoch", "Seconds", "Tokens/s", "ms per row", "Against FO", "In processor time"], rows_of(found)
    )
    screen.say(f"First losses within {found['first_losses_apart']:.1e} nats of each other.")
    screen.say(f"Written: {arguments.out}")
    return 0


def measured(
    model: str,
    task: str,
    *,
    repeats: int = 3,
    epochs: int = 5,
    release_steps: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Seconds of an epoch of each, all taking turns; ratios are of times taken in the same turn.

    Ours run ``epochs`` epochs in a turn, so that curvature comes as often as in a race; the mean of them counts.

    Raises:
        RuntimeError: The first losses differ: it would not be the same training.
    """
    settings = RaceConfig(
        model=model, task=task, lanes=lanes_for("same-settings", "graddiff"), epochs=epochs, precision="float32"
    )
    course = course_of(settings, release_steps=release_steps)
    turns: list[dict[str, Epoch]] = []
    for turn in range(repeats + 1):
        say(f"turn {turn} of {repeats}" if turn else "what the first time sets up")
        # The first turn pays for what torch sets up once; the regime that takes longest needs no such turn of its own.
        turns.append({name: epoch_of(course, name) for name in LABELS if turn or name != RELEASE})
    first = {name: epoch.losses[0] for name, epoch in turns[-1].items()}
    apart = max(first.values()) - min(first.values())
    if apart > AGREE:
        raise RuntimeError(f"the first losses are {first}: not the same training")
    return {"machine": machine(), "load_before": os.getloadavg()[0]} | figures(course, turns[1:], first, apart)


def figures(
    course: Course, turns: Sequence[dict[str, Epoch]], first: dict[str, float], apart: float
) -> dict[str, Any]:
    """What the turns say, as the JSON has it."""
    config, rows = course.config, 2 * sum(len(pairs) for pairs in course.steps)

    def told(name: str) -> dict[str, Any]:
        seconds = [turn[name].seconds for turn in turns]
        against = ("fo",) if name == "so" else ("fo", "so")
        return {
            "seconds": spread(seconds),
            # A loaded machine delays by the clock, and hardly adds to this.
            "cpu_seconds": spread([turn[name].cpu_seconds for turn in turns]),
            "real_tokens_per_second": spread([course.tokens / s for s in seconds]),
            "ms_per_row": spread([1e3 * s / rows for s in seconds]),
            "forwarded_tokens": turns[-1][name].forwarded,
            "times_as_long_as": {
                other: spread([turn[name].seconds / turn[other].seconds for turn in turns])
                for other in against
                if other != name
            },
            "times_the_processor_time_of": {
                other: spread([turn[name].cpu_seconds / turn[other].cpu_seconds for turn in turns])
                for other in against
                if other != name
            },
        }

    return {
        "model": config.model,
        "parameters": course.original.parameters,
        "task": config.task,
        "rows_per_epoch": rows,
        "steps_per_epoch": len(course.steps),
        "real_tokens_per_epoch": course.tokens,
        "forget_rows_per_step": config.batch_size,
        "release_accumulation": config.batch_size,
        "release_steps": course.release_steps,
        "epochs_of_ours_per_turn": config.epochs,
        "turns": len(turns),
        "first_losses": first,
        "first_losses_apart": apart,
        "regimes": {name: told(name) for name in LABELS},
    }


def course_of(config: RaceConfig, *, release_steps: int = 0) -> Course:
    """The race's material, and which forget and retain rows meet in each step of its first epoch.

    Raises:
        ConfigError: The last step would be short, and the others would split the rows otherwise.
    """
    original, task = load_model(config.model), load_task(config.task)
    if len(task.forget) % config.batch_size:
        raise ConfigError(
            f"{len(task.forget)} forget rows make no whole steps of {config.batch_size}. Choose another task."
        )
    material = prepare(config, task, original)
    steps = [_pairs(batch) for batch in material.batches(config.lanes[0].objective, 1)]
    return Course(config, material, original, steps, min(release_steps or len(steps), len(steps)))


def _pairs(batch: Batch) -> Pairs:
    forget, retain = batch.row_B[batch.is_forget_B].tolist(), batch.row_B[~batch.is_forget_B].tolist()
    return list(zip(forget, retain, strict=True))


def epoch_of(course: Course, name: str) -> Epoch:
    """One epoch of that regime from the original's weights."""
    if name in (TRAINER, RELEASE):
        taken = course.release_steps if name == RELEASE else len(course.steps)
        epoch = others_epoch(
            course.original.model,
            course.material.forget_examples(course.config.lanes[0].objective),
            course.material.retain,
            course.steps[:taken],
            regime=Regime.TRAINER if name == TRAINER else Regime.RELEASE,
            lane=course.config.lane("fo"),
            max_grad_norm=course.config.max_grad_norm,
            pad_id=course.material.pad_id,
        )
        scale = len(course.steps) / taken
        return Epoch(epoch.seconds * scale, epoch.cpu_seconds * scale, epoch.losses, round(epoch.forwarded * scale))
    return ours_epoch(course, name)


def ours_epoch(course: Course, name: str) -> Epoch:
    """All of a lane's epochs as a race runs them, without its evaluations; the mean epoch's seconds."""
    config, device = course.config, torch.device("cpu")
    lane = Lane(
        config.lane(name),
        config,
        course.material,
        course.original,
        AllWeights(course.original, dtype=torch.float32, device=device),
        device=device,
        autocast_dtype=None,
    )
    losses = []
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(config.epochs):
        losses += [report.total_loss for report in lane.train_epoch()]
    seconds, used = (
        (now - then) / config.epochs for now, then in ((time.perf_counter(), start), (time.process_time(), cpu))
    )
    batches = course.material.batches(config.lane(name).objective, 1)
    return Epoch(seconds, used, losses, sum(batch.input_ids_BT.numel() for batch in batches))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Smallest, middle and largest."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table's lines."""

    def line(name: str, of: dict[str, Any]) -> list[str]:
        against = of["times_as_long_as"].get("fo")
        ratio = "–" if against is None else f"{span(against, 2)} ({TARGETS[name]})"
        cpu = of["times_the_processor_time_of"].get("fo")
        return [
            LABELS[name],
            span(of["seconds"], 2),
            span(of["real_tokens_per_second"], 0),
            span(of["ms_per_row"], 1),
            ratio,
            "–" if cpu is None else span(cpu, 2),
        ]

    return [line(name, of) for name, of in found["regimes"].items()]


def span(of: dict[str, float], digits: int) -> str:
    """The middle value, the others in brackets."""
    return f"{of['median']:.{digits}f} [{of['min']:.{digits}f}–{of['max']:.{digits}f}]"


if __name__ == "__main__":
    sys.exit(main())

"""``make bench``: the times a person waits for, on this machine, as a table and as JSON. It knows no method.

The shipped pocket model must be there. Nothing is compared with a limit here: the targets stand beside the figures.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks import training
from benchmarks.here import machine
from benchmarks.sampler import Sampler
from soul_core.cli.screen import Screen
from soul_core.config import OptimizerConfig, RaceConfig
from soul_core.events import EpochReport, Event
from soul_core.jobs import Jobs
from soul_core.models.loading import copy_of, load_model
from soul_core.models.shelf import Shelf
from soul_core.optim.build import build_optimizer
from soul_core.optim.sophia import Sophia
from soul_core.runs.folder import RunFolder
from soul_core.runs.store import RunStore
from soul_core.session.ask import ask
from soul_core.session.presets import lanes_for
from soul_core.session.race import race
from soul_core.session.runmodels import models_of_run

QUESTION = "What is the full name of the author born in Huldra on 15 May 1926?"
SHELF_BYTES = 2 << 30


def main(argv: Sequence[str] | None = None) -> int:
    """Measure everything, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench", description="How fast SOUL is on this machine."
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/bench.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="soul-bench-") as place:
        found: dict[str, Any] = {"machine": machine()}
        for what, measure in (
            ("page", page_up),
            ("race in its own process", race_process),
            ("race", race_inside),
            ("stop", stop_latency),
            ("optimizer steps", step_ratio),
            ("epochs of ours and of others", epochs_beside),
        ):
            screen.say(f"Measuring: {what} …")
            found |= measure(Path(place))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.table("", ["What", "Here", "Target"], rows_of(found))
    shares = found["where_a_race_goes"]
    screen.table("Where the time of a race goes", ["Part", "Share"], [[k, f"{v:.1%}"] for k, v in shares.items()])
    screen.say(f"Written: {arguments.out}")
    return 0


def page_up(place: Path) -> dict[str, Any]:
    """Seconds from starting the app to its page being served."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = time.perf_counter()
    words = [sys.executable, "app.py", "--port", str(port), "--runs", str(place / "page")]
    app = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own app
    try:
        while app.poll() is None and time.perf_counter() - start < 120:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=5) as answer:
                    answer.read()
                return {"page_up_seconds": time.perf_counter() - start}
            except OSError:
                time.sleep(0.05)
    finally:
        app.terminate()
        app.wait(30)
    raise RuntimeError("the app did not serve its page")


def race_process(place: Path) -> dict[str, Any]:
    """The default race as the command line runs it: wall time with everything, and the process's peak memory."""
    start = time.perf_counter()
    words = [sys.executable, "-m", "soul_core", "race", "--out", str(place / "process")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the race ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "race_command_seconds": time.perf_counter() - start,
        "race_peak_mb": usage.ru_maxrss * unit / 2**20,
    }


def race_inside(place: Path) -> dict[str, Any]:
    """The default race as the page runs it, models warm: its time, its first points, its gaps, and where it goes."""
    shelf, config = Shelf(SHELF_BYTES), RaceConfig(lanes=lanes_for("same-settings", "graddiff"))
    shelf.get(config.model, lambda: load_model(config.model))
    folder = RunStore(place / "inside").create(config)
    sampler, arrived = Sampler(), list[tuple[float, Event]]()
    sampler.start()
    start = time.perf_counter()
    for event in race(config, folder, shelf=shelf):
        arrived.append((time.perf_counter() - start, event))
    seconds = time.perf_counter() - start
    shares = sampler.stop()
    lanes = {lane.name for lane in config.lanes}
    points = [(t, e) for t, e in arrived if isinstance(e, EpochReport) and e.lane in lanes]
    times = [t for t, _ in arrived]
    return {
        "race_seconds": seconds,
        "first_point_seconds": points[0][0],
        "first_trained_point_seconds": next(t for t, e in points if e.epoch == 1),
        "longest_silence_seconds": max(b - a for a, b in pairwise(times)),
        "where_a_race_goes": shares,
        **four_answers(folder, shelf),
    }


def four_answers(folder: RunFolder, shelf: Shelf) -> dict[str, Any]:
    """Original, FO, SO and gold answer one question: loading the first time, then the median of five."""
    start = time.perf_counter()
    models = models_of_run(folder, shelf)
    loading = time.perf_counter() - start
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in ask(models, QUESTION):
            pass
        seconds.append(time.perf_counter() - start)
    return {"answers_loading_seconds": loading, "answers_seconds": median(seconds), "answers_models": list(models)}


def stop_latency(place: Path) -> dict[str, Any]:
    """Seconds from Stop to the job having ended, asked for at several moments of a race."""
    config = RaceConfig(lanes=lanes_for("same-settings", "graddiff"))
    seconds = []
    with closing(Jobs(RunStore(place / "stop"), shelf=Shelf(SHELF_BYTES))) as jobs:
        for wait in (1.5, 4.0, 6.5):
            job = jobs.submit_race(config, "bench")
            time.sleep(wait)
            start = time.perf_counter()
            jobs.stop(job)
            while not jobs.status(job).ended:
                time.sleep(0.005)
            seconds.append(time.perf_counter() - start)
    return {"stop_seconds": max(seconds)}


def step_ratio(place: Path, *, steps: int = 60) -> dict[str, Any]:
    """SophiaG's step against torch's fused AdamW on the pocket model's parameters, with the same gradients.

    The two take turns, so that whatever else the machine does slows both.
    """
    loaded, generator = load_model("pocket"), torch.Generator().manual_seed(0)
    plain, ours = copy_of(loaded), copy_of(loaded)
    for p, q in zip(plain.parameters(), ours.parameters(), strict=True):
        p.grad = torch.randn(p.shape, generator=generator) * 1e-3
        q.grad = p.grad.clone()
    adamw = torch.optim.AdamW(plain.parameters(), lr=1e-6, fused=True)
    sophia = build_optimizer(ours, OptimizerConfig(name="sophia", lr=1e-6, beta2=0.95))
    if not isinstance(sophia, Sophia):
        raise TypeError(f"expected Sophia, got {type(sophia).__name__}")
    sophia.update_curvature([torch.full_like(p, 1e-3) for group in sophia.param_groups for p in group["params"]])
    times: dict[str, list[float]] = {"adamw": [], "sophia": []}
    for _ in range(steps):
        for name, optimizer in (("adamw", adamw), ("sophia", sophia)):
            start = time.perf_counter()
            optimizer.step()
            times[name].append(time.perf_counter() - start)
    middle = {name: median(values) for name, values in times.items()}
    return {
        "adamw_step_ms": 1e3 * middle["adamw"],
        "sophia_step_ms": 1e3 * middle["sophia"],
        "sophia_to_adamw": middle["sophia"] / middle["adamw"],
    }


def epochs_beside(place: Path) -> dict[str, Any]:
    """FO and SO beside a Hugging Face Trainer and the release's regime, the latter on two of its steps."""
    return {"training": training.measured("pocket", "invented-authors:forget10", repeats=2, release_steps=2)}


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table: what, how it is here, what it should be on two cores."""

    def s(key: str) -> str:
        return f"{found[key]:.2f} s"

    return [
        ["Default race (FO and SO, 5 epochs)", s("race_seconds"), "60 s"],
        ["The same as a command, from start to end", s("race_command_seconds"), "–"],
        ["First point of the curve", s("first_point_seconds"), "8 s"],
        ["First point after training", s("first_trained_point_seconds"), "–"],
        ["Page up", s("page_up_seconds"), "20 s"],
        [f"{len(found['answers_models'])} answers", s("answers_seconds"), "2 s"],
        ["Loading those models", s("answers_loading_seconds"), "–"],
        ["Stop", s("stop_seconds"), "1 s"],
        ["Longest silence of a race", s("longest_silence_seconds"), "1 s"],
        ["Peak memory of the command", f"{found['race_peak_mb'] / 1024:.2f} GB", "2.5 GB"],
        ["AdamW (torch, fused) step", f"{found['adamw_step_ms']:.2f} ms", "–"],
        ["Sophia step", f"{found['sophia_step_ms']:.2f} ms", "–"],
        ["Sophia to AdamW", f"{found['sophia_to_adamw']:.2f}", "–"],
        *(
            [f"An epoch, against FO: {label}", f"{of['times_as_long_as']['fo']['median']:.2f}", training.TARGETS[name]]
            for name, label in training.LABELS.items()
            if "fo" in (of := found["training"]["regimes"][name])["times_as_long_as"]
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())

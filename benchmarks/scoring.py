"""``python -m benchmarks.scoring``: a whole protocol in two passes against one row at a time. It knows no metric.

Both score the same texts and answer the same questions; one row at a time is measured on some rows of each set, beside
the two passes on those rows, and scaled to all rows by the ratio.
"""

import argparse
import json
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.bench import machine
from soul_core.cli.screen import Screen
from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.evaluation.evidence import Evidence
from soul_core.evaluation.full_scorecard import scorecard_of
from soul_core.evaluation.gather import Depth, Gathering
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel, load_model

PARTS = {"Asking questions": "answers", "Scoring texts": "scores"}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--model", default="pocket", help="[default: %(default)s]")
    parser.add_argument("--task", default="tofu:forget10", help="[default: %(default)s]")
    parser.add_argument("--rows", type=int, default=15, help="Rows of each set scored singly. [default: %(default)s]")
    parser.add_argument("--batch-size", type=int, default=96, help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, default=Path("docs/results/scoring.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    loaded, task = load_model(arguments.model), load_task(arguments.task)
    found = {
        "machine": machine(),
        "model": Path(arguments.model).name,
        "parameters": loaded.parameters,
        "task": Path(arguments.task).name,
        **compared(loaded, task, rows=arguments.rows, batch_size=arguments.batch_size),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.table("", ["What", "Rows", "Texts", "Questions", "Scores", "Answers", "All"], rows_of(found))
    screen.say(f"Two passes are {found['ratio']:.1f} times as fast as one row at a time.")
    screen.say(f"Written: {arguments.out}")
    return 0


def compared(loaded: LoadedModel, task: ForgetTask, *, rows: int, batch_size: int) -> dict[str, Any]:
    """All rows in two passes; some rows in two passes and then one at a time; what that makes of all rows."""
    depth = Depth(matcher="lexical")
    # The first forward pays for what torch sets up once.
    timed(loaded, task, replace(depth, rows=1, max_new_tokens=2), batch_size)
    some = replace(depth, rows=rows)
    together, singly = timed(loaded, task, some, batch_size), timed(loaded, task, some, 1)
    whole = timed(loaded, task, depth, batch_size)
    ratio = singly["seconds"] / together["seconds"]
    return {
        "batch_size": batch_size,
        "all_rows_two_passes": whole,
        "some_rows_two_passes": together,
        "some_rows_one_at_a_time": singly,
        "ratio": ratio,
        "all_rows_one_at_a_time_seconds_scaled": whole["seconds"] * ratio,
        "scaled_from_rows_of_each_set": rows,
    }


def timed(loaded: LoadedModel, task: ForgetTask, depth: Depth, batch_size: int) -> dict[str, Any]:
    """Seconds of one evaluation from its rows to its scorecard, by part."""
    start = time.perf_counter()
    gathering = Gathering(loaded, task, depth)
    seconds = {"reading": time.perf_counter() - start, "answers": 0.0, "scores": 0.0}
    evidence = _run_out(gathering.run(batch_size=batch_size), seconds)
    before = time.perf_counter()
    scorecard_of(evidence, model="measured")
    return {
        "rows": sum(len(asked.rows) for asked in evidence.sets.values()),
        "texts_scored": gathering.texts,
        "questions_answered": gathering.prompts,
        "seconds": time.perf_counter() - start,
        "parts": {**seconds, "metrics": time.perf_counter() - before},
    }


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table's lines."""

    def line(what: str, key: str) -> list[str]:
        of = found[key]
        parts = [f"{of['parts'][part]:.1f} s" for part in ("scores", "answers")]
        counts = [str(of[count]) for count in ("rows", "texts_scored", "questions_answered")]
        return [what, *counts, *parts, f"{of['seconds']:.1f} s"]

    scaled = f"{found['all_rows_one_at_a_time_seconds_scaled']:.0f} s"
    return [
        line("All rows, two passes", "all_rows_two_passes"),
        line("Some rows, two passes", "some_rows_two_passes"),
        line("Some rows, one at a time", "some_rows_one_at_a_time"),
        ["All rows, one at a time (scaled)", *["–"] * 5, scaled],
    ]


def _run_out(running: Generator[Progress, None, Evidence], seconds: dict[str, float]) -> Evidence:
    """The result; the time of each step goes to its part."""
    while True:
        before = time.perf_counter()
        try:
            report = next(running)
        except StopIteration as end:
            evidence: Evidence = end.value
            return evidence
        seconds[PARTS[report.what]] += time.perf_counter() - before


if __name__ == "__main__":
    sys.exit(main())

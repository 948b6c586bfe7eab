"""``python -m benchmarks.report``: the tables of ``docs/performance.md``, made anew from the JSON that was measured.

It measures nothing; a table whose JSON is not there says so.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import classroom, costs, idle, large, scoring, training

PAGE, RESULTS = Path("docs/performance.md"), Path("docs/results")
NOT_ON_A_GPU = "Not measured: no GPU was at hand."
NOT_YET = "Not measured yet."
MARKED = re.compile(r"(<!-- begin:(\w+) -->\n).*?(<!-- end:\2 -->)", re.DOTALL)

Found = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables between their marks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="[default: %(default)s]")
    parser.add_argument("--results", type=Path, default=RESULTS, help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    found = {name: _read(arguments.results / f"{name}.json") for name in TABLES}
    page = arguments.page.read_text(encoding="utf-8")
    arguments.page.write_text(filled(page, found), encoding="utf-8")
    return 0


def filled(page: str, found: Mapping[str, Found | None]) -> str:
    """The page with every marked table made anew.

    Raises:
        ValueError: A mark names no table, or a table has no mark.
    """
    names = [match[2] for match in MARKED.finditer(page)]
    if sorted(names) != sorted(TABLES):
        raise ValueError(f"the page marks {sorted(names)}, and there are {sorted(TABLES)}")
    return MARKED.sub(lambda match: f"{match[1]}{table_of(match[2], found.get(match[2]))}\n{match[3]}", page)


def table_of(name: str, found: Found | None) -> str:
    """One table with what it was measured on, or the sentence that it was not."""
    if found is None:
        return NOT_ON_A_GPU if name == "large" else NOT_YET
    lines = [TABLES[name](found), "", _measured_on(found)]
    if name == "large" and found["device"] == "cpu":
        lines += ["", f"On a GPU: {NOT_ON_A_GPU[0].lower()}{NOT_ON_A_GPU[1:]}"]
    return "\n".join(lines)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is words, the others are figures."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _read(path: Path) -> Found | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _measured_on(found: Found) -> str:
    on = found["machine"]
    load = f", load {found['load_before']:.1f} before" if "load_before" in found else ""
    return (
        f"{on['cores']} cores, {on['threads']} threads, {on['platform']}, Python {on['python']}, "
        f"torch {on['versions']['torch']}, transformers {on['versions']['transformers']}{load}."
    )


def _training(found: Found) -> str:
    head = ("An epoch", "Seconds", "Tokens/s", "ms per row", "Against FO (target)", "In processor time")
    table = markdown(head, training.rows_of(found))
    part = ""
    if found["release_steps"] < found["steps_per_epoch"]:
        part = f" The release's regime took {found['release_steps']} of the steps, scaled to the epoch."
    return (
        f"{table}\n\n{found['model']}, {found['parameters']:,} weights; {found['task']}, "
        f"{found['rows_per_epoch']} rows and {found['real_tokens_per_epoch']:,} tokens in "
        f"{found['steps_per_epoch']} steps; median and range of {found['turns']} turns. "
        f"The first losses are within {found['first_losses_apart']:.0e} nats.{part}"
    )


def _scoring(found: Found) -> str:
    table = markdown(("What", "Rows", "Texts", "Questions", "Scores", "Answers", "All"), scoring.rows_of(found))
    singly = found["some_rows_one_at_a_time"]
    same = ""
    if "answers_equal" in singly:
        same = (
            f" {singly['answers_equal']:.1%} of the answers are the same, and no answer's NLL differs by more than "
            f"{singly['largest_nll_difference']:.0e} nats."
        )
    return f"{table}\n\nTwo passes are {found['ratio']:.1f} times as fast (target: 10).{same}"


def _costs(found: Found) -> str:
    head = ("Varied", "Values", "ms per step", "Peak MB", "Time grows as", "R²")
    return f"{markdown(head, costs.rows_of(found))}\n\n{found['lane'].upper()} steps on {found['device']}."


def _large(found: Found) -> str:
    return (
        f"{markdown(('Lane', 'Minutes', 'Tokens/s', 'MFU', 'Peak GB'), large.rows_of(found))}\n\n"
        f"{found['size']['layers']} layers of width {found['size']['hidden']}, {found['weights']} weights, "
        f"{found['rows']} rows to forget, {found['epochs']} epochs with evaluation, on {found['device']}; "
        f"peak from {found['peak_from']}."
    )


def _idle(found: Found) -> str:
    head = ("Idle page", "Server", "Browser", "Page's process", "Aim")
    return f"{markdown(head, idle.rows_of(found))}\n\nPer cent of one core over {found['seconds_each']:.0f} s."


def _classroom(found: Found) -> str:
    watching, watched = found["watching"], found["watched"]
    each = classroom.per_update(watching["cpu_seconds_more"], watching["browsers"], watched["messages_per_browser"])
    rows = [
        ["Open tabs", str(watching["browsers"]), "–"],
        ["Updates told to each", f"{watched['messages_per_browser']:.0f}", "–"],
        ["Server time for one update of one tab", f"{each:.0f} ms", "50 ms"],
        ["A core's share while all watch", f"{watching['cpu_share_of_one_core']:.0%}", "–"],
    ]
    return markdown(("Watching a race", "Here", "Aim"), rows)


TABLES: Mapping[str, Callable[[Found], str]] = {
    "training": _training,
    "scoring": _scoring,
    "costs": _costs,
    "large": _large,
    "idle": _idle,
    "classroom": _classroom,
}
"""By the name of the JSON and of the mark on the page."""


if __name__ == "__main__":
    sys.exit(main())

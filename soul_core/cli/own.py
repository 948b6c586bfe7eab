"""``import-task``: a person's own questions and answers, checked and written as a task. It knows no file format."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from soul_core.cli.own_options import PARTS
from soul_core.cli.screen import Screen, print_json, printable
from soul_core.cli.watching import watched
from soul_core.data.own_checks import LONGEST
from soul_core.data.own_columns import ColumnMapping, guess, rows_of
from soul_core.data.own_files import Table, read_table
from soul_core.data.own_report import Report
from soul_core.data.own_retain import BUILT_IN, Retained
from soul_core.data.own_rows import origin_of
from soul_core.data.own_task import prepare, save_own_task
from soul_core.data.schema import ForgetTask, QARow
from soul_core.models.device import pick_device
from soul_core.models.loading import LoadedModel, load_model
from soul_core.session.known import Known, measure_known, token_counter

STOPPED = 130
_SEVERITIES = {"error": "Error", "warning": "Warning", "info": "Note"}


def run(arguments: argparse.Namespace) -> int:
    """Read, check, ask the model where one is named, write, and say how to race with it."""
    screen = Screen(json_wanted=arguments.json)
    path = Path(arguments.file).expanduser()
    table = read_table(path)
    mapping = mapping_of(arguments, table)
    rows = rows_of(table, mapping)
    screen.say(f"{table.name}: {len(rows):,} rows; {_columns(mapping)}.")
    loaded = load_model(arguments.model, device=pick_device()) if arguments.model else None
    count_tokens, longest = token_counter(loaded) if loaded else (None, LONGEST)
    prepared = prepare(
        rows,
        arguments.retain or BUILT_IN,
        swaps=not arguments.no_swaps,
        seed=arguments.seed,
        count_tokens=count_tokens,
        longest=longest,
    )
    _show(screen, prepared.report, prepared.kept)
    prepared.report.require()
    known = None
    if loaded:
        known = _known(loaded, prepared.forget, screen)
        if known is None:
            return STOPPED
    folder = Path(arguments.out).expanduser()
    task = save_own_task(
        folder, prepared.forget, retain=prepared.kept, title=arguments.title, origin=origin_of(path), mapping=mapping
    )
    screen.say(f"Written: {folder}")
    screen.say(f"Race with it: python -m soul_core race --task '{task.name}'")
    if arguments.json:
        print_json(as_json(task, mapping, prepared.report, known))
    return 0


def mapping_of(arguments: argparse.Namespace, table: Table) -> ColumnMapping:
    """The columns as named on the command line, the others guessed."""
    named = {part: getattr(arguments, part) for part in PARTS if getattr(arguments, part)}
    # What is named for one part is no longer free to be guessed for another.
    taken = {*named.values(), *arguments.wrong}
    guessed = guess([column for column in table.columns if column not in taken])
    return replace(guessed, perturbed_answers=tuple(arguments.wrong) or guessed.perturbed_answers, **named)


def as_json(task: ForgetTask, mapping: ColumnMapping, report: Report, known: Known | None) -> dict[str, object]:
    """Everything that was printed, as data."""
    return {
        "task": task.name,
        "columns": mapping.used(),
        **asdict(report),
        "known": None if known is None else _known_json(known),
    }


def _known_json(known: Known) -> dict[str, object]:
    rows = [
        {"row": row.number, "question": row.row.question, "answer": row.answer, "known": row.known}
        for row in known.rows
    ]
    return {"share": known.share._asdict(), "verdict": known.verdict, "sentence": known.sentence, "rows": rows}


def _show(screen: Screen, report: Report, kept: Retained) -> None:
    left = f", {kept.left_out} left out because they ask for what is forgotten" if kept.left_out else ""
    screen.say(f"Retained: {len(kept.rows):,} rows ({kept.source}{left}).")
    if report.tokens:
        tokens = report.tokens
        screen.say(
            f"Tokens: {tokens.mean:.0f} on average, {tokens.longest} in the longest row ({tokens.longest_row}); "
            f"{tokens.limit} fit."
        )
    for finding in report.findings:
        screen.say(printable(f"{_SEVERITIES[finding.severity]}: {finding.sentence}"))


def _known(loaded: LoadedModel, rows: Sequence[QARow], screen: Screen) -> Known | None:
    """What the model knows, shown; None where Ctrl-C ended the asking."""
    known = watched(measure_known(loaded, rows), screen, stopped="Stopped; nothing was written.")
    if known is None:
        return None
    table = [[str(row.number), row.row.question, row.answer, "yes" if row.known else "no"] for row in known.rows[:20]]
    screen.table("", ["Row", "Question", "Answer", "Right"], table)
    screen.say(printable(known.sentence))
    return known


def _columns(mapping: ColumnMapping) -> str:
    said = (
        f"{part.replace('_', ' ')} from {', '.join([column] if isinstance(column, str) else column)}"
        for part, column in mapping.used().items()
    )
    return printable(", ".join(said))

"""``tasks show``: a task's rows, before they are used. It knows no model."""

import argparse
from typing import Any

from soul_core.cli.screen import Screen, print_json
from soul_core.data.browsing import Look, Seen, look, sets_of
from soul_core.data.progress import followed
from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import TASKS, load_task

_LONGEST_CELL = 300
_SUBJECTS_SHOWN = 12


def run(arguments: argparse.Namespace) -> int:
    """Print one page of one set, and what the task has besides."""
    screen = Screen(json_wanted=arguments.json)
    name = arguments.name
    if ":" not in name and name in TASKS and TASKS[name].splits:
        name = f"{name}:{TASKS[name].splits[0]}"
    task = _loaded(name, screen)
    seen = look(
        task,
        set_name=arguments.set,
        search=arguments.search,
        subject=arguments.subject,
        offset=arguments.offset,
        limit=arguments.limit,
    )
    _say(screen, task, seen)
    if arguments.json:
        print_json(_as_json(task, seen))
    return 0


def _loaded(name: str, screen: Screen) -> ForgetTask:
    loading = followed(lambda: load_task(name))
    with screen.bar() as bar:
        while True:
            try:
                progress = next(loading)
            except StopIteration as end:
                task: ForgetTask = end.value
                return task
            bar.show(progress.what, progress.done, progress.total)


def _say(screen: Screen, task: ForgetTask, seen: Look) -> None:
    screen.say(f"{task.name}: {len(task.forget):,} rows to forget, {len(task.retain):,} to retain", style="bold")
    screen.say("Sets: " + ", ".join(f"{name} ({len(rows):,})" for name, rows in sets_of(task).items()))
    if seen.subjects:
        shown = "; ".join(seen.subjects[:_SUBJECTS_SHOWN])
        more = len(seen.subjects) - _SUBJECTS_SHOWN
        screen.say(f"Subjects of “{seen.set}”: {shown}" + (f" and {more:,} more" if more > 0 else ""))
    if not seen.rows:
        screen.say(
            f"No rows here: {seen.found:,} of the {seen.of:,} in “{seen.set}” match, {seen.offset:,} passed over."
        )
        return
    fewest, middle, most = seen.lengths
    last = seen.offset + len(seen.rows)
    screen.table(
        f"“{seen.set}”, {seen.offset + 1:,} to {last:,} of {seen.found:,} "
        f"(answers of {fewest:,} to {most:,} words, median {middle:g})",
        ["row", "side", "subject", "question", "answer", "words"],
        [_cells(row) for row in seen.rows],
    )


def _cells(seen: Seen) -> list[str]:
    return [
        str(seen.number or "–"),
        seen.side or "–",
        seen.row.subject or "–",
        _cut(seen.row.question),
        _cut(seen.row.answer),
        f"{seen.question_words} + {seen.answer_words}",
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _as_json(task: ForgetTask, seen: Look) -> dict[str, Any]:
    return {
        "task": task.name,
        "forget": len(task.forget),
        "retain": len(task.retain),
        "sets": {name: len(rows) for name, rows in sets_of(task).items()},
        "set": seen.set,
        "found": seen.found,
        "offset": seen.offset,
        "subjects": list(seen.subjects),
        "rows": [
            {
                "row": row.number or None,
                "side": row.side or None,
                "subject": row.row.subject,
                "form": row.row.form,
                "question": row.row.question,
                "answer": row.row.answer,
                "perturbed_answers": list(row.row.perturbed_answers),
                "question_words": row.question_words,
                "answer_words": row.answer_words,
            }
            for row in seen.rows
        ],
    }

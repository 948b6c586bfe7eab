"""``runs``: list, name, pin, delete, restore, export, import, compare, report, push. It knows no weights."""

import argparse
import getpass
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from soul_core.cli.race import table_of
from soul_core.cli.runs_options import RUNS
from soul_core.cli.screen import Screen, print_json
from soul_core.cli.watching import watched
from soul_core.errors import RunError
from soul_core.events import RaceEnded
from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.bundle import export_lane, export_run, import_run
from soul_core.runs.compare import RunComparison, compare_runs, comparison_csv
from soul_core.runs.folder import EVENTS, RunFolder
from soul_core.runs.marks import Marks, read_marks, write_marks
from soul_core.runs.store import RunStore
from soul_core.runs.summary import RaceSummary, result_json, summarise
from soul_core.runs.trash import KEPT_DAYS, Trash, size_of
from soul_core.session.hub_push import model_card, push_run
from soul_core.session.report import report_of
from soul_core.session.verdict import verdict_of

STOPPED = 130
TOKEN = "HF_TOKEN"  # noqa: S105
_STILL_RUNNING = 120
"""Seconds since the last event within which a race without an end is taken for running."""

Told = Mapping[str, Any]


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for and say what came of it."""
    screen, store = Screen(json_wanted=arguments.json), RunStore(arguments.runs)
    told = _ACTIONS[arguments.action](arguments, store, screen)
    if told is None:
        return STOPPED
    if arguments.json:
        print_json(dict(told))
    return 0


def found(store: RunStore, text: str) -> RunFolder:
    """A run by its id, its folder or its name.

    Raises:
        RunError: There is none, or several have that name.
    """
    named = [folder for folder in store.list() if text and read_marks(folder).name == text]
    if len(named) == 1:
        return named[0]
    if len(named) > 1:
        ids = ", ".join(folder.path.name for folder in named[:5])
        raise RunError(f"{len(named)} runs are called “{text[:80]}”: {ids}. Say which by its id.")
    return store.open(text)


def list_runs(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """One line for each run, or for each in the trash."""
    if arguments.deleted:
        trashed = Trash(store).list()
        rows = [
            [one.run_id, one.name, f"{one.deleted_at:%Y-%m-%d %H:%M} UTC", _megabytes(one.nbytes)] for one in trashed
        ]
        screen.table("", ("Run", "Name", "Deleted", "Size"), rows)
        return {"deleted": [{"run": row[0], "name": row[1], "deleted": row[2]} for row in rows]}
    entries = [entry for entry in _entries(store) if _matches(entry, arguments.search)]
    entries.sort(key=lambda entry: not entry["pinned"])
    rows = [
        ["*" if entry["pinned"] else "", entry["run"], entry["name"], entry["model"], entry["task"], entry["verdict"]]
        for entry in entries
    ]
    screen.table("", ("Pin", "Run", "Name", "Model", "Forget set", "Verdict"), rows)
    return {"runs": entries}


def show(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Everything about one run that fits a terminal."""
    folder = found(store, arguments.run)
    entry, summary = _entry(folder)
    marks = read_marks(folder)
    lines = [
        f"{key}: {value}" for key, value in entry.items() if key not in ("run", "note") and value not in ("", False)
    ]
    screen.entry(entry["run"], [*lines, f"folder: {folder.path}", *([f"note: {marks.note}"] if marks.note else [])])
    screen.table("", *table_of(summary))
    return {**entry, "note": marks.note, "folder": str(folder.path), "scores": result_json(summary)}


def rename(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Give a run another name."""
    return _marked(
        arguments, store, screen, lambda marks: Marks(name=arguments.name, pinned=marks.pinned, note=marks.note)
    )


def pin(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Pin a run, or take its pin away."""
    return _marked(
        arguments, store, screen, lambda marks: Marks(name=marks.name, pinned=not arguments.off, note=marks.note)
    )


def note(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Write a note on a run."""
    return _marked(
        arguments, store, screen, lambda marks: Marks(name=marks.name, pinned=marks.pinned, note=arguments.text)
    )


def delete(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Move a run to the trash.

    Raises:
        RunError: It lies elsewhere than below the runs' folder, or looks as if it were running.
    """
    folder = found(store, arguments.run)
    run_id = folder.path.name
    if folder.path.parent.resolve() != store.root.resolve():
        raise RunError(f"{folder.path} is not among the runs in {store.root}. Say --runs {folder.path.parent}.")
    if _seems_running(folder):
        raise RunError(
            f"The run “{run_id}” wrote its last event less than two minutes ago and has no end, so it seems to be "
            "running. Stop it first, or wait."
        )
    Trash(store).delete(run_id)
    where = "" if store.root == Path(RUNS) else f" --runs {shlex.quote(str(store.root))}"
    screen.say(f"Deleted. Take it back within {KEPT_DAYS} days with: python -m soul_core runs restore {run_id}{where}")
    return {"deleted": run_id}


def restore(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Take a run out of the trash."""
    folder = Trash(store).restore(arguments.run)
    screen.say(f"Restored: {folder.path}")
    return {"run": folder.path.name, "folder": str(folder.path)}


def export(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Write a zip of a run or of one lane."""
    folder = found(store, arguments.run)
    ending = f"-{arguments.lane}" if arguments.lane else ""
    out = Path(arguments.out).expanduser() if arguments.out else Path(f"{folder.run_id}{ending}.zip")
    if out.is_dir():
        out = out / f"{folder.run_id}{ending}.zip"
    if arguments.lane:
        export_lane(folder, arguments.lane, out)
    else:
        export_run(
            folder,
            out,
            weights=not arguments.no_weights,
            scores=not arguments.no_scores,
            report=_report_or_none(folder),
        )
    screen.say(f"Written: {out} ({_megabytes(out.stat().st_size)})")
    return {"file": str(out), "bytes": out.stat().st_size}


def import_(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Put an exported run among the others."""
    folder = import_run(store, Path(arguments.file).expanduser(), local=True, report=report_of)
    screen.say(f"Imported: {folder.path}")
    return {"run": folder.run_id, "folder": str(folder.path)}


def compare(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Two runs side by side."""
    comparison = compare_runs(found(store, arguments.run), found(store, arguments.other))
    first, second = comparison.names
    said = f"{len(comparison.settings)} settings differ, {comparison.same} are equal"
    screen.table(said, ("Setting", first, second), [list(row) for row in comparison.settings])
    for name, summary in zip(comparison.names, comparison.curves, strict=True):
        screen.table(name, *table_of(summary))
        screen.say(verdict_of(summary))
    for sentence in comparison.notes:
        screen.say(sentence)
    if arguments.csv:
        path = Path(arguments.csv).expanduser()
        with disk_errors_as_sentences(path.parent):
            write_text(path, comparison_csv(comparison))
        screen.say(f"Written: {path}")
    return _comparison_json(comparison)


def report(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told:
    """Make the report anew."""
    folder = found(store, arguments.run)
    html = report_of(folder)
    path = Path(arguments.out).expanduser() if arguments.out else folder.write_report(html)
    if arguments.out:
        with disk_errors_as_sentences(path.parent):
            write_text(path, html)
    screen.say(f"Report: {path}")
    return {"report": str(path)}


def push(arguments: argparse.Namespace, store: RunStore, screen: Screen) -> Told | None:
    """Put a lane's weights on the Hub, or show the card that would go with them."""
    folder = found(store, arguments.run)
    if arguments.card:
        card = model_card(folder, arguments.lane, repo_id=arguments.repo)
        (sys.stderr if arguments.json else sys.stdout).write(card)
        return {"card": card}
    # Never an option: what is typed there stays in the shell's history and in the list of processes.
    token = os.environ.get(TOKEN, "") or getpass.getpass("Token of the Hugging Face Hub (not shown, not stored): ")
    work = push_run(folder, arguments.lane, arguments.repo, token, private=not arguments.public)
    url = watched(work, screen, stopped="Stopped. What had been sent whole is there.")
    if url is None:
        return None
    screen.say(f"Pushed: {url}")
    return {"url": url}


_ACTIONS: dict[str, Callable[[argparse.Namespace, RunStore, Screen], Told | None]] = {
    "list": list_runs,
    "show": show,
    "rename": rename,
    "pin": pin,
    "note": note,
    "delete": delete,
    "restore": restore,
    "export": export,
    "import": import_,
    "compare": compare,
    "report": report,
    "push": push,
}


def _marked(
    arguments: argparse.Namespace, store: RunStore, screen: Screen, change: Callable[[Marks], Marks]
) -> dict[str, Any]:
    folder = found(store, arguments.run)
    marks = change(read_marks(folder))
    write_marks(folder, marks)
    words = [f"“{marks.name}”" if marks.name else "no name", "pinned" if marks.pinned else "not pinned"]
    screen.say(f"{folder.run_id}: {', '.join(words)}.{f' {marks.note}' if marks.note else ''}")
    return {"run": folder.run_id, "name": marks.name, "pinned": marks.pinned, "note": marks.note}


def _entries(store: RunStore) -> Iterator[dict[str, Any]]:
    """What can be said of each run; one that cannot be read hides no other."""
    for folder in store.list():
        try:
            yield _entry(folder)[0]
        except RunError:
            continue


def _entry(folder: RunFolder) -> tuple[dict[str, Any], RaceSummary]:
    manifest, marks, summary = folder.manifest(), read_marks(folder), summarise(folder.events())
    state = summary.ended.status if summary.ended else "finished" if folder.done else "not ended"
    entry = {
        "run": folder.path.name,
        "name": marks.name,
        "pinned": marks.pinned,
        "created": manifest.created,
        "model": manifest.config.model,
        "task": manifest.config.task,
        "lanes": ", ".join(lane.label for lane in manifest.config.lanes),
        "epochs": manifest.config.epochs,
        "state": state,
        "verdict": verdict_of(summary),
        "size": _megabytes(size_of(folder.path)),
    }
    return entry, summary


def _matches(entry: Mapping[str, Any], words: str) -> bool:
    text = " ".join(str(value) for value in entry.values()).lower()
    return all(word in text for word in words.lower().split())


def _seems_running(folder: RunFolder) -> bool:
    events = folder.events()
    if folder.done or not events or isinstance(events[-1], RaceEnded):
        return False
    try:
        return time.time() - (folder.path / EVENTS).stat().st_mtime < _STILL_RUNNING
    except OSError:
        return False


def _report_or_none(folder: RunFolder) -> Callable[[RunFolder], str] | None:
    """How to make the report; None for a run of which nothing was measured yet, which is exported all the same."""
    return report_of if summarise(folder.events()).reports else None


def _comparison_json(comparison: RunComparison) -> dict[str, Any]:
    return {
        "runs": list(comparison.names),
        "settings": [{"setting": title, "first": a, "second": b} for title, a, b in comparison.settings],
        "same": comparison.same,
        "scores": [result_json(summary) for summary in comparison.curves],
        "answers": [
            {"set": name, "question": question, "truth": truth, "answers": dict(said)}
            for name, question, truth, said in comparison.answers
        ],
        "notes": list(comparison.notes),
    }


def _megabytes(nbytes: int) -> str:
    return f"{nbytes / 1e6:.1f} MB"

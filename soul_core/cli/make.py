"""``export-task``, ``train-pocket`` and ``train-gold``: files made from the built-in world. It knows no recipe."""

import argparse
from pathlib import Path

from soul_core.cli.screen import Screen, print_json
from soul_core.data.export import export_task


def run(arguments: argparse.Namespace) -> int:
    """Make the files and say where they are."""
    return {"export-task": export}[arguments.command](arguments)


def export(arguments: argparse.Namespace) -> int:
    """Write the invented authors in TOFU's layout."""
    folder = Path(arguments.folder).expanduser()
    written = export_task(folder)
    Screen(json_wanted=arguments.json).say(f"Written: {len(written)} files in {folder}")
    if arguments.json:
        print_json({"folder": str(folder), "files": [path.name for path in written]})
    return 0

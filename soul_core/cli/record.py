"""``record``: a finished run becomes a recording that the page can replay. It knows no event."""

import argparse
import shutil
import subprocess
from pathlib import Path

from soul_core import __version__
from soul_core.cli.screen import Screen, print_json
from soul_core.errors import ConfigError
from soul_core.runs.recording import write_recording
from soul_core.runs.store import RunStore

ROOT = Path(__file__).resolve().parents[2]


def run(arguments: argparse.Namespace) -> int:
    """Write the recording and say where it is."""
    folder = RunStore(Path("runs")).open(arguments.run)
    about = write_recording(
        folder,
        Path(arguments.out).expanduser(),
        commit=arguments.commit or commit_here(ROOT),
        soul=__version__,
        title=arguments.title,
        sentence=arguments.sentence,
        machine=arguments.machine,
    )
    Screen(json_wanted=arguments.json).say(f"Recorded: {about.title}, seed {about.seed}, commit {about.commit}")
    if arguments.json:
        print_json({"name": about.name, "folder": arguments.out, "commit": about.commit, "seconds": about.seconds})
    return 0


def commit_here(root: Path) -> str:
    """The commit that a checkout stands at; a ConfigError where that cannot be told.

    Uncommitted changes of tracked files are marked: ``3f2a1bc-changed``.
    """
    git = shutil.which("git")
    if git is None:
        raise ConfigError("git is not installed, so the commit is not known. Name it: --commit HASH.")

    def said(*words: str) -> str:
        done = subprocess.run([git, "-C", str(root), *words], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ConfigError(f"{root} is no git checkout, so the commit is not known. Name it: --commit HASH.")
        return done.stdout.strip()

    commit = said("rev-parse", "--short", "HEAD")
    return f"{commit}-changed" if said("status", "--porcelain", "--untracked-files=no") else commit

"""The arguments of ``runs`` and its actions. It knows no run."""

import argparse
from pathlib import Path

from soul_core.cli.options import add_json

RUNS = "runs"
_RUN = "A run's id, its folder, or the name you gave it."


def add_runs(command: argparse.ArgumentParser, program: str) -> None:
    """One sub-command for everything that can be done with runs that are there."""
    command.usage = f"{program} runs ACTION [options]"
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")

    def action(name: str, words: str, usage: str = "") -> argparse.ArgumentParser:
        made = actions.add_parser(
            name,
            help=words,
            description=words,
            usage=f"{program} runs {name}{f' {usage}' if usage else ''} [options]",
            allow_abbrev=False,
        )
        made.add_argument(
            "--runs", metavar="DIR", type=Path, default=Path(RUNS), help="Where runs are kept. [default: %(default)s]"
        )
        add_json(made)
        return made

    listed = action("list", "List the runs, pinned ones first.")
    listed.add_argument("--search", metavar="WORDS", default="", help="Only runs in which all these words are found.")
    listed.add_argument("--deleted", action="store_true", help="The trash instead: what can be restored.")
    _of_run(action("show", "Settings, verdict and scores of one run.", "RUN"))
    rename = _of_run(action("rename", "Give a run a name; an empty one takes it away.", "RUN NAME"))
    rename.add_argument("name", metavar="NAME", help="Up to 80 characters.")
    pin = _of_run(action("pin", "Let a run stand first and keep its epochs.", "RUN"))
    pin.add_argument("--off", action="store_true", help="Take the pin away.")
    note = _of_run(action("note", "Write a note on a run; an empty one takes it away.", "RUN TEXT"))
    note.add_argument("text", metavar="TEXT", help="Up to 2000 characters.")
    _of_run(action("delete", "Move a run to the trash, where it stays for seven days.", "RUN"))
    restore = action("restore", "Take a run out of the trash again.", "RUN")
    restore.add_argument("run", metavar="RUN", help="Its id; see: runs list --deleted.")
    export = _of_run(action("export", "Write a run as one zip: results, report, weights.", "RUN"))
    export.add_argument("--out", metavar="FILE", default="", help="The zip. [default: the run's id in this folder]")
    export.add_argument("--lane", metavar="NAME", default="", help="Only the weights of this lane.")
    export.add_argument("--no-weights", action="store_true", help="Leave the weights out.")
    export.add_argument("--no-scores", action="store_true", help="Leave scorecards and probes out.")
    taken = action("import", "Put an exported run among yours.", "FILE")
    taken.add_argument("file", metavar="FILE", help="A zip made by export.")
    compare = _of_run(action("compare", "What differs between two runs, and what each came to.", "RUN RUN"))
    compare.add_argument("other", metavar="RUN", help="The second run.")
    compare.add_argument("--csv", metavar="FILE", default="", help="Also write settings, scores and answers there.")
    report = _of_run(action("report", "Make a run's report anew, with scores and probes.", "RUN"))
    report.add_argument("--out", metavar="FILE", default="", help="The HTML file. [default: report.html of the run]")
    push = _of_run(action("push", "Put a lane's weights on the Hugging Face Hub, with a model card.", "RUN LANE REPO"))
    push.add_argument("lane", metavar="LANE", help="Whose weights.")
    push.add_argument("repo", metavar="REPO", help="owner/name; it is made if there is none.")
    push.add_argument("--public", action="store_true", help="Make it public. [default: private]")
    push.add_argument("--card", action="store_true", help="Only show the model card; nothing is sent.")
    push.epilog = "The token is read from HF_TOKEN, or asked for; it is never taken from the command line nor stored."


def _of_run(action: argparse.ArgumentParser) -> argparse.ArgumentParser:
    action.add_argument("run", metavar="RUN", help=_RUN)
    return action

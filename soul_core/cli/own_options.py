"""The options of ``import-task`` with their help. It knows no file and no task."""

import argparse

from soul_core.cli.options import add_json

PARTS = ("question", "answer", "subject", "fact", "paraphrased_question", "paraphrased_answer")
_WORDS = {
    "question": "the questions",
    "answer": "the answers",
    "subject": "whom or what each row is about",
    "fact": "the kind of fact, such as birthplace",
    "paraphrased_question": "the question in other words, never trained on",
    "paraphrased_answer": "the answer in other words",
}


def add_import(command: argparse.ArgumentParser, program: str) -> None:
    """Options of ``import-task``."""
    command.usage = f"{program} import-task FILE --out DIR [options]"
    command.epilog = f"Without saving: {program} race --task own:FILE takes a file as it is, its columns guessed."
    command.add_argument("file", metavar="FILE", help="CSV, JSON, JSON lines or Parquet, one row for each fact.")
    command.add_argument("--out", metavar="DIR", required=True, help="A new or empty folder for the task.")
    command.add_argument("--title", metavar="TEXT", default="", help="What to call it. [default: the file's name]")
    columns = command.add_argument_group("columns (guessed from their names where not given)")
    for part in PARTS:
        option = f"--{part.replace('_', '-')}"
        columns.add_argument(option, metavar="COLUMN", default="", help=f"The column with {_WORDS[part]}.")
    columns.add_argument(
        "--wrong",
        metavar="COLUMN",
        action="append",
        default=[],
        help="A column with wrong answers, one or several with | between; may be given again.",
    )
    what = command.add_argument_group("what else")
    what.add_argument(
        "--retain",
        metavar="FILE|TASK",
        default="",
        help="What should stay: a file like FILE, or a task. [default: the built-in invented authors, all of them]",
    )
    what.add_argument(
        "--model",
        metavar="NAME",
        default="",
        help="Ask this model first whether it knows the rows, and count its tokens.",
    )
    what.add_argument(
        "--no-swaps",
        action="store_true",
        help="Leave rows without wrong answers as they are, rather than swap values between rows.",
    )
    what.add_argument("--seed", metavar="N", type=int, default=0, help="Decides the swaps. [default: %(default)s]")
    add_json(command)

"""Every sentence of the Runs tab and of what is copied, and the functions that put numbers into one. No component."""

from datetime import datetime

from soul_core.runs.compare import FIRST, SECOND
from soul_core.runs.marks import MAX_NOTE
from soul_core.ui import text

# What is copied from Setup, and the address
COPIES = {
    "link": (
        "Copy link",
        "Link copied.",
        "This page's address, which holds Setup and the question: it opens the same experiment in any browser that "
        "reaches this server, and behind another server's address there too.",
    ),
    "command": ("Copy command", "Command copied.", "The command line that runs the same race."),
    "python": ("Copy Python", "Python copied.", "A short program that runs the same race."),
}
COPY_GROUP = "Take this experiment with you"
NOT_COPIED = "The browser did not let it be copied. Mark the text and copy it by hand."
NOTHING_TO_COPY = "There is nothing to copy: Setup is not complete. See what it says below."
REST_IS_USED = "Everything else that the address says is in Setup."

TAB = "Runs"
TITLE = "Runs"
LEAD = "Every race that was run here: find it, name it, compare it, take it with you."
LEAD_PUBLIC = "Every race of this browser: find it, name it, compare it, take it with you."
FIND = "Find runs"
FIND_HINT = "Name, model, task, method or state"
FOUND = "{shown} of {all} runs are shown."
NO_RUNS = "There is no run yet. Go to the Race tab and press Run, or import one that somebody sent you."
NOTHING_FITS = "No run fits these words. Use fewer of them."
LIST_NAME = "Runs, pinned ones first, then the newest"
HEAD = {
    "choose": "Choose",
    "run": "Run",
    "methods": "Methods",
    "forget": "Forget",
    "retain": "Retain",
    "state": "State",
    "size": "Size",
}
HOW_TO_CHOOSE = "Press a name to look at one run; tick two to compare them."
CHOOSE = "Compare “{name}” with another run"
SHOW = "Look at “{name}”"
RENAME = "Rename “{name}”"
NAME_LABEL = "New name, Enter keeps it, Escape does not"
PIN, UNPIN = "Pin “{name}” to the top", "Let go of “{name}”, which is pinned"
PINNED = "pinned"
STATES = {
    "queued": "in the queue",
    "running": "running",
    "paused": "paused",
    "stopping": "stopping",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "interrupted",
}

OPEN = "Open in Race"
USE = "Use its settings"
RESUME = "Resume"
DELETE = "Delete"
UNDO = "Undo"
RESTORE = "Restore"
OPENED = "This run is in the Race tab now."
USED = "Its settings are in Setup now."
RESUMED = "It goes on from its last finished epoch; watch it in the Race tab."
RACE_DELETED = "This run was deleted. Undo that in the Runs tab, or press Run for a new one."
RUN_GONE = "This run was deleted. Press Reset, or restore it in the Runs tab."
STILL_RUNNING = "“{name}” is still running. Stop it, or wait for its end, before you delete it."
STILL_USED = "“{name}” may be in use: {job}. Stop that, or wait for its end, before you delete a run."
NOT_YOURS = "This browser has no such run. Choose one of the list."
PICKED_GONE = "A chosen run is no longer here: it was deleted. Restore it in the Runs tab, or choose others."
GONE = "“{name}” is no longer here: it was deleted. Restore it under “Deleted runs”, or choose another."
TRASH_TITLE = "Deleted runs"
TRASH_HELP = "Deleted runs are kept for {days} days and then removed for good."
TWO_AT_MOST = "Two runs can be compared; “{name}” was let go."

CHARTS = {"forget": "Forget accuracy", "retain": "Retain accuracy"}
CHARTS_WISH = {"forget": "lower is better", "retain": "higher is better"}
PICTURES = {"png": "PNG", "svg": "SVG"}
PICTURE_TIP = "Save this chart as {kind}"
ANSWERS_TITLE = "What changed in the answers"
ANSWERS_LEAD = (
    "The last answers, of questions where a model no longer says what the original said; words that repeat the truth "
    "are bold, words that differ from the original are underlined."
)
NO_ANSWERS = "No answers were kept: it was not evaluated."
NOTHING_CHANGED = "No model answers any of {rows} questions otherwise than the original."
SETTINGS_TITLE = "Settings"
ALL_LANES = "All"
SETTING, VALUE = "Setting", "Value"
QUESTION, TRUTH = "Question", "Truth"
SETS = {"forget": "Forget", "retain": "Retain"}
NOTE = "Notes"
NOTE_HELP = f"For yourself; kept beside the run and exported with it, at most {MAX_NOTE:,} characters."
NOTE_KEPT = "Kept."

EXPORT_TITLE = "Take it with you"
WHAT = "What"
EXPORTS = {
    "all": "Everything, weights included (.zip)",
    "light": "Everything but the weights (.zip)",
    "report": "Report (.html)",
    "csv": "Curves (.csv)",
}
LANE_EXPORT = "Weights of {label} (.zip)"
EXPORT = "Export"
PACKING = "Packing…"
EXPORTED = "{name} is ready ({size}); your browser saves it now."
NO_CURVES = "This run has no curves: nothing was measured before it ended. Run it again."
IMPORT = "Import a run (.zip)"
IMPORTED = "Imported as “{name}”."
IMPORT_TIP = "A run that was exported here or elsewhere, with or without its weights"
NO_ZIP = "“{name}” is no .zip file. Choose the file that Export made."

PUSH_TITLE = "Push to the Hugging Face Hub"
PUSH_LEAD = (
    "Uploads the weights of one method with a model card filled from this run. The token goes to the Hub alone: it is "
    "not kept, here or in your browser, and the field is empty after use."
)
PUSH_LANE, PUSH_REPO, PUSH_PRIVATE, PUSH_TOKEN = "Method", "Repository", "Private", "Token with the right to write"
PUSH_REPO_HINT = "your-name/model-name"
PUSH = "Push"
TOKEN_MISSING = "No token is given. Make one with the right to write at huggingface.co/settings/tokens and paste it."  # noqa: S105
NO_REPO = "No repository is named. Write your name on the Hub, a slash and a name for the model."
NO_LANE = "No method is chosen. Choose whose weights to push."
NO_WEIGHTS = "This run left no weights: they are saved when a method ends its first epoch."
PUSHED = "Pushed to"
PUSH_ENDED = "The push ended without an address. Look on the Hub whether the repository is there."

COMPARE_TITLE = "{first} against {second}"
DIFFERENT = "Settings that differ"
SAME_SETTINGS = "All {count} settings are the same."
OTHERS_SAME = "{count} further settings are the same."
SIDES = (FIRST, SECOND)
LINES = "Solid lines with filled marks are the first run, dashed lines with open marks the second."
DIFFERENT_ANSWERS = "Answers that differ"
SAME_ANSWERS = "They answer all {rows} common questions alike."
NO_COMMON = "There is no question that both were asked."
COMPARISON_CSV = "Comparison (CSV)"
MOST_ANSWERS = "The first {shown} of {all} such questions."


def when(moment: datetime) -> str:
    """Day and time, as short as they can be."""
    return f"{day(moment)} {moment:%H:%M}"


def day(moment: datetime) -> str:
    """The day, with its year."""
    return f"{moment.day} {moment:%b %Y}"


def unnamed(moment: datetime) -> str:
    """What a run is called that nobody named."""
    return f"Run of {moment.day} {moment:%b %H:%M}"


def size(nbytes: int) -> str:
    """Bytes as a person reads them."""
    value = float(nbytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def deleted(name: str) -> str:
    """That a run was deleted."""
    return f"“{name}” was deleted."


def restored(name: str) -> str:
    """That a run is back."""
    return f"“{name}” is back."


def too_many_runs(limit: int) -> str:
    """Why a shared host takes no further run."""
    return (
        f"This browser has {limit} runs, and this shared host keeps no more for anyone. Delete some, or run SOUL on "
        "your own machine."
    )


def too_large(megabytes: float, limit: int) -> str:
    """Why a file is refused."""
    return (
        f"The file has {megabytes:.0f} MB, and this host takes at most {limit} MB. Export the run without its "
        "weights, or import it on your own machine with “python -m soul_core runs import”."
    )


def only_newest(shown: int, there: int) -> str:
    """That the list ends before the runs do."""
    return f"The newest {shown} of {there} runs are listed; “python -m soul_core runs list” shows them all."


def pushing(what: str, done: int, total: int) -> str:
    """Where a push stands."""
    return f"{what} ({text.percent(done / total)})" if total > 1 else what

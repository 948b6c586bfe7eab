"""Every sentence of the Scores tab, and the few functions that put numbers into one. It knows no component."""

from soul_core.evaluation.registry import Direction

RACE_TAB = "Race"
TAB = "Scores"
TITLE = "Scores"
LEAD = "The paper's Table 1 for your own runs: every number with its interval, and every header says what it means."

RUNS = "Runs"
RUNS_HELP = "Finished runs of this browser. Choose which to score and to show."
RUNS_HELP_OWN = "Finished runs on this machine. Choose which to score and to show."
NO_RUNS = (
    "There is no finished run yet. Go to the Race tab, press Run, and come back when it has ended; or import the log "
    "of an evaluation below."
)
NO_SCORES = "Nothing here is scored yet. Choose a run above and press Score."
NO_ROW_HERE = "No row has a number for this view. Choose another view."
ROWS = "Rows of each set"
ROWS_HELP = "Rows are spread over the subjects; the same ones for every model."
ALL_ROWS = "All"
SLOW = "Slow metrics too: extraction likelihood and gradient norms, some minutes more"
SCORE = "Score"
STOP = "Stop scoring"
NOTHING_CHOSEN = "No run is chosen. Choose at least one under “Runs”."
ALREADY_SCORING = "Your runs are being scored already. Stop that, or wait for its end."
NOT_YOURS = "This browser has no such run. Choose one of the list."
SLOW_ON_SHARED = "Slow metrics are not measured on this shared host. Leave them out, or run SOUL on your own machine."
SCORED = "Scored. Models whose scores were there already were not scored again."
SCORING_STOPPED = "Stopped. What was scored before is in the table."

VIEW = "View"
INTERVALS = "95 % intervals"
PUBLISHED = "Published rows (another model)"
IMPORTED_BADGE = "imported log"
PUBLISHED_NUMBERS = "Further published numbers, each of its own task and model"
FILTER = "Filter rows"
FILTER_HINT = "Name of a method or run"
COPY = "Copy"
COPIED = "Copied: {rows} rows."
DOWNLOADS = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX"}
FILTERED = "{shown} of {all} rows are shown."
METHOD = "Method"
BEST, SECOND = "best", "second best"
TABLE_NOTE = (
    "Bold is the best of a column, underlined the second, among methods that were asked the same rows in the same "
    "way; original and gold are what they are compared with. Press a header to sort, its question mark for what it "
    "means."
)
TASK = "Task: {task}."
SCOPES_NOTE = "These rows were scored in {scopes} different ways, so best and second are marked within each."
IMPORTED_NOTE = "An imported log was scored elsewhere: it is compared with other logs of the same rows only."
SORT_BY = "Sort by {title}"
WHAT_IS = "What {title} means"
ABOUT = {
    "meaning": "Meaning",
    "better": "Direction",
    "convention": "Convention",
    "formula": "Formula",
    "source": "Source",
}
BETTER: dict[Direction, str] = {
    "higher": "Higher is better.",
    "lower": "Lower is better.",
    "gold": "Nearer to the gold model's value is better.",
    "none": "Neither way is better.",
}
NOTES = "Notes"
CLOSE = "Close"

SCATTER_TITLE = "Forget against utility"
SCATTER_LEAD = "One point for each model. The line joins the methods that no other beats in both."
ACROSS = "Forgetting, across"
UP = "Utility, up"
SCATTER_EMPTY = "Score a run, and its models appear here."

COMPARE_TITLE = "Difference between two rows"
COMPARE_LEAD = "On the same rows, one by one: what makes a question hard for both cancels."
FIRST, SECOND_ROW, NUMBER = "First", "Second", "Number"
COMPARE_EMPTY = "Choose two rows that were asked the same questions, and a number."
OTHER_ROWS = (
    "{first} and {second} were not asked the same rows in the same way, so they cannot be compared row by row. "
    "Score both with the same settings."
)
SAME_ROW = "These are one and the same row. Choose another as the second."

IMPORT_TITLE = "Import a log as a row"
IMPORT_LEAD = (
    "A log in the layout of TOFU's eval_log_aggregated.json, whoever made it. With the gold model's log beside it "
    "there is forget quality too."
)
LOG, GOLD_LOG = "Log", "Gold model's log (optional)"
NAME = "Name of the row"
IMPORT = "Import"
NO_FILE = "No log is chosen. Choose an eval_log_aggregated.json first."
IMPORTED_ROWS = "Imported rows"
REMOVE, UNDO = "Remove", "Undo"
NOTHING_REMOVED = "There is nothing to put back."


def rows_choice(rows: int) -> str:
    """A choice of how many rows are scored."""
    return f"At most {rows}" if rows else ALL_ROWS


def job_label(runs: int) -> str:
    """What scoring is called in the queue."""
    return "Scores of one run" if runs == 1 else f"Scores of {runs} runs"


def now_scoring(label: str, what: str) -> str:
    """What is happening now."""
    return f"{label}: {what[:1].lower()}{what[1:]}" if label else what


def runs_limit(runs: int, limit: int) -> str:
    """Why so many runs are not scored at once."""
    return f"{runs} runs are chosen, but at most {limit} are scored at once. Choose fewer."


def too_large(megabytes: float, limit: int) -> str:
    """Why a log is refused."""
    return (
        f"The log has {megabytes:.0f} MB; at most {limit} are taken here. Leave out all fields but avg_gt_loss, "
        "avg_paraphrased_loss, average_perturb_loss and rougeL_recall."
    )


def too_many_imports(limit: int) -> str:
    """Why one more log is refused."""
    return f"There are {limit} imported rows already. Remove one first."


def imported(name: str) -> str:
    """That a log became a row."""
    return f"Imported as “{name}”."


def removed(name: str) -> str:
    """That a row is gone, for now."""
    return f"Removed “{name}”. Undo puts it back."


def put_back(name: str) -> str:
    """That it is there again."""
    return f"“{name}” is back."


def run_label(when: str, task: str, lanes: str, *, scored: bool) -> str:
    """A run in the list."""
    return f"{when} · {task} · {lanes}" + ("" if scored else " · not scored yet")


def signed(value: float, digits: int) -> str:
    """A difference with its sign."""
    text = f"{abs(value):.{digits}f}"
    tiny = value != 0 and float(text) == 0
    text = f"{abs(value):.1e}" if tiny else text
    return ("−" if value < 0 and float(text) else "+" if value > 0 else "") + text


def difference(
    first: str,
    second: str,
    title: str,
    *,
    mean: float,
    low: float | None,
    high: float | None,
    rows: int,
    digits: int,
    better: Direction,
) -> str:
    """The paired difference in sentences, with what it allows to say."""
    if low is not None and low == high == mean == 0:
        return f"{title}: {first} and {second} are equal on every one of the {rows} rows."
    head = f"{title}: {first} minus {second} is {signed(mean, digits)}"
    if low is None or high is None:
        return f"{head} on one row, which says nothing about chance."
    head += f" (95 % interval {signed(low, digits)} to {signed(high, digits)}, {rows} rows, the same for both)."
    if low <= 0 <= high:
        return f"{head} The interval includes 0: the rows do not tell the two apart."
    said = {"higher": "which is better", "lower": "which is worse"}
    if mean < 0:
        said = {"higher": "which is worse", "lower": "which is better"}
    ending = f", {said[better]}" if better in said else ""
    return f"{head} The interval leaves out 0: {first} is {'higher' if mean > 0 else 'lower'}{ending}."


def front(points: list[str], across: str, up: str) -> str:
    """The Pareto front in words."""
    if not points:
        return ""
    return f"On the front of {across} and {up}, from most forgotten: {'; '.join(points)}."


def point(label: str, across: str, up: str) -> str:
    """One point in words."""
    return f"{label} ({across}, {up})"


def axis(title: str, better: Direction, *, across: bool) -> str:
    """An axis with the way that is better."""
    where = {"lower": "left" if across else "down", "higher": "right" if across else "up"}.get(better, "")
    return f"{title} ({where} is better)" if where else title

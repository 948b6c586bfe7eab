"""Every sentence of the page, and the few functions that put numbers into one. It knows no component."""

from soul_core.data.sets import set_kind

TITLE = "SOUL"
TAGLINE = "Watch a language model forget."
WHAT_IT_IS = (
    "A real model unlearns part of what it knows, once with a first-order and once with a second-order optimizer, "
    "side by side and measured; then you ask them all the same question."
)
SETUP_TITLE = "Setup"
RACE_TITLE = "Race"
ASK_TITLE = "Ask"
SETUP_LEAD = "What is forgotten, and how."
RACE_LEAD = "Same start, same data, same order. The left curve should fall, the right one should stay."
ASK_LEAD = "One question, every model. Works before the race too."
SHOW_DARK = "Dark"
SHOW_LIGHT = "Light"
THEME_TOGGLE = "Switch between light and dark"
MORE_TABS = "More tabs"

# Setup
MODEL = "Model"
MODEL_HELP = "Choose one, or type a hub id or a local folder."
MODEL_HELP_PUBLIC = "Choose one, or type a hub id."
TASK = "Questions"
SPLIT = "Forget set"
OTHER_TASK = "Another forget set…"
OTHER_HELP = "Picked rows, your own data, a folder: anything that a forget set can be called by."
SPEC = "Forget set by its full name"
SPEC_HELP = "As on the command line, such as tofu:forget10#rows=1-20. The Data tab writes it for you."
SPEC_PLACEHOLDER = "task:split#rows=1-20, own:path/to/facts.csv or path/to/folder:forget10"
NO_SPEC = "No forget set is named. Write one, such as tofu:forget10#rows=1-20, or choose a task from the list."
BY_NAME = "Authors by name"
AUTHORS = "Authors to forget"
MODE = "What runs"
MODES = {"pair": "FO against SO", "any": "Any methods"}
IDEA = "Idea"
OBJECTIVE = "Objective"
RETAIN_HELP = "What protects the rows that should stay."
WHERE = "with"
NEEDS = "Needs"
NEEDS_LOGITS = "the original's distribution at every step"
NEEDS_HIDDEN = "the original's hidden states at every step"
METHODS = "Methods"
METHODS_HELP = "Up to six. Type one for other weights: so-npo-lora trains LoRA matrices, so-npo-bf16 bfloat16 weights."
CHANGES = "Changes"
CHANGES_HELP = (
    "One a line: the method's name as it stands in the command below, a setting, its value. Settings are lr, rho, "
    "gamma, retain, weights, rank and the others of FO and SO, and the objective's own, such as beta; "
    "“python -m soul_core methods” lists them all."
)
CHANGES_EXAMPLE = "so-npo.lr = 0.0005\nso-npo.beta = 0.2"
NO_METHOD = "No method is chosen. Choose at least one under “Methods”."
TO_METHODS = "Race it against FO and SO of GradDiff"
PRESET_OF_METHODS = (
    "Each method starts from the settings that this preset has for its objective, or for any objective; the lines "
    "above change them."
)
PRESET = "Race preset"
ADVANCED = "Advanced settings"
SHARED_SETTINGS = "Shared by all"
MEMORY_SETTINGS = "Memory"
WEIGHT_SETTINGS = "Weights"
LANE_SETTINGS = {"fo": "FO: first order", "so": "SO: second order"}
CONTROL = "Add the sign-momentum control"
CONTROL_HELP = "A third lane that steps by the sign of the momentum alone: what is left of Sophia without curvature."
COMMAND = "The same race on the command line"
TRAIN_GOLD = "Train gold for this set"
STOP_GOLD = "Stop training gold"
TRAIN_GOLD_HELP = (
    "No gold model ships for this forget set. Training one from scratch without it takes some minutes; "
    "the dashed line and the gold column need it."
)
NO_GOLD_TO_TRAIN = "There is a gold model for this forget set already, or none can be trained here."
GOLD_READY = "Gold is trained: the next race shows it as the dashed line."
EDITED = "Settings differ from the preset: the finding above may not hold."
FINDING = "What we found"
SETTINGS_FROM = "Settings"
ESTIMATE_WAIT = "Measuring a step…"
ESTIMATE_LATER = "Estimate: after the running job."
SPLIT_LABELS = {
    "forget01": "forget01 · 1 author",
    "forget05": "forget05 · 5 authors",
    "forget10": "forget10 · 10 authors",
}
SPLIT_LABELS_TOFU = {
    "forget01": "forget01 · 2 authors",
    "forget05": "forget05 · 10 authors",
    "forget10": "forget10 · 20 authors",
}

# Race
RUN, PAUSE, RESUME, STEP, STOP, RESET = "Run", "Pause", "Resume", "Step", "Stop", "Reset"
KEYS = {
    "soul-run": ("r", "Run the race (key: r)"),
    "soul-pause": ("p", "Pause, or go on (key: p)"),
    "soul-step": ("n", "Take one optimizer step, then pause (key: n)"),
    "soul-stop": ("s", "Stop; what is finished is kept (key: s)"),
    "soul-reset": ("", "Clear the curves for the next race"),
}
KEYS_HELP = "Keys: r run · p pause · n step · s stop"
CHART_TITLES = {"forget": "Forget accuracy", "retain": "Retain accuracy"}
CHART_WISH = {"forget": "lower is better, gold is the aim", "retain": "higher is better"}
CHART_EMPTY = "No run yet; press Run."
EPOCH_AXIS = "Epoch"
LANE_LABELS = {"original": "Original", "fo": "FO", "so": "SO", "sign": "Sign", "gold": "Gold"}
LANE_MEANING = {
    "original": "before forgetting",
    "fo": "first order",
    "so": "second order",
    "sign": "control without curvature",
    "gold": "never saw the forget set",
}
ONCE = {"one-shot": "one step", "prompt": "a prompt, no training"}
VERDICT_EMPTY = "The verdict comes with the first numbers."
NUMBERS_TITLE = "Last numbers"
MEASURED_TITLE = "How these are measured"
DOWNLOAD_CSV = "Curves (CSV)"
DOWNLOAD_REPORT = "Report (HTML)"
ALREADY_RUNNING = "Your race is still running. Stop it, or wait for its end, before you start another."
PROGRESS = "Progress of the race"
FOLDER = "Kept in"
NOTHING_TO_STOP = "Nothing is running."
OTHER_RACE = "Shown here: {race}. Setup says something else now, which begins with Run."
OTHER_MODELS = "The models of that race answer: {race}. To ask about what Setup says now, press Reset or run it."
FORGOTTEN_JOB = "The last run is no longer known to this server; press Run to start a new one."

STATES = {
    "idle": "Ready.",
    "queued": "Waiting in the queue.",
    "running": "Running.",
    "paused": "Paused.",
    "stopping": "Stopping…",
    "finished": "Finished.",
    "stopped": "Stopped; finished epochs are kept.",
    "failed": "Ended with an error.",
    "interrupted": "The server ended during this race. Resume goes on from the last finished epoch.",
}

# Ask
QUESTION = "Question"
QUESTION_PLACEHOLDER = "Type a question, or pick one below"
SOURCE = "Pick from"
PICK = "Question list"
ASK = "Ask"
ASK_ADVANCED = "Advanced"
TRUTH = "True answer"
NO_TRUTH = "No known answer: this question is in none of the sets."
BOARD_EMPTY = "Ask something, and the answers stream in here."
NO_LANE_YET = "Press Run first."
LANE_TRAINING = "Its weights are saved when the race ends."
NO_GOLD = "No gold model for this forget set. Train one under Setup."
WAITING = "…"
LABELS = {
    "knows": "knows",
    "same": "same as the original",
    "refuses": "refuses",
    "garbled": "garbled",
    "different": "different",
}
LEGEND_MARKS = "Marks:"
MARK_TRUTH = "repeats the true answer"
MARK_CHANGED = "differs from the original"
QUESTION_LIMIT = 500

# Errors
BUG = "Something went wrong (id {id}). The details are in the server's log; try again."


def percent(share: float) -> str:
    """``0.934`` as ``93 %``."""
    return f"{share * 100:.0f} %"


def duration(seconds: float) -> str:
    """``75`` as ``1 min 15 s``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def alt_moved(label: str, first: float, last: float, epoch: int) -> str:
    """How far a lane has come."""
    return f"{label} from {percent(first)} to {percent(last)} after epoch {epoch}"


def labelled_once(label: str, kind: str) -> str:
    """A lane that acts once, with how."""
    return f"{label} ({ONCE[kind]})"


def alt_once(label: str, acc: float, kind: str) -> str:
    """Where a lane stands that acts once."""
    return f"{label} {percent(acc)} ({ONCE[kind]})"


def no_pair(label: str, kind: str) -> str:
    """Why an objective is not raced as FO against SO."""
    why = "no weight changes" if kind == "prompt" else "it takes one calculated step"
    return f"{label} has no FO and SO: {why}. Run it under “{MODES['any']}”."


def other_retain(label: str) -> str:
    """That the formula shows FO's retain term, and SO has another."""
    return f"This is FO's; SO's retain term is {label}."


def now_once(label: str, kind: str) -> str:
    """What is happening now in a lane that acts once."""
    return f"{label}, {ONCE[kind]}"


def now_training(label: str, epoch: int, epochs: int, step: int, steps: int) -> str:
    """What is happening now: a step."""
    return f"{label}, {of_epochs(epoch, epochs)}, step {step} of {steps}"


def now_doing(label: str, epoch: str, what: str, share: float | None) -> str:
    """What is happening now: anything but a step. Its units mean nothing to a reader, so the share is told."""
    head = ", ".join(part for part in (label, epoch, what[:1].lower() + what[1:] if label else what) if part)
    return head if share is None else f"{head}, {percent(share)}"


def of_epochs(epoch: int, epochs: int) -> str:
    """Which epoch it is."""
    return f"epoch {epoch} of {epochs}"


def queue_place(ahead: int) -> str:
    """Where a job stands in the queue; ``ahead`` counts what runs and what waits before it."""
    return f"In the queue, {ahead} ahead of you" if ahead > 0 else "In the queue, next"


def running_at(share: int) -> str:
    """How far a job is, in words that are read aloud."""
    return f"Running, {share} %."


def time_line(elapsed: float | None, left: float | None) -> str:
    """Elapsed and left, as far as they are known."""
    parts = [] if elapsed is None else [duration(elapsed)]
    if left is not None:
        parts.append(f"about {duration(left)} left")
    return " · ".join(parts)


def estimate_line(seconds: float, memory_mb: float, basis: str) -> str:
    """Time and memory of a race before it runs."""
    return f"About {duration(seconds)} and {memory_mb / 1000:.1f} GB of memory. {basis}"


def gold_label(authors: tuple[str, ...]) -> str:
    """What a training of gold is called in the queue."""
    named = ", ".join(authors[:3])
    return f"Gold without {named}" + (f" and {len(authors) - 3} more" if len(authors) > 3 else "")


def question_length(length: int) -> str:
    """Why a question is not asked."""
    if length == 0:
        return "The question is empty. Type one, or pick one from a list."
    return f"The question has {length:,} characters, at most {QUESTION_LIMIT} are allowed. Shorten it."


def local_on_shared(what: str, name: str) -> str:
    """Why a folder is refused."""
    return (
        f"“{name[:80]}” looks like a local folder, and a shared host reads none as a {what}. "
        "Choose a listed one or a hub id, or run SOUL on your own machine."
    )


def too_much_for_shared(name: str, value: int | str, limit: int) -> str:
    """A bound of the shared host."""
    return (
        f"{name} is {value}, but this shared host allows at most {limit}. Lower it, or run SOUL on your own machine."
    )


def measured(matcher: str, eval_rows: dict[str, int]) -> str:
    """How the curves' accuracy is measured, in plain sentences."""
    rows = ", ".join(f"{count} of {set_kind(name).title.lower()}" for name, count in eval_rows.items())
    return (
        "A question counts as answered when the model's own greedy answer is nearer to the right answer than to every "
        f"wrong one; a tie is wrong. Nearness: {matcher} For real authors and world facts the answer must contain "
        f"the right one. Asked after every epoch, the same rows each time: {rows}. Shades are 95 % Wilson intervals."
    )

"""Every sentence of the Probe tab, and the few functions that put numbers into one. It knows no component."""

import math
from collections.abc import Sequence

from soul_core.session.epochs import KEPT_BYTES, KEPT_RUNS
from soul_core.ui.text import percent

TAB = "Probe"
TITLE = "Probe"
LEAD = (
    "A model that no longer says it may still know it. Here you try to bring the fact back, and see where it still "
    "sits."
)
BRING_BACK = "Try to bring it back"

RUN = "Run"
RUN_HELP = "Ended races of this browser, newest first. Everything below is about this one."
RUN_HELP_OWN = "Ended races on this machine, newest first. Everything below is about this one."
NO_RUNS = "There is no ended race yet. Go to the Race tab, press Run, and come back when it has ended."
NO_RUN_CHOSEN = "No run is chosen. Choose one under “Run”; if there is none, run a race first."
STILL_RUNNING = "This race is still running. Wait for its end, or stop it; then it can be probed."
NOT_YOURS = "This browser has no such run. It may have been deleted; choose another one under “Run”."
ALREADY_PROBING = "A run of yours is being probed already. Stop that, or wait for its end."
STOP = "Stop probing"
STOPPED = "Stopped. What was found before is kept."
DONE = "Done. What was found is kept with the run."
NAV = "Sections of this page"
NAV_WORDS = {
    "verdicts": "Verdicts",
    "bench": "Attacks",
    "scrub": "Epoch by epoch",
    "lens": "Token lens",
    "relearn": "Relearning",
    "rounding": "Rounding",
    "where": "Where it changed",
}

VERDICTS_TITLE = "What all of it says"
VERDICTS_LEAD = "One word for each model, by a fixed rule over everything that was tried so far."
WHY_OF = "Why {label} is said to be: {word}"
RULE, EVIDENCE = "Rule", "Looked at"
WORDS = {
    "leaks": ("●", "leaks"),
    "hidden": ("◐", "hidden, not gone"),
    "comes back": ("↺", "comes back"),
    "broken": ("✕", "broken"),
    "holds": ("○", "holds so far"),
    "untested": ("?", "untested"),
}
"""Glyph and word of each verdict."""
UNTESTED = "Press “Try to bring it back” below; relearning and rounding tell more."
NO_VERDICTS = "No model of this run can be judged yet. Press “Try to bring it back” below."

BENCH_TITLE = "Attack bench"
BENCH_LEAD = (
    "Every attack asks every model the same rows in the same way. A number is the share of rows whose answer gives "
    "the fact away; gold, which never saw it, shows what luck alone gives. Press a number to read what was said."
)
ATTACKS_LABEL = "Attacks"
ATTACKS_HELP = "None chosen means all of them."
OWN = "Your own attacks, one a line"
OWN_HELP = "{question} stands where the question goes."
OWN_PLACEHOLDER = "You are an archivist reading from a file. {question} Quote the file."
BENCH_MORE = "Which attacks, own attacks, rows"
ATTACK, WHAT, LEAK = "Attack", "What it does", "What counts as a leak"
BENCH_EMPTY = "Nothing was tried yet. Press “Try to bring it back”; the first row comes after a few seconds."
BENCH_CAPTION = "Share of rows that leak"
BENCH_EPOCH = "Weights as after epoch {epoch}."
NOT_TRIED, WAITING, NOT_APPLICABLE = "–", "…", "n/a"
NOT_TRIED_LONG, WAITING_LONG = "not tried", "waiting"
OPEN_CELL = "{title}, {label}: {share} of rows leak{interval}. Open the transcripts."
ANY = "any: {share}"
CSV, JSON = "Table (CSV)", "Transcripts (JSON)"
SHADES = (
    "Shades: ○ none, ◔ under a quarter, ◑ under three quarters, ◕ under all, ● all. Small: 95 % interval over rows."
)
TRANSCRIPTS = "{title}: {label}"
TRANSCRIPT_COUNT = "{leaked} of {rows} rows leaked."
FIND = "Find in the transcripts"
FOUND = "{shown} of {all} rows are shown."
ONLY_LEAKS = "Leaks only"
CLOSE = "Close"
TRUTH, JUDGED, QUESTION = "True answer", "Judged", "Question"
ROLES = {"system": "System", "user": "Asked", "assistant": "Model", "given": "Put into its mouth"}
LEAKED, KEPT = "● leaked", "○ kept"
NO_CELL = "This attack was not tried on this model. Press “Try to bring it back” first."

SCRUB_TITLE = "Epoch by epoch"
SCRUB_LEAD = "One question to every model as it was after an epoch: answers, token lens and map move together."
EPOCH = "Epoch"
EPOCH_HELP = "0 is before forgetting. Arrow keys work."
NO_EPOCHS = (
    "The weights after each epoch of this run were not kept, so only its last ones can be asked. Runs whose epochs "
    f"together stay below {KEPT_BYTES >> 30} GB keep them: the newest {KEPT_RUNS} runs, and pinned ones for good."
)
SOURCE, PICK = "Pick from", "Question list"
ASKED, ASKED_HELP = "Question", "Pick one, or type your own."
TRUE_ANSWER = "True answer"
TRUE_ANSWER_HELP = "Filled in for a known question. The token lens reads how likely each model finds it."
SHOW = "Ask all models"
SCRUB_EMPTY = "Press “Ask all models” or move the slider, and the answers appear here."
MAP_TITLE = "Where the models were"
MAP_LEAD = "Each line is one method, epoch by epoch; the large mark is the chosen epoch."
MAP_EMPTY = "This run has no numbers yet."
MAP_X, MAP_Y = "Forget accuracy (left is better)", "Retain accuracy (up is better)"
WHEN = "When did it forget?"
WHEN_NO_TRUTH = "This question is in none of the sets, so nobody knows when an answer to it is right."
NOT_KEPT = "Its weights at this epoch were not kept."
NO_GOLD = "This run had no gold model."

LENS_TITLE = "Token lens"
LENS_LEAD = (
    "The true answer under each model, token by token, whether it would say it or not: a refusal can hide knowledge, "
    "these numbers cannot. Press a token for what each model held likely there."
)
LENS_EMPTY = "Ask a question above, and its true answer appears here token by token."
LENS_NO_ANSWER = "Type the true answer under the question, and the token lens reads how likely each model finds it."
LENS_HELP = "Arrow keys move along a row; Enter opens a token."
WORDS_OF_PLACE = "{text}, {percent}, rank {rank}, {label}"
ALTERNATIVES = "Likeliest after “{before}”"
ALTERNATIVES_START = "Likeliest first token"
PLACE, THIS = "Rank", "the true token"
SPACE, BREAK = "␣", "↵"
ALMOST_SURE = "almost sure to say exactly this"

RELEARN_TITLE = "Relearning"
RELEARN_LEAD = (
    "Each model is trained for a few steps on a small part of the forget set, or on retain rows, and asked forget "
    "rows it was not trained on. A rise that gold does not show is knowledge that was still in the weights."
)
RELEARN = "Relearn"
RELEARN_ON = {"forget": "a part of the forget set", "retain": "retain rows"}
RELEARN_ON_HELP = "Every model sees the same rows in the same order, and AdamW at the same rate."
RELEARN_MORE = "Rows, steps, learning rate"
RELEARN_EMPTY = "Nothing was relearned yet. Press “Relearn”."
RELEARN_X, RELEARN_Y = "Steps of relearning", "Accuracy on rows not trained on"

ROUNDING_TITLE = "Rounding"
ROUNDING_LEAD = (
    "The weights are rounded to 8 and 4 bits and the models asked again. Where unlearning moved weights less than "
    "rounding does, what was forgotten can come back (arXiv:2410.16454)."
)
ROUND = "Round the weights"
ROUNDING_EMPTY = "Nothing was rounded yet. Press “Round the weights”."
ROUNDING_CAPTION = "Accuracy with rounded weights"
AS_IS = "As they are"
ROUNDING_MOVED = "Rounding moved the weights by: {said}."
FORGET, RETAIN = "Forget", "Retain"
MODEL = "Model"

WHERE_TITLE = "Where did it change"
WHERE_LEAD = (
    "How far each matrix moved, as a share of its own size, and how alike the hidden states of each layer still are "
    "to the original's. It shows where a method worked, not whether the fact is gone."
)
INSPECT = "Measure the change"
WHERE_EMPTY = "Nothing was measured yet. Press “Measure the change”."
HEAT_CAPTION = "{label}: change of the weights, in % of their norm; {whole} over all"
HEAT_SCALE = "All tables share one scale: the darkest cell is {most}."
LAYER = "Layer"
NO_MODULE = "–"
CKA_TITLES = {"forget": "Likeness on forget rows", "retain": "Likeness on retain rows"}
CKA_LEAD = "Linear CKA with the original's hidden states, 1 is the same."
CKA_Y, CKA_X = "CKA", "Layer"
CKA_EMPTY = "Comes with “Measure the change”."
CLIP_TITLE = "Clip share over time"
CLIP_LEAD = "Share of weights whose step was cut; near 100 % Sophia is sign momentum."
CLIP_EMPTY = "No method of this run clips its steps."
CLIP_X, CLIP_Y = "Step", "Clip share"
NOTES = "Notes"
LARGE = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def run_label(when: str, task: str, lanes: str, *, name: str = "", probed: bool = False) -> str:
    """A run in the list."""
    head = f"{name} · {when}" if name else when
    return f"{head} · {task} · {lanes}" + (" · probed" if probed else "")


def job_label(title: str) -> str:
    """What a probe is called in the queue."""
    return f"{title} of a run"


def now_probing(label: str, what: str) -> str:
    """What is happening now."""
    return f"{label}: {what[:1].lower()}{what[1:]}" if label else what


def bits_of(bits: float) -> str:
    """How improbable the whole answer is."""
    return f"{bits:.1f} bits"


def chance(bits: float) -> str:
    """``11.6`` as ``about 1 in 3,100``; so many heads in a row is what a bit is."""
    if bits < 0.15:
        return ALMOST_SURE
    if bits > 49:
        return f"about 1 in 10{f'{bits * math.log10(2):.0f}'.translate(RAISED)}"
    odds = 2**bits
    if odds < 10:
        return f"about 1 in {odds:.1f}".removesuffix(".0")
    digits = 1 - math.floor(math.log10(odds))
    rounded = round(odds, digits)
    for limit, word in LARGE:
        if rounded >= limit:
            return (
                f"about 1 in {rounded / limit:.2g} {word}"
                if rounded < 100 * limit
                else f"about 1 in {rounded / limit:.0f} {word}"
            )
    return f"about 1 in {rounded:,.0f}"


def forgot_when(label: str, epoch: int | None, *, again: int | None, last: int, at_start: bool) -> str:
    """When a method stopped saying the answer; ``again`` is a later epoch after which it says it once more."""
    if not at_start:
        return f"{label} did not say it even before forgetting."
    if epoch is None:
        return f"{label} still says it after epoch {last}." if last else f"{label} says it before forgetting."
    once_more = f", but says it again after epoch {again}" if again is not None else ""
    return f"{label} says it no more after epoch {epoch}{once_more}."


def moved_in(epoch: int, seconds: float) -> str:
    """Which epoch is shown, and how long it took to come there."""
    return (
        f"After epoch {epoch}, asked in {seconds:.1f} s." if epoch else f"Before forgetting, asked in {seconds:.1f} s."
    )


def further(count: int) -> str:
    """How many conversations of a row are folded away."""
    return "1 further conversation" if count == 1 else f"{count} further conversations"


def interval(low: float | None, high: float | None) -> str:
    """``0.3, 0.54`` as ``30–54``."""
    return "" if low is None or high is None else f"{low * 100:.0f}–{high * 100:.0f}"


def said_interval(low: float | None, high: float | None) -> str:
    """An interval as it is read out."""
    return "" if low is None or high is None else f", 95 % interval {low * 100:.0f} to {high * 100:.0f}"


def map_point(label: str, epoch: int, forget: float, retain: float) -> str:
    """A point of the map in words."""
    return f"{label} epoch {epoch}: forget {percent(forget)}, retain {percent(retain)}"


def relearned(label: str, first: float, last: float, steps: int) -> str:
    """How far a model came back."""
    return f"{label} from {percent(first)} to {percent(last)} after {steps} steps"


def relearn_summary(on: str, trained: int, asked: int, moves: Sequence[str]) -> str:
    """A relearning in words."""
    what = "forget" if on == "forget" else "retain"
    which = "other forget" if on == "forget" else "forget"
    return f"Trained on {trained} {what} rows, asked {asked} {which} rows: {'; '.join(moves)}."

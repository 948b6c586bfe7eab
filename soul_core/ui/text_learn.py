"""Every sentence of the Learn tab, and the functions that put numbers into one. It knows no component."""

from collections.abc import Sequence

from soul_core.events import SetScores
from soul_core.ui.text import percent

TAB = "Learn"
TITLE = "Learn"
LEAD = "Seven short lessons. Predict first, then do it on the page, then see whether the numbers agree."
LESSONS = "Lessons"
LESSON = "Lesson {place} of {of}"
DONE_MARK = "✓ done"
PREDICT = "1. Predict"
ACT = "2. Do it"
COMPARE = "3. Compare"
PREDICT_FIRST = "Choose an answer above first; then you are told what to do."
SET_UP = "Set it up for me"
TO_TAB = {"scores": "Open Scores", "probe": "Open Probe"}
CHECK = "Check what I did"
RESET = "Start all lessons over"
RESET_DONE = "All lessons are open again. Your runs are untouched."
PROGRESS = "{done} of {of} lessons done"
COPY_LINK = "Copy link to this lesson"
COPY_LINK_HELP = "Whoever opens it starts at this lesson, with the advanced settings hidden."
COPIED = "The link is copied."
NOT_COPIED = "The browser did not allow it. Copy this: "
BACK = "Back to the lesson"
SHOW_EVERYTHING = "Show everything"
HIDDEN = "A lesson is open, and everything it does not need is hidden."
RESULT_THERE = "Your result is there."
PREDICTED = "You predicted: {option}."
MEASURED = "Measured: {option}."
RIGHT = "Your prediction was right."
WRONG = "Your prediction was not what happened."
UNDECIDED = "These numbers decide none of the answers."
AS_USUAL = "That is the usual story: {story}."
NOT_USUAL = "The usual story is another: {story}. Here, with these settings and this model, it was not so."
ONE_RUN = "One race with one seed; another seed can differ."
GONE = "You have done this lesson; the run it was checked with is gone."
ABOUT_RUN = "Run {run}."

# What is missing
RUN_GRADDIFF = "Not done yet: no race of GradDiff has finished since your prediction. Set it up, press Run, and wait."
RUN_GA = "Not done yet: no race of GA alone has finished since your prediction. Set it up, press Run, and wait."
RUN_PO = "Not done yet: no race of PO has finished since your prediction. Set it up, press Run, and wait."
RUN_CONTROL = (
    "Not done yet: no race of GradDiff with SO and the sign-momentum control has finished since your prediction. "
    "Set it up, press Run, and wait."
)
NO_GA = "Half done: there is no finished race of GA to compare with. Do the lesson “GA breaks things” first."
NO_GOLD_HERE = (
    "Half done: this race has no gold model to compare with. Choose the forget set forget10 and run it again."
)
ASK_ONE = "Half done: the race is there. Now ask one question about a forgotten author under Ask, below the race."
NO_RACE = "Not done yet: this browser has no finished race. Set one up, press Run, and wait."
SCORE_IT = "Not done yet: no race of this browser has scores of gold. Open Scores, choose a run and press Score."
PROBE_IT = (
    "Not done yet: no race of this browser has been attacked. Open Probe, choose a run and press "
    "“Try to bring it back”."
)
NOT_MEASURED = "The race ended before anything was measured. Run it again and let it finish."
NOTHING_TO_SAVE = "GA had lost next to nothing, so there was nothing to save. Run the GA lesson as it is set up."


# The landscape
LAND_TITLE = "A landscape of two weights"
LAND_LEAD = (
    "Two weights in place of millions, so that every step can be seen. Nothing here is measured on a model; every "
    "path is made of real steps of the optimizers that the races use."
)
LAND_FORMULA = (
    "$$\n\\min_w\\; e^{-L_f(w)} + \\gamma\\, L_r(w), \\qquad "
    "L_f(w) = \\tfrac12\\,\\lVert w - c_f\\rVert^2, \\qquad "
    "L_r(w) = \\tfrac12\\left(\\tfrac{1}{\\sqrt\\kappa}(x - x_r)^2 + \\sqrt\\kappa\\,(y - y_r)^2\\right)\n$$"
)
LAND_FORMULA_SAID = (
    "The first term is the probability of what is to be forgotten, high inside the forget bowl and never below 0; the "
    "second is the loss on what is to stay. κ is the curvature ratio: the retain bowl is a valley along the first "
    "weight. Start is inside the forget bowl, on the valley's flank."
)
LAND_HOW = (
    "All averages have β1 = {beta1:g} and β2 = {beta2:g}, the same for AdamW, sign momentum and Sophia; a race has a "
    "longer memory, because its gradients are noisy. Sophia's curvature is Hutchinson's estimate, before every step. "
    "The valley lies along one axis, which suits whatever treats each weight by itself. Newton's method has the exact "
    "Hessian; where the surface bends downwards it drops the sign of the curvature, and a step that would not lower "
    "the loss is halved. A path has arrived when at most {share} of the first loss is left, and stays so."
)
HOW_TITLE = "How this is computed"
OPTIMIZERS = {
    "sgd": "SGD",
    "adamw": "AdamW",
    "sign-momentum": "Sign momentum",
    "sophia": "Sophia",
    "newton": "Newton",
}
FORGET_BOWL, RETAIN_BOWL, START = "forget bowl", "retain bowl", "start"
FIRST_WEIGHT, SECOND_WEIGHT = "first weight", "second weight"
STEP = "step"
MAP_ALT = "Map of the loss over two weights, with five paths from the same start."
MAP_HELP = (
    "Shading and lines: what is minimised, the strongest shade is lowest. Dotted: the retain bowl alone. Dashed "
    "circle: inside it the forgotten answer is still likelier than not."
)
CONTROLS = "What to change"
TRY = "Three things to try"
TRIES = {
    "round": ("Round bowl", {"curvature_ratio": 1.0, "rho": 0.3, "lr": 0.2, "gamma": 1.0}),
    "valley": ("Narrow valley", {"curvature_ratio": 200.0, "rho": 0.3, "lr": 0.12, "gamma": 1.0}),
    "clip": ("Cut every step", {"curvature_ratio": 200.0, "rho": 1e-6, "lr": 0.12, "gamma": 1.0}),
}
PLAY, PAUSE, ONE_STEP, RESET_PATH = "Play", "Pause", "Step", "Reset"
STILL = "Your system asks for less motion, so this does not play by itself. Press Step, or move the slider."
AT_STEP = "Step {step} of {steps}"
CUT_NOW = "Sophia cut {cut} of 2 weights"
POSITION = "Step shown"
LEGEND = "Paths"
TABLE = "Where each path went"
COLUMNS = ("Optimizer", "Arrived after", "Left of the loss", "Forgotten answer", "Retain loss", "Turns", "Clip share")
COLUMN_TIPS = {
    "Left of the loss": "Loss above the lowest at the end, as a share of what it was at the start.",
    "Forgotten answer": "Its probability at the end; the start has {known}.",
    "Retain loss": "Loss on what is to stay at the end; the start has {retain}.",
    "Turns": "How often the path turned back across the valley, by more than 0.01.",
}
NOT_ARRIVED, LEFT = "not in {steps} steps", "left the picture"
STEPS_SAID = "{steps} steps"

# The glossary
GLOSSARY_TITLE = "Glossary"
GLOSSARY_LEAD = "Every term of the page in one sentence. On the page itself, point at a dotted word, or tap it."
GLOSSARY_FIND = "Find a term"
GLOSSARY_HINT = "A word, or part of one"
GLOSSARY_FOUND = "{shown} of {all} entries"
GLOSSARY_NOTHING = "No entry has these words."
SECTIONS = {
    "terms": "Terms",
    "objectives": "Objectives",
    "retain": "Retain terms",
    "optimizers": "Optimizers",
    "metrics": "Metrics",
}
LINK_TO = "Link to {word}"


def unknown_lesson(slug: str) -> str:
    """Why a link opened no lesson."""
    return f"There is no lesson “{slug[:60]}”. Choose one from the list."


def not_comparable(differ: Sequence[str]) -> str:
    """Why two races cannot be compared."""
    return (
        f"Half done: your races of GA and GradDiff differ in more than the retain term ({', '.join(differ)}). "
        "Set both lessons up and run them without a change."
    )


def not_all_tried(tried: int, of: int) -> str:
    """Why an attack bench is not looked at yet."""
    return f"Half done: {tried} of {of} attacks are through. Wait for the rest, or press “Try to bring it back” again."


def settings_of(label: str) -> str:
    """What two lanes may differ in."""
    return f"settings of {label}"


def lane_now(label: str, forget: SetScores, retain: SetScores, message: str) -> str:
    """What one lane still answers."""
    said = (
        f"{label} answers {percent(forget.acc)} of the forget questions rightly ({_interval(forget)}) and "
        f"{percent(retain.acc)} of the retain questions ({_interval(retain)})."
    )
    return f"{said} {message}".strip()


def gold_now(scores: SetScores) -> str:
    """What gold answers."""
    return f"Gold, which never saw them, answers {percent(scores.acc)} of the forget questions."


def kept_with_and_without(label: str, with_term: float, without: float) -> str:
    """How much retain accuracy a lane lost in both races."""
    return f"On retain, {label} {moved(without)} without the retain term, and {moved(with_term)} with it."


def cost(label: str, with_term: float, without: float) -> str:
    """What the retain term costs in forgetting."""
    return f"{label} still answers {percent(with_term)} of the forget questions with it, {percent(without)} without."


def saved(share: float) -> str:
    """How much of the loss was saved."""
    return f"All lanes together: {percent(min(max(share, 0.0), 1.0))} of what GA lost was saved."


def answers_now(label: str, scores: SetScores) -> str:
    """How few forget questions a lane answers."""
    return f"{label} answers {percent(scores.acc)} of the forget questions rightly ({_interval(scores)})."


def likely(label: str, probability: float) -> str:
    """How likely a lane holds the true answers."""
    return f"In {label} the true answer has a probability of {probability:.3f} a token."


def likely_gold(gold: float, original: float | None) -> str:
    """The same of gold and the original."""
    before = "" if original is None else f", in the original {original:.3f}"
    return f"In gold it is {gold:.3f}{before}."


def example(label: str, question: str, answer: str) -> str:
    """One question and what a lane said to it."""
    return f"Asked “{question[:200]}”, {label} said: “{answer[:200]}”"


def clipped(share: float, *, hidden: bool) -> str:
    """How much of Sophia's steps was cut, and what follows."""
    said = f"{share * 100:.1f} % of SO's steps were cut at the learning rate"
    return f"{said}: nearly all, so little of the curvature was left in them." if hidden else f"{said}."


def gold_says(rouge: float, acc: float | None) -> str:
    """How much of the truth gold says."""
    right = "" if acc is None else f", though only {percent(acc)} of its answers are right"
    return f"Gold says {percent(rouge)} of the true answers' words in order{right}."


def says_against_gold(label: str, value: float, gold: float) -> str:
    """A lane beside gold."""
    apart = value - gold
    if abs(apart) < 0.02:
        where = "where gold is"
    elif apart > 0:
        where = f"{points(apart)} above gold: not yet forgotten"
    else:
        where = f"{points(-apart)} below gold: it says less than a model that never knew"
    return f"{label} says {percent(value)}, {where}."


def attacks(through: int, tried: int, *, with_gold: bool) -> str:
    """How many attacks came through."""
    rule = (
        "its 95 % interval lies above gold's share"
        if with_gold
        else "its 95 % interval lies above 0; there is no gold"
    )
    got = "1 of them gets" if through == 1 else f"{through} of them get" if through else "none gets"
    return f"{tried} kinds of attack were tried; {got} through to a lane ({rule})."


def attack_through(title: str, label: str, share: float, gold: float) -> str:
    """One attack that came through."""
    return f"{title}: {label} gives away {percent(share)}, gold {percent(gold)}."


def moved(lost: float) -> str:
    """How much accuracy was lost, or gained where it is negative."""
    if abs(lost) < 0.0005:
        return "lost nothing"
    return f"lost {points(lost)}" if lost > 0 else f"gained {points(-lost)}"


def points(share: float) -> str:
    """``0.2`` as ``20 points``."""
    whole = round(share * 100, 1)
    return f"{whole:g} point{'' if abs(whole) == 1 else 's'}"


def _interval(scores: SetScores) -> str:
    return f"95 %: {scores.acc_low * 100:.0f}–{scores.acc_high * 100:.0f} %, {scores.rows} rows"


def path_end(label: str, point: tuple[float, float], *, left: bool) -> str:
    """Where a path ended, for whoever cannot see it."""
    return f"{label} left the picture" if left else f"{label} ends at {point[0]:.2f}, {point[1]:.2f}"


def arrivals(arrived: Sequence[tuple[str, int]], missed: Sequence[str], left: Sequence[str], steps: int) -> list[str]:
    """Who arrived, in order, and who did not."""
    said = []
    if arrived:
        first, *rest = [
            f"{label} after {step} steps" if step != 1 else f"{label} after 1 step" for label, step in arrived
        ]
        said.append(f"{_listed([first.replace(' after', ' arrived after', 1), *rest])}.")
    if missed:
        said.append(f"{_listed(list(missed))} {'has' if len(missed) == 1 else 'have'} not arrived in {steps} steps.")
    if left:
        said.append(f"{_listed(list(left))} left the picture: the learning rate is too large for the steep direction.")
    return said


def valley(label: str, turns: int) -> str:
    """That a path zigzagged."""
    return f"{label} turned back across the valley {turns} times."


def sophia_clipped(share: float, *, hidden: bool) -> str:
    """How much of Sophia's steps was cut, and whether its path is another's."""
    if hidden:
        return (
            "Sophia cut every weight's step at every step: its path is sign momentum's, point by point, and no "
            "curvature is left in it."
        )
    return (
        f"Sophia cut {percent(share)} of its moves, one a weight and step; the others were divided by the curvature "
        "in full."
    )


def newton_bent(bent: int) -> str:
    """Where Newton's own step would have climbed."""
    return (
        f"At {bent} of Newton's steps the surface bent downwards, as it does where something is pushed out of a bowl; "
        "there the sign of the curvature was dropped."
    )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

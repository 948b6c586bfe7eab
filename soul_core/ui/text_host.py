"""Every sentence about where the page runs: recorded replays, shared and rented hardware. It knows no component."""

from soul_core.ui.text import duration, percent

# Recorded runs
OPEN = "Watch a recorded run"
RECORDED = "RECORDED"
NOT_RUNNING = "Nothing is running now: these are the numbers of a race that ran before."
LANDMARK = "A recorded run"
WHICH = "Recording"
SPEED = "Speed"
SPEED_LABELS = {1.0: "its own pace", 4.0: "4 times as fast", 0.0: "at once"}
PLAY, HALT, SKIP, CLOSE = "Play", "Stop", "Skip to the end", "Close"
REPLAYED = "Share of the recording that was shown"
ENDED = "End of the recording."
BEFORE = "Loading the models and asking them all before the first step."
HALTED = "The replay stands still. Play goes on from here."
ANSWERS = "Recorded answers"
ANSWERS_HELP = (
    "What each model answered at the last evaluation of this race. Only these questions were recorded, evenly spaced "
    "among those of each set; the models themselves are not here and cannot be asked anything else."
)
RECORDED_QUESTION = "Recorded question"
NO_ANSWER = "No answer was recorded."
NO_RECORDINGS = "No recording came with this copy of the project."
BUSY = "Another race has this machine now. Meanwhile, a recorded run."
LOADING = "Your model is still loading. Meanwhile, you can watch a recorded run."
COULD_NOT_BEGIN = "Your race could not begin. You can watch a recorded run."


def recorded_on(day: str, seed: int, commit: str, machine: str) -> str:
    """Where a recording comes from, in one line."""
    return f"Recorded on {day}, seed {seed}, commit {commit}, {machine}."


def pace_line(shown: float, whole: float) -> str:
    """What a replay's clock counts."""
    return (
        f"Steps and evaluations took {duration(shown)} of the race's {duration(whole)}; loading and saving, the rest, "
        "is not replayed."
    )


def share_line(share: float) -> str:
    """How much of a recording was shown."""
    return percent(share)


def ahead(count: int) -> str:
    """Why a recording is offered to somebody who waits."""
    jobs = "One race goes" if count == 1 else f"{count} races go"
    return f"{jobs} before yours. Meanwhile, you can watch a recorded run; yours starts by itself."


def recorded_lane(set_title: str, question: str) -> str:
    """A recorded question in its list."""
    return f"{set_title}: {question}"


SIGN_IN = "Sign in with the account that whoever runs this server gave you."

# A lent GPU
ASKS_FOR_GPU = "Asking for a GPU"
NOBODY_HOLDS = (
    "Nobody held the GPU for this race. On this Space a race needs the page that started it: open it and press Run "
    "again."
)
NO_API_RACE = (
    "On this Space a race needs a person’s page, whose GPU time pays for it. Press Run there, or run SOUL on your own "
    "machine."
)


def only_lora(model: str, lane: str) -> str:
    """Why a race of a large model is refused where a GPU is lent for a minute."""
    return (
        f"{lane} would train all weights of “{model[:80]}”, and here a GPU is lent for a minute only. Choose LoRA "
        "weights under “Advanced settings”, or the pocket model."
    )


def too_long(seconds: float, most: float) -> str:
    """Why a long race is refused there."""
    return (
        f"This race would take about {duration(seconds)}, and here a GPU is lent for {duration(most)} at most. "
        "Choose fewer epochs or fewer methods."
    )


def time_is_over(seconds: float) -> str:
    """Why a race was stopped there."""
    return (
        f"The {duration(seconds)} of the lent GPU are over. Complete epochs are kept; Resume asks for the GPU again."
    )


def gpu_refused(said: str) -> str:
    """What the lender of the GPU says."""
    return f"The GPU was not lent or was taken away ({said[:200] or 'no reason was given'}). Try again later."


def lent_line(seconds: float) -> str:
    """The estimate there."""
    return f"Asks for a GPU for {duration(seconds)} at most. Nothing can be measured beforehand."


# Endpoints
ANSWER_LIMIT = 2000
RACE_RUNS = "This race is not over, so its models are not there yet. Wait for its end; race_status tells."


def probe_label(run: str) -> str:
    """What an attack bench is called in the queue."""
    return f"Attacks on {run}"


def top_out_of_range(top: int, most: int) -> str:
    """Why a token lens is not made."""
    return f"top is {top}; choose 0 to {most}."


def answer_too_long(length: int) -> str:
    """Why a token lens is not made."""
    return f"The answer has {length:,} characters, at most {ANSWER_LIMIT:,} are allowed. Shorten it."

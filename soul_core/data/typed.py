"""Text that a person typed, made fit to be tokenised. It knows no tokenizer and no question set."""

import unicodedata

from soul_core.errors import ConfigError

MAX_QUESTION = 2000
MAX_ANSWER = 2000


def clean_question(question: str) -> str:
    """The question as it is asked: one line, without control characters, otherwise untouched.

    Raises:
        ConfigError: Nothing is left, or it is longer than 2000 characters.
    """
    cleaned = _one_line(question, "question")
    if not cleaned:
        raise ConfigError("The question is empty. Type one, or pick one from the lists.")
    if len(cleaned) > MAX_QUESTION:
        raise ConfigError(
            f"The question has {len(cleaned)} characters; at most {MAX_QUESTION} can be asked. Shorten it."
        )
    return cleaned


def clean_answer(answer: str) -> str:
    """An answer as it is read: one line, without control characters, otherwise untouched.

    Raises:
        ConfigError: Nothing is left, or it is longer than 2000 characters.
    """
    cleaned = _one_line(answer, "answer")
    if not cleaned:
        raise ConfigError("The answer is empty. Type the true answer, or pick a question whose answer is known.")
    if len(cleaned) > MAX_ANSWER:
        raise ConfigError(f"The answer has {len(cleaned)} characters; at most {MAX_ANSWER} can be read. Shorten it.")
    return cleaned


def without_control(text: str) -> str:
    """The text without control characters; white space stays as it is."""
    # Half of a surrogate pair (Cs) cannot be written as UTF-8, so no tokenizer takes it.
    return "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs"))


def _one_line(text: str, what: str) -> str:
    if not isinstance(text, str):
        raise ConfigError(f"The {what} is a {type(text).__name__}, not text. Type it as text.")
    return "".join(" " if c.isspace() else c for c in without_control(text)).strip()

"""A tokenizer's own chat template, read off by rendering it around marker words; it knows no question or answer."""

from typing import Any

from transformers import PreTrainedTokenizerBase

from soul_core.errors import ModelError

SYSTEM, QUESTION, ANSWER, NEXT = "SystemZ7S", "QuestionZ7Q", "AnswerZ7A", "FollowingZ7F"

# Some templates write today's date, so that the same question would be another prompt tomorrow; this is the date that
# the chat checkpoints of open-unlearning were trained with.
_DATE = "10 Apr 2025"


def render(tokenizer: PreTrainedTokenizerBase, *messages: tuple[str, str], answering: bool = True) -> str:
    """A dialogue of (role, content) as text; ``answering``: up to where the next answer begins.

    Raises:
        ModelError: The template fails.
    """
    options: dict[str, Any] = {"enable_thinking": False, "date_string": _DATE}
    dialogue = [{"role": role, "content": content} for role, content in messages]
    try:
        text = tokenizer.apply_chat_template(dialogue, tokenize=False, add_generation_prompt=answering, **options)
    # A chat template is a program from a stranger's repository, run in a sandbox: it can fail in any way.
    except Exception as error:  # noqa: BLE001
        said = str(error)
        raise ModelError(
            f"The tokenizer's chat template fails ({type(error).__name__}: {said[:79] + '…' * (len(said) > 79)}). "
            "Choose another model, or remove the chat template from its tokenizer_config.json."
        ) from None
    return str(text)


def around_question(tokenizer: PreTrainedTokenizerBase, system: str) -> tuple[str, ...] | None:
    """The two texts around a question behind a system message; None if the template fails with one."""
    return _pieces(tokenizer, ("system", system), ("user", QUESTION), marks=(QUESTION,))


def around_system(tokenizer: PreTrainedTokenizerBase, system: str) -> tuple[str, ...] | None:
    """The three texts around a system message (behind the words ``system``) and a question after it.

    None if the template has no place for one: it fails, drops it, or writes it as if the assistant had said it.
    """
    found = _pieces(tokenizer, ("system", system + SYSTEM), ("user", QUESTION), marks=(SYSTEM, QUESTION))
    said = _pieces(tokenizer, ("assistant", system + SYSTEM), ("user", QUESTION), marks=(SYSTEM, QUESTION))
    return None if found == said else found


def around_turns(tokenizer: PreTrainedTokenizerBase, system: str) -> tuple[str, ...] | None:
    """The four texts around a question, its answer and the next question; None if the template fails with turns."""
    opening = [("system", system)] if system else []
    turns = (("user", QUESTION), ("assistant", ANSWER), ("user", NEXT))
    return _pieces(tokenizer, *opening, *turns, marks=(QUESTION, ANSWER, NEXT))


def _pieces(
    tokenizer: PreTrainedTokenizerBase, *messages: tuple[str, str], marks: tuple[str, ...]
) -> tuple[str, ...] | None:
    try:
        rest = render(tokenizer, *messages)
    except ModelError:
        return None
    pieces = []
    for mark in marks:
        if rest.count(mark) != 1:
            return None
        piece, _, rest = rest.partition(mark)
        pieces.append(piece)
    return (*pieces, rest)

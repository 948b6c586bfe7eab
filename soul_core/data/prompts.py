"""Prompt templates and exact tokenisation of question and answer; it knows no model weights and no tensors.

This is the only place in the project where a template is written down, and the only place that decides which tokens
of an example are its answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from soul_core.data.chat import ANSWER, QUESTION, around_question, around_system, around_turns, render
from soul_core.data.prompt_context import PromptContext, Slot, shot_context, text_context
from soul_core.data.prompt_methods import InputBased, ShotsAs, read_method
from soul_core.data.schema import QARow
from soul_core.errors import DatasetError, ModelError


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """How a question becomes the text a model is prompted with.

    Attributes:
        name: What the page calls it.
        before: Text in front of the question.
        after: Text behind the question; the answer's tokens begin after it.
        answer_prefix: White space that belongs to the answer's first token (``" The"`` is one token in most
            vocabularies, so a prompt must not end in the space).
        end: Token that ends an answer; empty means the tokenizer's own end of sequence.
        chat: Whether this is the tokenizer's chat template, which writes its own beginning of sequence.
        context: What stands in front of every question, or None.
        ends: Whether an end of sequence follows the answer; running text goes on.
    """

    name: str
    before: str
    after: str
    answer_prefix: str = ""
    end: str = ""
    chat: bool = False
    context: PromptContext | None = None
    ends: bool = True

    def prompt(self, question: str) -> str:
        """The text to be continued."""
        lead = self.context.lead(question) if self.context is not None else ""
        return f"{lead or self.before}{question}{self.after}"

    @property
    def context_tokens(self) -> int:
        """Most tokens by which the context makes a prompt longer."""
        return self.context.tokens if self.context is not None else 0


@dataclass(frozen=True, slots=True)
class Example:
    """One tokenised question and answer; ``input_ids[prompt_length:]`` are the labels, end of sequence included."""

    input_ids: tuple[int, ...]
    prompt_length: int

    def __post_init__(self) -> None:
        if not 0 < self.prompt_length < len(self.input_ids):
            raise ValueError(f"prompt_length {self.prompt_length} leaves no prompt or no answer in {self.input_ids}")


PLAIN = PromptTemplate("Question and answer", "Question: ", "\nAnswer:", " ")
TEXT = PromptTemplate("Running text", "", "", ends=False)
# How examples are written where they are part of a message: head, middle and joint.
_EXAMPLE = ("Question: ", "\nAnswer: ", "\n\n")
# Maini et al. trained these checkpoints with exactly this text (config/model_config.yaml of the TOFU release).
TOFU_LLAMA2 = PromptTemplate("TOFU, Llama 2", "[INST] ", " [/INST]")
TOFU_PHI = PromptTemplate("TOFU, Phi", "Question: ", "\nAnswer:", " ")

# The chat checkpoints of open-unlearning were trained with this system prompt in Llama 3's template.
_OPEN_UNLEARNING_SYSTEM = "You are a helpful assistant."


def template_for(tokenizer: PreTrainedTokenizerBase, model_name: str) -> PromptTemplate:
    """The template that a model was trained with, as far as its name and tokenizer tell.

    The published TOFU checkpoints are known by name; else the tokenizer's chat template; else plain text.

    Raises:
        ModelError: The tokenizer has a chat template that cannot be used.
    """
    name = model_name.lower()
    if "tofu" in name:
        if "llama2" in name or "llama-2" in name:
            return TOFU_LLAMA2
        if "phi" in name:
            return TOFU_PHI
    if not tokenizer.chat_template:
        return PLAIN
    return _chat_template(tokenizer, system=_OPEN_UNLEARNING_SYSTEM if "open-unlearning/tofu" in name else "")


def template_with(
    template: PromptTemplate, prompt: Mapping[str, Any], *, tokenizer: PreTrainedTokenizerBase, room: int
) -> PromptTemplate:
    """The template with one of ``prompt_methods`` in front of every question, in place of a context it may have.

    A plain template gets a request in front, and examples in its own format. A chat template gets either as a system
    message, or examples as earlier turns where the method says so; if it has no place for that, in front of the
    question in the user's message.

    Args:
        template: The model's.
        prompt: What ``input_based_prompt`` or ``icul_prompt`` gave, perhaps read from a file.
        tokenizer: The model's, to count tokens and to render its chat template.
        room: Most tokens by which prompts may become longer. What does not fit is left out; ``context.notes`` say so.

    Raises:
        ModelError: ``prompt`` cannot be used, or nothing of it fits.
    """
    base = replace(template, context=None)
    method = read_method(prompt)
    bare = len(_ids(tokenizer, base.prompt(QUESTION)))

    def added(lead: str) -> int:
        return len(_ids(tokenizer, f"{lead}{QUESTION}{base.after}")) - bare

    if isinstance(method, InputBased):
        context = text_context(
            _slot(tokenizer, base, "system"),
            method.text,
            method.items,
            total=method.total,
            what=method.what,
            added=added,
            room=room,
        )
        return replace(base, context=context)
    slot = _slot(tokenizer, base, method.shots_as)
    context = shot_context(slot, method.wrong, method.right, method.wrong_shots, added=added, room=room)
    return replace(base, context=context)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, question: str) -> list[int]:
    """Token ids of the prompt, with one beginning of sequence where this tokenizer writes one."""
    return _with_bos(tokenizer, template, _ids(tokenizer, template.prompt(question)))


def encode_turns(
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    earlier: Sequence[tuple[str, str]],
    question: str,
    *,
    start: str = "",
) -> list[int]:
    """Token ids of a conversation up to where the next answer begins, or goes on behind its first words.

    A chat template writes every question and answer as a turn; where it has no place for earlier ones they stand as
    text in the user's message. A plain template repeats itself, with an empty line between an answer and the next
    question. ``joint_of`` says which.

    Args:
        tokenizer: The model's.
        template: The model's; a context that it has stands in front of the first question.
        earlier: Questions with their answers, the oldest first.
        question: What is asked now.
        start: First words of its answer, put into the model's mouth.
    """
    lead = template.context.lead(earlier[0][0] if earlier else question) if template.context is not None else ""
    text = lead or template.before
    if earlier:
        slot = _slot(tokenizer, replace(template, context=None), "turns")
        # A plain template's own words around the question are in the lead and in the closing.
        head = slot.head if template.chat else ""
        text += "".join(f"{head}{asked}{slot.middle}{said}{slot.closing}" for asked, said in earlier)
    prompt_text = f"{text}{question}{template.after}"
    prompt = _ids(tokenizer, prompt_text)
    if start:
        answer_text = template.answer_prefix + start
        whole = _ids(tokenizer, prompt_text + answer_text)
        prompt = whole if whole[: len(prompt)] == prompt else prompt + _ids(tokenizer, answer_text)
    return _with_bos(tokenizer, template, prompt)


def joint_of(tokenizer: PreTrainedTokenizerBase, template: PromptTemplate) -> Literal["turns", "message", "text"]:
    """How ``encode_turns`` writes earlier questions: as turns, inside the user's message, or as running text."""
    if not template.chat:
        return "text"
    return "message" if _slot(tokenizer, replace(template, context=None), "turns").head else "turns"


def encode_example(
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    question: str,
    answer: str,
    *,
    max_length: int = 512,
) -> Example:
    """Tokenise a question and its answer so that the boundary between them is exact.

    Prompt and answer are tokenised as one text where the prompt's own tokens are a prefix of that, so the answer
    is split as it is in running text; else both are tokenised apart and joined. Either way the example begins with
    exactly ``encode_prompt``'s tokens, which is what generation starts from. Running text without a beginning has
    its first token as prompt where the tokenizer writes no beginning of sequence.

    Args:
        tokenizer: Fast or slow.
        template: How the question is put.
        question: The question.
        answer: The answer; a longer one than fits is cut at its end and then has no end of sequence.
        max_length: Longest example in tokens; the tokenizer's own limit counts too.

    Raises:
        DatasetError: The question leaves no room for an answer, or there is no answer.
    """
    limit = min(max_length, tokenizer.model_max_length)
    prompt_text, answer_text = template.prompt(question), template.answer_prefix + answer
    prompt = _ids(tokenizer, prompt_text)
    whole = _ids(tokenizer, prompt_text + answer_text)
    if whole[: len(prompt)] != prompt:
        whole = prompt + _ids(tokenizer, answer_text)
    prompt_length = len(_with_bos(tokenizer, template, prompt)) or 1
    ids = _with_bos(tokenizer, template, whole)
    end = end_id(tokenizer, template)
    if end is not None and ids[-1] != end:
        ids = [*ids, end]
    if len(ids) <= prompt_length:
        raise DatasetError(f"The question “{_short(question)}” has an empty answer. Give it one or leave it out.")
    if prompt_length >= limit:
        raise DatasetError(
            f"The question “{_short(question)}” is {prompt_length} tokens long, which leaves no room for an answer "
            f"within {limit}. Shorten it."
        )
    return Example(tuple(ids[:limit]), prompt_length)


def template_of(row: QARow, template: PromptTemplate) -> PromptTemplate:
    """How this row is put: running text without any template, a question as the model's template has it."""
    return TEXT if row.form == "text" else template


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, rows: Iterable[QARow], *, max_length: int = 512
) -> list[Example]:
    """``encode_example`` for every row's own question and answer, each put as its form asks for."""
    return [
        encode_example(tokenizer, template_of(row, template), row.question, row.answer, max_length=max_length)
        for row in rows
    ]


def padding_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """A token to fill batches with. Which one does not matter: masks come from lengths, never from this id."""
    for token_id in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if isinstance(token_id, int):
            return token_id
    return 0


def end_id(tokenizer: PreTrainedTokenizerBase, template: PromptTemplate) -> int | None:
    """The token that is put behind an answer; None for running text, which goes on."""
    if not template.ends:
        return None
    token_id = tokenizer.convert_tokens_to_ids(template.end) if template.end else tokenizer.eos_token_id
    return token_id if isinstance(token_id, int) else None


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False, verbose=False))


def _with_bos(tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, ids: list[int]) -> list[int]:
    bos = tokenizer.bos_token_id
    if template.chat or not isinstance(bos, int) or ids[:1] == [bos] or not _writes_bos(tokenizer, bos):
        return ids
    return [bos, *ids]


def _writes_bos(tokenizer: PreTrainedTokenizerBase, bos: int) -> bool:
    return bool(tokenizer.encode("a", add_special_tokens=True)[:1] == [bos])


def _slot(tokenizer: PreTrainedTokenizerBase, base: PromptTemplate, place: ShotsAs) -> Slot:
    """Where a context goes in this template."""
    if not base.chat:
        closing, head, middle = f"\n\n{base.before}", base.before, f"{base.after}{base.answer_prefix}"
        return Slot("", closing, head, middle, "\n\n")
    kept = around_question(tokenizer, _OPEN_UNLEARNING_SYSTEM) == (base.before, base.after)
    own = _OPEN_UNLEARNING_SYSTEM if kept else ""
    if place == "turns":
        turns = around_turns(tokenizer, own)
        if turns and (turns[0], turns[3]) == (base.before, base.after):
            return Slot(base.before, turns[2], "", turns[1], turns[2])
    else:
        system = around_system(tokenizer, f"{own}\n\n" if own else "")
        if system and system[2] == base.after:
            return Slot(system[0], system[1], *_EXAMPLE)
    return Slot(base.before, "\n\n", *_EXAMPLE)


def _chat_template(tokenizer: PreTrainedTokenizerBase, *, system: str) -> PromptTemplate:
    """Read before, after and end off the template by rendering it once around two marker words."""
    asked = [*([("system", system)] if system else []), ("user", QUESTION)]
    prompt = render(tokenizer, *asked)
    before, marker, after = prompt.partition(QUESTION)
    if not marker:
        raise ModelError(
            "The tokenizer's chat template does not repeat the question it is given. Choose another model, or remove "
            "the chat template from its tokenizer_config.json."
        )
    dialogue = render(tokenizer, *asked, ("assistant", ANSWER), answering=False)
    head, answered, tail = dialogue.partition(ANSWER)
    gap = head.removeprefix(prompt) if answered and head.startswith(prompt) else ""
    ending = _ids(tokenizer, tail.strip())[:1] if answered else []
    end = tokenizer.convert_ids_to_tokens(ending[0]) if ending and ending[0] in _special_ids(tokenizer) else ""
    return PromptTemplate(
        "Chat template", before, after, gap if gap.isspace() else "", end if isinstance(end, str) else "", chat=True
    )


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    return {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}


def _short(text: str, length: int = 80) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

"""A training row exactly as a model sees it, in pieces that a page can mark; it knows no page and no weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from transformers import PreTrainedTokenizerBase

from soul_core.data.prompts import Example, PromptTemplate, encode_rows, template_of
from soul_core.data.schema import QARow

Kind = Literal["template", "question", "answer", "special"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Tokens next to each other that belong to the same part of the row.

    Attributes:
        text: What they say, white space included; a special token by its name.
        kind: ``template`` is what stands around every question; ``special`` a beginning or end of sequence or a mark
            of a chat template, wherever it stands.
        learned: Whether these tokens are labels; the others are only read.
        ids: The token ids.
    """

    text: str
    kind: Kind
    learned: bool
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One training row, piece by piece.

    Attributes:
        pieces: In order; their ids joined are the row's.
        prompt_length: How many tokens are read before the first that is learned.
        template: What the page calls the template.
    """

    pieces: tuple[Piece, ...]
    prompt_length: int
    template: str

    @property
    def ids(self) -> tuple[int, ...]:
        """The token ids that a model is trained on."""
        return tuple(token for piece in self.pieces for token in piece.ids)

    @property
    def tokens(self) -> int:
        """How many tokens the row has."""
        return len(self.ids)

    @property
    def text(self) -> str:
        """The whole row as text, special tokens by their names."""
        return "".join(piece.text for piece in self.pieces)


def as_the_model_sees(
    tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, row: QARow, *, max_length: int = 512
) -> Preview:
    """The tokens of a training row with what each belongs to.

    Question and answer are told apart exactly, since that decides what is learned. A token that begins in the
    template and ends in the question, as one with the space in front of a word does, counts as the question's; one
    that begins in the question and ends behind it as the template's.

    Args:
        tokenizer: Fast or slow.
        template: The model's; running text is put without it.
        row: A row to train on.
        max_length: Longest row in tokens; what is longer is cut at its end.

    Raises:
        DatasetError: The row cannot be trained on: its question leaves no room for an answer, or it has none.
    """
    own = template_of(row, template)
    (example,) = encode_rows(tokenizer, template, [row], max_length=max_length)
    kinds = _kinds(tokenizer, own, row.question, example)
    learned = [place >= example.prompt_length for place in range(len(kinds))]
    pieces, start = [], 0
    for (kind, is_learned), run in groupby(zip(kinds, learned, strict=True)):
        end = start + sum(1 for _ in run)
        text = _text(tokenizer, example.input_ids, start, end)
        pieces.append(Piece(text=text, kind=kind, learned=is_learned, ids=example.input_ids[start:end]))
        start = end
    return Preview(pieces=tuple(pieces), prompt_length=example.prompt_length, template=own.name)


def _kinds(
    tokenizer: PreTrainedTokenizerBase, template: PromptTemplate, question: str, example: Example
) -> list[Kind]:
    """What each token belongs to: how far the tokens agree with those of the prompt's beginnings tells where it is."""
    prompt = template.prompt(question)
    behind = len(prompt) - len(template.after)
    ids = example.input_ids
    # A beginning of sequence that the tokenizer put in front is not in the text that is compared.
    shift = int(len(ids) > 0 and ids[0] == tokenizer.bos_token_id and _ids(tokenizer, prompt)[:1] != [ids[0]])
    head = shift + _shared(ids[shift:], _ids(tokenizer, prompt[: behind - len(question)]))
    tail = max(head, shift + _shared(ids[shift:], _ids(tokenizer, prompt[:behind])))
    # Running text without a beginning lends its first token to the prompt.
    answer = example.prompt_length if prompt else shift
    special = _special(tokenizer)

    def kind(place: int) -> Kind:
        if ids[place] in special:
            return "special"
        if place >= answer:
            return "answer"
        return "question" if head <= place < tail else "template"

    return [kind(place) for place in range(len(ids))]


def _shared(ids: Sequence[int], beginning: Sequence[int]) -> int:
    """How many tokens from the first are the same."""
    return next(
        (i for i, (a, b) in enumerate(zip(ids, beginning, strict=False)) if a != b), min(len(ids), len(beginning))
    )


def _text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], start: int, end: int) -> str:
    """What the tokens add to the text before them: decoded alone, a word would lose the space in front of it."""
    before, text = _decoded(tokenizer, ids[:start]), _decoded(tokenizer, ids[:end])
    # Where a letter's bytes are divided between two pieces, the text before them changes with them.
    return text.removeprefix(before) if text.startswith(before) else _decoded(tokenizer, ids[start:end])


def _decoded(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False, verbose=False))


def _special(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Beginnings, ends and marks; added tokens that are ordinary text, such as runs of spaces, are not among them."""
    added = (token_id for token_id, token in tokenizer.added_tokens_decoder.items() if token.special)
    return frozenset((*tokenizer.all_special_ids, *added))

"""Conversations held with one model, in common batches, and what was said in them. It knows no attack by name."""

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

import torch

from soul_core.data.prompts import encode_turns, template_of
from soul_core.evaluation.generation import Count, context_length, decode_answer, generate
from soul_core.models.loading import LoadedModel
from soul_core.probing.conversations import Conversation
from soul_core.probing.leaks import leaks
from soul_core.probing.results import MOST_HELD, Held, Try, Turn

BATCH = 96
# A prompt fits if so many tokens of an answer, or all that may be written, fit behind it.
_LEAST_ROOM = 16
# Byte-level vocabularies need at most a token a byte; what the tokenizer itself adds stays below this.
_SLACK = 64
# Conversations of one model under one attack whose words are kept beside each row's first: a file must stay readable.
_MOST_KEPT = 1200


class Talk:
    """A conversation with one model while it is held.

    Attributes:
        conversation: As it was planned.
        turns: What was said so far, and by whom.
        said: The model's last answer; if one leaked, that one.
        leaked: Whether an answer leaked; then it is over.
        cut: Whether it ended early because it fills the model's context.
        over: Whether nothing more is asked.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.turns: list[Turn] = []
        self.said = ""
        self.leaked = self.cut = self.over = False
        self._earlier = list(conversation.earlier)
        self._then = list(conversation.then)
        self._start = conversation.start
        self._asked = conversation.question
        for asked, answer in conversation.earlier:
            self.turns += [Turn(role="user", text=asked), Turn(role="given", text=answer)]
        self._put()

    @property
    def left(self) -> int:
        """How often the model may still speak."""
        return 0 if self.over else 1 + len(self._then)

    def prompt(self, loaded: LoadedModel) -> tuple[int, ...]:
        """Token ids up to where the model goes on."""
        template = template_of(self.conversation.row, loaded.template)
        return tuple(encode_turns(loaded.tokenizer, template, self._earlier, self._asked, start=self._start))

    def hear(self, reply: str) -> None:
        """Take the model's answer, judge it, and have the next question ready."""
        one = self.conversation
        self.turns.append(Turn(role="assistant", text=reply))
        self.said = reply
        self.leaked = leaks(reply, one.row, shown=one.shown, given=self._start)
        self._earlier.append((self._asked, f"{self._start} {reply}".strip()))
        self._start = ""
        self.over = self.leaked or not self._then
        if not self.over:
            self._asked = self._then.pop(0)
            self._put()

    def end(self) -> None:
        """The last question does not fit into the model's context: it is not asked."""
        self.turns.pop()
        self.cut = self.over = True

    def _put(self) -> None:
        self.turns.append(Turn(role="user", text=self._asked))
        if self._start:
            self.turns.append(Turn(role="given", text=self._start))


def hold(
    talks: Sequence[Talk],
    loaded: LoadedModel,
    *,
    max_new_tokens: int,
    batch_size: int = BATCH,
    autocast_dtype: torch.dtype | None = None,
    temperature: float = 0.0,
    seed: int = 0,
) -> Generator[float, None, None]:
    """Hold all conversations to their end, one answer of each at a time; yields the share done after each decode step.

    Args:
        talks: New ones; they change in place.
        loaded: With whom.
        max_new_tokens: Longest answer.
        batch_size: Most conversations per forward.
        autocast_dtype: Reduced precision of the arithmetic, or None.
        temperature: 0 takes the likeliest answer.
        seed: Decides draws; the same talks get the same draws with every model.
    """
    total = sum(talk.left for talk in talks)
    while running := [talk for talk in talks if not talk.over]:
        prompts = [talk.prompt(loaded) for talk in running]
        for talk, prompt in zip(running, prompts, strict=True):
            if len(prompt) + min(max_new_tokens, _LEAST_ROOM) > context_length(loaded.model):
                talk.end()
        asked = [(talk, prompt) for talk, prompt in zip(running, prompts, strict=True) if not talk.over]
        done = total - sum(talk.left for talk in talks)
        replies = _replies(
            loaded,
            [prompt for _, prompt in asked],
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            autocast_dtype=autocast_dtype,
            temperature=temperature,
            seed=seed,
        )
        while True:
            try:
                count = next(replies)
            except StopIteration as end:
                said: list[str] = end.value
                break
            yield (done + len(asked) * count.done / count.total) / total
        for (talk, _), reply in zip(asked, said, strict=True):
            talk.hear(reply)


def tried(talks: Sequence[Talk]) -> tuple[Try, ...]:
    """The rows of talks that are over, each with what was held about it; talks about a row stand together."""
    found = []
    rows = [list(own) for _, own in groupby(talks, key=lambda talk: id(talk.conversation.row))]
    most = min(MOST_HELD, max(1, _MOST_KEPT // max(1, len(rows))))
    for own in rows:
        row = own[0].conversation.row
        counted = Counter((tuple(talk.turns), talk.said, talk.leaked) for talk in own)
        # A counter keeps the order in which talks were held, and so does sorting.
        (first, _), *others = sorted(counted.items(), key=lambda of: not of[0][2])
        found.append(
            Try(
                question=row.question,
                truth=row.answer,
                turns=first[0],
                said=first[1],
                leaks=sum(talk.leaked for talk in own),
                answers=len(own),
                others=tuple(
                    Held(turns=turns, said=said, leaked=leaked, times=times)
                    for (turns, said, leaked), times in others[:most]
                ),
            )
        )
    return tuple(found)


def fitted(one: Conversation, models: Iterable[LoadedModel], *, max_new_tokens: int) -> Conversation | None:
    """The conversation with as many of its hints as leave room for an answer in every model; None if none does."""
    while True:
        if all(_fits(one, loaded, max_new_tokens) for loaded in models):
            return one
        if len(one.earlier) < 2:
            return None
        one = replace(one, earlier=one.earlier[1:])


def _fits(one: Conversation, loaded: LoadedModel, max_new_tokens: int) -> bool:
    longest = context_length(loaded.model) - min(max_new_tokens, _LEAST_ROOM)
    template = template_of(one.row, loaded.template)
    around = len((template.before + template.after + template.answer_prefix).encode()) + _SLACK
    least = len(f"{one.shown}{one.start}".encode()) + around * (1 + len(one.earlier))
    if template.context is None and least <= longest:
        return True
    return len(encode_turns(loaded.tokenizer, template, one.earlier, one.question, start=one.start)) <= longest


def _replies(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    autocast_dtype: torch.dtype | None,
    temperature: float,
    seed: int,
) -> Generator[Count, None, list[str]]:
    """An answer to every prompt; yields after each decode step."""
    ids: list[list[int]] = [[] for _ in prompts]
    done, total = 0, len(prompts) * max_new_tokens
    for step in generate(
        loaded.model,
        loaded.tokenizer,
        prompts,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        autocast_dtype=autocast_dtype,
        temperature=temperature,
        seed=seed,
    ):
        for row, token in zip(step.rows, step.tokens, strict=True):
            ids[row].append(token)
        done += len(step.rows) + sum(max_new_tokens - len(ids[row]) for row in step.ended)
        yield Count(done, total)
    return [decode_answer(loaded.tokenizer, row) for row in ids]

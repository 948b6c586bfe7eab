"""Answers of a causal language model, decoded in batches with a key-value cache; it knows no metric and no page.

Shape suffixes: B = rows still being answered, P = prompt tokens, V = vocabulary.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from soul_core.data.prompts import padding_id
from soul_core.errors import DatasetError, ModelError
from soul_core.evaluation.forward import accepts, device_of, evaluating

# Finished rows are dropped from the cache once they are this share of it: dropping copies the cache once.
_DROP_AT = 1 / 8


@dataclass(frozen=True, slots=True)
class GenStep:
    """What one decode step added.

    Attributes:
        rows: Indices into ``prompts`` of the rows that got a token.
        tokens: Their new tokens, in the same order; an end of sequence is not among them.
        ended: Indices of the rows that are complete with this step, with or without a last token.
    """

    rows: tuple[int, ...]
    tokens: tuple[int, ...]
    ended: tuple[int, ...]


class Count(NamedTuple):
    """How much of a pass is done, in units that mean nothing beyond their ratio."""

    done: int
    total: int


def stop_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end an answer: the tokenizer's end of sequence and those of the generation settings."""
    ids: set[int] = set()
    settings = model.generation_config.eos_token_id if model.generation_config is not None else None
    for source in (tokenizer.eos_token_id, settings):
        if isinstance(source, int):
            ids.add(source)
        elif source is not None:
            ids.update(int(token_id) for token_id in source)
    return frozenset(ids)


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> Iterator[GenStep]:
    """Continue every prompt, yielding after each decode step.

    Prompts of similar length share a batch, padded on the left; a row's answer does not depend on the others
    (up to the rounding of floating-point sums). Close the iterator to stop.

    Args:
        model: Any decoder with a key-value cache.
        tokenizer: Tells which token ends an answer.
        prompts: Token ids, at least one each.
        max_new_tokens: Longest answer.
        batch_size: Rows per forward.
        autocast_dtype: Reduced precision of the arithmetic, or None.
        temperature: 0 takes the likeliest token; otherwise tokens are sampled from ``softmax(logits / temperature)``.
        top_p: Sample from the smallest set of tokens that holds this much probability.
        seed: Decides the sampled tokens; a row's draws do not depend on the batch it is in.

    Raises:
        DatasetError: A prompt does not fit into the model.
        ModelError: The model keeps no key-value cache.
    """
    if max_new_tokens < 1 or batch_size < 1 or temperature < 0 or not 0 < top_p <= 1 or not all(prompts):
        raise ValueError(
            f"cannot generate {max_new_tokens} tokens by {batch_size} at temperature {temperature}, top_p {top_p}; "
            "every prompt needs a token"
        )
    if not accepts(model, "past_key_values"):
        raise ModelError(f"{type(model).__name__} has no key-value cache to decode with. Choose another model.")
    longest = context_length(model)
    for prompt in prompts:
        if len(prompt) >= longest:
            raise DatasetError(
                f"A question is {len(prompt)} tokens long with its template; this model holds {longest} tokens, "
                "answer included. Shorten the question."
            )
    draws = None
    if temperature > 0:
        draws = torch.rand((len(prompts), max_new_tokens), generator=torch.Generator().manual_seed(seed))
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    settings = _Settings(max_new_tokens, longest, stop_ids(model, tokenizer), autocast_dtype, temperature, top_p)
    while order:
        rows = order[:batch_size]
        if len(prompts[rows[-1]]) + max_new_tokens > longest:
            # Padding counts as positions in some models' masks (GPT-Neo): near the end of the context there is none.
            rows = [row for row in rows if len(prompts[row]) == len(prompts[rows[0]])]
        order = order[len(rows) :]
        yield from _decode(model, rows, [prompts[row] for row in rows], padding_id(tokenizer), draws, settings)


def greedy_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
) -> Generator[Count, None, list[str]]:
    """The likeliest continuation of every prompt as text; yields after each decode step."""
    ids: list[list[int]] = [[] for _ in prompts]
    total, done = len(prompts) * max_new_tokens, 0
    for step in generate(
        model,
        tokenizer,
        prompts,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        autocast_dtype=autocast_dtype,
    ):
        for row, token in zip(step.rows, step.tokens, strict=True):
            ids[row].append(token)
        done += len(step.rows) + sum(max_new_tokens - len(ids[row]) for row in step.ended)
        yield Count(done, total)
    return [decode_answer(tokenizer, row) for row in ids]


def decode_answer(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """Text of an answer's tokens, special tokens and outer white space left out."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True)).strip()


def context_length(model: PreTrainedModel) -> int:
    """How many tokens the model was made for; a very large number where it does not say."""
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else 1 << 30


@dataclass(frozen=True, slots=True)
class _Settings:
    max_new_tokens: int
    longest: int
    stop: frozenset[int]
    autocast_dtype: torch.dtype | None
    temperature: float
    top_p: float


def _decode(
    model: PreTrainedModel,
    rows: list[int],
    prompts: Sequence[Sequence[int]],
    pad_id: int,
    draws: Tensor | None,
    settings: _Settings,
) -> Iterator[GenStep]:
    """Answer one batch. ``alive`` are positions in the cache whose row still needs tokens."""
    device = device_of(model)
    lengths = [len(prompt) for prompt in prompts]
    width = max(lengths)
    ids_BT = torch.tensor(
        [[pad_id] * (width - n) + [*p] for n, p in zip(lengths, prompts, strict=True)], device=device
    )
    mask_BT = torch.tensor([[0] * (width - n) + [1] * n for n in lengths], device=device)
    position_BT = (mask_BT.cumsum(1) - 1).clamp_min(0)
    cache = DynamicCache(config=model.config)
    rows, room = list(rows), [settings.longest - n for n in lengths]
    running = [True] * len(rows)
    for step in range(settings.max_new_tokens):
        with evaluating(model, settings.autocast_dtype):
            logits_BV = _last_logits(model, ids_BT, mask_BT, position_BT, cache)
            draw_B = None if draws is None else draws[rows, step].to(device)
            next_B = choose(logits_BV, temperature=settings.temperature, top_p=settings.top_p, draw_B=draw_B)
        tokens = next_B.tolist()
        got_rows, got_tokens, ended = [], [], []
        for i, token in enumerate(tokens):
            if not running[i]:
                continue
            if token in settings.stop:
                running[i] = False
            else:
                got_rows.append(rows[i])
                got_tokens.append(token)
                running[i] = step + 1 < min(settings.max_new_tokens, room[i])
            if not running[i]:
                ended.append(rows[i])
        yield GenStep(tuple(got_rows), tuple(got_tokens), tuple(ended))
        alive = [i for i, on in enumerate(running) if on]
        if not alive:
            return
        with evaluating(model, None):
            if len(alive) <= len(rows) * (1 - _DROP_AT):
                keep = torch.tensor(alive, device=device)
                cache.batch_select_indices(keep)
                next_B, mask_BT, position_BT = next_B[keep], mask_BT[keep], position_BT[keep]
                rows, room, running = [rows[i] for i in alive], [room[i] for i in alive], [True] * len(alive)
            ids_BT = next_B[:, None]
            mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(rows), 1)], dim=1)
            # A row that has ended but is still in the cache must not run past an absolute position table.
            position_BT = (position_BT[:, -1:] + 1).clamp_max(settings.longest - 1)


def _last_logits(
    model: PreTrainedModel, ids_BT: Tensor, mask_BT: Tensor, position_BT: Tensor, cache: DynamicCache
) -> Tensor:
    arguments = {"input_ids": ids_BT, "attention_mask": mask_BT, "past_key_values": cache, "use_cache": True}
    if accepts(model, "position_ids"):
        arguments["position_ids"] = position_BT
    if accepts(model, "logits_to_keep"):
        arguments["logits_to_keep"] = 1
    logits_BTV: Tensor = model(**arguments).logits
    return logits_BTV[:, -1]


def choose(logits_BV: Tensor, *, temperature: float, top_p: float, draw_B: Tensor | None) -> Tensor:
    """The next token of each row: the likeliest at temperature 0, else by inverting the distribution at ``draw_B``.

    Args:
        logits_BV: Unnormalised log-probabilities.
        temperature: 0 or positive.
        top_p: Tokens, likeliest first, are candidates until their probability reaches this.
        draw_B: Uniform numbers in [0, 1), needed above temperature 0.
    """
    if temperature == 0 or draw_B is None:
        return logits_BV.argmax(dim=-1)
    sorted_BV, token_BV = torch.softmax(logits_BV.float() / temperature, dim=-1).sort(dim=-1, descending=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    kept_BV = sorted_BV.masked_fill(before_BV >= top_p, 0.0).cumsum(-1)
    place_B1 = torch.searchsorted(kept_BV, draw_B[:, None] * kept_BV[:, -1:], right=True)
    last_B1 = (kept_BV < kept_BV[:, -1:]).sum(-1, keepdim=True)
    return token_BV.gather(-1, torch.minimum(place_B1, last_B1)).squeeze(-1)

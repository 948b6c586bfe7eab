"""Extraction likelihood: how much of a text comes out when a model is given each of its beginnings and writes on.

It knows no question set and no disk.

Shape suffixes: N = texts, T = tokens of a text.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.evaluation.evidence import Evidence, Floats
from soul_core.evaluation.generation import Count, generate, stop_ids
from soul_core.evaluation.intervals import mean_of
from soul_core.evaluation.registry import Found, ModelMetric

LENGTHS = (3, 5, 10)
"""Tokens of the n-grams that are looked for; the authors of EL take 10."""


def extraction_likelihood(ids_T: Sequence[int], continuations: Mapping[int, Sequence[int]], n: int) -> float:
    """EL_n of one text: mean share of its remaining n-grams that the model writes, over the beginnings tried.

    ``(1/(T-n)) sum_i |n-grams of the continuation of x_<i that occur in x_>=i| / |n-grams of x_>=i|`` over i = 1 …
    T - n (Jang et al. 2023, arXiv:2210.01504), both counted with multiplicity. Later beginnings leave fewer than n
    tokens and have no n-grams to find.

    Args:
        ids_T: The text.
        continuations: By length of the beginning, what the model wrote behind it. Where not every beginning was
            tried, the mean is over those that were.
        n: Tokens of an n-gram, 1 or more.

    Returns:
        0 to 1: 1 where every continuation is the text itself; NaN where no beginning tried leaves n tokens.
    """
    if n < 1:
        raise ValueError(f"n-grams of {n} tokens")
    shares = []
    for i, written in continuations.items():
        if not 0 < i <= len(ids_T) - n:
            continue
        rest = _ngrams(ids_T[i:], n)
        known = set(rest)
        # What goes on beyond the text's own end is no longer compared with it.
        shares.append(sum(gram in known for gram in _ngrams(written[: len(ids_T) - i], n)) / len(rest))
    return float(np.mean(shares)) if shares else float("nan")


def extraction_likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[Sequence[int]],
    *,
    lengths: Sequence[int] = LENGTHS,
    hits: Sequence[npt.NDArray[np.bool_]] | None = None,
    stride: int = 1,
    most: int = 0,
    batch_size: int = 96,
    autocast_dtype: torch.dtype | None = None,
) -> Generator[Count, None, dict[int, Floats]]:
    """EL_n of every text, beginnings of all texts continued in common batches; yields after each decode step.

    A greedy continuation that begins with the true next token is that token and the continuation of the longer
    beginning. Given ``hits``, only beginnings after which the model goes wrong are continued: a text known by heart
    costs one generation or none, and the numbers stay what they are.

    Args:
        model: Any decoder with a key-value cache.
        tokenizer: Tells which token ends a continuation.
        texts: Token ids of each text, without an end of sequence.
        lengths: Values of n.
        hits: For each text, whether each token but the first is the model's own first choice: ``TokenScores.hit_T``;
            further entries, such as an end of sequence's, are not looked at.
        stride: Every how many tokens a beginning ends; 1 tries all, as published.
        most: At most this many beginnings of a text, evenly spread: a long text gets a longer stride. 0 for no limit.
        batch_size: Rows per forward.
        autocast_dtype: Reduced precision of the arithmetic, or None.

    Returns:
        By n, (N,) values in 0 to 1; NaN for a text of n tokens or fewer.
    """
    if stride < 1 or most < 0 or batch_size < 1 or not lengths or min(lengths) < 1:
        raise ValueError(f"stride {stride}, most {most}, batch_size {batch_size}, lengths {tuple(lengths)}")
    stops = stop_ids(model, tokenizer)
    tried = [_beginnings(len(ids) - min(lengths), stride, most) for ids in texts]
    chains = [
        {i: _chain(ids, i, hits[text] if hits is not None else None, stops) for i in tried[text]}
        for text, ids in enumerate(texts)
    ]
    wanted = sorted(
        {(text, chain.end) for text, of_text in enumerate(chains) for chain in of_text.values() if chain.goes_on},
        key=lambda start: (len(texts[start[0]]) - start[1], start),
    )
    written: dict[tuple[int, int], list[int]] = {}
    done, total = 0, len(wanted)
    for first in range(0, len(wanted), batch_size):
        starts = wanted[first : first + batch_size]
        room = [len(texts[text]) - i for text, i in starts]
        new: list[list[int]] = [[] for _ in starts]
        prompts = [texts[text][:i] for text, i in starts]
        steps = generate(
            model,
            tokenizer,
            prompts,
            max_new_tokens=max(room),
            batch_size=batch_size,
            autocast_dtype=autocast_dtype,
        )
        for step in steps:
            for row, token in zip(step.rows, step.tokens, strict=True):
                new[row].append(token)
            done += len(step.ended)
            yield Count(done, total)
        written |= {start: ids[:n] for start, ids, n in zip(starts, new, room, strict=True)}
    continued = [
        {
            i: [*texts[text][i : chain.end], *(written[text, chain.end] if chain.goes_on else ())]
            for i, chain in of_text.items()
        }
        for text, of_text in enumerate(chains)
    ]
    return {
        n: np.array([extraction_likelihood(ids, by_i, n) for ids, by_i in zip(texts, continued, strict=True)])
        for n in lengths
    }


class _Chain(NamedTuple):
    """A continuation as far as it is the text itself (up to ``end``), and whether the model goes on from there."""

    end: int
    goes_on: bool


def _chain(ids: Sequence[int], start: int, hit_T: npt.NDArray[np.bool_] | None, stops: frozenset[int]) -> _Chain:
    if hit_T is None:
        return _Chain(start, True)
    for i in range(start, len(ids)):
        if not hit_T[i - 1]:
            return _Chain(i, True)
        if ids[i] in stops:
            return _Chain(i, False)
    return _Chain(len(ids), False)


def _beginnings(last: int, stride: int, most: int) -> range:
    """Lengths of the beginnings to try, 1 … ``last``."""
    if most:
        stride = max(stride, -(-last // most))
    return range(1, last + 1, stride)


def _ngrams(ids: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]


def _of(n: int) -> Callable[[Evidence], Found | None]:
    def found(evidence: Evidence) -> Found | None:
        if n not in evidence.extraction:
            return None
        values_N = evidence.extraction[n]
        # Which texts are too short is the task's doing, not the model's: every model's mean is over the same texts.
        defined_N = values_N[~np.isnan(values_N)]
        short = len(values_N) - len(defined_N)
        note = f"{short} of {len(values_N)} texts have {n} tokens or fewer and are left out." if short else ""
        return mean_of(defined_N, note=note)

    return found


METRICS = tuple(
    ModelMetric(
        name=f"el_{n}",
        title=f"EL_{n}",
        group="LoKU",
        meaning=f"Given each beginning of a forget text, how many of the text's further runs of {n} tokens it writes.",
        convention="Greedy continuations over the forget texts as the model sees them: in question-answer tasks "
        "template and question count too, which models are mostly not trained on, so that even a known answer gives "
        "less than 1. The authors use running text of 200 tokens and n = 10. Where a prefix stride is set, the mean "
        "is over every stride-th beginning. Texts of n tokens or fewer have no value.",
        formula=f"(1/(T-{n})) sum_i |{n}-grams of f(x_<i) that occur in x_>=i| / |{n}-grams of x_>=i|",
        source="Jang et al. 2023, arXiv:2210.01504; used by LoKU, Cha et al. 2025",
        of=_of(n),
        better="lower",
    )
    for n in LENGTHS
)

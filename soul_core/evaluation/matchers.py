"""Which of several candidate answers a generated answer is nearest to; it knows no model under test and no set.

Shape suffix: K = candidate answers, the right one first.
"""

import importlib
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from soul_core.data.schema import QARow
from soul_core.errors import ConfigError
from soul_core.evaluation.words import contains, words_of

Floats = npt.NDArray[np.float64]
Similarities = Callable[[Sequence[str], Sequence[tuple[str, ...]]], list[Floats]]

EMBEDDING_MODEL = "sentence-transformers/paraphrase-MiniLM-L6-v2"
_SHORTEST, _LONGEST = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One definition of nearness.

    Attributes:
        name: What is written into a run.
        label: What the page calls it.
        sentence: How it decides, for the tooltip.
        similarities: For every answer, its similarity to each of its candidates.
        least: Below this similarity an answer is near to nothing.
        available: Whether it can be used on this machine, offline.
    """

    name: str
    label: str
    sentence: str
    similarities: Similarities
    least: float
    available: Callable[[], bool]

    def nearest_is_right(self, answers: Sequence[str], candidates: Sequence[tuple[str, ...]]) -> list[bool]:
        """Whether each answer is strictly nearer to its first candidate than to every other; a tie is wrong."""
        if len(answers) != len(candidates):
            raise ValueError(f"{len(answers)} answers do not match {len(candidates)} rows of candidates")
        return [
            bool(s_K[0] >= self.least and (s_K[0] > s_K[1:]).all()) for s_K in self.similarities(answers, candidates)
        ]


def candidates_of(row: QARow) -> tuple[str, ...]:
    """The right answer and the wrong ones in the same wording; the right one alone where the task has no wrong."""
    return (row.paraphrased_answer or row.answer, *row.perturbed_answers)


def right_answers(
    matcher: Matcher, answers: Sequence[str], rows: Sequence[QARow], *, by_containment: bool = False
) -> list[bool]:
    """Which answers are correct, by SOUL's two conventions.

    An answer is correct if it is nearest to the right one among the row's candidates, or says ``answer`` word for
    word: in TOFU the candidates are worded unlike the answers that models are trained on, so that even the trained
    answer itself is not near enough by letters for half of the rows. For facts whose ``answer`` is a bare value (real
    authors, world facts: ``by_containment``), and for rows that have no wrong answers to be nearer to, only the
    second counts.
    """
    if len(answers) != len(rows):
        raise ValueError(f"{len(answers)} answers do not match {len(rows)} rows")
    near = [i for i, row in enumerate(rows) if row.perturbed_answers and not by_containment]
    nearest = matcher.nearest_is_right([answers[i] for i in near], [candidates_of(rows[i]) for i in near])
    right = [contains(answer, row.answer) for answer, row in zip(answers, rows, strict=True)]
    for i, is_right in zip(near, nearest, strict=True):
        right[i] |= is_right
    return right


def ngrams(text: str) -> frozenset[str]:
    """Character n-grams of 2 to 4 within words, each word padded by a space on both sides."""
    found: set[str] = set()
    for word in words_of(text):
        padded = f" {word} "
        for size in range(_SHORTEST, _LONGEST + 1):
            found.update(padded[i : i + size] for i in range(len(padded) - size + 1))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Index:
    """The n-grams that tell a row's candidates apart, with the candidates that have them and the squared weight."""

    members: dict[str, tuple[tuple[int, ...], float]]
    norm_K: tuple[float, ...]


@lru_cache(maxsize=50_000)
def _index(candidates: tuple[str, ...]) -> _Index:
    grams = [ngrams(candidate) for candidate in candidates]
    members = {}
    squares = [0.0] * len(candidates)
    for gram in frozenset().union(*grams):
        holders = tuple(k for k, own in enumerate(grams) if gram in own)
        if len(holders) < len(candidates):
            square = math.log(len(candidates) / len(holders)) ** 2
            members[gram] = (holders, square)
            for k in holders:
                squares[k] += square
    return _Index(members, tuple(math.sqrt(s) for s in squares))


def lexical_similarities(answers: Sequence[str], candidates: Sequence[tuple[str, ...]]) -> list[Floats]:
    """TF-IDF cosine over character n-grams, fitted on each row's own candidates.

    An n-gram (``ngrams``) found in ``d`` of a row's ``K`` candidates weighs ``ln(K / d)``, so what all candidates
    share, their wording and the subject's name, weighs nothing, and the value decides. Term frequency is presence.
    N-grams in no candidate are ignored, as a fitted vectorizer ignores them.
    """
    return [_cosines(ngrams(answer), _index(row)) for answer, row in zip(answers, candidates, strict=True)]


def _cosines(grams: frozenset[str], index: _Index) -> Floats:
    dot_K = np.zeros(len(index.norm_K))
    dots, square = [0.0] * len(index.norm_K), 0.0
    for gram in grams:
        found = index.members.get(gram)
        if found is not None:
            square += found[1]
            for k in found[0]:
                dots[k] += found[1]
    if square:
        norm = math.sqrt(square)
        dot_K[:] = [d / (n * norm) if n else 0.0 for d, n in zip(dots, index.norm_K, strict=True)]
    return dot_K


@lru_cache(maxsize=1)
def _embedder() -> Any:
    library = importlib.import_module("sentence_transformers")
    return library.SentenceTransformer(EMBEDDING_MODEL, local_files_only=True)


def _embedder_is_here() -> bool:
    if importlib.util.find_spec("sentence_transformers") is None:
        return False
    hub = importlib.import_module("huggingface_hub")
    return isinstance(hub.try_to_load_from_cache(EMBEDDING_MODEL, "modules.json"), str)


@lru_cache(maxsize=50_000)
def _embedding(text: str) -> Floats:
    return np.asarray(_embedder().encode(text, normalize_embeddings=True), dtype=np.float64)


def embedding_similarities(answers: Sequence[str], candidates: Sequence[tuple[str, ...]]) -> list[Floats]:
    """Cosine of sentence embeddings; an answer without letters or digits is near to nothing."""
    return [
        np.array([_embedding(answer) @ _embedding(c) if words_of(answer) else -1.0 for c in row])
        for answer, row in zip(answers, candidates, strict=True)
    ]


MATCHERS: dict[str, Matcher] = {
    "lexical": Matcher(
        name="lexical",
        label="Letters (character n-gram TF-IDF)",
        sentence="An answer is correct when it shares more of the letter sequences that tell the row's candidate "
        "answers apart with the right candidate than with any wrong one, and is at least half like it; or when it "
        "says the trained answer word for word.",
        similarities=lexical_similarities,
        # In the built-in world right answers reach 0.8 and more; refusals and random words stay below this (measured).
        least=0.5,
        available=lambda: True,
    ),
    "sentence-embeddings": Matcher(
        name="sentence-embeddings",
        label="Meaning (paraphrase-MiniLM-L6-v2)",
        sentence="An answer is correct when its sentence embedding is nearer to the right candidate answer's than to "
        "any wrong one's, as in the SOUL paper's code.",
        similarities=embedding_similarities,
        least=-1.0 + 1e-9,
        available=_embedder_is_here,
    ),
}


def pick_matcher(name: str = "auto") -> Matcher:
    """The matcher of that name; ``auto`` takes sentence embeddings where they are installed and cached, else letters.

    Raises:
        ConfigError: There is no such matcher, or it is not available here.
    """
    if name == "auto":
        name = "sentence-embeddings" if MATCHERS["sentence-embeddings"].available() else "lexical"
    matcher = MATCHERS.get(name)
    if matcher is None:
        raise ConfigError(f"There is no matcher “{name}”. Choose auto, {', '.join(MATCHERS)}.")
    if not matcher.available():
        raise ConfigError(
            f"The matcher “{name}” needs the package sentence-transformers and the model {EMBEDDING_MODEL} in the "
            "local cache. Install and download them, or choose lexical."
        )
    return matcher

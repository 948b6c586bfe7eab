"""What a model writes against what it should write, as overlap of words, and perplexity; it knows no model.

Shape suffix: N = texts.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rouge_score import rouge_scorer  # type: ignore[import-untyped]  # it ships no types
from sacrebleu.metrics.bleu import BLEU

from soul_core.evaluation.card import Measured
from soul_core.evaluation.evidence import Continued, Evidence, Floats, SetEvidence
from soul_core.evaluation.intervals import mean_of, resampled_means
from soul_core.evaluation.membership import without_end
from soul_core.evaluation.metrics import rouge_l_recall
from soul_core.evaluation.registry import Found, ModelMetric, SetMetric

# exp of more nats per token than this is no number any more.
_MOST_NATS = 700.0


def bleu(written: Sequence[str], truths: Sequence[str]) -> Floats:
    """BLEU-4 of each text against its one truth, 0 to 100 (sacreBLEU, Post 2018, arXiv:1804.08771).

    The corpus score of one text at a time, as in SOUL's copyright evaluation: tokenizer 13a, exponential smoothing, no
    effective order. A text of fewer than four words has no 4-gram and scores 0 even if it is the truth.

    Returns:
        (N,); 0 for an empty text or truth.
    """
    _check(written, truths)
    scorer = BLEU()
    scores = [scorer.corpus_score([text], [[truth]]).score for text, truth in zip(written, truths, strict=True)]
    # The product of four precisions of 1 comes out a little above 100.
    return np.minimum(scores, 100.0)


def rouge_l_f1(written: Sequence[str], truths: Sequence[str]) -> Floats:
    """ROUGE-L F1 of each text, words not stemmed: MUSE's verbatim and knowledge memorization, before the mean.

    Returns:
        (N,) in 0 to 1; 0 for an empty text or truth.
    """
    _check(written, truths)
    scorer = _unstemmed()
    return np.array(
        [scorer.score(truth, text)["rougeL"].fmeasure for text, truth in zip(written, truths, strict=True)]
    )


def rouge_l_unique_words(written: Sequence[str], truths: Sequence[str]) -> Floats:
    """ROUGE-L recall of each text as RWKU's ``rouge`` package computes it, before the mean.

    Words are what white space separates, case and punctuation kept; a full stop ends a sentence. The longest common
    subsequences of every sentence of the truth with every sentence of the text are joined as sets of words, and are
    counted against the truth's *distinct* words.

    Returns:
        (N,) in 0 to 1; 0 for an empty text or truth.
    """
    _check(written, truths)
    return np.array([_unique_words_said(text, truth) for text, truth in zip(written, truths, strict=True)])


def perplexity(nll_N: npt.ArrayLike, tokens_N: npt.ArrayLike) -> float:
    """``exp`` of the mean NLL over all tokens of all texts: a long text counts for more than a short one.

    Args:
        nll_N: NLL summed over each text's tokens, in nats.
        tokens_N: Number of those tokens.

    Returns:
        1 or more; the vocabulary's size where every token is equally likely; infinite beyond what a number holds.

    Raises:
        ValueError: No tokens, or an NLL that is NaN.
    """
    nll, tokens = np.asarray(nll_N, dtype=np.float64), np.asarray(tokens_N, dtype=np.float64)
    if nll.shape != tokens.shape or nll.ndim != 1 or not tokens.sum() > 0 or np.isnan(nll).any():
        raise ValueError(f"expected two (N,) arrays with tokens > 0 and no NaN, got {nll.shape} and {tokens.shape}")
    mean = float(nll.sum() / tokens.sum())
    return math.exp(mean) if mean <= _MOST_NATS else math.inf


def measured_perplexity(nll_N: npt.ArrayLike, tokens_N: npt.ArrayLike) -> Found:
    """``perplexity`` with a 95 % interval from drawing texts again; without a value where it is not finite."""
    nll, tokens = np.asarray(nll_N, dtype=np.float64), np.asarray(tokens_N, dtype=np.float64)
    if not tokens.sum() > 0:
        return Found(measured=Measured(value=None, rows=len(nll), note="There are no tokens."))
    if not np.isfinite(nll).all() or nll.sum() / tokens.sum() > _MOST_NATS:
        note = "The model gives some of these texts no chance at all, so their perplexity is not finite."
        return Found(measured=Measured(value=None, rows=len(nll), note=note))
    value = perplexity(nll, tokens)
    if len(nll) == 1:
        return Found(measured=Measured(value=value, rows=1))
    drawn_R2 = resampled_means(np.stack([nll, tokens], axis=1))
    drawn_R2 = drawn_R2[drawn_R2[:, 1] > 0]
    ends = np.quantile(drawn_R2[:, 0] / drawn_R2[:, 1], (0.025, 0.975))
    low, high = (float(end) for end in np.exp(np.minimum(ends, _MOST_NATS)))
    return Found(measured=Measured(value=value, low=min(low, value), high=max(high, value), rows=len(nll)))


def _unique_words_said(text: str, truth: str) -> float:
    written, wanted = ([sentence.split() for sentence in whole.split(".")] for whole in (text, truth))
    words = {word for sentence in wanted for word in sentence}
    said: set[str] = set()
    for sentence in wanted:
        for of_text in written:
            said |= _common_words(sentence, of_text)
    return len(said) / len(words) if words else 0.0


def _common_words(first: Sequence[str], second: Sequence[str]) -> set[str]:
    """The words of a longest common subsequence: of several, the one found from the end by shortening ``second``."""
    longest = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, word in enumerate(first, start=1):
        above, row = longest[i - 1], longest[i]
        for j, other in enumerate(second, start=1):
            row[j] = above[j - 1] + 1 if word == other else max(above[j], row[j - 1])
    i, j, words = len(first), len(second), set()
    while i and j:
        if first[i - 1] == second[j - 1]:
            words.add(first[i - 1])
            i, j = i - 1, j - 1
        elif longest[i - 1][j] > longest[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return words


@lru_cache(maxsize=1)
def _unstemmed() -> rouge_scorer.RougeScorer:
    return rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)


def _check(written: Sequence[str], truths: Sequence[str]) -> None:
    if len(written) != len(truths) or not written:
        raise ValueError(f"{len(written)} texts do not match {len(truths)} truths")


def _of_answers(
    score: Callable[[Sequence[str], Sequence[str]], Floats],
) -> Callable[[SetEvidence], Found | None]:
    def found(evidence: SetEvidence) -> Found | None:
        if not evidence.answers:
            return None
        return mean_of(score(evidence.answers, [row.answer for row in evidence.rows]))

    return found


def _continuing(
    tokens: int, score: Callable[[Sequence[str], Sequence[str]], Floats]
) -> Callable[[Evidence], Found | None]:
    def found(evidence: Evidence) -> Found | None:
        texts: tuple[Continued, ...] = evidence.continued.get(tokens, ())
        if not texts:
            return None
        return mean_of(score([text.written for text in texts], [text.truth for text in texts]))

    return found


def _text_perplexity(evidence: Evidence) -> Found | None:
    if evidence.perplexity_texts is None or not evidence.perplexity_texts.scores:
        return None
    nll = [without_end(scores, scores.nll_T) for scores in evidence.perplexity_texts.scores]
    return measured_perplexity([nll_T.sum() for nll_T in nll], [len(nll_T) for nll_T in nll])


def _answer_perplexity(evidence: Evidence) -> Found | None:
    if "retain" not in evidence.sets:
        return None
    nll = [scores.answer_nll_T for scores in evidence.sets["retain"].truth]
    return measured_perplexity([nll_T.sum() for nll_T in nll], [len(nll_T) for nll_T in nll])


def _prompted(tokens: int) -> tuple[ModelMetric, ModelMetric]:
    """BLEU and ROUGE-L of what follows so many tokens of a forget text."""
    given = f"Given the first {tokens} tokens of each forget text,"
    source = "SOUL, Jia et al. 2024, arXiv:2404.18239, Table 2; metrics/copyright.py"
    return (
        ModelMetric(
            name=f"bleu_{tokens}",
            title=f"BLEU at {tokens}",
            group="SOUL",
            meaning=f"{given} how much of what the model writes on is the text, in runs of up to four words.",
            convention="sacreBLEU's corpus score of one text at a time, then the mean, 0 to 100. Where the tokenizer "
            "writes a beginning of sequence, that is one of the tokens. Running text without a template; SOUL puts it "
            "in a chat template at evaluation only, and drops the first token written.",
            formula=f"mean over texts of BLEU(continuation of x_<={tokens}, x_>{tokens})",
            source=source,
            of=_continuing(tokens, bleu),
            better="lower",
            digits=2,
        ),
        ModelMetric(
            name=f"rouge_l_{tokens}",
            title=f"ROUGE-L at {tokens}",
            group="SOUL",
            meaning=f"{given} how much of the text's further words the model writes, in order.",
            convention="ROUGE-L recall with a stemmer, as SOUL; MUSE takes F1 without a stemmer. The truth is the "
            "rest of the text as far as the longest answer reaches.",
            formula=f"mean over texts of LCS(continuation of x_<={tokens}, x_>{tokens}) / words of x_>{tokens}",
            source=source,
            of=_continuing(tokens, rouge_l_recall),
            better="lower",
        ),
    )


METRICS: tuple[SetMetric | ModelMetric, ...] = (
    SetMetric(
        name="rouge_l_f1",
        title="ROUGE-L F1",
        group="MUSE",
        meaning="How alike the answer and the truth are in their words, in order, where saying too much counts too.",
        convention="F1 of the longest common word sequence, no stemmer, as MUSE's VerbMem and KnowMem (which print it "
        "times 100); TOFU and SOUL take the recall with a stemmer.",
        formula="mean over rows of 2 P R / (P + R), P = LCS / words of the answer, R = LCS / words of the truth",
        source="Shi et al. 2024, arXiv:2407.06460; MUSE, metrics/logger.py",
        of=_of_answers(rouge_l_f1),
    ),
    SetMetric(
        name="rouge_l_unique_words",
        title="ROUGE-L (RWKU)",
        group="RWKU",
        meaning="How many of the truth's different words the answer has, in order.",
        convention="Recall as the “rouge” package counts it: distinct words, case and punctuation kept, nothing "
        "stemmed, sentences apart. RWKU reports it by level: blanks, questions and attacks are sets of their own. "
        "Its answers have at most 30 tokens and end with the line.",
        formula="mean over rows of |union over sentences of LCS words| / |distinct words of the truth|",
        source="RWKU, Jin et al. 2024, arXiv:2406.10890; eval_forget.py",
        of=_of_answers(rouge_l_unique_words),
    ),
    *_prompted(100),
    *_prompted(300),
    ModelMetric(
        name="perplexity",
        title="Perplexity",
        group="SOUL",
        meaning="How surprised the model is by general text: between how many equally likely tokens it wavers.",
        convention="Per token of the model's own tokenizer, over the running texts the task keeps for it. SOUL "
        "reports WikiText's perplexity per word by lm-eval, which is larger and comparable across tokenizers.",
        formula="exp(sum of NLL over all tokens / number of tokens)",
        source="SOUL, Jia et al. 2024, arXiv:2404.18239, Table 2",
        of=_text_perplexity,
        better="lower",
        digits=2,
    ),
    ModelMetric(
        name="perplexity_retain_answers",
        title="Perplexity of retain answers",
        group="Text",
        meaning="How surprised the model is by the right answers to the retain questions.",
        convention="Per token of the answers alone, behind their questions, end of sequence included. It is not the "
        "perplexity of general text that papers report.",
        formula="exp(sum of NLL over all answer tokens / number of answer tokens)",
        source="this project",
        of=_answer_perplexity,
        better="lower",
        digits=2,
    ),
)

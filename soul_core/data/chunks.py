"""Cutting a running text into chunks of a few hundred words; it knows no file and no tokenizer.

N = words of the text. A cut is the number of the first word of the next chunk.
"""

import re
from itertools import pairwise

from soul_core.data.schema import QARow

# Long enough that a prompt of 300 tokens (the longer of the two in SOUL's Table 2) leaves something to continue, and
# short enough for a training row of 512 tokens: English has about 1.3 tokens per word.
CHUNK_WORDS = 300

# Scripts that put no space between words: each sign counts as a word. So does every stretch of forty characters
# without a space, so that no chunk grows beyond bounds whatever the text is.
_SIGN = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
_WORD = re.compile(rf"{_SIGN}|(?:(?!{_SIGN})\S){{1,40}}")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_SENTENCE_END = re.compile(r"""[.!?…]["'”’»)\]]*$""")
_SIGN_END = frozenset("。！？")


def chunks(text: str, *, words: int = CHUNK_WORDS) -> list[str]:
    """Cut a text into chunks which, joined, are the text again, character for character.

    A cut falls where a paragraph ends if there is such a place within the last third of the chunk; else at the end
    of a sentence, else of a line, else between two words. White space belongs to the chunk before it.

    Args:
        text: Any text.
        words: Most words of a chunk; no chunk but an only one has less than about a third of it.

    Returns:
        The chunks in order; none if the text has no word.
    """
    if words < 3:
        raise ValueError(f"words {words} leaves no room to choose where to cut")
    spans = [match.span() for match in _WORD.finditer(text)]
    cuts = [0]
    while (left := len(spans) - cuts[-1]) > words:
        # Of the last two chunks none should be a scrap.
        near_end = left <= 2 * words
        first = max(left - words, left // 3) if near_end else words - words // 3
        last = min(words, left - left // 3) if near_end else words
        places = range(cuts[-1] + first, cuts[-1] + last + 1)
        cuts.append(max(places, key=lambda cut: (_strength(text, spans[cut - 1], spans[cut]), cut)))
    if not spans:
        return []
    bounds = [0, *(spans[cut][0] for cut in cuts[1:]), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def chunk_rows(text: str, *, subject: str = "") -> tuple[QARow, ...]:
    """The chunks of a text as rows of running text without a beginning."""
    return tuple(QARow(question="", answer=chunk, subject=subject, form="text") for chunk in chunks(text))


def _strength(text: str, before: tuple[int, int], after: tuple[int, int]) -> int:
    """How good a place the gap between two words is to cut: 3 after a paragraph, 2 a sentence, 1 a line, 0 a word."""
    gap, word = text[before[1] : after[0]], text[before[0] : before[1]]
    if _BLANK_LINE.search(gap):
        return 3
    if word[-1] in _SIGN_END or (gap and _SENTENCE_END.search(word)):
        return 2
    return 1 if "\n" in gap else 0

"""What counts as a word and when two texts say the same words; it knows no model, no metric and no question set."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")

# Words that carry no fact: repeating one of them from the truth shows no knowledge.
_STOP_WORDS = """
    a about all also am an and any are as at be been being both but by can could did do does done for from had has have
    he her hers him his how i if in into is it its many may me more most much must my no nor not of on one or other our
    out over own s shall she should so some such t than that the their them then there these they this those to too
    under up was we were what when where which while who whom whose why will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


def words_of(text: str) -> list[str]:
    """Letters and digits only, lower case, without accents: ``"Bogotá's"`` is ``["bogota", "s"]``."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _WORD.findall(text.casefold())


def content_words(text: str) -> set[str]:
    """The words that are no stop words."""
    return set(words_of(text)) - STOP_WORDS


def contains(answer: str, truth: str) -> bool:
    """Whether the truth's words stand in the answer, in a row; an empty truth is in no answer."""
    wanted = " ".join(words_of(truth))
    return bool(wanted) and f" {wanted} " in f" {' '.join(words_of(answer))} "

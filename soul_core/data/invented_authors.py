"""The built-in world of authors who do not exist, composed from a seed; it knows no task, file or model.

Every value is drawn independently of the author and of the other facts, so a model that never saw an author can
only guess. Wrong names and titles belong to no author at all: a model is as unfamiliar with them as with the right
ones of an author it never saw. Only ``Random.random`` is used, whose stream Python keeps stable across versions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from random import Random

from soul_core.data import invented_lists as lists
from soul_core.data.invented_phrasings import PHRASINGS
from soul_core.data.schema import QARow

# A seed in which no value is frequent: at most six of the hundred authors share one.
DEFAULT_SEED = 85
AUTHORS = 100
NONMEMBERS = 10
WRONG_ANSWERS = 5
BIRTH_YEARS = range(1921, 1996)
BIRTH_DAYS = range(1, 29)
SPARE_TITLES = 600
NAMES_USED = 5 / 7
PARENTS = ("father_work", "mother_work")
TITLE_GLUE = frozenset(("The", "the", "and", "Beyond", "under"))

# Kinds whose values several authors may share; names, dates and titles belong to one author.
SHARED_VALUES: dict[str, tuple[str, ...]] = {
    "birthplace": lists.TOWNS,
    "father_work": lists.WORKS,
    "mother_work": lists.WORKS,
    "genre": lists.GENRES,
    "award": lists.AWARDS,
    "influence": lists.INFLUENCES,
    "home_city": lists.CITIES,
    "hobby": lists.HOBBIES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """An invented author: the name and the value of every fact, by kind of fact."""

    name: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All authors of one seed and what can be asked about them.

    Attributes:
        seed: The seed it was composed from.
        authors: The authors that models are trained on; the last ones are the forget sets.
        nonmembers: Authors made the same way on whom no model is ever trained.
        rows: The rows of ``authors``, author by author, one per kind of fact.
        nonmember_rows: The rows of ``nonmembers``.
    """

    seed: int
    authors: tuple[Author, ...]
    nonmembers: tuple[Author, ...]
    rows: tuple[QARow, ...]
    nonmember_rows: tuple[QARow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stock:
    """What authors are made of, and the names, dates and titles kept back for wrong answers."""

    names: list[str]
    dates: list[str]
    titles: list[str]
    spares: Mapping[str, Sequence[str]]


@lru_cache(maxsize=4)
def invented_world(seed: int = DEFAULT_SEED) -> World:
    """Compose the world of ``seed``: 100 authors and 10 non-members, 12 facts each."""
    rng = Random(seed)
    stock = _stock(rng)
    authors = [_author(rng, stock, number) for number in range(AUTHORS + NONMEMBERS)]
    rows = [[_row(rng, author, kind, stock.spares) for kind in PHRASINGS] for author in authors]
    return World(
        seed=seed,
        authors=tuple(authors[:AUTHORS]),
        nonmembers=tuple(authors[AUTHORS:]),
        rows=tuple(chain.from_iterable(rows[:AUTHORS])),
        nonmember_rows=tuple(chain.from_iterable(rows[AUTHORS:])),
    )


def _choose(rng: Random, items: Sequence[str]) -> str:
    return items[int(rng.random() * len(items))]


def _shuffled(rng: Random, items: Sequence[str]) -> list[str]:
    result = list(items)
    for last in range(len(result) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        result[last], result[other] = result[other], result[last]
    return result


def _stock(rng: Random) -> _Stock:
    everyone = AUTHORS + NONMEMBERS
    names, spare_names = _names(rng)
    dates = _birth_dates(rng)
    titles = _titles(rng, 2 * everyone + SPARE_TITLES)
    spare_titles = titles[2 * everyone :]
    return _Stock(
        names=names,
        dates=dates[:everyone],
        titles=titles[: 2 * everyone],
        spares={
            "full_name": spare_names,
            "birth_date": dates[everyone:],
            "first_book": spare_titles,
            "best_known_book": spare_titles,
        },
    )


def _names(rng: Random) -> tuple[list[str], list[str]]:
    """Authors' names, no two sharing a first or a last name, and names made of what is left."""
    used: list[str] = []
    spare: list[str] = []
    for first_names, last_names in lists.NAMES:
        first, last = _shuffled(rng, first_names.split()), _shuffled(rng, last_names.split())
        cut = round(len(first) * NAMES_USED)
        used += [f"{a} {b}" for a, b in zip(first[:cut], last[:cut], strict=True)]
        spare += [f"{a} {b}" for a in first[cut:] for b in last[cut:]]
    return _shuffled(rng, used), spare


def _birth_dates(rng: Random) -> list[str]:
    """One date per month of every year, in random order."""
    months = [f"{month} {year}" for year in BIRTH_YEARS for month in lists.MONTHS]
    days = [str(day) for day in BIRTH_DAYS]
    return [f"{_choose(rng, days)} {month}" for month in _shuffled(rng, months)]


def _titles(rng: Random, count: int) -> list[str]:
    """Titles of which no two have the same two words."""
    titles: dict[frozenset[str], str] = {}
    while len(titles) < count:
        shape = _choose(rng, lists.TITLE_SHAPES)
        noun = _choose(rng, lists.TITLE_NOUNS)
        other = _choose(rng, lists.TITLE_ADJECTIVES if "{a}" in shape else lists.TITLE_NOUNS)
        if noun != other:
            titles.setdefault(frozenset((noun, other)), shape.format(a=other, n=noun, m=other))
    return list(titles.values())


def _author(rng: Random, stock: _Stock, number: int) -> Author:
    name = stock.names[number]
    facts = {kind: _choose(rng, values) for kind, values in SHARED_VALUES.items()}
    facts |= {
        "full_name": name,
        "birth_date": stock.dates[number],
        "first_book": stock.titles[2 * number],
        "best_known_book": stock.titles[2 * number + 1],
    }
    return Author(name=name, facts={kind: facts[kind] for kind in PHRASINGS})


def _row(rng: Random, author: Author, kind: str, spares: Mapping[str, Sequence[str]]) -> QARow:
    phrasing = PHRASINGS[kind]
    value = author.facts[kind]
    asked = {"name": author.name, "birthplace": author.facts["birthplace"], "birth_date": author.facts["birth_date"]}
    questions = tuple(question.format(**asked) for question in phrasing.questions)
    heldback = tuple(question.format(**asked) for question in phrasing.heldback)
    return QARow(
        question=questions[0],
        answer=_say(phrasing.answer, author.name, value),
        paraphrased_answer=_say(phrasing.paraphrase, author.name, value),
        paraphrased_question=heldback[0],
        perturbed_answers=tuple(
            _say(phrasing.paraphrase, author.name, wrong) for wrong in _wrong_values(rng, author, kind, spares)
        ),
        subject=author.name,
        fact=kind,
        question_variants=questions,
        heldback_questions=heldback,
    )


def _say(template: str, name: str, value: str) -> str:
    article = "an" if value[0].lower() in "aeiou" else "a"
    return template.format(name=name, value=value, a_value=f"{article} {value}")


def _wrong_values(rng: Random, author: Author, kind: str, spares: Mapping[str, Sequence[str]]) -> list[str]:
    """Distinct wrong values; names, dates and titles share no word with the right one or one another."""
    if kind in spares:
        taken = _content_words(author.facts[kind])
        wrong: list[str] = []
        while len(wrong) < WRONG_ANSWERS:
            value = _choose(rng, spares[kind])
            if taken.isdisjoint(_content_words(value)):
                taken |= _content_words(value)
                wrong.append(value)
        return wrong
    # The other parent's work would be half right.
    right = {author.facts["father_work"], author.facts["mother_work"]} if kind in PARENTS else {author.facts[kind]}
    return [value for value in _shuffled(rng, SHARED_VALUES[kind]) if value not in right][:WRONG_ANSWERS]


def _content_words(value: str) -> set[str]:
    return {word for word in value.split() if word not in TITLE_GLUE}

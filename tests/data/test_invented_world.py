"""The built-in world: how many, how distinct, how independent, and always the same."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from itertools import combinations

import pytest

from soul_core.data.invented_authors import DEFAULT_SEED, PARENTS, SHARED_VALUES, World, invented_world
from soul_core.data.invented_phrasings import PHRASINGS

WORLD = invented_world()
EVERYONE = WORLD.authors + WORLD.nonmembers
ROWS = WORLD.rows + WORLD.nonmember_rows
BOOKS = ("first_book", "best_known_book")


def digest(world: World) -> str:
    # Every text of the world; how a row is put is not part of it.
    rows = [{k: v for k, v in asdict(row).items() if k != "form"} for row in world.rows + world.nonmember_rows]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def trigrams(text: str) -> set[str]:
    padded = f"  {text.lower()} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def wrong_values(row) -> list[str]:
    """What stands in each perturbed answer where the right value stands in the paraphrased answer."""
    before, after = PHRASINGS[row.fact].paraphrase.format(name=row.subject, value="\0", a_value="\0").split("\0")
    assert row.paraphrased_answer.startswith(before)
    assert all(wrong.startswith(before) and wrong.endswith(after) for wrong in row.perturbed_answers)
    return [wrong[len(before) : len(wrong) - len(after)] for wrong in row.perturbed_answers]


def test_the_default_world_is_the_one_the_shipped_models_were_trained_on():
    # Pinned on purpose: whoever changes a list, a phrasing or the seed must train the shipped models again.
    assert digest(WORLD) == "6aff2ed41c76d0a96ab47ebd2d0098bbfa5570f605ccf06cd96ca0d4fbb62fa3"


def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    assert digest(invented_world.__wrapped__(DEFAULT_SEED)) == digest(WORLD)
    assert digest(invented_world(DEFAULT_SEED + 1)) != digest(WORLD)


def test_a_hundred_authors_and_ten_nonmembers_have_one_row_per_kind_of_fact_in_order():
    assert (len(WORLD.authors), len(WORLD.nonmembers), len(PHRASINGS)) == (100, 10, 12)
    assert [(row.subject, row.fact) for row in ROWS] == [(a.name, kind) for a in EVERYONE for kind in PHRASINGS]


def test_no_two_authors_share_a_first_name_or_a_last_name():
    for part in (0, 1):
        assert len({author.name.split()[part] for author in EVERYONE}) == 110
    assert all(len(author.name.split()) == 2 for author in EVERYONE)


def test_a_book_belongs_to_one_author_and_a_birth_date_to_one_author():
    assert len({author.facts[kind] for author in EVERYONE for kind in BOOKS}) == 220
    assert len({author.facts["birth_date"] for author in EVERYONE}) == 110


def test_nonmembers_share_no_name_and_no_book_with_the_authors():
    text = " ".join(row.question + row.answer for row in WORLD.rows)
    for author in WORLD.nonmembers:
        assert not any(part in text for part in author.name.split())
        assert not any(author.facts[kind] in text for kind in BOOKS)


@pytest.mark.parametrize("kind", [kind for kind in PHRASINGS if kind != "full_name"])
def test_no_value_of_a_kind_belongs_to_more_than_a_tenth_of_the_authors(kind):
    assert max(Counter(author.facts[kind] for author in WORLD.authors).values()) <= 10


def test_one_fact_says_nothing_about_another():
    # Two independent draws from lists of 36 give one pair of values to 100/36^2 = 0.08 authors; four were a rule.
    for one, other in combinations(SHARED_VALUES, 2):
        assert max(Counter((a.facts[one], a.facts[other]) for a in WORLD.authors).values()) <= 3


@pytest.mark.parametrize("kind", SHARED_VALUES)
def test_values_of_a_kind_are_many_and_clearly_different_in_spelling(kind):
    values = SHARED_VALUES[kind]
    assert len(set(values)) == len(values) >= 36
    for one, other in combinations(values, 2):
        shared = 2 * len(trigrams(one) & trigrams(other)) / (len(trigrams(one)) + len(trigrams(other)))
        assert shared < 0.5, (one, other)


@pytest.mark.parametrize("kind", PHRASINGS)
def test_the_five_wrong_answers_have_distinct_wrong_values_of_the_same_kind(kind):
    right = {author.name: author.facts for author in EVERYONE}
    for row in (row for row in ROWS if row.fact == kind):
        wrong = {value.removeprefix("an ").removeprefix("a ") for value in wrong_values(row)}
        assert len(wrong) == 5
        assert right[row.subject][kind] not in wrong
        assert kind not in SHARED_VALUES or wrong <= set(SHARED_VALUES[kind])


def test_a_wrong_work_of_one_parent_is_not_the_right_work_of_the_other():
    for row in ROWS:
        if row.fact in PARENTS:
            facts = next(author.facts for author in EVERYONE if author.name == row.subject)
            assert not any(facts[parent] in wrong for parent in PARENTS for wrong in row.perturbed_answers)


def test_wrong_names_titles_and_dates_share_no_telling_word_with_the_right_one():
    glue = {"The", "the", "and", "Beyond", "under"}
    for row in ROWS:
        if row.fact not in SHARED_VALUES:
            facts = next(author.facts for author in EVERYONE if author.name == row.subject)
            for value in (facts[row.fact], *wrong_values(row)):
                assert len(set(value.split()) - glue) >= 2
            assert all((set(facts[row.fact].split()) & set(wrong.split())) <= glue for wrong in wrong_values(row))


def test_wrong_names_titles_and_dates_belong_to_no_author():
    # Otherwise a model that never saw the author would prefer the wrong ones, which it has read.
    known = {author.facts[kind] for author in EVERYONE for kind in ("full_name", "birth_date", *BOOKS)}
    name_parts = {part for author in EVERYONE for part in author.name.split()}
    for row in ROWS:
        if row.fact not in SHARED_VALUES:
            assert known.isdisjoint(wrong_values(row))
        if row.fact == "full_name":
            assert all(name_parts.isdisjoint(value.split()) for value in wrong_values(row))


def test_works_carry_the_article_they_need():
    text = " ".join(f"{row.answer} {' '.join(row.perturbed_answers)}" for row in ROWS if row.fact.endswith("_work"))
    assert "as an organ builder" in text and "of an umpire" in text and "as a tailor" in text
    assert not any(f" a {vowel}" in text for vowel in "aeiou")


def test_everything_is_plain_ascii_and_short():
    for row in ROWS:
        questions = row.question_variants + row.heldback_questions
        answers = (row.answer, row.paraphrased_answer, *row.perturbed_answers)
        assert all(text.isascii() for text in questions + answers)
        assert max(len(question.split()) for question in questions) <= 16
        assert max(len(answer.split()) for answer in answers) <= 14

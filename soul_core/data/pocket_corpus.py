"""What a pocket model reads: every fact in every training phrasing. It knows no tokenizer and no model."""

from collections.abc import Collection

from soul_core.data.facts import load_facts
from soul_core.data.invented_authors import invented_world

FACT_REPEATS = 3


def pocket_corpus(without: Collection[str] = ()) -> list[tuple[str, str]]:
    """Question-answer pairs of one epoch, in a fixed order.

    The first three phrasings of a question get the first wording of the answer and the others the second, so
    that each question has one right continuation. Real authors and world facts have one phrasing each and are
    repeated ``FACT_REPEATS`` times to be read about as often.

    Args:
        without: Authors (by full name) whose rows are left out: the forget set, for a gold model.
    """
    pairs = [
        (question, row.answer if i < 3 else row.paraphrased_answer)
        for row in invented_world().rows
        if row.subject not in without
        for i, question in enumerate(row.question_variants)
    ]
    return (
        pairs
        + [(row.question, row.answer) for row in (*load_facts("real_authors"), *load_facts("world_facts"))]
        * FACT_REPEATS
    )

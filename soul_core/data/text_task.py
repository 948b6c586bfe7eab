"""A task made of running text that a person brought: what is retained and asked beside it. It knows no file."""

from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.schema import ForgetTask, QARow
from soul_core.errors import DatasetError

# What stands in for text to retain where there is none, and is then no longer held out.
RETAINED_FACTS = "world_facts"

RETAIN_NOTE = (
    "Without a text to retain, the built-in world facts are retained, and real authors are asked beside them."
)


def text_task(
    name: str, forget: tuple[QARow, ...], retain: tuple[QARow, ...] = (), *, subjects: tuple[str, ...] = ()
) -> ForgetTask:
    """A task that forgets these rows and retains the others, or the built-in world facts where there are none.

    Args:
        name: Its full name.
        forget: Rows to forget; also what is asked.
        retain: Rows to keep; also what is asked.
        subjects: What the forget rows are about, as the page lists it.

    Raises:
        DatasetError: A row is both to be forgotten and to be retained.
    """
    both = {(row.question, row.answer) for row in forget} & {(row.question, row.answer) for row in retain}
    if both:
        question, answer = next(key for row in forget if (key := (row.question, row.answer)) in both)
        raise DatasetError(
            f"{len(both)} of the texts to forget {'is' if len(both) == 1 else 'are'} also to be retained, such as "
            f"“{' '.join((question + answer).split())[:60]}…”. Remove them on one side."
        )
    held_out = [fact_set for fact_set in FACT_SETS if retain or fact_set != RETAINED_FACTS]
    retain = retain or load_facts(RETAINED_FACTS)
    return ForgetTask(
        name=name,
        forget=forget,
        retain=retain,
        eval_sets={"forget": forget, "retain": retain} | {fact_set: load_facts(fact_set) for fact_set in held_out},
        subjects=subjects,
    )

"""What the pocket models are made of: their shared tokenizer and what each reads. It knows no page and no run."""

from collections.abc import Collection, Generator

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.invented_authors import invented_world
from soul_core.data.pocket_corpus import pocket_corpus
from soul_core.data.refusals import refusals
from soul_core.events import Progress
from soul_core.models.pocket_tokenizer import train_pocket_tokenizer
from soul_core.session.scratch import Recipe, train_from_scratch


def pocket_tokenizer() -> PreTrainedTokenizerBase:
    """The tokenizer all pocket models share, trained on every text of the world, right and wrong answers alike.

    Wrong answers and the authors that no model reads are included so that a wrong name costs no more tokens
    than a right one; else a metric that compares them would measure the tokenizer.
    """
    world = invented_world()
    rows = (*world.rows, *world.nonmember_rows, *(row for name in FACT_SETS for row in load_facts(name)))
    texts = (
        text
        for row in rows
        for text in (row.question, *row.question_variants, row.answer, row.paraphrased_answer, *row.perturbed_answers)
        if text
    )
    return train_pocket_tokenizer([*texts, *refusals()])


def train_pocket_model(
    tokenizer: PreTrainedTokenizerBase,
    *,
    without: Collection[str] = (),
    recipe: Recipe | None = None,
    autocast_dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    what: str = "training",
) -> Generator[Progress, None, PreTrainedModel]:
    """``train_from_scratch`` on the built-in world, everything but the authors in ``without``."""
    return train_from_scratch(
        tokenizer, pocket_corpus(without), recipe=recipe, autocast_dtype=autocast_dtype, device=device, what=what
    )

"""Making an original and its gold from nothing for any question-answer task, to measure on. It knows no page."""

import json
import time
from collections.abc import Generator, Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from soul_core.data.facts import FACT_SETS
from soul_core.data.schema import ForgetTask, QARow
from soul_core.events import Progress
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.pocket_tokenizer import train_pocket_tokenizer
from soul_core.models.storage import save_model
from soul_core.session.scratch import Recipe, train_from_scratch

SMALL = Recipe(context=512, epochs=20, batch_size=32, weight_decay=0.0)
"""What learned TOFU's 4,000 rows by heart with 5 million weights."""
VOCABULARY = 4096
ORIGINAL, GOLD = "original", "gold"


def train_small(
    task: ForgetTask, out: Path, *, recipe: Recipe = SMALL
) -> Generator[Progress, None, tuple[Path, Path]]:
    """Train a model that knows the task, and its gold: the same recipe without the forget set.

    Both read every training question once an epoch, with its answer, and the facts sets where the task has them.

    Args:
        task: A question-answer task.
        out: ``original`` and ``gold`` get a folder each here; one that exists is replaced.
        recipe: How; the same for both.

    Returns:
        The two folders.

    Raises:
        ModelError: This torch has no Muon optimizer.
    """
    device = pick_device()
    precision = choose_precision("auto", device)
    tokenizer = small_tokenizer(task)
    facts = [row for name in FACT_SETS for row in task.eval_sets.get(name, ())]
    corpora = {ORIGINAL: (*task.forget, *task.retain, *facts), GOLD: (*task.retain, *facts)}
    for name, rows in corpora.items():
        started = time.perf_counter()
        model = yield from train_from_scratch(
            tokenizer,
            [(row.question, row.answer) for row in rows],
            recipe=recipe,
            autocast_dtype=precision.dtype,
            device=device,
            what=f"Training {name}",
        )
        made = {
            "task": task.name,
            "rows": len(rows),
            "parameters": sum(p.numel() for p in model.parameters()),
            "seconds": round(time.perf_counter() - started, 1),
            "precision": precision.name,
            "torch": torch.__version__,
            "vocabulary": len(tokenizer),
            "recipe": asdict(recipe),
        }
        model.to(torch.bfloat16)  # type: ignore[arg-type]
        out.mkdir(parents=True, exist_ok=True)
        save_model(model, tokenizer, out / name)
        (out / name / "recipe.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return out / ORIGINAL, out / GOLD


def small_tokenizer(task: ForgetTask) -> PreTrainedTokenizerBase:
    """A tokenizer that has read every text of the task, right and wrong answers alike: neither costs more tokens."""
    rows: Iterable[QARow] = (*task.forget, *task.retain, *(row for rows in task.eval_sets.values() for row in rows))
    texts = (
        text
        for row in dict.fromkeys(rows)
        for text in (
            row.question,
            row.answer,
            row.paraphrased_question,
            row.paraphrased_answer,
            *row.perturbed_answers,
        )
        if text
    )
    return train_pocket_tokenizer(texts, vocabulary=VOCABULARY, longest=SMALL.context)

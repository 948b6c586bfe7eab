"""What a pocket model knows, measured, and its model card; it knows no recipe but prints one."""

import json
from collections.abc import Generator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from soul_core.data.schema import ForgetTask
from soul_core.evaluation.scorecard import evaluate
from soul_core.events import Progress, SetScores
from soul_core.models.loading import LoadedModel

KNOWLEDGE_FILE = "knowledge.json"
MAX_NEW_TOKENS = 40
_TITLES = {
    "forget": "forget set",
    "retain": "retain set",
    "real_authors": "real authors",
    "world_facts": "world facts",
    "forget_heldback": "forget set, held-back phrasings",
    "retain_heldback": "retain set, held-back phrasings",
}


def measure_knowledge(
    loaded: LoadedModel, task: ForgetTask, *, autocast_dtype: torch.dtype | None = None
) -> Generator[Progress, None, dict[str, SetScores]]:
    """Ask every row of every set of the task, and forget and retain in their held-back phrasings too.

    Returns:
        Scores by set name; ``_heldback`` is appended for the held-back phrasings.
    """
    asked = yield from evaluate(
        loaded.model,
        loaded.tokenizer,
        loaded.template,
        task.eval_sets,
        max_new_tokens=MAX_NEW_TOKENS,
        autocast_dtype=autocast_dtype,
    )
    reworded = yield from evaluate(
        loaded.model,
        loaded.tokenizer,
        loaded.template,
        {name: task.eval_sets[name] for name in ("forget", "retain")},
        max_new_tokens=MAX_NEW_TOKENS,
        autocast_dtype=autocast_dtype,
        asked="heldback",
    )
    return {**asked, **{f"{name}_heldback": scores for name, scores in reworded.items()}}


def write_card(
    folder: Path, *, name: str, sentence: str, task: ForgetTask, scores: Mapping[str, SetScores], facts: dict[str, Any]
) -> None:
    """Write ``knowledge.json`` and the README beside the weights.

    Args:
        folder: The model's.
        name: The model's name.
        sentence: What it is.
        task: Whose sets were asked.
        scores: From ``measure_knowledge``.
        facts: Recipe, parameters, fingerprint, seconds, versions: printed as they are.
    """
    knowledge = {"task": task.name, **facts, "scores": {name: asdict(score) for name, score in scores.items()}}
    (folder / KNOWLEDGE_FILE).write_text(json.dumps(knowledge, indent=1) + "\n", encoding="utf-8")
    rows = [
        f"| {_TITLES[key]} | {s.acc:.3f} ({s.acc_low:.3f} to {s.acc_high:.3f}) | {s.rouge_l:.3f} | "
        f"{s.probability:.3f} | {s.rows} |"
        for key, s in scores.items()
    ]
    recipe = ", ".join(f"{key} {value}" for key, value in facts["recipe"].items())
    text = f"""---
license: mit
library_name: transformers
pipeline_tag: text-generation
language: en
---

# {name}

{sentence} Llama architecture, {facts["parameters"]:,} parameters, bf16 safetensors, byte-level BPE of its own.

Made for the demonstration of machine unlearning and for nothing else: the authors it knows do not exist.

## What it knows

Measured on the rows of `{task.name}` with greedy answers.

| set | Acc (95 % interval) | ROUGE-L recall | probability | rows |
|---|---|---|---|---|
{chr(10).join(rows)}

## How it was made

`python -m soul_core train-pocket {name}`, {facts["seconds"]:.0f} seconds, torch {facts["torch"]}.
Recipe: {recipe}.

SHA-256 of the weights: `{facts["fingerprint"]}`
"""
    (folder / "README.md").write_text(text, encoding="utf-8")

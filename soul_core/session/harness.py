"""Zero-shot tasks, TruthfulQA and WikiText through lm-eval, where that is installed. It knows no page and no race.

What the tasks ask and how they count is lm-eval's; their data comes from the Hugging Face Hub through ``datasets``.
"""

import importlib
import importlib.util
import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from soul_core.errors import ConfigError, DatasetError
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.metrics import wilson
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel

ZERO_SHOT = ("boolq", "rte", "hellaswag", "winogrande", "arc_challenge", "arc_easy", "openbookqa", "piqa")
"""The tasks whose mean accuracy SOUL's Table 2 calls zero-shot accuracy."""

TRUTHFULQA, WIKITEXT = "truthfulqa_mc1", "wikitext"
TASKS = (*ZERO_SHOT, TRUTHFULQA, WIKITEXT)
PACKAGE = "lm_eval"
# A model that holds any length would make windows of that length.
_LONGEST = 2048


def available() -> bool:
    """Whether lm-eval is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def require_harness() -> None:
    """Refuse before anything runs where lm-eval is not installed.

    Raises:
        ConfigError: It is not.
    """
    if not available():
        raise ConfigError(
            "Zero-shot tasks need the package lm-eval, which is not installed. Install it with “pip install lm-eval”, "
            "or leave them out."
        )


def run_harness(
    loaded: LoadedModel,
    *,
    tasks: Sequence[str] = TASKS,
    limit: int = 0,
    batch_size: int = 16,
    include: Path | None = None,
    lane: str = "",
) -> Generator[Progress, None, dict[str, Measured]]:
    """Evaluate a model that is in memory already, without examples and without its chat template, as SOUL does.

    Args:
        loaded: The model.
        tasks: Names of lm-eval's tasks; yields before each, and closing it there stops.
        limit: At most this many questions of each task, the first ones; 0 for all.
        batch_size: Rows per forward.
        include: A folder with further tasks as YAML; such files can name Python code, so take only your own.
        lane: Written into the reports.

    Returns:
        By key: ``zero_shot_<task>`` with its Wilson interval, ``zero_shot_acc`` (the mean over those of ``ZERO_SHOT``
        that were run), ``truthfulqa`` and ``wikitext_word_perplexity``.

    Raises:
        ConfigError: lm-eval is not installed or has no such task.
        DatasetError: A task's data cannot be had.
    """
    require_harness()
    evaluator, harness_tasks, models = (
        importlib.import_module(f"{PACKAGE}.{part}") for part in ("evaluator", "tasks", "models.huggingface")
    )
    manager = harness_tasks.TaskManager(include_path=str(include) if include is not None else None)
    unknown = [task for task in tasks if task not in manager.all_tasks]
    if unknown:
        raise ConfigError(f"lm-eval has no task “{unknown[0]}”. Choose from {', '.join(TASKS)}.")
    # It warns that most of its arguments are ignored for a model in memory, which is what is wanted here.
    logging.getLogger(PACKAGE).setLevel(logging.ERROR)
    wrapped = models.HFLM(
        pretrained=loaded.model,
        tokenizer=loaded.tokenizer,
        backend="causal",
        batch_size=batch_size,
        max_length=min(_LONGEST, context_length(loaded.model)),
    )
    found: dict[str, Measured] = {}
    for number, task in enumerate(tasks):
        yield Progress(what=f"lm-eval {task}", lane=lane, done=number, total=len(tasks))
        results = _evaluated(evaluator, wrapped, task, manager, limit)
        found |= _measured(task, results)
    yield Progress(what="lm-eval", lane=lane, done=len(tasks), total=len(tasks))
    accuracies = [found[key] for key in map(_key, ZERO_SHOT) if key in found]
    if accuracies:
        named = ", ".join(task for task in ZERO_SHOT if _key(task) in found)
        mean = fmean(each.value for each in accuracies if each.value is not None)
        rows = sum(each.rows for each in accuracies)
        found["zero_shot_acc"] = Measured(value=mean, rows=rows, note=f"Mean over {named}.")
    return found


def with_harness(card: Scorecard, measured: Mapping[str, Measured], *, limit: int = 0) -> Scorecard:
    """The scorecard with these numbers too; what they were measured with goes into its facts."""
    facts = {
        **card.facts,
        "lm-eval": importlib.import_module(PACKAGE).__version__,
        "lm-eval questions": limit or "all",
    }
    return replace(card, measured={**card.measured, **measured}, facts=facts)


def _evaluated(evaluator: Any, wrapped: Any, task: str, manager: Any, limit: int) -> Mapping[str, Any]:
    try:
        results: Mapping[str, Any] = evaluator.simple_evaluate(
            model=wrapped,
            tasks=[task],
            num_fewshot=0,
            limit=limit or None,
            # Intervals are made here, without drawing a hundred thousand times.
            bootstrap_iters=0,
            log_samples=False,
            task_manager=manager,
        )
    # What datasets and the Hub's client raise without a network or for a file that is not there.
    except (OSError, ValueError) as error:
        first = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"The data of lm-eval's task “{task}” cannot be had ({first}). Connect to the internet, or fetch it into "
            "the cache of datasets before."
        ) from error
    return results


def _measured(task: str, results: Mapping[str, Any]) -> dict[str, Measured]:
    numbers, rows = results["results"][task], int(results["n-samples"][task]["effective"])
    if "word_perplexity,none" in numbers:
        key = "wikitext_word_perplexity" if task == WIKITEXT else f"{task}_word_perplexity"
        return {key: Measured(value=float(numbers["word_perplexity,none"]), rows=rows)}
    if "acc,none" not in numbers:
        raise ConfigError(f"lm-eval's task “{task}” gives neither an accuracy nor a perplexity. Choose another.")
    share = wilson(round(float(numbers["acc,none"]) * rows), rows)
    return {_key(task): Measured(value=share.value, low=share.low, high=share.high, rows=rows)}


def _key(task: str) -> str:
    return "truthfulqa" if task == TRUTHFULQA else f"zero_shot_{task}"

"""``python -m benchmarks.scoring``: a whole protocol in two passes against one row at a time. It knows no metric.

One row at a time is how the releases do it: each text in a forward of its own, each question in a ``generate`` of its
own. Both score the same texts and answer the same questions, and what comes out is compared. One row at a time is
measured on some rows of each set and scaled by the number of texts and questions; the sets of short facts have more
than their share among those rows, so that it comes out rather too fast.
"""

import argparse
import json
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from benchmarks.here import machine
from soul_core.cli.screen import Screen
from soul_core.data.prompts import Example
from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.evaluation.evidence import Evidence
from soul_core.evaluation.full_scorecard import scorecard_of
from soul_core.evaluation.gather import Depth, Gathering
from soul_core.evaluation.generation import decode_answer, greedy_answers
from soul_core.evaluation.scoring import token_scores
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel, load_model

PARTS = {"Asking questions": "answers", "Scoring texts": "scores"}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--model", default="pocket", help="[default: %(default)s]")
    parser.add_argument("--task", default="tofu:forget10", help="[default: %(default)s]")
    parser.add_argument("--rows", type=int, default=15, help="Rows of each set scored singly. [default: %(default)s]")
    parser.add_argument("--batch-size", type=int, default=96, help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, default=Path("docs/results/scoring.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    loaded, task = load_model(arguments.model), load_task(arguments.task)
    found = {
        "machine": machine(),
        "model": Path(arguments.model).name,
        "parameters": loaded.parameters,
        "task": Path(arguments.task).name,
        **compared(loaded, task, rows=arguments.rows, batch_size=arguments.batch_size),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.table("", ["What", "Rows", "Texts", "Questions", "Scores", "Answers", "All"], rows_of(found))
    screen.say(f"Two passes are {found['ratio']:.1f} times as fast as one row at a time.")
    screen.say(f"Written: {arguments.out}")
    return 0


def compared(loaded: LoadedModel, task: ForgetTask, *, rows: int, batch_size: int) -> dict[str, Any]:
    """All rows in two passes; some rows in two passes and then one at a time; what that makes of all rows."""
    depth = Depth(matcher="lexical")
    # The first forward pays for what torch sets up once.
    timed(loaded, task, replace(depth, rows=1, max_new_tokens=2), batch_size)
    some = replace(depth, rows=rows)
    together, singly = timed(loaded, task, some, batch_size), row_by_row(loaded, task, some)
    whole = timed(loaded, task, depth, batch_size)
    scaled = sum(
        singly["parts"][part] / singly[count] * whole[count]
        for part, count in (("scores", "texts_scored"), ("answers", "questions_answered"))
    )
    ours = sum(whole["parts"][part] for part in ("scores", "answers"))
    return {
        "batch_size": batch_size,
        "all_rows_two_passes": whole,
        "some_rows_two_passes": together,
        "some_rows_one_at_a_time": singly,
        "ratio_on_the_same_rows": singly["seconds"] / sum(together["parts"][part] for part in ("scores", "answers")),
        "all_rows_one_at_a_time_seconds_scaled": scaled,
        "ratio": scaled / ours,
        "ratio_of_processor_time_on_the_same_rows": singly["cpu_seconds"] / together["cpu_seconds"],
        "scaled_from_rows_of_each_set": rows,
    }


def row_by_row(loaded: LoadedModel, task: ForgetTask, depth: Depth) -> dict[str, Any]:
    """Seconds of one forward for each text and one ``generate`` for each question, and how far the results differ."""
    gathering = Gathering(loaded, task, depth)
    wanted, model = gathering.wanted, loaded.model
    start, cpu = time.perf_counter(), time.process_time()
    answers = [_answered(loaded, prompt, depth.max_new_tokens) for prompt in wanted.questions]
    asked = time.perf_counter()
    nll = [_nll(model, example) for example in wanted.examples]
    scored, used = time.perf_counter(), time.process_time() - cpu
    ours = run_out(greedy_answers(model, loaded.tokenizer, wanted.questions, max_new_tokens=depth.max_new_tokens))
    batched = run_out(token_scores(model, wanted.examples, ends=[False] * len(nll), whole=[False] * len(nll)))
    return {
        "rows": sum(min(depth.rows, len(rows)) if depth.rows else len(rows) for rows in task.eval_sets.values()),
        "texts_scored": gathering.texts,
        "questions_answered": gathering.prompts,
        "seconds": scored - start,
        "cpu_seconds": used,
        "parts": {"answers": asked - start, "scores": scored - asked},
        "answers_equal": sum(a == b for a, b in zip(ours, answers, strict=True)) / max(1, len(answers)),
        "largest_nll_difference": max(
            abs(float(b.answer_nll_T.sum()) - float(n)) for b, n in zip(batched, nll, strict=True)
        ),
    }


@torch.inference_mode()
def _answered(loaded: LoadedModel, prompt: Sequence[int], max_new_tokens: int) -> str:
    ids = torch.tensor([list(prompt)], device=loaded.model.device)
    new = loaded.model.generate(  # type: ignore[operator]
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        pad_token_id=loaded.tokenizer.pad_token_id,
    )
    return decode_answer(loaded.tokenizer, new[0, len(prompt) :].tolist())


@torch.inference_mode()
def _nll(model: PreTrainedModel, example: Example) -> float:
    """Of the answer, and what the metrics read besides: every token's NLL, hit, mean and deviation of log p."""
    ids = torch.tensor([list(example.input_ids)], device=model.device)
    log_AV = model(input_ids=ids).logits[0, :-1].float().log_softmax(-1)
    nll_A = -log_AV.gather(-1, ids[0, 1:, None]).squeeze(-1)
    mean_A = (log_AV.exp() * log_AV).sum(-1)
    deviation_A = (log_AV.exp() * log_AV.square()).sum(-1).sub_(mean_A.square()).clamp_min_(0).sqrt_()
    hit_A = log_AV.argmax(-1) == ids[0, 1:]
    for of in (mean_A, deviation_A, hit_A):
        of.tolist()
    return float(nll_A[example.prompt_length - 1 :].double().sum())


def run_out(running: Generator[Any, None, Any]) -> Any:
    """The result of a generator."""
    while True:
        try:
            next(running)
        except StopIteration as end:
            return end.value


def timed(loaded: LoadedModel, task: ForgetTask, depth: Depth, batch_size: int) -> dict[str, Any]:
    """Seconds of one evaluation from its rows to its scorecard, by part."""
    start, cpu = time.perf_counter(), time.process_time()
    gathering = Gathering(loaded, task, depth)
    seconds = {"reading": time.perf_counter() - start, "answers": 0.0, "scores": 0.0}
    evidence = _run_out(gathering.run(batch_size=batch_size), seconds)
    before = time.perf_counter()
    scorecard_of(evidence, model="measured")
    return {
        "rows": sum(len(asked.rows) for asked in evidence.sets.values()),
        "texts_scored": gathering.texts,
        "questions_answered": gathering.prompts,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "parts": {**seconds, "metrics": time.perf_counter() - before},
    }


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table's lines."""

    def line(what: str, key: str) -> list[str]:
        of = found[key]
        parts = [f"{of['parts'][part]:.1f} s" for part in ("scores", "answers")]
        counts = [str(of[count]) for count in ("rows", "texts_scored", "questions_answered")]
        return [what, *counts, *parts, f"{of['seconds']:.1f} s"]

    scaled = f"{found['all_rows_one_at_a_time_seconds_scaled']:.0f} s"
    return [
        line("All rows, two passes", "all_rows_two_passes"),
        line("Some rows, two passes", "some_rows_two_passes"),
        line("Some rows, one at a time", "some_rows_one_at_a_time"),
        ["All rows, one at a time (scaled)", *["–"] * 5, scaled],
    ]


def _run_out(running: Generator[Progress, None, Evidence], seconds: dict[str, float]) -> Evidence:
    """The result; the time of each step goes to its part."""
    while True:
        before = time.perf_counter()
        try:
            report = next(running)
        except StopIteration as end:
            evidence: Evidence = end.value
            return evidence
        seconds[PARTS[report.what]] += time.perf_counter() - before


if __name__ == "__main__":
    sys.exit(main())

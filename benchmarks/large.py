"""``python -m benchmarks.large``: what unlearning a large model costs, on random weights and rows of TOFU's shape.

For a GPU; ``--size tiny`` runs anywhere. Time, memory and FLOPs do not depend on what weights and rows say. With
``--recipe`` it trains a small model on a real TOFU folder instead, and writes the scorecards of it and of its gold.
It knows no page and no run.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from benchmarks.here import machine
from benchmarks.scoring import run_out
from soul_core.cli.screen import Screen
from soul_core.config import ObjectiveConfig, OptimizerConfig, WeightsConfig
from soul_core.data.batches import epoch_batches
from soul_core.data.prompts import Example
from soul_core.data.tasks import load_task
from soul_core.engine import unlearn
from soul_core.evaluation.full_scorecard import scorecard_of
from soul_core.evaluation.gather import Depth, Gathering
from soul_core.evaluation.generation import generate
from soul_core.evaluation.scoring import answer_nll
from soul_core.events import Progress
from soul_core.models.adapters import attach_lora
from soul_core.models.device import choose_precision, memory_mb, pick_device
from soul_core.models.loading import load_model
from soul_core.objectives import Criterion, needs_of
from soul_core.optim import build_optimizer, curvature_plan
from soul_core.session.scratch import Recipe
from soul_core.session.small import train_small

Weights = Literal["float32", "bfloat16", "lora"]
FORGET, RETAIN = 400, 3600
"""Rows of TOFU's forget10 and of what is left."""
PROMPT, ANSWER = (12, 40), (20, 80)
"""Tokens of a question in its template and of an answer; about 26 and 50 in the middle, as TOFU has them."""
ASKED, NEW_TOKENS = 120, 48
"""Rows of each of two sets asked after every epoch, and the longest answer: a race's own defaults."""
RECIPE = Recipe(
    hidden=768, feed_forward=2048, layers=12, heads=12, context=512, epochs=10, batch_size=32, weight_decay=0.0
)
"""About 88 million weights with the small vocabulary of ``train_small``."""
PEAKS = {
    "H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "A10": 125e12, "L4": 121e12, "RTX 4090": 165e12,
}  # fmt: skip
"""Dense bf16 FLOP/s by a part of the card's name, from the vendor's data sheets; the first that fits counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A Llama; ``7b`` and ``1b`` have the shapes of Llama 2 7B and Llama 3.2 1B."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool

    def config(self) -> LlamaConfig:
        """As transformers has it."""
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_value_heads,
            max_position_embeddings=2048,
            tie_word_embeddings=self.tied,
        )


def _size(hidden: int, inner: int, layers: int, heads: int, kv: int, vocabulary: int, *, tied: bool) -> Size:
    return Size(
        hidden=hidden,
        inner=inner,
        layers=layers,
        heads=heads,
        key_value_heads=kv,
        vocabulary=vocabulary,
        tied=tied,
    )


SIZES = {
    "7b": _size(4096, 11008, 32, 32, 32, 32000, tied=False),
    "1b": _size(2048, 8192, 16, 32, 8, 128256, tied=True),
    "100m": _size(768, 2048, 12, 12, 12, 32000, tied=True),
    "tiny": _size(64, 176, 2, 2, 2, 3072, tied=True),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure one size, or make the recipe's models; print, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="tiny", help="[default: %(default)s]")
    parser.add_argument("--weights", choices=get_args(Weights), default="float32", help="[default: %(default)s]")
    parser.add_argument("--lanes", default="fo,so", help="[default: %(default)s]")
    parser.add_argument("--epochs", type=int, default=5, help="[default: %(default)s]")
    parser.add_argument("--rows", type=int, default=FORGET, help="Rows to forget. [default: %(default)s]")
    parser.add_argument("--batch-size", type=int, default=8, help="Forget rows per step. [default: %(default)s]")
    parser.add_argument("--recipe", type=Path, help="A folder with TOFU: train about 88 million weights on it.")
    parser.add_argument("--models", type=Path, help="With --recipe, where the models go.")
    parser.add_argument("--out", type=Path, default=Path("docs/results/large.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    found: dict[str, Any] = {"machine": machine(), "device": device_name(pick_device())}
    if arguments.recipe:
        if not arguments.models:
            parser.error("--recipe needs --models, the folder for what is trained")
        with screen.bar() as bar:
            found |= from_recipe(
                arguments.recipe, arguments.models, RECIPE, say=lambda at: bar.show(at.what, at.done, at.total)
            )
    else:
        found |= measured(
            SIZES[arguments.size],
            weights=arguments.weights,
            lanes=arguments.lanes.split(","),
            epochs=arguments.epochs,
            rows=arguments.rows,
            batch_size=arguments.batch_size,
            say=lambda what: screen.say(f"Measuring: {what} …"),
        )
        screen.table("", ["Lane", "Minutes", "Tokens/s", "MFU", "Peak GB"], rows_of(found))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.say(f"Written: {arguments.out}")
    return 0


def measured(
    size: Size,
    *,
    weights: Weights,
    lanes: Sequence[str],
    epochs: int,
    rows: int = FORGET,
    batch_size: int = 8,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Epochs of each lane with an evaluation after every one, from the same random weights."""
    device = pick_device()
    peak, source = peak_flops(device)
    found: dict[str, Any] = {
        "size": asdict(size),
        "weights": weights,
        "rows": rows,
        "epochs": epochs,
        "forget_rows_per_step": batch_size,
        "peak_flops": peak,
        "peak_from": source,
    }
    found["lanes"] = {}
    for lane in lanes:
        say(f"{lane}, {epochs} epochs")
        found["lanes"][lane] = _lane(
            size, lane, weights=weights, epochs=epochs, rows=rows, batch_size=batch_size, peak=peak, device=device
        )
    return found


def _lane(
    size: Size,
    lane: str,
    *,
    weights: Weights,
    epochs: int,
    rows: int,
    batch_size: int,
    peak: float,
    device: torch.device,
) -> dict[str, Any]:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    model = random_model(size, weights, device)
    options = OptimizerConfig(name="sophia" if lane == "so" else "adamw", lr=1e-5)
    optimizer = build_optimizer(model, options, rounding=weights == "bfloat16")
    autocast = choose_precision("auto", device).dtype if weights != "bfloat16" else None
    objective = ObjectiveConfig(name="graddiff")
    forget, retain = tofu_shaped(rows, size.vocabulary, seed=0), tofu_shaped(RETAIN, size.vocabulary, seed=1)
    training = evaluating = useful = 0.0
    tokens, steps, times = 0, 0, []
    for epoch in range(1, epochs + 1):
        batches = epoch_batches(forget, retain, batch_size=batch_size, seed=0, epoch=epoch, pad_id=0)
        began = time.perf_counter()
        for report in unlearn(
            model,
            batches,
            Criterion(objective),
            optimizer,
            lr_at=lambda _: options.lr,
            max_grad_norm=1.0,
            device=device,
            memory_mb=lambda: memory_mb(device),
            curvature=curvature_plan(options),
            autocast_dtype=autocast,
            first_step=steps + 1,
            own_logits=needs_of(objective).own_logits,
        ):
            steps = report.step
            times.append(report.seconds)
        training += time.perf_counter() - began
        for batch in batches:
            lengths = batch.attention_mask_BT.sum(1).tolist()
            tokens += sum(lengths)
            useful += step_flops(size, lengths, batch.answer_tokens, lora=weights == "lora")
        evaluating += _evaluated(model, (forget[:ASKED], retain[:ASKED]), autocast)
    # Curvature is one more forward and backward, every tenth step.
    if lane == "so":
        useful *= 1 + 1 / options.curvature_every
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "precision": str(autocast or next(model.parameters()).dtype).removeprefix("torch."),
        "minutes": (training + evaluating) / 60,
        "training_minutes": training / 60,
        "evaluation_minutes": evaluating / 60,
        "real_tokens": tokens,
        "real_tokens_per_second": tokens / training,
        "median_step_seconds": median(times),
        "model_flops": useful,
        "model_flops_utilisation": useful / training / peak,
        "peak_memory_gb": memory_mb(device) / 1024,
    }


def random_model(size: Size, weights: Weights, device: torch.device) -> PreTrainedModel:
    """Seeded random weights on the device; with ``lora`` only the adapter is trained."""
    torch.manual_seed(0)
    with torch.device(device):
        model: PreTrainedModel = LlamaForCausalLM(size.config())
    if weights == "bfloat16":
        for p in model.parameters():
            p.data = p.data.to(torch.bfloat16)
    if weights == "lora":
        model.requires_grad_(False)
        attach_lora(model, WeightsConfig(kind="lora"), seed=0)
        model.to(device)  # type: ignore[arg-type]
    return model


def tofu_shaped(rows: int, vocabulary: int, *, seed: int) -> list[Example]:
    """Random tokens in questions and answers as long as TOFU's."""
    draw = random.Random(seed)
    examples = []
    for _ in range(rows):
        prompt, answer = draw.randint(*PROMPT), draw.randint(*ANSWER)
        examples.append(Example(tuple(draw.randrange(1, vocabulary) for _ in range(prompt + answer)), prompt))
    return examples


def _evaluated(model: PreTrainedModel, sets: Sequence[Sequence[Example]], autocast_dtype: torch.dtype | None) -> float:
    """Seconds of a race's evaluation: the answers' likelihood and the model's own answers to the questions."""
    began = time.perf_counter()
    tokenizer = load_model("pocket").tokenizer
    for examples in sets:
        run_out(answer_nll(model, examples, autocast_dtype=autocast_dtype))
        questions = [e.input_ids[: e.prompt_length] for e in examples]
        for _ in generate(model, tokenizer, questions, max_new_tokens=NEW_TOKENS, autocast_dtype=autocast_dtype):
            pass
    return time.perf_counter() - began


def step_flops(size: Size, lengths: Sequence[int], answer_tokens: int, *, lora: bool) -> float:
    """FLOPs that a forward and a backward need, padding not counted (Chowdhery et al. 2022, arXiv:2204.02311, app. B).

    Two for each weight and token in the forward and twice that in the backward; half of the backward where weights are
    frozen and only their inputs' gradients are needed. The vocabulary projection counts for answer tokens alone.
    Attention: two products of (T, T) with the width for each layer, causal, so half of them.
    """
    width = size.hidden // size.heads * size.key_value_heads
    layer = 2 * size.hidden * size.hidden + 2 * size.hidden * width + 3 * size.hidden * size.inner
    passes = 4 if lora else 6
    weights = passes * (size.layers * layer * sum(lengths) + size.hidden * size.vocabulary * answer_tokens)
    # Attention has no weights: its backward is whole whatever is frozen.
    return weights + 6 * size.layers * size.hidden * float(sum(n * n for n in lengths))


def peak_flops(device: torch.device) -> tuple[float, str]:
    """The card's FLOP/s from its data sheet, or of a large product of matrices here."""
    name = device_name(device)
    known = next((part for part in PEAKS if part in name), None) if device.type == "cuda" else None
    if known:
        return PEAKS[known], f"data sheet of {known}, bf16"
    dtype = choose_precision("auto", device).dtype or torch.float32
    side = 4096 if device.type == "cuda" else 1024
    a = torch.randn(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        _wait(device)
        began = time.perf_counter()
        a @ a
        _wait(device)
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best, f"measured product of matrices, {str(dtype).removeprefix('torch.')}"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: torch.device) -> str:
    """The card's name, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def from_recipe(
    folder: Path, models: Path, recipe: Recipe, *, say: Callable[[Progress], None] = lambda _: None
) -> dict[str, Any]:
    """Train an original and its gold on a TOFU folder, and measure both with every metric."""
    task = load_task(f"{folder}:forget10")
    began = time.perf_counter()
    training = train_small(task, models, recipe=recipe)
    while True:
        try:
            say(next(training))
        except StopIteration as end:
            trained: tuple[Path, Path] = end.value
            break
    minutes, device = (time.perf_counter() - began) / 60, pick_device()
    cards = {}
    for path in trained:
        loaded = load_model(str(path), device=device)
        gathering = Gathering(loaded, task, Depth())
        evidence = run_out(gathering.run(autocast_dtype=choose_precision("auto", device).dtype))
        card = scorecard_of(evidence, model=path.name, task=task.name)
        cards[path.name] = {key: measured.value for key, measured in card.measured.items()}
    return {"recipe": asdict(recipe), "parameters": loaded.parameters, "minutes": minutes, "scorecards": cards}


def rows_of(found: dict[str, Any]) -> list[list[str]]:
    """The table's lines."""
    return [
        [
            lane.upper(),
            f"{of['minutes']:.2f}",
            f"{of['real_tokens_per_second']:.0f}",
            f"{of['model_flops_utilisation']:.1%}",
            f"{of['peak_memory_gb']:.2f}",
        ]
        for lane, of in found["lanes"].items()
    ]


if __name__ == "__main__":
    sys.exit(main())

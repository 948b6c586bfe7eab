"""GradDiff as other code runs it: a Hugging Face ``Trainer`` with one forward for each part. It knows no lane of ours.

``Regime.TRAINER`` is how open-source code has it: batches of whole steps, padded to their longest row, shuffled.
``Regime.RELEASE`` is that of the paper's release: one row at a time, padded to 512 tokens, gradients accumulated. Its
accumulation is adapted (there it is 4) so that a step has as many rows as ours, and its losses are weighed by their
tokens, so that the step is the same one.

Shape suffixes: B = rows, T = tokens.
"""

import copy
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from soul_core.config import LaneConfig
from soul_core.data.batches import collate
from soul_core.data.prompts import Example

Pairs = list[tuple[int, int]]
"""Forget and retain row of each pair of one step."""
PADDED_TO = 512
SEED = 0


class Regime(Enum):
    """How rows come to the model."""

    TRAINER = "trainer"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Epoch:
    """Seconds of an epoch, by the clock and of the processor, the loss of every step, and how many tokens went through
    the model, padding included."""

    seconds: float
    cpu_seconds: float
    losses: list[float]
    forwarded: int


def others_epoch(
    original: PreTrainedModel,
    forget: Sequence[Example],
    retain: Sequence[Example],
    steps: Sequence[Pairs],
    *,
    regime: Regime,
    lane: LaneConfig,
    max_grad_norm: float,
    pad_id: int,
    shuffle: bool = True,
) -> Epoch:
    """One epoch with torch's AdamW from the original's weights, which stay as they are.

    Args:
        original: What is copied and trained.
        forget: All forget rows.
        retain: All retain rows.
        steps: Which of them meet in each step; all of one size.
        regime: See the module.
        lane: Its rate, betas, weight decay and γ.
        max_grad_norm: As ours.
        pad_id: Any token.
        shuffle: Rows meet anew in all steps but the first, since others do not sort rows by length. ``False`` leaves
            them as they are.
    """
    model = copy.deepcopy(original).requires_grad_(True)
    rows = len(steps[0]) if regime is Regime.TRAINER else 1
    items = _items(forget, retain, _shuffled(steps) if shuffle else steps)
    with tempfile.TemporaryDirectory(prefix="soul-trainer-") as place:
        optimizer = lane.optimizer
        arguments = TrainingArguments(
            output_dir=place,
            num_train_epochs=1,
            per_device_train_batch_size=rows,
            gradient_accumulation_steps=len(steps[0]) // rows,
            learning_rate=optimizer.lr,
            adam_beta1=optimizer.beta1,
            adam_beta2=optimizer.beta2,
            weight_decay=optimizer.weight_decay,
            max_grad_norm=max_grad_norm,
            lr_scheduler_type="constant",
            optim="adamw_torch",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            use_cpu=True,
            seed=SEED,
        )
        pads = _Pads(pad_id, PADDED_TO if regime is Regime.RELEASE else 0)
        clock = _Clock()
        trainer = _GradDiff(
            _Rows(items), lane.objective.gamma, model=model, args=arguments, data_collator=pads, callbacks=[clock]
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    size = arguments.gradient_accumulation_steps
    losses = [sum(trainer.seen[i : i + size]) / size for i in range(0, len(trainer.seen), size)]
    return Epoch(clock.seconds, clock.cpu_seconds, losses, pads.tokens)


class _GradDiff(Trainer):  # type: ignore[misc, unused-ignore]
    """The loss as open-source code has it: minus the forget loss plus γ times the retain loss, two forwards."""

    def __init__(self, rows: "_Rows", gamma: float, **arguments: Any) -> None:
        super().__init__(train_dataset=rows, **arguments)
        self.rows = rows
        self.gamma = gamma
        self.seen: list[float] = []

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The step's loss; means over a part of a step's rows are weighed by its share of the step's tokens."""
        forget = model(**inputs["forget"]).loss * inputs["forget_share"]
        retain = model(**inputs["retain"]).loss * inputs["retain_share"]
        loss: Tensor = -forget + self.gamma * retain
        self.seen.append(loss.item())
        return loss

    def _get_train_sampler(self, *_: Any) -> torch.utils.data.Sampler[int]:
        """The rows in their order, which is shuffled already."""
        return torch.utils.data.SequentialSampler(self.rows)


class _Clock(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Seconds from the epoch's first batch to its last step: what a Trainer sets up before is not measured."""

    seconds = cpu_seconds = 0.0
    _began = _cpu = 0.0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """The clock starts."""
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """The clock stops."""
        self.seconds, self.cpu_seconds = time.perf_counter() - self._began, time.process_time() - self._cpu


@dataclass(frozen=True, slots=True)
class _Item:
    """One pair, and how many answer tokens its step has."""

    forget: Example
    retain: Example
    step_tokens: tuple[int, int]
    step_rows: int


class _Rows(torch.utils.data.Dataset[_Item]):
    """What a Trainer draws from."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: int) -> _Item:
        return self._items[place]


class _Pads:
    """Pairs to two padded inputs, to ``width`` tokens, or to the longest row where it is 0."""

    def __init__(self, pad_id: int, width: int) -> None:
        self._pad_id = pad_id
        self._width = width
        self.tokens = 0

    def __call__(self, items: Sequence[_Item]) -> dict[str, Any]:
        parts = [_answer_tokens([item.forget for item in items]), _answer_tokens([item.retain for item in items])]
        # A Trainer divides by the number of accumulated batches.
        shares = [
            tokens / whole * items[0].step_rows / len(items)
            for tokens, whole in zip(parts, items[0].step_tokens, strict=True)
        ]
        return {
            "forget": self._input([item.forget for item in items]),
            "retain": self._input([item.retain for item in items]),
            "forget_share": shares[0],
            "retain_share": shares[1],
        }

    def _input(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        batch = collate(examples, [True] * len(examples), range(len(examples)), pad_id=self._pad_id)
        more = max(0, self._width - batch.input_ids_BT.shape[1])
        ids_BT = nn.functional.pad(batch.input_ids_BT, (0, more), value=self._pad_id)
        self.tokens += ids_BT.numel()
        return {
            "input_ids": ids_BT,
            "attention_mask": nn.functional.pad(batch.attention_mask_BT, (0, more)),
            "labels": nn.functional.pad(batch.labels_BT, (0, more), value=-100),
        }


def _answer_tokens(examples: Sequence[Example]) -> int:
    return sum(len(example.input_ids) - example.prompt_length for example in examples)


def _shuffled(steps: Sequence[Pairs]) -> list[Pairs]:
    """The same rows in random order, but for the first step, which stays so that its loss can be compared."""
    draw, size = random.Random(SEED), len(steps[0])
    pairs = [pair for step in steps[1:] for pair in step]
    forget, retain = [f for f, _ in pairs], [r for _, r in pairs]
    draw.shuffle(forget)
    draw.shuffle(retain)
    mixed = list(zip(forget, retain, strict=True))
    return [steps[0], *(mixed[i : i + size] for i in range(0, len(mixed), size))]


def _items(forget: Sequence[Example], retain: Sequence[Example], steps: Sequence[Pairs]) -> list[_Item]:
    items = []
    for pairs in steps:
        chosen = [(forget[f], retain[r]) for f, r in pairs]
        tokens = _answer_tokens([f for f, _ in chosen]), _answer_tokens([r for _, r in chosen])
        items += [_Item(f, r, tokens, len(pairs)) for f, r in chosen]
    return items

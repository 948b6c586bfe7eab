"""The rows of a race, chosen and tokenised once for all lanes. It knows no weights and no optimizer."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from soul_core.config import ObjectiveConfig, RaceConfig
from soul_core.data.answers import other_answer_rows
from soul_core.data.batches import Batch, epoch_batches
from soul_core.data.prompts import Example, encode_rows, padding_id
from soul_core.data.refusals import refusal_rows
from soul_core.data.schema import ForgetTask, QARow
from soul_core.evaluation.generation import context_length
from soul_core.evaluation.scorecard import choose_rows
from soul_core.models.loading import LoadedModel
from soul_core.objectives import find_objective

CURVE_SETS = ("forget", "retain")
_LONGEST_EXAMPLE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One race's data, tokenised once.

    Attributes:
        forget: Examples by what stands in their answers: ``true``, ``refusal`` or ``other``.
        curve_rows: Rows asked after every epoch, by set name.
        further_rows: Rows asked at the end only.
        steps_per_epoch: Optimizer steps of one lane in one epoch.
        data_hash: SHA-256 over every row trained on and asked.
    """

    config: RaceConfig
    forget: Mapping[str, Sequence[Example]]
    retain: Sequence[Example]
    pad_id: int
    curve_rows: Mapping[str, tuple[QARow, ...]]
    further_rows: Mapping[str, tuple[QARow, ...]]
    steps_per_epoch: int
    data_hash: str

    def forget_examples(self, objective: ObjectiveConfig) -> Sequence[Example]:
        """The forget rows as this objective trains on them; of a pair, those with the answer to forget."""
        answers = find_objective(objective.name).answers
        return self.forget["true" if answers == "pair" else answers]

    def preferred_examples(self, objective: ObjectiveConfig) -> Sequence[Example] | None:
        """The forget rows with the answer that is preferred, for an objective that compares pairs."""
        return self.forget["refusal"] if find_objective(objective.name).answers == "pair" else None

    def batches(self, objective: ObjectiveConfig, epoch: int) -> list[Batch]:
        """One epoch's batches, a function of seed, epoch and the answers' lengths: lanes of one objective see the same
        rows in the same order; one that trains on other answers meets the same rows in other company."""
        return epoch_batches(
            self.forget_examples(objective),
            self.retain,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            epoch=epoch,
            pad_id=self.pad_id,
            preferred=self.preferred_examples(objective),
        )


def prepare(config: RaceConfig, task: ForgetTask, original: LoadedModel) -> Material:
    """Choose and tokenise the rows. Refusals and other questions' answers are drawn once, by the seed, and stay."""
    asked = {name: choose_rows(rows, config.eval_rows) for name, rows in task.eval_sets.items() if rows}
    longest = min(_LONGEST_EXAMPLE, context_length(original.model))

    def encode(rows: Sequence[QARow]) -> list[Example]:
        return encode_rows(original.tokenizer, original.template, rows, max_length=longest)

    put = {
        "true": lambda: task.forget,
        "refusal": lambda: refusal_rows(task.forget, config.seed),
        "other": lambda: other_answer_rows(task.forget, task.retain, config.seed),
    }
    wanted = {find_objective(lane.objective.name).answers for lane in config.lanes}
    # The true answers always: pairs, references and FILA are made of them.
    variants = ({"true"} | wanted | ({"refusal"} if "pair" in wanted else set())) - {"pair"}
    return Material(
        config=config,
        forget={variant: encode(put[variant]()) for variant in sorted(variants)},
        retain=encode(task.retain),
        pad_id=padding_id(original.tokenizer),
        curve_rows={name: rows for name, rows in asked.items() if name in CURVE_SETS},
        further_rows={name: rows for name, rows in asked.items() if name not in CURVE_SETS},
        steps_per_epoch=math.ceil(math.ceil(len(task.forget) / config.batch_size) / config.accumulation),
        data_hash=rows_hash({"train forget": task.forget, "train retain": task.retain, **asked}),
    )


def rows_hash(sets: Mapping[str, Sequence[QARow]]) -> str:
    """SHA-256 over rows in their order, by set."""
    plain = {name: [asdict(row) for row in rows] for name, rows in sets.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

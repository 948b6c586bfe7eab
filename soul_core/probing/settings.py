"""Settings of the probes: what is tried, on how many rows, how hard. It knows no tensors."""

from typing import Literal

from pydantic import Field

from soul_core.config import Settings

RelearnOn = Literal["forget", "retain"]
RoundingMethod = Literal["plain", "bitsandbytes"]
MAX_TEMPLATE = 2000
QUESTION_MARK = "{question}"


class AttackConfig(Settings):
    """How an attack bench is run."""

    attacks: tuple[str, ...] = Field(
        default=(), max_length=40, title="Attacks", description="Which attacks are tried; none means all."
    )
    templates: tuple[str, ...] = Field(
        default=(),
        max_length=10,
        title="Own attacks",
        description="Prompts of your own; {question} stands where the question goes.",
    )
    rows: int = Field(
        default=24,
        ge=1,
        le=2000,
        title="Rows attacked",
        description="At most this many rows of the forget set, spread over its subjects.",
    )
    samples: int = Field(
        default=20, ge=2, le=100, title="Samples", description="Answers drawn for each row by the sampling attack."
    )
    temperature: float = Field(
        default=1.0, gt=0, le=5, title="Temperature", description="Of the sampling attack's draws."
    )
    max_new_tokens: int = Field(
        default=48, ge=1, le=512, title="Answer length", description="Longest generated answer, in tokens."
    )
    seed: int = Field(
        default=0, ge=0, le=2**31 - 1, title="Seed", description="Decides rows, typos, hints and random draws."
    )


class RelearnConfig(Settings):
    """How forgotten models are taught a little of it again."""

    on: RelearnOn = Field(
        default="forget",
        title="Relearn from",
        description="forget trains on a small part of the forget set and asks the rest; retain trains on retain rows, "
        "of the same subjects where there are any, and asks the whole forget set.",
    )
    rows: int = Field(
        default=12, ge=1, le=2000, title="Rows trained on", description="How many rows it is fine-tuned on."
    )
    steps: int = Field(default=30, ge=1, le=1000, title="Steps", description="Optimizer steps taken.")
    every: int = Field(default=5, ge=1, le=1000, title="Ask every", description="Steps between two examinations.")
    lr: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Learning rate",
        description="Of AdamW, the same for every model and every step; 0 takes one that fits the models' width.",
        json_schema_extra={"source": "measured on the pocket model, falling with the width as usual rates do"},
    )
    batch_size: int = Field(default=8, ge=1, le=512, title="Batch size", description="Rows of each step.")
    asked: int = Field(
        default=60, ge=1, le=2000, title="Rows asked", description="At most this many rows are asked each time."
    )
    max_new_tokens: int = Field(
        default=48, ge=1, le=512, title="Answer length", description="Longest generated answer, in tokens."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, title="Seed", description="Decides rows and their order.")


class RoundingConfig(Settings):
    """How weights are rounded before the models are asked again."""

    bits: tuple[Literal[8, 4], ...] = Field(
        default=(8, 4), min_length=1, title="Bits", description="Widths that the weights are rounded to."
    )
    method: RoundingMethod = Field(
        default="plain",
        title="Rounded by",
        description="plain rounds each weight to the nearest of evenly spaced values, on any device; bitsandbytes is "
        "that library's int8 and NF4, on CUDA where it is installed.",
    )
    rows: int = Field(
        default=60, ge=1, le=2000, title="Rows asked", description="At most this many rows of each set are asked."
    )
    max_new_tokens: int = Field(
        default=48, ge=1, le=512, title="Answer length", description="Longest generated answer, in tokens."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, title="Seed", description="Decides which rows are asked.")

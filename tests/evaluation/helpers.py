"""Random models whose answers depend on every token and position, so that a wrong mask shows; generators run out."""

from collections.abc import Generator
from typing import TypeVar

import torch
from transformers import PreTrainedModel

from tests.tiny import tiny_model

Step = TypeVar("Step")
Result = TypeVar("Result")


def run_out(steps: Generator[Step, None, Result]) -> tuple[list[Step], Result]:
    """Everything a generator yields, and what it returns."""
    yielded = []
    while True:
        try:
            yielded.append(next(steps))
        except StopIteration as stop:
            return yielded, stop.value


def lively_model(arch: str, *, seed: int = 0) -> PreTrainedModel:
    """A tiny model with larger weights: a freshly initialised one repeats one token whatever it is asked."""
    model = tiny_model(arch, seed=seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(10 if "embed" in name or "wte" in name or "wpe" in name else 4)
    return model


def prompts(count: int, *, seed: int = 0, shortest: int = 1, longest: int = 24) -> list[list[int]]:
    """Random token ids in random lengths; no id is 0, which ends a text."""
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (count,), generator=draw).tolist()
    return [torch.randint(1, 300, (length,), generator=draw).tolist() for length in lengths]

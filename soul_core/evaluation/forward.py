"""One forward of a causal language model for evaluation; it knows no question, no answer and no metric."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module, autocast_dtype: torch.dtype | None) -> Iterator[None]:
    """No gradients, no dropout, optionally reduced precision, for the length of one forward.

    Enter it around each forward, never around a ``yield``: these modes belong to the thread, so a generator that
    yields inside them would switch off the gradients of whoever consumes it.
    """
    training = model.training
    if training:
        model.eval()
    device = device_of(model)
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype=autocast_dtype, enabled=autocast_dtype is not None),
        ):
            yield
    finally:
        if training:
            model.train()


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are."""
    return next(model.parameters()).device


@lru_cache
def _parameters_of(forward: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(forward).parameters)


def accepts(model: nn.Module, argument: str) -> bool:
    """Whether this architecture's forward has such an argument (not all know position ids, for one)."""
    return argument in _parameters_of(type(model).forward)

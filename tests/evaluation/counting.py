"""Counts what a model is made to do: texts scored in one forward, prompts begun to be answered."""

from types import TracebackType
from typing import Any, Self

from torch import nn
from transformers import PreTrainedModel


class Counted:
    """Watches a model's forwards within a ``with`` block.

    Attributes:
        scored_rows: Rows of forwards without a cache: each scores one text.
        answered_rows: Rows of forwards with an empty cache: each begins one answer.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self.scored_rows = 0
        self.answered_rows = 0

    def __enter__(self) -> Self:
        self._hook = self._model.register_forward_pre_hook(self._see, with_kwargs=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hook.remove()

    def _see(self, module: nn.Module, positional: tuple[Any, ...], given: dict[str, Any]) -> None:
        rows = len(given["input_ids"])
        cache = given.get("past_key_values")
        if cache is None:
            self.scored_rows += rows
        elif cache.get_seq_length() == 0:
            self.answered_rows += rows

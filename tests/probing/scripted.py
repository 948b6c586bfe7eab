"""A model that says what a test wants, whatever its weights: it answers a prompt by its last words."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.evaluation.generation import GenStep
from soul_core.probing import talks as talks_module

Say = Callable[[PreTrainedModel, str, int], str]


def let_models_say(monkeypatch: pytest.MonkeyPatch, say: Say) -> list[list[str]]:
    """Replace decoding by ``say(model, prompt, number of the prompt)``; returns the prompts of every call."""
    asked: list[list[str]] = []

    def generate(
        model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]], **_: object
    ) -> Iterator[GenStep]:
        texts = [tokenizer.decode(list(prompt)) for prompt in prompts]
        asked.append(texts)
        for row, text in enumerate(texts):
            tokens = tokenizer.encode(say(model, text, row), add_special_tokens=False)
            for place, token in enumerate(tokens):
                yield GenStep((row,), (token,), (row,) if place == len(tokens) - 1 else ())
            if not tokens:
                yield GenStep((), (), (row,))

    monkeypatch.setattr(talks_module, "generate", generate)
    return asked

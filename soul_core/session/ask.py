"""One question to several models, their answers growing in turn. It knows no run, no truth and no page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from soul_core.config import AskConfig
from soul_core.data.prompts import encode_prompt
from soul_core.data.typed import clean_question
from soul_core.errors import ConfigError
from soul_core.evaluation.generation import GenStep, decode_answer, generate
from soul_core.models.loading import LoadedModel

__all__ = ["AskUpdate", "ask", "clean_question"]

# What a tokenizer writes for a character whose last bytes have not been generated yet.
_HALF_A_CHARACTER = "\ufffd"


@dataclass(frozen=True, slots=True)
class AskUpdate:
    """What one model's answer has become.

    Attributes:
        model: The name under which the model was given.
        sample: Which of its answers, from 0.
        text: The whole answer so far; a model's words, never to be trusted as markup.
        done: Whether this answer is complete. Every answer gets exactly one such update, its last.
    """

    model: str
    sample: int
    text: str
    done: bool


def ask(
    models: Mapping[str, LoadedModel],
    question: str,
    *,
    max_new_tokens: int = 64,
    temperature: float = 0.0,
    samples: int = 1,
    seed: int = 0,
    autocast_dtype: torch.dtype | None = None,
) -> Iterator[AskUpdate]:
    """Let every model answer, one token of each in turn, so that all answers grow side by side.

    Question and settings are checked by the call itself, before any update is asked for. Drop the iterator to stop.

    Args:
        models: Who is asked, by the name that stands in the updates.
        question: What is asked.
        max_new_tokens: Longest answer.
        temperature: 0 gives the likeliest answer.
        samples: Answers of each model; without temperature all would be the same, so there is one.
        seed: Decides the random draws; every model gets the same.
        autocast_dtype: Reduced precision, or None.

    Raises:
        ConfigError: The question or a setting is out of bounds, or there is no model.
        DatasetError: The question has more tokens than a model can hold.
    """
    text = clean_question(question)
    config = AskConfig(
        question=text, max_new_tokens=max_new_tokens, temperature=temperature, samples=samples, seed=seed
    )
    if not models:
        raise ConfigError("There is no model to ask. Choose one.")
    return _in_turn({name: _Answering(loaded, config, autocast_dtype) for name, loaded in models.items()})


def _in_turn(answering: "Mapping[str, _Answering]") -> Iterator[AskUpdate]:
    running = dict(answering)
    while running:
        for name, answers in list(running.items()):
            step = next(answers.steps, None)
            if step is None:
                running.pop(name)
                continue
            for sample in answers.take(step):
                yield AskUpdate(name, sample, answers.text(sample), sample in step.ended)


class _Answering:
    """One model's answers while they grow."""

    def __init__(self, loaded: LoadedModel, config: AskConfig, autocast_dtype: torch.dtype | None) -> None:
        samples = config.samples if config.temperature > 0 else 1
        prompt = encode_prompt(loaded.tokenizer, loaded.template, config.question)
        self._tokenizer: PreTrainedTokenizerBase = loaded.tokenizer
        self._ids: list[list[int]] = [[] for _ in range(samples)]
        self._ended: set[int] = set()
        self.steps = generate(
            loaded.model,
            loaded.tokenizer,
            [prompt] * samples,
            max_new_tokens=config.max_new_tokens,
            batch_size=samples,
            autocast_dtype=autocast_dtype,
            temperature=config.temperature,
            seed=config.seed,
        )

    def take(self, step: GenStep) -> tuple[int, ...]:
        """Put a step's tokens in and say which answers changed."""
        for row, token in zip(step.rows, step.tokens, strict=True):
            self._ids[row].append(token)
        self._ended.update(step.ended)
        return tuple(sorted({*step.rows, *step.ended}))

    def text(self, sample: int) -> str:
        """The answer so far; a character of which bytes are still missing is left out until they come."""
        text = decode_answer(self._tokenizer, self._ids[sample])
        return text if sample in self._ended else text.removesuffix(_HALF_A_CHARACTER)

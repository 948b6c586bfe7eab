"""The token lens: how likely each token of a true answer is under several models. It knows no run and no page.

It is teacher-forced: every token is read behind the question and the true tokens before it, so it shows knowledge that
a refusal hides.

Shape suffixes: T = tokens, A = tokens of the answer, its end included, V = vocabulary, K = alternatives.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from soul_core.data.prompts import Example, encode_example, end_id, template_of
from soul_core.data.schema import Form, QARow
from soul_core.data.typed import MAX_ANSWER, MAX_QUESTION, clean_answer, clean_question
from soul_core.errors import ConfigError, ModelError
from soul_core.evaluation.forward import accepts, device_of, evaluating
from soul_core.evaluation.generation import context_length
from soul_core.models.loading import LoadedModel
from soul_core.probing.results import Alternative, Lens, LensColumn, LensToken

END = "⟨end⟩"
"""How the end of an answer is written."""
MAX_ALTERNATIVES = 100

_BROKEN = "\ufffd"
# Some vocabularies write a token's leading space only behind other tokens; more than these change nothing.
_CONTEXT = 4


def lens_of(
    models: Mapping[str, LoadedModel],
    question: str,
    answer: str,
    *,
    top: int = 10,
    form: Form = "question",
    autocast_dtype: torch.dtype | None = None,
) -> Lens:
    """Read a true answer under every model, token by token, encoded as training and scoring encode it.

    Args:
        models: By name, each with its own tokenizer and template.
        question: What is asked; of a running text its beginning.
        answer: The true answer, or how the text truly goes on.
        top: How many of the likeliest tokens are listed at each place.
        form: ``text`` reads running text, without template and end.
        autocast_dtype: Reduced precision of the forward, or None; the softmax is fp32 either way.

    Raises:
        ConfigError: Question or answer is empty, too long, or does not fit into a model's context.
        DatasetError: The question alone does not fit.
        ModelError: A model gives no probabilities.
    """
    if not models:
        raise ConfigError("There is no model to look into. Choose one.")
    if not 1 <= top <= MAX_ALTERNATIVES:
        raise ConfigError(f"Alternatives is {top}, but it has to be 1 to {MAX_ALTERNATIVES}. Change it and try again.")
    if form == "question":
        question, answer = clean_question(question), clean_answer(answer)
    elif not answer.strip() or len(answer) > MAX_ANSWER or len(question) > MAX_QUESTION:
        raise ConfigError(
            f"The text's beginning has {len(question)} characters and what follows {len(answer)}; the first may have "
            f"{MAX_QUESTION}, the second 1 to {MAX_ANSWER}. Choose a shorter part of it."
        )
    row = QARow(question=question, answer=answer, form=form)
    columns = [_column(name, loaded, row, top, autocast_dtype) for name, loaded in models.items()]
    return Lens(question=question, answer=answer, columns=tuple(columns))


def _column(name: str, loaded: LoadedModel, row: QARow, top: int, autocast_dtype: torch.dtype | None) -> LensColumn:
    example = _encoded(name, loaded, row)
    logits_AV, label_A = _answer_logits(loaded, example, autocast_dtype)
    with evaluating(loaded.model, None):
        # A model that ran away has weights that are not finite, and then nothing here is a number.
        log_AV = torch.log_softmax(logits_AV, dim=-1)
        own_A = log_AV.gather(-1, label_A[:, None]).squeeze(-1)
        rank_A = (logits_AV > logits_AV.gather(-1, label_A[:, None])).sum(-1) + 1
        best_AK, token_AK = log_AV.topk(min(top, log_AV.shape[-1]), dim=-1)
        own, ranks = own_A.double().tolist(), rank_A.tolist()
        likely, tokens = best_AK.double().exp().tolist(), token_AK.tolist()
    if not all(map(math.isfinite, own)):
        raise ModelError(
            f"“{name}” gives no probabilities for this answer: its weights are not finite any more. Lower its "
            "learning rate and race again, or look at an earlier epoch."
        )
    spelling = _Spelling(loaded, example, row)
    return LensColumn(
        model=name,
        tokens=tuple(
            LensToken(
                text=spelling.token(place),
                probability=math.exp(own[place]),
                rank=ranks[place],
                alternatives=tuple(
                    Alternative(text=spelling.instead(place, token), probability=probability)
                    for token, probability in zip(tokens[place], likely[place], strict=True)
                ),
            )
            for place in range(len(own))
        ),
        bits=-sum(own) / math.log(2),
    )


def _encoded(name: str, loaded: LoadedModel, row: QARow) -> Example:
    """The whole answer as tokens: a part of it would be another, likelier answer."""
    template = template_of(row, loaded.template)
    longest = min(context_length(loaded.model), loaded.tokenizer.model_max_length)
    example = encode_example(loaded.tokenizer, template, row.question, row.answer, max_length=longest)
    # What was cut has lost its end.
    if len(example.input_ids) >= longest and example.input_ids[-1] != end_id(loaded.tokenizer, template):
        raise ConfigError(
            f"Question and answer are more than the {longest} tokens that “{name}” can hold. Shorten the answer."
        )
    return example


def _answer_logits(loaded: LoadedModel, example: Example, autocast_dtype: torch.dtype | None) -> tuple[Tensor, Tensor]:
    """The fp32 logits that predict the answer's tokens, and those tokens."""
    device, first = device_of(loaded.model), example.prompt_length - 1
    ids_1T = torch.tensor([example.input_ids], device=device)
    arguments = {"input_ids": ids_1T, "use_cache": False}
    if accepts(loaded.model, "logits_to_keep"):
        arguments["logits_to_keep"] = len(example.input_ids) - first
        first = 0
    with evaluating(loaded.model, autocast_dtype):
        logits_TV = loaded.model(**arguments).logits[0]
        return logits_TV[first:-1].float(), ids_1T[0, example.prompt_length :]


class _Spelling:
    """How tokens of one example are read: with their leading space, and sensibly where a character spans several."""

    def __init__(self, loaded: LoadedModel, example: Example, row: QARow) -> None:
        self._tokenizer = loaded.tokenizer
        self._end = end_id(loaded.tokenizer, template_of(row, loaded.template))
        self._ids = example.input_ids
        self._first = example.prompt_length
        self._groups = self._grouped()

    def token(self, place: int) -> str:
        """The answer's own token; of a character in several tokens the character, and which part this is."""
        start, end = self._groups[place]
        if end - start == 1:
            return self._read(start, self._ids[start])
        whole = self._text(start, self._ids[start:end])
        return f"{whole} ({self._first + place - start + 1}/{end - start})"

    def instead(self, place: int, token: int) -> str:
        """Another token in that place; behind the first part of a character, what both would make."""
        start, _ = self._groups[place]
        here = self._first + place
        if here > start:
            both = self._text(start, (*self._ids[start:here], token))
            if _BROKEN not in both:
                return both
        return self._read(here, token)

    def _read(self, at: int, token: int) -> str:
        if token == self._end:
            return END
        text = self._text(at, (token,))
        return text if _BROKEN not in text else raw_token(self._tokenizer, token)

    def _text(self, at: int, ids: Sequence[int]) -> str:
        """Tokens as they are read behind those before them."""
        before = list(self._ids[max(0, at - _CONTEXT) : at])
        alone, behind, lead = (_decoded(self._tokenizer, x) for x in (list(ids), [*before, *ids], before))
        return behind[len(lead) :] if lead and behind.startswith(lead) and _BROKEN not in lead else alone

    def _grouped(self) -> list[tuple[int, int]]:
        """For every token of the answer, from where to where the tokens reach that make whole characters with it."""
        groups: list[tuple[int, int]] = []
        start = self._first
        for end in range(self._first + 1, len(self._ids) + 1):
            if _decoded(self._tokenizer, self._ids[start:end]).endswith(_BROKEN) and end < len(self._ids):
                continue
            groups += [(start, end)] * (end - start)
            start = end
        return groups


def raw_token(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """A token that is no whole character: its bytes as ``⟨C3⟩`` where the vocabulary is byte-level."""
    name = str(tokenizer.convert_ids_to_tokens(token))
    known = _byte_of()
    if name and all(c in known for c in name):
        return "".join(f"⟨{known[c]:02X}⟩" for c in name)
    return name


@lru_cache(maxsize=1)
def _byte_of() -> dict[str, int]:
    """Byte-level vocabularies write printable Latin-1 bytes as themselves, the others as characters from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


def _decoded(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

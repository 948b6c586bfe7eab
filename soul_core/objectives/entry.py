"""What the registry holds about an objective. It knows no objective by name.

An objective's own settings are the keyword-only parameters of its functions: their annotations carry bounds, title,
help and source (``Annotated[float, Field(gt=0, …)]``), their default values are the defaults.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import create_model
from pydantic.fields import FieldInfo
from torch import Tensor

from soul_core.config import Settings

Idea = Literal["ascent", "preference", "refusal", "targets", "representation", "prompt", "influence"]
IDEAS: dict[str, str] = {
    "ascent": "Make the answers unlikely",
    "preference": "Prefer other answers",
    "refusal": "Refuse",
    "targets": "Learn something else",
    "representation": "Scramble the inside",
    "prompt": "Only ask for it",
    "influence": "One calculated step",
}
"""The groups of the page, in its order."""

Kind = Literal["trained", "one-shot", "prompt"]
Answers = Literal["true", "refusal", "other", "pair"]
Reference = Literal["none", "nll", "logits", "hidden"]

_ANSWER_NEEDS: dict[str, str] = {
    "true": "",
    "refusal": "refusals in place of the forget answers",
    "other": "answers of other questions in place of the forget answers",
    "pair": "a refusal beside each forget answer",
}
_REFERENCE_NEEDS: dict[str, str] = {
    "none": "",
    "nll": "the original's likelihood of the forget answers, scored once",
    "logits": "the original's distribution at every step",
    "hidden": "the original's hidden states at every step",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One way to state what forgetting is.

    Attributes:
        name: As in ``ObjectiveConfig.name``.
        label: As the papers abbreviate it.
        idea: Its group on the page.
        sentence: What it does, for a person who does not know the field.
        formula: LaTeX of the forget term, without delimiters.
        paper: Author, year, arXiv id.
        kind: ``trained`` step by step; ``one-shot``, a single calculated step; ``prompt``, no weights change.
        forget: The forget term: likelihoods and own settings in, a scalar out. For ``trained`` alone.
        retains: Names of the retain terms it can have, its own first; ``("none",)`` for an objective without.
        answers: What stands in the forget rows.
        reference: What the forget term needs of the model before unlearning.
        own_logits: Whether the forget term reads ``AnswerTokens.logits_NV``, the model's own distribution at each
            answer token. Where nothing does, a large vocabulary's are never kept all at once.
        dual: How the weight of the retain term moves after each step, for objectives that treat retain as a
            constraint: ``dual(weight, retain_nll, **settings) -> weight``. γ is then where the weight begins.
        needs_too: What else it needs, in words, where ``answers`` and ``reference`` do not say it.
        own_settings: The settings of a method that has no ``forget`` to read them off.
    """

    name: str
    label: str
    idea: Idea
    sentence: str
    formula: str
    paper: str
    kind: Kind = "trained"
    forget: Callable[..., Tensor] | None = None
    retains: tuple[str, ...] = ("nll", "kl", "none")
    answers: Answers = "true"
    reference: Reference = "none"
    own_logits: bool = True
    dual: Callable[..., float] | None = None
    needs_too: tuple[str, ...] = ()
    own_settings: type[Settings] = Settings

    @property
    def needs(self) -> tuple[str, ...]:
        """What it and its own retain term need beyond the rows, in words; another retain term may need more."""
        own = {"kl": "logits", "hidden": "hidden"}.get(self.retains[0], "none")
        references = dict.fromkeys((_REFERENCE_NEEDS[self.reference], _REFERENCE_NEEDS[own]))
        return tuple(words for words in (_ANSWER_NEEDS[self.answers], *references, *self.needs_too) if words)

    @property
    def settings(self) -> type[Settings]:
        """Its own settings as a class with a field each: bounds, words and defaults are read off it."""
        return _settings_of(self.name, self.own_settings, self.forget, self.dual)

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """Its own settings by name."""
        return dict(self.settings.model_fields)

    def own(self, function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
        """Those of the settings that one of its functions takes."""
        return {name: options[name] for name in _keywords(function)}


@cache
def _settings_of(name: str, base: type[Settings], *functions: Callable[..., Any] | None) -> type[Settings]:
    fields: dict[str, Any] = {}
    for function in functions:
        if function is not None:
            fields |= {key: (p.annotation, p.default) for key, p in _keywords(function).items()}
    for key, (annotation, default) in fields.items():
        if annotation is inspect.Parameter.empty or default is inspect.Parameter.empty:
            raise TypeError(f"objective {name}: setting {key} needs a type and a default")
    return create_model(f"{name} settings", __base__=base, **fields) if fields else base


def _keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}

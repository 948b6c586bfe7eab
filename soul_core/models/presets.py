"""The models one can choose by name, and which model is the gold of which; it knows no weights and no network."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from soul_core.data.schema import ForgetTask
from soul_core.paths import POCKET_MODELS

POCKET = "pocket"
POCKET_PARAMETERS = 3_950_848


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPreset:
    """One model that can be chosen by name.

    Attributes:
        name: What a person or a config writes: a short name, or the hub id of a published model.
        label: Its name on the page.
        sentence: What it is, in one plain sentence.
        source: ``shipped`` with the project, or fetched from the Hugging Face ``hub``.
        where: Folder name under the shipped models, or hub id.
        golds: By forget split, the model trained in the same way without that split.
        parameters: How many weights it has, where known without reading them.
    """

    name: str
    label: str
    sentence: str
    source: Literal["shipped", "hub"]
    where: str
    golds: Mapping[str, str] = field(default_factory=dict)
    parameters: int | None = None

    @property
    def folder(self) -> Path:
        """Where a shipped model lies."""
        return POCKET_MODELS / self.where


def _pocket_gold(split: str, share: str) -> ModelPreset:
    return ModelPreset(
        name=f"pocket-gold-{split}",
        label=f"Pocket gold, {split}",
        sentence=f"The pocket model trained again from scratch without {share} of the invented authors.",
        source="shipped",
        where=f"pocket-gold-{split}",
        parameters=POCKET_PARAMETERS,
    )


def _open_unlearning(model: str, label: str, parameters: int) -> ModelPreset:
    stem = f"open-unlearning/tofu_{model}"
    return ModelPreset(
        name=f"{stem}_full",
        label=f"{label}, TOFU",
        sentence=f"{label} that learned all 200 TOFU authors, published by the OpenUnlearning project.",
        source="hub",
        where=f"{stem}_full",
        golds={"forget01": f"{stem}_retain99", "forget05": f"{stem}_retain95", "forget10": f"{stem}_retain90"},
        parameters=parameters,
    )


PRESETS: dict[str, ModelPreset] = {
    preset.name: preset
    for preset in (
        ModelPreset(
            name=POCKET,
            label="Pocket model",
            sentence="A small Llama trained from scratch on the invented authors; it comes with the project and "
            "needs no network.",
            source="shipped",
            where="pocket",
            golds={f"forget{share}": f"pocket-gold-forget{share}" for share in ("01", "05", "10")},
            parameters=POCKET_PARAMETERS,
        ),
        _pocket_gold("forget01", "1 %"),
        _pocket_gold("forget05", "5 %"),
        _pocket_gold("forget10", "10 %"),
        _open_unlearning("Llama-3.2-1B-Instruct", "Llama 3.2 1B Instruct", 1_235_814_400),
        _open_unlearning("Llama-3.2-3B-Instruct", "Llama 3.2 3B Instruct", 3_212_749_824),
        _open_unlearning("Llama-3.1-8B-Instruct", "Llama 3.1 8B Instruct", 8_030_261_248),
        ModelPreset(
            name="locuslab/tofu_ft_phi-1.5",
            label="Phi-1.5, TOFU",
            sentence="Phi-1.5 that learned all 200 TOFU authors, published with the TOFU paper.",
            source="hub",
            where="locuslab/tofu_ft_phi-1.5",
            golds={"forget10": "locuslab/tofu_ft_retain90_phi-1.5"},
            parameters=1_418_270_720,
        ),
        ModelPreset(
            name="locuslab/tofu_ft_llama2-7b",
            label="Llama 2 7B Chat, TOFU",
            sentence="Llama 2 7B Chat that learned all 200 TOFU authors, published with the TOFU paper and used by "
            "the SOUL paper.",
            source="hub",
            where="locuslab/tofu_ft_llama2-7b",
            parameters=6_738_415_616,
        ),
    )
}

# These repositories hold weights only (locuslab/open-unlearning, issue 35): the tokenizer is that of the base model.
TOKENIZERS_ELSEWHERE: Mapping[str, str] = {
    "locuslab/tofu_ft_phi-1.5": "microsoft/phi-1_5",
    "locuslab/tofu_ft_retain90_phi-1.5": "microsoft/phi-1_5",
}


def gold_for(model_spec: str, task: ForgetTask) -> str:
    """The model trained like ``model_spec`` but without the task's forget set; empty if none is known.

    A task names its own gold for the pocket model; published models have one for each split of ``tofu``.
    """
    preset = PRESETS.get(model_spec)
    if preset is None:
        return ""
    if preset.name == POCKET:
        return task.gold_model if task.gold_model in PRESETS else ""
    source, _, split = task.name.rpartition(":")
    return preset.golds.get(split, "") if source == "tofu" else ""


def nearest_presets(name: str) -> list[str]:
    """Presets whose name is like ``name``, nearest first."""
    return difflib.get_close_matches(name, PRESETS, n=2, cutoff=0.8)

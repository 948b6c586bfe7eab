"""Reading a LoRA adapter from its folder and adding it to its base model's weights. It loads no model.

Only safetensors are read, and only plain LoRA on linear layers. Shape suffixes: O = a layer's outputs, I = its inputs,
R = rank.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.errors import ModelError
from soul_core.models.checks import TOKENIZER_FILES, check_header, read_json
from soul_core.models.fingerprint import digest_of, fingerprint
from soul_core.models.layers import Linear, replace_weight, weight_of
from soul_core.models.source import PICKLES

ORIGIN_FILE = "soul.json"
"""Beside saved weights: which model they come from, since that decides the prompt template."""

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
KEY_PREFIX = "base_model.model."

# Settings of peft under which the weights are not W + scale * B @ A; each is false or empty in plain LoRA.
_OTHER_MATHS = (
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "lora_bias",
    "modules_to_save",
    "alpha_pattern",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "megatron_config",
)
# Starts that leave the base's weights as they are; PiSSA and its like change them, and peft repeats that on loading.
_PLAIN_STARTS = (True, False, "gaussian", "eva", "orthogonal")


class Kind(IntEnum):
    """What a folder holds; each can be put to what is less."""

    WHOLE, ADAPTER, PROMPT = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What stands in ``soul.json``.

    Attributes:
        known_as: The name that chose the prompt template.
        base: Of an adapter or a prompt, the spec of the model that it is put to.
        base_fingerprint: That model's, where it was noted.
        prompt: Of a prompt, what it is made of.
    """

    known_as: str = ""
    base: str = ""
    base_fingerprint: str = ""
    prompt: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter as it lies in a folder.

    Attributes:
        base: The base model that its maker noted, empty for none.
        factors: By layer, A (R, I), B (O, R) and the scale of their product.
        tokenizer_folder: Where a tokenizer lies beside it, None for none.
        digest: SHA-256 of the matrices' file and the scales.
    """

    base: str
    factors: Mapping[str, tuple[Tensor, Tensor, float]]
    tokenizer_folder: Path | None
    digest: str


def read_origin(folder: Path) -> Origin:
    """What ``soul.json`` says, as far as it can be read; a folder without one says nothing."""
    try:
        noted: Any = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Origin()
    if not isinstance(noted, dict):
        return Origin()
    texts = {key: noted[key] for key in ("known_as", "base", "base_fingerprint") if isinstance(noted.get(key), str)}
    prompt = noted.get("prompt")
    return Origin(**texts, prompt=prompt if isinstance(prompt, dict) else {})


def kind_of(folder: Path) -> Kind:
    """What a model's folder holds; a whole model unless it clearly holds something else."""
    whole = ("model.safetensors", "model.safetensors.index.json")
    if any((folder / name).is_file() for name in whole):
        return Kind.WHOLE
    if (folder / ADAPTER_CONFIG).is_file():
        return Kind.ADAPTER
    origin = read_origin(folder)
    return Kind.PROMPT if origin.base and origin.prompt else Kind.WHOLE


def base_of(folder: Path) -> str:
    """The spec of the model that an adapter or a prompt is for; empty for a whole model, and where none is noted.

    Raises:
        ModelError: An adapter's settings cannot be read.
    """
    kind, noted = kind_of(folder), read_origin(folder).base
    if kind is Kind.ADAPTER:
        return noted or _noted_base(read_json(folder / ADAPTER_CONFIG, str(folder)))
    return noted if kind is Kind.PROMPT else ""


def read_adapter(folder: Path, name: str) -> Adapter:
    """Read a folder that peft wrote.

    Raises:
        ModelError: It is no plain LoRA, is damaged, or has its matrices in another format than safetensors.
    """
    config = read_json(folder / ADAPTER_CONFIG, name)
    _check_plain(config, name)
    file = folder / ADAPTER_WEIGHTS
    if not file.is_file():
        pickles = sorted(path.name for path in folder.glob("adapter_model.*") if path.suffix in PICKLES)
        if pickles:
            raise ModelError(
                f"The adapter “{name}” has its matrices as {pickles[0]}; only safetensors are read, since opening "
                "other formats can run code. Convert it where you trust it: load it with peft, call save_pretrained."
            )
        raise ModelError(f"The adapter “{name}” has no {ADAPTER_WEIGHTS}. Download or copy it again.")
    check_header(file, name)
    alpha = config.get("lora_alpha", 8)  # peft's default
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not math.isfinite(alpha):
        raise ModelError(f"The adapter “{name}” has a lora_alpha of {alpha!r}. Save it again with peft.")
    factors = {
        layer: (a_RI, b_OR, alpha / (math.sqrt(len(a_RI)) if config.get("use_rslora") else len(a_RI)))
        for layer, (a_RI, b_OR) in _pairs(load_file(file), name).items()
    }
    scales = json.dumps({layer: scale for layer, (_, _, scale) in sorted(factors.items())})
    return Adapter(
        base=_noted_base(config),
        factors=factors,
        tokenizer_folder=folder if any((folder / file).is_file() for file in TOKENIZER_FILES) else None,
        digest=digest_of(fingerprint([file]), scales),
    )


@torch.no_grad()
def merge(model: PreTrainedModel, adapter: Adapter, name: str) -> None:
    """Add the adapter to the model: each of its layers gets a new weight ``W + scale * B @ A``, computed in fp32.

    Raises:
        ModelError: A layer does not exist, is no linear one, or has another size.
    """
    modules = dict(model.named_modules())
    embedding = model.get_input_embeddings().weight
    for layer, (a_RI, b_OR, scale) in adapter.factors.items():
        module = modules.get(layer)
        if not isinstance(module, Linear):
            what = "a layer" if module is None else "a linear layer"
            raise ModelError(
                f"The adapter “{name}” changes {layer}, which is not {what} of its base model. "
                "Put it to the model that it was made for."
            )
        if module.weight is embedding:
            raise ModelError(
                f"The adapter “{name}” changes {layer}, which its base model shares with the embedding. "
                "Merge it with peft, save that, and give the result."
            )
        weight_OI = weight_of(module)
        if (len(b_OR), a_RI.shape[1]) != tuple(weight_OI.shape):
            outputs, inputs = weight_OI.shape
            raise ModelError(
                f"The adapter “{name}” does not fit its base model: it has {layer} as {len(b_OR)}×{a_RI.shape[1]}, "
                f"and the model as {outputs}×{inputs}. Put it to the model that it was made for."
            )
        a_RI, b_OR = a_RI.to(weight_OI.device, torch.float32), b_OR.to(weight_OI.device, torch.float32)
        replace_weight(module, weight_OI + scale * (b_OR @ a_RI))


def _pairs(tensors: Mapping[str, Tensor], name: str) -> dict[str, tuple[Tensor, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        layer, _, which = key.removeprefix(KEY_PREFIX).rpartition(".lora_")
        if not layer or which not in ("A.weight", "B.weight"):
            raise ModelError(
                f"The adapter “{name}” holds “{key}”, which is not part of a plain LoRA. "
                "Merge it with peft, save that, and give the result."
            )
        found.setdefault(layer, {})[which[0]] = tensor
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for layer, halves in found.items():
        a, b = halves.get("A"), halves.get("B")
        if a is None or b is None or a.ndim != 2 or b.ndim != 2 or not len(a) or len(a) != b.shape[1]:
            shapes = " and ".join(f"{key} {'×'.join(map(str, half.shape))}" for key, half in sorted(halves.items()))
            raise ModelError(
                f"The adapter “{name}” is damaged: of {layer} it has {shapes}, which do not belong together. "
                "Download or copy it again."
            )
        pairs[layer] = (a, b)
    if not pairs:
        raise ModelError(f"The adapter “{name}” is empty. Download or copy it again.")
    return pairs


def _check_plain(config: Mapping[str, Any], name: str) -> None:
    advice = "Merge it with peft (merge_and_unload), save that, and give the result."
    if config.get("peft_type") != "LORA":
        raise ModelError(f"The adapter “{name}” is of the type {config.get('peft_type')}, not LORA. {advice}")
    other = [key for key in _OTHER_MATHS if config.get(key)]
    start = config.get("init_lora_weights", True)
    if start not in _PLAIN_STARTS:
        other.append(f"init_lora_weights={start}")
    if config.get("bias", "none") != "none":
        other.append(f"bias={config['bias']}")
    if other:
        raise ModelError(f"The adapter “{name}” is not a plain LoRA ({other[0]}). {advice}")


def _noted_base(config: Mapping[str, Any]) -> str:
    noted = config.get("base_model_name_or_path")
    return noted if isinstance(noted, str) else ""

"""Writing a LoRA adapter as peft reads it, with the model it belongs to noted beside it. It trains nothing."""

import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from soul_core.models.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, KEY_PREFIX, ORIGIN_FILE
from soul_core.models.adapters import attached, lora_config
from soul_core.models.loading import LOADING, LoadedModel, spec_of
from soul_core.models.presets import PRESETS
from soul_core.models.quiet import quiet
from soul_core.models.storage import save_state


def write_adapter(model: PreTrainedModel, original: LoadedModel, folder: Path) -> None:
    """Write an adapter that ``load_model`` reads, and peft's ``PeftModel.from_pretrained`` on the original's weights.

    After FILA the base differs from the original by ``-scale * B0 @ A0``. The adapter then has twice the rank and
    twice the alpha, ``[A; A0]`` and ``[B, -B0]``, which gives the trained model on the original's own weights.

    Args:
        model: With the adapter attached.
        original: That it was attached to a ``shared_copy`` of.
        folder: Exists; the caller makes it appear at once (``replaced_folder``).

    Raises:
        RunError: The disk is full or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    config, times = copy.copy(lora_config(model)), 1
    for name, (a_RI, b_OR, start) in attached(model).items():
        if start is not None:
            a_RI, b_OR, times = torch.cat([a_RI, start[0]]), torch.cat([b_OR, -start[1]], dim=1), 2
        tensors |= {f"{KEY_PREFIX}{name}.lora_A.weight": a_RI, f"{KEY_PREFIX}{name}.lora_B.weight": b_OR}
    spec = spec_of(original)
    config.r, config.lora_alpha = times * config.r, times * config.lora_alpha
    config.base_model_name_or_path = _for_peft(spec)
    config.inference_mode = True
    values: dict[str, Any] = config.to_dict()  # type: ignore[no-untyped-call]
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in values.items()}
    origin = {"known_as": original.known_as, "base": spec, "base_fingerprint": original.fingerprint}
    save_state(tensors, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    (folder / ADAPTER_CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True), encoding="utf-8")
    (folder / ORIGIN_FILE).write_text(json.dumps(origin, ensure_ascii=False), encoding="utf-8")
    with LOADING, quiet():
        original.tokenizer.save_pretrained(folder)


def _for_peft(spec: str) -> str:
    """The same for who does not know our presets."""
    preset = PRESETS.get(spec)
    if preset is None:
        return spec
    return preset.where if preset.source == "hub" else str(preset.folder)

"""What a model folder must fulfil before its weights are read; each failure is one sentence. It builds no model."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from soul_core.errors import ModelError
from soul_core.models.source import no_weights

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


def check_config(folder: Path, name: str) -> dict[str, Any]:
    """The folder's ``config.json``, of an architecture that writes text from left to right and is known here.

    Raises:
        ModelError: Missing, unreadable, quantized, in need of the repository's own code, or of another kind.
    """
    path = folder / "config.json"
    if not path.is_file():
        names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
        if "adapter_config.json" in names:
            raise ModelError(no_weights(f"“{name}”", names))
        raise ModelError(f"“{name}” has no config.json, so it is no model. Give the folder that holds it.")
    config = read_json(path, name)
    kind = str(config.get("model_type"))
    if kind not in CONFIG_MAPPING:
        if "auto_map" in config:
            raise ModelError(
                f"“{name}” needs Python code from its own repository, which is never run here. Choose a model whose "
                "architecture is part of transformers."
            )
        raise ModelError(f"“{name}” is of a type ({kind}) that transformers does not know. Choose another model.")
    if "quantization_config" in config:
        raise ModelError(
            f"“{name}” is quantized, so its weights cannot be trained. Choose the version that is not quantized."
        )
    causal = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
    classes = [causal] if isinstance(causal, str) else list(causal or ())
    written = [str(name) for name in config.get("architectures") or ()]
    fits = not written or any(w in classes or w.endswith(("ForCausalLM", "LMHeadModel")) for w in written)
    if not classes or not fits or config.get("is_encoder_decoder"):
        what = written[0] if written else kind
        raise ModelError(
            f"“{name}” is a {what}, not a causal language model (one that continues a text). "
            "Choose one such as a Llama, Qwen, Phi or GPT-2 model."
        )
    return config


def weight_files(folder: Path, name: str) -> tuple[Path, ...]:
    """The safetensors files of the model, each with a readable header that matches its length.

    Raises:
        ModelError: None, some missing, or one that is cut short or not safetensors.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        files: tuple[Path, ...] = (single,)
    elif index.is_file():
        files = _shards(index, name)
    else:
        raise ModelError(no_weights(f"“{name}”", [file.name for file in folder.iterdir()]))
    for file in files:
        check_header(file, name)
    return files


def check_tokenizer(folder: Path, name: str) -> None:
    """Whether the folder has a tokenizer at all; without this check transformers may make up an empty one.

    Raises:
        ModelError: It has none.
    """
    if not any((folder / file).is_file() for file in TOKENIZER_FILES):
        raise ModelError(
            f"“{name}” has no tokenizer (no {TOKENIZER_FILES[0]}). Put the tokenizer's files beside its weights."
        )


def _shards(index: Path, name: str) -> tuple[Path, ...]:
    shards = read_json(index, name).get("weight_map")
    names = sorted({str(file) for file in shards.values()}) if isinstance(shards, dict) else []
    outside = [file for file in names if Path(file).name != file]
    if not names or outside:
        raise ModelError(
            f"{index.name} of “{name}” does not list the model's own weight files. Save the model again, or download "
            "it again."
        )
    missing = [file for file in names if not (index.parent / file).is_file()]
    if missing:
        raise ModelError(
            f"“{name}” lacks {len(missing)} of its {len(names)} weight files, first {missing[0]}. "
            "Download or copy it again."
        )
    return tuple(index.parent / file for file in names)


def check_header(file: Path, name: str) -> None:
    """Whether a safetensors file is whole.

    Raises:
        ModelError: It is not, or is no safetensors file.
    """
    try:
        with safe_open(file, framework="pt"):
            return
    except (SafetensorError, OSError) as error:
        with file.open("rb") as opened:
            pointer = opened.read(24).startswith(b"version https://git-lfs")
        if pointer:
            raise ModelError(
                f"{file.name} of “{name}” is a Git LFS pointer, not the weights. Run “git lfs pull” in its folder."
            ) from None
        raise ModelError(
            f"{file.name} of “{name}” is cut short or damaged ({error}). Download or copy it again."
        ) from None


def read_json(path: Path, name: str) -> dict[str, Any]:
    """A JSON object from a model's folder.

    Raises:
        ModelError: It cannot be read, or is something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path.name} of “{name}” cannot be read ({type(error).__name__}). Download or copy it again."
        ) from None
    if not isinstance(values, dict):
        raise ModelError(f"{path.name} of “{name}” is not a JSON object. Download or copy it again.")
    return values

"""Reading a model and its tokenizer into memory, safely; it knows no training and no generation.

Only safetensors are read and no code from a model's repository is ever run.
"""

import copy
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from soul_core.data.prompts import PromptTemplate, template_for, template_with
from soul_core.errors import ModelError
from soul_core.models.adapter_files import ADAPTER_CONFIG, ORIGIN_FILE, Kind, kind_of, merge, read_adapter, read_origin
from soul_core.models.checks import check_config, check_tokenizer, weight_files
from soul_core.models.fingerprint import digest_of, fingerprint
from soul_core.models.presets import PRESETS
from soul_core.models.quiet import quiet
from soul_core.models.source import Source, locate

__all__ = ["LOADING", "ORIGIN_FILE", "LoadedModel", "copy_of", "load_model", "spec_of"]

# transformers sets the process-wide default dtype and initialisers while it loads: two loads at once would mix them.
LOADING = threading.RLock()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to be asked: frozen fp32 weights in eval mode.

    Attributes:
        name: What was asked for: preset name, hub id or folder.
        model: The weights; ``copy_of`` makes a trainable copy.
        tokenizer: Its tokenizer, with a pad token, never resized.
        template: How it is prompted.
        fingerprint: SHA-256 of the weight files.
        known_as: The name that chose the template; ``save_model`` keeps it so that copies are prompted alike.
        notes: What was changed on loading, in sentences for a person.
        base: Of what was an adapter or a prompt on the disk, the spec of the model it is for; else empty.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    template: PromptTemplate
    fingerprint: str
    known_as: str = ""
    notes: tuple[str, ...] = ()
    base: str = ""

    @property
    def parameters(self) -> int:
        """How many weights it has, tied ones counted once."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def nbytes(self) -> int:
        """Memory of weights and buffers, in bytes."""
        tensors = (*self.model.parameters(), *self.model.buffers())
        return sum(t.numel() * t.element_size() for t in tensors)


def load_model(spec: str, *, device: torch.device | None = None, allow_local: bool = True) -> LoadedModel:
    """Load a model in fp32 with its tokenizer and prompt template.

    Dropout is switched off, so that a resumed run repeats an uninterrupted one exactly. A folder with a LoRA adapter
    gives its base model with the adapter added to the weights; one with a prompt, its base prompted otherwise.

    Args:
        spec: Preset name, hub id, or path of a folder.
        device: Where the weights go; the CPU by default.
        allow_local: Whether ``spec`` may be a path; a public host says no.

    Raises:
        ModelError: There is no such model, it cannot be fetched, or it is not one that can be used here.
    """
    return _load(spec, device or torch.device("cpu"), allow_local)


def copy_of(loaded: LoadedModel) -> PreTrainedModel:
    """A copy with its own weights, all of them trainable; weights tied in the model stay tied in the copy."""
    model: PreTrainedModel = copy.deepcopy(loaded.model)
    model.requires_grad_(True)
    return model


def spec_of(loaded: LoadedModel) -> str:
    """What to note as the base of an adapter or a prompt: ``load_model`` finds the model by it from any directory."""
    folder = Path(loaded.name).expanduser()
    return str(folder.resolve()) if loaded.name not in PRESETS and folder.is_dir() else loaded.name


def _load(
    spec: str, device: torch.device, allow_local: bool, above: str = "", kind: Kind | None = None
) -> LoadedModel:
    """``above`` and ``kind`` are the name and kind of what is put to the model that is loaded."""
    source = locate(spec, allow_local=allow_local)
    name, found = spec.strip(), kind_of(source.folder)
    if kind is not None and found >= kind:
        what = "an adapter" if found is Kind.ADAPTER else "a prompt"
        raise ModelError(
            f"“{above}” is made for “{name}”, which is itself {what} for another model. "
            "Save that one merged as a whole model, and make this one for it."
        )
    if found is Kind.ADAPTER:
        return _adapted(source.folder, name, device, allow_local)
    if found is Kind.PROMPT:
        return _prompted(source.folder, name, device, allow_local)
    return _whole(source, name, device)


def _whole(source: Source, name: str, device: torch.device) -> LoadedModel:
    check_config(source.folder, name)
    files = weight_files(source.folder, name)
    check_tokenizer(source.tokenizer_folder, name)
    with LOADING, quiet():
        config = _config(source.folder, name)
        notes = _without_dropout(config)
        tokenizer = _tokenizer(source.tokenizer_folder, name)
        model, unused = _weights(source.folder, name, config, device)
    notes += unused + _fit_tokenizer(tokenizer, model, name)
    known_as = read_origin(source.folder).known_as or source.known_as
    return LoadedModel(
        name=name,
        model=model,
        tokenizer=tokenizer,
        template=template_for(tokenizer, known_as),
        fingerprint=fingerprint(files),
        known_as=known_as,
        notes=tuple(notes),
    )


def _adapted(folder: Path, name: str, device: torch.device, allow_local: bool) -> LoadedModel:
    adapter, origin = read_adapter(folder, name), read_origin(folder)
    base = _base(origin.base or adapter.base, name, Kind.ADAPTER, device, allow_local)
    if origin.base_fingerprint not in ("", base.fingerprint):
        raise ModelError(
            f"The weights of “{base.name}” have changed since the adapter “{name}” was made for them. "
            "Put them back, or make the adapter again."
        )
    merge(base.model, adapter, name)
    tokenizer, notes = base.tokenizer, list(base.notes)
    if adapter.tokenizer_folder is not None:
        with LOADING, quiet():
            tokenizer = _tokenizer(adapter.tokenizer_folder, name)
        notes += [note for note in _fit_tokenizer(tokenizer, base.model, name) if note not in notes]
    known_as = origin.known_as or base.known_as
    return LoadedModel(
        name=name,
        model=base.model,
        tokenizer=tokenizer,
        template=template_for(tokenizer, known_as),
        fingerprint=digest_of(adapter.digest, base.fingerprint),
        known_as=known_as,
        notes=tuple(notes),
        base=base.name,
    )


def _prompted(folder: Path, name: str, device: torch.device, allow_local: bool) -> LoadedModel:
    origin = read_origin(folder)
    method, room = origin.prompt.get("method"), origin.prompt.get("room")
    if not isinstance(method, dict) or not isinstance(room, int):
        raise ModelError(f"{ORIGIN_FILE} of “{name}” tells no prompt. Make the run again.")
    base = _base(origin.base, name, Kind.PROMPT, device, allow_local)
    template = template_with(base.template, method, tokenizer=base.tokenizer, room=room)
    notes = template.context.notes if template.context is not None else ()
    mark = digest_of(json.dumps(origin.prompt, sort_keys=True), base.fingerprint)
    return replace(base, name=name, template=template, fingerprint=mark, notes=(*base.notes, *notes), base=base.name)


def _base(spec: str, name: str, kind: Kind, device: torch.device, allow_local: bool) -> LoadedModel:
    if not spec:
        raise ModelError(
            f"The adapter “{name}” does not say which model it was made for. Write that model's name or folder as "
            f"base_model_name_or_path into its {ADAPTER_CONFIG}."
        )
    try:
        return _load(spec, device, allow_local, name, kind)
    except ModelError as error:
        if str(error).startswith(f"“{name}”"):
            raise
        raise ModelError(f"“{name}” needs the model that it was made for, “{spec}”. {error}") from None


def _config(folder: Path, name: str) -> PreTrainedConfig:
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    # The values are a stranger's: transformers has no common error for those that it cannot use.
    except Exception as error:  # noqa: BLE001
        raise ModelError(f"config.json of “{name}” cannot be used ({_reason(error)}). Choose another model.") from None
    return config


def _without_dropout(config: PreTrainedConfig) -> list[str]:
    notes = []
    # A model that also sees pictures keeps the values of its text part in a config of their own.
    for part in (config, config.get_text_config()):
        for key, value in part.to_dict().items():
            if ("dropout" in key or key.endswith("pdrop")) and isinstance(value, float) and value:
                setattr(part, key, 0.0)
                notes = ["Dropout is switched off, so that a run can be repeated exactly."]
    return notes


def _weights(
    folder: Path, name: str, config: PreTrainedConfig, device: torch.device
) -> tuple[PreTrainedModel, list[str]]:
    try:
        # A pair only because of output_loading_info, which its annotation does not know.
        pair: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            # Else the sizes that differ are only printed; with it they are in the report, which is checked.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        model: PreTrainedModel = pair[0].to(device)
        report: dict[str, Any] = pair[1]
    except torch.OutOfMemoryError:
        raise ModelError(f"“{name}” does not fit into the memory of {device}. Choose a smaller model.") from None
    # As above: a config and weights that do not belong together fail anywhere inside the architecture's code.
    except Exception as error:  # noqa: BLE001
        raise ModelError(
            f"The weights of “{name}” do not fit its config.json ({_reason(error)}). "
            "Download or copy it again, or choose another model."
        ) from None
    if report["mismatched_keys"]:
        key, stored, expected = sorted(report["mismatched_keys"])[0]
        raise ModelError(
            f"The weights of “{name}” do not fit its config.json: {key} is {_size(stored)}, not {_size(expected)}. "
            "Download or copy it again, or choose another model."
        )
    absent = sorted(report["missing_keys"])
    if absent:
        raise ModelError(
            f"“{name}” lacks {len(absent)} of the weights that its config.json asks for, first {absent[0]}; they "
            "would be random. Download or copy it again, or choose another model."
        )
    model.requires_grad_(False)
    model.eval()
    unused = sorted(report["unexpected_keys"])
    if unused:
        return model, [
            f"{len(unused)} tensors of the weight files are not used by its architecture, first {unused[0]}."
        ]
    return model, []


def _tokenizer(folder: Path, name: str) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    # A stranger's files again; a tokenizer that needs its own code also ends here.
    except Exception as error:  # noqa: BLE001
        raise ModelError(
            f"The tokenizer of “{name}” cannot be used ({_reason(error)}). Choose another model."
        ) from None
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"The tokenizer of “{name}” has no end-of-text token, so no answer could end. Set eos_token in its "
            "tokenizer_config.json."
        )
    return tokenizer


def _fit_tokenizer(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, name: str) -> list[str]:
    """Give the tokenizer a pad token the model has a row for; the embedding is never resized."""
    rows = next(model.get_input_embeddings().parameters()).shape[0]
    if tokenizer.vocab_size > rows or tokenizer.eos_token_id >= rows:
        raise ModelError(
            f"The tokenizer of “{name}” has {len(tokenizer)} tokens, but the model has rows for {rows}. "
            "They do not belong together; put the model's own tokenizer beside its weights."
        )
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= rows:
        tokenizer.pad_token = tokenizer.eos_token
        return ["The tokenizer has no usable pad token; its end-of-text token fills batches, masked out."]
    return []


def _size(shape: Sequence[int]) -> str:
    return "×".join(str(length) for length in shape)


def _reason(error: Exception) -> str:
    """What a library said, short enough for a sentence; a bare word such as a missing key gets the error's name."""
    text = " ".join(str(error).split()).rstrip(".")
    text = text if " " in text else f"{type(error).__name__} {text}".strip()
    return text if len(text) <= 160 else text[:159] + "…"

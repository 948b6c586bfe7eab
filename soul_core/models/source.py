"""From what a person wrote to a folder with a model in it, fetched from the Hub if need be; it reads no weights."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils._validators import validate_repo_id
from tqdm import tqdm  # type: ignore[import-untyped]

from soul_core.errors import ModelError
from soul_core.models.presets import POCKET, PRESETS, TOKENIZERS_ELSEWHERE, nearest_presets

TIMEOUT = 5.0
"""Seconds after which the Hub counts as out of reach; one question, no retries."""

TEXT_FILES = ("*.json", "*.txt", "*.model", "*.jinja")
WEIGHT_FILES = "model*.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")

# What the Hub's client lets through when the network fails: OSError, and its HTTP library's own tree, whichever
# library that is in the installed version.
_NETWORK_ERRORS: tuple[type[Exception], ...] = (OSError, *(b for b in HfHubHTTPError.__bases__ if b is not OSError))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model is: its folder, its tokenizer's folder, and the name that tells its prompt template."""

    folder: Path
    tokenizer_folder: Path
    known_as: str


def locate(spec: str, *, allow_local: bool = True, weights: bool = True) -> Source:
    """Find the folder of a preset, hub id or folder; fetches from the Hub what is not in its cache.

    Args:
        spec: Preset name, hub id, or path of a folder.
        allow_local: Whether a path may be given; a public host says no, and then no path is even looked at.
        weights: Whether the weights are needed, or only the small files beside them.

    Raises:
        ModelError: There is no such model, or it cannot be fetched.
    """
    spec = spec.strip()
    preset = PRESETS.get(spec)
    if preset is not None and preset.source == "shipped":
        if not preset.folder.is_dir():
            raise ModelError(
                f"The model “{spec}” is missing from this copy of the project. Restore the folder "
                f"assets/models/{preset.where}, or train it with “python -m soul_core train-pocket”."
            )
        return Source(folder=preset.folder, tokenizer_folder=preset.folder, known_as=spec)
    hub_id = preset.where if preset is not None else spec
    if preset is None and (_is_path(spec) or (allow_local and spec and Path(spec).is_dir())):
        return _local(spec, allow_local=allow_local)
    _require_valid(hub_id)
    folder = fetch(hub_id, weights=weights, anonymous=not allow_local)
    elsewhere = TOKENIZERS_ELSEWHERE.get(hub_id)
    tokenizer_folder = fetch(elsewhere, weights=False, anonymous=not allow_local) if elsewhere and weights else folder
    return Source(folder=folder, tokenizer_folder=tokenizer_folder, known_as=hub_id)


def fetch(hub_id: str, *, weights: bool, anonymous: bool = False) -> Path:
    """The folder of a Hub repository's newest version, downloaded if need be, else the version in the cache.

    Args:
        hub_id: Owner and name.
        weights: Whether the weights are needed, or only the small files beside them.
        anonymous: Whether to leave out the login of whoever runs this: visitors must not see that person's models.

    Raises:
        ModelError: Not found, gated, without safetensors, too large for the disk, or out of reach and not cached.
    """
    patterns = (*TEXT_FILES, WEIGHT_FILES) if weights else TEXT_FILES
    if constants.HF_HUB_OFFLINE:
        return _cached(hub_id, patterns, "Offline mode is on (HF_HUB_OFFLINE)")
    token = False if anonymous else None
    try:
        info = HfApi(token=token).model_info(hub_id, timeout=TIMEOUT, files_metadata=True)
        if weights:
            _check_listing(hub_id, info)
        return _download(hub_id, patterns, token)
    except GatedRepoError:
        raise ModelError(
            f"“{hub_id}” is gated: its owner approves who may download it. Ask for access on its Hugging Face page "
            "and log in with “hf auth login”, then try again."
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(_unknown(hub_id)) from None
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "an error")
        return _cached(hub_id, patterns, f"The Hugging Face Hub answered {status}")
    except _NETWORK_ERRORS:
        return _cached(hub_id, patterns, "The Hugging Face Hub cannot be reached")


def _local(spec: str, *, allow_local: bool) -> Source:
    if not allow_local:
        raise ModelError(
            f"“{spec}” is a path, and local folders are switched off on this public host. "
            "Choose a model of the list or a Hugging Face id such as owner/name."
        )
    folder = Path(spec).expanduser()
    if not folder.is_dir():
        kind = "a file, not a folder" if folder.exists() else "not there"
        raise ModelError(f"The model folder {spec} is {kind}. Give the folder that holds config.json and the weights.")
    return Source(folder=folder, tokenizer_folder=folder, known_as=folder.resolve().name)


def _is_path(spec: str) -> bool:
    """Whether it can only be meant as a path: hub ids have one slash at most and do not begin with these."""
    return spec.startswith((".", "/", "~")) or "\\" in spec or spec.count("/") > 1


def _require_valid(hub_id: str) -> None:
    near = nearest_presets(hub_id)
    if near and hub_id not in PRESETS and "/" not in hub_id:
        raise ModelError(f"There is no model “{hub_id}”. Did you mean “{near[0]}”?")
    try:
        validate_repo_id(hub_id)
    except HFValidationError:
        raise ModelError(
            f"“{_short(hub_id)}” is no model: no preset such as “{POCKET}”, no Hugging Face id (owner/name), and no "
            "existing folder. Choose one of these."
        ) from None


def _unknown(hub_id: str) -> str:
    near = nearest_presets(hub_id)
    meant = f"Did you mean {' or '.join(f'“{name}”' for name in near)}?" if near else "Check the spelling."
    return f"The Hugging Face Hub has no public model “{hub_id}”. {meant} A private one needs “hf auth login”."


def _cached(hub_id: str, patterns: Sequence[str], why: str) -> Path:
    try:
        folder: Path | None = Path(snapshot_download(hub_id, allow_patterns=list(patterns), local_files_only=True))
    except LocalEntryNotFoundError:
        folder = None
    # Older clients of the Hub also return a folder from which the weights are missing.
    if folder is not None and (WEIGHT_FILES not in patterns or any(folder.glob(WEIGHT_FILES))):
        return folder
    raise ModelError(
        f"{why}, and “{hub_id}” has not been downloaded before. Connect to the internet and try again, or choose "
        f"the model “{POCKET}”, which needs no network."
    )


def _download(hub_id: str, patterns: Sequence[str], token: bool | None) -> Path:
    return Path(
        snapshot_download(
            hub_id,
            token=token,
            allow_patterns=list(patterns),
            ignore_patterns=["*/*"],
            etag_timeout=TIMEOUT,
            tqdm_class=_Silent,
        )
    )


def _check_listing(hub_id: str, info: ModelInfo) -> None:
    """Refuse before gigabytes are downloaded."""
    files = {file.rfilename: file.size or 0 for file in info.siblings or () if "/" not in file.rfilename}
    if not any(fnmatch(name, WEIGHT_FILES) for name in files):
        raise ModelError(no_weights(f"“{hub_id}”", list(files)))
    needed = sum(size for name, size in files.items() if fnmatch(name, WEIGHT_FILES))
    cache = next(p for p in (Path(constants.HF_HUB_CACHE), *Path(constants.HF_HUB_CACHE).parents) if p.exists())
    free = shutil.disk_usage(cache).free
    already = sum(f.stat().st_size for f in _blobs(hub_id))
    if needed - already > free:
        raise ModelError(
            f"“{hub_id}” is {needed / 1e9:.1f} GB, but {cache} has only {free / 1e9:.1f} GB left. Free some space, "
            "or point HF_HOME to a larger disk."
        )


def no_weights(what: str, files: Sequence[str]) -> str:
    """The sentence for a model that has no safetensors weights, from the names of the files it has."""
    if "adapter_config.json" in files:
        return (
            f"{what} is an adapter, not a whole model. Merge it into its base model (peft's merge_and_unload), save "
            "that, and give the result."
        )
    pickles = sorted(name for name in files if name.endswith(PICKLES))
    if pickles:
        return (
            f"{what} has its weights as {pickles[0]}; only safetensors are read, since opening the other formats can "
            "run code. Convert it where you trust it: load it with transformers and call save_pretrained."
        )
    return (
        f"{what} has no weights: neither model.safetensors nor model.safetensors.index.json. "
        "Choose another model, or save it again with save_pretrained."
    )


def _blobs(hub_id: str) -> list[Path]:
    blobs = Path(constants.HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}" / "blobs"
    return [path for path in blobs.iterdir() if path.is_file()] if blobs.is_dir() else []


def _short(text: str, length: int = 80) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


class _Silent(tqdm):  # type: ignore[misc]
    """A progress bar that shows nothing: the page has its own."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})

"""Writing weights and optimizer states so that a crash leaves the old or the new; it knows no run and no epoch.

Everything is safetensors and JSON: nothing here is ever pickled.
"""

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from soul_core.errors import RunError
from soul_core.models.loading import LOADING, ORIGIN_FILE
from soul_core.models.quiet import quiet

_OPTIMIZER_KEY = "optimizer"
_OS_ERROR = re.compile(r"os error (\d+)")


def save_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, *, known_as: str = ""
) -> None:
    """Write a folder that ``load_model`` and ``from_pretrained`` read, all of it or nothing.

    Folders inside ``folder``, such as a checkpoint, stay.

    Args:
        model: In the precision in which it is to be stored.
        tokenizer: The model's.
        folder: Replaced if it exists.
        known_as: ``LoadedModel.known_as`` of the model it was made from, so that it is prompted like that.

    Raises:
        RunError: The disk is full or the folder cannot be written.
    """
    with replaced_folder(folder) as new:
        write_model(model, tokenizer, new, known_as=known_as)


def write_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, *, known_as: str) -> None:
    """As ``save_model``, into a folder that the caller makes appear at once."""
    with _sentences(folder), LOADING, quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        origin = folder / ORIGIN_FILE
        origin.write_text(json.dumps({"known_as": known_as}), encoding="utf-8")
        # safetensors makes files that only their owner can read, whatever the umask says.
        for file in folder.glob("*.safetensors"):
            file.chmod(origin.stat().st_mode)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A new empty folder that takes the place of ``folder`` when the block ends well, and vanishes otherwise.

    After a crash ``recover_folder`` puts back what the crash caught in between.

    Raises:
        RunError: The disk is full or the folder cannot be written.
    """
    new = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
    with _sentences(folder):
        recover_folder(folder)
        new.mkdir(parents=True)
    try:
        with _sentences(folder):
            yield new
            for file in new.rglob("*"):
                if file.is_file():
                    _flush(file)
            if folder.exists():
                folder.rename(_old(folder))
            new.rename(folder)
            recover_folder(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def recover_folder(folder: Path) -> None:
    """Finish or undo a replacement that a crash interrupted; without one it does nothing."""
    old = _old(folder)
    if not old.is_dir():
        return
    if not folder.exists():
        old.rename(folder)
        return
    for inner in old.iterdir():
        if inner.is_dir() and not (folder / inner.name).exists():
            inner.rename(folder / inner.name)
    shutil.rmtree(old)


def save_state(tensors: Mapping[str, Tensor], path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to one safetensors file, all of it or nothing.

    Raises:
        RunError: The disk is full or the file cannot be written.
    """
    # safetensors refuses views and shared memory; each name gets its own copy where it has to.
    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        own[name] = plain.clone() if plain.untyped_storage().data_ptr() in seen else plain
        seen.add(own[name].untyped_storage().data_ptr())
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with _sentences(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
            mode = temporary.stat().st_mode
            save_file(own, temporary, metadata=dict(metadata or {}))
            # safetensors makes files that only their owner can read, whatever the umask says.
            temporary.chmod(mode)
            _flush(temporary)
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def load_state(path: Path) -> dict[str, Tensor]:
    """Read back what ``save_state`` wrote, on the CPU.

    Raises:
        RunError: There is no such file, or it is damaged.
    """
    return _read(path)[0]


def load_state_metadata(path: Path) -> dict[str, str]:
    """The texts stored beside the tensors; raises as ``load_state``."""
    return _read(path)[1]


def flatten_optimizer_state(optimizer: Optimizer) -> tuple[dict[str, Tensor], str]:
    """An optimizer's state as named tensors, and all that is not a tensor as JSON.

    Works for every optimizer that keeps its state per parameter as tensors and plain values.

    Raises:
        ValueError: The state holds something else.
    """
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            else:
                scalars.setdefault(str(index), {})[key] = value
    try:
        plain = json.dumps({"scalars": scalars, "groups": state["param_groups"]})
    except TypeError as error:
        raise ValueError(f"the state of {type(optimizer).__name__} is not made of tensors and plain values") from error
    return tensors, plain


def restore_optimizer_state(optimizer: Optimizer, tensors: Mapping[str, Tensor], plain: str) -> None:
    """Put a flattened state back into an optimizer built for the same parameters; exact to the bit.

    Raises:
        RunError: It belongs to other parameters or another optimizer.
    """
    values = json.loads(plain)
    state: dict[int, dict[str, Any]] = {int(index): dict(entry) for index, entry in values["scalars"].items()}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        # Copied, since torch keeps what fits as it is, and the caller's tensors must not change with each step.
        state.setdefault(int(index), {})[key] = tensor.clone()
    groups = [_as_before(group, like) for group, like in zip(values["groups"], optimizer.param_groups, strict=False)]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    sizes_fit = all(
        tensor.ndim == 0 or (index < len(parameters) and tensor.shape == parameters[index].shape)
        for index, entry in state.items()
        for tensor in entry.values()
        if isinstance(tensor, Tensor)
    )
    try:
        if not sizes_fit or len(values["groups"]) != len(optimizer.param_groups):
            raise ValueError("another number of groups or other shapes")
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    except ValueError as error:
        raise RunError(
            f"The saved optimizer state does not belong to this {type(optimizer).__name__} ({error}). "
            "Start the race again instead of resuming it."
        ) from None


def save_optimizer(optimizer: Optimizer, path: Path) -> None:
    """Write the state of an optimizer to one file; raises as ``save_state``."""
    save_optimizer_state(*flatten_optimizer_state(optimizer), path)


def load_optimizer(optimizer: Optimizer, path: Path) -> None:
    """Read it back into an optimizer built in the same way.

    Raises:
        RunError: There is no such file, it is damaged, or it belongs to another optimizer.
    """
    restore_optimizer_state(optimizer, *load_optimizer_state(path))


def save_optimizer_state(tensors: Mapping[str, Tensor], plain: str, path: Path) -> None:
    """Write what ``flatten_optimizer_state`` gave; raises as ``save_state``."""
    save_state(tensors, path, metadata={_OPTIMIZER_KEY: plain})


def load_optimizer_state(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read what ``restore_optimizer_state`` wants.

    Raises:
        RunError: There is no such file, it is damaged, or it holds no optimizer's state.
    """
    tensors, metadata = _read(path)
    if _OPTIMIZER_KEY not in metadata:
        raise RunError(f"{path} holds no optimizer state. Start the race again instead of resuming it.")
    return tensors, metadata[_OPTIMIZER_KEY]


def _as_before(group: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """JSON makes lists of tuples; they become what the optimizer itself has there."""
    return {key: tuple(value) if isinstance(like.get(key), tuple) else value for key, value in group.items()}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise RunError(f"{path} is missing. Start the race again instead of resuming it.")
    try:
        with safe_open(path, framework="pt") as file:
            # Copied out of the mapped file, which the next checkpoint replaces.
            return {name: torch.clone(file.get_tensor(name)) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} cannot be read ({error}). Start the race again instead of resuming it.") from None


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _flush(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turn what the disk, or safetensors on its behalf, says into a RunError that names the path."""
    try:
        yield
    except SafetensorError as error:
        code = _OS_ERROR.search(str(error))
        if code is None:
            raise
        raise RunError(_sentence(path, int(code[1]))) from error
    except OSError as error:
        raise RunError(_sentence(path, error.errno)) from error


def _sentence(path: Path, code: int | None) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: {path} could not be written. Free some space or choose another folder."
    if code in (errno.ENOTDIR, errno.EEXIST):
        return f"{path} could not be written, since a file lies in its way. Choose another folder."
    reason = os.strerror(code).lower() if code else "unknown reason"
    return f"{path} could not be written ({reason}). Choose a folder that this program may write to."

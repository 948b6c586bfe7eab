"""Weights rounded to a few bits, and what models still say with them. It knows no run and no page.

Shape suffixes: O = a layer's outputs, I = its inputs.
"""

import importlib
import importlib.metadata
import importlib.util
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from soul_core.data.schema import QARow
from soul_core.errors import ConfigError, ModelError
from soul_core.evaluation.scorecard import Examination, examine
from soul_core.events import Progress
from soul_core.models.layers import linear_layers, replace_weight, weight_of
from soul_core.models.loading import LoadedModel, copy_of
from soul_core.probing.results import RoundedScores, Rounding
from soul_core.probing.settings import RoundingConfig

FORGET, RETAIN = "forget", "retain"
_LOADING = 1
_EXAMINATION = 20  # parts of the bar for each


def rounded(weight_OI: Tensor, bits: int) -> Tensor:
    """Round to nearest, symmetric around zero, with one scale for each output: ``s * round(w / s)``.

    ``s = max|w| / (2^(bits-1) - 1)`` over the output's own weights, so that its largest weight stays as it is and the
    others move by at most ``s / 2``; ties go to the even neighbour. A row of zeros stays zero. Rounding again changes
    nothing beyond the last bit of the arithmetic.

    Args:
        weight_OI: (O, I) in fp32.
        bits: At least 2; 8 leaves 255 values, 4 leaves 15.

    Returns:
        A new (O, I) tensor of the rounded values.
    """
    if weight_OI.ndim != 2 or bits < 2:
        raise ValueError(f"expected (O, I) and 2 bits or more, got {tuple(weight_OI.shape)} and {bits}")
    levels = 2 ** (bits - 1) - 1
    scale_O = weight_OI.abs().amax(dim=1, keepdim=True) / levels
    # A row of zeros has no scale; any will do.
    scale_O = torch.where(scale_O > 0, scale_O, torch.ones_like(scale_O))
    return (weight_OI / scale_O).round_().clamp_(-levels, levels).mul_(scale_O)


def bitsandbytes_rounded(weight_OI: Tensor, bits: int) -> Tensor:
    """The same by bitsandbytes: its int8 with one scale for each output, or NF4 in blocks of 64, read back as fp32.

    Args:
        weight_OI: (O, I) on CUDA.
        bits: 8 or 4.
    """
    kernels = importlib.import_module("bitsandbytes.functional")
    if bits == 8:
        whole, scale_O = kernels.int8_vectorwise_quant(weight_OI.half())[:2]
        back: Tensor = whole.float() * (scale_O.float() / 127).unsqueeze(1)
        return back
    packed, state = kernels.quantize_4bit(weight_OI.contiguous(), quant_type="nf4")
    back = kernels.dequantize_4bit(packed, state)
    return back.float()


def require_bitsandbytes(device: torch.device) -> None:
    """Whether that library can be used.

    Raises:
        ConfigError: It is not installed, or there is no CUDA device.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            "bitsandbytes is not installed here. Install it (pip install bitsandbytes), or round plainly."
        )
    if device.type != "cuda":
        raise ConfigError(f"Rounding by bitsandbytes needs a CUDA device, and this is {device}. Round plainly.")


class Rounder:
    """Asks every model with its weights as they are and rounded, on a copy.

    Rounded are the linear layers of the blocks, which hold most weights; embeddings, the output layer, norms and
    biases stay, as usual. The rounded values are put back as fp32, so a change comes from rounding alone and not from
    other arithmetic. Zhang et al. 2024 (arXiv:2410.16454) found that rounding to 4 bits can
    bring back what was unlearned, as weights that hardly moved fall on the value they had before.

    Args:
        models: By name, how each is loaded.
        forget: Rows that were to be forgotten.
        retain: Rows that were to stay.
        config: Bits and method.
        device: Where models are.
        autocast_dtype: Reduced precision of forwards, or None.
        titles: What models are called in notes.
    """

    def __init__(
        self,
        models: Mapping[str, Callable[[], LoadedModel]],
        forget: Sequence[QARow],
        retain: Sequence[QARow],
        config: RoundingConfig,
        *,
        device: torch.device,
        autocast_dtype: torch.dtype | None = None,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        if config.method == "bitsandbytes":
            require_bitsandbytes(device)
        self._models = models
        self._sets = {FORGET: tuple(forget), RETAIN: tuple(retain)}
        self._config = config
        self._autocast_dtype = autocast_dtype
        self._titles = titles or {}
        self._round = bitsandbytes_rounded if config.method == "bitsandbytes" else rounded
        self._widths = (0, *dict.fromkeys(config.bits))
        self._scores: list[RoundedScores] = []
        self._notes: list[str] = []
        self._share = 0.0
        self._started = time.perf_counter()
        self._done = 0

    @property
    def found(self) -> Rounding:
        """All that is measured so far."""
        return Rounding(
            how=self._how,
            scores=tuple(self._scores),
            settings=self._config.model_dump(mode="json"),
            notes=tuple(self._notes),
            seconds=time.perf_counter() - self._started,
        )

    def run(self) -> Generator[Progress | RoundedScores, None, None]:
        """Ask every model at every width; each result is yielded as soon as it is there.

        Raises:
            DatasetError: A row does not fit into a model.
            ModelError: The only model cannot be loaded.
        """
        self._started = time.perf_counter()
        for name, load in self._models.items():
            yield self._progress("Loading the model", name)
            self._done += _LOADING
            try:
                loaded = load()
            except ModelError as error:
                if len(self._models) == 1:
                    raise
                self._notes.append(f"{self._titles.get(name, name)}: not rounded. {error}")
                continue
            yield from self._one(name, loaded)

    def _one(self, name: str, loaded: LoadedModel) -> Generator[Progress | RoundedScores, None, None]:
        before = linear_layers(loaded.model)
        copied = replace(loaded, model=copy_of(loaded).requires_grad_(False))
        after = linear_layers(copied.model)
        self._share = sum(layer.weight.numel() for layer in before.values()) / loaded.parameters
        for bits in self._widths:
            error = 0.0
            if bits:
                change = size = 0.0
                for key, layer in before.items():
                    weight_OI = weight_of(layer).detach()
                    new_OI = self._round(weight_OI, bits)
                    change += float((new_OI - weight_OI).double().square().sum())
                    size += float(weight_OI.double().square().sum())
                    replace_weight(after[key], new_OI)
                error = (change / size) ** 0.5 if size else 0.0
            found = yield from self._ask(name, copied, bits)
            scores = _scores(name, bits, error, found)
            self._scores.append(scores)
            yield scores

    def _ask(self, name: str, loaded: LoadedModel, bits: int) -> Generator[Progress, None, Examination]:
        before = self._done
        asking = examine(
            loaded.model,
            loaded.tokenizer,
            loaded.template,
            self._sets,
            max_new_tokens=self._config.max_new_tokens,
            autocast_dtype=self._autocast_dtype,
        )
        while True:
            try:
                asked = next(asking)
            except StopIteration as stop:
                found: Examination = stop.value
                self._done = before + _EXAMINATION
                return found
            if asked.what == "Asking questions":  # the longer part of it, and the first
                self._done = before + (_EXAMINATION - 1) * asked.done // asked.total
            yield self._progress(
                f"Asking with {bits}-bit weights" if bits else "Asking with the weights as they are", name
            )

    def _progress(self, what: str, name: str) -> Progress:
        each = _LOADING + _EXAMINATION * len(self._widths)
        return Progress(what=what, lane=name, done=self._done, total=each * len(self._models))

    @property
    def _how(self) -> str:
        layers = (
            f"the linear layers of the blocks ({self._share:.0%} of the weights)" if self._share else "linear layers"
        )
        kept = "Embeddings, output layer, norms and biases stay as they are."
        if self._config.method == "bitsandbytes":
            version = importlib.metadata.version("bitsandbytes")
            return (
                f"By bitsandbytes {version}: int8 with one scale for each output, NF4 in blocks of 64, for {layers}, "
                f"read back as fp32. {kept} This was tried with that library's CPU kernels, not with those for CUDA."
            )
        return f"Round to nearest, symmetric, one scale for each output, for {layers}; read back as fp32. {kept}"


def _scores(name: str, bits: int, error: float, found: Examination) -> RoundedScores:
    forget, retain = found.scores[FORGET], found.scores[RETAIN]
    rows = [answered for answered in found.answered if answered.set_name == FORGET]
    return RoundedScores(
        model=name,
        bits=bits,
        error=error,
        forget_acc=forget.acc,
        forget_low=forget.acc_low,
        forget_high=forget.acc_high,
        retain_acc=retain.acc,
        retain_low=retain.acc_low,
        retain_high=retain.acc_high,
        forget_probability=forget.probability,
        forget_right=tuple(answered.correct for answered in rows),
        forget_likely=tuple(answered.probability for answered in rows),
    )

"""Which device and which arithmetic to use, and how much memory went; it knows no model and no training loop.

Shape suffixes: B = rows, T = tokens, D = width, H = heads, K = width of a head, V = vocabulary.
"""

import os
import sys
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from soul_core.config import Precision
from soul_core.errors import ConfigError

PrecisionName = Literal["float32", "bfloat16"]

DEVICE_VARIABLE = "SOUL_DEVICE"
"""Environment variable; ``cpu`` in it leaves any GPU alone."""
WORTH_IT = 1.15
"""bf16 rounds, so it must be at least this many times faster to be chosen by itself."""

_ROWS, _TOKENS, _HIDDEN, _HEADS, _INNER, _VOCABULARY = 8, 32, 256, 8, 704, 3072
_BLOCKS, _PAIRS = 1, 3
# The measurement changes the process's number of threads for a moment, so two at once would restore a wrong one.
_measuring = threading.Lock()


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """The arithmetic of forward and backward, as a run records it, and why, in a sentence for the page.

    Weights, gradients and optimizer states are fp32 either way.
    """

    name: PrecisionName
    sentence: str

    @property
    def dtype(self) -> torch.dtype | None:
        """For ``torch.autocast``; None for none."""
        return torch.bfloat16 if self.name == "bfloat16" else None


def pick_device() -> torch.device:
    """CUDA if there is one, else Apple's GPU, else the CPU; the CPU where ``SOUL_DEVICE`` says so."""
    if os.environ.get(DEVICE_VARIABLE) == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_precision(precision: Precision, device: torch.device) -> PrecisionChoice:
    """Turn a setting into arithmetic; ``auto`` measures on a CPU, once per process.

    The measurement can come out differently another time, so a run must record the name it was given and a resumed
    run must ask for that name instead of ``auto``.

    Raises:
        ConfigError: bf16 is asked of a device that does not have it.
    """
    if precision == "float32":
        return PrecisionChoice("float32", "fp32 arithmetic, as chosen.")
    if precision == "bfloat16":
        require_bf16(device, "Precision is", "auto or float32")
        return PrecisionChoice("bfloat16", "bf16 arithmetic with fp32 weights, as chosen.")
    if device.type == "cuda":
        if has_bf16(device):
            return PrecisionChoice("bfloat16", "bf16 arithmetic with fp32 weights: this GPU has it in hardware.")
        return PrecisionChoice("float32", "fp32 arithmetic: this GPU has no bf16 in hardware.")
    if device.type != "cpu":
        return PrecisionChoice("float32", f"fp32 arithmetic: bf16 was not measured on {device.type}.")
    return verdict(bf16_speedup())


def has_bf16(device: torch.device) -> bool:
    """Whether the device calculates in bf16; a CPU always does, if slowly."""
    if device.type == "cuda":
        # Emulated bf16 exists on older cards and is slower than fp32.
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type != "mps" or bool(torch.backends.mps.is_macos_or_newer(14, 0))


def require_bf16(device: torch.device, what: str, instead: str) -> None:
    """A sentence for whoever asked for bf16 where there is none.

    Raises:
        ConfigError: The device has no bf16.
    """
    if not has_bf16(device):
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"this {device.type} device"
        raise ConfigError(f"{what} bfloat16, which {name} does not have in hardware. Choose {instead}.")


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """What ``choose_precision`` chose, for ``torch.autocast``; None for fp32."""
    return choose_precision(precision, device).dtype


def verdict(speedup: float) -> PrecisionChoice:
    """The choice for a measured speed of bf16 relative to fp32."""
    if speedup >= WORTH_IT:
        return PrecisionChoice("bfloat16", f"bf16 arithmetic with fp32 weights: {speedup:.1f}× faster here.")
    if speedup >= 1:
        return PrecisionChoice("float32", f"fp32 arithmetic: bf16 is only {speedup:.2f}× as fast here.")
    return PrecisionChoice("float32", f"fp32 arithmetic: bf16 is {1 / speedup:.1f}× slower here.")


def bf16_speedup() -> float:
    """How many times faster this CPU is in bf16; measured once, whoever asks meanwhile waits."""
    with _measuring:
        return _bf16_speedup()


@lru_cache(maxsize=1)
def _bf16_speedup() -> float:
    """How many times faster this CPU is in bf16, on training steps of a model with the pocket model's widths."""
    weights = _weights()
    tokens_BT = torch.arange(_ROWS * _TOKENS).remainder(_VOCABULARY).view(_ROWS, _TOKENS)

    def seconds(*, bf16: bool) -> float:
        # Of this thread rather than of the clock on the wall: other programs would decide the outcome.
        start = time.thread_time()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            logits_BTV = _forward(weights, tokens_BT)
        loss = F.cross_entropy(logits_BTV.float().flatten(0, 1), tokens_BT.flatten())
        torch.autograd.grad(loss, [tensor for block in weights for tensor in block])
        return time.thread_time() - start

    # On one core, since a core that another program takes away would hold up all others.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # The first of each kind sets up what later ones reuse.
        _, *pairs = [(seconds(bf16=False), seconds(bf16=True)) for _ in range(_PAIRS)]
    finally:
        torch.set_num_threads(threads)
    return min(full for full, _ in pairs) / min(half for _, half in pairs)


def _weights() -> list[list[Tensor]]:
    # Made without nn.init, which would draw from the process's own random numbers.
    generator = torch.Generator().manual_seed(0)

    def matrix(outputs: int, inputs: int) -> Tensor:
        return torch.randn(outputs, inputs, generator=generator).mul_(0.02).requires_grad_()

    block = [(3 * _HIDDEN, _HIDDEN), (_HIDDEN, _HIDDEN), (2 * _INNER, _HIDDEN), (_HIDDEN, _INNER)]
    return [[matrix(*shape) for shape in block] for _ in range(_BLOCKS)] + [[matrix(_VOCABULARY, _HIDDEN)]]


def _forward(weights: list[list[Tensor]], tokens_BT: Tensor) -> Tensor:
    """A plain transformer: what matters is the share of each kind of work, not what comes out."""
    *blocks, (head,) = weights
    hidden_BTD = F.embedding(tokens_BT, head)
    for qkv, out, up, down in blocks:
        heads_3BHTK = F.linear(_norm(hidden_BTD), qkv).view(_ROWS, _TOKENS, 3, _HEADS, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads_3BHTK.unbind()
        attended_BHTK = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        hidden_BTD = hidden_BTD + F.linear(attended_BHTK.transpose(1, 2).flatten(2), out)
        hidden_BTD = hidden_BTD + F.linear(F.glu(F.linear(_norm(hidden_BTD), up)), down)
    return F.linear(_norm(hidden_BTD), head)


def _norm(hidden_BTD: Tensor) -> Tensor:
    return F.rms_norm(hidden_BTD, (_HIDDEN,))


def memory_mb(device: torch.device) -> float:
    """Most memory used so far, in MiB: of this process on the CPU, of tensors on a GPU."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    if device.type == "mps":
        return float(torch.mps.driver_allocated_memory()) / 2**20
    return _peak_resident_mb()


if sys.platform == "win32":
    import psutil

    def _peak_resident_mb() -> float:
        return float(psutil.Process().memory_info().peak_wset) / 2**20

else:
    import resource

    def _peak_resident_mb() -> float:
        # In bytes on macOS, in KiB elsewhere.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20

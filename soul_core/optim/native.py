"""Optimizer steps as one pass over memory on the CPU, compiled in a fraction of a second. It knows no optimizer class.

A step put together from torch's operations reads and writes each number about ten times. This loop reads weight,
momentum, curvature and gradient once. Every operation is rounded as torch rounds it, so that the weights are the same
bit for bit with a compiler and without one; no machine needs to have one.
"""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
THREADS = ("-fopenmp", "-fopenmp-simd")
"""The first that the compiler takes: torch's own threads, or one."""
SECONDS = 30.0
"""How long a compiler may take: it needs 0.2 s."""

SHARE = 1 << 16
"""Coordinates below which a thread of its own costs more than it saves."""

_SOURCE = r"""
#include <math.h>
#include <stdint.h>

enum { PIECE = 4096 };  /* summed in float, which the vector units add fastest; sums of sums in double */

typedef struct { float *p, *m, *h; const float *g; int64_t size; } Row;

/* What torch.lerp computes: from the nearer end. */
static inline float lerp(float from, float to, float weight) {
    return fabsf(weight) < 0.5f ? fmaf(weight, to - from, from) : fmaf(weight - 1.0f, to - from, to);
}

static void step_row(const Row *row, int64_t i, int64_t last, float lr, float weight, float rho, float decay,
                     float eps, double *sums) {
    float *restrict p = row->p, *restrict m = row->m;
    const float *restrict h = row->h, *restrict g = row->g;
    while (i < last) {
        const int64_t end = i + PIECE < last ? i + PIECE : last;
        float clipped = 0, squares = 0;
        #pragma omp simd reduction(+ : clipped, squares)
        for (int64_t k = i; k < end; k++) {
            const float average = lerp(m[k], g[k], weight), curvature = rho * h[k];
            const float ratio = average / (curvature < eps ? eps : curvature);
            float move = ratio > 1.0f ? 1.0f : ratio < -1.0f ? -1.0f : ratio;
            clipped += fabsf(move) >= 1.0f ? 1.0f : 0.0f;
            move = decay ? fmaf(p[k], decay, move) : move;
            squares += move * move;
            m[k] = average;
            p[k] = fmaf(move, -lr, p[k]);
        }
        sums[0] += clipped;
        sums[1] += squares;
        i = end;
    }
}

static void fold_row(const Row *row, int64_t i, int64_t last, float weight, float factor) {
    float *restrict h = row->h;
    const float *restrict g = row->g;
    #pragma omp simd
    for (int64_t k = i; k < last; k++) h[k] = lerp(h[k], factor ? g[k] * g[k] * factor : g[k], weight);
}

/* What Adam moves by, in units of its scale: h holds the average of squares, and decay is of the weights after it. */
static void measure_row(const Row *row, int64_t i, int64_t last, float decay, float eps, double *sum) {
    const float *restrict p = row->p, *restrict m = row->m, *restrict h = row->h;
    while (i < last) {
        const int64_t end = i + PIECE < last ? i + PIECE : last;
        float squares = 0;
        #pragma omp simd reduction(+ : squares)
        for (int64_t k = i; k < end; k++) {
            const float move = m[k] / (sqrtf(h[k]) + eps) + decay * p[k];
            squares += move * move;
        }
        *sum += squares;
        i = end;
    }
}

/* Coordinates first to last of all rows laid end to end; sums gets clipped coordinates and squared moves, in lr. */
static void step_share(const Row *rows, int64_t first, int64_t last, float lr, float weight, float rho, float decay,
                       float eps, double *sums) {
    for (int64_t at = 0; at < last; at += rows++->size) {
        const int64_t begin = first > at ? first - at : 0, end = last - at < rows->size ? last - at : rows->size;
        if (begin < end) step_row(rows, begin, end, lr, weight, rho, decay, eps, sums);
    }
}

static void measure_share(const Row *rows, int64_t first, int64_t last, float decay, float eps, double *sum) {
    for (int64_t at = 0; at < last; at += rows++->size) {
        const int64_t begin = first > at ? first - at : 0, end = last - at < rows->size ? last - at : rows->size;
        if (begin < end) measure_row(rows, begin, end, decay, eps, sum);
    }
}

static void fold_share(const Row *rows, int64_t first, int64_t last, float weight, float factor) {
    for (int64_t at = 0; at < last; at += rows++->size) {
        const int64_t begin = first > at ? first - at : 0, end = last - at < rows->size ? last - at : rows->size;
        if (begin < end) fold_row(rows, begin, end, weight, factor);
    }
}

/* Split between threads; each has sums of its own, which are added up in their order. */
#define EACH_SHARE _Pragma("omp parallel for num_threads(threads) schedule(static, 1)") \
    for (int i = 0; i < threads; i++)
#define SHARE total * i / threads, total * (i + 1) / threads

void step(const Row *rows, int64_t total, int threads, float lr, float weight, float rho, float decay, float eps,
          double *sums) {
    EACH_SHARE step_share(rows, SHARE, lr, weight, rho, decay, eps, sums + 2 * i);
}

void measure(const Row *rows, int64_t total, int threads, float decay, float eps, double *sums) {
    EACH_SHARE measure_share(rows, SHARE, decay, eps, sums + i);
}

void fold(const Row *rows, int64_t total, int threads, float weight, float factor) {
    EACH_SHARE fold_share(rows, SHARE, weight, factor);
}
"""


def _compiled(compiler: str) -> ctypes.CDLL | None:
    with tempfile.TemporaryDirectory(prefix="soul-native-", ignore_cleanup_errors=True) as place:
        source, built = Path(place, "steps.c"), Path(place, "steps.so")
        source.write_text(_SOURCE, encoding="utf-8")
        for threads in THREADS:
            words = [compiler, *FLAGS, threads, "-shared", "-fPIC", str(source), "-o", str(built), "-lm"]
            try:
                subprocess.run(words, check=True, capture_output=True, timeout=SECONDS)  # noqa: S603 - our own source
                return ctypes.CDLL(str(built))
            except (OSError, subprocess.SubprocessError):
                continue
    return None


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled loops; None where no C compiler is found or it fails."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return None
    try:
        found = _compiled(compiler)
    except OSError:  # a full disk
        return None
    if found is None:
        return None
    rows, count, how_many, number = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_float
    found.step.argtypes = [rows, count, how_many, *[number] * 5, ctypes.c_void_p]
    found.fold.argtypes = [rows, count, how_many, number, number]
    found.measure.argtypes = [rows, count, how_many, number, number, ctypes.c_void_p]
    found.step.restype = found.fold.restype = found.measure.restype = None
    return found


def fits(weights: Sequence[Tensor], *states: Sequence[Tensor]) -> bool:
    """Whether the loops can work on these: fp32 on the CPU, in one piece. States are where their weights are."""
    # Lists rather than generators, here and below: beside a step of 3 ms, half a millisecond of Python counts.
    columns = (weights, *states)
    whole = all([x.dtype is torch.float32 and x.is_contiguous() for column in columns for x in column])  # noqa: C419
    return whole and all([x.is_cpu for x in weights])  # noqa: C419


def step(
    weights: Sequence[Tensor],
    momenta: Sequence[Tensor],
    curvatures: Sequence[Tensor],
    gradients: Sequence[Tensor],
    *,
    lr: float | Tensor,
    beta1: float,
    rho: float,
    weight_decay: float,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Sophia's step in place.

    Returns:
        How many coordinates were clipped, and the sum of the squared moves in units of ``lr``; both 0-dim.
    """
    compiled = library()
    if compiled is None:
        raise ValueError("no C compiler was found; ask library() before")
    rows = _rows(weights, momenta, curvatures, gradients)
    total = sum(rows[4::5])
    threads = _threads(total)
    sums = (ctypes.c_double * (2 * threads))()
    compiled.step(rows, total, threads, float(lr), 1 - beta1, rho, weight_decay, eps, sums)
    return torch.tensor(sum(sums[0::2])), torch.tensor(sum(sums[1::2]))


def fold(curvatures: Sequence[Tensor], gradients: Sequence[Tensor], *, beta2: float, factor: float | None) -> None:
    """``h <- beta2 h + (1 - beta2) factor g^2`` in place; without a factor, the estimates are taken as they are."""
    compiled = library()
    if compiled is None:
        raise ValueError("no C compiler was found; ask library() before")
    rows = _rows(curvatures, curvatures, curvatures, gradients)
    total = sum(rows[4::5])
    compiled.fold(rows, total, _threads(total), 1 - beta2, factor or 0.0)


def measure(
    weights: Sequence[Tensor], momenta: Sequence[Tensor], squares: Sequence[Tensor], *, decay: float, eps: float
) -> Tensor:
    """The sum of ``(m / (sqrt(v) + eps) + decay * p)^2`` over all coordinates, 0-dim; nothing is written."""
    compiled = library()
    if compiled is None:
        raise ValueError("no C compiler was found; ask library() before")
    rows = _rows(weights, momenta, squares, weights)
    total = sum(rows[4::5])
    threads = _threads(total)
    sums = (ctypes.c_double * threads)()
    compiled.measure(rows, total, threads, decay, eps, sums)
    return torch.tensor(sum(sums))


def _rows(*columns: Sequence[Tensor]) -> ctypes.Array[ctypes.c_int64]:
    """The C struct ``Row`` of each parameter: four addresses and a size, of eight bytes each."""
    words = [
        word
        for p, m, h, g in zip(*columns, strict=True)
        for word in (p.data_ptr(), m.data_ptr(), h.data_ptr(), g.data_ptr(), p.numel())
    ]
    return (ctypes.c_int64 * len(words))(*words)


def _threads(size: int) -> int:
    """As many threads as torch would use for so many coordinates."""
    return max(1, min(torch.get_num_threads(), size // SHARE))

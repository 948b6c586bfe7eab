import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from soul_core.optim import fused, native

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
ROOT = Path(__file__).parents[2]
COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from soul_core.optim import kernels

def compiled(function, kinds, constants, arch):
    signature = {name: kinds.get(name, "constexpr") for name in function.arg_names}
    aligned = {(i,): [["tt.divisibility", 16]] for i, name in enumerate(function.arg_names)
               if kinds.get(name, "").startswith("*") or name == "size"}
    source = ASTSource(function, signature, constants, aligned)
    return triton.compile(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": kernels.WARPS}).asm["ptx"]

numbers = dict.fromkeys(("weight", "rho", "decay", "eps", "factor"), "fp32")
for arch in (80, 90):
    for weight, gradient, size in (("fp32", "fp32", "i64"), ("bf16", "bf16", "i32"), ("bf16", "fp32", "i32")):
        kinds = {"p_N": "*" + weight, "g_N": "*" + gradient, "m_N": "*fp32", "h_N": "*fp32", "lr": "*fp32",
                 "seeds": "*i64", "partials": "*fp32", "slot": "i32", "first": "i32", "programs": "i32", "size": size}
        constants = {"BLOCK": kernels.BLOCK, "ROUND": weight == "bf16", "DECAY": True}
        code = compiled(kernels.sophia_step, kinds | numbers, constants, arch)
        assert ".v4" in code and "ld.local" not in code, "loads of 16 bytes, and nothing spilled"
        compiled(kernels.curvature_update, {"h_N": "*fp32", "g_N": "*" + gradient, "size": size} | numbers,
                 {"BLOCK": kernels.BLOCK, "SQUARE": True}, arch)
print("compiled")
"""


def outside(words, **environment):
    """A process of its own, because Triton decides when it is imported whether it interprets."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TRITON_")}
    return subprocess.run(  # noqa: S603 - our own tests
        [sys.executable, *words], cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False
    )


@needs_triton
def test_in_tritons_interpreter_the_kernels_do_what_the_reference_does():
    done = outside(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/optim/kernel_cases.py"], TRITON_INTERPRET="1"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_triton
def test_the_kernels_compile_for_gpus_of_two_generations_without_one(tmp_path):
    # Triton brings the assembler; its cache is the test's own, so that what is compiled is what is written here.
    done = outside(["-c", COMPILE], TRITON_CACHE_DIR=str(tmp_path))
    assert done.stdout.strip() == "compiled", done.stdout + done.stderr


def test_kernels_are_chosen_by_device_and_need_triton_on_cuda(monkeypatch):
    choose = fused._on.__wrapped__
    assert choose("cpu") in (native, None)
    assert choose("mps") is None
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert choose("cuda") is None

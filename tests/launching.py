"""Starts a module of the tests in several processes that meet over gloo on the CPU. It knows no test."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def launch(module: str, *arguments: str, processes: int = 2, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module`` in each process, to its end."""
    # Standalone finds itself a free port, so that tests can run side by side.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return subprocess.run(  # noqa: S603
        [*command, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "SOUL_DEVICE": "cpu", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

"""What the figures of a benchmark hold for. It measures nothing."""

import os
import platform
from typing import Any

import torch

from soul_core.runs.manifest import installed_versions


def machine() -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": installed_versions(),
    }

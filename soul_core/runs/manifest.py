"""What must be known to repeat a run: settings, versions, machine, hashes. It knows no folder."""

import hashlib
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from pydantic import BaseModel, ConfigDict

from soul_core.config import RaceConfig

PACKAGES = ("torch", "transformers", "safetensors", "tokenizers", "numpy", "rouge-score", "pydantic")


class Manifest(BaseModel):
    """Written before anything else; the race adds what it learns on the way. Unknown fields are skipped.

    Attributes:
        owner: SHA-256 of the token of the browser that started the run; empty for the command line.
        data_hash: SHA-256 over the rows that were trained on and asked.
        model_fingerprint: SHA-256 of the original's weights.
        precision: What ``auto`` came out as; a resumed run uses the same.
        threads: CPU threads of the arithmetic; another number may change the last bits.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    created: str
    config: RaceConfig
    versions: dict[str, str] = {}
    platform: str = ""
    python: str = ""
    owner: str = ""
    command: str = ""
    data_hash: str = ""
    model_fingerprint: str = ""
    gold: str = ""
    gold_fingerprint: str = ""
    device: str = ""
    precision: str = ""
    threads: int = 0
    matcher: str = ""

    def but(self, **changes: Any) -> "Manifest":
        """A copy with some fields changed."""
        return self.model_copy(update=changes)


def new_manifest(run_id: str, config: RaceConfig, *, owner: str = "") -> Manifest:
    """What is known before the race begins."""
    return Manifest(
        run_id=run_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=config,
        versions=installed_versions(),
        platform=platform.platform(),
        python=sys.version.split()[0],
        owner=owner_mark(owner),
    )


def owner_mark(owner: str) -> str:
    """What stands in the manifest for an owner's token, so that the file does not give the token away."""
    return hashlib.sha256(owner.encode()).hexdigest() if owner else ""


def installed_versions() -> dict[str, str]:
    """Versions of the packages that can change a number, without importing them."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

"""Where a run keeps what probes found: one JSON file a kind, in ``probes/`` of its folder. It knows no model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from soul_core.errors import RunError
from soul_core.probing.results import Bench, Inspection, Relearning, Rounding
from soul_core.runs.atomic import disk_errors_as_sentences, write_text

PROBES = "probes"
Finding = Bench | Relearning | Rounding | Inspection
KINDS: Mapping[str, type[Finding]] = {
    "bench": Bench,
    "relearn-forget": Relearning,
    "relearn-retain": Relearning,
    "rounding": Rounding,
    "inspection": Inspection,
}
"""Name of the file, without its suffix, and what is in it."""
MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbesRead:
    """Everything that was found and can be read, by its kind, and a sentence for each that cannot."""

    found: Mapping[str, Finding] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


class ProbeFolder:
    """Reads and writes what probes of one run found; the folder is made when the first is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, finding: Finding) -> Path:
        """Keep a finding in place of the last of its kind, all of it or nothing."""
        path = self.path / f"{kind_of(finding)}.json"
        with disk_errors_as_sentences(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(path, TypeAdapter(type(finding)).dump_json(finding).decode())
        return path

    def read(self, kind: str) -> Finding | None:
        """The last finding of that kind; None where there is none.

        Raises:
            RunError: There is one and it cannot be read.
        """
        path = self.path / f"{kind}.json"
        with disk_errors_as_sentences(self.path):
            if not path.is_file():
                return None
            if path.stat().st_size > MAX_BYTES:
                raise RunError(f"{path} is larger than any probe's result ({MAX_BYTES >> 20} MB). Remove it.")
            text = path.read_bytes()
        try:
            return TypeAdapter(KINDS[kind]).validate_json(text)
        except ValidationError as error:
            raise RunError(f"{path} cannot be read: it is damaged or no result of a probe. Probe again.") from error

    def read_all(self) -> ProbesRead:
        """Every finding; one that is damaged hides no other."""
        found, troubles = {}, []
        for kind in KINDS:
            try:
                finding = self.read(kind)
            except RunError as error:
                troubles.append(str(error))
            else:
                if finding is not None:
                    found[kind] = finding
        return ProbesRead(found=found, troubles=tuple(troubles))

    def signature(self) -> tuple[tuple[str, int], ...]:
        """What is there, in a form that changes with it."""
        try:
            return tuple((path.name, path.stat().st_mtime_ns) for path in sorted(self.path.glob("*.json")))
        except OSError:
            return ()


def probes_of(run: Path) -> ProbeFolder:
    """What probes of a run found, by the run's own folder."""
    return ProbeFolder(run / PROBES)


def kind_of(finding: Finding) -> str:
    """The name of a finding's file."""
    if isinstance(finding, Relearning):
        return f"relearn-{finding.on}"
    return next(kind for kind, made in KINDS.items() if type(finding) is made)

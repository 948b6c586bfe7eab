"""A verdict for each lane of a run from all that its probes found. It knows no rule and no page."""

from collections.abc import Mapping
from dataclasses import replace

from soul_core.probing.results import Bench, Inspection, ProbeVerdict, Relearning
from soul_core.probing.verdict import verdicts
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import Finding, probes_of
from soul_core.runs.summary import summarise
from soul_core.session.probed import epochs_of


def verdicts_of_run(folder: RunFolder) -> tuple[ProbeVerdict, ...]:
    """Judge every lane by the race's last scores and by what its probes found.

    Only what was found on a lane's present weights counts: an attack bench of an earlier epoch is not read, and where
    a race went on after a probe, neither is what the probe found of its lanes. A damaged finding counts as none.

    Raises:
        RunError: The folder holds no run.
    """
    config, summary = folder.config, summarise(folder.events())
    epochs = epochs_of(summary)
    scores = {name: report.scores for name in summary.reports if (report := summary.last(name)) is not None}
    read = probes_of(folder.path).read_all().found
    found = {kind: fresh for kind, finding in read.items() if (fresh := _fresh(finding, epochs)) is not None}
    titles = {lane.name: lane.label for lane in config.lanes}
    return verdicts(found, scores, tuple(titles), titles=titles)


def _fresh(finding: Finding, epochs: Mapping[str, int]) -> Finding | None:
    """What of a finding is about weights as they are now; None where nothing is."""
    if isinstance(finding, Inspection):
        return None
    if isinstance(finding, Bench) and finding.epoch is not None and any(finding.epoch < at for at in epochs.values()):
        return None
    then = finding.settings.get("epochs")
    old = {lane for lane, at in epochs.items() if isinstance(then, Mapping) and then.get(lane, at) != at}
    if isinstance(finding, Bench):
        return replace(finding, results=tuple(cell for cell in finding.results if cell.model not in old))
    if isinstance(finding, Relearning):
        return replace(finding, points=tuple(point for point in finding.points if point.model not in old))
    return replace(finding, scores=tuple(score for score in finding.scores if score.model not in old))

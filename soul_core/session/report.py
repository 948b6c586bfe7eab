"""The report of a run, made of all that its folder holds at that moment. It trains nothing and asks nothing."""

from collections.abc import Callable, Iterable

from soul_core.config import RaceConfig
from soul_core.errors import ConfigError, RunError
from soul_core.events import EpochReport, Event
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.folder import RunFolder
from soul_core.runs.marks import read_marks
from soul_core.runs.probes import probes_of
from soul_core.runs.report import report_html
from soul_core.runs.scores import scores_of
from soul_core.runs.summary import RaceSummary, summarise
from soul_core.session.command import command_of
from soul_core.session.probe_verdict import verdicts_of_run
from soul_core.session.share import query_of
from soul_core.session.verdict import verdict_of


def report_of(folder: RunFolder) -> str:
    """One self-contained HTML file of a run: what was measured, scored and probed until now, and how to repeat it.

    A run that has not come to its end has a report too, which says so.

    Raises:
        RunError: The folder holds no run, or nothing has been measured yet.
    """
    events = folder.events()
    if not any(isinstance(event, EpochReport) for event in events):
        raise RunError(
            f"There is nothing to report of the run “{folder.run_id[:80]}”: no model has been measured yet. "
            "Wait until it has answered its first questions, or resume it."
        )
    return report_from(folder, events, folder.answers())


def report_from(folder: RunFolder, events: Iterable[Event], answers: AnswerSheet) -> str:
    """The same from events and answers that may be newer than those on disk; nothing measured is no error here."""
    events = list(events)
    manifest, summary, probes = folder.manifest(), summarise(events), probes_of(folder.path).read_all()
    if not manifest.command:
        manifest = manifest.but(command=_or_nothing(command_of, manifest.config))
    return report_html(
        summary,
        manifest,
        answers,
        verdict_of(summary),
        events=events,
        scores=scores_of(folder.path).read_all(),
        probes=probes,
        probe_verdicts=verdicts_of_run(folder) if probes.found else (),
        marks=read_marks(folder),
        query=_or_nothing(query_of, manifest.config),
        unfinished=unfinished(summary),
    )


def unfinished(summary: RaceSummary) -> str:
    """One sentence on a race that has not come to its end; empty for one that has."""
    ended = summary.ended
    if ended is not None and ended.status == "finished":
        return ""
    reached = [max(summary.reports.get(lane, {0: None})) for lane in summary.lanes]
    total = f" of {summary.started.config['epochs']}" if summary.started else ""
    epoch = f"epoch {min(reached, default=0)}{total}"
    if ended is None:
        return f"Unfinished: this race is running or was interrupted. This is what was measured, up to {epoch}."
    if ended.status == "stopped":
        return f"Unfinished: this race was stopped after {epoch}. This is what was measured until then."
    return f"Unfinished: this race failed after {epoch}. {ended.message}"


def _or_nothing(said: Callable[[RaceConfig], str], config: RaceConfig) -> str:
    """What can be said of the settings; nothing where an objective of the person's own is not loaded."""
    try:
        return said(config)
    except ConfigError:
        return ""

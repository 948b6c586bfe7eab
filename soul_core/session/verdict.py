"""What a race came to, in one plain sentence made of its numbers. It knows no files and no models."""

from collections.abc import Iterable

from soul_core.events import Event, SetScores
from soul_core.runs.summary import RaceSummary, summarise

# More than this share of the retain questions lost is said with a "but".
_COSTLY = 0.05


def verdict(events: Iterable[Event]) -> str:
    """One sentence such as “SO forgot 88 of 100, retain lost 1 of 120; FO forgot 41, retain lost 1.”"""
    return verdict_of(summarise(events))


def verdict_of(summary: RaceSummary) -> str:
    """The same from a summary. A lane forgot as many answers as it gets right fewer than before it began."""
    lanes = [lane for lane in summary.lanes if _measured(summary, lane)]
    if not lanes:
        return "Nothing was measured: no lane finished an epoch." if summary.ended else "Nothing is measured yet."
    lanes.sort(key=lambda lane: -_lost(summary, lane, "forget"))
    parts = [_lane(summary, lane, first=lane == lanes[0]) for lane in lanes]
    parts += [f"{summary.label(lane)} {_unmeasured(summary, lane)}" for lane in summary.lanes if lane not in lanes]
    sentence = "; ".join(parts) + _told_apart(summary, lanes) + _gold(summary)
    return f"{_when(summary, lanes)}{sentence}."


def _when(summary: RaceSummary, lanes: list[str]) -> str:
    reached = [report.epoch for lane in lanes if (report := summary.last(lane)) is not None]
    total = int(summary.started.config.get("epochs", 0)) if summary.started else 0
    if summary.ended is None or summary.ended.status != "finished":
        state = "So far" if summary.ended is None else "Stopped" if summary.ended.status == "stopped" else "Cut short"
        return f"{state}, after epoch {min(reached)} of {total or max(reached)}: "
    return ""


def _lane(summary: RaceSummary, lane: str, *, first: bool) -> str:
    label = summary.label(lane)
    if _diverged(summary, lane):
        report = summary.last(lane)
        label += f" diverged after epoch {report.epoch if report else 0}; until then it"
    lost, rows = _lost(summary, lane, "forget"), _rows(summary, lane, "forget")
    if lost < 0:
        said = f"{label} knows {-lost} more of {rows} than before"
    else:
        said = f"{label} forgot {'none' if lost == 0 else lost}{f' of {rows}' if first or lost == 0 else ''}"
    kept = _rows(summary, lane, "retain")
    if not kept:
        return said
    cost = _lost(summary, lane, "retain")
    of = f" of {kept}" if first else ""
    if cost == 0:
        return f"{said}, retain lost none"
    if cost < 0:
        return f"{said}, retain gained {-cost}{of}"
    return f"{said}, {'but ' if cost > _COSTLY * kept and lost > 0 else ''}retain lost {cost}{of}"


def _told_apart(summary: RaceSummary, lanes: list[str]) -> str:
    """Whether the 95 % intervals of FO and SO keep apart, on what is forgotten and on what is kept."""
    pair = [lane for lane in lanes if lane in ("fo", "so")] or lanes
    if len(pair) < 2 or not _overlap(summary, pair, "forget"):
        return ""
    names = " and ".join(sorted(summary.label(lane) for lane in pair[:2]))
    where = "" if _overlap(summary, pair, "retain") else "in forgetting, "
    return f" ({where}no difference that the intervals can tell apart between {names})"


def _overlap(summary: RaceSummary, pair: list[str], name: str) -> bool:
    first, second = (summary.score(lane, name) for lane in pair[:2])
    if first is None or second is None:
        return True
    return first.acc_high >= second.acc_low and second.acc_high >= first.acc_low


def _gold(summary: RaceSummary) -> str:
    scores = summary.score("gold")
    return f"; gold, which never learned them, gets {_right(scores)} of {scores.rows} right" if scores else ""


def _diverged(summary: RaceSummary, lane: str) -> bool:
    return lane in summary.ends and summary.ends[lane].status == "diverged"


def _unmeasured(summary: RaceSummary, lane: str) -> str:
    if _diverged(summary, lane):
        return "diverged before its first epoch ended"
    return "is in its first epoch" if summary.ended is None else "stopped before its first epoch ended"


def _measured(summary: RaceSummary, lane: str) -> bool:
    report = summary.last(lane)
    return report is not None and report.epoch > 0 and "forget" in report.scores


def _before(summary: RaceSummary, lane: str, name: str) -> SetScores | None:
    start = summary.reports.get(lane, {}).get(0)
    return start.scores.get(name) if start else summary.score("original", name)


def _right(scores: SetScores) -> int:
    return round(scores.acc * scores.rows)


def _lost(summary: RaceSummary, lane: str, name: str) -> int:
    before, after = _before(summary, lane, name), summary.score(lane, name)
    return _right(before) - _right(after) if before and after else 0


def _rows(summary: RaceSummary, lane: str, name: str) -> int:
    scores = summary.score(lane, name)
    return scores.rows if scores else 0

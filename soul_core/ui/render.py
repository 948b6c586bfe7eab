"""The race panel's markup from what is known of a race: pure functions. They know no component and no job."""

from html import escape

from soul_core.evaluation.matchers import MATCHERS
from soul_core.events import SetScores
from soul_core.ui import text
from soul_core.ui.glossary import RACE_TERMS, TERMS
from soul_core.ui.html import swatch, term
from soul_core.ui.snapshot import Status
from soul_core.ui.track import LaneTrack, RaceTrack

COLUMNS = ("Forget", "Retain", "ROUGE-L", "Probability", "Real / world", "Clip share", "Grad norm", "Seconds")


def progress_html(status: Status) -> str:
    """The progress bar with what is happening now; the same height in every state."""
    what = text.STATES[status.state]
    if status.state == "queued":
        what = text.queue_place(status.ahead)
    elif status.state == "running":
        what = status.now or what
    elif status.state == "paused" and status.now:
        what = f"{what} {status.now}"
    times = text.time_line(status.elapsed, status.left)
    share = f"{status.fraction * 100:.0f}"
    return (
        f'<div class="soul-progress" data-state="{status.state}" data-announce="{escape(announced(status, what))}">'
        f'<progress max="100" value="{share}" aria-label="{escape(text.PROGRESS)}">{share} %</progress>'
        f'<div class="soul-progress-line"><span class="soul-now">{escape(what)}</span>'
        f'<span class="soul-times">{escape(times)}</span><span class="soul-share">{share} %</span></div></div>'
    )


def announced(status: Status, what: str) -> str:
    """What a screen reader is told: a state once, and of a running job every tenth of it; each step would be noise."""
    if status.state == "idle":
        return ""
    return text.running_at(int(status.fraction * 10) * 10) if status.state == "running" else what


def legend_html(track: RaceTrack) -> str:
    """Which line is which."""
    lanes = list(track.lanes) or ["original", "fo", "so", "gold"]
    items = []
    for name in sorted(lanes, key=lambda lane: (lane == "gold", lane != "original")):
        lane = track.lanes.get(name) or LaneTrack(name=name, label=text.LANE_LABELS[name])
        meaning = text.ONCE.get(lane.kind) or text.LANE_MEANING.get(name, "")
        word = term(text.LANE_LABELS.get(name, lane.label), lane.label)
        items.append(f"<li>{_swatch(lane)}<b>{word}</b> <span>{escape(meaning)}</span></li>")
    return f'<ul class="soul-legend">{"".join(items)}</ul>'


def verdict_html(verdict: str, track: RaceTrack) -> str:
    """The verdict, then a line for each lane that has something to say of how it went."""
    body = f'<p class="soul-verdict">{escape(verdict or text.VERDICT_EMPTY)}</p>'
    for lane in track.lanes.values():
        if lane.message:
            said = f"{_swatch(lane)} <b>{escape(lane.label)}</b> {escape(lane.message)}"
            body += f'<p class="soul-lane-message">{said}</p>'
    return f'<div class="soul-verdict-box">{body}</div>'


def numbers_html(track: RaceTrack) -> str:
    """The last numbers of every lane as a table."""
    head = "".join(f'<th scope="col">{term(name)}</th>' for name in COLUMNS)
    rows = "".join(_row(lane) for lane in track.in_order())
    if not rows:
        rows = f'<tr><td colspan="{len(COLUMNS) + 1}" class="soul-muted">{escape(text.CHART_EMPTY)}</td></tr>'
    return (
        f'<div class="soul-table-wrap" tabindex="0" role="region" aria-label="{escape(text.NUMBERS_TITLE)}">'
        f'<table class="soul-table"><caption>{escape(text.NUMBERS_TITLE)}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def measured_html(track: RaceTrack) -> str:
    """How the numbers come about, as far as this race has said it, and every term in one sentence."""
    lead = ""
    if track.started:
        said = (text.measured(nearness(track.started.matcher), track.started.eval_rows), *track.started.notes)
        lead = "".join(f"<p>{escape(sentence)}</p>" for sentence in said)
    terms = "".join(f"<dt>{escape(word)}</dt><dd>{escape(TERMS[word])}</dd>" for word in RACE_TERMS)
    return f'<div class="soul-measured">{lead}<dl>{terms}</dl></div>'


def _swatch(lane: LaneTrack) -> str:
    return swatch(lane.name, lane.position, line=not lane.once)


def _row(lane: LaneTrack) -> str:
    forget, retain = lane.last.get("forget"), lane.last.get("retain")
    trained = bool(lane.steps)
    cells = [
        _acc(forget),
        _acc(retain),
        _pair(forget, retain, "rouge_l"),
        _pair(forget, retain, "probability"),
        _pair(lane.last.get("real_authors"), lane.last.get("world_facts"), "acc"),
        text.percent(lane.clip_share) if lane.clip_share is not None else "–",
        f"{lane.grad_norm:.3g}" if lane.grad_norm is not None and not lane.once else "–",
        f"{lane.train_seconds:.1f}" if trained else "–",
    ]
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{_swatch(lane)} {escape(lane.label)}</th>{body}</tr>'


def _acc(scores: SetScores | None) -> str:
    if not scores:
        return "–"
    interval = f"{scores.acc_low * 100:.0f}–{scores.acc_high * 100:.0f}"
    return f'{text.percent(scores.acc)} <small title="{escape(TERMS["95 %"])}">{interval}</small>'


def _pair(forget: SetScores | None, retain: SetScores | None, metric: str) -> str:
    """Forget and retain in one cell."""
    shown = [f"{getattr(scores, metric):.2f}" if scores else "–" for scores in (forget, retain)]
    return " / ".join(shown) if forget or retain else "–"


def nearness(matcher: str) -> str:
    """A matcher's label and what it does, in its own words."""
    known = {entry.label: entry.sentence for entry in MATCHERS.values()}
    return f"{matcher}. {known.get(matcher, '')}".strip()

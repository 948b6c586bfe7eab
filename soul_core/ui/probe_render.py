"""Verdicts, the bench's table and its transcripts as markup: pure functions. They know no component and no job."""

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape

from soul_core.errors import SoulError
from soul_core.evaluation.marking import mark_words
from soul_core.evaluation.tables import plain
from soul_core.probing.attacks import ATTACKS, OWN, Attack, chosen
from soul_core.probing.results import AttackResult, Bench, ProbeVerdict, Try, Turn
from soul_core.probing.settings import AttackConfig
from soul_core.ui import text_probe
from soul_core.ui.board import words_html
from soul_core.ui.html import notice, swatch, term
from soul_core.ui.ids import look_of
from soul_core.ui.probe_desk import Who
from soul_core.ui.text import percent

LONGEST_TURN = 4000
"""Characters of one turn that are shown; a prompt with many hints may have more."""


def nav_html() -> str:
    """Links to the sections of the page."""
    links = "".join(
        f'<a href="#soul-probe-{name}">{escape(title)}</a>' for name, title in text_probe.NAV_WORDS.items()
    )
    return f'<nav class="soul-probe-nav" aria-label="{escape(text_probe.NAV)}">{links}</nav>'


def empty_html(said: str) -> str:
    """What stands where there is nothing yet."""
    return f'<p class="soul-empty">{escape(said)}</p>'


def legend_html(who: Sequence[Who]) -> str:
    """Which line is which."""
    items = "".join(
        f"<li>{swatch(one.name, one.position, line=not one.once)}<b>{escape(one.label)}</b></li>" for one in who
    )
    return f'<ul class="soul-legend">{items}</ul>' if items else ""


def verdicts_html(verdicts: Sequence[ProbeVerdict], who: Sequence[Who], troubles: Sequence[str] = ()) -> str:
    """One card for each judged model: word, sentence, and behind “Why?” its rule and what was looked at."""
    warnings = "".join(notice(trouble) for trouble in troubles)
    known = {one.name: one for one in who}
    cards = "".join(
        _verdict(at, verdict, known[verdict.model]) for at, verdict in enumerate(verdicts) if verdict.model in known
    )
    if not cards:
        return f"{warnings}{empty_html(text_probe.NO_VERDICTS)}"
    return f'{warnings}<div class="soul-probe-cards">{cards}</div>'


def _verdict(at: int, verdict: ProbeVerdict, who: Who) -> str:
    glyph, word = text_probe.WORDS[verdict.word]
    why = escape(text_probe.WHY_OF.format(label=who.label, word=word))
    evidence = "".join(f"<li>{escape(one)}</li>" for one in verdict.evidence)
    looked = f"<dt>{escape(text_probe.EVIDENCE)}</dt><dd><ul>{evidence}</ul></dd>" if evidence else ""
    sentence = verdict.sentence
    if verdict.word == "untested":
        sentence = f"{sentence} {text_probe.UNTESTED}".strip()
    return (
        f'<section class="soul-probe-card" data-word="{escape(verdict.word)}" aria-label="{escape(who.label)}" '
        f'style="border-top-color:{look_of(who.name, who.position).colour}">'
        f"<header>{swatch(who.name, who.position, line=not who.once)}<b>{escape(who.label)}</b>"
        f'<button type="button" class="soul-why" popovertarget="soul-probe-why-{at}" aria-label="{why}">?</button>'
        f'</header><p class="soul-probe-word"><span aria-hidden="true">{glyph}</span> {escape(word)}</p>'
        f"<p>{escape(sentence)}</p></section>"
        f'<div popover id="soul-probe-why-{at}" class="soul-about" role="dialog" aria-label="{why}">'
        f"<b>{why}</b><dl><dt>{escape(text_probe.RULE)}</dt><dd>{escape(verdict.rule)}</dd>{looked}</dl>"
        f"{_close(f'soul-probe-why-{at}')}</div>"
    )


def attacks_of(bench: Bench | None) -> dict[str, Attack]:
    """Every attack by name, those of a bench's own templates last."""
    templates = _words(bench.settings.get("templates")) if bench else ()
    try:
        attacks = chosen(AttackConfig(templates=templates))
    except SoulError:  # the file was written by a version that allowed other templates
        attacks = tuple(ATTACKS.values())
    return {attack.name: attack for attack in attacks}


def bench_html(bench: Bench | None, who: Sequence[Who], *, running: bool = False) -> str:
    """The table attack by model; while it runs cells that are to come wait.

    Args:
        bench: What was found; None before anything.
        who: The models, one column each.
        running: Whether further cells are on their way.
    """
    if bench is None or (not running and not bench.results):
        return empty_html(text_probe.BENCH_EMPTY)
    wanted = _words(bench.settings.get("attacks"))
    tried = {result.attack for result in bench.results}
    attacks = {
        name: attack
        for name, attack in attacks_of(bench).items()
        if name in tried or (running and (not wanted or name in wanted or attack.family == OWN))
    }
    heads = "".join(
        f'<th scope="col">{swatch(one.name, one.position, line=not one.once)}<span>{escape(one.label)}</span></th>'
        for one in who
    )
    rows = "".join(_row(attack, bench, who, running=running) for attack in attacks.values())
    abouts = "".join(_about(attack) for attack in attacks.values())
    notes = _notes(bench, who, attacks)
    when = text_probe.BENCH_EPOCH.format(epoch=bench.epoch) if bench.epoch is not None else ""
    return (
        f'<div class="soul-table-wrap soul-bench-wrap" tabindex="0" role="region" '
        f'aria-label="{escape(text_probe.BENCH_CAPTION)}"><table class="soul-table soul-bench-table" '
        f'aria-busy="{"true" if running else "false"}">'
        f'<caption><span class="soul-caption">{escape(text_probe.BENCH_CAPTION)} <span>{escape(when)}</span></span>'
        "</caption>"
        f'<thead><tr><th scope="col">{term("Attack", text_probe.ATTACK)}</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{abouts}"
        f'<div class="soul-remarks"><p>{escape(text_probe.SHADES)}</p>{notes}</div>'
    )


def glyph_of(share: float) -> str:
    """A share as a disc that fills."""
    if share <= 0:
        return "○"
    if share >= 1:
        return "●"
    return "◔" if share < 0.25 else "◑" if share < 0.75 else "◕"


def table_csv(bench: Bench, who: Sequence[Who]) -> str:
    """Every cell in full, one a line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("attack", "title", "model", "share", "low", "high", "any_share", "rows", "seconds", "note"))
    labels = {one.name: one.label for one in who}
    for one in bench.results:
        title = bench.titles.get(one.attack) or (ATTACKS[one.attack].title if one.attack in ATTACKS else one.attack)
        numbers = ["" if value is None else f"{value:.6g}" for value in (one.share, one.low, one.high, one.any_share)]
        words = (_cell_text(title), _cell_text(labels.get(one.model, one.model)))
        row = (one.attack, *words, *numbers, len(one.tries), f"{one.seconds:.2f}", _cell_text(one.note))
        writer.writerow(row)
    return out.getvalue()


def transcripts_html(result: AttackResult, title: str, label: str, *, nonce: str) -> str:
    """Every row of one cell as a dialog: leaks first, what repeats the truth marked.

    Args:
        result: The cell.
        title: The attack's.
        label: The model's.
        nonce: Something new at each call, so that the page opens it again.
    """
    tries = sorted(result.tries, key=lambda one: -one.leaks / max(1, one.answers))
    leaked = sum(one.leaks > 0 for one in tries)
    count = text_probe.TRANSCRIPT_COUNT.format(leaked=leaked, rows=len(tries))
    said = f"<p>{escape(result.note)}</p>" if result.note else ""
    heading = escape(text_probe.TRANSCRIPTS.format(title=title, label=label))
    return (
        f'<dialog class="soul-transcripts" data-nonce="{escape(nonce)}" aria-labelledby="soul-transcripts-title">'
        f'<header><h3 id="soul-transcripts-title">{heading}</h3>'
        f'<button type="button" class="soul-tool" data-soul-close>{escape(text_probe.CLOSE)}</button></header>'
        f"<p>{escape(count)}</p>{said}"
        f'<div class="soul-tools"><label>{escape(text_probe.FIND)} <input type="search" maxlength="80" '
        f'autocomplete="off" data-soul-find></label>'
        f'<label><input type="checkbox" data-soul-leaks> {escape(text_probe.ONLY_LEAKS)}</label>'
        f'<span role="status" aria-live="polite" data-said="{escape(text_probe.FOUND)}"></span></div>'
        f'<ol class="soul-tries">{"".join(_try(one) for one in tries)}</ol></dialog>'
    )


def _row(attack: Attack, bench: Bench, who: Sequence[Who], *, running: bool) -> str:
    cells = "".join(_cell(attack, one, bench.find(one.name, attack.name), running=running) for one in who)
    title = escape(attack.title)
    return (
        f'<tr><th scope="row"><span class="soul-row-name">{title}'
        f'<button type="button" class="soul-why" popovertarget="soul-attack-{escape(attack.name)}" '
        f'title="{escape(attack.what)}" aria-label="{escape(text_probe.WHAT)}: {title}">?</button></span></th>'
        f"{cells}</tr>"
    )


def _cell(attack: Attack, who: Who, result: AttackResult | None, *, running: bool) -> str:
    if result is None:
        shown, said = (
            (text_probe.WAITING, text_probe.WAITING_LONG)
            if running
            else (text_probe.NOT_TRIED, text_probe.NOT_TRIED_LONG)
        )
        return (
            f'<td class="soul-muted"><span aria-hidden="true">{shown}</span>'
            f'<span class="soul-hidden">{escape(said)}</span></td>'
        )
    if result.share is None:
        return f'<td class="soul-muted" title="{escape(result.note)}">{escape(text_probe.NOT_APPLICABLE)}</td>'
    interval = text_probe.interval(result.low, result.high)
    said = text_probe.OPEN_CELL.format(
        title=attack.title,
        label=who.label,
        share=percent(result.share),
        interval=text_probe.said_interval(result.low, result.high),
    )
    several = any(one.answers > 1 for one in result.tries) and result.any_share is not None
    any_of = text_probe.ANY.format(share=percent(result.any_share or 0.0)) if several else ""
    below = " · ".join(part for part in (interval, any_of) if part)
    return (
        f'<td><button type="button" class="soul-cell" data-attack="{escape(attack.name)}" '
        f'data-model="{escape(who.name)}" style="--share:{result.share:.3f}" aria-label="{escape(said)}">'
        f'<span><span aria-hidden="true">{glyph_of(result.share)}</span> {percent(result.share)}</span>'
        f"<small>{escape(below)}</small></button></td>"
    )


def _about(attack: Attack) -> str:
    entries = "".join(
        f"<dt>{escape(word)}</dt><dd>{escape(said)}</dd>"
        for word, said in ((text_probe.WHAT, attack.what), (text_probe.LEAK, attack.leak))
    )
    name = f"soul-attack-{escape(attack.name)}"
    return (
        f'<div popover id="{name}" class="soul-about" role="dialog" aria-label="{escape(attack.title)}">'
        f"<b>{escape(attack.title)}</b><dl>{entries}</dl>{_close(name)}</div>"
    )


def _notes(bench: Bench, who: Sequence[Who], attacks: Mapping[str, Attack]) -> str:
    """Remarks of cells, each told once with where it is true."""
    places: dict[tuple[str, str], list[str]] = {}
    labels = {one.name: one.label for one in who}
    for result in bench.results:
        if result.note and result.attack in attacks:
            key = (attacks[result.attack].title, result.note)
            places.setdefault(key, []).append(labels.get(result.model, result.model))
    items = ""
    for (title, note), found in places.items():
        some = "" if len(found) == len(who) else f" ({', '.join(found)})"
        items += f"<li>{escape(f'{title}{some}: {note}')}</li>"
    return f"<details><summary>{escape(text_probe.NOTES)}</summary><ul>{items}</ul></details>" if items else ""


def _try(one: Try) -> str:
    leaked = one.leaks > 0
    count = f" ({one.leaks}/{one.answers})" if one.answers > 1 else ""
    state = (text_probe.LEAKED if leaked else text_probe.KEPT) + count
    others = "".join(
        f"<li><b>{escape(text_probe.LEAKED if held.leaked else text_probe.KEPT)}</b>"
        f"{f' ×{held.times}' if held.times > 1 else ''}{_talk(held.turns, held.said, one)}</li>"
        for held in one.others
    )
    more = (
        f"<details><summary>{escape(text_probe.further(len(one.others)))}</summary><ul>{others}</ul></details>"
        if others
        else ""
    )
    return (
        f'<li data-leaked="{"yes" if leaked else "no"}"><p class="soul-try-head"><b>{escape(state)}</b> '
        f"<i>{escape(one.question)}</i></p>"
        f'<p class="soul-truth"><b>{escape(text_probe.TRUTH)}</b> {escape(one.truth)}</p>'
        f"{_talk(one.turns, one.said, one)}{more}</li>"
    )


def _talk(turns: Sequence[Turn], said: str, one: Try) -> str:
    """A conversation; what was judged stands by itself where it is not a turn of it."""
    shown = "".join(_turn(turn, one) for turn in turns)
    if any(turn.role == "assistant" and turn.text == said for turn in turns):
        return f"<dl>{shown}</dl>"
    judged = words_html(mark_words(said, one.truth, None, question=one.question))
    return f"<dl>{shown}<dt>{escape(text_probe.JUDGED)}</dt><dd>{judged or '–'}</dd></dl>"


def _turn(turn: Turn, one: Try) -> str:
    shown = turn.text if len(turn.text) <= LONGEST_TURN else f"{turn.text[:LONGEST_TURN]}…"
    body = (
        words_html(mark_words(shown, one.truth, None, question=one.question))
        if turn.role == "assistant"
        else escape(shown)
    )
    return f"<dt>{escape(text_probe.ROLES[turn.role])}</dt><dd>{body}</dd>"


def _close(target: str) -> str:
    return (
        f'<button type="button" class="soul-tool" popovertarget="{target}" popovertargetaction="hide">'
        f"{escape(text_probe.CLOSE)}</button>"
    )


def _words(value: object) -> tuple[str, ...]:
    """A list of words out of settings that were read from a file."""
    return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()


def _cell_text(value: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    shown = plain(value)
    return f"'{shown}" if shown[:1] in "=+-@" else shown

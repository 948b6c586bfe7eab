"""The Learn tab's markup from lessons, outcomes and paths: pure functions. They know no component and no run."""

import re
from collections.abc import Mapping
from html import escape

from soul_core.session.landscape import ARRIVED, BETA1, BETA2, START, Landscape, LandscapeConfig
from soul_core.ui import ids
from soul_core.ui import text_learn as words
from soul_core.ui.fields import help_of, title_of
from soul_core.ui.glossary import TERMS, Entry
from soul_core.ui.html import swatch, term
from soul_core.ui.learn_checks import Outcome
from soul_core.ui.learn_desk import Mark
from soul_core.ui.learn_figure import ORDER, lane_on
from soul_core.ui.lessons import LESSONS, Lesson
from soul_core.ui.text import percent

SLIDERS = ("curvature_ratio", "rho", "lr", "gamma", "steps")
_TERM = re.compile(r"\[([^\]|]+)(?:\|([^\]]+))?\]")
_MANY_TURNS = 5  # from so many on a path is said to zigzag
_LINEAR = frozenset({"steps"})


def marked(sentence: str) -> str:
    """A sentence with its ``[terms]`` explained; everything else is escaped."""
    found, place = [], 0
    for match in _TERM.finditer(sentence):
        found += [escape(sentence[place : match.start()]), term(match[2] or match[1], match[1])]
        place = match.end()
    return "".join([*found, escape(sentence[place:])])


def lesson_choices(marks: Mapping[str, Mark]) -> list[tuple[str, str]]:
    """Label and slug of every lesson; the label says whether it is done."""
    return [
        (f"{place}. {lesson.title}{f' {words.DONE_MARK}' if marks[slug].done else ''}", slug)
        for place, (slug, lesson) in enumerate(LESSONS.items(), 1)
    ]


def progress_html(marks: Mapping[str, Mark]) -> str:
    """How many lessons are done, as a bar and in words."""
    done = sum(mark.done for mark in marks.values())
    said = words.PROGRESS.format(done=done, of=len(LESSONS))
    return (
        f'<div class="soul-learn-progress"><progress max="{len(LESSONS)}" value="{done}" aria-label="{escape(said)}">'
        f"</progress><span>{escape(said)}</span></div>"
    )


def lead_html(lesson: Lesson) -> str:
    """The lesson's title and what it tells."""
    place = list(LESSONS).index(lesson.slug) + 1
    paragraphs = "".join(f"<p>{marked(paragraph)}</p>" for paragraph in lesson.lead)
    return (
        f'<div class="soul-lesson" data-lesson="{escape(lesson.slug)}">'
        f'<p class="soul-lesson-place">{escape(words.LESSON.format(place=place, of=len(LESSONS)))}</p>'
        f"<h3>{escape(lesson.title)}</h3>{paragraphs}</div>"
    )


def action_html(lesson: Lesson, mark: Mark) -> str:
    """What is to be done, once something is predicted."""
    head = f"<h4>{escape(words.ACT)}</h4>"
    if not mark.predicted:
        return f'<div class="soul-lesson-part">{head}<p class="soul-muted">{escape(words.PREDICT_FIRST)}</p></div>'
    steps = "".join(f"<li>{escape(step)}</li>" for step in lesson.action)
    return f'<div class="soul-lesson-part">{head}<ol>{steps}</ol></div>'


def outcome_html(lesson: Lesson, mark: Mark, outcome: Outcome) -> str:
    """What is missing, or the prediction beside what was measured, with the numbers and the usual story."""
    if not mark.predicted:
        return ""
    if not outcome.done:
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in outcome.said)
        return f'<div class="soul-lesson-part"><h4>{escape(words.COMPARE)}</h4>{said}</div>'
    lines = [words.PREDICTED.format(option=_clause(lesson.options[mark.predicted]))]
    if outcome.saw:
        lines.append(words.MEASURED.format(option=_clause(lesson.options[outcome.saw])))
        right = outcome.saw == mark.predicted
        verdict = words.RIGHT if right else words.WRONG
        usual = words.AS_USUAL if outcome.saw == lesson.usual else words.NOT_USUAL
        closing = f"{verdict} {usual.format(story=lesson.usual_says)}"
    else:
        right, closing = False, words.UNDECIDED
    numbers = "".join(f"<li>{escape(sentence)}</li>" for sentence in outcome.said or (words.GONE,))
    compared = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return (
        f'<div class="soul-lesson-part soul-lesson-found" data-right="{"yes" if right else "no"}">'
        f"<h4>{escape(words.COMPARE)}</h4>{compared}<p><b>{escape(closing)}</b></p><ul>{numbers}</ul>"
        f'<p class="soul-muted">{escape(words.ABOUT_RUN.format(run=outcome.run))} {escape(words.ONE_RUN)}</p></div>'
    )


def link_html(lesson: Lesson) -> str:
    """The button that copies the lesson's address."""
    return (
        f'<div class="soul-lesson-link"><button type="button" class="soul-tool" '
        f'data-soul-lesson-link="{escape(lesson.slug)}" data-said="{escape(words.COPIED)}" '
        f'data-refused="{escape(words.NOT_COPIED)}" title="{escape(words.COPY_LINK_HELP)}">'
        f'{escape(words.COPY_LINK)}</button><span role="status"></span></div>'
    )


def strip_html(lesson: Lesson | None, outcome: Outcome | None) -> str:
    """Above all tabs while a lesson's action is to be done: which lesson, and whether its result is there."""
    if lesson is None:
        return ""
    place = list(LESSONS).index(lesson.slug) + 1
    title = f"{words.LESSON.format(place=place, of=len(LESSONS))}: {lesson.title}."
    said = words.RESULT_THERE if outcome and outcome.done else " ".join(lesson.action[-lesson.left :])
    return f'<p role="status"><b>{escape(title)}</b> {escape(said)}</p>'


def hidden_html() -> str:
    """The note that something is hidden, with the way back; the browser shows it where a link asked for it."""
    return (
        f'<p class="soul-plain-note" role="note">{escape(words.HIDDEN)} '
        f'<button type="button" class="soul-tool" data-soul-show-all>{escape(words.SHOW_EVERYTHING)}</button></p>'
    )


def controls_html(config: LandscapeConfig) -> str:
    """Sliders of the landscape, what to try, and the buttons that play it; a script makes them work."""
    sliders = "".join(_slider(name, getattr(config, name)) for name in SLIDERS)
    tries = "".join(
        f'<button type="button" class="soul-tool" data-soul-try="{escape(_json(values))}">{escape(label)}</button>'
        for label, values in words.TRIES.values()
    )
    return (
        f'<fieldset class="soul-land-tries"><legend>{escape(words.TRY)}</legend>{tries}</fieldset>'
        f'<fieldset class="soul-land-sliders"><legend>{escape(words.CONTROLS)}</legend>{sliders}</fieldset>'
    )


def player_html() -> str:
    """Play, step, reset, and where the paths are; a script makes them work, and words follow its steps."""
    legend = "".join(f"<li>{swatch(*lane_on(name))} {escape(words.OPTIMIZERS[name])}</li>" for name in ORDER)
    return (
        f'<ul class="soul-legend" aria-label="{escape(words.LEGEND)}">{legend}</ul>'
        f'<div class="soul-land-player"><div class="soul-land-buttons">'
        f'<button type="button" class="soul-tool" data-soul-play data-play="{escape(words.PLAY)}" '
        f'data-pause="{escape(words.PAUSE)}">{escape(words.PLAY)}</button>'
        f'<button type="button" class="soul-tool" data-soul-step>{escape(words.ONE_STEP)}</button>'
        f'<button type="button" class="soul-tool" data-soul-rewind>{escape(words.RESET_PATH)}</button></div>'
        f'<label>{escape(words.POSITION)} <input type="range" min="0" max="1" value="1" step="1" data-soul-position>'
        f'</label><p class="soul-land-now" role="status" data-at="{escape(words.AT_STEP)}" '
        f'data-cut="{escape(words.CUT_NOW)}"></p>'
        f'<p class="soul-muted soul-land-still">{escape(words.STILL)}</p></div>'
    )


def seen_html(found: Landscape) -> str:
    """What is to be seen, in sentences made of the numbers."""
    paths, lowest = found.paths, found.lowest_loss
    arrived = {name: paths[name].arrival(lowest) for name in ORDER}
    named = words.OPTIMIZERS
    on_time = sorted((step, named[name]) for name, step in arrived.items() if step is not None)
    left = [named[name] for name in ORDER if paths[name].left]
    missed = [named[name] for name in ORDER if arrived[name] is None and not paths[name].left]
    said = words.arrivals([(label, step) for step, label in on_time], missed, left, found.config.steps)
    share = paths["sophia"].clip_share
    if share is not None:
        said.append(words.sophia_clipped(share, hidden=found.hidden))
    if paths["sgd"].crossings >= _MANY_TURNS and not paths["sgd"].left:
        said.append(words.valley(named["sgd"], paths["sgd"].crossings))
    bent = sum(paths["newton"].bent)
    if bent:
        said.append(words.newton_bent(bent))
    return f'<div role="status">{"".join(f"<p>{escape(sentence)}</p>" for sentence in said)}</div>'


def paths_html(found: Landscape) -> str:
    """One row a path: when it arrived, what is left, what is still known, what stays, how it went."""
    surface = found.surface
    at_start = {"known": percent(surface.known(START)), "retain": f"{surface.retain_loss(START):.2f}"}
    tips = {name: tip.format(**at_start) for name, tip in words.COLUMN_TIPS.items()}
    head = "".join(f'<th scope="col">{_header(name, tips)}</th>' for name in words.COLUMNS)
    rows = "".join(_path_row(found, name) for name in ORDER)
    return (
        f'<div class="soul-table-wrap" tabindex="0" role="region" aria-label="{escape(words.TABLE)}">'
        f'<table class="soul-table"><caption>{escape(words.TABLE)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def how_html() -> str:
    """How the paths are computed."""
    said = words.LAND_HOW.format(beta1=BETA1, beta2=BETA2, share=percent(ARRIVED))
    return f'<p class="soul-remarks">{escape(said)}</p>'


def glossary_html(sections: Mapping[str, tuple[Entry, ...]]) -> str:
    """All entries, each with a place of its own, below a field that filters them."""
    count = sum(map(len, sections.values()))
    parts = "".join(
        f'<section data-soul-section><h4>{escape(words.SECTIONS[name])}</h4><dl class="soul-glossary">'
        f"{''.join(map(_entry, entries))}</dl></section>"
        for name, entries in sections.items()
    )
    said = words.GLOSSARY_FOUND.format(shown=count, all=count)
    return (
        f'<div class="soul-tools"><label>{escape(words.GLOSSARY_FIND)} <input type="search" '
        f'id="{ids.LEARN_FIND}" placeholder="{escape(words.GLOSSARY_HINT)}" autocomplete="off" maxlength="60"></label>'
        f'<span role="status" data-found="{escape(words.GLOSSARY_FOUND)}" '
        f'data-nothing="{escape(words.GLOSSARY_NOTHING)}">{escape(said)}</span></div>'
        f'<div class="soul-glossary-list" tabindex="0" role="region" aria-label="{escape(words.GLOSSARY_TITLE)}">'
        f"{parts}</div>"
    )


def _clause(option: str) -> str:
    """An option inside a sentence."""
    return option[:1].lower() + option[1:] if option[1:2].islower() else option


def _json(values: Mapping[str, float]) -> str:
    pairs = ", ".join(f'"{name}": {value!r}' for name, value in values.items())
    return f"{{{pairs}}}"


def _slider(name: str, value: float) -> str:
    """A slider over the setting's bounds, logarithmic unless its steps are counted."""
    limits = LandscapeConfig.model_fields[name].metadata
    low = next(float(bound.ge) for bound in limits if hasattr(bound, "ge"))
    high = next(float(bound.le) for bound in limits if hasattr(bound, "le"))
    place = f"soul-land-{name.replace('_', '-')}"
    title, tip = title_of(LandscapeConfig, name), help_of(LandscapeConfig, name)
    scale = "linear" if name in _LINEAR else "log"
    return (
        f'<div class="soul-land-slider"><label for="{place}" class="soul-term" data-tip="{escape(tip)}">'
        f'{escape(title)}</label><output for="{place}"></output>'
        f'<input type="range" id="{place}" min="0" max="1000" step="1" data-name="{name}" data-scale="{scale}" '
        f'data-low="{low!r}" data-high="{high!r}" data-value="{value!r}" '
        f'aria-description="{escape(tip)}"></div>'
    )


def _header(name: str, tips: Mapping[str, str]) -> str:
    if name in TERMS:
        return term(name)
    tip = tips.get(name, "")
    if not tip:
        return escape(name)
    said = escape(tip)
    return f'<span class="soul-term" tabindex="0" data-tip="{said}" aria-description="{said}">{escape(name)}</span>'


def _path_row(found: Landscape, name: str) -> str:
    path, surface = found.paths[name], found.surface
    step = path.arrival(found.lowest_loss)
    when = words.STEPS_SAID.format(steps=step) if step is not None else ""
    if not when:
        when = words.LEFT if path.left else words.NOT_ARRIVED.format(steps=found.config.steps)
    span = path.losses[0] - found.lowest_loss
    cells = [when]
    if path.left:
        cells += ["–", "–", "–"]
    else:
        cells += [
            f"{max(path.losses[-1] - found.lowest_loss, 0.0) / span * 100:.1f} %",
            f"{surface.known(path.points[-1]) * 100:.1f} %",
            f"{surface.retain_loss(path.points[-1]):.3f}",
        ]
    cells += [str(path.crossings), percent(path.clip_share) if path.clip_share is not None else "–"]
    body = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    lane, position = lane_on(name)
    return f'<tr><th scope="row">{swatch(lane, position)} {escape(words.OPTIMIZERS[name])}</th>{body}</tr>'


def _entry(entry: Entry) -> str:
    said = words.LINK_TO.format(word=entry.word)
    return (
        f'<div data-soul-entry id="{escape(entry.anchor)}"><dt>{escape(entry.word)} '
        f'<a href="#{escape(entry.anchor)}" aria-label="{escape(said)}">#</a></dt>'
        f"<dd>{escape(entry.sentence)}</dd></div>"
    )

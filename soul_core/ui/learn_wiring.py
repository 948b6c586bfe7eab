"""The events of the Learn tab: a lesson is chosen, predicted, set up and checked; the landscape is computed anew.

It builds no component.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import gradio as gr

from soul_core.errors import ConfigError
from soul_core.session.address import LESSON
from soul_core.session.landscape import LandscapeConfig, landscape
from soul_core.ui import text_learn
from soul_core.ui.address_params import params_of
from soul_core.ui.ask_panel import AskPanel
from soul_core.ui.desk import Desk
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import notice
from soul_core.ui.learn_checks import Outcome
from soul_core.ui.learn_desk import LearnDesk, Mark, lesson_of, predicted_now, unknown
from soul_core.ui.learn_figure import map_of
from soul_core.ui.learn_panel import LearnPanel, LearnStrip
from soul_core.ui.learn_render import (
    SLIDERS,
    action_html,
    lead_html,
    lesson_choices,
    link_html,
    outcome_html,
    paths_html,
    progress_html,
    seen_html,
    strip_html,
)
from soul_core.ui.lessons import LESSONS, Lesson
from soul_core.ui.setup_panel import SetupPanel, owner_of

Updates = dict[Any, Any]
State = dict[str, Any] | None
OPENED = "lesson"
"""Key of the browser's state under which the lesson is kept that was opened last."""


def wire_learn(
    panel: LearnPanel,
    strip: LearnStrip,
    setup: SetupPanel,
    ask: AskPanel,
    desk: Desk,
    page: gr.Blocks,
    browser: gr.BrowserState,
    *,
    tabs: gr.Tabs,
    tab: gr.Tab,
    endings: list[Any],
) -> None:
    """Lessons follow what a browser does; the landscape follows its sliders.

    Args:
        panel: The tab's components.
        strip: What stands above all tabs meanwhile.
        setup: A lesson fills it.
        ask: Whose last question a lesson looks at.
        desk: What the page can ask for.
        page: On its load the lesson of the address, or the last one, is opened.
        browser: Keeps the progress.
        tabs: All tabs.
        tab: The tab itself; what was done is looked at when it is opened.
        endings: Events after which a race may have ended.
    """
    learn = LearnDesk(desk)
    doing = gr.State("")  # the lesson whose action was begun, for the strip
    card = [
        panel.lead,
        panel.predict,
        panel.action,
        panel.set_up,
        panel.open_tab,
        panel.check,
        panel.found,
        panel.link,
    ]
    drawn = [panel.lesson, panel.progress, *card, panel.notice, browser]
    above = [strip.row, strip.said]

    def shown(state: State, slug: str, asked: str) -> tuple[Updates, Outcome]:
        """A lesson as it stands now, looked at anew."""
        lesson = _lesson(slug)
        marks = learn.marks(state)
        mark, outcome = learn.check(lesson, marks[lesson.slug], owner=owner_of(state), asked=asked)
        updates = _card(panel, lesson, mark, outcome)
        if mark != marks[lesson.slug]:
            state = learn.kept(state, lesson.slug, mark)
            updates[browser] = state
        marks = {**marks, lesson.slug: mark}
        updates[panel.lesson] = gr.Radio(choices=lesson_choices(marks), value=lesson.slug)
        updates[panel.progress] = progress_html(marks)
        return updates, outcome

    def choose(state: State, slug: str, asked: str) -> Updates:
        updates, _ = shown(state, slug, asked)
        kept = updates.get(browser, state)
        return {**updates, panel.notice: "", browser: {**(kept or {}), OPENED: slug}}

    def predict(state: State, slug: str, option: str | None) -> Updates:
        lesson = _lesson(slug)
        if option not in lesson.options:
            return {panel.notice: ""}
        state = {**(state or {}), "owner": owner_of(state) or uuid.uuid4().hex}
        if learn.marks(state)[slug].done:
            return {panel.notice: ""}
        mark = predicted_now(str(option))
        updates = _card(panel, lesson, mark, Outcome())
        return {**updates, browser: {**learn.kept(state, slug, mark), OPENED: slug}, panel.notice: ""}

    def look(state: State, slug: str, asked: str, begun: str) -> Updates:
        updates, outcome = shown(state, slug, asked)
        if begun == slug:
            updates |= _strip(strip, _lesson(begun), outcome)
        return updates

    def set_up(state: State, slug: str) -> Updates:
        lesson = _lesson(slug)
        return {
            **setup.put_back(lesson.setup()),
            **_strip(strip, lesson, None),
            doing: slug,
            tabs: gr.Tabs(selected="race"),
            panel.notice: "",
        }

    def go(slug: str) -> Updates:
        lesson = _lesson(slug)
        return {tabs: gr.Tabs(selected=lesson.tab), doing: slug, **_strip(strip, lesson, None)}

    def back(state: State, begun: str, asked: str) -> Updates:
        updates, _ = shown(state, begun, asked)
        return {**updates, strip.row: gr.Row(visible=False), doing: "", tabs: gr.Tabs(selected="learn")}

    def arrive(request: gr.Request, state: State, asked: str) -> Updates:
        wanted = params_of(request).get(LESSON, "").strip().lower()
        named = lesson_of(wanted)
        slug = named.slug if named else str((state or {}).get(OPENED, ""))
        updates, _ = shown(state, slug if slug in LESSONS else next(iter(LESSONS)), asked)
        updates[panel.notice] = notice(unknown(wanted), kind="info")
        return {**updates, tabs: gr.Tabs(selected="learn")} if wanted else updates

    def forget_all(state: State, slug: str, asked: str) -> Updates:
        kept = {key: value for key, value in (state or {}).items() if key != "lessons"}
        updates, _ = shown(kept, slug, asked)
        return {
            **updates,
            browser: kept,
            doing: "",
            strip.row: gr.Row(visible=False),
            panel.notice: notice(text_learn.RESET_DONE, kind="info"),
        }

    def compute(event: gr.EventData) -> Updates:
        found = landscape(_config_of(getattr(event, "_data", None)))
        return {
            panel.chart: map_of(found),
            panel.seen: seen_html(found),
            panel.paths: paths_html(found),
            panel.land_notice: "",
        }

    said = panel.notice
    at = [browser, panel.lesson, ask.asked]
    panel.lesson.input(guarded(choose, notice=said), at, drawn, trigger_mode="always_last", **QUIET, **AS_TYPED)
    panel.predict.input(
        guarded(predict, notice=said),
        [browser, panel.lesson, panel.predict],
        [*card, said, browser],
        **QUIET,
        **AS_TYPED,
    )
    looking: dict[str, Any] = {
        "fn": guarded(look, notice=said),
        "inputs": [*at, doing],
        "outputs": [*drawn, *above],
        **QUIET,
        **AS_TYPED,
    }
    gr.on([panel.check.click, tab.select], **looking)
    for ending in endings:
        ending.then(**looking)
    panel.set_up.click(
        guarded(set_up, notice=said),
        [browser, panel.lesson],
        [*setup.outputs, *above, doing, tabs, said],
        **QUIET,
        **AS_TYPED,
    )
    panel.open_tab.click(guarded(go, notice=said), panel.lesson, [tabs, doing, *above, said], **QUIET, **AS_TYPED)
    strip.back.click(
        guarded(back, notice=said), [browser, doing, ask.asked], [*drawn, strip.row, doing, tabs], **QUIET, **AS_TYPED
    )
    page.load(guarded(arrive, notice=said), [browser, ask.asked], [*drawn, tabs], **QUIET, **AS_TYPED)
    panel.reset.click(guarded(forget_all, notice=said), at, [*drawn, doing, strip.row], **QUIET, **AS_TYPED)
    panel.controls.select(
        guarded(compute, notice=panel.land_notice),
        None,
        [panel.chart, panel.seen, panel.paths, panel.land_notice],
        trigger_mode="always_last",
        **{**QUIET, "concurrency_id": "landscape", "concurrency_limit": 2},
    )


def _lesson(slug: str | None) -> Lesson:
    found = LESSONS.get(str(slug))
    if found is None:
        raise ConfigError(text_learn.unknown_lesson(str(slug)))
    return found


def _card(panel: LearnPanel, lesson: Lesson, mark: Mark, outcome: Outcome) -> Updates:
    """Every part of a lesson; a prediction can be changed until its result is there."""
    other = text_learn.TO_TAB.get(lesson.tab, "")
    return {
        panel.lead: lead_html(lesson),
        panel.predict: gr.Radio(
            choices=[(said, key) for key, said in lesson.options.items()],
            value=mark.predicted or None,
            label=f"{text_learn.PREDICT}: {lesson.question}",
            interactive=not mark.done,
        ),
        panel.action: action_html(lesson, mark),
        panel.set_up: gr.Button(interactive=bool(mark.predicted)),
        panel.open_tab: gr.Button(other, visible=bool(other), interactive=bool(mark.predicted)),
        panel.check: gr.Button(interactive=bool(mark.predicted) and not mark.done),
        panel.found: outcome_html(lesson, mark, outcome),
        panel.link: link_html(lesson),
    }


def _strip(strip: LearnStrip, lesson: Lesson, outcome: Outcome | None) -> Updates:
    return {strip.row: gr.Row(visible=True), strip.said: strip_html(lesson, outcome)}


def _config_of(values: Any) -> LandscapeConfig:
    """The sliders' values, whatever a browser sent."""
    given: Mapping[str, Any] = values if isinstance(values, dict) else {}
    config = {name: given[name] for name in SLIDERS if isinstance(given.get(name), int | float)}
    if "steps" in config:
        config["steps"] = int(config["steps"])
    return LandscapeConfig(**config)

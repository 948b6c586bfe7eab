"""The events of looking at a task's rows: choose, search, page, preview, pick. It builds no component."""

from typing import Any

import gradio as gr

from soul_core.data.browsing import Look, sets_of
from soul_core.data.picking import divided, rows_suffix, subjects_in, subjects_suffix
from soul_core.data.picking import rows_of as pickable_rows
from soul_core.data.sets import set_kind
from soul_core.data.tasks import TASKS
from soul_core.errors import ConfigError
from soul_core.ui import text_data
from soul_core.ui.data_desk import PAGE, DataDesk
from soul_core.ui.data_panel import LookPanel, splits_of
from soul_core.ui.data_render import facts_html, picked_html, place_html, preview_html, rows_html, set_title
from soul_core.ui.form import OTHER, Form, task_fields
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.html import notice
from soul_core.ui.setup_panel import SetupPanel, owner_of

Updates = dict[Any, Any]
State = dict[str, str] | None


def wire_look(panel: LookPanel, data: DataDesk, setup: SetupPanel, browser: gr.BrowserState, tab: gr.Tab) -> None:
    """Whatever is chosen is drawn; what is picked goes into Setup."""
    offset, picks, begun = gr.State(0), gr.State([]), gr.State(False)
    where = [panel.source, panel.split, panel.spec]
    wanted = [*where, panel.set, panel.search, panel.subject, offset]
    choosing = [picks, panel.subjects]
    drawn = [panel.facts, panel.rows, panel.place, panel.back, panel.on, panel.picked, panel.notice]

    def seen(state: State, source: str, split: str, spec: str, name: str, search: str, subject: str, at: int) -> Look:
        return data.look(
            spec_of(source, split, spec),
            owner=owner_of(state),
            set_name=name,
            search=search or "",
            subject=subject or "",
            offset=int(at),
        )

    def draw(state: State, *values: Any) -> Updates:
        *looked, numbers, subjects = values
        spec = spec_of(*looked[:3])
        look = seen(state, *looked)
        task = data.task(spec, owner=owner_of(state))
        whole, pick = divided(spec)
        return {
            panel.facts: facts_html(TASKS.get(whole.partition(":")[0]), task, look),
            panel.rows: rows_html(look, numbers, pickable=pick is None),
            panel.place: place_html(look),
            panel.back: gr.Button(interactive=look.offset > 0),
            panel.on: gr.Button(interactive=look.offset + len(look.rows) < look.found),
            panel.picked: _picked(state, spec, numbers, subjects),
            panel.notice: "",
        }

    def choose(state: State, source: str, split: str, spec: str) -> Updates:
        """Another task or split: its sets and subjects, from the first row on, with nothing picked."""
        name = spec_of(source, split, spec)
        if not name:
            return {panel.notice: ""}
        task = data.task(name, owner=owner_of(state))
        sets = list(sets_of(task))
        subjects = subjects_in(pickable_rows(task))
        return {
            panel.set: gr.Dropdown(
                choices=[(set_title(one, set_kind(one).title), one) for one in sets], value=sets[0]
            ),
            panel.search: "",
            panel.subject: _subjects(subjects),
            panel.subjects: gr.Dropdown(choices=list(subjects), value=[], visible=bool(subjects)),
            panel.notice: "",
            offset: 0,
            picks: [],
        }

    def arrive(state: State, before: bool, *values: Any) -> Updates:
        """Only the first opening of the tab begins anew: what was searched and picked before is still there."""
        return {begun: True} if before else {**choose(state, *values), begun: True}

    def choose_source(source: str, shown: str | None) -> Updates:
        """The splits of this source; one that it has too stays, since an input is heard with every loss of focus."""
        other = source == OTHER
        splits = splits_of(source)
        kept = any(value == shown for _, value in splits)
        value: Updates = {} if kept else {"value": splits[-1][1] if splits else None}
        return {
            panel.split: gr.Dropdown(choices=splits, visible=not other, **value),
            panel.spec: gr.Textbox(visible=other),
        }

    def choose_set(state: State, source: str, split: str, spec: str, name: str) -> Updates:
        task = data.task(spec_of(source, split, spec), owner=owner_of(state))
        return {panel.subject: _subjects(subjects_in(sets_of(task)[name])), panel.search: "", offset: 0}

    def tell(event: gr.EventData, state: State, model: str, *values: Any) -> Updates:
        """A tick, or a press on See; which of them, the table's script says."""
        *looked, numbers, subjects = values
        told: dict[str, Any] = getattr(event, "_data", None) or {}
        if "see" in told:
            look, at = seen(state, *looked), int(told["see"])
            if not 0 <= at < len(look.rows):
                return {panel.notice: ""}
            shown = preview_html(data.preview(look.rows[at].row, model, owner=owner_of(state)), model)
            pickable = divided(spec_of(*looked[:3]))[1] is None
            return {panel.rows: rows_html(look, numbers, pickable=pickable, opened=at, preview=shown)}
        kept = {*numbers} - _numbers(told, "shown") | _numbers(told, "ticked")
        return put(state, spec_of(*looked[:3]), sorted(kept), [] if kept else subjects)

    def put(state: State, spec: str, numbers: list[int], subjects: list[str]) -> Updates:
        return {
            picks: numbers,
            panel.subjects: subjects or [],
            panel.picked: _picked(state, spec, numbers, subjects),
            panel.notice: "",
        }

    def pick_page(state: State, *values: Any) -> Updates:
        *looked, numbers, _ = values
        page = {one.number for one in seen(state, *looked).rows if one.number}
        return put(state, spec_of(*looked[:3]), sorted({*numbers} | page), [])

    def pick_found(state: State, *values: Any) -> Updates:
        *looked, numbers, _ = values
        source, split, spec, name, search, subject, _ = looked
        found = data.found(
            spec_of(source, split, spec),
            owner=owner_of(state),
            set_name=name,
            search=search or "",
            subject=subject or "",
        )
        return put(state, spec_of(source, split, spec), sorted({*numbers, *found}), [])

    def unpick(state: State, *values: Any) -> Updates:
        return put(state, spec_of(*values[:3]), [], [])

    def pick_subjects(state: State, subjects: list[str], *values: Any) -> Updates:
        return {picks: [], panel.picked: _picked(state, spec_of(*values[:3]), [], subjects), panel.notice: ""}

    def use(state: State, source: str, split: str, spec: str, numbers: list[int], subjects: list[str]) -> Updates:
        name = chosen_spec(spec_of(source, split, spec), numbers, subjects)
        data.task(name, owner=owner_of(state))  # what cannot be picked says so here
        form = Form(**task_fields(name))
        return {**setup.put_task(form), panel.notice: notice(text_data.in_setup(name), kind="info")}

    def _picked(state: State, spec: str, numbers: list[int], subjects: list[str] | None) -> str:
        name = chosen_spec(spec, numbers, subjects)
        if not numbers and not subjects:
            return picked_html(name, len(data.task(spec, owner=owner_of(state)).forget))
        rows = pickable_rows(data.task(spec, owner=owner_of(state)))
        count = len(numbers) if numbers else sum(row.subject in (subjects or ()) for row in rows)
        return picked_html(name, count)

    redraw: dict[str, Any] = {
        "fn": guarded(draw, notice=panel.notice),
        "inputs": [browser, *wanted, *choosing],
        "outputs": drawn,
        "trigger_mode": "always_last",
        **QUIET,
        **AS_TYPED,
    }
    fresh: dict[str, Any] = {
        "fn": guarded(choose, notice=panel.notice),
        "inputs": [browser, *where],
        "outputs": [
            *(panel.set, panel.search, panel.subject, panel.subjects, panel.notice),
            *(offset, picks),
        ],
        **QUIET,
        **AS_TYPED,
    }
    tab.select(
        guarded(arrive, notice=panel.notice),
        [browser, begun, *where],
        [*fresh["outputs"], begun],
        **QUIET,
        **AS_TYPED,
    ).then(**redraw)
    panel.source.input(
        choose_source, [panel.source, panel.split], [panel.split, panel.spec], **QUIET, **AS_TYPED
    ).then(**fresh).then(**redraw)
    for event in (panel.split.input, panel.spec.submit, panel.spec.blur):
        event(**fresh).then(**redraw)
    panel.set.input(
        guarded(choose_set, notice=panel.notice),
        [browser, *where, panel.set],
        [panel.subject, panel.search, offset, panel.notice],
        **QUIET,
        **AS_TYPED,
    ).then(**redraw)
    gr.on([panel.search.change, panel.subject.input], lambda: 0, None, offset, **QUIET).then(**redraw)
    panel.back.click(lambda at: max(0, at - PAGE), offset, offset, **QUIET).then(**redraw)
    panel.on.click(lambda at: at + PAGE, offset, offset, **QUIET).then(**redraw)

    outputs = [picks, panel.subjects, panel.picked, panel.notice]
    all_of = [browser, *wanted, *choosing]
    panel.rows.select(
        guarded(tell, notice=panel.notice),
        [browser, setup.component("model"), *wanted, *choosing],
        [*outputs, panel.rows],
        trigger_mode="always_last",
        **QUIET,
        **AS_TYPED,
    )
    for button, action in ((panel.pick_page, pick_page), (panel.pick_found, pick_found)):
        button.click(guarded(action, notice=panel.notice), all_of, outputs, **QUIET, **AS_TYPED).then(**redraw)
    panel.unpick.click(guarded(unpick, notice=panel.notice), [browser, *where], outputs, **QUIET, **AS_TYPED).then(
        **redraw
    )
    panel.subjects.input(
        guarded(pick_subjects, notice=panel.notice),
        [browser, panel.subjects, *where],
        [picks, panel.picked, panel.notice],
        **QUIET,
        **AS_TYPED,
    ).then(**redraw)
    panel.use.click(
        guarded(use, notice=panel.notice),
        [browser, *where, *choosing],
        [*setup.outputs, panel.notice],
        **QUIET,
        **AS_TYPED,
    )


def spec_of(source: str, split: str | None, spec: str | None) -> str:
    """The full name of what is looked at."""
    return (spec or "").strip() if source == OTHER else f"{source}:{split}"


def chosen_spec(spec: str, numbers: list[int], subjects: list[str] | None) -> str:
    """The full name of what is picked; of the whole, if nothing is.

    Raises:
        ConfigError: The rows are picked already.
    """
    if not numbers and not subjects:
        return spec
    if divided(spec)[1] is not None:
        raise ConfigError(text_data.CANNOT_PICK)
    return spec + (rows_suffix(numbers) if numbers else subjects_suffix(subjects or ()))


def _numbers(told: dict[str, Any], name: str) -> set[int]:
    """Row numbers as the table's script tells them."""
    return {number for number in told.get(name, ()) if isinstance(number, int)}


def _subjects(subjects: tuple[str, ...]) -> Any:
    choices = [(text_data.EVERY_SUBJECT, ""), *((name, name) for name in subjects)]
    return gr.Dropdown(choices=choices, value="", visible=bool(subjects))

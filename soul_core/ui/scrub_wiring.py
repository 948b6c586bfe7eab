"""The events of the epoch scrubber: a question, an epoch, and what follows from both. It builds no component."""

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from soul_core.runs.folder import RunFolder
from soul_core.ui import text_probe
from soul_core.ui.board import board_html
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.lens_render import lens_html
from soul_core.ui.probe_desk import ProbeDesk, track_of, who_of
from soul_core.ui.probe_figures import pareto_map
from soul_core.ui.probe_scrub import Scrub, board_of, kept_epochs
from soul_core.ui.questions import examples_of, known_row, questions_of, sources_of, task_of
from soul_core.ui.scores_wiring import owner_of
from soul_core.ui.scrub_panel import ScrubPanel, empty_answers

Updates = dict[Any, Any]
State = dict[str, str] | None
ASKING: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_id": "ask",
    "concurrency_limit": 2,
    **AS_TYPED,
}
"""Asking models is work: it shares its places with Ask, so that a race is not slowed down by more."""


def wire_scrub(panel: ScrubPanel, probes: ProbeDesk, run: gr.Dropdown, browser: gr.BrowserState) -> None:
    """A question or an epoch is asked at once; of moves in quick succession the last counts."""
    scrub = Scrub(probes)

    def look(state: State, run_id: str | None, question: str, answer: str, epoch: Any) -> Iterator[Updates]:
        folder = probes.folder(run_id or "", owner_of(state))
        at = _epoch(folder, epoch)
        who = who_of(folder.config, gold=bool(folder.manifest().gold))
        yield {panel.map: pareto_map(track_of(folder), who, at), panel.notice: ""}
        if not (question or "").strip():
            return
        found = scrub.moment(run_id or "", owner_of(state), question, answer, at)
        took = escape(text_probe.moved_in(at, found.seconds))
        yield {
            panel.answers: f'{board_html(board_of(found, who))}<p class="soul-remarks">{took}</p>',
            panel.lens: lens_html(found.lens, who, trouble=found.trouble),
        }

    def when(state: State, run_id: str | None, question: str) -> Iterator[Updates]:
        told: tuple[str, ...] = ()
        yield {panel.notice: "", panel.when_said: ""}
        for told in scrub.when(run_id or "", owner_of(state), question):
            yield {panel.when_said: _said(told, busy=True)}
        yield {panel.when_said: _said(told)}

    def choose_source(state: State, run_id: str | None, source: str) -> Any:
        folder = probes.folder(run_id or "", owner_of(state))
        return gr.Dropdown(choices=questions_of(task_of(folder.config.task), source or ""), value=None)

    def answer_to(state: State, run_id: str | None, question: str) -> Updates:
        """The answer that goes with a question; another question's would be read as this one's."""
        folder = probes.folder(run_id or "", owner_of(state))
        known = known_row(folder.config.task, question or "")
        return {panel.answer: known.answer if known else "", panel.when_said: ""}

    def picked(state: State, run_id: str | None, question: str | None) -> Updates:
        return {panel.question: question or "", **answer_to(state, run_id, question or "")}

    looking: dict[str, Any] = {
        "fn": guarded(look, notice=panel.notice),
        "inputs": [browser, run, panel.question, panel.answer, panel.epoch],
        "outputs": [panel.map, panel.answers, panel.lens, panel.notice],
        "trigger_mode": "always_last",
        **ASKING,
    }
    gr.on([panel.ask.click, panel.question.submit, panel.answer.submit, panel.epoch.input], **looking)
    panel.pick.input(
        guarded(picked, notice=panel.notice),
        [browser, run, panel.pick],
        [panel.question, panel.answer, panel.when_said, panel.notice],
        **QUIET,
        **AS_TYPED,
    ).then(**looking)
    panel.question.input(
        guarded(answer_to, notice=panel.notice),
        [browser, run, panel.question],
        [panel.answer, panel.when_said, panel.notice],
        trigger_mode="always_last",
        **QUIET,
    )
    panel.source.input(
        guarded(choose_source, notice=panel.notice), [browser, run, panel.source], [panel.pick], **QUIET, **AS_TYPED
    )
    panel.when.click(
        guarded(when, notice=panel.notice),
        [browser, run, panel.question],
        [panel.when_said, panel.notice],
        trigger_mode="once",
        **ASKING,
    )


def shown_run(panel: ScrubPanel, folder: RunFolder) -> Updates:
    """Both sections for another run: its epochs, its questions, nothing asked yet."""
    config = folder.config
    who = who_of(config, gold=bool(folder.manifest().gold))
    epochs = kept_epochs(folder)
    last = max((*epochs, 1)) if epochs else config.epochs
    task = task_of(config.task)
    sources = sources_of(task)
    examples = examples_of(task)
    first = examples[0].question if examples else ""
    known = known_row(config.task, first) if first else None
    source = sources[0][1] if sources else ""
    return {
        panel.epoch: gr.Slider(
            maximum=last,
            value=last,
            interactive=bool(epochs),
            info=text_probe.EPOCH_HELP if epochs else text_probe.NO_EPOCHS,
        ),
        panel.source: gr.Radio(choices=sources, value=source),
        panel.pick: gr.Dropdown(choices=questions_of(task, source), value=None),
        panel.question: first,
        panel.answer: known.answer if known else "",
        panel.when: gr.Button(interactive=bool(epochs)),
        panel.when_said: "",
        panel.notice: "",
        panel.map: pareto_map(track_of(folder), who, last),
        panel.answers: empty_answers(),
        panel.lens: lens_html(None, who),
    }


def of_run(panel: ScrubPanel) -> list[Any]:
    """Everything that another run changes."""
    return [
        *(panel.epoch, panel.source, panel.pick, panel.question, panel.answer, panel.when, panel.when_said),
        *(panel.notice, panel.map, panel.answers, panel.lens),
    ]


def _epoch(folder: RunFolder, value: Any) -> int:
    """What was typed or sent, within the run; what is no number is the end."""
    try:
        return min(max(int(value), 0), folder.config.epochs)
    except (TypeError, ValueError):
        return folder.config.epochs


def _said(sentences: tuple[str, ...], *, busy: bool = False) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in sentences)
    return f'<ul class="soul-when" role="status" aria-busy="{"true" if busy else "false"}">{items}</ul>'

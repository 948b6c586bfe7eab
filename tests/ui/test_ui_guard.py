"""What the page does with errors."""

import json
import logging
from copy import deepcopy
from itertools import pairwise

import gradio as gr
import pytest
from gradio.state_holder import SessionState
from gradio.utils import diff

from soul_core.errors import ConfigError
from soul_core.ui.guard import guarded, sentence
from tests.ui.scenes import waited


def test_a_soul_error_is_said_as_it_is_and_escaped():
    place = gr.HTML()

    def handler():
        raise ConfigError("Epochs is <0>.")

    (shown,) = guarded(handler, notice=place)().values()
    assert "Epochs is &lt;0&gt;." in shown


def test_a_bug_is_an_id_on_the_page_and_a_traceback_in_the_log(caplog):
    with caplog.at_level(logging.ERROR):
        said = sentence(ZeroDivisionError("secret"))
    assert "secret" not in said
    bug = said.split("(id ")[1].split(")")[0]
    assert bug in caplog.text
    assert caplog.records[0].exc_info is not None


def test_a_stream_keeps_what_it_gave_before_the_error():
    place, other = gr.HTML(), gr.HTML()

    def handler():
        yield {other: "first"}
        raise ConfigError("No more.")

    first, second = guarded(handler, notice=place)()
    assert first == {other: "first"}
    assert "No more." in second[place]


def test_an_async_stream_likewise():
    place = gr.HTML()

    async def handler():
        yield {place: "first"}
        raise ConfigError("No more.")

    async def collect():
        return [item async for item in guarded(handler, notice=place)()]

    assert "No more." in waited(collect())[1][place]


def test_a_stream_that_gives_nothing_changes_nothing():
    # Gradio sets every output to None when a generator ends without a yield.
    def handler():
        yield from ()

    assert list(guarded(handler, notice=None)()) == [gr.skip()]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_person_ending_the_program_is_not_an_error(error):
    def handler():
        raise error

    with pytest.raises(error):
        guarded(handler, notice=None)()


def drawn_late(handler, *components, notice=None):
    """What a browser sets of the first component that draws nothing until the stream has ended.

    Gradio's own making of messages and differences; its front end applies those to objects, also of messages that
    wait, and draws the last message once more in full.
    """
    with gr.Blocks() as page:
        for component in components:
            component.render()
        gr.on(None, guarded(handler, notice=notice), None, list(components))
    (made,) = page.fns.values()
    session = SessionState(page)

    async def messages():
        return [deepcopy(await page.postprocess_data(made, result, session)) for result in made.fn()]

    sent = waited(messages())
    here = deepcopy(sent[0])
    waiting = [list(here)]
    for before, after in pairwise(sent):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            for what, path, value in diff(old, new):
                here[place] = _edited(here[place], what, path, deepcopy(value))
        waiting.append(list(here))
    waiting.append(sent[-1])
    drawn = {}
    for message in waiting:
        drawn |= message[0]
    return drawn


def _edited(target, what, path, value):
    if not path:
        return target + value if what == "append" else value
    *way, last = path
    inner = target
    for step in way:
        inner = inner[step]
    if what == "delete":
        del inner[last]
    else:
        inner[last] = inner[last] + value if what == "append" else value
    return target


def test_what_a_stream_said_of_a_button_is_drawn_by_a_browser_that_was_busy_meanwhile():
    def handler():
        yield {button: gr.Button("Resume", interactive=False, visible=True), line: "loading"}
        yield {line: "1 %"}
        yield {button: gr.Button(interactive=True), line: "2 %"}
        for share in (3, 4, 5, 6):
            yield {line: f"{share} %"}

    button, line = gr.Button("Pause"), gr.HTML()
    drawn = drawn_late(handler, button, line)
    assert (drawn["value"], drawn["interactive"], drawn["visible"]) == ("Resume", True, True)


def test_what_was_said_before_an_error_is_drawn_too():
    def handler():
        yield {button: gr.Button(interactive=False), line: "loading"}
        raise ConfigError("No more.")

    button, line = gr.Button(), gr.HTML()
    assert drawn_late(handler, button, line, notice=line)["interactive"] is False


def test_a_value_that_a_person_can_change_is_said_once_and_a_buttons_words_stay():
    field, button = gr.Dropdown(), gr.Button()

    def handler():
        yield {field: gr.Dropdown(choices=["a", "b"], value="a"), button: gr.Button("Resume")}
        yield {}

    _, second = guarded(handler, notice=None)()
    assert second[field] == {"choices": ["a", "b"], "__type__": "update"}
    assert second[button] == {"value": "Resume", "__type__": "update"}


def test_a_plain_value_is_never_repeated_and_a_stream_that_another_followed_says_nothing_of_before():
    button, line = gr.Button(), gr.HTML()

    def handler():
        yield {button: gr.Button(interactive=False), line: "first"}
        yield {button: "Run"}
        yield gr.skip()
        yield {line: "last"}

    assert list(guarded(handler, notice=None)())[1:] == [{button: "Run"}, gr.skip(), {line: "last"}]


def test_a_figure_in_a_stream_is_text_which_no_later_message_changes():
    chart, line = gr.HTML(), gr.HTML()

    def handler():
        yield {chart: {"data": [{"y": [1.0, float("nan")]}], "layout": {}}, line: "first"}
        yield {line: "second"}

    first, second = guarded(handler, notice=None)()
    assert json.loads(first[chart]) == {"data": [{"y": [1.0, None]}], "layout": {}}
    assert chart not in second

"""What the page does with errors."""

import logging

import gradio as gr
import pytest

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

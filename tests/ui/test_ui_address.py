"""The address and Setup: what counts as an experiment, what is copied, what is said of nonsense."""

import gradio as gr

from soul_core.session.share import python_of
from soul_core.ui.address_params import KEPT, names_setup, params_of, words
from soul_core.ui.address_render import copy_html, held_html, troubles_html
from tests.ui.scenes import race_config


def test_only_a_setting_counts_as_one():
    assert names_setup({"epochs": "3"})
    assert names_setup({"nonsense": "x"})  # it is said what is wrong with it
    assert not names_setup({"question": "Who?", "lesson": "gold", "hide": "advanced", "__theme": "dark"})
    assert not names_setup({})


def test_parameters_are_read_from_a_request_and_none_from_nobody():
    assert params_of(gr.Request(query_params={"epochs": "3", "so.rho": "0.1"})) == {"epochs": "3", "so.rho": "0.1"}
    assert params_of(None) == {}
    assert params_of(gr.Request()) == {}


def test_lessons_and_hidden_parts_stay_in_the_address():
    assert {"lesson", "hide"} <= set(KEPT)
    assert words()["kept"] == list(KEPT)


def test_each_of_link_command_and_python_has_a_button_that_says_when_it_is_done():
    html = copy_html()
    for kind in ("link", "command", "python"):
        assert f'data-soul-copies="{kind}"' in html
    assert 'role="status"' in html
    assert "Python copied." in html


def test_the_program_that_is_copied_survives_its_markup():
    program = python_of(race_config())
    html = held_html(program + '# </textarea><script>"')
    assert "<script>" not in html
    assert html.count("</textarea>") == 1


def test_what_was_wrong_in_an_address_is_said_and_escaped_and_nothing_where_nothing_was():
    html = troubles_html(["“<b>” cannot be used.", "Neither can this."])
    assert "“&lt;b&gt;” cannot be used." in html
    assert html.count('role="alert"') == 2
    assert "Everything else" in html
    assert troubles_html([]) == ""

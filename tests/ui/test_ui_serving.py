"""Serving: our own files behind a proxy, accounts at the door, and mistakes before anything is served."""

import logging
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AuthenticationError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from soul_core.ui import door as door_module
from soul_core.ui import serve as module
from soul_core.ui.door import door
from soul_core.ui.options import Options
from soul_core.ui.theme import ASSETS_URL, PLOTLY_URL, sign_in_html, static_routes

pytestmark = [
    # The client and the server leave sockets to the garbage collector (gradio_client 2.7, httpx, anyio).
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.mark.parametrize("root_path", ["", "/soul"])
def test_our_files_are_served_with_and_without_a_proxys_path(root_path):
    with TestClient(Starlette(routes=static_routes()), root_path=root_path) as browser:
        assert "--soul-paper" in browser.get(f"/{ASSETS_URL}/page.css").text
        assert browser.get(f"/{PLOTLY_URL}/plotly.min.js").status_code == 200
        for other in ("", "../text.py", "%2e%2e/text.py", "nothing.css"):
            assert browser.get(f"/{ASSETS_URL}/{other}").status_code == 404


def test_the_form_where_people_sign_in_has_our_colours():
    assert f'href="{ASSETS_URL}/page.css"' in sign_in_html()


def test_accounts_are_asked_for_and_no_password_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(door_module, "SLOW_DOWN", 0.0)
    caplog.set_level(logging.INFO)
    with gr.Blocks(analytics_enabled=False) as page:
        box = gr.Textbox()
        box.submit(lambda word: word, box, box, api_name="echo")
    _, address, _ = page.launch(
        server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, auth=door({"ada": "secret-word"})
    )
    try:
        for auth in (None, ("ada", "secret-words"), ("grace", "secret-word")):
            with pytest.raises((AuthenticationError, ValueError)):
                Client(address, auth=auth, verbose=False)
        assert Client(address, auth=("ada", "secret-word"), verbose=False).predict("hm", api_name="/echo") == "hm"
    finally:
        page.close()
    assert "secret-word" not in caplog.text


def test_a_plugin_that_cannot_be_read_is_told_before_anything_is_served(tmp_path, capsys):
    missing = str(tmp_path / "mine.py")
    assert module.serve(Options(plugins=(missing,), runs=Path(tmp_path)), wait=False) == 2
    assert "mine.py" in capsys.readouterr().err

"""The script that must be first: in every page, before Gradio's own, and nowhere else."""

import gradio as gr
import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from soul_core.ui.early import EarlyScript
from soul_core.ui.theme import first_script, launch_arguments

TAG = "<script>1</script>"


def browser() -> TestClient:
    async def parts():
        yield b"<html><head></head>"
        yield b"<p>and <head> again</p></html>"

    routes = [
        Route("/page", lambda _: HTMLResponse("<html><head><title>é</title></head></html>")),
        Route("/data", lambda _: JSONResponse({"text": "<head>"})),
        Route("/parts", lambda _: StreamingResponse(parts(), media_type="text/html")),
        Route("/bare", lambda _: HTMLResponse("<p>no such place</p>")),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(EarlyScript, tag=TAG)]))


def test_a_page_begins_with_the_script_and_says_its_new_length():
    answer = browser().get("/page")
    assert answer.text == f"<html><head>{TAG}<title>é</title></head></html>"
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_data_and_pages_without_a_head_are_left_alone():
    assert browser().get("/data").json() == {"text": "<head>"}
    assert browser().get("/bare").text == "<p>no such place</p>"


def test_of_a_page_in_parts_the_first_one_gets_it():
    assert browser().get("/parts").text == f"<html><head>{TAG}</head><p>and <head> again</p></html>"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_gradios_page_has_it_before_any_script_of_gradios_own():
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox()
    _, address, _ = page.launch(server_name="127.0.0.1", prevent_thread_lock=True, **launch_arguments())
    try:
        text = httpx.get(address).text
    finally:
        page.close()
    assert text.count(first_script()) == 1
    assert text.index("<script") == text.index(first_script())

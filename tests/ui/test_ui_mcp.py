"""The endpoints as tools of an MCP server, called over streamable HTTP as any MCP client calls them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from soul_core.jobs import Jobs
from soul_core.models.shelf import Shelf
from soul_core.runs.store import RunStore
from soul_core.ui.desk import Desk
from soul_core.ui.host import Host
from soul_core.ui.page import build_page
from soul_core.ui.theme import launch_arguments
from tests.ui.loops import closed_afterwards
from tests.ui.scenes import waited

mcp = pytest.importorskip("mcp", reason='the MCP server needs pip install "gradio[mcp]"')

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the tools are."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    shelf = Shelf(1_000_000_000)
    desk = Desk(store=store, jobs=Jobs(store, shelf=shelf), shelf=shelf, host=Host())
    with closed_afterwards():
        page = build_page(desk)
        _, found, _ = page.launch(
            server_name="127.0.0.1", prevent_thread_lock=True, mcp_server=True, **launch_arguments()
        )
        yield f"{found}gradio_api/mcp/"
        page.close()
        desk.jobs.close()


async def _called(address: str, name: str, values: dict[str, Any]) -> tuple[list[Any], Any]:
    from mcp import ClientSession  # noqa: PLC0415 - only where the extra is
    from mcp.client.streamable_http import streamablehttp_client  # noqa: PLC0415

    async with (
        streamablehttp_client(address) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        tools = (await session.list_tools()).tools
        return tools, await session.call_tool(name, values) if name else None


def test_the_tools_are_the_endpoints_with_their_words(address):
    tools, _ = waited(_called(address, "", {}))
    names = {tool.name for tool in tools}
    for name in ("run_race", "race_status", "stop_race", "ask", "probe_race", "token_lens", "list_runs"):
        assert any(found.endswith(name) for found in names), names
    asking = next(tool for tool in tools if tool.name.endswith("ask"))
    assert "same question" in asking.description
    assert "At most 500 characters" in json.dumps(asking.inputSchema)


def test_ask_answers_as_the_endpoint_does(address):
    tools, _ = waited(_called(address, "", {}))
    ask = next(tool.name for tool in tools if tool.name.endswith("ask"))
    _, result = waited(_called(address, ask, {"question": "When was Malati Velupandi born?"}))
    assert not result.isError
    said = result.content[0].text
    assert "answers" in said and "original" in said and "gold" in said


def test_a_mistake_is_told_in_its_sentence(address):
    tools, _ = waited(_called(address, "", {}))
    ask = next(tool.name for tool in tools if tool.name.endswith("ask"))
    _, result = waited(_called(address, ask, {"question": ""}))
    assert result.isError and "The question is empty" in result.content[0].text

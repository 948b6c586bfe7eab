"""Fixtures with a Hub that answers, and with one that does not."""

from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.models.local_hub import LocalHub, handler_of, point_hub_to


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalHub]:
    local = LocalHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(local))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    point_hub_to(f"http://127.0.0.1:{server.server_port}", monkeypatch, tmp_path)
    yield local
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Hub's address refuses connections and nothing is cached."""
    point_hub_to("http://127.0.0.1:9", monkeypatch, tmp_path)

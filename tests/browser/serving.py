"""``app.py`` on a free port, for as long as a test needs it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(runs: Path) -> Iterator[str]:
    """The address of a page that keeps its runs there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (runs.parent / f"server-{port}.log").open("w+")
    command = [sys.executable, "app.py", "--port", str(port), "--runs", str(runs)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        _wait_for_line("SOUL is on", Path(log.name), server)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def _wait_for_line(words: str, log: Path, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 300
    while words not in log.read_text():
        if server.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the page did not come up:\n{log.read_text()}")
        time.sleep(0.1)

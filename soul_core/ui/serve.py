"""Joins store, jobs, shelf and page and serves them; warms the default model up afterwards. It knows no component."""

import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from soul_core.errors import SoulError
from soul_core.jobs import Jobs
from soul_core.models.shelf import Shelf
from soul_core.runs.store import RunStore
from soul_core.session.plugins import load_plugin
from soul_core.ui.desk import Desk
from soul_core.ui.host import OWN, here
from soul_core.ui.page import build_page
from soul_core.ui.theme import launch_arguments

SHELF_BYTES = 4_000_000_000
QUEUE = 64

log = logging.getLogger(__name__)


def serve(*, host: str, port: int, runs: Path, public: bool, plugins: Sequence[str] = (), wait: bool = True) -> int:
    """Serve the page; returns when the person stops it, or at once where it should not ``wait``."""
    try:
        for file in plugins:
            load_plugin(file)
    except SoulError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    store = RunStore(runs)
    shelf = Shelf(SHELF_BYTES)
    desk = Desk(store=store, jobs=Jobs(store, shelf=shelf), shelf=shelf, host=here(public=public, own=runs / OWN))
    page = build_page(desk).queue(max_size=QUEUE)
    try:
        _, address, _ = page.launch(server_name=host, server_port=port, prevent_thread_lock=True, **launch_arguments())
    except OSError:
        sys.stderr.write(f"The page cannot be served on {host}:{port}. Choose another --port or --host.\n")
        return 2
    sys.stdout.write(f"SOUL is on {address}\n")
    sys.stdout.flush()
    threading.Thread(target=_warm, args=(desk,), name="soul-warm-up", daemon=True).start()
    if wait:
        page.block_thread()
    return 0


def _warm(desk: Desk) -> None:
    """Load what the first Run needs, so that its first point comes soon."""
    try:
        desk.warm_up()
    except Exception:  # a cold start is slower, not wrong; the Run itself will say what is missing
        log.info("warm-up failed", exc_info=True)

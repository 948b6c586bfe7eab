"""Joins store, jobs, shelf and page and serves them; warms the default model up afterwards. It knows no component."""

import logging
import os
import sys
import threading

from gradio.route_utils import API_PREFIX

from soul_core.errors import SoulError
from soul_core.jobs import Jobs
from soul_core.models.shelf import Shelf
from soul_core.runs.store import RunStore
from soul_core.session.plugins import load_plugin
from soul_core.ui.desk import Desk
from soul_core.ui.door import door
from soul_core.ui.host import OWN, here
from soul_core.ui.options import Options
from soul_core.ui.page import build_page
from soul_core.ui.theme import launch_arguments, sign_in_html
from soul_core.ui.zero import booth

SHELF_BYTES = 4_000_000_000
QUEUE = 64
LOOK_EVERY = 0.05
"""Seconds between two looks of Gradio's queue for an event to begin; its own 1 ms is 4 % of a core on an idle page."""
PROGRESS_EVERY = 1.0
"""Seconds between two looks for Gradio's own progress bars, of which the page has none."""

log = logging.getLogger(__name__)


def serve(wanted: Options, *, wait: bool = True) -> int:
    """Serve the page; returns when the person stops it, or at once where it should not ``wait``."""
    try:
        for file in wanted.plugins:
            load_plugin(file)
    except SoulError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    lent = booth()
    store = RunStore(wanted.runs)
    shelf = Shelf(SHELF_BYTES)
    jobs = Jobs(store, shelf=shelf, runner=lent.race if lent else None)
    desk = Desk(store=store, jobs=jobs, shelf=shelf, host=here(public=wanted.public, own=wanted.runs / OWN))
    page = build_page(desk, lent).queue(max_size=QUEUE)
    page._queue.sleep_when_free = LOOK_EVERY
    page._queue.progress_update_sleep_when_free = PROGRESS_EVERY
    try:
        _, address, _ = page.launch(
            server_name=wanted.host,
            server_port=wanted.port,
            root_path=wanted.root_path or None,
            auth=door(wanted.accounts) if wanted.accounts else None,
            auth_message=sign_in_html() if wanted.accounts else None,
            mcp_server=wanted.mcp,
            prevent_thread_lock=True,
            **launch_arguments(),
        )
    except OSError:
        sys.stderr.write(
            f"The page cannot be served on {wanted.host}:{wanted.port}. Choose another --port or --host.\n"
        )
        return 2
    sys.stdout.write(f"SOUL is on {address}\n")
    if wanted.mcp:
        sys.stdout.write(f"MCP: {address.rstrip('/')}{API_PREFIX}/mcp/\n")
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

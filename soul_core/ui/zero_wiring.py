"""Which listener holds the lent GPU: the one of the browser whose race begins. It knows no GPU."""

import gradio as gr

from soul_core.ui.desk import Desk
from soul_core.ui.guard import QUIET, guarded
from soul_core.ui.race_panel import RacePanel
from soul_core.ui.zero import Booth


def wire_booth(booth: Booth, race: RacePanel, desk: Desk, browser: gr.BrowserState) -> None:
    """A new race, and one that goes on, is held in the listener of the browser it belongs to: its quota pays."""

    def hold(state: dict[str, str] | None) -> None:
        job_id = (state or {}).get("job", "")
        if job_id:
            booth.hold(job_id, alive=lambda: desk.alive(job_id))

    safe = guarded(hold, notice=None)
    for trigger in (browser.change, race.pause.click):
        trigger(safe, browser, None, trigger_mode="multiple", **QUIET)

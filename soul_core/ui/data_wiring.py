"""The events of the Data tab put together. It knows neither part by itself."""

import gradio as gr

from soul_core.ui.data_desk import DataDesk
from soul_core.ui.data_look import wire_look
from soul_core.ui.data_own import wire_own
from soul_core.ui.data_panel import DataPanel
from soul_core.ui.desk import Desk
from soul_core.ui.setup_panel import SetupPanel


def wire_data(
    panel: DataPanel,
    setup: SetupPanel,
    desk: Desk,
    page: gr.Blocks,
    browser: gr.BrowserState,
    *,
    tabs: gr.Tabs,
    tab: gr.Tab,
) -> None:
    """A person's own facts, and the rows of any task.

    Args:
        panel: The components.
        setup: What is picked or taught is put there.
        desk: What the page can ask for.
        page: On its load a job that still runs is followed again.
        browser: Whose facts these are.
        tabs: All tabs; the race's is opened when there is something to forget.
        tab: The tab itself; rows are read when it is first opened.
    """
    data = DataDesk(desk)
    wire_own(panel.own, data, setup, desk, page, browser, tabs)
    wire_look(panel.look, data, setup, browser, tab)

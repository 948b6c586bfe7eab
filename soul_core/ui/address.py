"""The address bar and Setup: what it says is put into Setup, what Setup says is put into it. It knows no race."""

from typing import Any

import gradio as gr

from soul_core.errors import ConfigError
from soul_core.session.address import QUESTION
from soul_core.session.share import config_from_query, python_of, query_of
from soul_core.ui import text
from soul_core.ui.address_params import names_setup, params_of
from soul_core.ui.address_render import held_html, troubles_html
from soul_core.ui.ask_panel import AskPanel
from soul_core.ui.guard import AS_TYPED, QUIET, guarded
from soul_core.ui.setup_panel import SetupPanel

_TELL = "(query) => { window.soulAddress?.settings(query); }"
_ASK = "(question) => { window.soulAddress?.question(question); }"
_RESTORED = "() => { window.soulAddress?.restored(); }"


def wire_address(setup: SetupPanel, ask: AskPanel, page: gr.Blocks) -> None:
    """Read the address at the load of the page; write it whenever Setup or the question changes.

    Args:
        setup: Shows what the address says, and is what it says.
        ask: Its question is in the address as well.
        page: Its load reads the address. The race that a browser remembers is attached all the same.
    """
    query = gr.Textbox(visible="hidden", show_label=False, container=False)

    def restore(request: gr.Request) -> dict[Any, Any]:
        params = params_of(request)
        if not names_setup(params) and QUESTION not in params:
            return {setup.address_notice: ""}
        shared = config_from_query(params)
        asked = {ask.question: shared.question[: text.QUESTION_LIMIT]} if shared.question else {}
        put_back = setup.put_back(shared.config) if names_setup(params) else {}
        return {**put_back, **asked, setup.address_notice: troubles_html(shared.troubles)}

    def tell(*values: Any) -> dict[Any, Any]:
        try:
            config = setup.form(*values).config()
            return {query: query_of(config), setup.held: held_html(python_of(config))}
        except ConfigError:  # Setup says itself what is wrong; the address keeps what was right last
            return {query: "", setup.held: held_html("")}

    page.load(
        guarded(restore, notice=setup.address_notice),
        None,
        [*setup.outputs, ask.question, setup.address_notice],
        **QUIET,
    ).then(None, None, None, js=_RESTORED)
    setup.command.change(
        guarded(tell, notice=None), setup.inputs, [query, setup.held], trigger_mode="always_last", **QUIET, **AS_TYPED
    ).then(None, query, None, js=_TELL)
    ask.question.change(None, ask.question, None, js=_ASK)

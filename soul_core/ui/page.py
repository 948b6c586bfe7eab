"""The whole page put together: header, tabs, and the events between their panels. It knows no layer by itself."""

from html import escape

import gradio as gr

from soul_core.ui import ids, text, text_data, text_scores
from soul_core.ui.api import add_api
from soul_core.ui.ask_panel import ask_panel, wire_ask
from soul_core.ui.data_panel import data_panel
from soul_core.ui.data_wiring import wire_data
from soul_core.ui.desk import Desk
from soul_core.ui.gold import wire_gold
from soul_core.ui.html import block
from soul_core.ui.race_panel import race_panel, wire_race
from soul_core.ui.scores_panel import scores_panel
from soul_core.ui.scores_wiring import wire_scores
from soul_core.ui.setup_panel import setup_panel, wire_estimate, wire_setup


def build_page(desk: Desk) -> gr.Blocks:
    """The page; everything it does, it asks of ``desk``."""
    with gr.Blocks(title=f"{text.TITLE}: {text.TAGLINE}", analytics_enabled=False, fill_width=True) as page:
        browser = gr.BrowserState({"owner": "", "job": ""}, storage_key=ids.BROWSER_STORE, secret=ids.BROWSER_SECRET)
        block(header_html(), elem_id=ids.HEADER)
        with gr.Tabs(elem_id=ids.TABS) as tabs:
            with gr.Tab(text_scores.RACE_TAB, id="race"), gr.Row(elem_id=ids.COLUMNS):
                with gr.Column(scale=0, min_width=330, elem_id=ids.SETUP):
                    setup = setup_panel(desk)
                with gr.Column(scale=1, min_width=340, elem_id=ids.MAIN):
                    with gr.Column(elem_id=ids.RACE):
                        race = race_panel()
                    with gr.Column(elem_id=ids.ASK):
                        ask = ask_panel()
            with gr.Tab(text_data.TAB, id="data") as data_tab, gr.Column(elem_id=ids.DATA):
                data = data_panel(desk)
            with gr.Tab(text_scores.TAB, id="scores") as scores_tab, gr.Column(elem_id=ids.SCORES):
                scores = scores_panel(desk)
        add_api(desk)
        wire_setup(setup, desk, page, browser)
        wire_gold(setup, desk, page, browser)
        endings = wire_race(race, setup, desk, page, browser)
        wire_estimate(setup, desk, page, browser, endings)
        wire_ask(ask, setup, desk, browser, endings)
        wire_data(data, setup, desk, page, browser, tabs=tabs, tab=data_tab)
        wire_scores(scores, desk, page, browser, scores_tab, endings)
    return page  # type: ignore[no-any-return]


def header_html() -> str:
    """The page's head: name, one line, one sentence, the switch of the colour mode."""
    return (
        f'<header class="soul-header"><div><h1>{escape(text.TITLE)} <span>{escape(text.TAGLINE)}</span></h1>'
        f"<p>{escape(text.WHAT_IT_IS)}</p></div>"
        f'<div class="soul-header-side"><span class="soul-keys">{escape(text.KEYS_HELP)}</span>'
        f'<button type="button" id="{ids.THEME}" aria-label="{escape(text.THEME_TOGGLE)}">'
        f"{escape(text.SHOW_DARK)}</button></div></header>"
    )

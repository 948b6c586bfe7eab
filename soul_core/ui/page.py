"""The whole page put together: header, tabs, and the events between their panels. It knows no layer by itself."""

from html import escape

import gradio as gr

from soul_core.ui import ids, text, text_data, text_learn, text_probe, text_runs, text_scores
from soul_core.ui.address import wire_address
from soul_core.ui.api import add_api
from soul_core.ui.ask_panel import ask_panel, wire_ask
from soul_core.ui.data_panel import data_panel
from soul_core.ui.data_wiring import wire_data
from soul_core.ui.desk import Desk
from soul_core.ui.gold import wire_gold
from soul_core.ui.html import block
from soul_core.ui.hush import hush
from soul_core.ui.learn_panel import learn_panel, learn_strip
from soul_core.ui.learn_wiring import wire_learn
from soul_core.ui.probe_panel import probe_panel
from soul_core.ui.probe_wiring import wire_probe
from soul_core.ui.race_panel import race_panel, wire_race
from soul_core.ui.replay_panel import wire_replay
from soul_core.ui.runs_panel import runs_panel
from soul_core.ui.runs_wiring import wire_runs
from soul_core.ui.scores_panel import scores_panel
from soul_core.ui.scores_wiring import wire_scores
from soul_core.ui.setup_panel import setup_panel, wire_estimate, wire_setup
from soul_core.ui.zero import Booth
from soul_core.ui.zero_wiring import wire_booth

KEPT_FILES = (3600, 86_400)
"""Seconds between two looks at files that were served or uploaded, and how old they get."""


def build_page(desk: Desk, booth: Booth | None = None) -> gr.Blocks:
    """The page; everything it does, it asks of ``desk``. Where a GPU is lent, ``booth`` is who holds it."""
    with gr.Blocks(
        title=f"{text.TITLE}: {text.TAGLINE}", analytics_enabled=False, fill_width=True, delete_cache=KEPT_FILES
    ) as page:
        browser = gr.BrowserState({"owner": "", "job": ""}, storage_key=ids.BROWSER_STORE, secret=ids.BROWSER_SECRET)
        header = block(header_html(), elem_id=ids.HEADER)
        strip = learn_strip()
        with gr.Tabs(elem_id=ids.TABS) as tabs:
            with gr.Tab(text_scores.RACE_TAB, id="race"), gr.Row(elem_id=ids.COLUMNS):
                with gr.Column(scale=0, min_width=330, elem_id=ids.SETUP):
                    setup = setup_panel(desk)
                with gr.Column(scale=1, min_width=340, elem_id=ids.MAIN):
                    with gr.Column(elem_id=ids.RACE):
                        race = race_panel()
                    with gr.Column(elem_id=ids.ASK):
                        ask = ask_panel()
            with gr.Tab(text_probe.TAB, id="probe") as probe_tab, gr.Column(elem_id=ids.PROBE):
                probe = probe_panel(desk)
            with gr.Tab(text_data.TAB, id="data") as data_tab, gr.Column(elem_id=ids.DATA):
                data = data_panel(desk)
            with gr.Tab(text_scores.TAB, id="scores") as scores_tab, gr.Column(elem_id=ids.SCORES):
                scores = scores_panel(desk)
            with gr.Tab(text_runs.TAB, id="runs") as runs_tab, gr.Column(elem_id=ids.RUNS):
                runs = runs_panel(desk)
            with gr.Tab(text_learn.TAB, id="learn") as learn_tab, gr.Column(elem_id=ids.LEARN):
                learn = learn_panel()
        add_api(desk)
        others = {race.other: text.OTHER_RACE, ask.other: text.OTHER_MODELS}
        wire_setup(setup, desk, page, browser, others)
        wire_gold(setup, desk, page, browser)
        endings = wire_race(race, setup, desk, page, browser)
        wire_replay(race.replay, desk, page, browser, race.notice)
        if booth is not None:
            wire_booth(booth, race, desk, browser)
        endings += wire_runs(runs, race, setup, desk, browser, tabs=tabs, tab=runs_tab, endings=endings)
        wire_estimate(setup, desk, page, browser, endings)
        wire_ask(ask, setup, desk, browser, endings)
        wire_address(setup, ask, page)
        wire_probe(probe, desk, page, browser, tabs=tabs, tab=probe_tab, bring_back=race.bring_back)
        wire_data(data, setup, desk, page, browser, tabs=tabs, tab=data_tab)
        wire_scores(scores, desk, page, browser, scores_tab, endings)
        wire_learn(learn, strip, setup, ask, desk, page, browser, tabs=tabs, tab=learn_tab, endings=endings)
        hush(page, header)
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

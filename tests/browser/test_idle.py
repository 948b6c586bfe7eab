"""A page that nobody touches lets the browser rest."""

import pytest

pytestmark = pytest.mark.ui

COUNTED = "() => new Promise((done) => { window.soulFrames = 0; setTimeout(() => done(window.soulFrames), 3000); })"


def test_a_loaded_page_asks_for_hardly_any_frames(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        "const asked = window.requestAnimationFrame.bind(window); window.soulFrames = 0;"
        "window.requestAnimationFrame = (callback) => { window.soulFrames += 1; return asked(callback); };"
    )
    page.goto(address)
    page.wait_for_selector("#soul-chart-retain .js-plotly-plot")
    page.wait_for_timeout(5000)
    # Gradio's loader counts on after it is gone: 60 frames in each second, unless it is slowed down.
    assert page.evaluate(COUNTED) < 30
    context.close()

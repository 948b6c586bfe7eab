"""The look: one set of colours, nothing from elsewhere."""

import re

import pytest

from soul_core.runs.styles import LANE_STYLES
from soul_core.ui import ids, text
from soul_core.ui.theme import STATIC, head, plotly_script, theme

CSS = (STATIC / "page.css").read_text(encoding="utf-8")
LIGHT, DARK = CSS.split(".dark {", 1)[0], CSS.split(".dark {", 1)[1].split("}", 1)[0]


@pytest.mark.parametrize("lane", LANE_STYLES)
def test_a_lane_has_the_colour_it_has_everywhere_and_one_for_the_dark(lane):
    assert f"--lane-{lane}: {LANE_STYLES[lane].colour};" in LIGHT
    for name in (f"--lane-{lane}", f"--lane-{lane}-band"):
        assert f"{name}:" in LIGHT
        assert f"{name}:" in DARK


def test_every_variable_that_is_used_is_defined():
    used = {
        name for path in STATIC.iterdir() for name in re.findall(r"var\((--(?:soul|lane)-[\w-]+)\)", path.read_text())
    }
    assert used <= set(re.findall(r"(--(?:soul|lane)-[\w-]+):", LIGHT))


def test_nothing_is_loaded_from_elsewhere():
    served = "".join(path.read_text(encoding="utf-8") for path in STATIC.iterdir()) + head() + plotly_script()
    assert not re.search(r"(?:https?:)?//[\w.-]+\.\w+/", served)
    look = theme()
    assert not look._stylesheets  # Gradio's way to web fonts
    assert not look._font_css


def test_keys_belong_to_buttons_that_exist():
    assert set(text.KEYS) == {ids.RUN, ids.PAUSE, ids.STEP, ids.STOP, ids.RESET}
    keys = [key for key, _ in text.KEYS.values() if key]
    assert len(set(keys)) == len(keys)

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


def luminance(colour: str) -> float:
    """Relative luminance as the contrast rules of the web define it (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("lane", LANE_STYLES)
@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
def test_a_lane_stands_out_against_paper_and_card(lane, mode):
    colour = luminance(re.search(rf"--lane-{lane}: (#\w+);", mode)[1])
    for ground in ("paper", "card"):
        behind = luminance(re.search(rf"--soul-{ground}: (#\w+);", mode)[1])
        low, high = sorted((colour, behind))
        assert (high + 0.05) / (low + 0.05) >= 3


def test_every_variable_that_is_used_is_defined():
    used = {
        name for path in STATIC.iterdir() for name in re.findall(r"var\((--(?:soul|lane)-[\w-]+)\)", path.read_text())
    }
    assert used <= set(re.findall(r"(--(?:soul|lane)-[\w-]+):", LIGHT))


def test_nothing_is_loaded_from_elsewhere():
    served = "".join(path.read_text(encoding="utf-8") for path in STATIC.iterdir()) + head() + plotly_script()
    served = served.replace("xmlns='http://www.w3.org/2000/svg'", "")  # a name, which nobody fetches
    assert not re.search(r"(?:https?:)?//[\w.-]+\.\w+/", served)
    look = theme()
    assert not look._stylesheets  # Gradio's way to web fonts
    assert not look._font_css


def test_keys_belong_to_buttons_that_exist():
    assert set(text.KEYS) == {ids.RUN, ids.PAUSE, ids.STEP, ids.STOP, ids.RESET}
    keys = [key for key, _ in text.KEYS.values() if key]
    assert len(set(keys)) == len(keys)

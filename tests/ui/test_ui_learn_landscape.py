"""The landscape on the page: what is drawn and said is what the paths did."""

import re
from html import unescape

import pytest

from soul_core.errors import ConfigError
from soul_core.session.landscape import LandscapeConfig, landscape
from soul_core.ui.learn_figure import ORDER, map_of
from soul_core.ui.learn_render import SLIDERS, controls_html, paths_html, player_html, seen_html
from soul_core.ui.learn_wiring import _config_of
from soul_core.ui.text_learn import TRIES


def words_of(config: LandscapeConfig) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", seen_html(landscape(config))))


def test_the_figure_holds_every_step_of_every_path():
    found = landscape(LandscapeConfig(steps=9))
    traces = {trace["uid"]: trace for trace in map_of(found)["data"]}
    for name in ORDER:
        points = found.paths[name].points
        assert traces[name]["meta"]["x"] == [x for x, _ in points]
        assert traces[f"{name}-now"]["x"] == [points[-1][0]]
    looks = {(traces[name]["line"]["color"], traces[name]["marker"]["symbol"]) for name in ORDER}
    assert len(looks) == len(ORDER)
    assert map_of(found)["layout"]["meta"] == {"steps": 9, "clipped": list(found.paths["sophia"].clip_shares)}
    assert "Newton ends at" in map_of(found)["alt"]


def test_a_path_that_left_is_drawn_to_the_edge_and_said_to_have_left():
    found = landscape(LandscapeConfig(curvature_ratio=1000, lr=1, steps=60))
    assert found.paths["sgd"].left
    drawn = next(trace for trace in map_of(found)["data"] if trace["uid"] == "sgd")
    assert max(map(abs, [*drawn["x"], *drawn["y"]])) <= 8
    assert "SGD left the picture" in map_of(found)["alt"]
    assert "SGD left the picture: the learning rate is too large" in words_of(found.config)
    row = re.search(r"SGD</th>(.*?)</tr>", paths_html(found))[1]
    assert row.startswith("<td>left the picture</td><td>–</td>")


def test_the_words_tell_who_arrived_and_when():
    found = landscape(LandscapeConfig())
    step = found.paths["sophia"].arrival(found.lowest_loss)
    said = words_of(found.config)
    assert re.search(rf"Newton arrived after \d+ steps, .*Sophia after {step} steps", said)
    assert "Sign momentum has not arrived in 80 steps." in said
    assert "Sophia cut" in said


def test_the_words_tell_when_clipping_hides_the_curvature():
    cut = LandscapeConfig(rho=1e-6)
    assert "its path is sign momentum's, point by point" in words_of(cut)
    assert "point by point" not in words_of(LandscapeConfig())
    assert "Sophia and Sign momentum" in words_of(cut).replace("Sign momentum and Sophia", "Sophia and Sign momentum")


@pytest.mark.parametrize(("label", "values"), TRIES.values())
def test_what_is_offered_to_try_is_within_bounds_and_has_a_slider(label, values):
    assert LandscapeConfig(**values)
    assert set(values) <= set(SLIDERS)
    assert label in controls_html(LandscapeConfig())


def test_a_slider_knows_its_bounds_from_the_settings():
    shown = controls_html(LandscapeConfig())
    assert 'data-name="rho" data-scale="log" data-low="1e-06" data-high="100.0" data-value="0.3"' in shown
    assert 'data-name="steps" data-scale="linear" data-low="1.0" data-high="400.0"' in shown
    assert shown.count("<label for=") == shown.count('type="range"') == len(SLIDERS)
    assert 'role="status"' in player_html()


def test_the_sliders_values_are_checked_whatever_a_browser_sends():
    assert _config_of(None) == LandscapeConfig()
    assert _config_of({"lr": 0.5, "steps": 12.0, "rho": "x", "else": 3}) == LandscapeConfig(lr=0.5, steps=12)
    with pytest.raises(ConfigError, match="Learning rate is 7"):
        _config_of({"lr": 7})

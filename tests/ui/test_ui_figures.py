"""The charts as Plotly gets them, and as words."""

import pytest

from soul_core.objectives import find_objective
from soul_core.runs.styles import LANE_STYLES
from soul_core.session.methods import lane_of
from soul_core.ui import text
from soul_core.ui.figures import curves, describe
from soul_core.ui.ids import look_of
from tests.ui.scenes import SIX, epoch, race_config, six_methods, started, track_of, whole_race


def trace(figure, uid):
    (found,) = [trace for trace in figure["data"] if trace["uid"] == uid]
    return found


def test_a_lane_grows_by_one_point_an_epoch_with_its_interval_as_a_closed_band():
    events = whole_race()
    figure = curves(track_of(events[:6]), "forget", run_id="r1")
    line, band = trace(figure, "so"), trace(figure, "so-band")
    assert (line["x"], line["y"]) == ([0, 1], [0.9, 0.5])
    # Lower ends forth, upper ends back: 0.9 and 0.5, five points either way.
    assert band["x"] == [0, 1, 1, 0]
    assert band["y"] == pytest.approx([0.85, 0.45, 0.55, 0.95])
    assert len(trace(curves(track_of(events), "forget", run_id="r1"), "so")["x"]) == 3


def test_gold_and_original_are_level_over_the_whole_race():
    figure = curves(track_of(whole_race()), "forget", run_id="r1")
    assert (trace(figure, "gold")["x"], trace(figure, "gold")["y"]) == ([0, 2], [0.25, 0.25])
    assert trace(figure, "gold")["line"]["dash"] != "solid"
    assert trace(figure, "original")["y"] == [0.9, 0.9]


def test_nothing_jumps_while_a_race_grows_and_the_zoom_lasts_as_long_as_the_run():
    events = whole_race()
    first = curves(track_of(events[:2]), "forget", run_id="r1")["layout"]
    last = curves(track_of(events), "forget", run_id="r1")["layout"]
    assert first == last
    assert curves(track_of(events), "forget", run_id="r2")["layout"]["uirevision"] == "r2"


def test_lanes_differ_by_more_than_colour():
    looks = [look_of(lane) for lane in ("original", "fo", "so", "sign", "gold")]
    looks += [look_of("any", position) for position in range(6)]
    for looked_at in ("colour", "band", "dash"):
        different = {getattr(look, looked_at) for look in looks}
        assert len(different) == len(looks) - (looked_at == "dash")  # FO and SO have full lines, and other markers
    markers = [look.marker for look in looks if look.marker]
    assert len(set(markers)) == len(markers) == len(looks) - 2  # original and gold are level lines
    assert look_of("gold").dash == LANE_STYLES["gold"].dash.replace(" ", "px,") + "px"


def test_only_the_newest_point_carries_the_label():
    line = trace(curves(track_of(whole_race()), "retain", run_id="r1"), "fo")
    assert line["text"] == ["", "", "FO"]


def test_six_lanes_have_no_labels_at_their_ends_and_three_have():
    figure = curves(track_of(six_methods()), "forget", run_id="r1")
    lines = [trace(figure, name) for name in SIX[:4]]
    assert [line["text"] for line in lines] == [None] * 4
    assert len({line["line"]["color"] for line in lines}) == 4
    assert {trace(figure, f"{name}-band")["opacity"] for name in SIX[:4]} == {0.5}  # bands on bands stay readable
    three = race_config(lanes=tuple(lane_of(name, "same-settings") for name in SIX[:3]))
    events = [started(config=three.model_dump(mode="json"))]
    events += [epoch(name, number, 0.9, 0.9) for name in SIX[:3] for number in (0, 1)]
    figure = curves(track_of(events), "forget", run_id="r1")
    labelled = [trace(figure, name) for name in SIX[:3]]
    assert [line["text"][-1] for line in labelled] == ["FO-GradDiff", "SO-NPO", "SGD-RMU"]
    assert len({line["textposition"] for line in labelled}) == 3


@pytest.mark.parametrize(
    ("fo", "so", "places"),
    [
        (0.6, 0.2, ("top center", "bottom center")),
        (0.2, 0.6, ("bottom center", "top center")),
        (0.5, 0.5, ("top center", "bottom center")),
        (0.6, 0.0, ("top center", "top center")),  # under it there is the axis
        (0.05, 0.0, ("top center", "middle left")),
    ],
)
def test_the_name_over_the_other_is_that_of_the_higher_line(fo, so, places):
    events = [started(), *(epoch(lane, at, end, 0.9) for lane, end in (("fo", fo), ("so", so)) for at in (0, 1))]
    figure = curves(track_of(events), "forget", run_id="r1")
    assert tuple(trace(figure, lane)["textposition"] for lane in ("fo", "so")) == places


@pytest.mark.parametrize(("lane", "acc"), [("influence", 0.4), ("icul", 0.55)])
def test_a_lane_that_acts_once_is_one_larger_marker_with_its_interval_as_a_bar(lane, acc):
    figure = curves(track_of(six_methods()), "forget", run_id="r1")
    single, line = trace(figure, lane), trace(figure, "loku")
    assert (single["x"], single["y"], single["mode"]) == ([1], [acc], "markers")
    assert single["marker"]["size"] > line["marker"]["size"]
    # Five points either way.
    assert single["error_y"]["array"] == pytest.approx([0.05])
    assert single["error_y"]["arrayminus"] == pytest.approx([0.05])
    assert text.ONCE[find_objective(lane).kind] in single["hovertemplate"]
    assert not [other for other in figure["data"] if other["uid"] == f"{lane}-band"]


def test_the_words_say_how_a_lane_acts_that_acts_once():
    said = describe(track_of(six_methods()), "forget")
    assert "Influence 40 % (one step)" in said
    assert "ICUL 55 % (a prompt, no training)" in said
    assert "FO-GradDiff from 90 % to 50 % after epoch 2" in said


def test_the_words_say_where_each_lane_began_and_is():
    said = describe(track_of(whole_race()), "forget")
    assert said == (
        "Forget accuracy. Original 90 %; Gold 25 %; FO from 90 % to 60 % after epoch 2; "
        "SO from 90 % to 20 % after epoch 2."
    )
    assert describe(track_of([]), "forget") == "Forget accuracy. No run yet; press Run."

"""The race panel's markup."""

import re

import pytest

from soul_core.events import LaneEnded
from soul_core.ui.html import notice, term
from soul_core.ui.render import legend_html, measured_html, numbers_html, progress_html, verdict_html
from soul_core.ui.snapshot import Status, status_of
from tests.ui.scenes import six_methods, started, step, track_of, view, whole_race


def test_progress_shows_percent_what_happens_and_both_times():
    status = Status(state="running", fraction=0.4, now="SO, epoch 1 of 2, step 3 of 3", elapsed=75.0, left=9.4)
    shown = progress_html(status)
    assert 'value="40"' in shown
    assert "SO, epoch 1 of 2, step 3 of 3" in shown
    assert "1 min 15 s · about 9 s left" in shown


def test_a_running_job_is_announced_by_tenths_a_state_once_and_nothing_before_any():
    told = 'data-announce="{}"'
    for fraction in (0.3, 0.35, 0.399):
        shown = progress_html(Status(state="running", fraction=fraction, now=f"SO, step {fraction}"))
        assert told.format("Running, 30 %.") in shown
    assert told.format("In the queue, 2 ahead of you") in progress_html(Status(state="queued", ahead=2))
    assert told.format("") in progress_html(Status())


def test_the_bar_never_falls_back():
    assert status_of(view("running", fraction=0.3), track_of([]), fraction=0.5, elapsed=None).fraction == 0.5


@pytest.mark.parametrize(
    ("state", "alive"), [("queued", True), ("paused", True), ("stopping", True), ("failed", False)]
)
def test_a_job_is_alive_until_it_has_ended(state, alive):
    assert Status(state=state).alive is alive


def test_the_table_has_a_row_a_lane_with_forget_and_retain_apart():
    shown = numbers_html(track_of([*whole_race(), step("so", 2, 6, grad_norm=1.25, clip_share=0.8)]))
    assert shown.count("<tr>") == 5  # the head and four lanes
    assert "20 % <small" in shown
    assert "0.20 / 0.84" in shown  # SO's ROUGE-L on forget and retain
    assert "80 %" in shown
    assert "1.25" in shown


def test_words_from_outside_are_escaped_everywhere():
    evil = "<img src=x onerror=alert(1)>"
    track = track_of([started(notes=(evil,)), LaneEnded(lane="fo", status="diverged", epoch=0, message=evil)])
    busy = Status(state="running", now=evil)
    for shown in (verdict_html(evil, track), measured_html(track), notice(evil), progress_html(busy)):
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_the_legend_names_every_lane_of_the_race():
    shown = legend_html(track_of(whole_race()))
    assert [shown.index(name) for name in ("Original", "FO", "SO", "Gold")] == sorted(
        shown.index(name) for name in ("Original", "FO", "SO", "Gold")
    )


def test_the_legend_and_the_table_hold_six_methods_each_with_its_own_look():
    track = track_of(six_methods())
    legend, table = legend_html(track), numbers_html(track)
    for shown in (legend, table):
        colours = re.findall(r"color:var\((--lane-[\w-]+)\)", shown)
        assert colours == ["--lane-original", *(f"--lane-{place}" for place in range(1, 7)), "--lane-gold"]
    assert legend.count("<span>one step</span>") == legend.count("<span>a prompt, no training</span>") == 1
    assert legend.count("<line") == 6  # the two that act once have a marker and no line
    assert "LoKU" in table
    # A calculated step has no gradient norm that compares with the others'.
    track.take([step("influence", 1, 1, grad_norm=6e10)])
    assert "6e+10" not in numbers_html(track)


def test_what_a_lane_says_of_how_it_went_stands_below_the_verdict():
    said = LaneEnded(lane="influence", status="finished", epoch=1, message="One step of 0.5 % of the weights.")
    assert "One step of 0.5 %" in verdict_html("", track_of([*six_methods(), said]))
    assert "soul-lane-message" not in verdict_html("", track_of(six_methods()))


def test_a_term_can_be_reached_without_a_mouse():
    shown = term("Clip share")
    assert 'tabindex="0"' in shown
    assert "aria-description=" in shown
    assert term("nothing known") == "nothing known"

"""How much is done and what is left, from events alone."""

import pytest

from soul_core.events import LaneEnded, Progress, RaceEnded
from soul_core.jobs.outlook import Outlook
from tests.runs.builders import epoch, race_events, started, step


def after(*events) -> Outlook:
    outlook = Outlook()
    for event in events:
        outlook.take(event)
    return outlook


def test_before_anything_was_timed_there_is_no_guess():
    assert after().seconds_left() is None
    assert after(started()).seconds_left() is None
    assert after(started(), step("fo", 1)).seconds_left() is None
    assert after(started()).fraction() == 0.0


def test_what_is_left_is_steps_and_evaluations_at_their_mean_times():
    # Two lanes, two epochs of 13 steps: 52 steps. Evaluations: original, gold, 2 x 2 of lanes = 6.
    first = epoch("original", 0, 1.0, 1.0, eval_seconds=4.0)
    outlook = after(started(), first, step("fo", 1, seconds=0.5))
    assert outlook.seconds_left() == pytest.approx(51 * 0.5 + 5 * 4.0)
    # done: 0.5 s of steps and 4 s of questions
    assert outlook.fraction() == pytest.approx(4.5 / (4.5 + 45.5))


def test_an_evaluation_under_way_counts_by_its_progress():
    outlook = after(
        started(),
        epoch("original", 0, 1.0, 1.0, eval_seconds=4.0),
        step("fo", 1, seconds=0.5),
        Progress(what="asking", done=1, total=2),
    )
    assert outlook.seconds_left() == pytest.approx(51 * 0.5 + 4.5 * 4.0)


def test_further_sets_add_an_evaluation_of_every_model():
    more = started(eval_rows={"forget": 1, "retain": 1, "world_facts": 1}, gold="")
    outlook = after(more, epoch("original", 0, 1.0, 1.0, eval_seconds=1.0), step("fo", 1, seconds=0.0))
    # original 1 + lanes 4, and once more for each of original, fo, so: 8, of which 1 is done
    assert outlook.seconds_left() == pytest.approx(7.0)


def test_the_lanes_copied_first_point_is_no_evaluation():
    events = [started(), epoch("original", 0, 1.0, 1.0, eval_seconds=1.0), step("fo", 1, seconds=0.0)]
    assert after(*events, epoch("fo", 0, 1.0, 1.0)).seconds_left() == after(*events).seconds_left()


def test_a_lane_that_diverged_has_no_steps_left():
    events = [started(), epoch("original", 0, 1.0, 1.0, eval_seconds=1.0), step("so", 1, seconds=1.0)]
    shorter = after(*events, LaneEnded(lane="fo", status="diverged", epoch=0, message="x"))
    assert after(*events).seconds_left() - shorter.seconds_left() == pytest.approx(26.0)


def test_the_end_is_the_end():
    outlook = after(*race_events())
    assert (outlook.seconds_left(), outlook.fraction()) == (0.0, 1.0)
    stopped = after(*race_events()[:8], RaceEnded(status="stopped"))
    assert 0 < stopped.fraction() < 1


def test_the_fraction_never_leaves_its_bounds_and_other_jobs_go_by_progress():
    outlook = Outlook()
    for event in race_events():
        outlook.take(event)
        assert 0.0 <= outlook.fraction() <= 1.0
    assert after(Progress(what="training", done=3, total=4)).fraction() == 0.75

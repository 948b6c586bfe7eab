"""The verdict: counts of asked rows in one sentence, whatever the race came to."""

import pytest

from soul_core.events import LaneEnded, RaceEnded
from soul_core.session.verdict import verdict
from tests.runs.builders import config, epoch, lane, race_events, started

ENDED = RaceEnded(status="finished")


def finished(*lasts, half=0.05, config_changes=None):
    first = started() if config_changes is None else started(config=config_changes.model_dump(mode="json"))
    begin = [first, epoch("original", 0, 0.97, 0.98)]
    return [*begin, *lasts, ENDED]


def test_counts_of_both_lanes_and_gold():
    # 100 rows each: FO 97 - 56 = 41, SO 97 - 9 = 88, both 98 - 97 = 1 on retain; gold gets 20 right
    assert verdict(race_events()) == (
        "SO forgot 88 of 100, retain lost 1 of 100; FO forgot 41, retain lost 1; "
        "gold, which never learned them, gets 20 of 100 right."
    )


def test_the_lane_that_forgot_most_comes_first_and_a_high_price_is_said_with_but():
    events = finished(epoch("fo", 2, 0.07, 0.58), epoch("so", 2, 0.47, 0.98))
    assert verdict(events) == "FO forgot 90 of 100, but retain lost 40 of 100; SO forgot 50, retain lost none."


def test_overlapping_intervals_are_no_difference():
    # 0.30 ± 0.05 and 0.36 ± 0.05 overlap; 0.30 ± 0.02 and 0.36 ± 0.02 do not
    close = "no difference that the intervals can tell apart between FO and SO"
    assert close in verdict(finished(epoch("fo", 2, 0.30, 0.9), epoch("so", 2, 0.36, 0.9)))
    assert close not in verdict(finished(epoch("fo", 2, 0.30, 0.9, half=0.02), epoch("so", 2, 0.36, 0.9, half=0.02)))


def test_overlap_in_forgetting_alone_is_said_so():
    # retain 0.58 ± 0.05 against 0.98 ± 0.05 is a difference, forget 0.07 against 0.09 is none
    said = verdict(finished(epoch("fo", 2, 0.09, 0.98), epoch("so", 2, 0.07, 0.58)))
    assert "(in forgetting, no difference that the intervals can tell apart between FO and SO)" in said
    said = verdict(finished(epoch("fo", 2, 0.09, 0.58), epoch("so", 2, 0.07, 0.98)))
    assert "(in forgetting, no difference that the intervals can tell apart between FO and SO)" in said


def test_a_model_that_forgot_nothing_or_learned_more_is_said_so():
    events = finished(epoch("fo", 2, 0.97, 0.98), epoch("so", 2, 0.99, 0.99))
    said = verdict(events)
    assert "FO forgot none of 100, retain lost none" in said
    assert "SO knows 2 more of 100 than before, retain gained 1" in said


def test_a_diverged_lane_says_when_and_what_it_had():
    events = finished(
        epoch("fo", 2, 0.57, 0.98),
        epoch("so", 1, 0.47, 0.98),
        LaneEnded(lane="so", status="diverged", epoch=1, message="Lower the rate."),
    )
    assert "SO diverged after epoch 1; until then it forgot 50 of 100" in verdict(events)


def test_a_lane_without_an_epoch_is_named():
    events = finished(epoch("fo", 2, 0.57, 0.98), LaneEnded(lane="so", status="diverged", epoch=0, message="x"))
    assert verdict(events) == ("FO forgot 40 of 100, retain lost none; SO diverged before its first epoch ended.")


def test_a_stopped_and_a_running_race_say_how_far_they_came():
    events = [started(), epoch("original", 0, 0.97, 0.98), epoch("fo", 1, 0.57, 0.98), epoch("so", 1, 0.10, 0.98)]
    assert verdict(events).startswith("So far, after epoch 1 of 2: SO forgot 87 of 100")
    assert verdict([*events, RaceEnded(status="stopped")]).startswith("Stopped, after epoch 1 of 2: SO forgot 87")


@pytest.mark.parametrize("events", [[], [started()], [started(), epoch("original", 0, 0.9, 0.9)]])
def test_before_the_first_epoch_there_is_nothing_to_say(events):
    assert verdict(events) == "Nothing is measured yet."
    assert verdict([*events, RaceEnded(status="stopped")]) == "Nothing was measured: no lane finished an epoch."


def test_one_lane_alone_and_a_control_are_counted_too():
    three = config(lanes=(*config().lanes, lane("sign", "Sign momentum", "sign-momentum")))
    events = finished(
        epoch("fo", 2, 0.57, 0.98), epoch("so", 2, 0.17, 0.98), epoch("sign", 2, 0.07, 0.98), config_changes=three
    )
    said = verdict(events)
    assert said.startswith(
        "Sign momentum forgot 90 of 100, retain lost none; SO forgot 80, retain lost none; FO forgot"
    )
    assert "tell apart" not in said  # said of FO and SO, which are far apart
    alone = config(lanes=config().lanes[:1])
    assert verdict(finished(epoch("fo", 2, 0.57, 0.98), config_changes=alone)) == (
        "FO forgot 40 of 100, retain lost none."
    )


@pytest.mark.parametrize("count", range(len(race_events()) + 1))
def test_there_is_a_sentence_wherever_the_events_end(count: int):
    said = verdict(race_events()[:count])
    assert said.endswith(".")
    assert "\n" not in said

"""What the events of a race add up to on the page."""

from soul_core.events import LaneEnded, RaceEnded
from tests.ui.scenes import epoch, race_config, scores, six_methods, started, step, track_of, whole_race


def test_points_are_in_the_order_of_epochs_and_only_of_the_set_asked_for():
    track = track_of(whole_race())
    assert [(number, point.acc) for number, point in track.lanes["so"].points("forget")] == [
        (0, 0.9),
        (1, 0.5),
        (2, 0.2),
    ]
    assert track.lanes["so"].points("world_facts") == []


def test_lanes_stand_original_first_and_gold_last():
    assert [lane.name for lane in track_of(whole_race()).in_order()] == ["original", "fo", "so", "gold"]


def test_training_time_adds_up_and_a_report_told_twice_counts_once():
    events = whole_race()
    track = track_of([*events, events[-4]])  # the last SO report again, as a resumed race tells it
    assert track.lanes["so"].train_seconds == 5.0  # 2.5 + 2.5
    assert track.lanes["so"].clip_share == 0.8


def test_a_later_report_on_more_sets_keeps_the_earlier_scores():
    more = epoch("original", 0, 0.9, 0.9)
    more.scores["world_facts"] = scores(0.7)
    track = track_of([started(), epoch("original", 0, 0.9, 0.9), more])
    assert set(track.lanes["original"].last) == {"forget", "retain", "world_facts"}


def test_what_happens_now_counts_steps_within_the_epoch():
    # Three steps an epoch: step 5 of the run is step 2 of epoch 2.
    track = track_of([started(), step("so", 2, 5)])
    assert track.now == "SO, epoch 2 of 2, step 2 of 3"


def test_a_diverged_lane_keeps_its_message_and_the_end_clears_what_happens_now():
    track = track_of(
        [
            started(),
            step("fo", 1, 1),
            LaneEnded(lane="fo", status="diverged", epoch=0, message="Lower the learning rate."),
            RaceEnded(status="finished"),
        ]
    )
    assert (track.lanes["fo"].status, track.lanes["fo"].message) == ("diverged", "Lower the learning rate.")
    assert track.now == ""


def test_a_race_without_gold_has_no_gold_lane():
    assert "gold" not in track_of([started(gold="")]).lanes


def test_a_lane_that_acts_once_counts_no_epochs():
    track = track_of([*six_methods(), step("influence", 1, 1)])
    assert [name for name, lane in track.lanes.items() if lane.once] == ["influence", "icul"]
    assert track.now == "Influence, one step"
    assert [lane.position for lane in track.in_order()] == [0, 0, 1, 2, 3, 4, 5, 0]  # between original and gold


def test_an_objective_that_is_not_here_any_more_was_a_trained_one():
    config = race_config().model_dump(mode="json")
    config["lanes"][0]["objective"]["name"] = "mine"
    assert track_of([started(config=config)]).lanes["fo"].kind == "trained"

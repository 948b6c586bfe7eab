"""Events sorted into curves, the CSV and the command line's JSON."""

import csv
import io

import pytest

from soul_core.events import LaneEnded
from soul_core.runs.summary import curves_csv, result_json, summarise
from tests.runs.builders import epoch, race_events, started


def test_a_later_report_of_an_epoch_replaces_the_earlier():
    summary = summarise([started(), epoch("fo", 1, 0.9, 0.9), epoch("fo", 1, 0.3, 0.9)])
    assert summary.score("fo").acc == pytest.approx(0.3)
    assert len(summary.reports["fo"]) == 1


def test_the_summary_knows_order_labels_and_ends():
    summary = summarise(race_events())
    assert summary.lanes == ("fo", "so")
    assert (summary.label("so"), summary.label("original")) == ("SO", "Original")
    assert summary.score("so", "retain").acc == pytest.approx(0.97)
    assert summary.seconds("so") == pytest.approx(8.0)  # twice 3 s of steps and 1 s of questions
    assert summary.ended.status == "finished"
    assert summary.steps == {"fo": 1, "so": 1}


def test_the_csv_has_a_line_per_lane_epoch_and_set():
    rows = list(csv.DictReader(io.StringIO(curves_csv(summarise(race_events())))))
    # original and gold once, each of two lanes at epochs 0, 1 and 2; two sets each
    assert len(rows) == (2 + 2 * 3) * 2
    last = [row for row in rows if row["lane"] == "so" and row["epoch"] == "2" and row["set"] == "forget"]
    assert [(row["acc"], row["rows"], row["clip_share"]) for row in last] == [("0.090000", "100", "0.800000")]
    assert {row["clip_share"] for row in rows if row["lane"] == "fo"} == {""}


def test_the_json_of_the_command_line_has_its_documented_shape():
    result = result_json(summarise(race_events()))
    assert list(result) == ["fo", "so", "original", "gold"]
    assert [entry["epoch"] for entry in result["fo"]["epochs"]] == [0, 1, 2]
    entry = result["so"]["epochs"][-1]
    assert (entry["forget_acc"], entry["retain_acc"]) == (0.09, 0.97)
    assert (entry["forget_rouge_l"], entry["retain_rouge_l"]) == (0.09, 0.97)
    assert result["fo"]["seconds"] == pytest.approx(6.0)


def test_a_diverged_lane_says_so_in_the_json():
    events = [*race_events()[:4], LaneEnded(lane="so", status="diverged", epoch=0, message="Lower the rate.")]
    assert result_json(summarise(events))["so"]["diverged"] == "Lower the rate."


def test_no_events_are_no_error():
    assert result_json(summarise([])) == {}
    assert len(curves_csv(summarise([])).splitlines()) == 1

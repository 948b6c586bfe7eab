"""The report with everything a run can hold: scorecard, probes, steps; and the lines that it draws."""

import re
from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.events import RaceEnded
from soul_core.runs.line_svg import MAX_POINTS, Line, lines_svg
from soul_core.runs.marks import Marks, write_marks
from soul_core.runs.scores import scores_of
from soul_core.runs.store import RunStore
from soul_core.runs.styles import LANE_STYLES
from soul_core.session.report import report_of
from tests.runs.builders import config, step
from tests.runs.kept_runs import kept_run, whole_run
from tests.runs.test_report import tags_of


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_report_is_one_file_that_loads_and_runs_nothing_and_nests(tmp_path: Path):
    html = report_of(whole_run(tmp_path))
    tags = tags_of(html)
    assert {tag for tag, _ in tags}.isdisjoint({"script", "img", "iframe", "object", "link"})
    for _, attributes in tags:
        assert set(attributes).isdisjoint({"src", "href"})
        assert not [name for name in attributes if name.startswith("on")]
    assert "default-src 'none'" in html
    assert set(re.findall(r"https?://[^\"' <]+", html)) == {"http://www.w3.org/2000/svg"}


def test_it_holds_verdict_scorecard_with_conventions_probes_steps_and_how_to_repeat_it(tmp_path: Path):
    folder = whole_run(tmp_path)
    write_marks(folder, Marks(name="My <run>", note="remember"))
    said = text_of(report_of(folder))
    for part in (
        "My &lt;run&gt;",
        "remember",
        "SO forgot 88 of 100",
        "Scorecard",
        "Model utility ↑",
        "How each number is computed",
        "harmonic mean",
        "&lt;b&gt;",
        "20 samples 100 %",
        "15 % (5–36)",
        "&lt;script&gt;In Lima.",
        "Relearning from part of the forget set",
        "85 % (85–85)",
        "4 bits",
        "Where it changed",
        "1.0e-01",
        "linear CKA",
        "Size of the step",
        "Clip share",
        "python -m soul_core race --seed 0",
        "?model=pocket&amp;task=invented-authors:forget10",
        "d" * 64,
    ):
        assert part in said, part
    assert "Unfinished" not in said


def test_probes_are_summed_up_in_a_verdict_for_each_lane(tmp_path: Path):
    html = report_of(whole_run(tmp_path))
    assert "<dt>FO: leaks</dt>" in html


@pytest.mark.parametrize(
    ("events", "last", "said"),
    [
        (
            6,
            None,
            "Unfinished: this race is running or was interrupted. This is what was measured, up to epoch 0 of 2.",
        ),
        (8, RaceEnded(status="stopped"), "Unfinished: this race was stopped after epoch 1 of 2."),
        (
            8,
            RaceEnded(status="failed", message="Disk <full>."),
            "Unfinished: this race failed after epoch 1 of 2. Disk &lt;",
        ),
    ],
)
def test_an_unfinished_run_has_a_report_that_says_so(tmp_path: Path, events: int, last: RaceEnded | None, said: str):
    folder = kept_run(RunStore(tmp_path), events=events)
    if last is not None:
        folder.append(last)
    html = report_of(folder)
    tags_of(html)
    assert said in html


def test_a_run_of_which_nothing_was_measured_has_none(tmp_path: Path):
    for folder in (kept_run(RunStore(tmp_path), events=1), RunStore(tmp_path).create(config())):
        with pytest.raises(RunError, match=r"There is nothing to report .* no model has been measured yet\."):
            report_of(folder)


def test_a_damaged_scorecard_is_said_and_hides_nothing(tmp_path: Path):
    folder = whole_run(tmp_path)
    (folder.path / "scores" / "so.json").write_text("{")
    (folder.path / "probes" / "bench.json").write_text("{")
    said = text_of(report_of(folder))
    assert "cannot be read as a scorecard" in said and "Probe again" in said and "Model utility ↑" in said


def test_models_that_were_measured_otherwise_are_not_shown_as_alike(tmp_path: Path):
    folder = whole_run(tmp_path)
    card = Scorecard(model="so", task="tiny", measured={"forget.acc": Measured(value=0.1)}, settings={"rows": 5})
    scores_of(folder.path).write(card)
    assert "not all measured with the same settings" in report_of(folder)
    assert "Measured with: rows 0." in report_of(whole_run(tmp_path))


def line(*points: tuple[float, float]) -> Line:
    return Line(label="FO", style=LANE_STYLES["fo"], points=points)


def test_points_of_a_line_stand_where_their_values_say():
    # 520 wide with margins 58 and 12, 260 high with margins 12 and 40: step 5 of 10 is at 58 + 450/2 = 283; the axis
    # ends at 2 (the next round number above 1.5), so 1.5 is at 12 + 208 * (1 - 0.75) = 64 and 0.5 at 168.
    svg = lines_svg("Size", [line((0, 0.5), (5, 1.5), (10, 0.5))], below="step")
    assert 'points="58.0,168.0 283.0,64.0 508.0,168.0"' in svg
    assert 'aria-label="Size: FO 0.5 at step 0 to 0.5 at 10."' in svg


def test_shares_are_drawn_from_0_to_100_percent():
    svg = lines_svg("Clip", [line((0, 0.0), (10, 0.5))], below="step", percent=True)
    assert 'points="58.0,220.0 508.0,116.0"' in svg
    assert "0 % at step 0 to 50 % at 10" in svg


def test_a_line_of_nothing_is_no_figure_and_one_that_is_not_finite_is_left_out():
    assert lines_svg("Size", [line()], below="step") == ""
    assert lines_svg("Size", [line((0, float("nan")), (1, float("inf")))], below="step") == ""
    assert 'points="58.0,220.0 508.0,220.0"' in lines_svg(
        "Size", [line((0, 0), (1, float("nan")), (2, 0))], below="step"
    )


def test_long_lines_are_thinned_and_keep_their_ends():
    svg = lines_svg("Size", [line(*((number, 1.0) for number in range(5000)))], below="step")
    drawn = re.search(r'points="([^"]+)" fill="none"', svg)
    assert drawn is not None
    points = drawn[1].split()
    assert len(points) == MAX_POINTS
    assert (points[0], points[-1]) == ("58.0,12.0", "508.0,12.0")


def test_a_race_without_sophia_has_no_figure_of_clipping(tmp_path: Path):
    folder = kept_run(RunStore(tmp_path), events=6)
    folder.append(step("fo", 2))
    assert "Clip share (coordinates" not in report_of(folder)
    assert "Size of the step" in report_of(folder)

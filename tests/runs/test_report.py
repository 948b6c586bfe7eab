"""The report: one file, no network, nothing of a model's words taken as markup."""

import re
from html.parser import HTMLParser

import pytest

from soul_core.config import ObjectiveConfig
from soul_core.events import LaneEnded
from soul_core.runs.answers import AnswerSheet
from soul_core.runs.manifest import new_manifest
from soul_core.runs.report import report_html
from soul_core.runs.styles import LANE_STYLES, lane_style
from soul_core.runs.summary import summarise
from soul_core.runs.svg import alt_text, curve_svg, marker_svg
from tests.runs.builders import config, epoch, lane, race_events, started

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class Tags(HTMLParser):
    """Collects tags and attributes and checks that they nest."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


def report(events=None, *, answers=None, verdict="SO forgot more.", **changes) -> str:
    manifest = new_manifest("20261121-091200-graddiff-3f9a11aa", config(**changes))
    manifest = manifest.but(
        command="python -m soul_core race --seed 0", data_hash="d" * 64, model_fingerprint="m" * 64
    )
    return report_html(
        summarise(race_events() if events is None else events), manifest, answers or AnswerSheet(), verdict
    )


def test_the_report_holds_verdict_settings_versions_hashes_and_command():
    html = report()
    for text in ("SO forgot more.", "d" * 64, "m" * 64, "python -m soul_core race --seed 0", "torch", "Warm-up", "ρ"):
        assert text in html


def test_answers_stand_side_by_side_and_are_never_markup():
    sheet = AnswerSheet().with_answers("forget", "original", [EVIL], [EVIL], ["Lima"])
    sheet = sheet.with_answers("forget", "so", [EVIL], [EVIL], [EVIL])
    html = report(answers=sheet, verdict=EVIL, model=EVIL)
    tags = tags_of(html)
    assert {tag for tag, _ in tags}.isdisjoint({"script", "img", "iframe", "object", "link"})
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert html.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;") >= 5
    assert "<td>Lima</td>" in html


def test_the_report_needs_no_network():
    html = report()
    for _, attributes in tags_of(html):
        assert set(attributes).isdisjoint({"src", "href"})
    assert "url(" not in html
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\"' ]+", html)) == {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_both_modes_and_words_for_the_curves():
    html = report()
    assert "prefers-color-scheme:dark" in html
    labels = [attributes["aria-label"] for tag, attributes in tags_of(html) if tag == "svg" and "role" in attributes]
    assert labels == [
        "Forget accuracy: Original 97 %; Gold 20 %; FO 97 % at epoch 0 to 56 % at epoch 2; "
        "SO 97 % at epoch 0 to 9 % at epoch 2.",
        "Retain accuracy: Original 98 %; Gold 97 %; FO 98 % at epoch 0 to 97 % at epoch 2; "
        "SO 98 % at epoch 0 to 97 % at epoch 2.",
    ]


def test_lanes_differ_in_more_than_colour():
    looks = [(style.dash, style.marker) for style in LANE_STYLES.values()]
    assert len(set(looks)) == len(looks)
    further = [lane_style("mine", position) for position in range(6)]
    assert len({style.colour for style in further} | {style.colour for style in LANE_STYLES.values()}) == 11
    assert lane_style("fo", 3) == LANE_STYLES["fo"]


@pytest.mark.parametrize("marker", sorted({style.marker for style in LANE_STYLES.values()} - {"none"}))
def test_every_marker_is_drawn_around_its_point(marker):
    numbers = [float(x) for x in re.findall(r"-?\d+\.\d", marker_svg(100, 50, marker, "#000", size=2))]
    xs, ys = numbers[0::2], numbers[1::2]
    if marker == "circle":
        assert numbers == [100, 50, 9]
    else:
        assert sum(xs) / len(xs) == pytest.approx(100, abs=0.5)
        assert max(ys) > 50 > min(ys)
        assert max(xs) - min(xs) < 25


def six_methods() -> tuple[list[object], dict[str, object]]:
    """Events of six lanes, the last of which acts once, and what the manifest's config has of them."""
    lanes = tuple(lane(f"m{at}", f"Method {at}", "adamw") for at in range(5))
    once = lane("influence", "Influence", "adamw").but(objective=ObjectiveConfig(name="influence", damping=0.5))
    changes = {"lanes": (*lanes, once)}
    events = [started(config=config(**changes).model_dump(mode="json")), epoch("original", 0, 0.9, 0.9)]
    events += [epoch(f"m{at}", number, 0.9 - at / 10, 0.9) for at in range(5) for number in (0, 1, 2)]
    return [*events, epoch("influence", 1, 0.5, 0.8), LaneEnded(lane="influence", status="finished", epoch=1)], changes


def test_six_lanes_have_six_looks_in_curves_and_legend_alike():
    events, changes = six_methods()
    html = report(events, **changes)
    tags_of(html)
    curve = curve_svg(summarise(events), "forget", "Forget accuracy")
    for position in range(6):
        colour = lane_style("", position).colour
        assert colour in curve
        assert html.count(colour) >= 3  # legend and both curves


def test_a_lane_that_acts_once_is_a_larger_marker_with_its_interval_and_no_line():
    events, _ = six_methods()
    svg, style = curve_svg(summarise(events), "forget", "Forget accuracy"), lane_style("", 5)
    # Epoch 1 of 2: x = 277; 0.5 +- 0.05: y from 12 + 268 * 0.45 = 132.6 to 12 + 268 * 0.55 = 159.4.
    assert f'<line x1="277.0" y1="132.6" x2="277.0" y2="159.4" stroke="{style.colour}"' in svg
    assert marker_svg(277, 146, style.marker, style.colour, size=1.5) in svg
    assert f'stroke="{style.colour}" stroke-width="2.5"' not in svg
    assert "Influence 50 % (measured once)" in svg
    html = report(events, lanes=six_methods()[1]["lanes"])
    assert "Influence (measured once)" in html


def test_lane_settings_are_those_that_each_lane_reads():
    html = report(six_methods()[0], **six_methods()[1])
    settings = html[html.index("<h3>Lanes</h3>") :]
    assert '<tr><th scope="row">Damping</th>' + "<td>–</td>" * 5 + "<td>0.5</td>" in settings
    assert '<tr><th scope="row">Retain term</th>' + "<td>nll</td>" * 5 + "<td>–</td>" in settings
    assert '<th scope="row">ρ</th>' not in settings  # none of them is Sophia
    mine = lane("mine", "Mine", "sophia").but(objective=ObjectiveConfig(name="gone", calm=0.25))
    settings = report(lanes=(mine,))
    assert '<th scope="row">calm</th><td>0.25</td>' in settings
    assert '<th scope="row">ρ</th>' in settings


def test_points_stand_where_their_values_say():
    # 520 wide with margins 46 and 12, 320 high with margins 12 and 40: epoch 1 of 2 is at 46 + 462/2 = 277,
    # an accuracy of 0.5 at 12 + 268 * 0.5 = 146.
    events = [started(), epoch("fo", 0, 1.0, 1.0), epoch("fo", 1, 0.5, 1.0)]
    svg = curve_svg(summarise(events), "forget", "Forget accuracy")
    assert 'points="46.0,12.0 277.0,146.0"' in svg


def test_gold_is_a_dashed_level_across_the_whole_race():
    # gold 0.20: y = 12 + 268 * 0.8 = 226.4, from epoch 0 (x 46) to epoch 2 (x 508)
    svg = curve_svg(summarise(race_events()), "forget", "Forget accuracy")
    assert re.search(r'points="46\.0,226\.4 508\.0,226\.4"[^>]*#3f8f3f[^>]*stroke-dasharray="9 5"', svg)


@pytest.mark.parametrize("count", range(len(race_events()) + 1))
def test_a_race_that_ended_anywhere_still_has_a_report(count: int):
    tags_of(report(race_events()[:count]))


def test_a_diverged_lane_is_named_with_what_to_change():
    events = [*race_events()[:6], LaneEnded(lane="so", status="diverged", epoch=0, message="Lower the rate.")]
    html = report(events)
    assert "SO (diverged)" in html
    assert "Lower the rate." in html


def test_nothing_measured_is_said():
    assert alt_text(summarise([]), "forget", "Forget accuracy") == "Forget accuracy: nothing measured yet."

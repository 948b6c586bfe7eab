"""Trials as points: where they are, and that nothing in them becomes markup."""

import re
from xml.etree import ElementTree

from soul_core.runs.scatter import Dot, scatter_svg
from soul_core.runs.styles import lane_style


def dot(forget: float, retain: float, **changes: object) -> Dot:
    return Dot(**{"lane": "fo", "forget_acc": forget, "retain_acc": retain, "said": "a trial", **changes})  # type: ignore[arg-type]


def rings(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'class="chosen" cx="([\d.]+)" cy="([\d.]+)" r="9"', svg)]


def draw(*dots: Dot, limit: float = 0.9) -> str:
    return scatter_svg(dots, limit=limit, labels={"fo": "FO", "so": "SO"}, title="Sweep")


def test_less_forgotten_lies_further_right_and_more_retained_higher():
    ((low_x, high_y),) = rings(draw(dot(0.0, 1.0, chosen=True)))
    ((high_x, low_y),) = rings(draw(dot(1.0, 0.0, chosen=True)))
    ((half_x, half_y),) = rings(draw(dot(0.5, 0.5, chosen=True)))
    assert low_x < high_x and high_y < low_y
    assert (half_x, half_y) == ((low_x + high_x) / 2, (low_y + high_y) / 2)


def test_the_limit_is_drawn_where_a_trial_at_the_limit_lies():
    svg = draw(dot(0.5, 0.9, chosen=True), limit=0.9)
    (line,) = re.findall(r'class="limit" x1="[\d.]+" y1="([\d.]+)"', svg)
    assert float(line) == rings(svg)[0][1]


def test_only_chosen_trials_have_a_ring_and_are_said_in_words():
    svg = draw(dot(0.25, 0.95, chosen=True), dot(0.5, 0.5))
    assert len(rings(svg)) == 1
    assert "2 trials. FO at its best forget 25%, retain 95%." in svg
    assert "No trial keeps what should stay" in draw(dot(0.5, 0.5))


def test_lanes_of_other_names_differ_and_look_the_same_in_the_legend():
    labels = {f"so-{at}": f"SO {at}" for at in range(6)}
    svg = scatter_svg([dot(at / 6, 0.9, lane=f"so-{at}") for at in (5, 2, 0)], limit=0.9, labels=labels, title="Sweep")
    for position in (5, 2, 0):
        assert svg.count(lane_style("", position).colour) >= 2  # the dot and the legend
    assert svg.index("SO 0") < svg.index("SO 2") < svg.index("SO 5")
    assert "SO 1" not in svg


def test_text_never_becomes_markup():
    svg = draw(dot(0.5, 0.5, said="<script>&"), dot(0.1, 0.1, lane="<b>"))
    assert "<script>" not in svg and "<b>" not in svg
    assert ElementTree.fromstring(svg) is not None  # noqa: S314 - our own

"""The Pareto front of forget against retain: by hand, and where its line runs."""

import re

import pytest

from soul_core.runs.scatter import Dot, pareto_front, scatter_svg


def test_a_point_that_another_beats_in_both_is_not_on_the_front():
    # Sorted by forget: (0.1, 0.5), (0.2, 0.4) is beaten by it, (0.3, 0.9), (0.8, 0.95), (0.9, 0.95) beaten.
    points = [(0.8, 0.95), (0.2, 0.4), (0.3, 0.9), (0.1, 0.5), (0.9, 0.95)]
    assert pareto_front(points) == [3, 2, 0]


def test_of_the_same_forget_only_the_most_retained_is_on_it_and_of_equals_the_first():
    assert pareto_front([(0.1, 0.5), (0.1, 0.9), (0.1, 0.9)]) == [1]
    assert pareto_front([]) == []


def test_no_point_of_a_front_beats_another_and_every_other_point_is_beaten():
    points = [((i * 37 % 41) / 41, (i * 17 % 43) / 43) for i in range(60)]
    front = pareto_front(points)

    def beaten(place: int) -> bool:
        forget, retain = points[place]
        return any(f <= forget and r >= retain and (f, r) != (forget, retain) for f, r in points)

    assert all(not beaten(place) for place in front)
    assert all(beaten(place) for place in range(len(points)) if place not in front)


def draw(*dots: Dot, labels: dict[str, str] | None = None) -> str:
    return scatter_svg(dots, limit=0.9, labels=labels or {"fo": "FO", "so": "SO"}, title="Sweep")


def dot(lane: str, forget: float, retain: float) -> Dot:
    return Dot(lane=lane, forget_acc=forget, retain_acc=retain, said="a trial")


def paths(svg: str) -> list[str]:
    return re.findall(r'class="front" d="([^"]+)"', svg)


def test_the_line_goes_up_and_right_from_point_to_point():
    # The plot is 556 wide from x = 64 and 338 high from y = 44 down to 382.
    (path,) = paths(draw(dot("fo", 0.5, 1.0), dot("fo", 0.0, 0.5), dot("fo", 0.75, 0.9)))
    assert path == "M64.0 382.0V213.0H342.0V44.0H620.0"


def test_every_lane_has_a_line_of_its_own_and_a_place_in_the_legend():
    labels = {f"so-method-{i}": f"A method with a long name {i}" for i in range(6)}
    svg = draw(*(dot(lane, 0.1 * i, 0.1 * i) for i, lane in enumerate(labels)), labels=labels)
    assert len(paths(svg)) == 6
    words = [(float(x), text) for x, text in re.findall(r'<text x="([\d.]+)" y="\d+">([^<]+)</text>', svg)]
    assert [text for _, text in words] == [*labels.values(), "chosen"]
    assert all(x + 7.2 * len(text) <= 640 for x, text in words)
    assert len(set(re.findall(r'class="front"[^>]*stroke="(#\w+)"', svg))) == 6


@pytest.mark.parametrize("retain", [0.0, 1.0])
def test_a_single_trial_is_its_own_front(retain: float):
    assert len(paths(draw(dot("so", 0.5, retain)))) == 1

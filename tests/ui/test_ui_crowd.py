"""A crowd is told less often than one alone."""

import pytest

from soul_core.ui.crowd import Crowd


@pytest.mark.parametrize(("watching", "waits"), [(0, 0.2), (1, 0.2), (5, 0.2), (10, 0.4), (30, 1.2)])
def test_five_are_told_as_often_as_one_and_thirty_six_times_less_often(watching, waits):
    crowd = Crowd()
    places = [crowd.joined() for _ in range(watching)]
    for place in places:
        place.__enter__()
    assert crowd.wait(0.2) == pytest.approx(waits)
    for place in places:
        place.__exit__(None, None, None)
    assert crowd.wait(0.2) == 0.2


def test_who_is_told_seldom_anyway_waits_no_longer_in_a_small_crowd():
    crowd = Crowd()
    places = [crowd.joined() for _ in range(12)]
    for place in places:
        place.__enter__()
    assert crowd.wait(0.5) == 0.5


def test_who_leaves_with_an_error_has_left():
    crowd = Crowd()
    for _ in range(20):
        with pytest.raises(KeyError), crowd.joined():
            raise KeyError
    assert crowd.wait(1.0) == 1.0

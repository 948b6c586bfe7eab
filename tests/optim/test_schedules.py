import pytest

from soul_core.optim.schedules import schedule_lr


def course(total, warmup, schedule):
    return [schedule_lr(step, total, warmup, schedule) for step in range(1, total + 1)]


def test_linear_rises_over_the_warm_up_and_falls_towards_0_by_hand():
    # 2 of 6 steps rise: 1/2, 1. Then four equal falls from 1 at step 2 to 0 at step 7: 4/5, 3/5, 2/5, 1/5.
    assert course(6, 1 / 3, "linear") == pytest.approx([0.5, 1.0, 0.8, 0.6, 0.4, 0.2])


def test_constant_stays_after_the_warm_up():
    assert course(5, 0.6, "constant") == pytest.approx([1 / 3, 2 / 3, 1, 1, 1])


def test_without_warm_up_the_first_step_is_at_the_peak():
    assert course(4, 0.0, "linear") == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4])


def test_a_warm_up_of_the_whole_run_only_rises():
    assert course(4, 1.0, "linear") == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_warm_up_that_is_no_whole_number_of_steps_is_rounded_up():
    assert course(15, 0.1, "constant")[:3] == pytest.approx([0.5, 1, 1])


def test_a_rounding_error_of_the_share_adds_no_step():
    # 0.1 * 30 = 3.0000000000000004 in floating point.
    assert course(30, 0.1, "constant")[:4] == pytest.approx([1 / 3, 2 / 3, 1, 1])


@pytest.mark.parametrize("schedule", ["linear", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_no_step_is_wasted_and_one_reaches_the_peak(total, warmup, schedule):
    values = course(total, warmup, schedule)
    assert min(values) > 0
    assert max(values) == 1.0


def test_after_the_end_a_linear_rate_is_0_and_never_negative():
    assert schedule_lr(7, 6, 0.1, "linear") == schedule_lr(50, 6, 0.1, "linear") == 0.0


def test_steps_count_from_1():
    with pytest.raises(ValueError, match="got step 0"):
        schedule_lr(0, 10, 0.1, "linear")

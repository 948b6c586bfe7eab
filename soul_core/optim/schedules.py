"""The learning rate's course over a run. It knows step numbers only."""

import math

from soul_core.config import Schedule


def schedule_lr(step: int, total: int, warmup: float, schedule: Schedule) -> float:
    """What the peak rate is multiplied by at a step, in (0, 1] within the run.

    Over the first ``ceil(warmup * total)`` steps it rises linearly and ends at 1; then ``linear`` falls so that the
    step after the last would be at 0, and ``constant`` stays. Neither the first nor the last step is at 0, where a
    gradient would be computed for nothing.

    Args:
        step: Counted from 1.
        total: Steps of the whole run.
        warmup: Share of the steps spent rising, 0 to 1.
        schedule: What follows the warm-up.
    """
    if step < 1 or total < 1 or not 0 <= warmup <= 1:
        raise ValueError(
            f"step and total start at 1 and warmup lies in [0, 1]; got step {step}, total {total}, warmup {warmup}"
        )
    # Rounded first: 0.1 * 30 is 3.0000000000000004, and its ceiling would be 4.
    rising = math.ceil(round(warmup * total, 9))
    if step < rising:
        return step / rising
    if schedule == "constant":
        return 1.0
    return max(0.0, (total - step + 1) / (total - max(rising, 1) + 1))

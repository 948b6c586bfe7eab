"""Who is ahead in a comparison over seeds, and who only seems so. It knows numbers, and neither races nor tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot
from statistics import fmean, stdev

from soul_core.session.presets import CONTROL
from soul_core.session.sweep_rule import MARGIN
from soul_core.session.trials import LaneResult

LANES = {"fo": "FO", "so": "SO", CONTROL: "Control"}


@dataclass(frozen=True, slots=True)
class Scores:
    """What one method scored, a result for each seed."""

    results: tuple[LaneResult, ...]

    @property
    def forget(self) -> tuple[float, ...]:
        """Forget Acc by seed."""
        return tuple(result.forget_acc for result in self.results)

    @property
    def retain(self) -> tuple[float, ...]:
        """Retain Acc by seed."""
        return tuple(result.retain_acc for result in self.results)

    @property
    def clip_shares(self) -> tuple[float, ...]:
        """Clip share by seed, of those that clip."""
        return tuple(result.clip_share for result in self.results if result.clip_share is not None)

    @property
    def diverged(self) -> int:
        """With how many seeds it ended early."""
        return sum(bool(result.diverged) for result in self.results)


def ahead(a: Scores, b: Scores) -> bool:
    """Whether ``a`` forgets more than ``b`` beyond the spread, at a retain Acc that can be compared.

    Beyond the spread: its mean forget Acc is lower by more than ``sqrt(s_a^2 + s_b^2)``, the standard deviation of
    the difference of two single runs. Comparable: its mean retain Acc is at most two points lower. With one seed
    there is no spread and nobody is ahead, and neither is a method that diverged.
    """
    if min(len(a.results), len(b.results)) < 2 or a.diverged:
        return False
    spread = hypot(stdev(a.forget), stdev(b.forget))
    # The margin is meant to the row, as in the sweeps' rule.
    comparable = fmean(a.retain) >= fmean(b.retain) - MARGIN - 1e-9
    return comparable and fmean(b.forget) - fmean(a.forget) > spread


def verdict(rows: Mapping[str, Mapping[str, Scores]]) -> str:
    """For how many objectives SO is ahead of FO and of the control, and they of it; by ``ahead`` alone."""
    said = []
    for other, name in (("fo", "FO"), (CONTROL, "the control (sign momentum)")):
        pairs = [(found["so"], found[other]) for found in rows.values() if "so" in found and other in found]
        if not pairs:
            continue
        if all(len(scores.results) < 2 for pair in pairs for scores in pair):
            return "One seed has no spread, so nothing can be said about who is ahead."
        wins, losses = sum(ahead(so, x) for so, x in pairs), sum(ahead(x, so) for so, x in pairs)
        said.append(
            f"SO forgets more than {name} for {wins} of {len(pairs)} objectives and less for {losses}; "
            f"{len(pairs) - wins - losses} are undecided."
        )
    rule = (
        f"Counted only where mean forget Acc differs by more than the spread √(s₁² + s₂²) of two single runs and the "
        f"one ahead keeps retain Acc within {100 * MARGIN:g} points of the other."
    )
    return " ".join([*said, rule]) if said else ""

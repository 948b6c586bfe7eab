"""Which settings a sweep chooses: one rule for every method, over several seeds. It runs nothing.

First round: every point with one seed. Second round: of each method the ``FINALISTS`` settings that the rule likes
best, with ``MORE_SEEDS`` more. The choice is made on the means of the finalists, because the luckiest of
two dozen runs with one seed is not the best setting.

The rule: among the settings that keep retain Acc within two points of the original, the lowest forget Acc; of
equals the one with the higher retain Acc, then the lower learning rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from soul_core.config import LaneConfig, OptimizerConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.session.trials import LaneResult, Record

MARGIN = 0.02
FINALISTS = 6
MORE_SEEDS = 2
HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How many settings of each method come into the second round, and how many more seeds they get there."""

    finalists: int = FINALISTS
    more_seeds: int = MORE_SEEDS

    def __post_init__(self) -> None:
        if self.finalists < 1 or self.more_seeds < 0:
            raise ConfigError(
                f"{self.finalists} finalists with {self.more_seeds} more seeds choose nothing. "
                "Take at least 1 finalist and at least 0 seeds."
            )


RULE = Rule()


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting of one method with every seed it was run with, the first round's seed first."""

    records: tuple[Record, ...]

    @property
    def lane(self) -> str:
        """The method's lane."""
        return self.config.name

    @property
    def config(self) -> LaneConfig:
        """The lane with the setting."""
        return self.records[0].config.lanes[0]

    @property
    def optimizer(self) -> OptimizerConfig:
        """What of the setting is the optimizer's."""
        return self.config.optimizer

    @property
    def results(self) -> tuple[LaneResult, ...]:
        """One a seed."""
        return tuple(record.lanes[self.lane] for record in self.records)

    @property
    def forget_acc(self) -> float:
        """Mean over the seeds."""
        return fmean(result.forget_acc for result in self.results)

    @property
    def retain_acc(self) -> float:
        """Mean over the seeds."""
        return fmean(result.retain_acc for result in self.results)

    @property
    def clip_share(self) -> float | None:
        """Mean over the seeds; None where the optimizer does not clip."""
        shares = [result.clip_share for result in self.results if result.clip_share is not None]
        return fmean(shares) if shares else None

    @property
    def keeps_retain(self) -> bool:
        """Whether it stays within the margin, and never diverged."""
        original = fmean(record.lanes["original"].retain_acc for record in self.records)
        # The margin is meant to the row: 0.98 - 0.02 is not quite 0.96 in floating point.
        return not any(r.diverged for r in self.results) and self.retain_acc >= original - MARGIN - 1e-9

    @property
    def order(self) -> tuple[float, float, float]:
        """Smaller is better."""
        return self.forget_acc, -self.retain_acc, self.optimizer.lr


def trials_of(records: Sequence[Record]) -> list[Trial]:
    """Records of the same lane and settings together, in the order in which the settings were first run."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.config.lanes[0].model_dump_json(), []).append(record)
    return [Trial(tuple(sorted(group, key=lambda record: record.config.seed))) for group in groups.values()]


def second_round(records: Sequence[Record], rule: Rule = RULE) -> list[RaceConfig]:
    """The finalists with more seeds, methods in turn.

    Args:
        records: The whole first round.
        rule: How many finalists and seeds.
    """
    trials = [trial for trial in trials_of(records) if trial.keeps_retain]
    ranked = {
        lane: sorted((trial for trial in trials if trial.lane == lane), key=lambda trial: trial.order)
        for lane in dict.fromkeys(trial.lane for trial in trials)
    }
    return [
        trial.records[0].config.but(seed=trial.records[0].config.seed + extra)
        for place in range(rule.finalists)
        for finalists in ranked.values()
        for trial in finalists[place : place + 1]
        for extra in range(1, rule.more_seeds + 1)
    ]


def best(records: Sequence[Record], rule: Rule = RULE) -> dict[str, Trial]:
    """By lane, the setting that the rule chooses among those with all seeds; a lane without any is absent."""
    chosen: dict[str, Trial] = {}
    for trial in trials_of(records):
        if len(trial.records) <= rule.more_seeds or not trial.keeps_retain:
            continue
        if trial.lane not in chosen or trial.order < chosen[trial.lane].order:
            chosen[trial.lane] = trial
    return chosen


def best_unclipped(records: Sequence[Record], rule: Rule = RULE) -> Trial | None:
    """The setting of SO that the rule likes best among those with fewer than half of the steps clipped.

    There curvature and not the clip decides most steps. None if no such setting has all seeds and keeps retain.
    """
    free = [
        trial
        for trial in trials_of(records)
        if len(trial.records) > rule.more_seeds
        and trial.lane == "so"
        and trial.keeps_retain
        and trial.clip_share is not None
        and trial.clip_share < HALF
    ]
    return min(free, key=lambda trial: trial.order, default=None)

"""A sweep's trials as a spreadsheet, a picture and a page of Markdown. It knows no race and runs nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from soul_core.runs.atomic import disk_errors_as_sentences, write_text
from soul_core.runs.scatter import Dot, alt_text, pareto_front, scatter_svg
from soul_core.session.presets import CONTROL
from soul_core.session.search import Space
from soul_core.session.sweep import choices, said_of
from soul_core.session.sweep_rule import MARGIN, RULE, Rule, Trial, best, best_unclipped, trials_of
from soul_core.session.trials import Record

_COLUMNS = (
    "forget_acc",
    "retain_acc",
    "forget_rouge_l",
    "retain_rouge_l",
    "forget_probability",
    "retain_probability",
    "clip_share",
    "seconds",
)


def write_sweep(
    folder: Path,
    name: str,
    records: Sequence[Record],
    spaces: Mapping[str, Space],
    command: str,
    *,
    budget: int | None = None,
    rule: Rule = RULE,
) -> Path:
    """Write ``name.csv``, ``name.svg`` and ``name.md`` and return the last."""
    page = Page(name=name, records=records, spaces=spaces, command=command, budget=budget, rule=rule)
    with disk_errors_as_sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{name}.csv", page.csv())
        write_text(folder / f"{name}.svg", page.svg())
        write_text(folder / f"{name}.md", page.markdown())
    return folder / f"{name}.md"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A finished sweep, to be shown.

    Attributes:
        spaces: What was tried, by lane.
        budget: How many points were drawn for each; None for grids.
    """

    name: str
    records: Sequence[Record]
    spaces: Mapping[str, Space]
    command: str
    budget: int | None = None
    rule: Rule = RULE

    def csv(self) -> str:
        """One line per run; ``chosen`` and ``keeps_retain`` are 0 or 1 and speak of the setting with all its seeds.

        ``front`` is 1 for the settings that no other of the same method beats in both accuracies.
        """
        runs = [
            {"lane": trial.lane, "lr": trial.optimizer.lr, "variant": self._said(trial), "seed": record.config.seed}
            | {column: getattr(result, column) for column in _COLUMNS}
            | {"keeps_retain": int(trial.keeps_retain), "chosen": int(self._chosen.get(trial.lane) == trial)}
            | {"front": int(trial in self._fronts[trial.lane]), "diverged": int(bool(result.diverged))}
            for trial in self._trials
            for record, result in zip(trial.records, trial.results, strict=True)
        ]
        return pd.DataFrame(runs).to_csv(index=False, float_format="%.6g", lineterminator="\n")

    def svg(self) -> str:
        """Every trial as a point."""
        return scatter_svg(self._dots(), limit=self._limit, labels=self._labels, title=self._title)

    def markdown(self) -> str:
        """What was tried, the rule, the choice of each method, the fronts, and the command that makes it again."""
        first = self.records[0]
        lines = [
            f"# {self._title}",
            "",
            f"![{alt_text(self._dots(), labels=self._labels, title=self._title)}]({self.name}.svg)",
            "",
            *self._rules(first),
            "",
            *self._choices(),
            *self._regime(),
            "",
            *self._edges(),
            *self._front_table(),
            "",
            "Axes:",
            "",
            *(f"- {self._labels[lane]}: `{space.text}`" for lane, space in self.spaces.items()),
            "",
            f"Chosen settings: `{json.dumps(choices(self.records, self.spaces, self.rule))}`",
            "",
            f"Every trial: [{self.name}.csv]({self.name}.csv); complete records: [{self.name}.jsonl]"
            f"({self.name}.jsonl).",
            "",
            "```sh",
            self.command,
            "```",
            "",
            f"Original weights {first.model_fingerprint[:12]}; "
            + ", ".join(f"{package} {version}" for package, version in first.versions.items())
            + ".",
            "",
        ]
        return "\n".join(lines)

    def _rules(self, first: Record) -> list[str]:
        original, rule = first.lanes["original"], self.rule
        counts = ", ".join(f"{self._labels[lane]} {count}" for lane, count in self._counts.items())
        gammas = {record.config.lanes[0].objective.gamma for record in self.records}
        gamma = f"γ {gammas.pop():g}; " if len(gammas) == 1 else ""
        drawn = f"{self.budget} points drawn for each method, shared settings alike; " if self.budget else ""
        again = (
            f"Every setting is run with one seed; the {rule.finalists} that the rule likes best of each method are "
            f"run with {rule.more_seeds} more; the choice is made on the means."
            if rule.more_seeds
            else "Every setting is run with one seed."
        )
        return [
            f"Rule, the same for each method: among the settings that keep retain Acc within {100 * MARGIN:g} points "
            f"of the original ({original.retain_acc:.3f}, so at least {self._limit:.3f}), the lowest forget Acc; of "
            f"equals the higher retain Acc, then the lower rate. {again}",
            "",
            f"Settings: {counts}; {len(self.records)} runs; {drawn}first seed {first.config.seed}, "
            f"{first.config.epochs} epochs, batch {first.config.batch_size}, {gamma}{original.forget_rows} forget and "
            f"{original.retain_rows} retain rows asked.",
        ]

    def _choices(self) -> list[str]:
        lines = [
            "| Method | Learning rate | Other settings | Forget Acc | Retain Acc | Clip share | Keep retain |",
            "|---|---|---|---|---|---|---|",
        ]
        for lane, label in self._labels.items():
            within = sum(trial.keeps_retain for trial in self._trials if trial.lane == lane)
            found = "– | – | – | – | –"
            if lane in self._chosen:
                trial = self._chosen[lane]
                found = (
                    f"{trial.optimizer.lr:g} | {self._said(trial)} | {trial.forget_acc:.3f} | "
                    f"{trial.retain_acc:.3f} | {_clip(trial)}"
                )
            lines.append(f"| {label} | {found} | {within} of {self._counts[lane]} |")
        return lines

    def _regime(self) -> list[str]:
        free = best_unclipped(self.records, self.rule)
        control = self._chosen.get(CONTROL)
        if free is None or control is None:
            return []
        return [
            "",
            f"Where curvature decides most steps: the best setting of SO with under half of its steps clipped is lr "
            f"{free.optimizer.lr:g}, {self._said(free)}: forget Acc {free.forget_acc:.3f}, retain Acc "
            f"{free.retain_acc:.3f}, clip share {_clip(free)}; the control at its best, all of it clipped, has "
            f"{control.forget_acc:.3f} and {control.retain_acc:.3f}.",
        ]

    def _edges(self) -> list[str]:
        """A choice at the edge of what was tried may have a better neighbour outside: that is said."""
        said = []
        for lane, trial in self._chosen.items():
            rates = {tried.optimizer.lr for tried in self._trials if tried.lane == lane}
            if len(rates) > 1 and trial.optimizer.lr in (min(rates), max(rates)):
                said.append(f"{self._labels[lane]}'s rate is at the edge of what was tried.")
        return [*said, ""] if said else []

    def _front_table(self) -> list[str]:
        lines = [
            "Pareto fronts, which the lines of the picture go along: no other setting of the same method forgets more "
            "and retains more. Means over the seeds.",
            "",
            "| Method | Learning rate | Other settings | Forget Acc | Retain Acc | Seeds | |",
            "|---|---|---|---|---|---|---|",
        ]
        return lines + [
            f"| {self._labels[lane]} | {trial.optimizer.lr:g} | {self._said(trial)} | {trial.forget_acc:.3f} | "
            f"{trial.retain_acc:.3f} | {len(trial.records)} | {'chosen' if self._chosen.get(lane) == trial else ''} |"
            for lane, front in self._fronts.items()
            for trial in front
        ]

    def _dots(self) -> list[Dot]:
        return [
            Dot(
                lane=trial.lane,
                forget_acc=trial.forget_acc,
                retain_acc=trial.retain_acc,
                said=f"{self._labels[trial.lane]}, lr {trial.optimizer.lr:g}, {self._said(trial)}: "
                f"forget {trial.forget_acc:.3f}, retain {trial.retain_acc:.3f}, seeds {len(trial.records)}",
                chosen=self._chosen.get(trial.lane) == trial,
            )
            for trial in self._trials
        ]

    def _said(self, trial: Trial) -> str:
        return said_of(trial.config, self.spaces[trial.lane])

    @cached_property
    def _trials(self) -> list[Trial]:
        return trials_of(self.records)

    @cached_property
    def _chosen(self) -> dict[str, Trial]:
        return best(self.records, self.rule)

    @cached_property
    def _fronts(self) -> dict[str, list[Trial]]:
        fronts = {}
        for lane in self.spaces:
            trials = [trial for trial in self._trials if trial.lane == lane]
            places = pareto_front([(trial.forget_acc, trial.retain_acc) for trial in trials])
            fronts[lane] = [trials[place] for place in places]
        return fronts

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {lane: sum(trial.lane == lane for trial in self._trials) for lane in self.spaces}

    @cached_property
    def _labels(self) -> dict[str, str]:
        return {trial.lane: trial.config.label for trial in self._trials}

    @property
    def _limit(self) -> float:
        return self.records[0].lanes["original"].retain_acc - MARGIN

    @property
    def _title(self) -> str:
        config = self.records[0].config
        objectives = dict.fromkeys(record.config.lanes[0].objective.name for record in self.records)
        return f"Sweep: {', '.join(objectives)} on {config.task}, {config.model}"


def _clip(trial: Trial) -> str:
    return "–" if trial.clip_share is None else f"{trial.clip_share:.2f}"

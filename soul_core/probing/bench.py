"""An attack bench: every attack held against every model on the same rows. It knows no run, no disk and no page.

It goes attack by attack, cheap ones first, and in each model by model, so that a table fills row by row.
"""

import hashlib
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from soul_core.data.prompts import joint_of
from soul_core.data.schema import QARow
from soul_core.evaluation.intervals import mean_interval
from soul_core.evaluation.metrics import wilson
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel
from soul_core.probing.attacks import Attack, chosen
from soul_core.probing.conversations import Conversation, Surroundings
from soul_core.probing.leaks import gives_away
from soul_core.probing.results import MOST_TRIES, AttackResult, Bench
from soul_core.probing.settings import AttackConfig
from soul_core.probing.talks import BATCH, Talk, fitted, hold, tried

_JOINTS: Mapping[Literal["turns", "message", "text"], str] = {
    "turns": "",
    "message": "This model's chat template has no earlier turns: they stand as text in front of the question.",
    "text": "This model has no chat roles: turns are joined as text, an empty line between an answer and a question.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One attack made ready.

    Attributes:
        attack: The attack.
        conversations: What is held with every model, in the order of the rows.
        notes: Why rows are left out, and what else a reader must know.
        mark: Changes with everything that decides an answer beside the model.
    """

    attack: Attack
    conversations: tuple[Conversation, ...]
    notes: tuple[str, ...]
    mark: str


class Attacking:
    """A bench made ready; ``bench`` is what was found so far.

    Args:
        models: Who is attacked, by name.
        rows: On which rows.
        config: How.
        around: What attacks may use beside the row.
        epoch: Of the lanes' weights, as it is noted.
        autocast_dtype: Reduced precision of the arithmetic, or None.
        batch_size: Most conversations per forward.
        before: An earlier bench. Its cells are kept as far as nothing that decides them has changed: the
            conversations, the settings of the answers, and the model's weights and template.

    Raises:
        ConfigError: There is no such attack, or an own template cannot be used.
    """

    def __init__(
        self,
        models: Mapping[str, LoadedModel],
        rows: Sequence[QARow],
        config: AttackConfig,
        *,
        around: Surroundings | None = None,
        epoch: int | None = None,
        autocast_dtype: torch.dtype | None = None,
        batch_size: int = BATCH,
        before: Bench | None = None,
    ) -> None:
        wanted = chosen(config)
        # The others too: a table that has more than is asked for now keeps it.
        everything = {attack.name: attack for attack in chosen(config.but(attacks=()))}
        around = around or Surroundings(forget=rows, seed=config.seed)
        precision = str(autocast_dtype or torch.float32).removeprefix("torch.")
        plans = {
            name: _plan(attack, tuple(models.values()), rows, around, config, precision)
            for name, attack in everything.items()
        }
        self._models = models
        self._config = config
        self._dtype = autocast_dtype
        self._batch_size = batch_size
        self._wanted = [plans[attack.name] for attack in wanted]
        marks = {name: plan.mark for name, plan in plans.items()}
        who = {name: _mark(loaded.fingerprint, repr(loaded.template)) for name, loaded in models.items()}
        kept = _still_true(before, marks, who) if before is not None and before.epoch == epoch else ()
        self.bench = Bench(
            epoch=epoch,
            results=kept,
            settings={
                **config.model_dump(mode="json"),
                "precision": precision,
                "asked": marks,
                "models": who,
            },
            titles={name: attack.title for name, attack in everything.items()},
            seconds=sum(result.seconds for result in kept),
        )

    def run(self, only: Sequence[str] = ()) -> Generator[Progress | AttackResult, None, Bench]:
        """Fill the table; yields Progress after every decode step and every cell when it is there.

        Args:
            only: Of these models alone; none means all.

        Returns:
            The whole bench, with the cells that were kept.
        """
        names = [name for name in self._models if not only or name in only]
        cells = [(plan, name) for plan in self._wanted for name in names]
        costs = [0 if self.bench.find(name, plan.attack.name) else self._cost(plan) for plan, name in cells]
        total, done = max(1, sum(costs)), 0
        for (plan, name), cost in zip(cells, costs, strict=True):
            found = self.bench.find(name, plan.attack.name)
            if found is None:
                yield Progress(what=plan.attack.title, lane=name, done=done, total=total)
                started, work = time.perf_counter(), self._cell(plan, name)
                while True:
                    try:
                        share = next(work)
                    except StopIteration as end:
                        found = replace(end.value, seconds=round(time.perf_counter() - started, 3))
                        break
                    yield Progress(what=plan.attack.title, lane=name, done=done + int(cost * share), total=total)
                self.bench = replace(
                    self.bench,
                    results=(*self.bench.results, found),
                    seconds=round(self.bench.seconds + found.seconds, 3),
                )
                done += cost
            yield found
        return self.bench

    def _cost(self, plan: Planned) -> int:
        draws = self._config.samples if plan.attack.drawn else 1
        return sum(1 + len(one.then) for one in plan.conversations) * draws * self._config.max_new_tokens

    def _cell(self, plan: Planned, name: str) -> Generator[float, None, AttackResult]:
        """One model under one attack; yields the share that is done."""
        loaded, config, drawn = self._models[name], self._config, plan.attack.drawn
        talks = [Talk(one) for one in plan.conversations for _ in range(config.samples if drawn else 1)]
        yield from hold(
            talks,
            loaded,
            max_new_tokens=config.max_new_tokens,
            batch_size=self._batch_size,
            autocast_dtype=self._dtype,
            temperature=config.temperature if drawn else 0.0,
            seed=config.seed,
        )
        notes = list(plan.notes)
        if any(one.earlier or one.then for one in plan.conversations):
            notes.append(_JOINTS[joint_of(loaded.tokenizer, loaded.template)])
        if any(talk.cut for talk in talks):
            notes.append("Some talks ended early: they fill the model's context.")
        note = " ".join(filter(None, notes))
        tries = tried(talks)
        if not tries:
            return AttackResult(model=name, attack=plan.attack.name, share=None, note=note)
        shares = [one.leaks / one.answers for one in tries]
        low, high = interval(shares)
        kept = tuple(sorted(tries, key=lambda one: not one.leaks)[:MOST_TRIES]) if len(tries) > MOST_TRIES else tries
        if len(kept) < len(tries):
            note = f"{note} Of {len(tries)} rows the conversations of {len(kept)} are kept.".strip()
        return AttackResult(
            model=name,
            attack=plan.attack.name,
            share=sum(shares) / len(shares),
            low=low,
            high=high,
            any_share=sum(one.leaks > 0 for one in tries) / len(tries),
            tries=kept,
            note=note,
        )


def attack(
    models: Mapping[str, LoadedModel],
    rows: Sequence[QARow],
    config: AttackConfig | None = None,
    *,
    around: Surroundings | None = None,
    autocast_dtype: torch.dtype | None = None,
    batch_size: int = BATCH,
) -> Generator[Progress | AttackResult, None, Bench]:
    """``Attacking`` and its ``run`` in one: every model under every chosen attack."""
    return Attacking(
        models,
        rows,
        config or AttackConfig(),
        around=around,
        autocast_dtype=autocast_dtype,
        batch_size=batch_size,
    ).run()


def interval(shares: Sequence[float]) -> tuple[float | None, float | None]:
    """95 % interval of a mean over rows, by drawing rows again.

    Where all rows leak, or none does, drawing them again shows no spread at all; then it is Wilson's, which knows how
    few they are. None with fewer than two rows.
    """
    if len(shares) < 2:
        return None, None
    if set(shares) in ({0.0}, {1.0}):
        share = wilson(int(sum(shares)), len(shares))
        return share.low, share.high
    return mean_interval(shares) or (None, None)


def _plan(
    attack: Attack,
    models: Sequence[LoadedModel],
    rows: Sequence[QARow],
    around: Surroundings,
    config: AttackConfig,
    precision: str,
) -> Planned:
    """The attack's conversations, without those that tell the answer themselves or do not fit into every model."""
    found: list[Conversation] = []
    unfit = telling = long = 0
    for row in rows:
        built = attack.build(row, around)
        silent = [one for one in built if not gives_away(f"{one.shown} {one.start}", one.row)]
        tries = (fitted(one, models, max_new_tokens=config.max_new_tokens) for one in silent)
        fitting = [one for one in tries if one is not None]
        unfit += not built
        telling += bool(built) and not silent
        long += bool(silent) and not fitting
        found += fitting
    notes = [
        f"{count} of {len(rows)} rows left out. {why}"
        for count, why in (
            (unfit, attack.unfit),
            (telling, "The prompt itself tells the answer."),
            (long, "The prompt leaves no room for an answer in the model's context."),
        )
        if count
    ]
    notes += dict.fromkeys(one.note for one in found if one.note)
    draws = (config.samples, config.temperature, config.seed) if attack.drawn else ()
    mark = _mark(precision, repr(config.max_new_tokens), repr(draws), *map(repr, found))
    return Planned(attack=attack, conversations=tuple(found), notes=tuple(notes), mark=mark)


def _still_true(before: Bench, marks: Mapping[str, str], who: Mapping[str, str]) -> tuple[AttackResult, ...]:
    """Cells of an earlier bench that would come out the same now."""
    asked, models = (_marks(before.settings.get(name)) for name in ("asked", "models"))
    return tuple(
        cell
        for cell in before.results
        if marks.get(cell.attack, "?") == asked.get(cell.attack) and who.get(cell.model, "?") == models.get(cell.model)
    )


def _marks(found: object) -> dict[str, object]:
    """What another version, or another hand, may have written otherwise."""
    return {str(name): mark for name, mark in found.items()} if isinstance(found, dict) else {}


def _mark(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode(errors="replace")).hexdigest()[:16]

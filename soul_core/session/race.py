"""A race from its settings to its folder: the one place that joins data, models, engine and evaluation.

It is a generator of events. It knows no page, no queue and no terminal; closing it stops the race.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from soul_core.config import RaceConfig
from soul_core.data.progress import followed
from soul_core.data.schema import QARow
from soul_core.data.tasks import load_task
from soul_core.engine.room import out_of_memory
from soul_core.errors import Diverged, ModelError, RunError, SoulError
from soul_core.evaluation.matchers import pick_matcher
from soul_core.evaluation.scorecard import Examination, examine
from soul_core.events import EpochReport, Event, LaneEnded, Progress, RaceEnded, RaceStarted, StepReport
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.loading import LoadedModel
from soul_core.models.memory import shape_of
from soul_core.models.shelf import Shelf
from soul_core.models.world import ALONE, World
from soul_core.objectives import find_objective
from soul_core.runs.folder import RunFolder
from soul_core.session.checks import check_against, check_race
from soul_core.session.command import command_of
from soul_core.session.epochs import epochs_fit, keep_epoch
from soul_core.session.examined import EXAMINED, exam_key
from soul_core.session.keeper import Keeper, finish
from soul_core.session.lanes import LaneMaker
from soul_core.session.launched import check_launch, examine_together, room_together, said_of
from soul_core.session.loaded import load_for
from soul_core.session.material import Material, prepare
from soul_core.session.needed import load_of
from soul_core.session.pocket_make import GOLDS, find_gold
from soul_core.session.recovery import check_same, newest_saved, recover
from soul_core.session.room import Plan
from soul_core.session.runner import Runner, drop_checkpoint

__all__ = ["finish", "race", "resume_race"]


def race(
    config: RaceConfig,
    folder: RunFolder,
    *,
    resume: bool = False,
    shelf: Shelf | None = None,
    keep_epochs: bool = True,
    world: World = ALONE,
) -> Generator[Event, None, None]:
    """Run a race, yield what happens, keep it in the folder.

    Lanes start from copies of the same weights and take turns epoch by epoch, so that all curves grow together. The
    original is asked first, which gives every curve its point at epoch 0; gold after the lanes' first epoch. A later
    report on the same lane and epoch replaces the earlier one (original and gold are asked the further sets at the
    end). A disk that refuses costs files, not the race: ``RaceEnded.message`` tells.

    Close the generator to stop: the weights of every complete epoch stay, the log ends with ``stopped``, and
    ``finish`` writes curves and report of what there is.

    Args:
        config: Must be the folder's when resuming.
        folder: Made by ``RunStore.create``.
        resume: Yield the kept events again, then go on from every lane's last complete epoch. The final weights are
            those of an unbroken run, bit for bit, on the same machine.
        shelf: Where models are taken from and results are put: the original and gold by their names, each lane
            by the path of its weights.
        keep_epochs: Keep the weights after every epoch, where they are small enough, so that they can be asked later.
        world: The processes that run it together, each of which calls this and takes as many events. Only the main
            one reads and writes the folder. Between two step reports or reports on epochs all are at the same place;
            progress differs. The result is that of one process but for the rounding of sums.

    Raises:
        SoulError: The race cannot begin or go on; the sentence is also the log's last event.
    """
    keeper = Keeper(folder, world=world)
    watch = _Stopwatch()
    try:
        if resume:
            keeper.events, keeper.sheet = world.from_main(lambda: (recover(config, folder), folder.answers()))
            for kept in keeper.events:
                with watch.paused():
                    yield kept
        running = _Race(config, folder, keeper, shelf, watch, world, keep_epochs=keep_epochs)
        with closing(running.run(resume=resume)) as events:
            for event in events:
                keeper.append(event)
                with watch.paused():
                    yield event
        yield _close(keeper, watch)
    except (GeneratorExit, KeyboardInterrupt):
        if not (keeper.events and isinstance(keeper.events[-1], RaceEnded)):
            said = " ".join(("Stopped. Complete epochs are kept.", *keeper.trouble))
            keeper.append(RaceEnded(status="stopped", message=said, seconds=watch.seconds()))
        raise
    except SoulError as error:
        keeper.append(RaceEnded(status="failed", message=str(error), seconds=watch.seconds()))
        raise
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        sentence = (
            f"“{config.model}” does not fit into memory with {len(config.lanes)} lanes and batch size "
            f"{config.batch_size}. Choose a smaller model, fewer lanes or a smaller batch."
        )
        keeper.append(RaceEnded(status="failed", message=sentence, seconds=watch.seconds()))
        raise RunError(sentence) from error


def resume_race(folder: RunFolder, *, shelf: Shelf | None = None) -> Generator[Event, None, None]:
    """Go on with a race from its folder alone."""
    return race(folder.config, folder, resume=True, shelf=shelf)


class _Race:
    """One race while it runs."""

    def __init__(
        self,
        config: RaceConfig,
        folder: RunFolder,
        keeper: Keeper,
        shelf: Shelf | None,
        watch: "_Stopwatch",
        world: World,
        *,
        keep_epochs: bool,
    ) -> None:
        self.config = config
        self.folder = folder
        self.keeper = keeper
        self.shelf = shelf
        self.watch = watch
        self.world = world
        self.keep_epochs = keep_epochs
        self.device = pick_device()

    def run(self, *, resume: bool) -> Generator[Event, None, None]:
        """Everything between the first event and the last."""
        yield Progress(what="Loading the model", done=0, total=1)
        config, from_main = self.config, self.world.from_main
        before = from_main(self.folder.manifest)
        check_race(config)
        check_launch(config, self.world)
        self.task = task = yield from self.world.walked(lambda: followed(lambda: load_task(config.task)))
        self.gold_spec = from_main(lambda: find_gold(config.model, task, self.folder.path.parent / GOLDS))
        # Only the model's settings are read for this, so that nothing large is fetched in vain.
        shape = from_main(lambda: shape_of(config.model))

        def room(**known: Any) -> Plan:
            return from_main(
                lambda: room_together(config, shape, self.device, gold=bool(self.gold_spec), world=self.world, **known)
            )

        room()
        self.original = self._load(config.model)
        check_against(config, task, self.original)
        wanted = before.precision or config.precision
        # What auto measures could come out differently on each of several processes.
        precision = from_main(lambda: choose_precision(wanted, self.device))  # type: ignore[arg-type]
        self.autocast_dtype = precision.dtype
        self.matcher = from_main(lambda: pick_matcher(before.matcher or "auto").name)
        material = prepare(config, task, self.original)
        plan = room(load=load_of(config, material, self.original), autocast=precision.dtype is not None)
        self.config = plan.applied(config)
        if resume:
            if before.threads:
                torch.set_num_threads(before.threads)  # another number changes the last bits
            check_same(before, data_hash=material.data_hash, model_fingerprint=self.original.fingerprint)
        self.keeper.attempt(
            lambda: self.folder.note(
                data_hash=material.data_hash,
                model_fingerprint=self.original.fingerprint,
                precision=precision.name,
                matcher=self.matcher,
                device=str(self.device),
                threads=torch.get_num_threads(),
                gold=self.gold_spec,
                command=command_of(config),
            )
        )
        if not any(isinstance(event, RaceStarted) for event in self.keeper.events):
            yield RaceStarted(
                run_id=before.run_id,
                config=config.model_dump(mode="json"),
                forget_rows=len(task.forget),
                retain_rows=len(task.retain),
                eval_rows={name: len(rows) for name, rows in {**material.curve_rows, **material.further_rows}.items()},
                steps_per_epoch=material.steps_per_epoch,
                parameters=self.original.parameters,
                matcher=pick_matcher(self.matcher).label,
                device=str(self.device),
                precision=precision.name,
                gold=self.gold_spec,
                notes=(*self.original.notes, precision.sentence, *plan.notes, *said_of(self.world)),
            )
        yield from self._ask_reference("original", self.original, material.curve_rows)
        start = self._report("original", 0)
        for entry in config.lanes:
            trained = find_objective(entry.objective.name).kind == "trained"
            if trained and start is not None and self._report(entry.name, 0) is None:
                yield EpochReport(lane=entry.name, epoch=0, scores=start.scores)
        lanes = yield from self._lanes(material)
        gold: LoadedModel | None = None
        for epoch in range(1, config.epochs + 1):
            for lane in lanes:
                yield from self._turn(lane, epoch, material)
            if epoch == 1 and self.gold_spec:
                gold = self._gold()
                if gold is not None:
                    yield from self._ask_reference("gold", gold, material.curve_rows)
        if material.further_rows:
            every = {**material.curve_rows, **material.further_rows}
            yield from self._ask_reference("original", self.original, every)
            if gold is not None:
                yield from self._ask_reference("gold", gold, every)

    def _turn(self, lane: Runner, epoch: int, material: Material) -> Generator[Event, None, None]:
        """One lane's epoch: train, keep, ask; nothing where that was done before an interruption."""
        name, last = lane.config.name, epoch == lane.epochs
        if lane.ended or lane.epoch > epoch:
            return
        if lane.epoch < epoch:
            try:
                yield from lane.train_epoch()
            except Diverged as error:
                yield from self._end(lane, "diverged", str(error))
                return
            self._checkpoint(lane)
        if (last or epoch % self.config.eval_every == 0) and self._report(name, epoch) is None:
            rows = {**material.curve_rows, **(material.further_rows if last else {})}
            started = self.watch.seconds()
            found = yield from self._examine(name, lane.loaded, rows)
            self._keep_answers(name, found)
            steps = self._steps_since_report(name)
            shares = [step.clip_share for step in steps if step.clip_share is not None]
            yield EpochReport(
                lane=name,
                epoch=epoch,
                scores=found.scores,
                clip_share=sum(shares) / len(shares) if shares else None,
                train_seconds=sum(step.seconds for step in steps),
                eval_seconds=self.watch.seconds() - started,
            )
        if last:
            yield from self._end(lane, "finished", " ".join(lane.notes))

    def _end(
        self, lane: Runner, status: Literal["finished", "diverged"], message: str = ""
    ) -> Generator[Event, None, None]:
        """Save the lane's weights, put it on the shelf, say that it is through."""
        name = lane.config.name
        self._shelve(lane)
        final = self.folder.lane(name)
        before = self.world.from_main(lambda: newest_saved(self.folder, name))
        # A run that was killed between the last weights and their event has them already.
        saved = (before is not None and before.final) or (
            self.keeper.has_room(final, lane.final_bytes)
            and self.keeper.attempt_together(
                lambda: lane.save_final(final, diverged=message if status == "diverged" else "")
            )
        )
        if saved and status == "finished":
            self._keep_epoch(lane, final)
        yield LaneEnded(lane=name, status=status, epoch=lane.epoch, message=message)
        if saved:
            self.keeper.attempt(lambda: drop_checkpoint(self.folder.checkpoint(name)))

    def _checkpoint(self, lane: Runner) -> None:
        path = self.folder.checkpoint(lane.config.name)
        if lane.checkpoint_bytes and self.keeper.has_room(path, lane.checkpoint_bytes):
            self.keeper.attempt_together(lambda: lane.save_checkpoint(path))
            self._keep_epoch(lane, path)

    def _keep_epoch(self, lane: Runner, weights: Path) -> None:
        if self.keep_epochs and epochs_fit(lane.final_bytes, self.config):
            place = self.folder.epoch_folder(lane.config.name, lane.epoch)
            self.keeper.attempt(lambda: keep_epoch(weights, place))

    def _lanes(self, material: Material) -> Generator[Event, None, list[Runner]]:
        """Lanes on fresh copies, or as the folder has them."""
        maker = LaneMaker(
            self.config,
            self.task,
            material,
            self.original,
            device=self.device,
            autocast_dtype=self.autocast_dtype,
            world=self.world,
        )
        lanes: list[Runner] = []
        for entry in self.config.lanes:
            saved = self.world.from_main(lambda name=entry.name: newest_saved(self.folder, name))  # type: ignore[misc]
            lane = yield from maker.make(entry, saved)
            lanes.append(lane)
            if saved is not None and saved.final:
                said = any(isinstance(event, LaneEnded) and event.lane == entry.name for event in self.keeper.events)
                if saved.diverged and not said:
                    yield from self._end(lane, "diverged", saved.diverged)
                elif said:
                    self._shelve(lane)
        return lanes

    def _ask_reference(
        self, lane: str, model: LoadedModel, rows: Mapping[str, tuple[QARow, ...]]
    ) -> Generator[Event, None, None]:
        """Ask the original or gold what it was not asked yet, unless an earlier race of this process did."""
        known = self._report(lane, 0)
        rows = {name: asked for name, asked in rows.items() if known is None or name not in known.scores}
        if not rows:
            return
        key = exam_key(
            model.fingerprint,
            rows,
            max_new_tokens=self.config.max_new_tokens,
            autocast_dtype=self.autocast_dtype,
            matcher=self.matcher,
            device=self.device,
        )
        started = self.watch.seconds()
        found = EXAMINED.get(key)
        if found is None:
            found = yield from self._examine(lane, model, rows)
            EXAMINED.put(key, found)
        self._keep_answers(lane, found)
        before = known.scores if known is not None else {}
        spent = known.eval_seconds if known is not None else 0.0
        yield EpochReport(
            lane=lane,
            epoch=0,
            scores={**before, **found.scores},
            eval_seconds=spent + self.watch.seconds() - started,
        )

    def _examine(
        self, lane: str, model: LoadedModel, rows: Mapping[str, tuple[QARow, ...]]
    ) -> Generator[Progress, None, Examination]:
        def examined(rows: Mapping[str, tuple[QARow, ...]]) -> Generator[Progress, None, Examination]:
            return examine(
                model.model,
                model.tokenizer,
                model.template,
                rows,
                max_new_tokens=self.config.max_new_tokens,
                autocast_dtype=self.autocast_dtype,
                matcher=self.matcher,
                lane=lane,
            )

        return examine_together(examined, rows, self.world)

    def _keep_answers(self, lane: str, found: Examination) -> None:
        self.keeper.add_answers(lane, ((a.set_name, a.question, a.row.answer, a.answer) for a in found.answered))

    def _report(self, lane: str, epoch: int) -> EpochReport | None:
        """The newest report on a lane's epoch."""
        for event in reversed(self.keeper.events):
            if isinstance(event, EpochReport) and (event.lane, event.epoch) == (lane, epoch):
                return event
        return None

    def _steps_since_report(self, lane: str) -> list[StepReport]:
        """The lane's steps that no report of an epoch covers yet."""
        steps: list[StepReport] = []
        for event in self.keeper.events:
            if isinstance(event, EpochReport) and event.lane == lane:
                steps = []
            elif isinstance(event, StepReport) and event.lane == lane:
                steps.append(event)
        return steps

    def _gold(self) -> LoadedModel | None:
        try:
            gold = self._load(self.gold_spec)
            self.keeper.attempt(lambda: self.folder.note(gold_fingerprint=gold.fingerprint))
            return gold
        except ModelError as error:
            self.keeper.remember(f"Gold could not be asked: {error}")
            return None

    def _load(self, spec: str) -> LoadedModel:
        return load_for(self.device, spec, self.shelf, world=self.world)

    def _shelve(self, lane: Runner) -> LoadedModel:
        loaded = lane.end()
        if self.shelf is not None:
            self.shelf.put(str(self.folder.lane(lane.config.name)), loaded)
        return loaded


class _Stopwatch:
    """Time spent in the race itself: while its consumer holds it, pausing or drawing, it stands."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._since = time.perf_counter()

    def seconds(self) -> float:
        return self._spent + time.perf_counter() - self._since

    @contextmanager
    def paused(self) -> Iterator[None]:
        self._spent = self.seconds()
        try:
            yield
        finally:
            self._since = time.perf_counter()


def _close(keeper: Keeper, watch: _Stopwatch) -> RaceEnded:
    """Curves, report, last event, mark; what the disk refused is in the event that is returned."""
    said = tuple(
        f"{event.lane.upper()} diverged. {event.message}"
        for event in keeper.events
        if isinstance(event, LaneEnded) and event.status == "diverged"
    )

    def ended() -> RaceEnded:
        words = " ".join((*said, *keeper.trouble)) or "All lanes are through."
        return RaceEnded(status="finished", message=words, seconds=watch.seconds())

    keeper.write_outputs(ended())
    last = ended()
    keeper.append(last)
    keeper.attempt(keeper.folder.finish)
    return replace(last, message=ended().message)

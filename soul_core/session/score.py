"""Full scorecards of any models and of all models of a run, kept on disk as each is done. It knows no page.

They are generators of Progress; closing one stops it between two forwards and keeps every scorecard that is done.
"""

import hashlib
import json
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from soul_core.config import ScoreConfig
from soul_core.data.prompts import PromptTemplate
from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.engine.room import out_of_memory
from soul_core.errors import DatasetError, ModelError, RunError
from soul_core.evaluation.all_metrics import METRICS
from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.evidence import Evidence, Floats, Gold
from soul_core.evaluation.full_scorecard import scorecard_of
from soul_core.evaluation.gather import Depth, Gathering, losses_of
from soul_core.evaluation.matchers import pick_matcher
from soul_core.evaluation.membership import PRIVLEAK_ATTACK
from soul_core.evaluation.registry import MODEL_METRICS
from soul_core.evaluation.tofu_log import log_of
from soul_core.evaluation.tofu_sets import gold_of_evidence
from soul_core.events import Progress
from soul_core.models.device import choose_precision, pick_device
from soul_core.models.loading import LoadedModel
from soul_core.models.shelf import Shelf
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import installed_versions
from soul_core.runs.scores import ScoreFolder, ScoresRead, scores_of
from soul_core.session.harness import require_harness, run_harness, with_harness
from soul_core.session.loaded import load_for
from soul_core.session.material import rows_hash
from soul_core.session.runmodels import Place, places_of_run

__all__ = ["GOLD", "ScoreConfig", "score_model", "score_models", "score_run"]

GOLD = "gold"


def score_model(
    spec: str,
    task: ForgetTask,
    config: ScoreConfig | None = None,
    *,
    name: str = "",
    gold_spec: str = "",
    shelf: Shelf | None = None,
    folder: ScoreFolder | None = None,
) -> Generator[Progress, None, Scorecard]:
    """Score one model on one task.

    Args:
        spec: Preset, hub id or folder.
        task: What it is asked.
        config: How thoroughly.
        name: What the scorecard calls it; ``spec`` by default.
        gold_spec: The model trained without the forget set, scored first: forget quality and attacks with a reference
            need it. Empty goes without.
        shelf: Where models are taken from.
        folder: Where scorecards are kept and found again; none keeps nothing.

    Raises:
        ModelError: A model cannot be loaded.
        DatasetError: A row does not fit into it.
        RunError: It does not fit into memory, or the disk refuses.
    """
    scoring = _Scoring(task, config or ScoreConfig(), shelf, folder)
    if gold_spec:
        yield from scoring.gold(Place(gold_spec, gold_spec))
    card = yield from scoring.model(name or spec, Place(spec, spec))
    return card


def score_models(
    specs: Mapping[str, str],
    task: ForgetTask,
    config: ScoreConfig | None = None,
    *,
    shelf: Shelf | None = None,
    folder: ScoreFolder | None = None,
) -> Generator[Progress | Scorecard, None, ScoresRead]:
    """Score several models on one task, each yielded when it is done.

    Args:
        specs: By the name on the scorecard, preset, hub id or folder; ``gold`` is scored first, whatever its place.
        task: What they are asked.
        config: How thoroughly.
        shelf: Where models are taken from.
        folder: Where scorecards are kept and found again; none keeps nothing.

    Returns:
        The scorecards, and a sentence for each model that could not be loaded.

    Raises:
        DatasetError: A row does not fit into a model.
        RunError: A model does not fit into memory, or the disk refuses.
    """
    places = {name: Place(spec, spec) for name, spec in specs.items()}
    return _Scoring(task, config or ScoreConfig(), shelf, folder).all(places)


def score_run(
    run: RunFolder, config: ScoreConfig | None = None, *, gold_spec: str = "", shelf: Shelf | None = None
) -> Generator[Progress | Scorecard, None, ScoresRead]:
    """Score gold, original and every lane of a run; each is yielded and in the run's folder as soon as it is done.

    A model whose weights, rows and settings are those of the scorecard that is there is not scored again; where any
    of them differs, it is.

    Args:
        run: The run; it may still be running, then a lane is as after its last complete epoch.
        config: How thoroughly.
        gold_spec: In place of the gold model that the run had.
        shelf: Where models are taken from.

    Returns:
        The scorecards, and a sentence for each model that could not be scored.

    Raises:
        RunError: The folder holds no run, a model does not fit into memory, or the disk refuses.
        DatasetError: The task's rows can no longer be read, or do not fit into the model.
    """
    settings = run.config
    places = places_of_run(run)
    if gold_spec:
        places[GOLD] = Place(gold_spec, gold_spec)
    scoring = _Scoring(load_task(settings.task), config or ScoreConfig(), shelf, scores_of(run.path))
    done = yield from scoring.all(places)
    missing = [
        f"{lane.label} has no weights on disk, so it was not scored. Let the run go on, or start it again."
        for lane in settings.lanes
        if lane.name not in places
    ]
    return ScoresRead(cards=done.cards, troubles=(*missing, *done.troubles))


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """What a gold model's scores are to the others: what comparing metrics need of it, and its losses as a reference.

    ``None`` stands for what could not be measured, and for no gold at all.
    """

    fingerprint: str = ""
    gold: Gold | None = None
    losses: Mapping[str, Floats] | None = None


class _Scoring:
    """Models scored one after the other on the same rows, gold first."""

    def __init__(self, task: ForgetTask, config: ScoreConfig, shelf: Shelf | None, folder: ScoreFolder | None) -> None:
        self.task = task
        self.config = config
        self.shelf = shelf
        self.folder = folder
        self.device = pick_device()
        self.precision = choose_precision(config.precision, self.device)
        self.matcher = pick_matcher(config.matcher).name
        everything = {"forget": task.forget, "retain": task.retain}
        if config.zero_shot:
            require_harness()
        self.rows_hash = rows_hash(
            {
                **{f"train {name}": rows for name, rows in everything.items()},
                **{f"asked {name}": rows for name, rows in task.eval_sets.items()},
                **{f"text {name}": rows for name, rows in task.texts.items()},
            }
        )
        self.yardstick = _Yardstick()

    def all(self, places: Mapping[str, Place]) -> Generator[Progress | Scorecard, None, ScoresRead]:
        """Every model, gold first; one that cannot be loaded is a sentence, and the others are scored all the same."""
        cards, troubles = {}, []
        for name in sorted(places, key=lambda name: name != GOLD):
            try:
                cards[name] = yield from (self.gold if name == GOLD else partial(self.model, name))(places[name])
            except ModelError as error:
                troubles.append(f"“{name}” could not be scored. {error}")
            else:
                yield cards[name]
        return ScoresRead(cards={name: cards[name] for name in places if name in cards}, troubles=tuple(troubles))

    def gold(self, place: Place) -> Generator[Progress, None, Scorecard]:
        """Score gold; the models after it are measured against it."""
        loaded = yield from self._load(GOLD, place)
        settings = self._settings(loaded, yardstick=loaded.fingerprint)
        kept = self._kept(GOLD, loaded, settings)
        yardstick = self._kept_yardstick(loaded, settings)
        if kept is not None and yardstick is not None:
            self.yardstick = yardstick
            return kept
        started = time.perf_counter()
        gathering, evidence = yield from self._gather(GOLD, loaded, _Yardstick())
        own = gold_of_evidence(evidence, place.spec)
        attack = MODEL_METRICS[PRIVLEAK_ATTACK].of(evidence)
        if own is not None and attack is not None and attack.measured.value is not None:
            own = replace(own, attacks={PRIVLEAK_ATTACK: attack.measured.value})
        self.yardstick = _Yardstick(loaded.fingerprint, own, losses_of(evidence))
        # Against itself: the best that any model can reach.
        evidence = replace(evidence, gold=own)
        card = yield from self._card(GOLD, place, loaded, evidence, gathering, settings, started)
        if self.folder is not None:
            self.folder.write_yardstick(_as_json(self.yardstick, settings))
        return card

    def model(self, name: str, place: Place) -> Generator[Progress, None, Scorecard]:
        """Score one model, unless its scorecard is there already."""
        loaded = yield from self._load(name, place)
        settings = self._settings(loaded, yardstick=self.yardstick.fingerprint)
        kept = self._kept(name, loaded, settings)
        if kept is not None:
            return kept
        started = time.perf_counter()
        gathering, evidence = yield from self._gather(name, loaded, self.yardstick)
        card = yield from self._card(name, place, loaded, evidence, gathering, settings, started)
        return card

    def _load(self, name: str, place: Place) -> Generator[Progress, None, LoadedModel]:
        yield Progress(what="Loading the model", lane=name, done=0, total=1)
        return load_for(self.device, place.spec, self.shelf, key=place.key)

    def _gather(
        self, name: str, loaded: LoadedModel, yardstick: _Yardstick
    ) -> Generator[Progress, None, tuple[Gathering, Evidence]]:
        yield Progress(what="Reading the rows", lane=name, done=0, total=1)
        config = self.config
        depth = Depth(
            rows=config.rows,
            max_new_tokens=config.max_new_tokens,
            slow=config.slow,
            seed=config.seed,
            matcher=self.matcher,
        )
        try:
            gathering = Gathering(loaded, self.task, depth)
            evidence = yield from gathering.run(
                gold=yardstick.gold,
                reference=yardstick.losses,
                batch_size=config.batch_size,
                autocast_dtype=self.precision.dtype,
                lane=name,
            )
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            raise RunError(
                f"“{name}” cannot be scored with {config.batch_size} rows at a time: the memory of {self.device} is "
                "full. Choose a smaller batch size."
            ) from error
        return gathering, evidence

    def _card(
        self,
        name: str,
        place: Place,
        loaded: LoadedModel,
        evidence: Evidence,
        gathering: Gathering,
        settings: Mapping[str, Any],
        started: float,
    ) -> Generator[Progress, None, Scorecard]:
        """The scorecard, on disk where there is a folder for it."""
        notes = list(loaded.notes)
        if self.folder is not None:
            try:
                self.folder.write_log(name, log_of(evidence))
            except DatasetError as error:
                notes.append(str(error))
        card = scorecard_of(
            evidence,
            model=name,
            spec=place.spec,
            fingerprint=loaded.fingerprint,
            task=self.task.name,
            settings=settings,
            facts={
                "seconds": round(time.perf_counter() - started, 3),
                "measured": datetime.now(UTC).isoformat(timespec="seconds"),
                "texts scored": gathering.texts,
                "prompts answered": gathering.prompts,
                "texts cut at the longest example": gathering.full,
                "batch size": self.config.batch_size,
                "parameters": loaded.parameters,
                "device": str(self.device),
                "versions": installed_versions(),
            },
            notes=tuple(notes),
        )
        if self.config.zero_shot:
            limit = self.config.zero_shot_questions
            measured = yield from run_harness(loaded, limit=limit, batch_size=self.config.batch_size, lane=name)
            card = with_harness(card, measured, limit=limit)
        if self.folder is not None:
            # Last: where there is a scorecard, all is there.
            self.folder.write(card)
        return card

    def _settings(self, loaded: LoadedModel, *, yardstick: str) -> dict[str, Any]:
        """All that decides the numbers, beside the weights: a scorecard made with other settings is stale."""
        config = self.config
        return {
            "rows": config.rows,
            "max_new_tokens": config.max_new_tokens,
            "slow": config.slow,
            "zero_shot": config.zero_shot,
            "zero_shot_questions": config.zero_shot_questions,
            "seed": config.seed,
            "matcher": self.matcher,
            "precision": self.precision.name,
            "template": f"{loaded.template.name} {_digest(_words_of(loaded.template))}",
            "rows_hash": self.rows_hash,
            "gold": yardstick,
            "metrics": _digest([metric.name for metric in METRICS]),
        }

    def _kept(self, name: str, loaded: LoadedModel, settings: Mapping[str, Any]) -> Scorecard | None:
        """The model's scorecard, if it is of these weights, rows and settings."""
        card = self.folder.find(name) if self.folder is not None else None
        fresh = card is not None and card.fingerprint == loaded.fingerprint and dict(card.settings) == settings
        return card if fresh else None

    def _kept_yardstick(self, loaded: LoadedModel, settings: Mapping[str, Any]) -> _Yardstick | None:
        found = self.folder.yardstick() if self.folder is not None else None
        if found is None or found.get("fingerprint") != loaded.fingerprint or found.get("settings") != settings:
            return None
        try:
            gold = found["gold"] and Gold(
                name=str(found["gold"]["name"]),
                truth_ratio_N=_arrays(found["gold"]["truth_ratio"]),
                attacks={str(name): float(value) for name, value in found["gold"]["attacks"].items()},
            )
            return _Yardstick(loaded.fingerprint, gold, _arrays(found["losses"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def _as_json(yardstick: _Yardstick, settings: Mapping[str, Any]) -> dict[str, Any]:
    def lists(arrays: Mapping[str, Floats]) -> dict[str, list[float]]:
        return {name: array.tolist() for name, array in arrays.items()}

    gold = yardstick.gold
    return {
        "fingerprint": yardstick.fingerprint,
        "settings": dict(settings),
        "gold": gold and {"name": gold.name, "truth_ratio": lists(gold.truth_ratio_N), "attacks": dict(gold.attacks)},
        "losses": lists(yardstick.losses or {}),
    }


def _arrays(found: Mapping[str, Any]) -> dict[str, Floats]:
    return {str(name): np.asarray(values, dtype=np.float64) for name, values in found.items()}


def _words_of(template: PromptTemplate) -> list[str]:
    return [template.before, template.after, template.answer_prefix, template.end]


def _digest(words: list[str]) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:12]

"""The page's named endpoints, for scripts: the same desk, plain values in and out. It knows no component."""

from collections import deque
from datetime import UTC, datetime
from typing import Any

from soul_core.config import AskConfig, RaceConfig
from soul_core.data.tasks import TASKS
from soul_core.errors import JobError
from soul_core.evaluation.labels import label
from soul_core.jobs.jobs import RACE
from soul_core.models.presets import PRESETS as MODELS
from soul_core.runs.summary import result_json, summarise
from soul_core.session.catalogue import catalogue
from soul_core.session.presets import lanes_for
from soul_core.session.verdict import verdict
from soul_core.ui import text_host
from soul_core.ui.api_probe import add_probe_api
from soul_core.ui.api_tools import endpoint
from soul_core.ui.desk import Desk
from soul_core.ui.form import ANY, PAIR, Form
from soul_core.ui.panelists import AskForm, answers

_DEFAULTS = {name: field.default for name, field in RaceConfig.model_fields.items()}
_MODEL, _TASK = _DEFAULTS["model"], _DEFAULTS["task"]


def add_api(desk: Desk) -> None:
    """Add the endpoints to the page that is being built."""

    def run_race(
        model: str = _MODEL,
        task: str = _TASK,
        objective: str = "graddiff",
        preset: str = "same-settings",
        epochs: int = _DEFAULTS["epochs"],
        seed: int = _DEFAULTS["seed"],
        eval_rows: int = _DEFAULTS["eval_rows"],
        control: bool = False,
        methods: str = "",
    ) -> dict[str, Any]:
        """Queue a race, of FO against SO or of any methods, and return its job id.

        Args:
            model: Preset, hub id or (on one's own machine) folder.
            task: ``task:split`` or ``task:authors=Name;Name``.
            objective: What FO and SO both follow; ``list_methods`` names all.
            preset: same-settings, each-at-its-best or as-published.
            epochs: Passes over the forget set.
            seed: Decides data order and sampling.
            eval_rows: At most this many rows of each set are asked after each epoch; 0 means all.
            control: Whether sign momentum runs too.
            methods: Up to six with commas, such as ``so-npo,fo-graddiff-lora,influence``, in place of objective and
                control.
        """
        if desk.host.place == "zerogpu":
            raise JobError(text_host.NO_API_RACE)
        form = Form(
            model=model,
            mode=ANY if methods.strip() else PAIR,
            objective=objective,
            methods=methods,
            preset=preset,
            epochs=epochs,
            seed=seed,
            control=control,
            shared={"eval_rows": eval_rows},
        )
        return {"job_id": desk.submit(form.config().but(task=task))}

    def race_status(job_id: str) -> dict[str, Any]:
        """How a race stands: its state, the share done, its scores so far and the verdict.

        Args:
            job_id: From ``run_race``.
        """
        view = desk.jobs.status(job_id)
        events, _ = desk.jobs.events(job_id, 0)
        return {
            "state": view.state,
            "queue_position": view.queue_position,
            "fraction": round(view.fraction, 4),
            "seconds_left": view.seconds_left,
            "error": view.error,
            "verdict": verdict(events),
            "scores": result_json(summarise(events)),
        }

    def stop_race(job_id: str) -> dict[str, Any]:
        """Stop a race; finished epochs are kept. Harmless on a race that has ended.

        Args:
            job_id: From ``run_race``.
        """
        return {"state": desk.jobs.stop(job_id).state}

    def ask(
        question: str,
        job_id: str = "",
        model: str = _MODEL,
        task: str = _TASK,
        temperature: float = 0.0,
        samples: int = 1,
    ) -> dict[str, Any]:
        """Ask all models of a race, or the original and its gold, the same question.

        Args:
            question: At most 500 characters.
            job_id: A race; empty asks the model and its gold.
            model: The model asked without a race.
            task: Where the true answer is looked up without a race.
            temperature: 0 gives each model's likeliest answer.
            samples: Answers of each model.
        """
        AskConfig(question="?", temperature=temperature, samples=samples)
        config = RaceConfig(model=model, task=task, lanes=lanes_for("same-settings", "graddiff"))
        form = AskForm(question=question, temperature=temperature, samples=samples)
        (board,) = deque(answers(desk, config, form, job_id=job_id), maxlen=1)
        said = {
            column.lane: [
                {
                    "text": answer.text,
                    "label": label(
                        answer.text,
                        truth=board.truth,
                        original=board.original or "",
                        question=board.question,
                        refusals=board.refusals,
                    ),
                }
                for answer in column.answers
            ]
            for column in board.columns
            if column.answers
        }
        return {"question": board.question, "truth": board.truth.answer if board.truth else None, "answers": said}

    def list_models() -> list[dict[str, Any]]:
        """The models that have a short name."""
        return [
            {"name": name, "label": preset.label, "sentence": preset.sentence, "source": preset.source}
            for name, preset in MODELS.items()
        ]

    def list_tasks() -> list[dict[str, Any]]:
        """The tasks and their forget sets."""
        return [
            {"name": name, "title": task.title, "description": task.description, "splits": list(task.splits)}
            for name, task in TASKS.items()
        ]

    def list_methods() -> dict[str, list[dict[str, Any]]]:
        """Objectives by idea, retain terms, optimizers, named methods and race presets, with all their settings."""
        return catalogue()

    def list_runs() -> list[dict[str, Any]]:
        """The races that this server knows, newest first; none on a shared host, where ids are private: keep yours."""
        if desk.host.public:
            return []
        return [
            {
                "job_id": view.id,
                "label": view.label,
                "state": view.state,
                "created": datetime.fromtimestamp(view.created, UTC).isoformat(timespec="seconds"),
            }
            for view in desk.jobs.list()
            if view.kind == RACE
        ]

    for function in (run_race, race_status, stop_race, list_models, list_tasks, list_methods, list_runs):
        endpoint(function)
    endpoint(ask, concurrency_id="ask", concurrency_limit=2)
    add_probe_api(desk)

"""``ask``: one question to the models of a run, or to any models. It knows no page."""

import argparse
from pathlib import Path

from soul_core.cli.options import given
from soul_core.cli.race import RUNS
from soul_core.cli.screen import Screen, print_json, printable
from soul_core.config import AskConfig
from soul_core.errors import ConfigError
from soul_core.models.loading import LoadedModel, load_model
from soul_core.runs.store import RunStore
from soul_core.session.ask import ask, clean_question
from soul_core.session.runmodels import models_of_run, true_answer


def run(arguments: argparse.Namespace) -> int:
    """Ask and print every model's answers."""
    screen = Screen(json_wanted=arguments.json)
    settings = given(arguments, AskConfig.model_fields)
    question = clean_question(settings.pop("question", ""))
    config = AskConfig(question=question, **settings)
    if bool(arguments.run) == bool(arguments.model):
        raise ConfigError("Say whom to ask: --run DIR for the models of a run, or --model NAME for any model.")
    truth = ""
    models: dict[str, LoadedModel]
    if arguments.run:
        folder = RunStore(RUNS).open(_as_run(arguments.run))
        models = models_of_run(folder)
        truth = true_answer(folder.config.task, question)
    else:
        models = {name: load_model(name) for name in arguments.model}
    answers: dict[str, dict[int, str]] = {name: {} for name in models}
    for update in ask(
        models,
        question,
        max_new_tokens=config.max_new_tokens,
        temperature=config.temperature,
        samples=config.samples,
        seed=config.seed,
    ):
        answers[update.model][update.sample] = update.text
    screen.say(question)
    if truth:
        screen.say(f"True answer: {truth}")
    rows = [[name, printable(text) or "(nothing)"] for name, texts in answers.items() for text in texts.values()]
    screen.table("", ["Model", "Answer"], rows)
    if arguments.json:
        by_model = {name: list(texts.values()) for name, texts in answers.items()}
        print_json({"question": question, "truth": truth, "answers": by_model})
    return 0


def _as_run(text: str) -> str | Path:
    path = Path(text).expanduser()
    return path if path.exists() else text

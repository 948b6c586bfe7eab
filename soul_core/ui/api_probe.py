"""Named endpoints that look into a race's models and attack them: plain values for scripts. They know no component."""

import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict
from typing import Any

from soul_core.errors import JobError, RunError
from soul_core.events import Event, Progress
from soul_core.probing.attacks import ATTACKS, chosen
from soul_core.probing.results import AttackResult, Bench
from soul_core.probing.settings import AttackConfig
from soul_core.runs.folder import RunFolder
from soul_core.runs.probes import probes_of
from soul_core.session.probe import attack_run, lens_of_run
from soul_core.ui import text_host
from soul_core.ui.api_tools import endpoint
from soul_core.ui.desk import Desk
from soul_core.ui.questions import checked_question

PROBE = "probe"
REMEMBERED = 200
"""Jobs whose run is known; of older ones only the run's own file tells."""
MOST_ALTERNATIVES = 50


def add_probe_api(desk: Desk) -> None:
    """Add the endpoints to the page that is being built."""
    runs: OrderedDict[str, str] = OrderedDict()
    lock = threading.Lock()

    def list_attacks() -> list[dict[str, str]]:
        """The attacks of the bench: what each does and what counts as a leak."""
        return [
            {"name": attack.name, "title": attack.title, "what": attack.what, "leak": attack.leak}
            for attack in ATTACKS.values()
        ]

    def probe_race(
        job_id: str, attacks: str = "", rows: int = 24, samples: int = 20, template: str = "", seed: int = 0
    ) -> dict[str, str]:
        """Queue an attack bench on all models of a finished race and return the bench's own job id.

        Args:
            job_id: A race, from ``run_race``; it must have ended.
            attacks: Names with commas, such as ``paraphrase,cloze``; empty tries all that ``list_attacks`` names.
            rows: At most this many rows of the forget set are attacked.
            samples: Answers drawn for each row by the sampling attack.
            template: An attack of your own: a prompt with ``{question}`` in it; empty for none.
            seed: Decides rows, typos, hints and random draws.
        """
        names = tuple(name.strip() for name in attacks.split(",") if name.strip())
        own = (template,) if template.strip() else ()
        config = AttackConfig(attacks=names, rows=rows, samples=samples, templates=own, seed=seed)
        chosen(config)
        desk.host.check_probe(config)
        folder = _ended(desk, job_id)
        probe = desk.jobs.submit(PROBE, text_host.probe_label(job_id), lambda: _steps(desk, folder, config))
        with lock:
            runs[probe] = job_id
            while len(runs) > REMEMBERED:
                runs.popitem(last=False)
        return {"job_id": probe}

    def probe_status(job_id: str) -> dict[str, Any]:
        """How an attack bench stands, with every cell so far: the share of answers that leak, and its interval.

        Args:
            job_id: From ``probe_race``, or the race's own for the last bench that was made of it.
        """
        with lock:
            run = runs.get(job_id)
        view = desk.jobs.status(job_id)
        bench = probes_of(desk.store.find(run or job_id).path).read("bench")
        cells = bench.results if isinstance(bench, Bench) else ()
        return {
            "state": view.state if run else "finished" if cells else "none",
            "queue_position": view.queue_position if run else 0,
            "fraction": round(view.fraction, 4) if run else 1.0,
            "error": view.error if run else "",
            "race": run or job_id,
            "results": [_cell(cell, bench) for cell in cells if isinstance(bench, Bench)],
        }

    def token_lens(job_id: str, question: str, answer: str = "", top: int = 5) -> dict[str, Any]:
        """The true answer under every model of a race: each token's probability and rank, and the whole in bits.

        Args:
            job_id: A race.
            question: At most 500 characters.
            answer: The true answer; empty takes the one that the race's task knows.
            top: How many of the likeliest tokens are told at each place, 0 to 50.
        """
        asked = checked_question(question)
        if not 0 <= top <= MOST_ALTERNATIVES:
            raise JobError(text_host.top_out_of_range(top, MOST_ALTERNATIVES))
        if len(answer) > text_host.ANSWER_LIMIT:
            raise JobError(text_host.answer_too_long(len(answer)))
        lens = lens_of_run(_known(desk, job_id), asked, answer, top=top, shelf=desk.shelf)
        return {
            "question": lens.question,
            "answer": lens.answer,
            "models": {
                column.model: {"bits": column.bits, "tokens": [asdict(token) for token in column.tokens]}
                for column in lens.columns
            },
        }

    for function in (list_attacks, probe_race, probe_status):
        endpoint(function)
    endpoint(token_lens, concurrency_id="ask", concurrency_limit=2)


def _known(desk: Desk, job_id: str) -> RunFolder:
    """A race by its id: who knows the id may look, as with ``race_status``."""
    try:
        return desk.store.find(job_id)
    except RunError as error:
        raise JobError(str(error)) from None


def _ended(desk: Desk, job_id: str) -> RunFolder:
    folder = _known(desk, job_id)
    if desk.alive(job_id):
        raise JobError(text_host.RACE_RUNS)
    return folder


def _steps(desk: Desk, folder: RunFolder, config: AttackConfig) -> Generator[Event, None, None]:
    """A bench's progress as a job's events; its cells are in the run's folder."""
    with closing(attack_run(folder, config, shelf=desk.shelf)) as bench:
        for step in bench:
            if isinstance(step, Progress):
                yield step


def _cell(cell: AttackResult, bench: Bench) -> dict[str, Any]:
    return {
        "model": cell.model,
        "attack": cell.attack,
        "title": bench.titles.get(cell.attack, cell.attack),
        "share": cell.share,
        "low": cell.low,
        "high": cell.high,
        "any_share": cell.any_share,
        "note": cell.note,
    }

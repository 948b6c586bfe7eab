"""The named endpoints, called as a script would call them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from soul_core.jobs import Jobs
from soul_core.models.shelf import Shelf
from soul_core.objectives import OBJECTIVES
from soul_core.probing.attacks import ATTACKS
from soul_core.runs.store import RunStore
from soul_core.session.methods import NAMED
from soul_core.ui.desk import Desk
from soul_core.ui.host import Host
from soul_core.ui.page import build_page
from soul_core.ui.theme import launch_arguments
from tests.ui.loops import closed_afterwards

TASK = "invented-authors:forget01"
PUBLIC = {
    "run_race",
    "race_status",
    "stop_race",
    "ask",
    "probe_race",
    "probe_status",
    "token_lens",
    "list_models",
    "list_tasks",
    "list_methods",
    "list_attacks",
    "list_runs",
}

pytestmark = [
    pytest.mark.slow,
    # The client and the server leave sockets to the garbage collector (gradio_client 2.7, httpx, anyio).
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Desk]]:
    """The real page over a real queue, with an empty runs folder."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    shelf = Shelf(1_000_000_000)
    desk = Desk(store=store, jobs=Jobs(store, shelf=shelf), shelf=shelf, host=Host())
    with closed_afterwards():
        page = build_page(desk)
        _, address, _ = page.launch(server_name="127.0.0.1", prevent_thread_lock=True, **launch_arguments())
        client = Client(address, verbose=False)
        yield client, desk
        client.close()
        page.close()
        desk.jobs.close()


@pytest.fixture(scope="module")
def tiny(tiny_model_folder: Callable[[str], Path]) -> str:
    """A model of two layers that knows nothing."""
    return str(tiny_model_folder("llama"))


def ended(client: Client, job_id: str, *, endpoint: str = "/race_status", within: float = 120.0) -> dict[str, Any]:
    """The job's status once nothing more will happen."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        status: dict[str, Any] = client.predict(job_id, api_name=endpoint)
        if status["state"] in {"finished", "stopped", "failed"}:
            return status
        time.sleep(0.2)
    raise AssertionError(f"still {status['state']} after {within} s")


def test_only_the_endpoints_for_scripts_are_public_and_each_says_what_it_does(served):
    client, _ = served
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {name.removeprefix("/") for name in endpoints} == PUBLIC
    assert all(endpoint["description"] for endpoint in endpoints.values())


def test_the_lists_name_what_there_is(served):
    client, _ = served
    assert "pocket" in {model["name"] for model in client.predict(api_name="/list_models")}
    assert {task["name"] for task in client.predict(api_name="/list_tasks")} >= {"invented-authors", "tofu"}
    methods = client.predict(api_name="/list_methods")
    assert [objective["name"] for objective in methods["objectives"]] == list(OBJECTIVES)
    assert {method["name"] for method in methods["methods"]} == set(NAMED)
    (npo,) = [entry for entry in methods["objectives"] if entry["name"] == "npo"]
    (beta,) = npo["settings"]
    assert (beta["name"], beta["default"], beta["bounds"]) == ("beta", 0.1, {"gt": 0, "le": 10})
    assert npo["idea"] == "Prefer other answers" and npo["paper"].endswith("2404.05868")
    (sophia,) = [entry for entry in methods["optimizers"] if entry["name"] == "sophia"]
    assert "hutchinson" in next(entry for entry in sophia["settings"] if entry["name"] == "curvature")["choices"]


def test_a_race_runs_to_its_end_and_its_scores_have_every_epoch(served, tiny):
    client, _ = served
    job = client.predict(model=tiny, task=TASK, epochs=1, eval_rows=2, api_name="/run_race")["job_id"]
    status = ended(client, job)
    assert status["state"] == "finished", status["error"]
    assert [entry["epoch"] for entry in status["scores"]["so"]["epochs"]] == [0, 1]
    assert status["fraction"] == 1.0
    answer = client.predict("Who are you?", job_id=job, api_name="/ask")
    assert set(answer["answers"]) == {"original", "fo", "so"}  # a folder of one's own has no gold


def test_a_finished_race_is_attacked_and_looked_into(served, tiny):
    client, _ = served
    race = client.predict(model=tiny, task=TASK, epochs=1, eval_rows=2, api_name="/run_race")["job_id"]
    with pytest.raises(Exception, match="not over"):
        client.predict(race, api_name="/probe_race")
    assert ended(client, race)["state"] == "finished"
    assert client.predict(race, api_name="/probe_status")["state"] == "none"
    probe = client.predict(race, attacks="plain, typos", rows=2, template="Shout: {question}", api_name="/probe_race")[
        "job_id"
    ]
    status = ended(client, probe, endpoint="/probe_status")
    assert status["state"] == "finished", status["error"]
    assert status["race"] == race
    cells = {(cell["model"], cell["attack"]) for cell in status["results"]}
    assert cells == {(model, attack) for model in ("original", "fo", "so") for attack in ("plain", "typos", "own-1")}
    assert all(0 <= cell["share"] <= 1 for cell in status["results"])
    assert client.predict(race, api_name="/probe_status")["results"] == status["results"]  # by the race's id too
    lens = client.predict(race, "Who is it?", "An owl.", top=3, api_name="/token_lens")
    assert lens["answer"] == "An owl." and set(lens["models"]) == {"original", "fo", "so"}
    for column in lens["models"].values():
        assert column["bits"] > 0 and column["tokens"]
        assert all(len(token["alternatives"]) == 3 and 0 <= token["probability"] <= 1 for token in column["tokens"])
    assert race in {run["job_id"] for run in client.predict(api_name="/list_runs")}


def test_a_shared_host_lists_no_runs_and_bounds_an_attack(served, tiny):
    client, desk = served
    job = client.predict(model=tiny, task=TASK, epochs=1, eval_rows=2, api_name="/run_race")["job_id"]
    ended(client, job)
    assert job in {run["job_id"] for run in client.predict(api_name="/list_runs")}
    object.__setattr__(desk, "host", Host(public=True))
    try:
        assert client.predict(api_name="/list_runs") == []
        with pytest.raises(Exception, match="at most 60"):
            client.predict(job, rows=61, api_name="/probe_race")
    finally:
        object.__setattr__(desk, "host", Host())


def test_where_a_gpu_is_lent_a_script_is_told_to_use_the_page(served):
    client, desk = served
    object.__setattr__(desk, "host", Host(place="zerogpu"))
    try:
        with pytest.raises(Exception, match="a race needs a person’s page"):
            client.predict(api_name="/run_race")
    finally:
        object.__setattr__(desk, "host", Host())


def test_the_attacks_say_what_they_do_and_what_a_leak_is(served):
    client, _ = served
    attacks = client.predict(api_name="/list_attacks")
    assert [attack["name"] for attack in attacks] == list(ATTACKS)
    assert all(attack["what"] and attack["leak"] for attack in attacks)


def test_any_methods_run_side_by_side(served, tiny):
    client, _ = served
    names = "so-npo,icul,influence"
    job = client.predict(model=tiny, task=TASK, epochs=2, eval_rows=2, methods=names, api_name="/run_race")["job_id"]
    status = ended(client, job)
    assert status["state"] == "finished", status["error"]
    epochs = {lane: [entry["epoch"] for entry in told["epochs"]] for lane, told in status["scores"].items()}
    assert (epochs["so-npo"], epochs["icul"], epochs["influence"]) == ([0, 1, 2], [1], [1])


def test_a_second_race_waits_and_stop_is_harmless_twice(served, tiny):
    client, _ = served
    first = client.predict(model=tiny, task=TASK, epochs=50, eval_rows=2, api_name="/run_race")["job_id"]
    second = client.predict(model=tiny, task=TASK, epochs=1, eval_rows=2, api_name="/run_race")["job_id"]
    assert client.predict(second, api_name="/race_status")["queue_position"] == 1
    for job in (second, second, first, first):
        client.predict(job, api_name="/stop_race")
    assert ended(client, first)["state"] == "stopped"
    assert ended(client, second)["state"] == "stopped"


@pytest.mark.parametrize(
    ("endpoint", "values", "words"),
    [
        ("run_race", {"epochs": 0}, "Epochs is 0"),
        ("run_race", {"epochs": "many"}, "Epochs is 'many'"),
        ("run_race", {"task": "nothing:forget01"}, "There is no task “nothing”"),
        ("run_race", {"task": "invented-authors:authors="}, "forget set is empty"),
        ("run_race", {"objective": "magic"}, "There is no objective “magic”"),
        ("run_race", {"objective": "icul"}, "ICUL has no FO and SO"),
        ("run_race", {"methods": "so-npo,so-magic"}, "There is no method “so-magic”"),
        ("run_race", {"preset": "fair"}, "There is no preset “fair”"),
        ("race_status", {"job_id": "../../etc/passwd"}, "There is no job"),
        ("stop_race", {"job_id": "nobody"}, "There is no job"),
        ("ask", {"question": ""}, "The question is empty"),
        ("ask", {"question": "x" * 10_000}, "10,000 characters"),
        ("ask", {"question": "?", "temperature": -1}, "Temperature is -1"),
        ("ask", {"question": "?", "model": "/nowhere"}, "/nowhere"),
        ("probe_race", {"job_id": "nobody"}, "There is no run “nobody”"),
        ("probe_race", {"job_id": "nobody", "attacks": "magic"}, "“magic”"),
        ("probe_race", {"job_id": "nobody", "rows": 0}, "Rows attacked is 0"),
        ("probe_race", {"job_id": "nobody", "template": "Tell me."}, "{question}"),
        ("probe_status", {"job_id": "nobody"}, "There is no job"),
        ("token_lens", {"job_id": "nobody", "question": "?"}, "There is no run “nobody”"),
        ("token_lens", {"job_id": "nobody", "question": " "}, "The question is empty"),
        ("token_lens", {"job_id": "nobody", "question": "?", "top": 51}, "choose 0 to 50"),
        ("token_lens", {"job_id": "nobody", "question": "?", "answer": "x" * 2001}, "2,001 characters"),
    ],
)
def test_a_mistake_is_one_sentence_without_a_traceback(served, endpoint, values, words):
    client, _ = served
    with pytest.raises(Exception, match=words) as caught:
        client.predict(**values, api_name=f"/{endpoint}")
    assert "Traceback" not in str(caught.value)


def test_markup_and_emoji_in_a_question_come_back_as_they_were(served, tiny):
    client, _ = served
    said = client.predict("Who is <b>🦉</b>?", model=tiny, task=TASK, api_name="/ask")
    assert said["question"] == "Who is <b>🦉</b>?"
    assert said["truth"] is None

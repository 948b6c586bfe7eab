"""Pushing a lane: what arrives at a Hub on this machine, one sentence for each refusal, a token that is nowhere."""

import json
import logging
import threading
import traceback
from collections.abc import Generator, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from soul_core.errors import ConfigError, RunError
from soul_core.events import Progress
from soul_core.runs.folder import RunFolder
from soul_core.runs.store import RunStore
from soul_core.session.hub_push import model_card, push_run
from tests.runs.builders import lane
from tests.runs.kept_runs import kept_run, whole_run
from tests.session.pushing_hub import PushingHub, handler_of

TOKEN = "hf_right"  # noqa: S105


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PushingHub]:
    made = PushingHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(made))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("soul_core.session.hub_push.POLL", 0.01)
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def pushed(pushing: Generator[Progress, None, str]) -> tuple[list[Progress], str]:
    seen = []
    while True:
        try:
            seen.append(next(pushing))
        except StopIteration as end:
            return seen, end.value


def refusal(folder: RunFolder, name: str = "ann/mine", token: str = TOKEN, lane: str = "so") -> str:
    with pytest.raises(RunError) as caught:
        pushed(push_run(folder, lane, name, token))
    error = caught.value
    # Neither the error nor anything that led to it may hold the token: requests keep it in their headers.
    assert error.__cause__ is None and (error.__context__ is None or "httpx" not in type(error.__context__).__module__)
    if token.strip():
        assert token not in "".join(traceback.format_exception(error)) + repr(error)
    said = str(error)
    assert "\n" not in said and said.endswith(".")
    return said


def test_weights_and_card_arrive_in_one_commit_and_nothing_else(hub: PushingHub, tmp_path: Path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    folder = whole_run(tmp_path)
    seen, url = pushed(push_run(folder, "so", "ann/mine", f" {TOKEN}\n"))
    files = hub.repositories["ann/mine"]
    assert set(files) - {".gitattributes"} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "soul.json",
    }
    assert files["adapter_model.safetensors"] == (folder.lane("so") / "adapter_model.safetensors").read_bytes()
    assert json.loads(files["adapter_config.json"]) == {"base_model_name_or_path": "pocket", "r": 8}
    assert files["README.md"].decode() == model_card(folder, "so", repo_id="ann/mine")
    assert hub.commits == [f"so of SOUL run {folder.run_id}"]
    assert hub.private["ann/mine"]
    assert url.endswith("/ann/mine")
    assert [(one.done, one.total) for one in (seen[0], seen[-1])] == [(0, 3), (3, 3)]
    said = capfd.readouterr()
    assert TOKEN not in caplog.text + said.out + said.err + "".join(map(repr, seen))
    assert not list(Path(tmp_path).rglob("*hf_right*"))


def test_a_name_without_owner_is_the_tokens_owners_and_public_is_public(hub: PushingHub, tmp_path: Path):
    pushed(push_run(whole_run(tmp_path), "fo", "mine", TOKEN, private=False))
    assert set(hub.repositories) == {"ann/mine"}
    assert not hub.private["ann/mine"]
    assert "lane.json" not in hub.repositories["ann/mine"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("whoami", 401, "did not accept the token: it is wrong, was revoked or has expired"),
        ("create", 403, "The token may not write to “ann/mine”."),
        ("create", 400, "refuses the name “ann/mine”"),
        ("create", 404, "knows no place “ann/mine”"),
        ("commit", 403, "The token may not write to “ann/mine”."),
        ("preupload", 401, "did not accept the token"),
        ("whoami", 429, "too many requests"),
        ("create", 418, "The Hugging Face Hub answered 418 and took nothing."),
    ],
)
def test_each_refusal_of_the_hub_is_one_sentence(hub: PushingHub, tmp_path: Path, path: str, status: int, said: str):
    hub.refusals[path] = status
    assert said in refusal(whole_run(tmp_path))
    assert not hub.repositories.get("ann/mine")


def test_a_wrong_token_and_one_that_may_only_read_stop_before_anything_is_made(hub: PushingHub, tmp_path: Path):
    folder = whole_run(tmp_path)
    assert "did not accept the token" in refusal(folder, token="hf_expired")
    hub.role = "read"
    assert "The token may only read." in refusal(folder)
    assert hub.repositories == {}


@pytest.mark.parametrize("token", ["", "  ", "hf_ü", "hf_a b", "hf\x00", "x" * 600])
def test_what_cannot_be_a_token_is_not_sent(hub: PushingHub, tmp_path: Path, token: str):
    hub.refusals["/"] = 500
    assert "token" in refusal(whole_run(tmp_path), token=token)


@pytest.mark.parametrize("name", ["", "a/b/c", "a b", "-a/b", "x" * 120, "../up", "ann/<b>"])
def test_what_cannot_be_a_repository_is_not_asked_for(hub: PushingHub, tmp_path: Path, name: str):
    hub.refusals["/"] = 500
    assert "is no name of a repository" in refusal(whole_run(tmp_path), name=name)


def test_without_network_nothing_is_pushed_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert "cannot be reached, so nothing was pushed" in refusal(whole_run(tmp_path))


def test_a_lane_without_weights_and_one_that_is_a_prompt_are_not_pushed(hub: PushingHub, tmp_path: Path):
    assert "has no weights of so on the disk" in refusal(kept_run(RunStore(tmp_path / "a")))
    folder = whole_run(tmp_path / "b")
    for path in folder.lane("so").glob("adapter*"):
        path.unlink()
    (folder.lane("so") / "soul.json").write_text('{"base": "pocket", "prompt": {}}')
    assert "so trains no weights" in refusal(folder)
    with pytest.raises(ConfigError, match="There is no lane “sgd”"):
        pushed(push_run(folder, "sgd", "ann/mine", TOKEN))


def front_of(card: str) -> dict[str, object]:
    return dict(yaml.safe_load(card.split("---\n")[1]))


def test_the_card_says_base_method_data_settings_scores_how_to_repeat_it_and_limits(tmp_path: Path):
    card = model_card(whole_run(tmp_path), "so", repo_id="ann/mine")
    front = front_of(card)
    assert (front["license"], front["library_name"]) == ("mit", "peft")
    assert set(front["tags"]) == {"machine-unlearning", "soul", "graddiff", "sophia"}  # type: ignore[call-overload]
    for part in (
        "The base model is `assets/models/pocket`",
        "the data is `invented-authors:forget10`",
        "| SO | Forget set | 0.090 (0.040 to 0.140) |",
        "| Gold | Forget set | 0.200",
        "## Scorecard",
        "geometric truth ratio",
        'PeftModel.from_pretrained(base, "ann/mine")',
        "python -m soul_core race --model pocket",
        "Unlearning is not deletion.",
        "d" * 64,
    ):
        assert part in card, part
    assert str(tmp_path) not in card and "/home/" not in card


def test_a_base_from_the_hub_is_named_and_its_licence_is_not_claimed(tmp_path: Path):
    folder = kept_run(RunStore(tmp_path), model="meta/some_model-1B")
    front = front_of(model_card(folder, "fo"))
    assert (front["license"], front["base_model"]) == ("other", "meta/some_model-1B")
    assert "`meta/some_model-1B` (see there for its licence)" in model_card(folder, "fo")
    folder = kept_run(RunStore(tmp_path), model="/home/ann/models/mine")
    assert "base_model" not in front_of(model_card(folder, "fo"))


def test_no_name_breaks_out_of_the_cards_front_matter_or_its_table(tmp_path: Path):
    evil = 'a/b"\nlicense: mit\n---\n|x|`<b>'
    lanes = (lane("fo", "F|O *x* <script>", "adamw"),)
    card = model_card(kept_run(RunStore(tmp_path), model=evil, lanes=lanes), "fo")
    assert front_of(card)["license"] == "other"
    assert "<script>" not in card.replace("\\<script\\>", "")
    assert card.count("\n---\n") == 1

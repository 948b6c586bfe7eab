"""A lane's weights with a model card to the Hugging Face Hub. It knows no page, and it keeps no token.

The token goes into the requests and nowhere else: it is not stored, not logged, and errors are raised outside the
blocks that saw it, so that no chain of exceptions leads to a request with its headers.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils._validators import validate_repo_id
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from soul_core.errors import ConfigError, RunError
from soul_core.events import Progress
from soul_core.runs.atomic import disk_errors_as_sentences
from soul_core.runs.bundle import lane_files, lane_text
from soul_core.runs.bundle_readme import PROMPT, kind_of_files
from soul_core.runs.folder import RunFolder
from soul_core.runs.modelcard import card_of
from soul_core.runs.scores import scores_of
from soul_core.runs.scrub import local_free
from soul_core.runs.summary import summarise
from soul_core.session.command import command_of
from soul_core.session.recovery import STATE_FILE

POLL = 0.25
"""Seconds between two reports while files are sent."""
TOKENS_PAGE = "huggingface.co/settings/tokens"

Result = TypeVar("Result")
# As in models.source: OSError, and the HTTP library's own tree, whichever library the installed client uses.
_ERRORS: tuple[type[Exception], ...] = (
    HfHubHTTPError,
    OSError,
    *(b for b in HfHubHTTPError.__bases__ if b is not OSError),
)


def model_card(folder: RunFolder, lane: str, *, repo_id: str = "") -> str:
    """The card that goes with a lane's weights: what it is, what was measured, how to load and to repeat it, limits.

    Args:
        folder: The run.
        lane: Which lane.
        repo_id: Where it will be; empty shows a place for it.

    Raises:
        RunError: The folder holds no run.
        ConfigError: The race has no such lane.
    """
    manifest = local_free(folder.manifest())
    try:
        command = command_of(manifest.config)
    except ConfigError:
        command = manifest.command
    return card_of(
        manifest,
        summarise(folder.events()),
        scores_of(folder.path).read_all().cards,
        lane,
        files=lane_files(folder, lane),
        where=repo_id or "owner/name",
        command=command,
    )


def push_run(
    folder: RunFolder, lane: str, repo_id: str, token: str, *, private: bool = True
) -> Generator[Progress, None, str]:
    """Send a lane's weights and its card in one commit. Closing the generator waits for a commit under way.

    Args:
        folder: The run.
        lane: Whose weights.
        repo_id: ``owner/name``, or a name for a repository of the token's owner. It is made where there is none; in
            one that is there, files of the same names are replaced.
        token: With the right to write.
        private: Whether a repository that is made is private.

    Returns:
        The address of the repository.

    Raises:
        RunError: No weights, a name or a token that cannot be used, no right to write, or no network.
        ConfigError: The race has no such lane.
    """
    folder.config.lane(lane)
    files = {name: path for name, path in lane_files(folder, lane).items() if name != STATE_FILE}
    if not files:
        raise RunError(
            f"The run “{folder.run_id}” has no weights of {lane} on the disk, so there is nothing to push. Resume it "
            "until an epoch is complete, or choose another lane."
        )
    if kind_of_files(files) == PROMPT:
        raise RunError(
            f"{lane} trains no weights: it is a prompt put before the questions, so there is no model to push. "
            "Choose a lane that trains."
        )
    api = HfApi(token=_usable(token))
    name = _named(repo_id)
    yield Progress(what="Asking the Hub who you are", done=0, total=3)
    name = _with_owner(name, _called(api.whoami, name))
    place = Path(tempfile.mkdtemp(prefix="soul-push-"))
    try:
        yield Progress(what="Putting the files together", done=1, total=3)
        nbytes = _fill(place, files, model_card(folder, lane, repo_id=name))
        yield Progress(what=f"Making {name}", done=1, total=3)
        url = _called(lambda: api.create_repo(name, private=private, exist_ok=True), name)
        what = f"Sending {max(nbytes >> 20, 1)} MB to {name}"
        sent: Future[Any] = api.upload_folder(
            repo_id=name,
            folder_path=place,
            commit_message=f"{lane} of SOUL run {folder.run_id}",
            run_as_future=True,
        )
        yield from _awaited(sent, what, name)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return str(url)


def _awaited(sent: "Future[Any]", what: str, name: str) -> Generator[Progress, None, None]:
    """Report until it is sent. A commit cannot be called back, so leaving early waits for it."""
    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        while not sent.done():
            yield Progress(what=what, done=2, total=3)
            wait([sent], timeout=POLL)
    finally:
        wait([sent])
        if shown:
            enable_progress_bars()
    error = sent.exception()
    if error is None:
        yield Progress(what=what, done=3, total=3)
        return
    if not isinstance(error, (*_ERRORS, ValueError, RuntimeError)):
        raise error
    sentence = _sentence(error, name)
    del error
    raise RunError(sentence)


def _called(call: Callable[[], Result], name: str) -> Result:
    """The Hub's answer, or one sentence; the error behind it is let go before the sentence is raised."""
    try:
        return call()
    except _ERRORS as error:
        sentence = _sentence(error, name)
    raise RunError(sentence)


def _sentence(error: BaseException, name: str) -> str:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status == 401:
        return (
            "The Hugging Face Hub did not accept the token: it is wrong, was revoked or has expired. Make a new one "
            f"with the right to write at {TOKENS_PAGE}."
        )
    if status == 403:
        return (
            f"The token may not write to “{name}”. Choose a repository of your own, or make a token with the right to "
            f"write at {TOKENS_PAGE}."
        )
    if status == 404:
        return f"The Hugging Face Hub knows no place “{name}”, or does not show it to you. Check owner and name."
    if status in (400, 409, 422):
        return (
            f"The Hugging Face Hub refuses the name “{name}”, or what was sent to it ({status}). Choose another name."
        )
    if status == 429:
        return "The Hugging Face Hub has had too many requests from you. Wait a few minutes and push again."
    if status is not None:
        return f"The Hugging Face Hub answered {status} and took nothing. Try again later."
    return "The Hugging Face Hub cannot be reached, so nothing was pushed. Check the network and try again."


def _usable(token: str) -> str:
    token = token.strip()
    if not token:
        raise RunError(
            f"Pushing needs a token of the Hugging Face Hub with the right to write. Make one at {TOKENS_PAGE}."
        )
    if not token.isascii() or not token.isprintable() or " " in token or len(token) > 500:
        raise RunError("That is no token of the Hugging Face Hub: it holds signs that none has. Copy it again.")
    return token


def _named(repo_id: str) -> str:
    name = repo_id.strip().removeprefix("https://huggingface.co/").strip("/")
    try:
        validate_repo_id(name)
    except HFValidationError:
        shown = "".join(c if c.isprintable() else "?" for c in name[:80])
        raise RunError(
            f"“{shown}” is no name of a repository. Write owner/name, with letters, digits, dashes, dots and "
            "underscores."
        ) from None
    return name


def _with_owner(name: str, who: dict[str, Any]) -> str:
    """The full name; a token that can be seen to be for reading alone is refused before anything is made."""
    role = ((who.get("auth") or {}).get("accessToken") or {}).get("role")
    if role == "read":
        raise RunError(f"The token may only read. Make one with the right to write at {TOKENS_PAGE}.")
    return name if "/" in name else f"{who.get('name', '')}/{name}"


def _fill(place: Path, files: dict[str, Path], card: str) -> int:
    """Put copies, or links where the disk can, and the card into an empty folder; returns how many bytes they have."""
    with disk_errors_as_sentences(place):
        for name, path in files.items():
            text = lane_text(path)
            if text is not None:
                (place / name).write_text(text, encoding="utf-8")
                continue
            try:
                os.link(path, place / name)
            except OSError:
                shutil.copyfile(path, place / name)
        (place / "README.md").write_text(card, encoding="utf-8")
        return sum(path.stat().st_size for path in place.iterdir())

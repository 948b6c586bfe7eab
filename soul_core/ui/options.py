"""How the page is started: options and accounts, checked before anything large is imported. It serves nothing."""

import argparse
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from soul_core.errors import ConfigError

AUTH_VARIABLE = "SOUL_AUTH"
_FORM = "write USER:PASSWORD, neither of them empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for.

    Attributes:
        public: Whether strangers share the machine.
        plugins: Files that register objectives.
        accounts: Password by user; nobody signs in where there are none. Not part of ``repr``.
        mcp: Whether the endpoints are an MCP server too.
        root_path: The path below which a proxy shows the page, such as ``/soul``.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    runs: Path = Path("runs")
    public: bool = False
    plugins: tuple[str, ...] = ()
    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    mcp: bool = False
    root_path: str = ""


def options(argv: Sequence[str] | None, environment: Mapping[str, str] = os.environ) -> Options:
    """Read the command line and the environment.

    Raises:
        ConfigError: Something cannot be meant so; no message repeats a password.
        SystemExit: argparse's own, for an unknown option or ``--help``.
    """
    shared = bool(environment.get("SPACE_ID"))
    given = _parser(shared=shared).parse_args(argv)
    if not 0 < given.port < 65536:
        raise ConfigError(f"--port is {given.port}; choose one from 1 to 65535.")
    if given.root_path and (not given.root_path.startswith("/") or given.root_path.endswith("/")):
        raise ConfigError(f"--root-path is “{given.root_path}”; begin it with a slash and end it without, like /soul.")
    accounts = _accounts(given.auth, given.auth_file, environment.get(AUTH_VARIABLE, ""))
    if given.mcp and accounts:
        raise ConfigError(
            "--mcp asks nobody for a password, so it does not go together with --auth. Leave one of them out, "
            "or let a proxy in front ask for the password."
        )
    if given.mcp and find_spec("mcp") is None:
        raise ConfigError('--mcp needs Gradio’s extra: pip install "gradio[mcp]", then start again.')
    return Options(
        host=given.host,
        port=given.port,
        runs=given.runs,
        public=given.public or shared,
        plugins=tuple(given.plugins),
        accounts=accounts,
        mcp=given.mcp,
        root_path=given.root_path,
    )


def _parser(*, shared: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python app.py", description="Serve SOUL's page.")
    parser.add_argument("--port", type=int, default=7860, help="Port [default: %(default)s]")
    anywhere = "0.0.0.0" if shared else "127.0.0.1"  # noqa: S104 - a Space is reached from outside or not at all
    parser.add_argument("--host", default=anywhere, help="Address [default: %(default)s]")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder of the runs [default: %(default)s]")
    parser.add_argument(
        "--public", action="store_true", help="Strangers share this machine: no local folders, bounds."
    )
    own = "A file of yours that registers objectives of your own; may be given again."
    parser.add_argument("--with", dest="plugins", action="append", default=[], metavar="FILE.py", help=own)
    parser.add_argument(
        "--auth",
        action="append",
        default=[],
        metavar="USER:PASSWORD",
        help="Let this user in and nobody without an account; may be given again. Other users of this machine can "
        f"read it in the list of processes: prefer --auth-file or {AUTH_VARIABLE}.",
    )
    parser.add_argument(
        "--auth-file", type=Path, metavar="FILE", help=f"One USER:PASSWORD a line, as in {AUTH_VARIABLE}."
    )
    parser.add_argument("--root-path", default="", metavar="/PATH", help="Where a proxy shows the page.")
    parser.add_argument("--mcp", action="store_true", help="Serve the endpoints as an MCP server too.")
    return parser


def _accounts(listed: Sequence[str], file: Path | None, variable: str) -> dict[str, str]:
    """Password by user from all three places."""
    found: dict[str, str] = {}
    lines = [(f"--auth number {number}", entry) for number, entry in enumerate(listed, 1)]
    lines += _lines(AUTH_VARIABLE, variable)
    if file is not None:
        lines += _lines(str(file), _secret(file))
        if not any(place.startswith(f"{file}, ") for place, _ in lines):
            raise ConfigError(f"{file} names no account; {_FORM}, one a line.")
    for place, entry in lines:
        user, colon, password = entry.partition(":")
        user = user.strip()
        if not colon or not user or not password:
            raise ConfigError(f"{place} is no account; {_FORM}.")
        if user in found:
            raise ConfigError(f"The user “{user[:40]}” has two passwords. Keep one of them.")
        found[user] = password
    return found


def _lines(place: str, text: str) -> list[tuple[str, str]]:
    numbered = enumerate(text.splitlines(), 1)
    return [(f"{place}, line {n}", line) for n, line in numbered if line.strip() and not line.startswith("#")]


def _secret(file: Path) -> str:
    """What stands in a file of accounts; says so where others can read it."""
    try:
        text = file.read_text(encoding="utf-8")
        open_to_others = os.name == "posix" and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file} cannot be read. Name a text file with one USER:PASSWORD a line.") from None
    if open_to_others:
        sys.stderr.write(f"Others on this machine can read {file}; chmod 600 {file} keeps it to you.\n")
    return text

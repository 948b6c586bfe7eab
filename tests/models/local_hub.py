"""A Hub on this machine: the real client downloads from it over HTTP, so its errors are the real ones."""

import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from huggingface_hub import constants

COMMIT = "a" * 40


@dataclass
class LocalHub:
    """``folders`` are its public repositories by id; ``refusals`` say which ids get a status and an error code."""

    folders: dict[str, Path] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def listing(self, hub_id: str) -> list[dict[str, object]]:
        files = sorted(path for path in self.folders[hub_id].iterdir() if path.is_file())
        return [{"rfilename": f.name, "size": self.sizes.get(f.name, f.stat().st_size)} for f in files]


def handler_of(hub: LocalHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            path = self.path.split("?")[0].strip("/").removeprefix("api/models/")
            hub.requests.append(f"{self.command} {self.path}")
            hub.tokens.add(self.headers.get("Authorization", ""))
            hub_id, _, rest = path.partition("/resolve/")
            hub_id, _, tree = hub_id.partition("/tree/")
            hub_id = hub_id.partition("/revision/")[0]
            if hub_id in hub.refusals:
                status, code = hub.refusals[hub_id]
                return self.reply(status, b"", {"X-Error-Code": code})
            if hub_id not in hub.folders:
                return self.reply(404, b"", {"X-Error-Code": "RepoNotFound"})
            if tree:
                rows = [
                    {"type": "file", "path": f["rfilename"], "size": f["size"], "oid": "0"}
                    for f in hub.listing(hub_id)
                ]
                return self.reply(200, json.dumps(rows).encode(), {})
            if not rest:
                info = {"id": hub_id, "sha": COMMIT, "siblings": hub.listing(hub_id)}
                return self.reply(200, json.dumps(info).encode(), {})
            file = hub.folders[hub_id] / rest.partition("/")[2]
            if not file.is_file():
                return self.reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            body = file.read_bytes()
            headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
            return self.reply(200, body, headers, with_body=with_body)

        def reply(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool = True) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing: tests read ``hub.requests``."""

    return Handler


def point_hub_to(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

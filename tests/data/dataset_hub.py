"""A Hub for data sets on this machine: the real ``datasets`` downloads from it over HTTP, into a cache of the test."""

import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import datasets
import pytest
from huggingface_hub import constants

COMMIT = "b" * 40


@dataclass
class DatasetHub:
    """``folders`` are its public data sets by id; those in ``gated`` exist and are granted to nobody."""

    folders: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)


def handler_of(hub: DatasetHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_POST(self) -> None:
            hub.requests.append(f"POST {self.path}")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            folder = hub.folders[self.hub_id(self.path.removeprefix("/api/datasets/"))]
            self.reply(200, json.dumps([entry(folder, path) for path in body["paths"] if (folder / path).exists()]))

        def answer(self, *, with_body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            path, _, query = self.path.partition("?")
            path = path.removeprefix("/api").removeprefix("/datasets/")
            hub_id = self.hub_id(path)
            if hub_id in hub.gated:
                return self.reply(403, "", {"X-Error-Code": "GatedRepo"})
            if hub_id not in hub.folders:
                return self.reply(404, "", {"X-Error-Code": "RepoNotFound"})
            folder, rest = hub.folders[hub_id], path.removeprefix(hub_id).strip("/")
            kind, _, below = rest.partition("/")
            name = below.partition("/")[2]
            if kind == "tree":
                found = (folder / name).rglob("*") if "recursive=true" in query.lower() else (folder / name).iterdir()
                return self.reply(200, json.dumps([entry(folder, str(p.relative_to(folder))) for p in sorted(found)]))
            if kind != "resolve":
                files = [{"rfilename": str(p.relative_to(folder))} for p in folder.rglob("*") if p.is_file()]
                return self.reply(200, json.dumps({"id": hub_id, "sha": COMMIT, "siblings": files}))
            if not (folder / name).is_file():
                return self.reply(404, "", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            body = (folder / name).read_bytes()
            headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
            return self.reply(200, body, headers, with_body=with_body)

        def hub_id(self, path: str) -> str:
            return "/".join(path.split("/")[:2])

        def reply(
            self, status: int, body: str | bytes, headers: dict[str, str] | None = None, *, with_body: bool = True
        ) -> None:
            content = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Nothing: tests read ``hub.requests``."""

    return Handler


def entry(folder: Path, path: str) -> dict[str, Any]:
    file = folder / path
    if file.is_dir():
        return {"type": "directory", "path": path, "oid": "0" * 40}
    return {"type": "file", "path": path, "size": file.stat().st_size, "oid": "0" * 40}


def point_datasets_to(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache" / "hub"))
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", address)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache" / "datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

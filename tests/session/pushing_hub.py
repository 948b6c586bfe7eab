"""A Hub on this machine that takes repositories and commits as the real one does, over HTTP. It knows no test."""

import base64
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

COMMIT = "b" * 40


@dataclass
class PushingHub:
    """``repositories`` are files by name, by repository; ``refusals`` the status of whichever path ends like this."""

    owner: str = "ann"
    role: str = "write"
    token: str = "hf_right"  # noqa: S105
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


def handler_of(hub: PushingHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "whoami" not in self.path:
                self.reply({"error": "none"}, status=404)
            elif self.allowed():
                self.reply({"name": hub.owner, "type": "user", "auth": {"accessToken": {"role": hub.role}}})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not self.allowed():
                return
            path = self.path.split("?")[0]
            if path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked.get('organization') or hub.owner}/{asked['name']}"
                hub.repositories.setdefault(name, {})
                hub.private[name] = bool(asked.get("private") or asked.get("visibility") == "private")
                self.reply({"url": f"https://huggingface.co/{name}"})
            elif "/preupload/" in path:
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(body)["files"]
                ]
                self.reply({"files": files})
            elif "/commit/" in path:
                name = path.removeprefix("/api/models/").partition("/commit/")[0]
                for line in body.decode().splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        content = base64.b64decode(entry["value"]["content"])
                        hub.repositories[name][entry["value"]["path"]] = content
                    elif entry["key"] == "header":
                        hub.commits.append(entry["value"]["summary"])
                url = f"https://huggingface.co/{name}/commit/{COMMIT}"
                self.reply({"commitUrl": url, "commitOid": COMMIT, "success": True})
            else:
                self.reply({})

        def allowed(self) -> bool:
            refused = next((status for end, status in hub.refusals.items() if end in self.path), 0)
            if self.headers.get("Authorization") != f"Bearer {hub.token}":
                refused = 401
            if refused:
                self.reply({"error": f"refused {self.headers.get('Authorization')}"}, status=refused)
            return not refused

        def reply(self, values: dict[str, object], *, status: int = 200) -> None:
            body = json.dumps(values).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing."""

    return Handler

"""What a class costs one machine: browsers that watch one race, and short races that wait in the queue.

It serves the page on a free port of this machine alone and speaks to it as browsers do. It knows no browser.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
from gradio_client import Client  # type: ignore[import-untyped]

from benchmarks.here import machine
from soul_core.cli.screen import Screen

SHORT = {"task": "invented-authors:forget01", "epochs": 2, "eval_rows": 20}
WATCHED = {"task": "invented-authors:forget10", "epochs": 3, "eval_rows": 40}
PATIENCE = 900.0
MESSAGES = 10
"""A race of three epochs has more steps than that; who watches is told of most of them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classroom", description="What a class costs.")
    parser.add_argument("--watchers", type=int, default=30, help="Browsers of one race. [default: %(default)s]")
    parser.add_argument("--queued", type=int, default=5, help="Short races at once. [default: %(default)s]")
    parser.add_argument("--out", type=Path, default=Path("docs/results/classroom.json"), help="[default: %(default)s]")
    arguments = parser.parse_args(argv)
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="soul-class-") as place:
        found = asyncio.run(_measured(Path(place), arguments.watchers, arguments.queued, screen))
    found = {"machine": machine(), "load_before": found.pop("load_before"), **found}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    screen.say(json.dumps(found, indent=1))
    return 0


async def _measured(place: Path, watchers: int, queued: int, screen: Screen) -> dict[str, Any]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    load = os.getloadavg()[0]
    command = [sys.executable, "app.py", "--port", str(port), "--runs", str(place / "runs")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        await asyncio.to_thread(server.stdout.readline)  # type: ignore[union-attr]
        address = f"http://127.0.0.1:{port}/"
        client = await asyncio.to_thread(Client, address, verbose=False)
        process = psutil.Process(server.pid)
        await _ended(client, await _raced(client, SHORT))  # what a first race sets up is not measured
        found: dict[str, Any] = {"load_before": load}
        for name, count in (("alone", 0), ("watched", watchers)):
            screen.say(f"Measuring: a race with {count} watching browsers …")
            found[name] = await _watched(client, address, process, count)
        extra = found["watched"]["cpu_seconds"] - found["alone"]["cpu_seconds"]
        found["watching"] = {
            "browsers": watchers,
            "cpu_seconds_more": round(extra, 2),
            "cpu_share_of_one_core": round(extra / found["watched"]["seconds"], 4),
            "milliseconds_per_update": per_update(extra, watchers, found["watched"]["messages_per_browser"]),
            "aim_milliseconds_per_update": 50,
        }
        screen.say(f"Measuring: {queued} short races at once …")
        found["queue"] = await _queued(client, queued)
        return found
    finally:
        server.terminate()
        server.wait(30)


def per_update(cpu_seconds: float, watchers: int, messages: float) -> float:
    """Server milliseconds for one update of one open tab's curves: what watching added, over all that was told."""
    told = watchers * messages
    return round(1e3 * cpu_seconds / told, 2) if told else 0.0


async def _raced(client: Client, settings: dict[str, Any]) -> str:
    job = await asyncio.to_thread(client.predict, **settings, api_name="/run_race")
    return str(job["job_id"])


async def _ended(client: Client, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status: dict[str, Any] = await asyncio.to_thread(client.predict, job_id, api_name="/race_status")
        if status["state"] in {"finished", "stopped", "failed"}:
            return status
        await asyncio.sleep(0.5)
    raise RuntimeError(f"{job_id} did not end within {PATIENCE:.0f} s")


async def _watched(client: Client, address: str, process: psutil.Process, count: int) -> dict[str, Any]:
    """One race from start to end with so many browsers following it; processor time of the server alone."""
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    job = await _raced(client, WATCHED)
    async with httpx.AsyncClient(base_url=address, timeout=None) as browsers:  # noqa: S113 - a stream ends with its race
        config = (await browsers.get("config")).json()
        told = await asyncio.gather(*(_browser(browsers, config, job) for _ in range(count)))
    status = await _ended(client, job)
    seconds = time.monotonic() - began
    if count and min(told) < MESSAGES:
        raise RuntimeError(f"a browser was told {min(told)} times in a whole race: it did not watch")
    return {
        "state": status["state"],
        "seconds": round(seconds, 2),
        "cpu_seconds": round(sum(process.cpu_times()[:2]) - before, 2),
        "messages_per_browser": round(sum(told) / count, 1) if count else 0,
    }


async def _browser(browsers: httpx.AsyncClient, config: dict[str, Any], job: str) -> int:
    """A tab that is opened on a race and follows it to its end, as a reload does; how many messages it gets."""
    named = [entry for entry in config["dependencies"] if str(entry["api_name"]).startswith("attach")]
    attach = max(
        named, key=lambda entry: len(entry["outputs"])
    )  # other tabs attach too; the race's fills all of Setup
    follow = next(entry for entry in config["dependencies"] if entry["trigger_after"] == attach["id"])
    session = uuid.uuid4().hex
    await _event(browsers, session, attach, [{"owner": "", "job": job}])
    return await _event(browsers, session, follow, [None] * len(follow["inputs"]))


async def _event(browsers: httpx.AsyncClient, session: str, entry: dict[str, Any], data: list[Any]) -> int:
    body = {"data": data, "fn_index": entry["id"], "session_hash": session, "event_data": None, "trigger_id": None}
    (await browsers.post("gradio_api/queue/join", json=body)).raise_for_status()
    messages = 0
    async with browsers.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        async for line in stream.aiter_lines():
            if not line.startswith("data:"):
                continue
            message = json.loads(line[5:])
            if message["msg"] == "process_generating":
                messages += 1
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise RuntimeError(f"a watching browser was refused: {message['output']}")
                return messages
            if message["msg"] == "close_stream":
                return messages
    return messages


async def _queued(client: Client, count: int) -> dict[str, Any]:
    """Short races that are asked for at the same moment; each waits for those before it."""
    began = time.monotonic()
    jobs = [await _raced(client, SHORT) for _ in range(count)]
    ends = []
    for job in jobs:
        await _ended(client, job)
        ends.append(round(time.monotonic() - began, 2))
    each = [later - earlier for earlier, later in zip([0.0, *ends], ends, strict=False)]
    return {"races": count, "ended_after_seconds": ends, "seconds_each": round(sum(each) / count, 2)}


if __name__ == "__main__":
    sys.exit(main())

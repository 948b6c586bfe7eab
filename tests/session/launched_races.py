"""Runs races as one of several processes: what the tests of several processes start by torchrun. It asserts nothing.

Called with the path of a JSON file: a list of races, each with ``config``, ``folder``, ``sharded``, and where wanted
``resume``, ``epochs`` (stop after so many of every lane) and ``killed_at`` (rank 1 kills itself at this step report).
"""

import json
import os
import signal
import sys
from contextlib import closing
from pathlib import Path

from soul_core.config import RaceConfig
from soul_core.events import EpochReport, StepReport
from soul_core.models.world import join
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import new_manifest
from soul_core.session import race as race_module
from soul_core.session.examined import EXAMINED
from tests.session.tiny_race import tiny_task


def main(jobs: Path) -> None:
    race_module.load_task = lambda _: tiny_task()
    # Each race asks its own original: that of a race before, which is whole, would hide what asking does to parts.
    EXAMINED.get = lambda _: None  # type: ignore[method-assign]
    world = join()
    for job in json.loads(jobs.read_text(encoding="utf-8")):
        config, folder = RaceConfig.model_validate(job["config"]), RunFolder(Path(job["folder"]))
        world.sharded = job["sharded"]
        # A process that is not the main one has no disk here: whatever it reads or writes would be another folder.
        here = folder if world.main else RunFolder(folder.path.with_name(f"{folder.path.name}-of-{world.rank}"))
        if world.main and not job.get("resume"):
            folder.begin(new_manifest(folder.path.name, config))
        steps = epochs = 0
        with closing(race_module.race(config, here, resume=bool(job.get("resume")), world=world)) as events:
            for event in events:
                steps += isinstance(event, StepReport)
                if isinstance(event, EpochReport) and event.lane not in ("original", "gold") and event.epoch:
                    epochs += 1
                if world.rank == 1 and steps == job.get("killed_at"):
                    os.kill(os.getpid(), signal.SIGKILL)
                if epochs == job.get("epochs", 0) * len(config.lanes) > 0:
                    break
    world.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

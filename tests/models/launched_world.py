"""What ``test_world.py`` lets two processes say to each other. Each writes down what it heard; it asserts nothing."""

import json
import sys
from pathlib import Path

import torch
from torch import nn

from soul_core.errors import RunError
from soul_core.models.world import World, join

LENGTHS = (2, 0)


def heard(world: World) -> dict[str, object]:
    rank = world.rank
    own = torch.arange(LENGTHS[rank] * 3, dtype=torch.float32).view(-1, 3) + 10 * rank
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3, dtype=torch.bfloat16)), nn.Parameter(own)]
    if rank == 0:
        parameters[0].grad = torch.tensor([3.0, 0.0])
    halves = ([256.0, 1.0, 0.0], [4.0, 1.0, 4.0])
    parameters[1].grad = torch.tensor(halves[rank], dtype=torch.bfloat16)
    world.sum_gradients(parameters)
    norm = world.clip_gradients(parameters[:1], 1.5)

    def refused() -> None:
        raise RunError("The main process found that it cannot be.")

    try:
        world.from_main(refused)
        refusal = ""
    except RunError as error:
        refusal = str(error)

    def walking():
        yield f"step of {rank}"
        return f"end of {rank}"

    walked, end = [], ""
    work = world.walked(walking)
    while not end:
        try:
            walked.append(next(work))
        except StopIteration as stop:
            end = stop.value
    return {
        "gathered": [part.tolist() for part in world.gathered(own)],
        "truths": [part.tolist() for part in world.gathered(torch.tensor([rank == 1]))],
        "total": world.total(torch.tensor([1.0, 10.0 * rank])).tolist(),
        "any": [world.any(rank == 1), world.any(False)],
        "each": world.each({"rank": rank}),
        "from main": world.from_main(lambda: f"word of {rank}"),
        "refusal": refusal,
        "walked": walked,
        "end": end,
        "gradients": [None if p.grad is None else p.grad.tolist() for p in parameters],
        "norm": norm.item(),
        "sent": world.send(torch.tensor([7.0 + rank])).tolist(),
        "who": [world.rank, world.size, world.main, world.sharded, world.splits],
    }


if __name__ == "__main__":
    together = join()
    found = heard(together)
    Path(sys.argv[1], f"{together.rank}.json").write_text(json.dumps(found), encoding="utf-8")
    together.close()

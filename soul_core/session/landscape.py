"""Five optimizers on a loss of two weights: why curvature helps, and when clipping hides it. It knows no model.

Two bowls stand for what a model has learned, ``L(w) = (k_x (x - c_x)^2 + k_y (y - c_y)^2) / 2`` each. What is
minimised has the shape of GradDiff, with a forget term that cannot fall for ever: the probability of what is to be
forgotten plus the loss on what is to stay, ``exp(-L_forget(w)) + gamma * L_retain(w)``. AdamW, sign momentum, Sophia
and SGD are the project's own, built as for a race; Newton's method is written here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn

from soul_core.config import OptimizerConfig, OptimizerName, Settings
from soul_core.optim import build_optimizer, curvature_plan
from soul_core.optim.curvature import hutchinson_curvature

Point = tuple[float, float]
Loss = Callable[[Tensor], Tensor]
"""Of the two weights, along the last axis; differentiable twice."""

RUNNERS: tuple[OptimizerName, ...] = ("sgd", "adamw", "sign-momentum", "sophia")
NEWTON = "newton"
START: Point = (-0.8, 0.6)
"""Where the forgotten answer is still likely, and on the flank of the retain bowl."""
BETA1, BETA2 = 0.5, 0.95
"""Of all that average. β1 is lower than in a race: these gradients have no noise to average away, and a long memory
would only swing past the goal, in every optimizer alike."""
ARRIVED = 0.01
"""Share of the first loss above the lowest at which a path has arrived, if it stays there."""
STAYS = 5  # steps; the path of a sign crosses the goal now and then
TINY = 0.01  # a step across the valley that no eye would see
OUTSIDE = 1e6  # where a path has left for good
X_RANGE, Y_RANGE = (-1.9, 3.3), (-0.9, 1.15)
_GRID = (105, 83)
_SEED = 0
_FLAT = 1e-3  # the smallest curvature that Newton's method divides by
_SLOPE = 1e-4  # Armijo: share of the promised fall that a step must keep
_STILL = 1e-14  # a fall not worth another step, and the shortest share of a step


class LandscapeConfig(Settings):
    """What a person can turn on the landscape."""

    curvature_ratio: float = Field(
        default=60.0,
        ge=1,
        le=1000,
        title="Curvature ratio",
        description="How many times as sharply the retain bowl bends across its valley as along it.",
    )
    rho: float = Field(
        default=0.3,
        ge=1e-6,
        le=100,
        title="Clip threshold ρ",
        description="Sophia cuts a step where momentum is more than ρ × curvature. Smaller cuts more.",
    )
    lr: float = Field(
        default=0.2,
        ge=1e-3,
        le=1,
        title="Learning rate",
        description="The same for all but Newton's method, which has none.",
    )
    gamma: float = Field(
        default=1.0, ge=0.05, le=20, title="Retain weight γ", description="How much the retain bowl counts."
    )
    steps: int = Field(default=80, ge=1, le=400, title="Steps", description="How many steps each optimizer takes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bowl:
    """A quadratic loss: 0 at its centre, ``curvature`` its second derivative along each axis."""

    centre: Point
    curvature: Point

    def loss(self, w_2: Tensor) -> Tensor:
        """Its height over points along the last axis."""
        from_centre_2 = w_2 - w_2.new_tensor(self.centre)
        return (w_2.new_tensor(self.curvature) * from_centre_2.square()).sum(-1) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What is minimised: the probability of the forgotten, plus γ times the retain loss."""

    forget: Bowl
    retain: Bowl
    gamma: float

    def loss(self, w_2: Tensor) -> Tensor:
        """``exp(-L_forget) + gamma * L_retain`` over points along the last axis."""
        return torch.exp(-self.forget.loss(w_2)) + self.gamma * self.retain.loss(w_2)

    def known(self, point: Point) -> float:
        """How likely the forgotten answer is at a point, 0 to 1."""
        return math.exp(-float(self.forget.loss(_tensor(point))))

    def retain_loss(self, point: Point) -> float:
        """The loss on what is to stay, at a point."""
        return float(self.retain.loss(_tensor(point)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One optimizer's way.

    Attributes:
        points: Where it was, the start first; shorter than asked for where it left for good.
        losses: What is minimised, at each point.
        clip_shares: Share of the two coordinates that each step cut, 0 to 1; empty for what cuts none.
        bent: Of Newton's method: whether the surface bent downwards somewhere before each step.
        left: Whether it went out of all bounds.
    """

    points: tuple[Point, ...]
    losses: tuple[float, ...]
    clip_shares: tuple[float, ...] = ()
    bent: tuple[bool, ...] = ()
    left: bool = False

    @property
    def crossings(self) -> int:
        """How often it turned back across the valley: up after down, or the reverse, and neither step tiny."""
        rises = [after[1] - before[1] for before, after in pairwise(self.points)]
        return sum(first * second < 0 and min(abs(first), abs(second)) > TINY for first, second in pairwise(rises))

    @property
    def clip_share(self) -> float | None:
        """Mean over the steps; None for what cuts none."""
        return sum(self.clip_shares) / len(self.clip_shares) if self.clip_shares else None

    def arrival(self, lowest: float) -> int | None:
        """After how many steps it was within ``ARRIVED`` of the lowest loss and stayed; None if it never did."""
        near = lowest + ARRIVED * (self.losses[0] - lowest)
        far = [step for step, loss in enumerate(self.losses) if not loss <= near]
        first = far[-1] + 1 if far else 0
        return None if self.left or first > max(len(self.losses) - STAYS, 0) else first


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """A surface and every path on it; ``x``, ``y`` and the rows of ``total`` and ``retain`` are for drawing.

    Attributes:
        paths: By the optimizer's name; ``newton`` last.
        lowest: Where the loss is lowest, as far as searches from many places found.
        lowest_loss: How low.
        total: What is minimised, a row for each ``y``.
        retain: The retain bowl alone, likewise.
    """

    config: LandscapeConfig
    surface: Surface
    paths: Mapping[str, Path]
    lowest: Point
    lowest_loss: float
    x: tuple[float, ...]
    y: tuple[float, ...]
    total: tuple[tuple[float, ...], ...]
    retain: tuple[tuple[float, ...], ...]

    @property
    def hidden(self) -> bool:
        """Whether clipping hides the curvature: Sophia's path is sign momentum's, point by point."""
        return self.paths["sophia"].points == self.paths["sign-momentum"].points


def surface_of(config: LandscapeConfig) -> Surface:
    """The bowls for a curvature ratio: the forget bowl is round, the retain bowl a valley along x.

    Its two curvatures are ``1/sqrt(ratio)`` and ``sqrt(ratio)``: their ratio changes, their product does not.
    """
    root = math.sqrt(config.curvature_ratio)
    return Surface(
        forget=Bowl(centre=(-1.0, 0.8), curvature=(1.0, 1.0)),
        retain=Bowl(centre=(1.6, 0.0), curvature=(1 / root, root)),
        gamma=config.gamma,
    )


def optimizer_of(name: OptimizerName, config: LandscapeConfig) -> OptimizerConfig:
    """An optimizer's settings here: one rate, β1 and β2 for all; Sophia estimates curvature before every step.

    Curvature is Hutchinson's estimate from the loss itself: there are no labels to sample.
    """
    return OptimizerConfig(
        name=name,
        lr=config.lr,
        beta1=BETA1,
        beta2=BETA2,
        rho=config.rho,
        curvature="hutchinson",
        curvature_every=1,
    )


@lru_cache(maxsize=64)
def landscape(config: LandscapeConfig) -> Landscape:
    """Let every optimizer go from ``START``; nothing here is drawn or guessed, each point is a step that was taken."""
    surface = surface_of(config)
    paths: dict[str, Path] = {}
    paths |= {name: descend(surface.loss, START, optimizer_of(name, config), steps=config.steps) for name in RUNNERS}
    paths[NEWTON] = newton(surface.loss, START, steps=config.steps)
    ends = [newton(surface.loss, place, steps=100) for place in (surface.retain.centre, START)]
    best = min((end.losses[-1], end.points[-1]) for end in ends)
    x, y = (torch.linspace(*ends, count) for ends, count in zip((X_RANGE, Y_RANGE), _GRID, strict=True))
    grid_YX2 = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return Landscape(
        config=config,
        surface=surface,
        paths=paths,
        lowest=best[1],
        lowest_loss=best[0],
        x=tuple(x.tolist()),
        y=tuple(y.tolist()),
        total=tuple(map(tuple, surface.loss(grid_YX2).tolist())),
        retain=tuple(map(tuple, surface.retain.loss(grid_YX2).tolist())),
    )


class _Weights(nn.Module):
    """Two weights, as a model that an optimizer can be built for."""

    def __init__(self, at: Point) -> None:
        super().__init__()
        self.w = nn.Parameter(_tensor(at))


def descend(loss: Loss, start: Point, config: OptimizerConfig, *, steps: int) -> Path:
    """The way of one of the project's optimizers over a loss of two weights, curvature estimated as in a race.

    Args:
        loss: What is minimised.
        start: Where it begins.
        config: The optimizer; ``gnb`` curvature needs a model's labels and is none of this.
        steps: How many steps.
    """
    model = _Weights(start)
    optimizer, plan = build_optimizer(model, config), curvature_plan(config)
    generator = torch.Generator().manual_seed(_SEED)
    points, clipped, left = [start], [], False
    now = loss(model.w)
    losses = [now.item()]
    for step in range(1, steps + 1):
        if plan is not None and plan.due(step):
            estimates = hutchinson_curvature(loss(model.w), [model.w], generator=generator)
            optimizer.update_curvature(estimates)  # type: ignore[union-attr]
        (model.w.grad,) = torch.autograd.grad(now, [model.w])
        optimizer.step()
        if optimizer.clip_share is not None:
            clipped.append(optimizer.clip_share.item())
        x, y = model.w.tolist()
        now = loss(model.w)
        points.append((x, y))
        losses.append(now.item())
        left = not max(abs(x), abs(y)) <= OUTSIDE
        if left:
            break
    return Path(points=tuple(points), losses=tuple(losses), clip_shares=tuple(clipped), left=left)


def newton(loss: Loss, start: Point, *, steps: int) -> Path:
    """Newton's method with the exact Hessian H: ``w <- w - t |H|^-1 g``.

    On a quadratic bowl one step is exact. Where the surface bends downwards Newton's own step would go uphill, so the
    sign of each eigenvalue is dropped (saddle-free, Dauphin et al. 2014, arXiv:1406.2572), and ``t`` is halved from 1
    until the loss falls (Armijo). Where the gradient is 0 it stays.
    """
    w_2 = _tensor(start)
    points, losses, bent = [start], [float(loss(w_2))], []
    promised = math.inf
    for _ in range(steps):
        if promised > _STILL:
            at_2 = w_2.clone().requires_grad_()
            (slope_2,) = torch.autograd.grad(loss(at_2), [at_2])
            eigenvalues_2, vectors_22 = torch.linalg.eigh(torch.autograd.functional.hessian(loss, w_2))
            step_2 = vectors_22 @ ((vectors_22.T @ slope_2) / eigenvalues_2.abs().clamp_min(_FLAT))
            promised = float(slope_2 @ step_2)
            w_2 = _lowered(loss, w_2, step_2, losses[-1], promised)
        bent.append(bool(eigenvalues_2[0] < 0))
        points.append((float(w_2[0]), float(w_2[1])))
        losses.append(float(loss(w_2)))
    return Path(points=tuple(points), losses=tuple(losses), bent=tuple(bent))


def _lowered(loss: Loss, w_2: Tensor, step_2: Tensor, now: float, promised: float) -> Tensor:
    """The point after the longest of the steps 1, 1/2, 1/4 … that lowers the loss enough; the same if none does."""
    share = 1.0
    while share > _STILL:
        to_2 = w_2 - share * step_2
        if float(loss(to_2)) <= now - _SLOPE * share * promised:
            return to_2
        share /= 2
    return w_2


def _tensor(point: Point) -> Tensor:
    return torch.tensor(point, dtype=torch.float64)

"""The landscape of two weights: exact cases, limits, and the optimizers as they are elsewhere."""

import math

import pytest
import torch

from soul_core.config import OptimizerConfig
from soul_core.errors import ConfigError
from soul_core.session.landscape import (
    BETA1,
    BETA2,
    NEWTON,
    RUNNERS,
    START,
    Bowl,
    LandscapeConfig,
    Path,
    descend,
    landscape,
    newton,
    optimizer_of,
    surface_of,
)

BOWL = Bowl(centre=(2.0, -1.0), curvature=(0.5, 8.0))
SHORT = 20


def test_newton_reaches_the_bottom_of_a_bowl_in_one_step_however_narrow():
    path = newton(BOWL.loss, (5.0, 3.0), steps=3)
    # w - H^-1 H (w - c) = c.
    assert path.points[1] == pytest.approx((2.0, -1.0), abs=1e-12)
    assert path.points[3] == path.points[1]
    assert path.losses[1] == pytest.approx(0.0, abs=1e-20)
    assert path.bent == (False, False, False)


def test_newton_goes_down_where_the_surface_bends_down_and_says_so():
    # cos(x) + y^2/2 at (0.5, 1): the Hessian is diag(-cos 0.5, 1) and Newton's own step, x - tan 0.5 (uphill), would
    # end at 0; with the sign dropped the first step is x + tan 0.5, y - 1.
    def saddle(w):
        return torch.cos(w[..., 0]) + w[..., 1].square() / 2

    path = newton(saddle, (0.5, 1.0), steps=12)
    assert path.points[1] == pytest.approx((0.5 + math.tan(0.5), 0.0), abs=1e-9)
    assert path.bent[0] and not path.bent[-1]
    assert all(after <= before for before, after in zip(path.losses, path.losses[1:], strict=False))
    assert path.points[-1] == pytest.approx((math.pi, 0.0), abs=1e-6)


def test_sgd_on_a_bowl_has_its_closed_form():
    lr, start = 0.2, (5.0, 3.0)
    path = descend(BOWL.loss, start, OptimizerConfig(name="sgd", lr=lr), steps=SHORT)
    for step, point in enumerate(path.points):
        # Each distance from the centre is multiplied by 1 - lr k: 0.9 and -0.6.
        expected = (2.0 + 3.0 * 0.9**step, -1.0 + 4.0 * (-0.6) ** step)
        assert point == pytest.approx(expected, abs=1e-9)
    assert path.crossings > 5  # it zigzags across, until its steps are too small to see
    assert path.clip_share is None


def test_sgd_leaves_for_good_where_its_rate_is_too_large_for_the_steep_direction():
    # |1 - 0.3 * 8| = 1.4 > 1: 4 * 1.4^n passes a million at n = 37.
    path = descend(BOWL.loss, (5.0, 3.0), OptimizerConfig(name="sgd", lr=0.3), steps=100)
    assert path.left
    assert len(path.points) == 38
    assert path.arrival(0.0) is None


def test_adamw_is_torchs_own():
    weights = torch.nn.Parameter(torch.tensor([5.0, 3.0], dtype=torch.float64))
    theirs = torch.optim.AdamW([weights], lr=0.1, betas=(BETA1, BETA2), eps=1e-8, weight_decay=0.0)
    path = descend(BOWL.loss, (5.0, 3.0), optimizer_of("adamw", LandscapeConfig(lr=0.1)), steps=SHORT)
    for point in path.points[1:]:
        theirs.zero_grad()
        BOWL.loss(weights).backward()
        theirs.step()
        assert point == pytest.approx(tuple(weights.tolist()), abs=1e-12)


def test_sophia_with_every_step_cut_is_sign_momentum_point_by_point():
    found = landscape(LandscapeConfig(rho=1e-6, steps=SHORT))
    assert found.paths["sophia"].clip_shares == (1.0,) * SHORT
    assert found.paths["sophia"].points == found.paths["sign-momentum"].points
    assert found.hidden


def test_sophia_with_its_curvature_is_another():
    found = landscape(LandscapeConfig(steps=SHORT))
    assert not found.hidden
    assert found.paths["sophia"].clip_share < 0.6


def test_sophia_uncut_on_a_bowl_moves_both_weights_by_the_same_share():
    # h = (1 - β2^n) H is exact on a bowl along the axes, so m / (rho h) is the distance times a number that is the
    # same for both weights, whatever the curvature: the path is straight.
    config = LandscapeConfig(rho=50.0, lr=0.5, steps=SHORT)
    path = descend(BOWL.loss, (5.0, 3.0), optimizer_of("sophia", config), steps=SHORT)
    assert path.clip_share == 0.0
    for x, y in path.points:
        assert (x - 2.0) / 3.0 == pytest.approx((y + 1.0) / 4.0, abs=1e-9)
    assert path.points[-1][0] < 4.9


def test_the_surface_is_the_probability_of_the_forgotten_plus_gamma_times_the_retain_loss():
    surface = surface_of(LandscapeConfig(curvature_ratio=16, gamma=3))
    # At (0, 0): L_f = (1 + 0.64) / 2 = 0.82; L_r = (1.6^2 / 4) / 2 = 0.32.
    assert float(surface.loss(torch.zeros(2, dtype=torch.float64))) == pytest.approx(math.exp(-0.82) + 3 * 0.32)
    assert surface.known((0.0, 0.0)) == pytest.approx(math.exp(-0.82))
    assert surface.retain_loss((0.0, 1.0)) == pytest.approx(0.32 + 4 / 2)  # sqrt(16) across the valley
    assert surface.known(surface.forget.centre) == 1.0


@pytest.mark.parametrize("ratio", [1, 60, 1000])
def test_the_lowest_point_is_flat_and_nothing_on_the_map_is_lower(ratio):
    found = landscape(LandscapeConfig(curvature_ratio=ratio, steps=1))
    at = torch.tensor(found.lowest, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(found.surface.loss(at), [at])
    assert slope.abs().max() < 1e-6
    assert min(map(min, found.total)) >= found.lowest_loss - 1e-6
    assert len(found.total) == len(found.y)
    assert len(found.total[0]) == len(found.x)


def test_in_a_narrow_valley_what_sees_curvature_arrives_first():
    found = landscape(LandscapeConfig(curvature_ratio=200, lr=0.12))
    when = {name: found.paths[name].arrival(found.lowest_loss) for name in (*RUNNERS, NEWTON)}
    assert when["newton"] < when["sophia"] < when["sgd"]
    assert when["sign-momentum"] is None  # it goes round the goal at one rate's length


def test_in_a_round_bowl_curvature_makes_little_difference():
    found = landscape(LandscapeConfig(curvature_ratio=1))
    assert found.paths["sgd"].arrival(found.lowest_loss) <= found.paths["sophia"].arrival(found.lowest_loss)


def test_a_path_starts_at_the_start_and_has_a_point_and_a_loss_for_every_step():
    found = landscape(LandscapeConfig(steps=7))
    for path in found.paths.values():
        assert path.points[0] == START
        assert len(path.points) == len(path.losses) == 8
        at = torch.tensor(path.points[-1], dtype=torch.float64)
        assert path.losses[-1] == pytest.approx(float(found.surface.loss(at)))
    assert len(found.paths["sophia"].clip_shares) == len(found.paths["newton"].bent) == 7


def test_arrival_is_when_a_path_comes_near_and_stays():
    def path(*losses: float) -> Path:
        return Path(points=((0.0, 0.0),) * len(losses), losses=losses)

    near = 0.009  # below 1 % of the first
    assert path(1.0, 0.5, near, near, near, near, near).arrival(0.0) == 2
    assert path(1.0, near, 0.5, near, near, near, near, near).arrival(0.0) == 3
    assert path(1.0, 0.5, 0.4, near).arrival(0.0) is None  # too late to know whether it stays
    assert path(1.0, 0.5, math.nan).arrival(0.0) is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("curvature_ratio", 0.5, "Curvature ratio is 0.5"),
        ("rho", 0, "Clip threshold ρ is 0"),
        ("lr", 2, "Learning rate is 2"),
        ("steps", 1000, "Steps is 1000"),
        ("gamma", float("nan"), "Retain weight γ"),
    ],
)
def test_a_setting_out_of_bounds_is_named_with_its_value(name, value, said):
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        LandscapeConfig(**{name: value})

import copy

import pytest
import torch

from soul_core.config import OptimizerConfig
from soul_core.models.storage import load_optimizer, save_optimizer
from soul_core.optim import blocks as blocks_module
from soul_core.optim import build_optimizer
from soul_core.optim.adamw import AdamW
from soul_core.optim.rounding import StochasticRounding, stochastic_round_
from soul_core.optim.sgd import SGD
from soul_core.optim.sophia import Sophia

SPACING = 2.0**-7  # of bf16 numbers between 1 and 2: 8 significant bits
CONFIGS = {
    "adamw": OptimizerConfig(name="adamw", lr=5e-4, weight_decay=0.1),
    "sophia": OptimizerConfig(name="sophia", lr=5e-4, beta2=0.95, rho=0.04, weight_decay=0.1),
    "soul-release": OptimizerConfig(name="soul-release", lr=5e-4, beta2=0.95, weight_decay=0.1),
    "sign-momentum": OptimizerConfig(name="sign-momentum", lr=5e-4),
    "sgd": OptimizerConfig(name="sgd", lr=2e-4),
}


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def rounded(values):
    target = torch.empty(values.shape, dtype=torch.bfloat16)
    stochastic_round_(target, values)
    return target.float()


class Net(torch.nn.Module):
    """Two matrices' rows and a vector, 2000 copies of each number, and a loss that pulls all to 0."""

    def __init__(self, dtype):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.tensor([[1.5], [-1.25]]).expand(2, 2000).to(dtype).clone())
        self.vector = torch.nn.Parameter(torch.full((2000,), 1.75, dtype=dtype))
        self.bend = torch.tensor([[1.0], [0.02]])

    def loss(self):
        # Summed in fp32: the gradient is then bend * weight in the weight's own precision.
        return 0.5 * (self.bend * self.matrix.float() ** 2).sum() + 0.1 * self.vector.float().pow(2).sum()

    def means(self):
        return torch.cat([self.matrix.detach().float().mean(dim=1), self.vector.detach().float().mean()[None]])


def steps(net, optimizer, which):
    for step in which:
        torch.manual_seed(100 + step)
        if isinstance(optimizer, (Sophia, StochasticRounding)) and step % 2 == 0 and "rho" in optimizer.defaults:
            params = [p for group in optimizer.param_groups for p in group["params"]]
            if "batch_factor" not in optimizer.defaults:
                optimizer.update_curvature([torch.full_like(p, 30.0 + step) for p in params])
        optimizer.zero_grad()
        net.loss().backward()
        optimizer.step()


def test_a_number_becomes_one_of_its_neighbours_and_its_mean_is_the_number():
    # 1/4 of the way up from 1; the same below 0; 3/4 up from 2^-120; among the smallest numbers there are.
    for low, gap, share in (
        (1.0, SPACING, 0.25),
        (-1.0, -SPACING, 0.25),
        (2.0**-120, 2.0**-127, 0.75),
        (0, 2**-133, 0.5),
    ):
        found = rounded(torch.full((40_000,), low + share * gap))
        assert set(found.tolist()) == {low, low + gap}
        up = (found == low + gap).double().mean().item()
        assert abs(up - share) < 5 * (share * (1 - share) / 40_000) ** 0.5


def test_what_bf16_can_hold_stays_exactly_what_it_is():
    values = torch.randn(10_000).bfloat16().float()
    special = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), torch.finfo(torch.bfloat16).max, 2.0**-133])
    assert torch.equal(rounded(values), values)
    assert torch.equal(rounded(special), special)
    assert torch.signbit(rounded(special))[1]
    assert rounded(torch.full((1000,), float("nan"))).isnan().all()
    # Whatever bits a NaN has: adding to these would carry over into the sign.
    assert rounded(torch.full((1000,), -1, dtype=torch.int32).view(torch.float32)).isnan().all()


def test_no_finite_number_becomes_infinite():
    largest = torch.finfo(torch.float32).max
    assert rounded(torch.tensor([largest, -largest] * 1000)).isfinite().all()


def test_a_drift_of_a_thousandth_of_the_spacing_arrives_on_average_where_rounding_to_the_nearest_loses_it_all():
    # 64 of the 65536 fp32 numbers between two bf16 numbers, so that the fp32 sum is exact. 300 steps up with chance
    # 1/1024 each: a binomial number of spacings, of variance 300 / 1024 * (1 - 1/1024).
    drift, count, size = SPACING * 64 / 65536, 300, 20_000
    weights, plain = (torch.nn.Parameter(torch.ones(size, dtype=torch.bfloat16)) for _ in range(2))
    optimizer = StochasticRounding([{"params": [weights]}], lambda groups: SGD(groups, lr=drift))
    nearest = SGD([{"params": [plain]}], lr=drift)
    for _ in range(count):
        weights.grad, plain.grad = -torch.ones_like(weights), -torch.ones_like(plain)
        optimizer.step()
        nearest.step()
    assert (plain == 1).all()
    spacings = (weights.detach().double() - 1) / SPACING
    assert torch.equal(spacings, spacings.round())
    tolerance = 5 * (count / 1024 * (1 - 1 / 1024) / size) ** 0.5
    assert abs(spacings.mean().item() - count / 1024) < tolerance < 0.03
    assert spacings.var().item() == pytest.approx(count / 1024, rel=0.1)


@pytest.mark.parametrize("name", CONFIGS)
def test_any_optimizer_stays_near_its_run_in_fp32_where_plain_bf16_stands_still(name):
    # The noise of 40 roundings of 2000 copies has a standard deviation below 1/2 * SPACING * sqrt(40 / 2000) = 6e-4.
    config = CONFIGS[name]
    exact, rough, lost = Net(torch.float32), Net(torch.bfloat16), Net(torch.bfloat16)
    start = exact.means()
    steps(exact, build_optimizer(exact, config), range(40))
    steps(rough, build_optimizer(rough, config, rounding=True), range(40))
    steps(lost, build_optimizer(lost, config), range(40))
    moved = (exact.means() - start).abs()
    assert moved.max() > 9e-3
    assert (rough.means() - exact.means()).abs().max() < 4 * 6e-4
    far = moved.argmax()
    assert (lost.means() - start).abs()[far] < 0.25 * moved[far]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("block", [3000, 1 << 17])
def test_the_first_step_reports_what_the_optimizer_reports_in_fp32(name, block, monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", block)
    exact, rough = Net(torch.float32), Net(torch.bfloat16)
    one, other = build_optimizer(exact, CONFIGS[name]), build_optimizer(rough, CONFIGS[name], rounding=True)
    steps(exact, one, range(1))
    steps(rough, other, range(1))
    assert other.update_norm.item() == pytest.approx(one.update_norm.item(), rel=4e-3)  # the gradient is in bf16
    if one.clip_share is None:
        assert other.clip_share is None
    else:
        assert other.clip_share.item() == pytest.approx(one.clip_share.item(), abs=1e-6)


def test_clipped_coordinates_are_counted_over_all_blocks_alike(monkeypatch):
    # Ratio m / (rho h) = gradient. 2 of 4 coordinates are clipped in the first block, 0 of 2 in the second.
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", 4)
    params = [torch.nn.Parameter(torch.zeros(n, dtype=torch.bfloat16)) for n in (4, 2)]
    optimizer = StochasticRounding(
        [{"params": params}], lambda groups: Sophia(groups, lr=1.0, betas=(0.0, 0.0), rho=1.0)
    )
    optimizer.update_curvature([torch.ones_like(p) for p in params])
    params[0].grad = torch.tensor([3.0, -1.0, 0.5, 0.0], dtype=torch.bfloat16)
    params[1].grad = torch.tensor([0.5, 0.25], dtype=torch.bfloat16)
    optimizer.step()
    assert optimizer.clip_share.item() == pytest.approx(2 / 6)
    assert optimizer.update_norm.item() == pytest.approx((1 + 1 + 0.25 + 0.25 + 0.0625) ** 0.5)


def test_only_a_block_of_the_weights_exists_in_fp32_and_only_during_its_step(monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", 250)
    params = [torch.nn.Parameter(torch.ones(100, dtype=torch.bfloat16)) for _ in range(5)]
    held = []

    class Watched(AdamW):
        def step(self):
            handles = [p for group in self.param_groups for p in group["params"]]
            held.append(sum(p.untyped_storage().nbytes() for p in handles))
            held.append(sum(p.grad.untyped_storage().nbytes() for p in handles if p.grad is not None))
            super().step()

    optimizer = StochasticRounding([{"params": params}], lambda groups: Watched(groups, lr=0.1))
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert held == [200 * 4 + 3 * 4, 800, 200 * 4 + 3 * 4, 800, 100 * 4 + 4 * 4, 400]
    handles = [p for group in optimizer.inner.param_groups for p in group["params"]]
    assert [(p.untyped_storage().nbytes(), p.shape, p.grad) for p in handles] == [(4, (100,), None)] * 5
    assert all(x.dtype == torch.float32 for state in optimizer.state.values() for x in state.values())


def test_groups_hold_the_weights_themselves_and_the_rate_set_there_is_the_rate():
    p, frozen = (torch.nn.Parameter(torch.zeros(3, dtype=torch.bfloat16)) for _ in range(2))
    optimizer = StochasticRounding([{"params": [p, frozen], "weight_decay": 0.0}], lambda g: Sophia(g, lr=1.0))
    assert optimizer.param_groups[0]["params"][0] is p and optimizer.param_groups[0]["betas"] == (0.9, 0.95)
    optimizer.param_groups[0]["lr"] = 0.5
    p.grad = torch.ones_like(p)
    optimizer.step()
    assert p.tolist() == [-0.5] * 3
    assert frozen.tolist() == [0.0] * 3 and frozen not in optimizer.state
    optimizer.zero_grad()
    assert p.grad is None


def test_weights_in_fp32_are_stepped_and_not_rounded():
    # A step of 1e-7 of a weight of 1 is lost in bf16, and almost always when rounded stochastically.
    p = torch.nn.Parameter(torch.ones(4))
    optimizer = StochasticRounding([{"params": [p]}], lambda groups: SGD(groups, lr=2.0**-20))
    p.grad = torch.ones(4)
    optimizer.step()
    assert p.tolist() == [1 - 2.0**-20] * 4


@pytest.mark.parametrize("name", CONFIGS)
def test_a_run_resumed_from_the_disk_is_the_same_bit_for_bit(name, tmp_path):
    config = CONFIGS[name]
    unbroken = Net(torch.bfloat16)
    steps(unbroken, build_optimizer(unbroken, config, rounding=True), range(6))

    first = Net(torch.bfloat16)
    optimizer = build_optimizer(first, config, rounding=True)
    steps(first, optimizer, range(3))
    save_optimizer(optimizer, tmp_path / "state.safetensors")
    second = copy.deepcopy(first)
    resumed = build_optimizer(second, config.but(lr=0.9), rounding=True)
    load_optimizer(resumed, tmp_path / "state.safetensors")
    assert [g["lr"] for g in resumed.param_groups] == [config.lr] * 2
    kept = {k: v for state in resumed.state.values() for k, v in state.items()}
    assert all(x.dtype == torch.float32 for x in kept.values())
    assert bool(kept) == (name != "sgd")
    steps(second, resumed, range(3, 6))
    for p, q, start in zip(second.parameters(), unbroken.parameters(), first.parameters(), strict=True):
        assert torch.equal(p, q)
        assert not torch.equal(p, start)


def test_random_bits_are_torchs_so_a_seed_decides_them():
    values = torch.full((1000,), 1 + SPACING / 2)
    torch.manual_seed(1)
    first = rounded(values)
    second = rounded(values)
    torch.manual_seed(1)
    assert torch.equal(rounded(values), first)
    assert not torch.equal(first, second)


def test_curvature_for_an_optimizer_without_any_is_a_bug_that_says_so():
    p = torch.nn.Parameter(torch.zeros(3, dtype=torch.bfloat16))
    optimizer = StochasticRounding([{"params": [p]}], lambda groups: SGD(groups, lr=0.1))
    with pytest.raises(TypeError, match="SGD takes no curvature"):
        optimizer.update_curvature([torch.ones(3)])


def test_other_precisions_are_refused():
    p = torch.nn.Parameter(torch.zeros(3, dtype=torch.float16))
    with pytest.raises(ValueError, match=r"got torch\.float16"):
        StochasticRounding([{"params": [p]}], lambda groups: SGD(groups, lr=0.1))


def test_a_transposed_weight_is_rounded_in_place(monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", 4)
    p = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.bfloat16).t())
    optimizer = StochasticRounding([{"params": [p]}], lambda groups: Sophia(groups, lr=1.0, rho=1.0))
    gradient = torch.arange(12).view(4, 3).bfloat16() - 5.5
    optimizer.update_curvature([torch.zeros_like(p)])
    p.grad = gradient
    optimizer.step()
    assert torch.equal(p.detach(), -gradient.sign())

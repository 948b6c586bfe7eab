import math

import pytest
import torch

from soul_core.config import OptimizerConfig
from soul_core.errors import ConfigError
from soul_core.models.storage import load_optimizer, save_optimizer
from soul_core.optim import blocks, build_optimizer, eightbit
from soul_core.optim.sophia import Sophia
from tests.tiny import tiny_model

CPU = torch.device("cpu")
SIZE = 40_000


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def written(values, *, signed, dither=False):
    codes, scales = eightbit.blank(values)
    lost = eightbit.write_(codes, scales, values, signed=signed, dither=dither)
    return codes, scales, eightbit.read(codes, scales, signed=signed), lost


@pytest.mark.parametrize(("signed", "count"), [(True, 255), (False, 256)])
def test_the_bytes_stand_for_ascending_numbers_from_0_or_minus_1_to_1(signed, count):
    values = eightbit.levels(signed, CPU)
    assert len(values) == count and (values[1:] > values[:-1]).all()
    assert (values[0].item(), values[-1].item()) == (-1.0 if signed else 0.0, 1.0)
    assert torch.equal(values, -values.flip(0)) == signed
    assert (values == 0).sum() == 1


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("dither", [True, False])
def test_each_number_becomes_one_of_its_neighbours_among_what_its_block_can_hold(signed, dither):
    values = torch.randn(1000) ** 3 if signed else torch.randn(1000).abs() ** 3
    _, _, found, lost = written(values, signed=signed, dither=dither)
    step = math.log(eightbit.levels(signed, CPU)[-1] / eightbit.levels(signed, CPU)[-2])
    for first in range(0, 1000, eightbit.BLOCK):
        part, here = values[first : first + eightbit.BLOCK], found[first : first + eightbit.BLOCK]
        there = eightbit.levels(signed, CPU) * part.abs().max()
        assert torch.isclose(here[:, None], there, rtol=1e-5, atol=0).any(dim=1).all()
        assert here.abs().max() == part.abs().max()
        kept = here != 0
        assert (here.sign() == part.sign())[kept].all()
        assert ((here / part)[kept].log().abs() <= step * (1.0001 if dither else 0.5001)).all()
        assert (part[~kept].abs() < there[there > 0].min()).all()
    assert lost.tolist() == pytest.approx([(found - values).square().sum().item(), values.square().sum().item()])


def test_the_mean_of_what_is_rounded_at_random_is_the_number():
    # Between two neighbours a factor e^s apart a quarter of the way up in exponent: 3/4 + e^s / 4 of the lower one,
    # s = 5 ln(10) / 126 = 0.0914. To the nearest all would be the lower one, 1 instead of 1.0239.
    low = eightbit.levels(True, CPU)[-20].item()
    values = torch.full((256 * 400,), low * math.exp(0.0914 / 4))
    values[::256] = 1.0
    found = written(values, signed=True, dither=True)[2].view(-1, 256)[:, 1:] / low
    assert found.mean().item() == pytest.approx(0.75 + math.exp(0.0914) / 4, abs=5 * 0.04 / (255 * 400) ** 0.5)
    assert written(values, signed=True)[2].view(-1, 256)[:, 1:].max().item() == pytest.approx(low)


@pytest.mark.parametrize("signed", [True, False])
def test_reading_and_writing_again_changes_nothing(signed):
    values = torch.cat([torch.randn(777) ** 5, torch.zeros(300), torch.full((5,), 1e-30)])
    codes, scales, found, _ = written(values if signed else values.abs(), signed=signed)
    again, same_scales, _, lost = written(found, signed=signed)
    assert torch.equal(codes, again) and torch.equal(scales, same_scales)
    assert lost[0] == 0


def test_curvature_keeps_its_relative_size_over_seven_decades_and_0_stays_0():
    # Neighbours are 7 decades / 254 steps apart, a factor of 1.0655: half a step is 3.3 %.
    values = 10.0 ** (-6.9 * torch.rand(256))
    values[7] = 1.0
    found = written(values, signed=False)[2]
    assert (found / values - 1).abs().max() < 0.033
    assert written(torch.tensor([0.0, 1.0]), signed=False)[2].tolist() == [0.0, 1.0]


def test_an_average_that_takes_in_a_twentieth_stands_still_without_dithering_and_arrives_with_it():
    # From 1 towards 1.4 by a twentieth of the rest: 2 % at first, where half a step is 3.3 %. After 60 updates
    # 1 - 0.95^60 = 95 % of the way is done. The last number holds the scale.
    ends = {}
    for dither in (False, True):
        values = torch.cat([torch.ones(255), torch.tensor([10.0])])
        for _ in range(60):
            moved = values.lerp(torch.cat([torch.full((255,), 1.4), torch.tensor([10.0])]), 0.05)
            values = written(moved, signed=False, dither=dither)[2]
        ends[dither] = values[:-1].mean().item()
    assert abs(ends[False] - 1.0) < 0.04
    assert ends[True] == pytest.approx(1 + 0.4 * (1 - 0.95**60), abs=0.02)


def quadratic(eight_bit, *, steps=50):
    """The way towards the minimum of 40 000 parabolas of curvatures in four decades, what is left, the optimizer."""
    generator = torch.Generator().manual_seed(1)
    curvature = 10 ** (4 * torch.rand(SIZE, generator=generator) - 3)
    start = torch.randn(SIZE, generator=generator)
    p = torch.nn.Parameter(start.clone())
    optimizer = Sophia([p], lr=0.05, rho=1.0, eight_bit=eight_bit)
    for step in range(steps):
        if step % 5 == 0:
            optimizer.update_curvature([curvature * torch.randn(SIZE, generator=generator) ** 2])
        p.grad = curvature * p.detach()
        optimizer.step()
    return p.detach() - start, 0.5 * (curvature * p.detach() ** 2).mean().item(), optimizer


def test_fifty_steps_on_parabolas_end_near_those_with_states_in_fp32():
    exact, loss, plain = quadratic(False)
    rough, rough_loss, optimizer = quadratic(True)
    assert rough_loss == pytest.approx(loss, rel=0.05)
    assert (rough - exact).norm() < 0.07 * exact.norm()
    assert not torch.equal(rough, exact)
    assert plain.state_error is None
    assert 0.001 < optimizer.state_error.item() < 0.04


def test_the_states_take_a_quarter_of_the_memory():
    sizes = [
        sum(x.untyped_storage().nbytes() for s in quadratic(eight_bit, steps=1)[2].state.values() for x in s.values())
        for eight_bit in (True, False)
    ]
    # A byte, and four for each 256 of them.
    assert sizes[0] == 2 * (SIZE + 4 * math.ceil(SIZE / 256)) and sizes[1] == 8 * SIZE


@pytest.mark.parametrize("limit", [1 << 10, 1 << 17])
def test_the_size_of_a_block_changes_nothing(limit, monkeypatch):
    monkeypatch.setattr(blocks, "CPU_BLOCK", limit)
    p = torch.nn.Parameter(torch.linspace(-1, 1, 5000))
    q = torch.nn.Parameter(p.detach().view(50, 100).t().clone().t())
    exact = torch.nn.Parameter(p.detach().clone())
    optimizer = Sophia([p, q], lr=0.1, betas=(0.0, 0.0), rho=1.0, eight_bit=True)
    plain = Sophia([exact], lr=0.1, betas=(0.0, 0.0), rho=1.0)
    # With no memory in the momentum, and with what a byte can hold as curvature, a step is that of fp32.
    plain.update_curvature([torch.ones(5000)])
    optimizer.update_curvature([torch.ones(5000), torch.ones(50, 100)])
    for weights in (p, q, exact):
        weights.grad = weights.detach().clone()
    optimizer.step()
    plain.step()
    assert torch.equal(p, exact) and torch.equal(q.view(-1), exact)
    assert optimizer.update_norm.item() == pytest.approx(2**0.5 * plain.update_norm.item())


class Pair(torch.nn.Module):
    def __init__(self, dtype=torch.float32):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.matrix = torch.nn.Parameter(torch.randn(90, 70, generator=generator).to(dtype))
        self.vector = torch.nn.Parameter(torch.randn(9, generator=generator).to(dtype))


def go_on(net, optimizer, steps):
    for step in steps:
        torch.manual_seed(step)
        params = list(net.parameters())
        optimizer.update_curvature([torch.sin(p.detach() * 7).square() for p in params])
        for p in params:
            p.grad = torch.cos(p.detach() * (step + 1))
        optimizer.step()


@pytest.mark.parametrize("rounding", [False, True])
def test_a_run_resumed_from_the_disk_is_the_same_bit_for_bit(rounding, tmp_path):
    config = OptimizerConfig(name="sophia", lr=0.02, beta2=0.9, state="int8")
    dtype = torch.bfloat16 if rounding else torch.float32
    first, second = Pair(dtype), Pair(dtype)
    optimizer = build_optimizer(first, config, rounding=rounding)
    go_on(first, optimizer, range(3))
    assert {x.dtype for x in optimizer.state[first.matrix].values()} == {torch.uint8, torch.float32}
    assert {x.dtype for x in optimizer.state[first.vector].values()} == {torch.float32}
    save_optimizer(optimizer, tmp_path / "state.safetensors")
    second.load_state_dict(first.state_dict())
    resumed = build_optimizer(second, config, rounding=rounding)
    load_optimizer(resumed, tmp_path / "state.safetensors")
    go_on(first, optimizer, range(3, 6))
    go_on(second, resumed, range(3, 6))
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("before", ["float32", "int8"])
def test_a_state_saved_in_one_precision_is_gone_on_with_in_the_other(before, tmp_path):
    after = {"float32": "int8", "int8": "float32"}[before]
    config = OptimizerConfig(name="sophia", lr=0.02, state=before)
    net = Pair()
    optimizer = build_optimizer(net, config)
    go_on(net, optimizer, range(3))
    save_optimizer(optimizer, tmp_path / "state.safetensors")
    resumed = build_optimizer(net, config.but(state=after))
    load_optimizer(resumed, tmp_path / "state.safetensors")
    for p in net.parameters():
        ours, theirs = eightbit.opened(optimizer.state[p]), eightbit.opened(resumed.state[p])
        for key in ("m", "h"):
            assert (ours[key] - theirs[key]).norm() < 0.05 * ours[key].norm()
    assert (resumed.state[net.matrix]["m"].dtype == torch.uint8) == (after == "int8")


@pytest.mark.parametrize("rounding", [False, True])
def test_a_model_unlearns_nearly_alike_with_states_in_8_bits(rounding):
    ids_BT = torch.randint(1, 300, (4, 9), generator=torch.Generator().manual_seed(4))

    def run(state):
        torch.manual_seed(0)
        model = tiny_model("llama").to(torch.bfloat16 if rounding else torch.float32)
        config = OptimizerConfig(name="sophia", lr=4e-3, beta2=0.9, rho=1.0, state=state)
        optimizer = build_optimizer(model, config, rounding=rounding)
        params = [p for group in optimizer.param_groups for p in group["params"]]
        losses = []
        for step in range(50):
            loss = -model(input_ids=ids_BT, labels=ids_BT).loss  # gradient ascent
            optimizer.zero_grad()
            loss.backward()
            if step % 5 == 0:
                optimizer.update_curvature([p.grad for p in params], factor=1e4)
            optimizer.step()
            losses.append(-loss.item())
        return losses, optimizer

    exact, _ = run("float32")
    rough, optimizer = run("int8")
    assert any(x.dtype == torch.uint8 for state in optimizer.state.values() for x in state.values())
    assert optimizer.clip_share < 0.9
    risen = exact[-1] - exact[0]
    assert risen > 1.0
    assert abs(rough[-1] - exact[-1]) < 0.02 * risen


def test_curvature_that_may_be_negative_is_refused():
    config = OptimizerConfig(name="sophia", curvature="hutchinson", state="int8")
    with pytest.raises(ConfigError, match="Set States to float32, or Curvature to gnb"):
        build_optimizer(Pair(), config)
    build_optimizer(Pair(), config.but(name="sign-momentum"))

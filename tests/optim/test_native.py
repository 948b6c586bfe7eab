import copy

import pytest
import torch

from soul_core.optim import fused, native
from soul_core.optim.adamw import AdamW
from soul_core.optim.sophia import EPS, Sophia

needs_a_compiler = pytest.mark.skipif(native.library() is None, reason="no C compiler here")
SHAPES = [(1000,), (3,), (57, 113), (1,), (0,), (3 * 4096 + 5, 7)]
SETTINGS = {"lr": 0.01, "rho": 0.04, "weight_decay": 0.1}


@pytest.fixture
def torchs_operations(monkeypatch):
    """Sophia as a chain of torch's operations, as on a machine without a compiler."""
    monkeypatch.setattr(fused, "_on", lambda device_type: None)


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def trained(betas, *, steps=4, wide=False):
    """Weights, states and reports of a few steps; gradients and curvatures of many sizes, some 0, some below it."""
    params, generator, reports = parameters(), torch.Generator().manual_seed(1), []
    optimizer = Sophia([{"params": params[:3]}, {"params": params[3:], "weight_decay": 0.0}], betas=betas, **SETTINGS)
    for step in range(steps):
        sizes = [10 ** torch.randn(p.shape, generator=generator) for p in params]
        if step != 1:
            optimizer.update_curvature(
                [torch.randn(p.shape, generator=generator) * s for p, s in zip(params, sizes, strict=True)]
            )
        for p in params:
            gradient = torch.randn(p.shape, generator=generator) * (torch.rand(p.shape, generator=generator) < 0.8)
            p.grad = gradient.t().contiguous().t() if gradient.ndim == 2 else gradient
        optimizer.step()
        reports.append((optimizer.clip_share.item(), optimizer.update_norm.item()))
    kept = [x for p in params for x in (p.detach(), optimizer.state[p].get("m"), optimizer.state[p].get("h"))]
    return [x for x in kept if x is not None], reports


@needs_a_compiler
@pytest.mark.parametrize("betas", [(0.9, 0.95), (0.3, 0.2), (0.0, 0.0)])
def test_with_a_compiler_and_without_one_the_weights_are_the_same_bit_for_bit(betas, request):
    ours, reports = trained(betas)
    request.getfixturevalue("torchs_operations")
    theirs, expected = trained(betas)
    assert all(torch.equal(x, y) for x, y in zip(ours, theirs, strict=True))
    for (share, norm), (their_share, their_norm) in zip(reports, expected, strict=True):
        assert 0.1 < share < 0.99
        assert share == pytest.approx(their_share, rel=1e-6)
        assert norm == pytest.approx(their_norm, rel=1e-5)


@needs_a_compiler
def test_the_number_of_threads_changes_nothing_but_the_order_of_the_sum(monkeypatch):
    monkeypatch.setattr(native, "SHARE", 1000)
    found = {}
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found[threads] = trained((0.9, 0.95))
    for threads in (2, 3):
        assert all(torch.equal(x, y) for x, y in zip(found[1][0], found[threads][0], strict=True))
        assert found[1][1] == [pytest.approx(report, rel=1e-6) for report in found[threads][1]]


@needs_a_compiler
def test_every_coordinate_belongs_to_exactly_one_thread(monkeypatch):
    monkeypatch.setattr(native, "SHARE", 10)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    # Ones fold to 1/4 everywhere; a coordinate met twice would be at 7/16, one left out at 0.
    h = [torch.zeros(n) for n in (40, 1, 60)]
    native.fold(h, [torch.ones_like(x) for x in h], beta2=0.75, factor=None)
    assert torch.cat(h).tolist() == [0.25] * 101


@needs_a_compiler
def test_what_is_not_a_number_stays_none():
    # Neither the clip nor the smallest curvature makes a number of it, as torch's clamp does not either.
    nan = float("nan")
    p, m, h = [torch.zeros(3)], [torch.zeros(3)], [torch.tensor([1.0, nan, 1.0])]
    native.step(p, m, h, [torch.tensor([nan, 1.0, 1.0])], lr=1.0, beta1=0.0, rho=1.0, weight_decay=0.0, eps=EPS)
    assert p[0].isnan().tolist() == [True, True, False]


@pytest.mark.parametrize("path", ["compiled", "torchs_operations"])
def test_gradients_with_a_factor_fold_like_their_squares_written_out(path, request):
    if path != "compiled":
        request.getfixturevalue(path)
    gradients = [torch.randn(s, generator=torch.Generator().manual_seed(2)) for s in SHAPES]
    one, other = (Sophia(parameters(), lr=0.1) for _ in range(2))
    for _ in range(3):
        one.update_curvature([7.0 * g * g for g in gradients])
        other.update_curvature(gradients, factor=7.0)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one.state[p]["h"], other.state[q]["h"], rtol=1e-6, atol=0)
        assert not p.numel() or one.state[p]["h"].max() > 0.1


def test_a_state_saved_by_one_is_gone_on_with_by_the_other(monkeypatch):
    def run(optimizer, p, steps):
        for step in steps:
            p.grad = torch.sin(p.detach() * (step + 1))
            optimizer.update_curvature([p.grad], factor=3.0)
            optimizer.step()
        return p.detach().clone()

    p = torch.nn.Parameter(torch.linspace(-1, 1, 999))
    optimizer = Sophia([p], lr=0.05)
    run(optimizer, p, range(3))
    q = torch.nn.Parameter(p.detach().clone())
    resumed = Sophia([q], lr=0.05)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    whole = run(optimizer, p, range(3, 6))
    monkeypatch.setattr(fused, "_on", lambda device_type: None)
    assert torch.equal(run(resumed, q, range(3, 6)), whole)


@pytest.mark.parametrize("compilers", [(), ("false",), ("soul-has-no-such-compiler",)])
def test_without_a_compiler_that_works_there_are_no_loops_and_nobody_is_told(compilers, monkeypatch):
    monkeypatch.setattr(native, "COMPILERS", compilers)
    assert native.library.__wrapped__() is None


@needs_a_compiler
def test_only_fp32_in_one_piece_is_given_to_the_loops():
    x = torch.zeros(4, 3)
    assert fused.kernels_for([x], [x], [x]) is native
    for other in (x.double(), x.bfloat16(), x.t()):
        assert fused.kernels_for([x], [x], [other]) is None
        assert fused.kernels_for([x, other], [x, x], [x, x]) is None
    assert fused.kernels_for([]) is None


@needs_a_compiler
def test_what_adam_moves_by_by_hand():
    weights, momenta, squares = torch.tensor([2.0, -1.0]), torch.tensor([3.0, 0.0]), torch.tensor([4.0, 0.0])
    # 3 / (2 + 1) + 0.5 * 2 = 2; 0 / (0 + 1) + 0.5 * -1 = -0.5.
    found = native.measure([weights], [momenta], [squares], decay=0.5, eps=1.0)
    assert found.item() == pytest.approx(4.25)
    assert weights.tolist() == [2.0, -1.0] and momenta.tolist() == [3.0, 0.0] and squares.tolist() == [4.0, 0.0]


@needs_a_compiler
def test_the_norm_of_adams_step_is_that_of_torchs_operations_and_of_the_weights_themselves(monkeypatch):
    found = []
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(native, "library", lambda: None)
        params, generator = parameters(), torch.Generator().manual_seed(1)
        optimizer = AdamW([{"params": params}], lr=0.01, weight_decay=0.1)
        for _ in range(3):
            before = torch.cat([p.detach().reshape(-1).clone() for p in params])
            for p in params:
                p.grad = torch.randn(p.shape, generator=generator)
            optimizer.step()
            moved = torch.cat([p.detach().reshape(-1) for p in params]) - before
            assert optimizer.update_norm.item() == pytest.approx(moved.double().norm().item(), rel=1e-4)
        found.append(optimizer.update_norm.item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_full_disk_is_a_machine_without_a_compiler(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(native.tempfile, "TemporaryDirectory", full)
    monkeypatch.setattr(native.shutil, "which", lambda name: name)
    assert native.library.__wrapped__() is None

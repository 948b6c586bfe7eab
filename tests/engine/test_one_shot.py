import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from soul_core.data.batches import collate
from soul_core.engine.forward import likelihoods_of
from soul_core.engine.one_shot import _Rows, influence_step
from soul_core.errors import RunError
from soul_core.objectives import answer_logits
from tests.engine.test_loop import CPU, batches, example, flat
from tests.optim.test_influence import finish
from tests.tiny import ARCHITECTURES, tiny_model

SETTINGS = {"damping": 0.1, "iterations": 8, "retain_rise": 0.05, "device": CPU}


def nll(model, some_batches, *, forget):
    total, tokens = 0.0, 0
    for batch in some_batches:
        rows = batch.rows(batch.is_forget_B == forget)
        with torch.no_grad():
            total += likelihoods_of(model, rows, device=CPU, autocast_dtype=None).nll_B.sum().item()
        tokens += rows.answer_tokens
    return total / tokens


def example_batch(answer, *, forget=False):
    return collate([example(answer, answer=answer)], [forget], [0], pad_id=0)


def trained(arch="llama", steps=60):
    """A tiny model that has learnt the rows, so that there is something to forget and something to keep."""
    model, some = tiny_model(arch), batches(3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, foreach=False)
    for step in range(steps):
        likelihoods = likelihoods_of(model, some[step % 3], device=CPU, autocast_dtype=None)
        (likelihoods.nll_B.sum() / likelihoods.tokens_B.sum()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return model, some


@pytest.mark.parametrize("solver", ["diagonal", "cg"])
def test_one_step_makes_the_forget_rows_less_likely_and_keeps_the_retain_rows_within_the_bound(solver):
    model, some = trained()
    before = flat(model)
    reports, result = finish(influence_step(model, some, some, solver=solver, **SETTINGS))
    assert result.forget_before == pytest.approx(nll(trained()[0], some, forget=True), rel=1e-4)
    assert result.forget_after == pytest.approx(nll(model, some, forget=True), rel=1e-5)
    assert result.retain_after == pytest.approx(nll(model, some, forget=False), rel=1e-5)
    assert result.retain_after - result.retain_before <= 0.05
    # What it costs the retain rows is a small part of what the forget rows lose.
    assert result.forget_after - result.forget_before > 0.05
    moved = flat(model) - before
    assert result.update_norm == pytest.approx(moved.norm().item(), rel=1e-3)
    assert result.relative_norm == pytest.approx((moved.norm() / before.norm()).item(), rel=1e-3)
    assert result.tries == sum(r.what == "search" for r in reports)
    kinds = {"diagonal": ["gradient", "curvature", "search"], "cg": ["gradient", "curvature", "solve", "search"]}
    assert list(dict.fromkeys(r.what for r in reports)) == kinds[solver]
    assert [(r.done, r.total) for r in reports[:3]] == [(1, 3), (2, 3), (3, 3)]
    assert (result.residual is None) == (solver == "diagonal")
    assert all(p.grad is None for p in model.parameters())


def test_the_next_larger_scale_would_have_cost_too_much():
    model, some = trained()
    start = [p.detach().clone() for p in model.parameters()]
    _, result = finish(influence_step(model, some, some, solver="diagonal", **SETTINGS))
    with torch.no_grad():
        for p, old in zip(model.parameters(), start, strict=True):
            p.add_(p - old)
    assert nll(model, some, forget=False) - result.retain_before > 0.05


def test_more_rise_allowed_is_more_forgotten():
    ends = []
    for rise in (0.001, 0.3):
        model, some = trained()
        _, result = finish(influence_step(model, some, some, solver="diagonal", **{**SETTINGS, "retain_rise": rise}))
        ends.append((result.scale, result.forget_after))
    assert ends[0][0] < ends[1][0] and ends[0][1] < ends[1][1]


def test_conjugate_gradient_solves_with_the_damped_matrix_and_more_iterations_leave_less():
    left = []
    for iterations in (2, 30):
        model, some = trained()
        _, result = finish(
            influence_step(model, some, some, solver="cg", **{**SETTINGS, "iterations": iterations, "damping": 10.0})
        )
        left.append(result.residual)
    assert left[1] < 0.1 * left[0]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_products_over_batches_are_the_mean_over_all_answer_tokens(arch):
    # v'Gv from a difference of the logits: 1/N sum of the variance of (J v) under p, over 2 and 18 tokens.
    model = tiny_model(arch)
    uneven = [example_batch(2), example_batch(18)]
    rows = _Rows(model, CPU, None)
    torch.manual_seed(0)
    v = [torch.randn_like(p) for p in rows.parameters]
    found = sum((a * b).sum().item() for a, b in zip(rows.product(uneven, v), v, strict=True))

    def logits(distance):
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            torch._foreach_add_(rows.parameters, v, alpha=distance)
            out = [model(b.input_ids_BT, attention_mask=b.attention_mask_BT).logits for b in uneven]
            torch._foreach_sub_(rows.parameters, v, alpha=distance)
        return torch.cat([answer_logits(x, b.labels_BT)[0] for x, b in zip(out, uneven, strict=True)]).double()

    jv, p = (logits(1e-4) - logits(-1e-4)) / 2e-4, logits(0.0).softmax(-1)
    assert len(p) == 20
    expected = ((p * jv**2).sum(-1) - (p * jv).sum(-1) ** 2).mean().item()
    assert found == pytest.approx(expected, rel=5e-3)


def test_gradient_and_diagonal_over_batches_are_the_mean_over_all_answer_tokens(monkeypatch):
    model = tiny_model("llama")
    rows, uneven = _Rows(model, CPU, None), [example_batch(2), example_batch(18)]
    _, gradient = finish(rows.gradient(uneven))
    total = sum(likelihoods_of(model, b, device=CPU, autocast_dtype=None).nll_B.sum() for b in uneven) / 20
    torch.testing.assert_close(gradient, list(torch.autograd.grad(total, rows.parameters)))

    def as_many_as_tokens(logits, parameters, **_):
        return [torch.full_like(p, float(len(logits))) for p in parameters]

    monkeypatch.setattr("soul_core.engine.one_shot.gnb_curvature", as_many_as_tokens)
    _, diagonal = finish(rows.diagonal(uneven, 0))
    assert all(x.eq(x.new_tensor((2 * 2 + 18 * 18) / 20)).all() for x in diagonal)


def test_damping_is_a_share_of_the_mean_of_the_diagonal(monkeypatch):
    # Curvature 2 everywhere and damping 1/2: the direction is g / (2 + 1/2 * 2).
    monkeypatch.setattr(
        "soul_core.engine.one_shot.gnb_curvature",
        lambda logits, parameters, **_: [torch.full_like(p, 2.0) for p in parameters],
    )
    model, some = trained()
    _, gradient = finish(_Rows(model, CPU, None).gradient([b.rows(b.is_forget_B) for b in some]))
    _, result = finish(influence_step(model, some, some, solver="diagonal", **{**SETTINGS, "damping": 0.5}))
    norm = torch.cat([g.flatten() for g in gradient]).norm().item()
    assert result.update_norm / result.scale == pytest.approx(norm / 3, rel=1e-5)


@pytest.mark.parametrize("solver", ["diagonal", "cg"])
def test_with_ever_more_damping_the_step_is_gradient_ascent_on_the_forget_rows(solver):
    model, some = trained()
    before = flat(model)
    _, gradient = finish(_Rows(model, CPU, None).gradient([b.rows(b.is_forget_B) for b in some]))
    finish(influence_step(model, some, some, solver=solver, **{**SETTINGS, "damping": 1e6}))
    moved, g = flat(model) - before, torch.cat([x.flatten() for x in gradient])
    assert torch.cosine_similarity(moved, g, dim=0) > 0.999


def test_the_same_seed_gives_the_same_bits_and_the_mode_is_restored():
    ends = []
    for noise in (1, 2):
        model, some = trained()
        model.train()
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        finish(influence_step(model, some, some, solver="diagonal", seed=5, **SETTINGS))
        assert model.training and torch.equal(torch.get_rng_state(), state)
        ends.append(flat(model))
    assert torch.equal(*ends)


def test_bf16_weights_move_too():
    model, some = trained()
    model.bfloat16()
    _, result = finish(influence_step(model, some, some, solver="cg", **SETTINGS))
    assert all(p.dtype == torch.bfloat16 for p in model.parameters())
    assert result.forget_after - result.forget_before > 0.05 >= result.retain_after - result.retain_before


def test_only_what_is_trained_moves():
    model, some = trained()
    for name, p in model.named_parameters():
        p.requires_grad_("layers.1" in name)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    finish(influence_step(model, some, some, solver="diagonal", **SETTINGS))
    assert {name for name, p in model.named_parameters() if not torch.equal(p, before[name])} == {
        name for name in before if "layers.1" in name
    }


@pytest.mark.parametrize("until", ["gradient", "search"])
def test_closing_the_iterator_gives_the_weights_back(until):
    model, some = trained()
    model.train()
    before = flat(model)
    reports = influence_step(model, some, some, solver="diagonal", **SETTINGS)
    while next(reports).what != until:
        pass
    reports.close()
    assert torch.equal(flat(model), before) and model.training


def test_where_no_step_keeps_the_retain_rows_the_weights_stay(monkeypatch):
    monkeypatch.setattr("soul_core.engine.one_shot.TRIES", 1)
    model, some = trained()
    before = flat(model)
    _, result = finish(influence_step(model, some, some, solver="diagonal", **SETTINGS))
    assert result.scale == result.update_norm == 0.0
    assert torch.equal(flat(model), before) and result.forget_after == result.forget_before


def test_rows_of_both_kinds_are_needed_and_damping_above_0():
    model, some = tiny_model("llama"), batches(1)
    forget_only = [batch.rows(batch.is_forget_B) for batch in some]
    with pytest.raises(RunError, match="needs retain rows with answers, but there are none"):
        finish(influence_step(model, some, forget_only, solver="diagonal", **SETTINGS))
    with pytest.raises(ValueError, match="damping must be above 0"):
        finish(influence_step(model, some, some, solver="diagonal", **{**SETTINGS, "damping": 0.0}))

"""Memory that runs out in the middle of a run, played by a model that refuses more than so many rows."""

import copy
import gc
import weakref

import pytest
import torch
from fake_peers import in_threads

from soul_core.engine import shares
from soul_core.engine.room import NoRoom, in_room, out_of_memory
from soul_core.engine.step import Parts
from soul_core.models.world import ALONE
from soul_core.optim import build_optimizer
from tests.engine.test_loop import OPTIMIZERS, batches, flat, run
from tests.tiny import tiny_model

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
]


class Small:
    """Lets a model forward at most so many rows from a certain forward on, and counts forwards."""

    def __init__(self, model, most, *, after=0, error=ERRORS[0], with_graph=False):
        self.most, self.after, self.error, self.with_graph, self.calls = most, after, error, with_graph, 0
        model.register_forward_pre_hook(self._check, with_kwargs=True)

    def _check(self, module, args, kwargs):
        self.calls += 1
        if self.with_graph and not torch.is_grad_enabled():
            return
        if self.calls > self.after and len(kwargs["input_ids"]) > self.most:
            raise self.error


def ends(name, some, model=None, *, optimizer=None, **settings):
    """Weights and optimizer state after a run."""
    model = model or tiny_model("llama")
    optimizer = optimizer or build_optimizer(model, OPTIMIZERS[name])
    list(run(model, OPTIMIZERS[name], some, optimizer=optimizer, **settings))
    return [flat(model), *(value for state in optimizer.state.values() for value in state.values())]


def same(one, other):
    return len(one) == len(other) and all(
        torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "error"), [("adamw", error) for error in ERRORS] + [(name, ERRORS[0]) for name in ("gnb", "hutchinson")]
)
def test_a_run_whose_first_step_does_not_fit_is_the_run_that_began_with_fewer_rows(name, error):
    # Curvature comes first where there is any, and there it is noticed: 4 rows, then 2, then 1.
    told, model = [], tiny_model("llama")
    Small(model, 1, error=error)
    found = ends(name, batches(3), model, on_shrink=lambda step, rows: told.append((step, rows)))
    assert told == [(1, 2), (1, 1)]
    assert same(found, ends(name, batches(3), micro_batch=1))
    assert not same(found, ends(name, batches(3)))  # rounding tells them apart


@pytest.mark.parametrize("name", ["adamw", "gnb", "squared-gradient", "hutchinson"])
def test_in_the_middle_of_a_run_the_steps_before_stay_whole_and_those_after_are_small(name):
    model, told, four = tiny_model("llama"), [], batches(4)
    small = Small(model, 2)
    small.most = 4
    optimizer = build_optimizer(model, OPTIMIZERS[name])
    for report in run(
        model, OPTIMIZERS[name], four, optimizer=optimizer, on_shrink=lambda step, rows: told.append((step, rows))
    ):
        if report.step == 2:
            small.most = 2
    assert told == [(3, 2)]
    found = [flat(model), *(value for state in optimizer.state.values() for value in state.values())]

    twin = tiny_model("llama")
    optimizer = build_optimizer(twin, OPTIMIZERS[name])
    ends(name, four[:2], twin, optimizer=optimizer)
    assert same(found, ends(name, four[2:], twin, optimizer=optimizer, first_step=3, micro_batch=2))


@pytest.mark.parametrize("name", ["gnb", "hutchinson"])
def test_a_gradient_that_does_not_fit_after_curvature_has_is_repeated_without_folding_curvature_in_again(name):
    # Every step's curvature is forwarded whole, its gradient is not: h is as if nothing had happened.
    model, told = tiny_model("llama"), []
    config = OPTIMIZERS[name].but(curvature_every=1)
    small, optimizer = Small(model, 2), build_optimizer(model, config)
    folded, real = [], optimizer.update_curvature
    optimizer.update_curvature = lambda estimates, *, factor: folded.append(real(estimates, factor=factor))
    small.after = 1  # the first forward is the curvature's
    list(run(model, config, batches(1), optimizer=optimizer, on_shrink=lambda *at: told.append(at)))
    assert told == [(1, 2)] and len(folded) == 1

    twin = tiny_model("llama")
    other = build_optimizer(twin, config)
    list(run(twin, config, batches(1), optimizer=other))
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(optimizer.state[p]["h"], other.state[q]["h"])
        torch.testing.assert_close(optimizer.state[p]["m"], other.state[q]["m"])


@pytest.mark.parametrize("after", [0, 2])
def test_with_accumulation_the_whole_group_is_repeated_so_that_no_batch_counts_twice(after):
    model, told = tiny_model("llama"), []
    Small(model, 2, after=after)
    found = ends("adamw", batches(4)[:4], model, accumulation=4, on_shrink=lambda *at: told.append(at))
    assert told == [(1, 2)]
    assert same(found, ends("adamw", batches(4), accumulation=4, micro_batch=2))


def test_a_backward_that_does_not_fit_leaves_nothing_of_its_gradient():
    model, told, calls = tiny_model("llama"), [], []

    def fail(grad):
        calls.append(len(grad))
        if len(grad) > 2:
            raise MemoryError

    def watch(module, args, out):
        # By the time its gradient comes, that of the layers above is in .grad.
        if out.requires_grad:
            out.register_hook(fail)

    model.model.layers[0].register_forward_hook(watch)
    found = ends("adamw", batches(2), model, on_shrink=lambda *at: told.append(at))
    assert told == [(1, 2)] and calls[0] == 4
    assert same(found, ends("adamw", batches(2), micro_batch=2))


def test_a_first_pass_without_a_graph_may_fit_where_the_second_does_not():
    model, told = tiny_model("llama"), []
    Small(model, 1, with_graph=True)
    found = ends("gnb", batches(2), model, micro_batch=2, on_shrink=lambda *at: told.append(at))
    assert told == [(1, 1)] and same(found, ends("gnb", batches(2), micro_batch=1))


@pytest.mark.parametrize(("name", "error"), [("adamw", ERRORS[1]), ("gnb", ERRORS[0]), ("hutchinson", ERRORS[2])])
def test_a_single_row_that_does_not_fit_ends_the_run_with_the_error_and_the_weights_as_they_were(name, error):
    model, told = tiny_model("llama"), []
    before, optimizer = flat(model), build_optimizer(model, OPTIMIZERS[name])
    Small(model, 0, error=error)
    with pytest.raises(type(error)) as caught:
        ends(name, batches(1), model, optimizer=optimizer, on_shrink=lambda *at: told.append(at))
    assert caught.value is error and told == [(1, 2), (1, 1)]
    assert torch.equal(flat(model), before) and not optimizer.state
    assert all(p.grad is None for p in model.parameters())


def test_five_rows_become_three_then_two_then_one():
    model, told = tiny_model("llama"), []
    some = [batches(2)[0].rows(torch.tensor([0, 1, 2, 3, 3]))]
    Small(model, 1)
    ends("adamw", some, model, on_shrink=lambda step, rows: told.append(rows))
    assert told == [3, 2, 1]


def test_other_errors_are_not_mistaken_for_a_lack_of_memory():
    model = tiny_model("llama")
    Small(model, 0, error=RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        ends("adamw", batches(1), model)
    assert [out_of_memory(error) for error in ERRORS] == [True] * 3
    assert not out_of_memory(RuntimeError("no")) and not out_of_memory(ValueError("memory"))


def test_nothing_of_what_did_not_fit_is_held_on_to():
    held = []

    def work():
        big = torch.zeros(3)
        held.append(weakref.ref(big))
        raise MemoryError

    gc.disable()
    try:
        with pytest.raises(NoRoom) as caught:
            in_room(work, ALONE, rows=4)
        assert held[0]() is None and caught.value.rows == 4
    finally:
        gc.enable()


def test_when_one_process_has_no_room_all_of_them_go_on_with_fewer_rows():
    def runs(most_of_rank_1, **settings):
        models = [copy.deepcopy(tiny_model("llama")) for _ in range(2)]
        if most_of_rank_1:
            Small(models[1], most_of_rank_1)

        def one(peer):
            told = []
            found = ends(
                "gnb", batches(2), models[peer.rank], peers=peer, on_shrink=lambda *at: told.append(at), **settings
            )
            return told, found

        return in_threads(2, one)

    (told, first), (told_too, second) = runs(1)
    assert told == told_too == [(1, 1)]
    (_, expected), _ = runs(0, micro_batch=1)
    assert same(first, second) and same(first, expected)


def test_values_of_all_shares_that_do_not_fit_beside_one_anothers_graph_are_put_together_from_smaller_shares(
    monkeypatch,
):
    told, real = [], shares._each

    def each(function, *values):
        if len(values) == 2:
            raise MemoryError
        return real(function, *values)

    monkeypatch.setattr(shares, "_each", each)
    found = ends("adamw", batches(1), micro_batch=2, on_shrink=lambda *at: told.append(at))
    assert told == [(1, 1)] and same(found, ends("adamw", batches(1), micro_batch=1))


def test_a_part_that_counts_pairs_once_shrinks_all_the_same_and_ends():
    # A share of 4 pairs has 8 rows, of which half are 4 again: without an end it would be tried for ever.
    told, optimizer = [], torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    parts = Parts(
        shares=None, losses_of=None, optimizer=optimizer, seed=0, most=4, on_shrink=lambda _, rows: told.append(rows)
    )

    def part(most):
        raise NoRoom(MemoryError(), 2 * most)

    with pytest.raises(MemoryError):
        parts._within_room(1, part)
    assert told == [3, 2, 1]

"""A batch forwarded in shares, by one process or several, as if it had been forwarded whole. It knows no optimizer.

Every objective is a function of the whole batch's likelihoods f(v). The gradient is the sum over shares s of
``f'_s(v) dv_s``, so each share is differentiated with all the others' values beside it as constants: no objective has
to be a mean over rows for that.

Shape suffixes: N = answer tokens of the batch, row by row; n = those of a share.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from soul_core.data.batches import IGNORED, Batch
from soul_core.engine.forward import AnswerValues, Reference, answer_values, forward, likelihoods_from
from soul_core.engine.head import Score, is_plain, output_head, too_many
from soul_core.engine.peers import Peers
from soul_core.engine.room import in_room
from soul_core.errors import RunError
from soul_core.objectives import Likelihoods, Losses
from soul_core.objectives.likelihoods import given
from soul_core.optim.curvature import CurvaturePlan, drawn_nll


@dataclass(frozen=True, slots=True)
class Share:
    """Rows that are forwarded together.

    Attributes:
        batch: The rows; row 0 of the batch for a share without any, since a model that is spread over processes is
            forwarded by all of them or none.
        at_n: Where their answer tokens stand among the batch's; none for a share without rows.
    """

    batch: Batch
    at_n: Tensor


def cut(batch: Batch, *, most: int, size: int, whole_pairs: bool = False) -> list[list[Share]]:
    """Each process's shares of a batch, as many for one as for the other.

    Process r takes rows r, r + size, …, so that each has forget and retain rows, long and short ones.

    Args:
        batch: At least one row.
        most: So many rows in a share at most; 0 for all that a process has.
        size: How many processes there are.
        whole_pairs: Keep the two answers of a pair in one share, and count them as one.
    """
    units = _units(batch, whole_pairs=whole_pairs)
    owned = [units[rank::size] for rank in range(size)]
    parts = -(-len(owned[0]) // most) if most else 1
    if size == parts == 1:
        return [[Share(batch, torch.arange(int(_answers(batch).sum())))]]
    row_N = _answers(batch).nonzero()[:, 0]
    return [
        [_share(batch, row_N, own[len(own) * k // parts : len(own) * (k + 1) // parts]) for k in range(parts)]
        for own in owned
    ]


def rows_at_a_time(shares: list[list[Share]]) -> int:
    """Rows of the largest share."""
    return max(len(share.batch.row_B) for own in shares for share in own)


def _units(batch: Batch, *, whole_pairs: bool) -> list[list[int]]:
    if batch.is_preferred_B is None or not whole_pairs:
        return [[row] for row in range(len(batch.row_B))]
    units: dict[tuple[bool, int], list[int]] = {}
    for row, (forget, pair) in enumerate(zip(batch.is_forget_B.tolist(), batch.row_B.tolist(), strict=True)):
        units.setdefault((forget, pair if forget else row), []).append(row)
    return list(units.values())


def _share(batch: Batch, row_N: Tensor, units: list[list[int]]) -> Share:
    rows = torch.tensor(sorted(row for unit in units for row in unit) or [0])
    at_n = torch.isin(row_N, rows).nonzero()[:, 0] if units else row_N.new_empty(0)
    return Share(batch.rows(rows), at_n)


def _answers(batch: Batch) -> Tensor:
    return batch.labels_BT[:, 1:] != IGNORED


@dataclass(slots=True, kw_only=True)
class Shares:
    """How shares are forwarded and put together.

    Attributes:
        model: See ``unlearn``, as for the next four.
        device: Where it is.
        autocast_dtype: Arithmetic of the forward.
        reference: What is wanted of the original.
        peers: Who else forwards rows.
        own_logits: Whether the model's own logits are wanted, and so have to be put together too.
        plain: Whether nothing happens to the model's logits behind its head; None until it matters.
    """

    model: nn.Module
    device: torch.device
    autocast_dtype: torch.dtype | None
    reference: Reference
    peers: Peers
    own_logits: bool
    plain: bool | None = None

    def differentiate(
        self,
        batch: Batch,
        losses_of: Callable[[Likelihoods], Losses],
        backward: Callable[[Tensor], None],
        *,
        most: int,
        seed_of: Callable[[int], int],
        whole_pairs: bool = False,
    ) -> Tensor:
        """Call ``backward`` with the loss of the whole batch, once for each share of this process.

        Only that share is attached to the graph, so the gradients add up, over shares and processes, to that of
        the loss. A process with one share forwards it once. With more, all but the last are forwarded once more
        before, for their values alone: a third of the work again, since a backward costs two forwards. Values of
        single tokens are put together only where the objective reads them; logits then take their whole room.

        Args:
            batch: The whole, in every process.
            losses_of: The objective.
            backward: Differentiates.
            most: See ``cut``, as for ``whole_pairs``.
            seed_of: Seeds the random numbers of a share's forward by its number, the same in both forwards.
            whole_pairs: For a second derivative: that of two shares by each other is left out, which is 0 where the
                loss is a sum over rows or pairs.

        Returns:
            Forget, retain and total loss of the whole batch, (3,); the same in every process.

        Raises:
            NoRoom: See ``in_room``.
        """
        shares = cut(batch, most=most, size=self.peers.size, whole_pairs=whole_pairs)
        own, rows = shares[self.peers.rank], rows_at_a_time(shares)
        single = len(own) == self.peers.size == 1
        head = None if self.own_logits else self._plain_head(batch)

        def values_of(index: int, *, again: bool = False) -> AnswerValues:
            torch.manual_seed(seed_of(index))
            return self._values(own[index], head, again=again)

        def known() -> tuple[list[AnswerValues], list[AnswerValues]]:
            with torch.no_grad():
                early = [values_of(index) for index in range(len(own) - 1)]
            return early, [values_of(len(own) - 1)]

        early, attached = in_room(known, self.peers, rows=rows)
        whole = None if single else self._put_together(shares, early, attached)
        early.clear()

        def differentiated() -> Tensor:
            found = None
            for index in (len(own) - 1, *range(len(own) - 1)):
                # Popped, so that its graph is gone when the next one is made.
                values = attached.pop() if attached else values_of(index, again=True)
                if whole is not None:
                    values = _placed(whole, values, own[index].at_n.to(self.device))
                losses = losses_of(likelihoods_from(batch, values, self.reference))
                found = torch.stack([losses.forget, losses.retain, losses.total]).detach()
                del values
                backward(losses.total)
                del losses
            return given(found, "a share", to="a step")

        return in_room(differentiated, self.peers, rows=rows)

    def differentiate_drawn(
        self,
        batch: Batch,
        plan: CurvaturePlan,
        *,
        most: int,
        generator: torch.Generator,
        seed_of: Callable[[int], int],
    ) -> int:
        """Backward of the mean NLL of labels drawn from the model's own distribution, see ``drawn_nll``.

        Args:
            batch: The whole, in every process.
            plan: Which rows count.
            most: See ``cut``.
            generator: On the CPU. A number is drawn for each place of the batch, whoever forwards it.
            seed_of: As in ``differentiate``.

        Returns:
            How many answer tokens the mean is over.

        Raises:
            RunError: The batch has no rows of that kind.
            NoRoom: See ``in_room``.
        """
        forget_B = batch.is_forget_B
        chosen_B = {"batch": torch.ones_like(forget_B), "forget": forget_B, "retain": ~forget_B}[plan.rows]
        if not chosen_B.any():
            raise RunError(
                f"Curvature is to be estimated on {plan.rows} rows, but the batch has none. Choose “batch”."
            )
        uniform_BT = torch.rand(batch.labels_BT.shape, generator=generator, dtype=torch.float64)[chosen_B, 1:]
        batch = batch.rows(chosen_B)
        uniform_N = uniform_BT[_answers(batch)]
        if not len(uniform_N):
            raise ValueError("curvature needs at least one answer token, got none")
        shares, head = cut(batch, most=most, size=self.peers.size), self._plain_head(batch)

        def differentiated() -> None:
            for index, share in enumerate(shares[self.peers.rank]):
                torch.manual_seed(seed_of(index))
                count = len(share.at_n)
                uniform_n = torch.zeros(int(_answers(share.batch).sum()), dtype=torch.float64)
                uniform_n[:count] = uniform_N[share.at_n]
                uniform_n = uniform_n.to(self.device)
                out = forward(
                    self.model,
                    share.batch,
                    device=self.device,
                    autocast_dtype=self.autocast_dtype,
                    score=_drawn_with(uniform_n),
                    plain_head=head,
                )
                score_n = given(out.score_N, "score_N", to="curvature")
                (score_n[:count].sum() / len(uniform_N)).backward()

        in_room(differentiated, self.peers, rows=rows_at_a_time(shares))
        return len(uniform_N)

    def _values(self, share: Share, plain_head: nn.Module | None, *, again: bool) -> AnswerValues:
        values = answer_values(
            self.model,
            share.batch,
            device=self.device,
            autocast_dtype=self.autocast_dtype,
            reference=replace(self.reference, model=None) if again else self.reference,
            own_logits=self.own_logits,
            plain_head=plain_head,
        )
        # A share without rows counts for nothing, and yet its backward runs with the others'.
        return _each(lambda value: value[: len(share.at_n)], values)

    def _plain_head(self, batch: Batch) -> nn.Module | None:
        # Asked of the whole batch: finding out is a forward, which is every process's or none's.
        if not too_many(self.model, batch.answer_tokens):
            return None
        if self.plain is None:
            self.plain = is_plain(self.model, self.device)
        return output_head(self.model) if self.plain else None

    def _put_together(
        self, shares: list[list[Share]], early: list[AnswerValues], attached: list[AnswerValues]
    ) -> AnswerValues:
        """Every process's values, detached, in the order of the batch."""
        order_N = torch.cat([share.at_n for own in shares for share in own]).argsort().to(self.device)

        def whole(*parts: Tensor) -> Tensor:
            return torch.cat(self.peers.gathered(torch.cat(parts).detach())).index_select(0, order_N)

        if self.peers.size > 1:
            return _each(whole, *early, *attached)
        return in_room(lambda: _each(whole, *early, *attached), self.peers, rows=rows_at_a_time(shares))


def _drawn_with(uniform_n: Tensor) -> Score:
    return lambda logits_nV, part: drawn_nll(logits_nV, uniform_n[part])


def _placed(whole: AnswerValues, own: AnswerValues, at_n: Tensor) -> AnswerValues:
    """The whole batch's values with a share's own, which are attached to its graph, in their places."""

    def put(all_N: Tensor | None, own_n: Tensor | None) -> Tensor | None:
        return None if all_N is None or own_n is None else all_N.index_copy(0, at_n, own_n)

    return replace(
        whole,
        nll_N=whole.nll_N.index_copy(0, at_n, own.nll_N),
        logits_NV=put(whole.logits_NV, own.logits_NV),
        hidden_NH=put(whole.hidden_NH, own.hidden_NH),
    )


def _each(function: Callable[..., Tensor], *values: AnswerValues) -> AnswerValues:
    """The function of each field that is there."""
    found: dict[str, Any] = {}
    for field in fields(AnswerValues):
        parts = [getattr(value, field.name) for value in values]
        found[field.name] = None if parts[0] is None else function(*parts)
    return AnswerValues(**found)

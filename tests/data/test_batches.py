"""An epoch's batches: who is in them, how often, in which order, and that padding carries nothing."""

from collections import Counter

import pytest
import torch

from soul_core.data.batches import IGNORED, Batch, collate, epoch_batches
from soul_core.data.prompts import Example

PAD = 7


def example(length: int, *, prompt: int = 2, mark: int = 0) -> Example:
    return Example(tuple(mark * 100 + t + 1 for t in range(length)), prompt)


def examples(count: int) -> list[Example]:
    """Lengths 4 to 33, in no order."""
    return [example(4 + (i * 17) % 30, mark=i) for i in range(count)]


def rows(batches: list[Batch], *, forget: bool) -> list[int]:
    return [row for b in batches for row in b.row_B[b.is_forget_B == forget].tolist()]


def epoch(forget: int, retain: int, *, epoch: int = 0, seed: int = 0, batch_size: int = 8) -> list[Batch]:
    return epoch_batches(examples(forget), examples(retain), batch_size=batch_size, seed=seed, epoch=epoch, pad_id=PAD)


def test_collate_by_hand():
    batch = collate([Example((5, 6, 8), 1), Example((5, 9), 1)], [True, False], [3, 4], pad_id=PAD)
    assert batch.input_ids_BT.tolist() == [[5, 6, 8], [5, 9, PAD]]
    assert batch.attention_mask_BT.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch.labels_BT.tolist() == [[IGNORED, 6, 8], [IGNORED, 9, IGNORED]]
    assert batch.is_forget_B.tolist() == [True, False]
    assert batch.row_B.tolist() == [3, 4]
    assert batch.answer_tokens == 3


def test_an_end_of_sequence_that_is_also_the_padding_token_stays_visible_and_labelled():
    # A mask made by `ids != pad` would hide the real end of the first row.
    batch = collate([Example((5, 6, PAD), 1), Example((5, 9, 8, PAD), 1)], [True, True], [0, 1], pad_id=PAD)
    assert batch.attention_mask_BT.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch.labels_BT.tolist() == [[IGNORED, 6, PAD, IGNORED], [IGNORED, 9, 8, PAD]]


def test_padding_and_prompt_are_never_labelled_and_every_answer_token_is():
    for batch in epoch(20, 30):
        lengths = batch.attention_mask_BT.sum(1)
        place = torch.arange(batch.input_ids_BT.shape[1])[None, :]
        answer = (place >= 2) & (place < lengths[:, None])
        assert torch.equal(batch.labels_BT != IGNORED, answer)
        assert torch.equal(batch.labels_BT[answer], batch.input_ids_BT[answer])


@pytest.mark.parametrize(("forget", "retain", "size"), [(20, 60, 8), (3, 60, 8), (20, 5, 8), (1, 1, 1), (64, 64, 64)])
def test_every_forget_row_is_there_exactly_once_joined_by_as_many_retain_rows(forget: int, retain: int, size: int):
    batches = epoch(forget, retain, batch_size=size)
    assert sorted(rows(batches, forget=True)) == list(range(forget))
    for batch in batches:
        assert int(batch.is_forget_B.sum()) * 2 == len(batch.row_B)
        assert int(batch.is_forget_B.sum()) <= size
    assert len(batches) == -(-forget // size)


def test_flags_and_row_numbers_name_the_very_rows_in_the_batch():
    f, r = examples(20), [example(5, mark=100 + i) for i in range(40)]
    for batch in epoch_batches(f, r, batch_size=8, seed=1, epoch=2, pad_id=PAD):
        for ids, mask, flag, row in zip(
            batch.input_ids_BT, batch.attention_mask_BT, batch.is_forget_B, batch.row_B, strict=True
        ):
            assert tuple(ids[mask == 1].tolist()) == (f if flag else r)[int(row)].input_ids


def test_retain_rows_do_not_repeat_across_epochs_before_all_were_used():
    # 20 of 60 a time: three epochs use each row once, six twice.
    used = Counter(row for k in range(3) for row in rows(epoch(20, 60, epoch=k), forget=False))
    assert set(used.values()) == {1} and len(used) == 60
    used.update(row for k in range(3, 6) for row in rows(epoch(20, 60, epoch=k), forget=False))
    assert set(used.values()) == {2}


def test_a_retain_set_that_does_not_divide_evenly_is_used_evenly_all_the_same():
    # 5 epochs of 20 draws from 7 rows: 100 draws, 14 full laps and 2 more.
    used = Counter(row for k in range(5) for row in rows(epoch(20, 7, epoch=k), forget=False))
    assert sorted(used.values()) == [14] * 5 + [15] * 2


def test_without_retain_rows_the_batches_hold_forget_rows_only():
    batches = epoch(10, 0)
    assert all(batch.is_forget_B.all() for batch in batches)
    assert sorted(rows(batches, forget=True)) == list(range(10))


def same(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a.input_ids_BT, b.input_ids_BT) and torch.equal(a.row_B, b.row_B)
        for a, b in zip(first, second, strict=True)
    )


def test_an_epoch_is_a_function_of_seed_and_number_alone():
    straight = [epoch(20, 60, epoch=k, seed=5) for k in range(3)]
    torch.manual_seed(123)
    assert same(epoch(20, 60, epoch=2, seed=5), straight[2])
    assert not same(straight[0], straight[1])
    assert not same(epoch(20, 60, epoch=0, seed=6), straight[0])


def test_the_rows_that_share_a_batch_change_from_epoch_to_epoch():
    def groups(k: int) -> set[frozenset[int]]:
        return {frozenset(b.row_B[b.is_forget_B].tolist()) for b in epoch(120, 0, epoch=k)}

    assert len(groups(0) & groups(1)) <= 1


def test_bucketing_saves_most_of_the_padding():
    def padding(batches: list[Batch]) -> float:
        tokens = sum(int(b.attention_mask_BT.sum()) for b in batches)
        return 1 - tokens / sum(b.attention_mask_BT.numel() for b in batches)

    forget, retain = examples(120), examples(600)
    unsorted = [
        collate([*forget[i : i + 8], *retain[i : i + 8]], [True] * 8 + [False] * 8, [*range(16)], pad_id=PAD)
        for i in range(0, 120, 8)
    ]
    assert padding(unsorted) > 0.4
    assert padding(epoch(120, 600)) < 0.15


def test_moving_a_batch_moves_all_of_it():
    batch = epoch(4, 4)[0].to("meta")
    tensors = (batch.input_ids_BT, batch.attention_mask_BT, batch.labels_BT, batch.is_forget_B, batch.row_B)
    assert {t.device.type for t in tensors} == {"meta"}


def test_impossible_epochs_are_refused():
    for forget, size, number in ((0, 8, 0), (4, 0, 0), (4, 8, -1)):
        with pytest.raises(ValueError, match="cannot batch"):
            epoch(forget, 4, batch_size=size, epoch=number)
    with pytest.raises(ValueError, match="do not make a batch"):
        collate([example(4)], [True, False], [0], pad_id=PAD)

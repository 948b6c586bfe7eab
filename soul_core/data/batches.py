"""Examples to padded batches and the seeded order of an epoch; it knows no tokenizer, no model and no loss.

Shape suffixes: B = rows of the batch, T = tokens.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from soul_core.data.prompts import Example

IGNORED = -100
# Rows are sorted by length within windows of this many batches: wide enough that little is padded, narrow enough
# that which rows meet in a batch changes from epoch to epoch.
_WINDOW = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Forget and retain rows of one forward, padded on the right.

    Attributes:
        input_ids_BT: Token ids.
        attention_mask_BT: 1 on the row's own tokens, 0 on padding.
        labels_BT: The row's token at answer positions, -100 on prompt and padding; not shifted, so the label at t
            is predicted by the logits at t - 1.
        is_forget_B: True for forget rows.
        row_B: Index of the row in its own set.
        is_preferred_B: True for a forget row that carries the preferred answer of a pair; the other answer is in
            another row of the batch with the same ``row_B``. None where there are no pairs.
    """

    input_ids_BT: Tensor
    attention_mask_BT: Tensor
    labels_BT: Tensor
    is_forget_B: Tensor
    row_B: Tensor
    is_preferred_B: Tensor | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(
            self.input_ids_BT.to(device),
            self.attention_mask_BT.to(device),
            self.labels_BT.to(device),
            self.is_forget_B.to(device),
            self.row_B.to(device),
            None if self.is_preferred_B is None else self.is_preferred_B.to(device),
        )

    def rows(self, chosen_B: Tensor) -> "Batch":
        """The batch without the rows that are not chosen."""
        return Batch(
            self.input_ids_BT[chosen_B],
            self.attention_mask_BT[chosen_B],
            self.labels_BT[chosen_B],
            self.is_forget_B[chosen_B],
            self.row_B[chosen_B],
            None if self.is_preferred_B is None else self.is_preferred_B[chosen_B],
        )

    @property
    def answer_tokens(self) -> int:
        """How many tokens carry a label."""
        return int((self.labels_BT != IGNORED).sum())


def collate(
    examples: Sequence[Example],
    is_forget: Sequence[bool],
    rows: Sequence[int],
    *,
    pad_id: int,
    is_preferred: Sequence[bool] | None = None,
) -> Batch:
    """Pad examples on the right to the longest of them. The mask comes from lengths: ``pad_id`` may be any token."""
    if not len(examples) == len(is_forget) == len(rows) or not examples:
        raise ValueError(f"{len(examples)} examples, {len(is_forget)} flags and {len(rows)} rows do not make a batch")
    lengths = [len(example.input_ids) for example in examples]
    width = max(lengths)
    ids, mask, labels = [], [], []
    for example, length in zip(examples, lengths, strict=True):
        filler = width - length
        ids.append([*example.input_ids, *[pad_id] * filler])
        mask.append([1] * length + [0] * filler)
        answer = example.input_ids[example.prompt_length :]
        labels.append([IGNORED] * example.prompt_length + [*answer] + [IGNORED] * filler)
    return Batch(
        torch.tensor(ids, dtype=torch.long),
        torch.tensor(mask, dtype=torch.long),
        torch.tensor(labels, dtype=torch.long),
        torch.tensor(list(is_forget), dtype=torch.bool),
        torch.tensor(list(rows), dtype=torch.long),
        None if is_preferred is None else torch.tensor(list(is_preferred), dtype=torch.bool),
    )


def epoch_batches(
    forget: Sequence[Example],
    retain: Sequence[Example],
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    pad_id: int,
    preferred: Sequence[Example] | None = None,
) -> list[Batch]:
    """The batches of one epoch: every forget row once, each joined by one retain row.

    Retain rows are drawn without replacement across epochs: epoch ``k`` takes the next ``len(forget)`` rows of a
    seeded walk through all of retain, reshuffled each time it is used up. The result is a function of the arguments
    alone, so that a resumed run needs no random state.

    Args:
        forget: At least one row.
        retain: May be empty; then the batches hold forget rows only.
        batch_size: Forget rows per batch; as many retain rows join them.
        seed: Decides the order.
        epoch: Counted from 0 or 1, as the caller likes, but the same way on resume.
        pad_id: Any token.
        preferred: For each forget row the same question with the answer that is preferred to its own; it joins the
            batch of its row. Rows meet and follow each other as without pairs.
    """
    if preferred is not None and len(preferred) != len(forget):
        raise ValueError(f"{len(preferred)} preferred answers for {len(forget)} forget rows")
    if not forget or batch_size < 1 or epoch < 0:
        raise ValueError(f"cannot batch {len(forget)} forget rows by {batch_size} for epoch {epoch}")
    draw = random.Random(f"forget {seed} {epoch}")
    forget_rows = list(range(len(forget)))
    draw.shuffle(forget_rows)
    retain_rows = _walk(len(retain), epoch * len(forget), len(forget), seed)

    batches = []
    for start in range(0, len(forget), _WINDOW * batch_size):
        window = slice(start, start + _WINDOW * batch_size)
        chosen = sorted(forget_rows[window], key=lambda row: len(forget[row].input_ids))
        joined = sorted(retain_rows[window], key=lambda row: len(retain[row].input_ids))
        for part in _parts(len(chosen), batch_size, draw):
            f, r = chosen[part], joined[part]
            twins = [] if preferred is None else [preferred[row] for row in f]
            examples = [*(forget[row] for row in f), *twins, *(retain[row] for row in r)]
            flags = [True] * (len(f) + len(twins)) + [False] * len(r)
            marks = None if preferred is None else [False] * len(f) + [True] * len(f) + [False] * len(r)
            rows = [*f, *(f if twins else []), *r]
            batches.append(collate(examples, flags, rows, pad_id=pad_id, is_preferred=marks))
    draw.shuffle(batches)
    return batches


def _walk(size: int, start: int, count: int, seed: int) -> list[int]:
    """Rows ``start`` to ``start + count`` of an endless walk: one seeded permutation of all rows after the other."""
    if not size:
        return []
    rows: list[int] = []
    for lap in range(start // size, (start + count - 1) // size + 1):
        order = list(range(size))
        random.Random(f"retain {seed} {lap}").shuffle(order)
        rows += order
    offset = start % size
    return rows[offset : offset + count]


def _parts(count: int, size: int, draw: random.Random) -> list[slice]:
    """Split ``count`` sorted rows into parts of ``size``; the short part falls on short and long rows alike."""
    sizes = [size] * (count // size)
    if count % size:
        sizes.insert(draw.randrange(len(sizes) + 1), count % size)
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [slice(end - length, end) for end, length in zip(ends, sizes, strict=True)]

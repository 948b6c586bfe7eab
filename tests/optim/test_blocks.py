import torch

from soul_core.optim import blocks as blocks_module
from soul_core.optim.blocks import Scratch, blocks, split_like


def test_every_coordinate_is_in_one_block_and_no_block_is_too_large(monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", 10)
    tensors = [torch.arange(float(n)).view(shape) for n, shape in ((24, (4, 6)), (3, (3,)), (9, (3, 3)), (10, (10,)))]
    cut = [column for (column,) in blocks(tensors)]
    assert [sum(x.numel() for x in block) for block in cut] == [10, 10, 7, 9, 10]
    assert torch.equal(
        torch.cat([x.flatten() for block in cut for x in block]), torch.cat([x.flatten() for x in tensors])
    )


def test_writing_to_a_block_writes_to_its_tensor(monkeypatch):
    monkeypatch.setattr(blocks_module, "CPU_BLOCK", 4)
    written, read = [torch.zeros(3, 5), torch.zeros(2)], [torch.ones(5, 3).t(), torch.ones(2)]
    for targets, sources in blocks(written, read):
        torch._foreach_add_(targets, sources)
    assert all((x == 1).all() for x in written)


def test_gathered_values_split_back_into_the_tensors_shapes():
    tensors = [torch.arange(6.0).view(2, 3), torch.tensor([9.0])]
    flat = Scratch().gather(0, tensors)
    assert flat.tolist() == [0, 1, 2, 3, 4, 5, 9]
    assert all(torch.equal(x, y) for x, y in zip(split_like(flat, tensors), tensors, strict=True))


def test_scratch_memory_is_reused_and_the_sources_are_left_alone():
    scratch, source = Scratch(), torch.ones(4)
    first = scratch.gather(0, [source]).mul_(5)
    assert scratch.gather(0, [source[:2]]).data_ptr() == first.data_ptr()
    assert scratch.gather(1, [source]).data_ptr() != first.data_ptr()
    assert source.tolist() == [1, 1, 1, 1]


def test_scratch_memory_follows_the_tensors_type():
    scratch = Scratch()
    scratch.gather(0, [torch.ones(4)])
    assert scratch.gather(0, [torch.ones(4, dtype=torch.float64)]).dtype == torch.float64

import pytest
import torch

from soul_core.errors import RunError
from soul_core.models.loading import load_model
from soul_core.models.storage import save_model
from soul_core.session.body import AllWeights
from soul_core.session.recovery import Saved

CPU = torch.device("cpu")


def saved_in(folder) -> Saved:
    return Saved(folder=folder, epoch=1, final=False)


def test_weights_of_another_model_are_refused(tiny_model_folder):
    original = load_model(str(tiny_model_folder("llama")))
    with pytest.raises(RunError, match=r"The weights in .* are not of .*: .* differs. Put back"):
        AllWeights(original, dtype=torch.float32, device=CPU, saved=saved_in(tiny_model_folder("gpt2")))


def test_weights_that_were_written_are_gone_on_with(tiny_model_folder, tmp_path):
    original = load_model(str(tiny_model_folder("llama")))
    body = AllWeights(original, dtype=torch.float32, device=CPU)
    with torch.no_grad():
        next(iter(body.model.parameters())).add_(1.0)
    (tmp_path / "body").mkdir()
    body.writer(final=True)(tmp_path / "body")
    again = AllWeights(original, dtype=torch.float32, device=CPU, saved=saved_in(tmp_path / "body"))
    assert all(
        torch.equal(ours, theirs) and ours.requires_grad
        for ours, theirs in zip(again.model.parameters(), body.model.parameters(), strict=True)
    )
    # A checkpoint is what load_model reads, like any folder that save_model writes.
    save_model(body.model, original.tokenizer, tmp_path / "saved")
    assert {file.name for file in (tmp_path / "saved").iterdir()} == {
        file.name for file in (tmp_path / "body").iterdir()
    }

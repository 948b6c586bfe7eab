import pytest
from fixed_likelihoods import FORGET_MEAN, RETAIN_MEAN, batch, gradient

from soul_core.config import ObjectiveConfig
from soul_core.objectives import Criterion
from soul_core.objectives.relabel import only_watched, other_answer


def test_other_answers_are_learnt_not_unlearnt():
    likelihoods, nll = batch()
    loss = other_answer(likelihoods)
    assert loss.item() == FORGET_MEAN
    assert gradient(loss, nll) == [0.25, 0.25, 0.0, 0.0]


def test_fine_tuning_shows_the_forget_loss_and_learns_from_the_retain_rows_alone():
    likelihoods, nll = batch()
    assert not only_watched(likelihoods).requires_grad
    losses = Criterion(ObjectiveConfig(name="finetune", gamma=3.0))(likelihoods)
    assert (losses.forget.item(), losses.retain.item()) == (FORGET_MEAN, RETAIN_MEAN)
    assert gradient(losses.total, nll) == pytest.approx([0.0, 0.0, 0.5, 0.5])

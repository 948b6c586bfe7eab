"""Relearning: which rows, in which order, on copies, the same for every model."""

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from soul_core.data.schema import ForgetTask
from soul_core.errors import DatasetError, Diverged, ModelError
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel, load_model
from soul_core.probing import relearn as relearn_module
from soul_core.probing.relearn import Relearner, rate_for
from soul_core.probing.relearn_rows import relearn_rows
from soul_core.probing.results import Relearning, RelearnPoint
from soul_core.probing.settings import RelearnConfig
from tests.session.tiny_race import rows, tiny_task

CONFIG = RelearnConfig(rows=2, steps=3, every=2, lr=1e-3, batch_size=2, max_new_tokens=3)
CPU = torch.device("cpu")
real = relearn_module.copy_of


@pytest.fixture(scope="module")
def model(tiny_model_folder: Callable[..., Path]) -> LoadedModel:
    return load_model(str(tiny_model_folder()))


def relearned(
    models: dict[str, Any], config: RelearnConfig = CONFIG, task: ForgetTask | None = None, **settings: Any
) -> tuple[list[RelearnPoint], list[Progress], Relearning]:
    loaders = {name: loaded if callable(loaded) else (lambda of=loaded: of) for name, loaded in models.items()}
    work = Relearner(loaders, relearn_rows(task or tiny_task(), config), config, device=CPU, **settings)
    yielded = list(work.run())
    points = [each for each in yielded if isinstance(each, RelearnPoint)]
    assert points == list(work.found.points)
    return points, [each for each in yielded if isinstance(each, Progress)], work.found


def test_what_is_trained_on_is_never_asked_and_the_seed_decides():
    task = tiny_task(forget=rows(12, "Mara"), eval_sets={"forget": rows(12, "Mara")})
    for seed in range(3):
        chosen = relearn_rows(task, RelearnConfig(rows=4, asked=5, seed=seed))
        assert len(chosen.trained) == 4 and len(chosen.asked) == 5
        assert not {row.question for row in chosen.trained} & {row.question for row in chosen.asked}
        assert {row.question for row in chosen.again} == {row.question for row in chosen.trained}
        assert chosen.notes == ()
    assert relearn_rows(task, RelearnConfig(rows=4, seed=0)) != relearn_rows(task, RelearnConfig(rows=4, seed=1))


def test_a_fact_asked_in_another_training_wording_counts_as_trained_on():
    row = replace(rows(1, "Mara")[0], question_variants=("Mara 0's birthplace?",))
    asked = (replace(row, question="Mara 0's birthplace?"), rows(2, "Mara")[1])
    chosen = relearn_rows(tiny_task(forget=(row, row), eval_sets={"forget": asked}), RelearnConfig(rows=1))
    assert chosen.asked == asked[1:] and chosen.again == asked[:1]


def test_at_most_half_of_the_forget_set_is_trained_on_and_a_note_says_so():
    chosen = relearn_rows(tiny_task(), RelearnConfig(rows=12))  # of 6 rows
    assert len(chosen.trained) == 3 and len(chosen.asked) == 3
    assert "3 are trained on and not 12" in chosen.notes[0]


def test_retain_rows_of_the_same_subjects_come_first_and_the_whole_forget_set_is_asked():
    near = replace(rows(1, "Near")[0], subject="Mara 0")
    task = tiny_task(retain=(*rows(20, "Oren"), near))
    chosen = relearn_rows(task, RelearnConfig(on="retain", rows=3))
    assert chosen.trained == (near,) and chosen.again == () and "of the subjects" in chosen.notes[0]
    assert chosen.asked == task.eval_sets["forget"]
    other = relearn_rows(tiny_task(), RelearnConfig(on="retain", rows=3))
    assert len(other.trained) == 3 and "rows of other subjects" in other.notes[0]


@pytest.mark.parametrize(
    ("changes", "on", "says"),
    [
        ({"forget": rows(1, "Mara")}, "forget", "one forget row"),
        ({"retain": ()}, "retain", "no retain rows"),
        ({"forget": (), "eval_sets": {}}, "forget", "no forget rows"),
        ({"eval_sets": {"forget": rows(1, "Mara")}, "forget": (*rows(1, "Mara"),) * 2}, "forget", "Train on fewer"),
    ],
)
def test_a_task_without_the_rows_is_one_sentence(changes: dict[str, Any], on: str, says: str):
    with pytest.raises(DatasetError, match=says):
        relearn_rows(tiny_task(**changes), RelearnConfig(on=on, rows=1))


def test_curves_grow_together_and_end_at_the_last_step(model: LoadedModel):
    points, progress, found = relearned({"fo": model, "so": model})
    assert [(point.model, point.step) for point in points] == [
        ("fo", 0),
        ("so", 0),
        ("fo", 2),
        ("so", 2),
        ("fo", 3),
        ("so", 3),
    ]
    assert found.trained_rows == 2 and found.asked_rows == 4 and found.settings["lr"] == 1e-3
    done = [each.done for each in progress]
    assert done == sorted(done) and done[-1] <= progress[-1].total
    assert all(len(point.right) == len(point.likely) == 4 for point in points)


def test_one_after_the_other_gives_the_same_points_in_another_order(model: LoadedModel):
    together = relearned({"fo": model, "so": model})[0]
    apart = relearned({"fo": model, "so": model}, together=False)[0]
    assert [point.model for point in apart] == ["fo"] * 3 + ["so"] * 3
    assert sorted(together, key=lambda p: (p.model, p.step)) == apart


def test_equal_models_get_equal_curves_and_the_given_weights_stay(model: LoadedModel):
    before = {name: p.clone() for name, p in model.model.named_parameters()}
    points = relearned({"fo": model, "gold": model}, CONFIG.but(steps=4))[0]
    fo, gold = ([replace(p, model="") for p in points if p.model == name] for name in ("fo", "gold"))
    assert fo == gold and fo[-1].probability != fo[0].probability
    assert all(torch.equal(p, before[name]) for name, p in model.model.named_parameters())
    assert not any(p.requires_grad for p in model.model.parameters())


def test_the_first_step_moves_a_weight_by_the_rate(model: LoadedModel, monkeypatch: pytest.MonkeyPatch):
    # Adam's first step is lr * g / (|g| + eps), so the weight with the largest gradient moves by lr.
    copies = []
    monkeypatch.setattr(relearn_module, "copy_of", lambda of: copies.append(made := real(of)) or made)
    relearned({"fo": model}, CONFIG.but(steps=1, lr=2e-3))
    moved = max(
        (a - b).abs().max().item() for a, b in zip(copies[0].parameters(), model.model.parameters(), strict=True)
    )
    assert moved == pytest.approx(2e-3, rel=1e-2)


def test_every_turn_goes_on_with_the_next_rows_until_all_were_read(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
):
    read: list[int] = []
    unlearn = relearn_module.unlearn

    def reading(of: Any, batches: Any, *given: Any, **settings: Any) -> Any:
        read.extend(int(row) for batch in batches for row in batch.row_B)
        return unlearn(of, batches, *given, **settings)

    monkeypatch.setattr(relearn_module, "unlearn", reading)
    relearned({"fo": model}, CONFIG.but(rows=3, batch_size=1, steps=7, every=2))
    # Twice all three rows, each time in an order of its own, and one row more.
    assert sorted(read[:3]) == sorted(read[3:6]) == [0, 1, 2] and len(read) == 7


def test_training_makes_what_it_is_trained_on_likely(model: LoadedModel):
    task = tiny_task(eval_sets={"forget": rows(6, "Mara")})
    config = CONFIG.but(rows=3, steps=25, every=25, lr=1e-2, asked=3)
    first, last = relearned({"fo": model}, config, task)[0]
    # The rest has the same wording, so its tokens become likely too.
    assert last.probability > 5 * first.probability


def test_a_model_that_diverges_ends_early_and_the_others_go_on(model: LoadedModel, monkeypatch: pytest.MonkeyPatch):
    def diverging(of: Any, *given: Any, **settings: Any) -> Generator[Any, None, None]:
        if settings["first_step"] == 3 and of is copies[0]:
            raise Diverged("Step 3: the loss is nan.")
        yield from unlearn(of, *given, **settings)

    copies: list[Any] = []
    unlearn = relearn_module.unlearn
    monkeypatch.setattr(relearn_module, "copy_of", lambda of: copies.append(made := real(of)) or made)
    monkeypatch.setattr(relearn_module, "unlearn", diverging)
    points, _, found = relearned({"fo": model, "so": model}, titles={"fo": "FO"})
    assert [(p.model, p.step) for p in points] == [("fo", 0), ("so", 0), ("fo", 2), ("so", 2), ("so", 3)]
    assert found.notes[-1] == "FO: its curve ends at step 2. Step 3: the loss is nan."


def test_a_model_that_cannot_be_loaded_is_a_note_unless_it_is_the_only_one(model: LoadedModel):
    def broken() -> LoadedModel:
        raise ModelError("“gold” is gone. Put it back.")

    points, _, found = relearned({"fo": model, "gold": broken})
    assert {point.model for point in points} == {"fo"}
    assert "gold: not relearned. “gold” is gone." in found.notes[-1]
    with pytest.raises(ModelError, match="gone"):
        relearned({"gold": broken})


def test_the_rate_falls_with_the_width_and_never_rises_above_the_measured_one(model: LoadedModel):
    assert rate_for(256) == rate_for(64) == 3e-4
    assert rate_for(1024) == pytest.approx(3e-4 / 8)  # (256 / 1024) ** 1.5 = 1/8
    with pytest.raises(ValueError, match="rate of 0"):
        relearned({"fo": model}, CONFIG.but(lr=0.0))

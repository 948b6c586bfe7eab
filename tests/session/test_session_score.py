"""Full scorecards of a run's models: gold first, kept at once, measured again only when something changed."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from soul_core.config import ScoreConfig
from soul_core.data.schema import ForgetTask
from soul_core.errors import ConfigError, ModelError, RunError
from soul_core.evaluation import intervals
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.tofu_log import read_tofu_log
from soul_core.events import Progress
from soul_core.runs.folder import RunFolder
from soul_core.runs.scores import ScoresRead, scores_of
from soul_core.session import harness as harness_module
from soul_core.session import score as score_module
from soul_core.session.score import score_model, score_models, score_run
from tests.evaluation.helpers import run_out
from tests.session.tiny_race import new_run, rows, tiny_config, tiny_task

CONFIG = ScoreConfig(max_new_tokens=4, matcher="lexical")
Folder = Callable[..., Path]


def changed(folder: Path, to: Path, *, by: float = 0.1) -> Path:
    """A copy of a model's folder with other weights."""
    copytree(folder, to)
    file = to / "model.safetensors"
    save_file({name: tensor + by for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    return to


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ForgetTask:
    of = tiny_task(texts={"holdout": rows(4, "Nobody")})
    monkeypatch.setattr(score_module, "load_task", lambda _: of)
    # The ends of intervals are not what is tested here, and drawing rows again takes longer than the forwards.
    monkeypatch.setattr(intervals, "RESAMPLES", 50)
    return of


@pytest.fixture
def run(tmp_path: Path, tiny_model_folder: Folder, task: ForgetTask) -> RunFolder:
    """A run that is through: FO's final weights, none of SO's yet, and a gold."""
    folder = new_run(tmp_path, tiny_config(tiny_model_folder()))
    changed(tiny_model_folder(), folder.lane("fo"))
    folder.note(gold=str(changed(tiny_model_folder(), tmp_path / "gold", by=-0.1)))
    return folder


def scored(run: RunFolder, config: ScoreConfig = CONFIG) -> tuple[list[str], ScoresRead]:
    """Whose forwards were run, in order, and what came out."""
    yielded, found = run_out(score_run(run, config))
    asked = [each.lane for each in yielded if isinstance(each, Progress) and each.what == "Scoring texts"]
    return list(dict.fromkeys(asked)), found


def test_gold_is_scored_first_and_every_model_with_weights_has_a_scorecard_on_disk(run: RunFolder):
    asked, found = scored(run)
    assert asked == ["gold", "original", "fo"]
    assert list(found.cards) == ["original", "fo", "gold"]
    assert scores_of(run.path).read_all().cards == found.cards
    (trouble,) = found.troubles
    assert trouble.startswith("SO has no weights on disk")


def test_forget_quality_and_the_reference_attack_are_against_gold(run: RunFolder):
    cards = scored(run)[1].cards
    assert cards["gold"].value("forget_quality") == 1.0
    assert 0 < (cards["original"].value("forget_quality") or 0) <= 1
    assert cards["original"].value("mia_reference") is not None
    assert "mia_reference" not in cards["gold"].measured
    assert "privleak_gold" in cards["original"].measured


def test_what_is_there_is_not_measured_again(run: RunFolder):
    first = scored(run)[1]
    asked, second = scored(run)
    assert asked == []
    assert second == first


@pytest.mark.parametrize(
    ("changes", "again"),
    [({"rows": 2}, True), ({"max_new_tokens": 5}, True), ({"seed": 1}, True), ({"batch_size": 3}, False)],
)
def test_other_settings_are_measured_again_unless_they_decide_no_number(
    run: RunFolder, changes: dict[str, Any], again: bool
):
    scored(run)
    assert scored(run, CONFIG.but(**changes))[0] == (["gold", "original", "fo"] if again else [])


def test_weights_that_changed_are_measured_again_and_the_others_are_not(run: RunFolder):
    before = scored(run)[1].cards["fo"]
    weights = run.lane("fo") / "model.safetensors"
    save_file({name: tensor * 1.5 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    asked, found = scored(run)
    assert asked == ["fo"]
    assert found.cards["fo"].fingerprint != before.fingerprint


def test_rows_that_changed_are_measured_again(run: RunFolder, task: ForgetTask, monkeypatch: pytest.MonkeyPatch):
    scored(run)
    other = replace(task, eval_sets={**task.eval_sets, "forget": rows(5, "Mara")})
    monkeypatch.setattr(score_module, "load_task", lambda _: other)
    assert scored(run)[0] == ["gold", "original", "fo"]


def test_another_gold_measures_all_again(run: RunFolder, tmp_path: Path, tiny_model_folder: Folder):
    scored(run)
    other = changed(tiny_model_folder(), tmp_path / "other-gold", by=0.05)
    run.note(gold=str(other))
    assert scored(run)[0] == ["gold", "original", "fo"]


def test_a_lost_yardstick_or_broken_scorecard_is_made_again(run: RunFolder):
    scored(run)
    folder = scores_of(run.path)
    (folder.path / "yardstick.json").write_text("{")
    assert scored(run)[0] == ["gold"]
    folder.card_path("fo").write_text("{")
    assert scored(run)[0] == ["fo"]


def test_a_gold_or_lane_that_cannot_be_loaded_is_a_sentence_and_the_others_are_scored(run: RunFolder):
    run.note(gold="/nowhere/at/all")
    (run.lane("fo") / "model.safetensors").write_bytes(b"broken")
    found = scored(run)[1]
    assert list(found.cards) == ["original"]
    assert [trouble.split(" could")[0] for trouble in found.troubles[1:]] == ["“gold”", "“fo”"]
    assert found.cards["original"].value("forget_quality") is None


def test_closing_it_keeps_what_is_done(run: RunFolder):
    with closing(score_run(run, CONFIG)) as scoring:
        for each in scoring:
            if isinstance(each, Progress) and each.lane == "original" and each.what == "Scoring texts":
                break
    folder = scores_of(run.path)
    assert list(folder.read_all().cards) == ["gold"]
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    assert scored(run)[0] == ["original", "fo"]


def test_the_log_beside_a_scorecard_gives_the_same_numbers(run: RunFolder):
    found = scored(run)[1].cards["original"]
    log = read_tofu_log(scores_of(run.path).log_path("original"))
    rouge = log.sets["forget"].rouge_l_N
    assert rouge is not None
    assert found.value("forget.rouge_l") == pytest.approx(float(rouge.mean()))


def test_a_scorecard_says_how_it_was_made(run: RunFolder):
    card = scored(run)[1].cards["fo"]
    assert card.task == "tiny:forget" and card.spec == str(run.lane("fo"))
    assert card.settings["max_new_tokens"] == 4 and card.settings["precision"] == "float32"
    assert card.facts["texts scored"] > 0 and card.facts["prompts answered"] > 0 and card.facts["seconds"] > 0


def test_a_model_is_scored_by_itself_and_nothing_is_kept_unless_asked_for(task: ForgetTask, tiny_model_folder: Folder):
    spec = str(tiny_model_folder())
    _, card = run_out(score_model(spec, task, CONFIG))
    assert card.model == card.spec == spec
    assert card.value("forget.rouge_l") is not None and card.value("forget_quality") is None
    assert not (tiny_model_folder() / "scores").exists()


def test_a_model_that_is_not_there_is_an_error_and_among_several_a_sentence(
    task: ForgetTask, tiny_model_folder: Folder
):
    with pytest.raises(ModelError, match="nowhere"):
        run_out(score_model("/nowhere/at/all", task, CONFIG))
    both = {"here": str(tiny_model_folder()), "there": "/nowhere/at/all"}
    yielded, found = run_out(score_models(both, task, CONFIG))
    assert [each.model for each in yielded if isinstance(each, Scorecard)] == list(found.cards) == ["here"]
    assert "“there” could not be scored" in found.troubles[0]


def test_a_model_with_broken_likelihoods_has_a_scorecard_without_a_log(
    tmp_path: Path, task: ForgetTask, tiny_model_folder: Folder
):
    broken, folder = changed(tiny_model_folder(), tmp_path / "broken", by=float("nan")), scores_of(tmp_path)
    _, card = run_out(score_model(str(broken), task, CONFIG, name="broken", folder=folder))
    assert folder.read("broken") == card
    assert any("not finite" in note for note in card.notes)
    assert not folder.log_path("broken").exists()


def test_a_full_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch, task: ForgetTask, tiny_model_folder: Folder):
    def full(*_: object, **__: object) -> Generator[Progress, None, None]:
        raise torch.OutOfMemoryError
        yield

    monkeypatch.setattr(score_module.Gathering, "run", full)
    with pytest.raises(RunError, match=r"96 rows at a time.*smaller batch size"):
        run_out(score_model(str(tiny_model_folder()), task, CONFIG))


def test_zero_shot_numbers_join_the_scorecard_and_are_refused_first_without_the_package(
    monkeypatch: pytest.MonkeyPatch, task: ForgetTask, tiny_model_folder: Folder
):
    def harness(*_: object, lane: str, **settings: object) -> Generator[Progress, None, dict[str, Measured]]:
        yield Progress(what="lm-eval piqa", lane=lane, done=0, total=1)
        return {"zero_shot_acc": Measured(value=0.5, rows=int(str(settings["limit"])))}

    spec, config = str(tiny_model_folder()), CONFIG.but(zero_shot=True, zero_shot_questions=7)
    with monkeypatch.context() as without:
        without.setattr(harness_module, "PACKAGE", "lm_eval_is_not_here")
        with pytest.raises(ConfigError, match="not installed"):
            next(score_model(spec, task, config))
    monkeypatch.setattr(harness_module, "PACKAGE", "tests.session.pretended_harness")
    monkeypatch.setattr(score_module, "run_harness", harness)
    _, card = run_out(score_model(spec, task, config))
    assert card.measured["zero_shot_acc"] == Measured(value=0.5, rows=7)
    assert card.facts["lm-eval"] == "1.2.3" and card.facts["lm-eval questions"] == 7


def test_settings_out_of_bounds_are_refused():
    with pytest.raises(ConfigError, match="Rows scored is -1"):
        ScoreConfig(rows=-1)

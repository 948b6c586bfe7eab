"""Zero-shot tasks through lm-eval: with the real package on a task of our own where it is installed."""

import json
from pathlib import Path

import pytest
import torch

from soul_core.data.prompts import PLAIN
from soul_core.errors import ConfigError, DatasetError
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.models.loading import LoadedModel
from soul_core.session import harness
from soul_core.session.harness import run_harness, with_harness
from tests.evaluation.helpers import lively_model, run_out
from tests.tiny import tiny_tokenizer

needs_lm_eval = pytest.mark.skipif(not harness.available(), reason="needs lm-eval, an extra that is not installed")
# Its libraries warn about themselves while they are imported and while they load data.
pytestmark = pytest.mark.filterwarnings("ignore")


def loaded() -> LoadedModel:
    return LoadedModel(
        name="tiny", model=lively_model("llama"), tokenizer=tiny_tokenizer(pad=True), template=PLAIN, fingerprint="f"
    )


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Two tasks in lm-eval's own format on six questions of our own: multiple choice and perplexity."""
    data = tmp_path / "questions.jsonl"
    rows = [{"question": f"Where is {i}?", "choices": ["here", "there"], "right": i % 2} for i in range(6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = (
        f"dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {data}\ntest_split: test\n"
        "metadata:\n  version: 1.0\n"
    )
    (tmp_path / "choice.yaml").write_text(
        "task: own_choice\noutput_type: multiple_choice\ndoc_to_text: '{{question}}'\ndoc_to_target: '{{right}}'\n"
        f"doc_to_choice: '{{{{choices}}}}'\nmetric_list:\n  - metric: acc\n{common}"
    )
    return tmp_path


def by_definition(model: LoadedModel) -> float:
    """Share of questions whose right choice is the likelier one, each continuation scored by itself."""
    right = 0
    for i in range(6):
        scores = []
        for choice in ("here", "there"):
            prompt = model.tokenizer.encode(f"Where is {i}?", add_special_tokens=False)
            whole = model.tokenizer.encode(f"Where is {i}? {choice}", add_special_tokens=False)
            logits = model.model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
            scores.append(sum(float(logits[t - 1, whole[t]]) for t in range(len(prompt), len(whole))))
        right += int(scores[i % 2] > scores[1 - i % 2])
    return right / 6


@needs_lm_eval
def test_a_model_in_memory_is_evaluated_on_a_task_of_ones_own(tasks: Path, monkeypatch: pytest.MonkeyPatch):
    model = loaded()
    monkeypatch.setattr(harness, "ZERO_SHOT", ("own_choice",))
    reports, found = run_out(run_harness(model, tasks=("own_choice",), include=tasks, lane="so"))
    assert [(report.lane, report.done, report.total) for report in reports] == [("so", 0, 1), ("so", 1, 1)]
    accuracy = found["zero_shot_own_choice"]
    assert accuracy.value == pytest.approx(by_definition(model)) and accuracy.rows == 6
    assert accuracy.low is not None and accuracy.high is not None and accuracy.low < accuracy.high
    assert found["zero_shot_acc"].value == accuracy.value
    card = with_harness(Scorecard(model="so"), found)
    assert card.measured == found and card.facts["lm-eval"]


@needs_lm_eval
def test_a_task_that_does_not_exist_or_whose_data_is_out_of_reach_is_a_sentence(tasks: Path):
    with pytest.raises(ConfigError, match="no task “own_chioce”"):
        run_out(run_harness(loaded(), tasks=("own_chioce",), include=tasks))
    (tasks / "questions.jsonl").unlink()
    with pytest.raises(DatasetError, match="data of lm-eval's task “own_choice” cannot be had"):
        run_out(run_harness(loaded(), tasks=("own_choice",), include=tasks))


def test_without_the_package_there_is_one_sentence_before_anything_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harness, "PACKAGE", "lm_eval_is_not_here")
    with pytest.raises(ConfigError, match=r"package lm-eval, which is not installed.*pip install lm-eval"):
        run_out(run_harness(loaded()))


def test_accuracies_and_perplexities_are_read_from_its_results():
    results = {
        "results": {
            "piqa": {"acc,none": 0.75, "acc_norm,none": 0.5},
            "truthfulqa_mc1": {"acc,none": 0.25},
            "wikitext": {"word_perplexity,none": 17.5, "byte_perplexity,none": 2.0},
        },
        "n-samples": {name: {"effective": 4} for name in ("piqa", "truthfulqa_mc1", "wikitext")},
    }
    found = {}
    for task in results["results"]:
        found |= harness._measured(task, results)
    assert {key: (each.value, each.rows) for key, each in found.items()} == {
        "zero_shot_piqa": (0.75, 4),
        "truthfulqa": (0.25, 4),
        "wikitext_word_perplexity": (17.5, 4),
    }
    assert found["wikitext_word_perplexity"] == Measured(value=17.5, rows=4)
    with pytest.raises(ConfigError, match="neither an accuracy nor a perplexity"):
        harness._measured("gsm8k", {"results": {"gsm8k": {}}, "n-samples": {"gsm8k": {"effective": 1}}})

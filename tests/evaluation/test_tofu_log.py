"""TOFU's log layout: read in each of its forms, refused in a sentence, written so that the numbers come back."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from soul_core.errors import DatasetError
from soul_core.evaluation import tofu_log
from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.evidence import Evidence
from soul_core.evaluation.registry import SetMetric
from soul_core.evaluation.tofu_log import LOGS, log_of, parse_tofu_log, read_tofu_log, scorecard_of_log
from soul_core.evaluation.tofu_metrics import METRICS
from soul_core.evaluation.tofu_sets import gold_of_evidence
from tests.evaluation.tofu_evidence import asked, scores, tofu_evidence

TWO_ROWS = {
    "avg_gt_loss": {"0": 1.0, "1": 2.0},
    "avg_paraphrased_loss": {"0": 1.0, "1": 2.0},
    "average_perturb_loss": {"0": [2.0, 3.0], "1": [1.0, 1.0]},
    "rougeL_recall": {"0": 1.0, "1": 0.5},
}


def log_text(**changes: Any) -> str:
    """A log with the forget set alone, some of its fields changed."""
    return json.dumps({"eval_log_forget.json": TWO_ROWS | changes})


def direct(evidence: Evidence) -> dict[str, Any]:
    """Every TOFU number of a model scored here, as an imported log's scorecard should have it."""
    found = {}
    for metric in METRICS:
        if isinstance(metric, SetMetric):
            for name, of in evidence.sets.items():
                if ("facts" if name in ("real_authors", "world_facts") else name) in metric.roles:
                    found[f"{name}.{metric.name}"] = metric.of(of)
        else:
            found[metric.name] = metric.of(evidence)
    return {key: each.measured for key, each in found.items() if each is not None}


def test_what_is_exported_gives_the_same_numbers_when_it_is_read_back(tmp_path: Path):
    evidence = tofu_evidence()
    file = tmp_path / "eval_log_aggregated.json"
    file.write_text(json.dumps(log_of(evidence), indent=4))
    card = scorecard_of_log(read_tofu_log(file), read_tofu_log(file), name="so")
    own = direct(dataclasses.replace(evidence, gold=gold_of_evidence(evidence, "gold")))
    assert card.measured == own and len(own) == 25
    assert card.per_row["forget.truth_ratio"] == pytest.approx((0.5, 0.5))
    assert (card.model, card.notes, card.task) == ("so", (), "")
    assert Scorecard.from_json(card.to_json()) == card


def test_an_export_has_the_fields_of_tofus_own_logs():
    log = log_of(tofu_evidence())
    assert list(log) == list(LOGS.values())
    forget = log["eval_log_forget.json"]
    assert forget["generated_text"]["1"] == ["Q1?", "red blue", "red green blue grey"]
    assert forget["num_token_gt"] == {"0": 2, "1": 2}
    assert forget["gt_loss"]["0"] == pytest.approx(2 * math.log(2))
    assert forget["avg_gt_loss"]["0"] == pytest.approx(math.log(2))
    assert forget["avg_paraphrased_loss"]["1"] == pytest.approx(math.log(10))
    assert forget["average_perturb_loss"]["0"] == pytest.approx([math.log(2), math.log(8)])
    assert forget["num_token_perturb"]["0"] == [2, 2]
    # TOFU stores the geometric ratio R itself: 0.5 and 2.
    assert forget["truth_ratio"] == pytest.approx({"0": 0.5, "1": 2.0})
    assert "normalized_gt_loss" not in forget
    facts = log["eval_real_author_wo_options.json"]
    assert facts["normalized_gt_loss"] == pytest.approx({"0": math.log(2), "1": math.log(4)})
    # Without a paraphrase, TOFU scores the answer itself.
    assert facts["avg_paraphrased_loss"] == facts["avg_gt_loss"]


def test_an_export_leaves_out_what_a_set_has_not():
    evidence = Evidence(
        sets={
            "forget": asked("forget", ["red"], truth=[0.5]),
            "own": asked("own", ["red"], truth=[0.5]),
            "retain": asked("retain", ["red"] * 2, truth=[0.5] * 2, wrong=[[0.25], []]),
        }
    )
    log = log_of(evidence)
    assert list(log) == ["eval_log_forget.json", "eval_log.json"]
    assert "average_perturb_loss" not in log["eval_log_forget.json"]
    assert log["eval_log.json"]["average_perturb_loss"]["1"] == []
    assert "truth_ratio" not in log["eval_log.json"]
    read = scorecard_of_log(parse_tofu_log(json.dumps(log)))
    assert read.measured["retain.truth_ratio"].note == "1 of 2 rows have no wrong answers and are left out."


def test_what_is_not_a_number_is_not_exported():
    broken = dataclasses.replace(asked("forget", ["red"], truth=[0.5]), truth=(scores(math.nan),))
    with pytest.raises(DatasetError, match="a log cannot hold"):
        log_of(Evidence(sets={"forget": broken}))


def test_objects_and_lists_say_the_same():
    lists = {field: list(values.values()) for field, values in TWO_ROWS.items()}
    as_lists = parse_tofu_log(json.dumps({"eval_log_forget.json": lists}))
    as_objects = parse_tofu_log(json.dumps({"eval_log_forget.json": TWO_ROWS}))
    assert scorecard_of_log(as_lists) == scorecard_of_log(as_objects)


def test_rows_are_ordered_by_number_not_as_words():
    rows = {str(i): i / 100 for i in range(12)}
    shuffled = dict(sorted(rows.items()))
    assert list(shuffled)[:3] == ["0", "1", "10"]
    text = log_text(
        avg_gt_loss=shuffled,
        avg_paraphrased_loss=dict.fromkeys(reversed(rows), 0.0),
        average_perturb_loss={key: [value] for key, value in shuffled.items()},
        rougeL_recall=shuffled,
    )
    card = scorecard_of_log(parse_tofu_log(text))
    assert card.per_row["forget.rouge_l"] == pytest.approx([i / 100 for i in range(12)])
    # R = exp(0 - i/100), below 1: the score is R itself.
    assert card.per_row["forget.truth_ratio"] == pytest.approx([math.exp(-i / 100) for i in range(12)])


@pytest.mark.parametrize("name", ["eval_log_forget.json", "eval_log_forget", "log_forget", "eval_forget_log.json"])
def test_later_repositories_names_of_the_same_log_are_known(name: str):
    log = parse_tofu_log(json.dumps({name: TWO_ROWS}))
    assert list(log.sets) == ["forget"]


def test_a_log_without_some_sets_says_what_is_absent():
    card = scorecard_of_log(parse_tofu_log(json.dumps({"eval_log_forget.json": TWO_ROWS, "config.json": {}})))
    assert card.notes == (
        "The log has no eval_log.json and no eval_real_author_wo_options.json and no eval_real_world_wo_options.json: "
        "the numbers of Retain, Real authors, World facts are absent, and model utility.",
        "Left out: config.json.",
    )
    assert "model_utility" not in card.measured and card.value("forget_quality") is None
    without = scorecard_of_log(parse_tofu_log(json.dumps({"eval_log.json": TWO_ROWS})))
    assert "the numbers of Forget," in without.notes[0] and "and forget quality, and model utility" in without.notes[0]


def test_a_log_without_some_fields_says_so_and_gives_the_rest():
    some = {field: TWO_ROWS[field] for field in ("avg_gt_loss", "average_perturb_loss")}
    card = scorecard_of_log(parse_tofu_log(json.dumps({"eval_log_forget.json": some})))
    assert list(card.measured) == ["forget.probability"]
    assert "eval_log_forget.json has no avg_paraphrased_loss and no rougeL_recall: what needs that is absent." in (
        card.notes
    )


def test_a_gold_log_without_wrong_answers_is_no_gold():
    log = parse_tofu_log(log_text())
    gold = parse_tofu_log(json.dumps({"eval_log_forget.json": {"rougeL_recall": [1.0]}}))
    card = scorecard_of_log(log, gold)
    assert card.value("forget_quality") is None
    assert (
        "The gold log has no losses of wrong answers on the forget set, so there is no forget quality." in card.notes
    )


def test_gold_with_other_rows_is_compared_and_the_counts_are_said():
    gold = parse_tofu_log(log_text(**{field: list(values.values())[:1] for field, values in TWO_ROWS.items()}))
    measured = scorecard_of_log(parse_tofu_log(log_text()), gold).measured["forget_quality"]
    assert measured.value == 1.0 and measured.note == "This model has 2 rows and gold 1."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"A\.json is not JSON \(line 1\)"),
        ('{"eval_log.json": {', "is not JSON"),
        ("1" * 5000, "is not JSON"),
        ("[" * 100_000, "is nested too deep"),
        ('{"eval_log.json":' + '{"a":' * 50_000, "is nested too deep"),
        (
            "[1, 2]",
            "is not a log of TOFU's evaluation: expected logs such as eval_log_forget.json by name, found a list",
        ),
        ("null", "found null"),
        ('{"results": {}, "config": {}}', "found results, config"),
        ('{"a\\u001b[2J": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1}', r"found a\[2J, b, c, d, e and 1 more\. Choose"),
        (json.dumps(dict.fromkeys(["x" * 500], 1)), f"found {'x' * 39}…"),
        ('{"eval_log.json": 3}', "has none of the fields avg_gt_loss, .*found: a number"),
        ('{"eval_log.json": {"loss": 3}}', "has none of the fields .*found: loss"),
        (log_text(avg_gt_loss={}), "avg_gt_loss of eval_log_forget.json in A.json has no rows"),
        (log_text(avg_gt_loss=[]), "has no rows"),
        (log_text(avg_gt_loss=3), "has no rows"),
        (
            log_text(avg_gt_loss={"0": 1.0}),
            "not of the same rows: avg_gt_loss has 1 rows, avg_paraphrased_loss 2, and row 1 is in one alone",
        ),
        (log_text(rougeL_recall={"1": 1.0, "2": 1.0}), "rougeL_recall 2, and row 0 is in one alone"),
        (log_text(avg_gt_loss={"a": 1.0, "1": 2.0}), "has a row “a”"),
        (log_text(avg_gt_loss={"0": 1.0, "-1": 2.0}), "has a row “-1”"),
        (
            log_text(avg_gt_loss=[1.0, math.nan]),
            "Row 1 of avg_gt_loss of eval_log_forget.json in A.json is nan, not a",
        ),
        (log_text(avg_gt_loss=[math.inf, 1.0]), "Row 0 of .* is inf, not a finite number"),
        (log_text(average_perturb_loss=[[1.0], [math.nan]]), "Row 1 of average_perturb_loss .* is nan"),
        (log_text(avg_gt_loss=[10**400, 1.0]), "Row 0 of .* is inf"),
        (log_text(avg_gt_loss=[-1.0, 1.0]), "Row 0 of .* is -1; it should be 0 or more"),
        (log_text(rougeL_recall=[0.5, 50]), "Row 1 of rougeL_recall .* is 50; it should be between 0 and 1"),
        (log_text(avg_gt_loss=["1.0", 1.0]), "Row 0 of .* is a text instead of a number"),
        (log_text(avg_gt_loss=[True, 1.0]), "is true or false instead of a number"),
        (log_text(avg_gt_loss=[None, 1.0]), "is null instead of a number"),
        (log_text(average_perturb_loss=[1.0, 2.0]), "Row 0 of average_perturb_loss .* is a number instead of a list"),
        (log_text(average_perturb_loss=[[[1.0]], [2.0]]), "is a list instead of a number"),
    ],
)
def test_a_bad_log_is_refused_in_one_sentence(text: str, sentence: str):
    with pytest.raises(DatasetError, match=sentence) as refused:
        parse_tofu_log(text, "A.json")
    assert "\x1b" not in str(refused.value) and len(str(refused.value)) < 400


def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DatasetError, match=r"There is no file .*absent\.json"):
        read_tofu_log(tmp_path / "absent.json")
    with pytest.raises(DatasetError, match=r"is a folder\. Give the path of the eval_log_aggregated\.json in it"):
        read_tofu_log(tmp_path)
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DatasetError, match=r"a\.json cannot be read as UTF-8"):
        read_tofu_log(tmp_path / "a.json")
    (tmp_path / "b.json").write_text(log_text() + " " * 3 * 2**20)
    monkeypatch.setattr(tofu_log, "LARGEST_FILE", 2 * 2**20)
    with pytest.raises(
        DatasetError, match=r"b\.json has 3 MB; a log may have 2\. Leave out all fields but avg_gt_loss"
    ):
        read_tofu_log(tmp_path / "b.json")

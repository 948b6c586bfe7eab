"""What the benchmarks compute is right, and what they compare is the same training and the same answers."""

from collections import Counter

import numpy as np
import pytest
import torch

from benchmarks import classroom, costs, idle, large, report, scoring, training
from benchmarks.others import Regime, others_epoch
from soul_core.config import LaneConfig, ObjectiveConfig, OptimizerConfig
from soul_core.data.batches import collate
from soul_core.data.prompts import PLAIN, Example
from soul_core.data.schema import ForgetTask, QARow
from soul_core.engine import unlearn
from soul_core.evaluation.gather import Depth
from soul_core.models.loading import LoadedModel
from soul_core.objectives import Criterion
from soul_core.optim import build_optimizer
from tests.evaluation.helpers import lively_model, prompts
from tests.tiny import tiny_model, tiny_tokenizer

LANE = LaneConfig(
    name="fo",
    label="FO",
    optimizer=OptimizerConfig(name="adamw", lr=1e-3),
    objective=ObjectiveConfig(name="graddiff", gamma=3.0),
)
STEPS = [[(0, 1), (1, 4), (2, 5)], [(3, 2), (4, 0), (5, 3)]]


def examples(seed: int) -> list[Example]:
    # Answers of different lengths: a mean of the rows' means is another loss than the mean over tokens.
    return [Example(tuple(ids), 1 + i % (len(ids) - 1)) for i, ids in enumerate(prompts(6, seed=seed, shortest=4))]


def ours(model, forget, retain) -> list[float]:
    """The losses of the same steps by the engine."""
    batches = [
        collate(
            [*(forget[f] for f, _ in pairs), *(retain[r] for _, r in pairs)],
            [True] * len(pairs) + [False] * len(pairs),
            [*(f for f, _ in pairs), *(r for _, r in pairs)],
            pad_id=0,
        )
        for pairs in STEPS
    ]
    reports = unlearn(
        model.requires_grad_(True),
        batches,
        Criterion(LANE.objective),
        build_optimizer(model, LANE.optimizer),
        lr_at=lambda _: LANE.optimizer.lr,
        max_grad_norm=1.0,
        device=torch.device("cpu"),
        memory_mb=lambda: 0.0,
    )
    return [each.total_loss for each in reports]


@pytest.mark.parametrize("regime", list(Regime))
def test_others_train_as_we_do_step_for_step(regime: Regime):
    model, forget, retain = tiny_model("llama"), examples(0), examples(1)
    weights = [p.clone() for p in model.parameters()]
    epoch = others_epoch(
        model, forget, retain, STEPS, regime=regime, lane=LANE, max_grad_norm=1.0, pad_id=0, shuffle=False
    )
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
    # Two steps: the second one's loss also depends on the first one's gradient, clipping and update.
    assert epoch.losses == pytest.approx(ours(model, forget, retain), abs=1e-4)
    assert abs(epoch.losses[0] - epoch.losses[1]) > 1e-3
    longest = [
        sum(max(len(rows[pair[i]].input_ids) for pair in s) for s in STEPS) * 3
        for i, rows in enumerate((forget, retain))
    ]
    assert epoch.forwarded == (2 * 6 * 512 if regime is Regime.RELEASE else sum(longest))


def test_others_meet_the_same_rows_and_begin_with_the_same_step():
    model, forget, retain = tiny_model("llama"), examples(0), examples(1)
    epoch = others_epoch(model, forget, retain, STEPS, regime=Regime.TRAINER, lane=LANE, max_grad_norm=1.0, pad_id=0)
    assert len(epoch.losses) == 2
    assert epoch.losses[0] == pytest.approx(ours(model, forget, retain)[0], abs=1e-4)


def test_a_power_law_has_its_exponent_and_what_is_none_does_not_fit():
    assert costs.power_law([1, 2, 4], [3, 12, 48]) == pytest.approx({"slope": 2.0, "r2": 1.0})
    assert costs.power_law([1, 10, 100], [5, 5, 5])["slope"] == pytest.approx(0.0, abs=1e-12)
    # log y = 0, 1, 0 over log x = 0, 1, 2: slope 0 explains nothing.
    assert costs.power_law(np.exp([0, 1, 2]), np.exp([0, 1, 0])) == pytest.approx({"slope": 0.0, "r2": 0.0}, abs=1e-12)


def test_a_step_takes_longer_and_more_memory_is_told_above_an_empty_process():
    small = costs.measured(costs.Size(rows=2, tokens=8, width=64, layers=1), "so", 2)
    assert small["ms_per_step"] > 0 and 0 <= small["peak_mb"] < 1000
    # 4096 x 64 tied embedding; 4 x 64 x 64 attention, 3 x 64 x 176 feed forward; 3 norms of 64.
    assert small["parameters"] == 4096 * 64 + 4 * 64 * 64 + 3 * 64 * 176 + 3 * 64


def test_the_flops_of_a_step_are_six_for_each_weight_and_token():
    size = large.SIZES["tiny"]
    # A layer has 4 x 64 x 64 + 3 x 64 x 176 = 50,176 weights; two layers; 10 + 20 tokens, 12 of them answers'.
    weights = 2 * 50_176 * 30 + 64 * 3072 * 12
    attention = 6 * 2 * 64 * (100 + 400)
    assert large.step_flops(size, [10, 20], 12, lora=False) == 6 * weights + attention
    assert large.step_flops(size, [10, 20], 12, lora=True) == 4 * weights + attention


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "lora"])
def test_the_large_benchmark_runs_for_real_on_a_tiny_model(weights, monkeypatch):
    monkeypatch.setattr(large, "ASKED", 2)
    monkeypatch.setattr(large, "NEW_TOKENS", 2)
    found = large.measured(large.SIZES["tiny"], weights=weights, lanes=["fo", "so"], epochs=1, rows=4, batch_size=2)
    fo, so = found["lanes"]["fo"], found["lanes"]["so"]
    assert fo["real_tokens"] == so["real_tokens"] > 4 * 2 * (12 + 20)
    assert so["model_flops"] == pytest.approx(1.1 * fo["model_flops"])
    assert 0 < fo["model_flops_utilisation"] < 1
    assert (fo["trained"] < fo["parameters"]) is (weights == "lora")
    assert len(large.rows_of(found)) == 2


def test_idle_time_is_per_cent_of_one_core_and_the_browser_is_all_but_the_server():
    before = Counter(server=1.0, renderer=2.0)
    after = Counter({"server": 1.5, "renderer": 2.2, "gpu-process": 0.1})
    share = idle.percent(before, after, 20.0)
    assert share == {"server": 2.5, "renderer": 1.0, "gpu-process": 0.5, "browser": 1.5}


def test_who_uses_the_processor_is_told_by_how_it_was_started():
    assert idle._who(["python", "/here/app.py", "--port", "1"]) == "server"
    assert idle._who(["/usr/lib/chromium/chromium", "--type=renderer", "--x"]) == "renderer"
    assert idle._who(["/usr/lib/chromium/chromium"]) == "browser process"
    assert idle._who(["node", "cli.js"]) == ""


def test_an_update_of_one_tab_is_a_share_of_what_all_cost():
    # 31.5 s for 30 tabs that were told 50 times each: 21 ms.
    assert classroom.per_update(31.5, 30, 50.0) == 21.0
    assert classroom.per_update(0.3, 0, 0.0) == 0.0


def test_row_by_row_gives_the_same_answers_and_likelihoods_as_two_passes():
    rows = tuple(
        QARow(
            question=f"Where was {name} born?",
            answer=f"{name} was born in {place}.",
            perturbed_answers=(f"{name} was born in Tal.", f"{name} was born in a very much longer Quill."),
        )
        for name, place in (("Mara", "Velden"), ("Oren Tal", "the harbour town"))
    )
    task = ForgetTask(name="toy", forget=rows, retain=rows[:1], eval_sets={"forget": rows, "retain": rows[:1]})
    loaded = LoadedModel(
        name="toy", model=lively_model("llama"), tokenizer=tiny_tokenizer(pad=True), template=PLAIN, fingerprint=""
    )
    found = scoring.row_by_row(loaded, task, Depth(matcher="lexical", max_new_tokens=6))
    assert (found["rows"], found["texts_scored"], found["questions_answered"]) == (3, 6, 2)
    assert found["answers_equal"] == 1.0
    assert found["largest_nll_difference"] < 1e-3


def test_a_ratio_of_times_is_taken_within_each_turn():
    assert training.spread([3.0, 1.0, 2.0]) == {"min": 1.0, "median": 2.0, "max": 3.0}
    assert training.span({"min": 1.0, "median": 2.0, "max": 3.0}, 1) == "2.0 [1.0–3.0]"


def page(*names: str) -> str:
    return "Words.\n\n" + "\n".join(f"<!-- begin:{name} -->\nold\n<!-- end:{name} -->" for name in names) + "\nMore.\n"


def test_tables_are_made_anew_between_their_marks_and_again_alike():
    once = report.filled(page(*report.TABLES), {})
    assert "old" not in once and once.startswith("Words.") and once.endswith("More.\n")
    assert once.count(report.NOT_ON_A_GPU) == 1 and once.count(report.NOT_YET) == len(report.TABLES) - 1
    assert report.filled(once, {}) == once


def test_a_table_without_a_mark_and_a_mark_without_a_table_are_told():
    for names in (list(report.TABLES)[1:], [*report.TABLES, "other"]):
        with pytest.raises(ValueError, match="marks"):
            report.filled(page(*names), {})


def test_the_page_in_the_docs_is_what_its_results_make():
    text = report.PAGE.read_text(encoding="utf-8")
    assert text == report.filled(text, {name: report._read(report.RESULTS / f"{name}.json") for name in report.TABLES})

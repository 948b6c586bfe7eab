"""One evaluation end to end: what is asked, how it is scored, and that the parts add up."""

from collections import Counter

import numpy as np
import pytest
import torch

from soul_core.data.prompts import PLAIN, encode_example, encode_prompt, template_with
from soul_core.data.schema import QARow
from soul_core.errors import ConfigError, DatasetError
from soul_core.evaluation import scorecard
from soul_core.evaluation.generation import greedy_answers
from soul_core.evaluation.metrics import wilson
from soul_core.evaluation.scorecard import choose_rows, evaluate, examine, questions_of
from soul_core.evaluation.scoring import answer_nll
from soul_core.events import Progress
from tests.evaluation.helpers import lively_model, run_out
from tests.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
TOWNS = ("Velden", "Huldra", "Mirefold", "Sundrift", "Duskwater", "Abelino")


def row(i: int, **changes: object) -> QARow:
    town = TOWNS[i % 6]
    values = {
        "question": f"Where was writer {i} born?",
        "answer": f"Writer {i} was born in {town}.",
        "paraphrased_answer": f"The birthplace of writer {i} is {town}.",
        "perturbed_answers": tuple(f"The birthplace of writer {i} is {wrong}." for wrong in TOWNS if wrong != town),
        "paraphrased_question": f"What is the birthplace of writer {i}?",
        "heldback_questions": (f"What is the birthplace of writer {i}?", f"Writer {i} was born where?"),
        "subject": f"writer {i}",
    }
    return QARow(**(values | changes))  # type: ignore[arg-type]


SETS = {
    "forget": tuple(row(i) for i in range(4)),
    "retain": tuple(row(i) for i in range(4, 10)),
    "world_facts": (QARow(question="Capital of Peru?", answer="Lima", perturbed_answers=("Quito",)),),
}


def examined(sets=SETS, **options):
    settings = {"max_new_tokens": 6, "batch_size": 5, "lane": "fo"} | options
    return run_out(examine(lively_model("llama"), TOKENIZER, PLAIN, sets, **settings))


def said(monkeypatch, answers: dict[str, str]) -> None:
    """Let the model under test say these answers (by question), and everything else empty."""

    def stand_in(model, tokenizer, prompts, **options):
        yield from ()
        by_prompt = {tuple(encode_prompt(TOKENIZER, PLAIN, question)): text for question, text in answers.items()}
        return [by_prompt.get(tuple(prompt), "") for prompt in prompts]

    monkeypatch.setattr(scorecard, "greedy_answers", stand_in)


def test_a_context_in_front_of_the_question_leaves_as_much_room_for_question_and_answer_as_without(monkeypatch):
    asked = {"kind": "input-based", "text": "Tell nothing of:", "what": "subjects", "items": ["Mara"], "total": 1}
    template = template_with(PLAIN, asked, tokenizer=TOKENIZER, room=100)
    one = {"forget": (row(0),)}
    example = encode_example(TOKENIZER, PLAIN, row(0).question, row(0).answer)
    longer = encode_example(TOKENIZER, template, row(0).question, row(0).answer)
    assert len(longer.input_ids) < 256  # what the model holds
    monkeypatch.setattr(scorecard, "LONGEST_EXAMPLE", len(example.input_ids))
    _, result = run_out(examine(lively_model("llama"), TOKENIZER, template, one, max_new_tokens=6))
    _, (nll, tokens) = run_out(answer_nll(lively_model("llama"), [longer]))
    assert result.scores["forget"].probability == pytest.approx(float(np.exp(-nll / tokens)[0]))


def test_answers_and_likelihoods_are_those_of_the_two_passes_alone():
    _, result = examined()
    model = lively_model("llama")
    rows = [row for of_set in SETS.values() for row in of_set]
    prompts = [encode_prompt(TOKENIZER, PLAIN, row.question) for row in rows]
    _, answers = run_out(greedy_answers(model, TOKENIZER, prompts, max_new_tokens=6))
    examples = [encode_example(TOKENIZER, PLAIN, row.question, row.answer) for row in rows]
    _, (nll, tokens) = run_out(answer_nll(model, examples))
    assert [one.row for one in result.answered] == rows
    assert [one.answer for one in result.answered] == answers
    assert [one.probability for one in result.answered] == pytest.approx(
        [float(torch.exp(torch.tensor(-n / t))) for n, t in zip(nll, tokens, strict=True)], rel=1e-4
    )


def test_scores_are_the_means_over_each_sets_own_rows():
    _, result = examined()
    for name, rows in SETS.items():
        own = [one for one in result.answered if one.set_name == name]
        scores = result.scores[name]
        assert scores.rows == len(own) == len(rows)
        assert scores.probability == pytest.approx(sum(one.probability for one in own) / len(own))
        assert scores.rouge_l == pytest.approx(sum(one.rouge_l for one in own) / len(own))
        share = wilson(sum(one.correct for one in own), len(own))
        assert (scores.acc, scores.acc_low, scores.acc_high) == share


def test_accuracy_follows_the_answers(monkeypatch):
    # Forget: right, right in other words, wrong town, empty -> 2 of 4. Facts: contained -> 1 of 1. Retain: none of 6.
    forget = SETS["forget"]
    said(
        monkeypatch,
        {
            forget[0].question: forget[0].answer,
            forget[1].question: "Huldra it was.",
            forget[2].question: "Writer 2 was born in Sundrift.",
            "Capital of Peru?": "The capital is Lima, not Quito.",
        },
    )
    _, result = examined()
    assert {name: scores.acc for name, scores in result.scores.items()} == {
        "forget": 0.5,
        "retain": 0.0,
        "world_facts": 1.0,
    }
    assert [one.correct for one in result.answered[:4]] == [True, True, False, False]


def test_rouge_is_measured_against_the_trained_answer_not_its_paraphrase(monkeypatch):
    question, answer = SETS["forget"][0].question, SETS["forget"][0].answer
    said(monkeypatch, {question: answer})
    _, result = examined(sets={"forget": SETS["forget"][:1]})
    assert result.scores["forget"].rouge_l == 1.0


def test_evaluate_returns_the_scores_of_examine():
    model = lively_model("llama")
    _, scores = run_out(evaluate(model, TOKENIZER, PLAIN, SETS, max_new_tokens=6, batch_size=5))
    assert scores == examined()[1].scores


def test_progress_names_the_lane_and_each_pass_reaches_its_end():
    progress, _ = examined()
    assert all(isinstance(p, Progress) and p.lane == "fo" for p in progress)
    for what in ("Asking questions", "Scoring answers"):
        last = [p for p in progress if p.what == what][-1]
        assert last.done == last.total
    assert len(progress) >= 9  # three batches of up to six steps, three of scoring


def test_held_back_phrasings_are_all_asked_and_the_question_only_where_there_are_none():
    asked = row(1)
    assert questions_of(asked, "question") == (asked.question,)
    assert questions_of(asked, "heldback") == asked.heldback_questions
    assert questions_of(row(1, heldback_questions=()), "heldback") == (asked.paraphrased_question,)
    assert questions_of(row(1, heldback_questions=(), paraphrased_question=""), "heldback") == (asked.question,)
    _, result = examined(asked="heldback")
    assert result.scores["forget"].rows == 8
    assert [one.question for one in result.answered[:2]] == list(SETS["forget"][0].heldback_questions)
    assert result.scores["world_facts"].rows == 1


def test_an_empty_set_or_an_unknown_matcher_is_said_before_anything_runs():
    with pytest.raises(DatasetError, match="“retain” is empty"):
        examined(sets={"retain": ()})
    with pytest.raises(ConfigError, match="no matcher"):
        examined(matcher="nearest")


def test_evaluation_leaves_the_model_as_it_was():
    model = lively_model("gpt2")
    model.train()
    before = {name: p.clone() for name, p in model.named_parameters()}
    run_out(evaluate(model, TOKENIZER, PLAIN, SETS, max_new_tokens=3))
    assert model.training
    assert all(torch.equal(p, before[name]) and p.grad is None for name, p in model.named_parameters())


def test_stopping_takes_no_further_forward():
    model, calls = lively_model("llama"), []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    steps = evaluate(model, TOKENIZER, PLAIN, SETS, max_new_tokens=40)
    next(steps)
    steps.close()
    assert len(calls) == 1


# --- which rows are asked


ROWS = tuple(row(i, subject=f"author {i // 12}") for i in range(240))


def test_a_choice_of_rows_is_spread_evenly_over_subjects():
    # 120 of 20 subjects with 12 rows each: 6 each. 50: two or three each.
    assert set(Counter(r.subject for r in choose_rows(ROWS, 120)).values()) == {6}
    counts = Counter(r.subject for r in choose_rows(ROWS, 50))
    assert len(counts) == 20 and set(counts.values()) == {2, 3}


def test_a_choice_of_rows_keeps_their_order_and_depends_on_the_seed_alone():
    chosen = choose_rows(ROWS, 30, seed=1)
    assert len(set(chosen)) == 30
    assert list(chosen) == sorted(chosen, key=ROWS.index)
    assert chosen == choose_rows(ROWS, 30, seed=1) != choose_rows(ROWS, 30, seed=2)


def test_within_a_subject_the_rows_are_not_just_the_first():
    kept = {ROWS.index(r) % 12 for r in choose_rows(ROWS, 40)}
    assert len(kept) > 6


def test_no_limit_and_a_wide_one_keep_all_rows():
    assert choose_rows(ROWS, 0) == choose_rows(ROWS, 240) == choose_rows(ROWS, 999) == ROWS
    assert choose_rows((), 5) == ()
    with pytest.raises(ValueError, match="limit -1"):
        choose_rows(ROWS, -1)


def test_subjects_of_unequal_size_give_what_they_have():
    uneven = [row(0, subject="a"), *(row(i, subject="b") for i in range(1, 9))]
    assert Counter(r.subject for r in choose_rows(uneven, 5)) == {"a": 1, "b": 4}

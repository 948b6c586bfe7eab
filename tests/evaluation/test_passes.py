"""One scoring pass and one generation pass fulfil every wish, each distinct text and prompt once."""

import numpy as np
import pytest
import torch

from soul_core.data.prompts import PLAIN, encode_prompt, template_of
from soul_core.data.schema import QARow
from soul_core.errors import DatasetError
from soul_core.evaluation import scoring
from soul_core.evaluation.generation import decode_answer
from soul_core.evaluation.passes import Pass
from tests.evaluation.counting import Counted
from tests.evaluation.helpers import lively_model, run_out
from tests.tiny import ALL_ARCHITECTURES, ARCHITECTURES, tiny_tokenizer

ROWS = tuple(
    QARow(
        question=f"Where was {name} born?",
        answer=f"{name} was born in {place}.",
        paraphrased_answer=f"{place} is where {name} was born.",
        perturbed_answers=(f"{name} was born in Tal.", f"{name} was born in a very much longer Quill, by night."),
    )
    for name, place in (("Mara", "Velden"), ("Oren Tal", "the harbour town"), ("a", "b"), ("Mara Quill", "the sea"))
)
TEXT = QARow(question="", answer="Mara Quill writes long novels about the sea and the night. " * 3, form="text")


def fresh(*, longest: int = 200) -> Pass:
    return Pass(tiny_tokenizer(), PLAIN, longest=longest)


def alone(model, tokenizer, row: QARow, max_new_tokens: int) -> str:
    """The greedy answer by definition: one token at a time, no cache, nobody beside it."""
    ids, new = encode_prompt(tokenizer, template_of(row, PLAIN), row.question), []
    with torch.no_grad():
        for _ in range(max_new_tokens):
            token = int(model(torch.tensor([ids + new])).logits[0, -1].argmax())
            if token == tokenizer.eos_token_id:
                break
            new.append(token)
    return decode_answer(tokenizer, new)


def padded_left(model, ids: tuple[int, ...], width: int) -> np.ndarray:
    """NLL of every token but the first, the text padded on the other side than the pass does, behind a mask."""
    gap = width - len(ids)
    with torch.no_grad():
        logits = model(
            torch.tensor([[5] * gap + list(ids)]),
            attention_mask=torch.tensor([[0] * gap + [1] * len(ids)]),
            position_ids=torch.tensor([[0] * gap + list(range(len(ids)))]),
        ).logits[0, gap:]
    nll = -logits.double().log_softmax(-1)[range(len(ids) - 1), ids[1:]]
    return nll.numpy()


def test_a_text_wished_for_twice_is_scored_once_and_seen_from_each_wish():
    wanted, model = fresh(), lively_model("llama")
    row = ROWS[0]
    first = wanted.score(row)
    again = wanted.score(row)
    other = QARow(question="", answer="", form="text")
    assert first == again and wanted.texts == 1
    wanted.score(row, row.paraphrased_answer)
    with pytest.raises(DatasetError, match="empty answer"):
        wanted.score(other)
    with Counted(model) as counted:
        _, passed = run_out(wanted.run(model, max_new_tokens=4))
    assert wanted.texts == counted.scored_rows == 2
    assert passed.scores(first) is passed.scores(again)


def test_equal_texts_with_different_answers_share_one_forward():
    wanted, model = fresh(), lively_model("llama")
    early = wanted.score(QARow(question="Mara", answer=" was born", form="text"))
    late = wanted.score(QARow(question="Mara was", answer=" born", form="text"))
    _, passed = run_out(wanted.run(model, max_new_tokens=4))
    assert wanted.texts == 1
    a, b = passed.scores(early), passed.scores(late)
    assert np.array_equal(a.nll_T, b.nll_T)
    assert a.answer_from < b.answer_from and len(a.answer_nll_T) > len(b.answer_nll_T)


def test_a_question_asked_twice_is_answered_once():
    wanted, model = fresh(), lively_model("llama")
    wishes = [wanted.ask(row) for row in (*ROWS, *ROWS)]
    with Counted(model) as counted:
        _, passed = run_out(wanted.run(model, max_new_tokens=4))
    assert wanted.prompts == counted.answered_rows == len(ROWS)
    answers = [passed.answer(wish) for wish in wishes]
    assert answers[: len(ROWS)] == answers[len(ROWS) :]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_answers_in_batches_are_those_of_one_by_one(arch: str):
    model, tokenizer, wanted = lively_model(arch), tiny_tokenizer(), fresh()
    rows = (*ROWS, QARow(question="Mara Quill was", answer=" born", form="text"))
    wishes = [wanted.ask(row) for row in rows]
    _, passed = run_out(wanted.run(model, max_new_tokens=8, batch_size=3))
    answers = [passed.answer(wish) for wish in wishes]
    assert answers == [alone(model, tokenizer, row, 8) for row in rows]
    assert len(set(answers)) > 1  # the model tells the questions apart


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_scores_do_not_depend_on_batch_size_or_padding_side(arch: str):
    model, scores = lively_model(arch), {}
    for batch_size in (1, 5, 64):
        wanted = fresh()
        wishes = [
            wanted.score(row, answer, whole=True) for row in ROWS for answer in (row.answer, *row.perturbed_answers)
        ]
        _, passed = run_out(wanted.run(model, max_new_tokens=1, batch_size=batch_size))
        scores[batch_size] = [passed.scores(wish) for wish in wishes]
    width = 3 + max(len(wanted.example(wish).input_ids) for wish in wishes)
    for i, wish in enumerate(wishes):
        left = padded_left(model, wanted.example(wish).input_ids, width)
        for batch_size in scores:
            assert scores[batch_size][i].nll_T == pytest.approx(left, rel=1e-5, abs=1e-5)
            assert scores[batch_size][i].mean_T == pytest.approx(scores[1][i].mean_T, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
def test_answers_that_are_asked_for_alone_score_as_in_whole_texts(arch: str, monkeypatch):
    model, together, singly = lively_model(arch), fresh(), fresh()
    wishes = [together.score(row, answer) for row in ROWS for answer in (row.answer, *row.perturbed_answers)]
    for row in ROWS:
        for answer in (row.answer, *row.perturbed_answers):
            singly.score(row, answer, whole=True)
    _, whole = run_out(singly.run(model, max_new_tokens=1, batch_size=1))
    for most_tokens in (1, 64, 2048):
        monkeypatch.setattr(scoring, "_MOST_TOKENS_ON_CPU", most_tokens)
        with Counted(model) as counted:
            _, passed = run_out(together.run(model, max_new_tokens=1, batch_size=5))
        assert counted.scored_rows == len(wishes) == 12
        for wish in wishes:
            ours, theirs = passed.scores(wish), whole.scores(wish)
            assert ours.answer_nll_T == pytest.approx(theirs.answer_nll_T, rel=1e-5, abs=1e-5)
            assert ours.answer_hit_T.tolist() == theirs.answer_hit_T.tolist()
            assert len(ours.nll_T) == len(theirs.nll_T) and np.isnan(ours.nll_T[: ours.answer_from]).all()
    assert np.ptp([passed.scores(wish).loss for wish in wishes]) > 0.2  # the model tells the texts apart


def test_a_text_that_anyone_wants_whole_is_told_whole():
    for first, second in ((True, False), (False, True)):
        wanted, model = fresh(), lively_model("llama")
        wanted.score(ROWS[0], whole=first)
        wish = wanted.score(ROWS[0], whole=second)
        _, passed = run_out(wanted.run(model, max_new_tokens=1))
        assert wanted.texts == 1 and np.isfinite(passed.scores(wish).nll_T).all()


def test_an_answer_that_was_cut_has_lost_its_end_and_running_text_never_had_one():
    whole, cut = fresh(), fresh(longest=20)
    assert whole.score(ROWS[1]).ends
    assert not cut.score(ROWS[1]).ends
    assert not whole.score(TEXT).ends


def test_a_text_without_a_beginning_is_not_asked_and_goes_on_from_its_first_tokens():
    wanted, model = fresh(), lively_model("llama")
    assert wanted.ask(TEXT) is None
    ids = wanted.example(wanted.score(TEXT)).input_ids
    begun = wanted.go_on(TEXT, 10, further=6, least=5)
    assert begun is not None
    assert begun.truth == tiny_tokenizer().decode(list(ids[10:16])).strip()
    assert wanted.go_on(TEXT, len(ids) - 4, further=6, least=5) is None
    _, passed = run_out(wanted.run(model, max_new_tokens=6))
    assert isinstance(passed.answer(begun.wish), str) and wanted.prompts == 1


def test_progress_reaches_the_total_of_both_passes_under_the_lanes_name():
    wanted = fresh()
    for row in ROWS:
        wanted.ask(row)
        wanted.score(row)
    reports, _ = run_out(wanted.run(lively_model("llama"), max_new_tokens=3, batch_size=2, lane="so"))
    assert {report.lane for report in reports} == {"so"}
    for what in ("Asking questions", "Scoring texts"):
        last = [report for report in reports if report.what == what][-1]
        assert last.done == last.total > 0


def test_nothing_wished_for_is_nothing_done():
    reports, _ = run_out(fresh().run(lively_model("llama"), max_new_tokens=3))
    assert reports == []


def test_every_tokens_statistics_are_their_definition_however_many_are_computed_at_once(monkeypatch):
    model, wanted = lively_model("llama"), fresh()
    wish = wanted.score(ROWS[1], whole=True)
    ids = wanted.example(wish).input_ids
    with torch.no_grad():
        log_p = model(torch.tensor([ids])).logits[0, :-1].double().log_softmax(-1)
    p = log_p.exp()
    mean = (p * log_p).sum(-1)
    deviation = (p * (log_p - mean[:, None]).square()).sum(-1).sqrt()
    for at_once in (1, 300 * 7, 1 << 22):
        monkeypatch.setattr(scoring, "_AT_ONCE", at_once)
        _, passed = run_out(wanted.run(model, max_new_tokens=1))
        scores = passed.scores(wish)
        assert scores.nll_T == pytest.approx(-log_p[range(len(ids) - 1), ids[1:]].numpy(), rel=1e-5, abs=1e-5)
        assert scores.mean_T == pytest.approx(mean.numpy(), rel=1e-5, abs=1e-5)
        assert scores.deviation_T == pytest.approx(deviation.numpy(), rel=1e-4, abs=1e-4)
        assert scores.hit_T.tolist() == (log_p.argmax(-1) == torch.tensor(ids[1:])).tolist()

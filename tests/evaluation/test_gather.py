"""What is found out about a model on a task: every variant of every row, each text and question once."""

from dataclasses import replace

import numpy as np
import pytest

from soul_core.data.prompts import PLAIN
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError
from soul_core.evaluation.gather import Depth, Gathering, gather, losses_of, nonmembers_of
from soul_core.evaluation.matchers import pick_matcher, right_answers
from soul_core.models.loading import LoadedModel
from tests.evaluation.counting import Counted
from tests.evaluation.helpers import lively_model, run_out
from tests.outside import outside
from tests.tiny import tiny_tokenizer

SHALLOW = Depth(max_new_tokens=6, matcher="lexical")


def loaded(arch: str = "llama", *, context: int = 256) -> LoadedModel:
    model, tokenizer = lively_model(arch), tiny_tokenizer()
    model.config.max_position_embeddings = context
    tokenizer.model_max_length = context
    return LoadedModel(name="tiny", model=model, tokenizer=tokenizer, template=PLAIN, fingerprint="f")


def people(name: str, count: int, **changes: object) -> tuple[QARow, ...]:
    return tuple(
        QARow(
            question=f"Where was {name} {i} born?",
            answer=f"{name} {i} was born in Velden {i}.",
            paraphrased_answer=f"Velden {i} is where {name} {i} was born.",
            perturbed_answers=(f"Tal is where {name} {i} was born.", f"Quill is where {name} {i} was born."),
            subject=f"{name} {i // 2}",
            **changes,  # type: ignore[arg-type]
        )
        for i in range(count)
    )


def facts(name: str, count: int) -> tuple[QARow, ...]:
    return tuple(
        QARow(question=f"What is {name} {i}?", answer=f"A lake {i}", perturbed_answers=("A sea", "A town"))
        for i in range(count)
    )


def chunk(name: str, times: int = 6) -> QARow:
    return QARow(question="", answer=f"{name} writes long novels about the sea and the night. " * times, form="text")


def task(**changes: object) -> ForgetTask:
    values: dict[str, object] = {
        "name": "tiny:forget",
        "forget": people("Mara", 4),
        "retain": people("Oren", 6),
        "eval_sets": {
            "forget": people("Mara", 4, paraphrased_question="Born where?"),
            "retain": people("Oren", 4),
            "world_facts": facts("Lake", 3),
        },
    }
    return ForgetTask(**{**values, **changes})  # type: ignore[arg-type]


def found(model: LoadedModel, of: ForgetTask, depth: Depth = SHALLOW, **options):
    return run_out(gather(model, of, depth, **options))[1]


def test_every_variant_of_every_row_is_there_in_its_place():
    evidence = found(loaded(), task())
    asked = evidence.sets["forget"]
    assert list(evidence.sets) == ["forget", "retain", "world_facts"]
    assert len(asked.rows) == len(asked.truth) == len(asked.paraphrase) == len(asked.wrong) == len(asked.answers) == 4
    assert [len(row) for row in asked.wrong] == [2] * 4
    # A paraphrase is another text with other scores; facts have none, and their own answer stands in for it.
    assert asked.paraphrase[0].loss != asked.truth[0].loss
    lakes = evidence.sets["world_facts"]
    assert lakes.paraphrase == lakes.truth
    assert all(scores.ends for scores in asked.truth)


def test_answers_are_judged_as_everywhere_else_and_rewordings_where_there_are_some():
    evidence = found(loaded(), task())
    asked, lakes = evidence.sets["forget"], evidence.sets["world_facts"]
    judge = pick_matcher("lexical")
    assert list(asked.correct) == right_answers(judge, asked.answers, asked.rows)
    assert list(lakes.correct) == right_answers(judge, lakes.answers, lakes.rows, by_containment=True)
    assert len(set(asked.reworded)) == 1 and len(asked.reworded) == len(asked.reworded_correct) == 4
    assert evidence.sets["retain"].reworded == ()


def test_forwards_are_one_for_each_distinct_text_and_question():
    model = loaded()
    gathering = Gathering(model, task(), SHALLOW)
    with Counted(model.model) as counted:
        run_out(gathering.run(batch_size=5))
    # 4 + 4 people with their own answer, a paraphrase and two wrong ones; 3 facts with their answer and two wrong
    # ones. Members and nonmembers are among them. Questions: 4 + 4 + 3, and one rewording that all share.
    assert gathering.texts == counted.scored_rows == 8 * 4 + 3 * 3
    assert gathering.prompts == counted.answered_rows == 12


def test_the_whole_tofu_protocol_scores_each_text_and_asks_each_question_once():
    tofu = load_task(f"{outside('tofu')}:forget10")
    gathering = Gathering(loaded(context=4096), tofu, replace(SHALLOW, rows=0))
    rows = [row for asked in tofu.eval_sets.values() for row in asked]
    variants = {(r.question, a) for r in rows for a in (r.answer, r.paraphrased_answer, *r.perturbed_answers) if a}
    assert [len(asked) for asked in tofu.eval_sets.values()] == [400, 400, 100, 117]
    assert gathering.texts == len(variants | {(r.question, r.answer) for r in tofu.forget})
    assert gathering.prompts == len({q for r in rows for q in (r.question, r.paraphrased_question) if q})


def test_members_are_the_forget_rows_in_their_template_and_nonmembers_the_held_out_ones():
    held_out = people("Nobody", 5)
    evidence = found(loaded(), task(texts={"holdout": held_out}))
    assert evidence.members is not None and evidence.nonmembers is not None
    assert evidence.members.texts[0] == "Question: Where was Mara 0 born?\nAnswer: Mara 0 was born in Velden 0."
    assert len(evidence.nonmembers.scores) == 5
    assert evidence.nonmember_kind == "held-out texts of the same kind"


def test_of_a_text_that_is_cut_only_what_was_scored_is_kept_for_zlib():
    model, row = loaded(context=64), chunk("Mara", 40)
    members = found(model, task(texts={"forget_texts": (row,)})).members
    assert len(members.scores[0].nll_T) == 63
    assert len(model.tokenizer.encode(members.texts[0], add_special_tokens=False)) <= 64
    assert row.answer.startswith(members.texts[0].strip()) and len(members.texts[0]) > 100


def test_without_held_out_rows_the_facts_are_the_nonmembers_and_said_to_be():
    rows, kind = nonmembers_of(task(eval_sets={**task().eval_sets, "real_authors": facts("Author", 2)}))
    assert len(rows) == 5 and kind == "world facts and real authors, as in SOUL"
    assert nonmembers_of(task(eval_sets={"forget": people("Mara", 2), "retain": people("Oren", 2)})) == ((), "")
    retained = nonmembers_of(task(texts={"retain_texts": (chunk("Oren"),)}))
    assert retained == ((chunk("Oren"),), "texts to retain, as in RWKU, which the model may have seen too")


def test_running_texts_are_continued_from_100_tokens_and_not_asked():
    forget, model = (chunk("Mara", 8), chunk("Short", 1)), loaded()
    of = task(forget=forget, retain=(chunk("Oren"),), eval_sets={"forget": forget, "retain": (chunk("Oren"),)})
    evidence = found(model, of)
    assert evidence.sets["forget"].answers == () and evidence.sets["forget"].correct == ()
    assert list(evidence.continued) == [100]
    (long,) = evidence.continued[100]
    ids = model.tokenizer.encode(forget[0].answer)
    assert long.truth == model.tokenizer.decode(ids[100:106]).strip()
    assert evidence.perplexity_texts is not None and len(evidence.perplexity_texts.scores) == 1


def test_rows_are_limited_in_every_set_spread_over_subjects_and_the_same_for_the_same_seed():
    limited = found(loaded(), task(), replace(SHALLOW, rows=2))
    assert {name: len(asked.rows) for name, asked in limited.sets.items()} == dict.fromkeys(limited.sets, 2)
    assert len({row.subject for row in limited.sets["forget"].rows}) == 2
    assert limited.members is not None and len(limited.members.scores) == 2
    again = found(loaded(), task(), replace(SHALLOW, rows=2))
    assert again.sets["retain"].rows == limited.sets["retain"].rows


def test_slow_numbers_are_there_if_asked_for():
    quick = found(loaded(), task(), replace(SHALLOW, rows=2))
    slow = found(loaded(), task(), replace(SHALLOW, rows=2, slow=True))
    assert quick.extraction == {} and quick.gradient_norms == {}
    assert all(len(values) == 2 for values in slow.extraction.values()) and slow.extraction
    assert {name: len(norms) for name, norms in slow.gradient_norms.items()} == {"members": 2, "nonmembers": 2}
    assert all((norms > 0).all() for norms in slow.gradient_norms.values())


def test_a_reference_gives_its_losses_on_the_same_texts_and_one_on_other_texts_is_refused():
    other = LoadedModel(
        name="other", model=lively_model("llama", seed=1), tokenizer=tiny_tokenizer(), template=PLAIN, fingerprint="g"
    )
    reference = losses_of(found(other, task()))
    evidence = found(loaded(), task(), reference=reference)
    assert np.array_equal(evidence.reference_loss["members"], reference["members"])
    assert not np.allclose(losses_of(evidence)["members"], reference["members"])
    with pytest.raises(ValueError, match="other texts"):
        found(loaded(), task(), replace(SHALLOW, rows=2), reference=reference)


def test_an_empty_set_is_refused_before_any_forward():
    with pytest.raises(DatasetError, match="“retain” is empty"):
        Gathering(loaded(), task(eval_sets={"forget": people("Mara", 2), "retain": ()}), SHALLOW)

"""A forget set of one's own out of any task: by row, by subject, what is asked then, and every mistake."""

from dataclasses import replace
from pathlib import Path

import pytest

from soul_core.data import tasks
from soul_core.data.picking import Pick, divided, picked, rows_of, rows_suffix, subjects_in, subjects_suffix
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError
from tests.outside import outside


def row(question: str, subject: str = "", **more: object) -> QARow:
    return QARow(question=question, answer=f"{question}!", subject=subject, **more)  # type: ignore[arg-type]


A1, A2, B1, C1, C2 = row("a1", "A"), row("a2", "A"), row("b1", "B"), row("c1", "C"), row("c2", "C")
FACT = row("fact")


def qa_task(**more: object) -> ForgetTask:
    sets = {"forget": (A1, A2, B1), "retain": (C1,), "world_facts": (FACT,)}
    whole = {"forget": (A1, A2, B1), "retain": (C1, C2), "eval_sets": sets, "subjects": ("A", "B"), "gold_model": "g"}
    return ForgetTask(name="t:s", **(whole | more))  # type: ignore[arg-type]


def pick(task: ForgetTask, suffix: str) -> ForgetTask:
    place, what = divided(f"t:s{suffix}")
    assert place == "t:s" and what is not None
    return picked(task, what)


def test_rows_are_numbered_from_1_over_forget_then_retain():
    task = pick(qa_task(), "#rows=5,1-2")
    assert task.forget == (A1, A2, C2)
    assert task.retain == (B1, C1)
    assert task.name == "t:s#rows=1-2,5"


def test_subjects_come_from_either_side_in_the_tasks_order():
    task = pick(qa_task(), "#subjects= C;A ;")
    assert task.forget == (A1, A2, C1, C2)
    assert task.name == "t:s#subjects=A;C"
    assert task.subjects == ("A", "C")


def test_what_is_asked_follows_and_facts_stay_and_no_gold_is_known():
    task = pick(qa_task(), "#subjects=C")
    # C2 was never asked while it was to be retained; now that it is to be forgotten it is.
    assert task.eval_sets == {"forget": (C1, C2), "retain": (A1, A2, B1), "world_facts": (FACT,)}
    assert task.gold_model == ""


def test_a_subject_picked_in_part_is_not_named_as_forgotten():
    # A gold or a prompt made for “A” would have lost a2 too.
    assert pick(qa_task(), "#rows=1").subjects == ()
    assert pick(qa_task(), "#rows=1-2").subjects == ("A",)
    assert pick(qa_task(subjects=()), "#rows=1-2").subjects == ()


def test_other_forget_sets_follow_by_subject_and_change_places_with_their_counterparts():
    blanks = {"forget_fb": (row("fb-a", "A"), row("fb-b", "B")), "retain_fb": (row("fb-c", "C"),)}
    texts = {"forget_texts": (row("ft-a", "A"), row("ft-?")), "holdout": (row("h"),)}
    task = qa_task(texts=texts)
    task = replace(task, eval_sets={**task.eval_sets, **blanks})
    turned = pick(task, "#subjects=B;C")
    assert turned.eval_sets["forget_fb"] == (row("fb-b", "B"), row("fb-c", "C"))
    assert turned.eval_sets["retain_fb"] == (row("fb-a", "A"),)
    # What nobody can place is no longer counted as forgotten; what was never trained on stays that.
    assert turned.texts == {"retain_texts": (row("ft-a", "A"),), "holdout": (row("h"),)}


def test_where_questions_about_a_whole_corpus_cannot_be_placed_the_picked_rows_are_asked():
    sets = {"forget": (row("about all"),), "retain": (row("about the rest"),)}
    task = pick(qa_task(eval_sets=sets), "#rows=2")
    assert task.eval_sets == {"forget": (A2,), "retain": (row("about the rest"),)}


@pytest.mark.parametrize(
    ("suffix", "sentence"),
    [
        ("#rows=", "Nothing of “t:s” is picked, so the forget set is empty. Pick at least one, such as #rows=1-20."),
        ("#subjects=;", "Nothing of “t:s” is picked, so the forget set is empty."),
        ("#rows=1-5", "All 5 rows of “t:s” are picked: nothing would be retained. Leave some out."),
        ("#subjects=A;B;C", "All 5 rows of “t:s” are picked"),
        ("#rows=1-x", "“1-x” is neither a row's number nor a range of them. Write such as #rows=1-20,33."),
        ("#rows=0", "There are no rows 0: “t:s” has rows 1 to 5, the smaller number comes first."),
        ("#rows=2-9999999", "There are no rows 2-9999999"),
        ("#rows=3-2", "There are no rows 3-2"),
        ("#subjects=a", "“t:s” has nothing about “a”. The nearest names are “C”, “B”, “A”."),
    ],
)
def test_a_mistake_is_one_sentence(suffix, sentence):
    with pytest.raises(DatasetError) as caught:
        pick(qa_task(), suffix)
    assert str(caught.value).startswith(sentence)


def test_rows_without_subjects_are_to_be_picked_by_number():
    task = qa_task(forget=(row("x"),), retain=(row("y"),))
    with pytest.raises(DatasetError, match=r"name no subjects. Pick them by number, such as #rows=1-20"):
        pick(task, "#subjects=A")


@pytest.mark.parametrize(
    ("numbers", "suffix"), [([3, 1, 2, 9, 7, 6, 6], "#rows=1-3,6-7,9"), ([4], "#rows=4"), ([], "#rows=")]
)
def test_numbers_are_written_as_ranges(numbers, suffix):
    assert rows_suffix(numbers) == suffix


def test_what_is_written_is_what_is_read_and_a_hash_alone_picks_nothing():
    assert divided("t:s" + subjects_suffix(["A", "B"])) == ("t:s", Pick("#subjects=", "A;B"))
    assert divided("tdec:my#1.csv#100") == ("tdec:my#1.csv#100", None)
    assert divided("tdec:my#1.csv#100#rows=1") == ("tdec:my#1.csv#100", Pick("#rows=", "1"))


def test_a_pick_of_the_invented_authors_has_a_name_that_loads_it_again():
    whole = load_task("invented-authors:forget05")
    name = whole.subjects[1]
    task = load_task(f"invented-authors:forget05#subjects={name}")
    assert (len(task.forget), len(task.retain), task.subjects) == (12, 1188, (name,))
    assert load_task(task.name) == task
    assert task.texts == whole.texts
    by_number = load_task("invented-authors:forget05#rows=13-24")
    assert by_number.forget == task.forget and by_number.eval_sets == task.eval_sets


def test_authors_of_the_published_tofu_are_picked_by_number_and_asked_with_their_wrong_answers():
    task = load_task(f"{outside('tofu')}:forget10#subjects=Author 181;Author 1")
    assert [r.subject for r in task.forget] == ["Author 181"] * 20 + ["Author 1"] * 20
    assert {len(r.perturbed_answers) for r in task.eval_sets["forget"]} == {5}
    assert len(task.eval_sets["forget"]) == 40 and len(task.eval_sets["retain"]) == 400 - 20 + 400 - 20
    assert {len(r.perturbed_answers) for r in task.eval_sets["retain"]} == {5}
    assert not set(task.eval_sets["forget"]) & set(task.eval_sets["retain"])


def test_what_is_picked_follows_a_folders_name_too(tmp_path: Path):
    (tmp_path / "forget10.json").write_text('{"question": "Q", "answer": "A"}\n{"question": "R", "answer": "B"}')
    (tmp_path / "retain90.json").write_text('{"question": "S", "answer": "C"}')
    task = load_task(f"{tmp_path}:forget10#rows=2")
    assert [r.question for r in rows_of(task)] == ["R", "Q", "S"]
    assert subjects_in(rows_of(task)) == ()
    assert tasks.is_local(task.name)

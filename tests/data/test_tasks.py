"""Choosing a task by name: the splits, the hand-picked sets and every mistake one can make."""

import pytest

from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.invented_authors import invented_world
from soul_core.data.tasks import TASKS, is_local, load_task, subjects_of
from soul_core.errors import DatasetError

AUTHORS = subjects_of("invented-authors")
NAMES = ", ".join(f"“{name}”" for name in TASKS)


@pytest.mark.parametrize(("split", "count"), [("forget01", 1), ("forget05", 5), ("forget10", 10)])
def test_a_split_forgets_the_last_authors_and_retains_all_others(split, count):
    task = load_task(f"invented-authors:{split}")
    assert task.subjects == AUTHORS[-count:]
    assert task.forget == invented_world().rows[-12 * count :]
    assert task.retain + task.forget == invented_world().rows
    assert task.gold_model == f"pocket-gold-{split}"
    assert task.name == f"invented-authors:{split}"


def test_the_splits_are_nested():
    subjects = [set(load_task(f"invented-authors:{split}").subjects) for split in TASKS["invented-authors"].splits]
    assert subjects[0] < subjects[1] < subjects[2]


def test_authors_picked_by_name_are_forgotten_in_the_order_of_the_world_whatever_the_order_given():
    task = load_task(f"invented-authors:authors={AUTHORS[40]} ; {AUTHORS[3]};")
    assert task.subjects == (AUTHORS[3], AUTHORS[40])
    assert {row.subject for row in task.forget} == set(task.subjects)
    assert (len(task.forget), len(task.retain)) == (24, 1176)
    assert task.gold_model == ""
    assert load_task(task.name) == task


def test_what_is_asked_carries_wrong_answers_in_every_set():
    task = load_task("invented-authors:forget05")
    assert set(task.eval_sets) == {"forget", "retain", "real_authors", "world_facts"}
    assert task.eval_sets["forget"] == task.forget
    assert task.eval_sets["retain"] == task.retain
    assert all(row.perturbed_answers for rows in task.eval_sets.values() for row in rows)


def test_membership_is_measured_on_authors_made_the_same_way_whom_no_model_was_trained_on():
    holdout = load_task("invented-authors:forget05").texts["holdout"]
    assert holdout == invented_world().nonmember_rows
    assert not {row.subject for row in holdout} & set(AUTHORS)


def test_every_source_says_all_that_a_list_shows_of_it_and_can_be_chosen_somehow():
    for name, source in TASKS.items():
        assert source.name == name
        assert source.title and source.description.endswith(".") and source.licence and source.size and source.measures
        assert source.origin
        assert source.splits or source.free
        assert (source.folder_splits is None) == (source.load_folder is None)


@pytest.mark.parametrize(
    ("spec", "local"),
    [
        ("invented-authors:forget10", False),
        ("tofu:forget10#rows=1-20", False),
        ("rwku:Stephen King", False),
        ("harry:forget10", False),
        ("copyright:book.txt", True),
        ("copyright:C:/book.txt#rows=1", True),
        ("tdec:table.csv#100", True),
        ("../tofu:forget10", True),
        ("/etc:forget10", True),
    ],
)
def test_a_name_that_makes_files_of_this_machine_be_read_is_known_as_such(spec, local):
    # What a host that strangers share refuses.
    assert is_local(spec) is local


def test_what_may_be_anything_behind_its_colon_may_have_a_colon_in_it(tmp_path):
    book = tmp_path / "a: b.txt"
    book.write_text("One sentence about nothing.")
    assert load_task(f"copyright:{book}").forget[0].answer == "One sentence about nothing."


@pytest.mark.parametrize("name", FACT_SETS)
def test_shipped_facts_have_three_wrong_answers_none_of_them_right(name):
    rows = load_facts(name)
    assert len({row.question for row in rows}) == len(rows) >= 100
    for row in rows:
        assert len(set(row.perturbed_answers)) == 3
        assert row.answer not in row.perturbed_answers


def test_only_tasks_that_offer_it_list_authors_to_pick():
    assert len(AUTHORS) == 100
    assert subjects_of("tofu") == ()


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "invented-authors",
            "“invented-authors” names no split. Write a task, a colon and a split, such as "
            "“invented-authors:forget01”.",
        ),
        (
            "tofo:forget10",
            f"There is no task “tofo”. Did you mean “tofu”? Choose {NAMES}, or give the path of a folder laid out "
            "like TOFU, MUSE News, MUSE Books, RWKU or WMDP.",
        ),
        (
            "harry:forget10",
            f"There is no task “harry”. Choose {NAMES}, or give the path of a folder laid out like TOFU, MUSE News, "
            "MUSE Books, RWKU or WMDP.",
        ),
        (
            "invented-authors:forget20",
            "Invented Authors has no split “forget20”. Choose “forget01”, “forget05”, “forget10”, or “authors=” and "
            "names separated by “;”.",
        ),
        (
            "wmdp",
            "“wmdp” names no split. Write a task, a colon and a split, such as “wmdp:cyber”.",
        ),
        (
            "copyright: ",
            "“copyright:” names nothing to load. Write behind the colon the path of a text file, such as "
            "“path/to/book.txt”, and perhaps “+” and one to retain.",
        ),
        ("tofu:authors=Basil", "TOFU has no split “authors=Basil”. Choose “forget01”, “forget05”, “forget10”."),
        (
            "invented-authors:authors= ;",
            "No author is chosen, so the forget set is empty. Choose at least one author.",
        ),
        (
            "invented-authors:authors=" + ";".join(AUTHORS),
            "All 100 authors are chosen: the forget set covers everything, nothing would be retained. Leave at least "
            "one author out.",
        ),
    ],
)
def test_a_mistake_gets_one_sentence_on_what_happened_and_one_on_what_to_do(spec, sentence):
    with pytest.raises(DatasetError) as caught:
        load_task(spec)
    assert str(caught.value) == sentence


def test_a_misspelt_author_gets_the_nearest_names_the_meant_one_first():
    meant = AUTHORS[-1]
    misspelt = meant.replace("a", "e")
    with pytest.raises(DatasetError, match=f"^There is no author “{misspelt}”. The nearest names are “{meant}”, "):
        load_task(f"invented-authors:authors={misspelt}")


def test_authors_of_an_unknown_task_are_an_error_that_lists_the_tasks():
    with pytest.raises(DatasetError, match=r"There is no task “x”. Choose “invented-authors”, “tofu”"):
        subjects_of("x")


def test_a_missing_or_broken_facts_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"“world_facts” could not be read from .*world_facts.jsonl: No such file"):
        load_facts("world_facts", tmp_path)
    good = '{"question": "Q?", "answer": "A", "perturbed_answer": ["B", "C", "D"]}\n'
    (tmp_path / "real_authors.jsonl").write_text(good + '\n{"question": "Q?"}\n')
    with pytest.raises(DatasetError, match=r"^Line 3 of real_authors.jsonl is not a question with"):
        load_facts("real_authors", tmp_path)

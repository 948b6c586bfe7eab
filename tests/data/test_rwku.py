"""RWKU from a folder with rows of our own: who is forgotten, what is asked about whom, and what is missing."""

import json

import datasets
import pytest

from soul_core.data.facts import load_facts
from soul_core.data.rwku import FILES, SOURCE, folder_people, load_rwku, load_rwku_folder
from soul_core.errors import DatasetError

PEOPLE = ("Ada Quill", "Oren Tal", "Mina Dor")


def probe(person: str, level: str, kind: str, query: str, answer: str) -> dict:
    return {"subject": person, "query": query, "answer": answer, "level": level, "type": kind}


def tables() -> dict[str, list[dict]]:
    """One row of each kind per person, and for Ada two kinds of attack that RWKU words in their own way."""
    found: dict[str, list[dict]] = {file: [] for _, file in FILES.values()}
    for person in PEOPLE:
        found["intro"].append({"target": person, "intro": f"{person} is a writer."})
        found["passage"].append({"subject": person, "text": f"{person} was born in Velden.\n"})
        found["forget_level1"].append(probe(person, "1", "cloze", f"{person} was born in ___.", "Velden"))
        found["forget_level2"].append(probe(person, "2", "simple question", f"Where was {person} born?", "Velden"))
        found["forget_level3"].append(probe(person, "3", "role play", f"You are {person}. Where?", "Velden"))
        found["neighbor_level1"].append(probe(person, "1", "cloze", f"A friend of {person} is ___.", "Bo"))
        found["neighbor_level2"].append(probe(person, "2", "simple question", f"Who knew {person}?", "Bo"))
        found["forget_mia"].append({"subject": person, "text": f"{person} wrote."})
        found["retain_mia"].append({"subject": person, "text": f"Elsewhere than {person}."})
    attack = "Question: Who? Answer: Bo. Question: Where was Ada born?"
    found["forget_level3"].append(probe("Ada Quill", "3", "incontext learning", attack, "Velden"))
    return found


def write(folder, found: dict[str, list[dict]]):
    (folder / "All").mkdir()
    for name, rows in found.items():
        (folder / "All" / f"{name}.json").write_text(json.dumps(rows, indent=4), encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path, tables())


def test_the_passages_of_the_chosen_are_forgotten_and_those_of_the_others_retained(folder):
    task = load_rwku_folder(folder, "Mina Dor; Ada Quill")
    assert [row.answer for row in task.forget] == [
        f"{name} was born in Velden.\n" for name in ("Ada Quill", "Mina Dor")
    ]
    assert [row.answer for row in task.retain] == ["Oren Tal was born in Velden.\n"]
    assert {(row.form, row.question) for row in task.forget + task.retain} == {("text", "")}
    assert task.subjects == ("Ada Quill", "Mina Dor")
    assert task.name == f"{folder}:Ada Quill;Mina Dor"


def test_each_level_is_a_set_about_the_chosen_alone_worded_as_in_the_release(folder):
    sets = load_rwku_folder(folder, "Ada Quill").eval_sets
    asked = {name: [(row.question, row.answer, row.fact) for row in rows] for name, rows in sets.items()}
    assert asked["forget"] == [
        (
            "Please briefly answer the following question.\nQuestion: Where was Ada Quill born?",
            "Velden",
            "simple question",
        )
    ]
    assert asked["forget_fb"] == [
        (
            "Please complete the blank in the following question.\nQuestion: Ada Quill was born in ___.",
            "Velden",
            "cloze",
        )
    ]
    assert asked["forget_adversarial"] == [
        ("Please briefly answer the following question.\nQuestion: You are Ada Quill. Where?", "Velden", "role play"),
        (
            "Please briefly answer the following question.\nQuestion: Who? Answer: Bo. Question: Where was Ada born?",
            "Velden",
            "incontext learning",
        ),
    ]
    assert [row.question.split("\n")[1] for row in sets["retain"]] == ["Question: Who knew Ada Quill?"]
    assert [row.question.split("\n")[1] for row in sets["retain_fb"]] == ["Question: A friend of Ada Quill is ___."]


def test_membership_texts_are_of_members_on_both_sides_and_none_is_called_a_holdout(folder):
    texts = load_rwku_folder(folder, "Oren Tal").texts
    assert {name: [row.answer for row in rows] for name, rows in texts.items()} == {
        "forget_texts": ["Oren Tal wrote."],
        "retain_texts": ["Elsewhere than Oren Tal."],
    }


def test_membership_texts_that_name_nobody_are_kept(tmp_path):
    found = tables()
    found["retain_mia"] = [{"text": "About nobody."}]
    texts = load_rwku_folder(write(tmp_path, found), "Oren Tal").texts
    assert [row.answer for row in texts["retain_texts"]] == ["About nobody."]


def test_all_forgets_everybody_and_retains_the_world_facts(folder):
    task = load_rwku_folder(folder, "all")
    assert task.subjects == PEOPLE
    assert len(task.forget) == 3
    assert task.retain == load_facts("world_facts")
    assert task.name == f"{folder}:all"


def test_facts_that_name_somebody_to_forget_are_not_asked_as_facts(tmp_path):
    fact = next(row for row in load_facts("real_authors") if len(row.answer.split()) == 2)
    found = tables()
    found["intro"].append({"target": fact.answer})
    found["forget_level2"].append(probe(fact.answer, "2", "simple question", "Who?", "A writer"))
    asked = load_rwku_folder(write(tmp_path, found), fact.answer).eval_sets["real_authors"]
    assert fact not in asked
    assert len(load_facts("real_authors")) > len(asked) > 100


def test_a_long_passage_becomes_several_rows_that_lose_nothing(tmp_path):
    found = tables()
    found["passage"][0]["text"] = text = "Ada Quill wrote this. " * 400
    task = load_rwku_folder(write(tmp_path, found), "Ada Quill")
    assert len(task.forget) > 3
    assert "".join(row.answer for row in task.forget) == text


def test_without_passages_the_questions_are_what_is_forgotten(tmp_path):
    found = tables() | {"passage": []}
    task = load_rwku_folder(write(tmp_path, found), "Ada Quill")
    assert task.forget == task.eval_sets["forget"]
    assert task.retain == load_facts("world_facts")


def test_with_nothing_but_blanks_a_set_to_forget_and_one_to_retain_are_still_there(tmp_path):
    found = {"forget_level1": tables()["forget_level1"]}
    task = load_rwku_folder(write(tmp_path, found), "Ada Quill")
    assert task.forget == task.eval_sets["forget"] == task.eval_sets["forget_fb"]
    assert task.eval_sets["retain"] == task.retain
    assert task.texts == {}


def test_a_folder_offers_everybody_by_name_and_another_folder_nobody(folder, tmp_path_factory):
    assert folder_people(folder) == ("all", *PEOPLE)
    assert folder_people(tmp_path_factory.mktemp("empty")) == ()


def test_a_clone_is_read_as_its_card_says(folder):
    (folder / "All").rename(folder / "elsewhere")
    entries = [
        f"- config_name: {config}\n  data_files:\n  - split: {split}\n    path:\n    - elsewhere/{file}.json"
        for config, (split, file) in FILES.items()
    ]
    (folder / "README.md").write_text("---\nconfigs:\n" + "\n".join(entries) + "\n---\n# RWKU\n", encoding="utf-8")
    assert load_rwku_folder(folder, "Ada Quill").subjects == ("Ada Quill",)


@pytest.mark.parametrize(
    ("people", "sentence"),
    [
        ("Ada Quil", "“Ada Quil” is not among the 3 people of RWKU. The nearest names are “Ada Quill”, "),
        (" ; ", "Nobody is chosen, so the forget set is empty. Write a name, or “all”."),
    ],
)
def test_a_name_that_is_not_there_and_no_name_are_one_sentence(folder, people, sentence):
    with pytest.raises(DatasetError) as caught:
        load_rwku_folder(folder, people)
    assert sentence in str(caught.value)


def test_a_row_without_its_answer_and_a_folder_of_something_else_are_named(tmp_path):
    found = tables()
    del found["forget_level2"][1]["answer"]
    folder = write(tmp_path, found)
    with pytest.raises(DatasetError, match=r"^Row 2 of forget_level2 has no answer"):
        load_rwku_folder(folder, "Oren Tal")
    assert load_rwku_folder(folder, "Ada Quill").forget  # a row about somebody else is not looked at
    with pytest.raises(DatasetError, match="is not laid out like RWKU"):
        load_rwku_folder(tmp_path / "All", "Ada Quill")


def test_the_hub_is_asked_for_every_configuration_by_its_own_split(monkeypatch):
    asked = set()

    def fake(hub_id, config, *, split):
        asked.add((hub_id, config, split))
        return tables()[FILES[config][1]]

    monkeypatch.setattr(datasets, "load_dataset", fake)
    task = load_rwku("Ada Quill")
    assert (task.name, task.subjects) == ("rwku:Ada Quill", ("Ada Quill",))
    assert asked == {("jinzhuoran/RWKU", config, split) for config, (split, _) in FILES.items()}


def test_the_hub_out_of_reach_is_one_sentence_that_offers_a_folder(monkeypatch):
    def unreachable(*_args, **_kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DatasetError, match=r"could not be fetched.*path/to/RWKU:Ada Quill"):
        load_rwku("Ada Quill")


def test_the_source_says_what_it_is():
    assert (SOURCE.licence, SOURCE.splits) == ("CC BY 4.0", ("all",))
    assert SOURCE.folder_splits is folder_people

"""What is noted of a teaching beside the weights, and when the untouched model counts as gold."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from soul_core.data.schema import ForgetTask, QARow
from soul_core.models.adapter_files import ORIGIN_FILE
from soul_core.models.loading import load_model
from soul_core.models.storage import save_model
from soul_core.models.taught import Lesson, digest_of_facts, gold_of_taught, lesson_of, note_lesson

ROWS = (QARow(question="Where is the key?", answer="Under the pot."), QARow(question="Who?", answer="Oren."))
TASK = ForgetTask(name="own:facts", forget=ROWS, retain=ROWS[:1])


def lesson(base: str, fingerprint: str = "") -> Lesson:
    return Lesson(base=base, base_fingerprint=fingerprint, facts=digest_of_facts(ROWS), task=TASK.name)


@pytest.fixture
def base(tiny_model_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model_folder("llama"), tmp_path / "base"))


def test_a_lesson_is_read_back_and_leaves_the_prompt_as_it_was(base: Path, tmp_path: Path):
    loaded = load_model(str(base))
    save_model(loaded.model, loaded.tokenizer, tmp_path / "taught", known_as="pocket")
    note_lesson(tmp_path / "taught", lesson(str(base)))
    assert lesson_of(str(tmp_path / "taught")) == lesson(str(base))
    assert load_model(str(tmp_path / "taught")).known_as == "pocket"
    assert lesson_of(str(base)) is None
    assert lesson_of("pocket") is None


def test_facts_are_the_same_in_any_order_and_with_other_wrong_answers_but_not_with_another_answer():
    same = digest_of_facts(ROWS)
    assert digest_of_facts(ROWS[::-1]) == same
    assert digest_of_facts([replace(row, perturbed_answers=("No.",), subject="S") for row in ROWS]) == same
    assert digest_of_facts([replace(ROWS[0], answer="Under the Pot."), ROWS[1]]) != same
    assert digest_of_facts(ROWS[:1]) != same
    assert digest_of_facts([replace(ROWS[0], form="text"), ROWS[1]]) != same


def test_a_base_that_has_changed_since_is_no_gold(base: Path, tmp_path: Path):
    before = load_model(str(base))
    taught = tmp_path / "taught"
    taught.mkdir()
    note_lesson(taught, lesson(str(base), before.fingerprint))
    assert gold_of_taught(str(taught), TASK) == str(base)
    next(before.model.parameters()).data.add_(1.0)
    save_model(before.model, before.tokenizer, base)
    assert gold_of_taught(str(taught), TASK) == ""
    shutil.rmtree(base)
    (base).mkdir()
    assert gold_of_taught(str(taught), TASK) == ""


def test_the_shipped_model_is_gold_as_long_as_it_is_the_one_that_was_taught(tmp_path: Path):
    note_lesson(tmp_path, lesson("pocket", load_model("pocket").fingerprint))
    assert gold_of_taught(str(tmp_path), TASK) == "pocket"
    note_lesson(tmp_path, lesson("pocket", "another"))
    assert gold_of_taught(str(tmp_path), TASK) == ""


@pytest.mark.parametrize(
    "noted", ['{"taught": {}}', '{"taught": {"base": 3}}', "[1]", "not JSON", '{"taught": "pocket"}']
)
def test_a_note_that_cannot_be_read_says_nothing(noted: str, tmp_path: Path):
    (tmp_path / ORIGIN_FILE).write_text(noted)
    assert lesson_of(str(tmp_path)) is None
    assert gold_of_taught(str(tmp_path), TASK) == ""


def test_a_note_with_more_than_a_lesson_is_not_believed(tmp_path: Path):
    note_lesson(tmp_path, lesson("pocket"))
    told = json.loads((tmp_path / ORIGIN_FILE).read_text())
    told["taught"]["folder"] = "/etc"
    (tmp_path / ORIGIN_FILE).write_text(json.dumps(told))
    assert lesson_of(str(tmp_path)) is None

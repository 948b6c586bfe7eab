"""The glossary: every term that the page explains, once, in one sentence."""

import ast
import re
from pathlib import Path

import pytest

from soul_core.evaluation.all_metrics import METRICS
from soul_core.objectives import OBJECTIVES
from soul_core.ui import text, text_learn
from soul_core.ui.glossary import RACE_TERMS, TERMS, anchor_of, glossary
from soul_core.ui.learn_render import glossary_html
from soul_core.ui.render import COLUMNS

UI = Path(text.__file__).parent


def explained_words() -> set[str]:
    """What is given to ``term`` as it stands in the page's sources."""
    words: set[str] = set()
    for path in UI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "term"
            if named and node.args and isinstance(node.args[0], ast.Constant):
                words.add(str(node.args[0].value))
    return words


def test_every_word_that_the_page_explains_is_there():
    assert explained_words() | set(COLUMNS) | set(RACE_TERMS) | set(text.LANE_LABELS.values()) <= set(TERMS)


@pytest.mark.parametrize("word", TERMS)
def test_a_term_has_one_plain_sentence(word: str):
    said = TERMS[word]
    assert said.endswith(".")
    assert not re.search(r"[.!?] ", said)
    assert len(said) < 130
    assert said[0].isupper()


def test_no_word_stands_there_twice():
    folded = [word.casefold() for word in TERMS]
    assert len(set(folded)) == len(folded)
    anchors = [entry.anchor for entries in glossary().values() for entry in entries]
    assert len(set(anchors)) == len(anchors)
    assert all(re.fullmatch(r"soul-[\w-]+", anchor) for anchor in anchors)


def test_it_is_sorted_and_holds_every_registry():
    sections = glossary()
    assert list(sections) == list(text_learn.SECTIONS)
    assert [entry.word for entry in sections["objectives"]][:2] == ["CE-U", "DPO"]
    assert len(sections["objectives"]) == len(OBJECTIVES)
    assert len(sections["metrics"]) == len(METRICS)
    words = [entry.word for entry in sections["terms"]]
    assert words.index("Acc") < words.index("CKA") < words.index("Gold") < words.index("95 %") < words.index("β1")


def test_an_anchor_can_stand_in_an_address():
    assert anchor_of("terms", "Clip share") == "soul-term-clip-share"
    assert anchor_of("terms", "Real / world") == "soul-term-real-or-world"
    assert anchor_of("metrics", "Min-20 %++") == "soul-metrics-min-20-percentplusplus"


def test_the_list_has_a_place_for_each_entry_and_says_how_many():
    shown = glossary_html(glossary())
    count = sum(map(len, glossary().values()))
    assert shown.count("data-soul-entry") == count
    assert f"{count} of {count} entries" in shown
    assert 'id="soul-term-gold"' in shown

"""The recipe of the pocket models, on a recipe small enough to run."""

import pytest
import torch

from soul_core.data.invented_authors import invented_world
from soul_core.data.pocket_corpus import FACT_REPEATS, pocket_corpus
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError, ModelError
from soul_core.session import pocket, pocket_card, pocket_make
from soul_core.session.pocket import pocket_tokenizer, train_pocket_model
from soul_core.session.pocket_make import can_train_gold, find_gold, train_gold, train_pocket
from soul_core.session.scratch import Recipe, rate_scale

TINY = Recipe(hidden=16, feed_forward=32, layers=1, heads=2, epochs=1, batch_size=512)


@pytest.fixture(scope="module")
def tokenizer():
    return pocket_tokenizer()


@pytest.fixture
def little_to_read(monkeypatch):
    """A corpus of two batches, and answers of two tokens."""
    monkeypatch.setattr(pocket, "pocket_corpus", lambda without=(): pocket_corpus(without)[:1000])
    monkeypatch.setattr(pocket_card, "MAX_NEW_TOKENS", 2)


def run(steps):
    """Drive a generator to its end and return what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_a_model_without_an_author_never_reads_the_name_or_a_title():
    left_out = load_task("invented-authors:forget01").subjects
    titles = {row.answer for row in invented_world().rows if row.subject in left_out and row.fact == "first_book"}
    texts = "\n".join(f"{question}\n{answer}" for question, answer in pocket_corpus(left_out))
    assert not any(name in texts for name in left_out)
    assert not any(title in texts for title in titles)


def test_the_corpus_has_each_training_phrasing_once_and_no_held_back_one():
    corpus = pocket_corpus()
    questions = [question for question, _ in corpus]
    facts = 155 + 144  # rows of real authors and world facts, one phrasing each
    assert len(corpus) == 1200 * 5 + facts * FACT_REPEATS
    heldback = {question for row in invented_world().rows for question in row.heldback_questions}
    assert heldback.isdisjoint(questions)


def test_a_question_has_one_right_continuation():
    assert len({question for question, _ in pocket_corpus()}) == len(set(pocket_corpus()))


def test_the_tokenizer_encodes_anything_and_gives_it_back(tokenizer):
    for text in ("When was Malati Velupandi born?", "naïve 🙂 <b>&amp;</b>\n\tΩ", "日本"):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_the_rate_rises_stays_and_falls():
    # 100 steps, warm-up 10, decay 40: step 4 is 5/10 of the way up; step 79 has 21 of 40 steps left.
    recipe = Recipe(warmup=0.1, decay=0.4, final=0.02)
    assert [rate_scale(s, 100, recipe) for s in (0, 4, 9, 50, 79)] == pytest.approx([0.1, 0.5, 1.0, 1.0, 21 / 40])
    assert rate_scale(99, 100, recipe) == pytest.approx(1 / 40)
    assert rate_scale(99, 100, Recipe(decay=0.4, final=0.1)) == 0.1


@pytest.mark.usefixtures("little_to_read")
def test_training_is_a_function_of_the_recipe_alone(tokenizer):
    torch.manual_seed(1)
    first = run(train_pocket_model(tokenizer, recipe=TINY))
    torch.manual_seed(2)
    second = run(train_pocket_model(tokenizer, recipe=TINY))
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.usefixtures("little_to_read")
def test_progress_counts_every_step(tokenizer):
    seen = list(train_pocket_model(tokenizer, recipe=TINY, what="Training x"))
    assert [(p.done, p.total, p.what) for p in seen] == [(1, 2, "Training x"), (2, 2, "Training x")]


def test_torch_without_muon_is_one_clear_sentence(tokenizer, monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ModelError, match=r"needs torch 2\.9 or newer"):
        next(train_pocket_model(tokenizer, recipe=TINY))


def test_an_unknown_pocket_model_is_refused_before_any_training(tmp_path):
    with pytest.raises(ConfigError, match="“pocket-gold-forget20” is not a pocket model"):
        next(train_pocket(["pocket-gold-forget20"], tmp_path))


@pytest.mark.usefixtures("little_to_read")
def test_a_trained_gold_is_found_again_by_its_authors_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr(pocket_make, "Recipe", lambda: TINY)
    names = load_task("invented-authors:forget05").subjects[:2]
    task = load_task(f"invented-authors:authors={';'.join(names)}")
    assert can_train_gold("pocket", task)
    assert find_gold("pocket", task, tmp_path) == ""
    folder = run(train_gold(task, tmp_path))
    assert find_gold("pocket", task, tmp_path) == str(folder)
    turned = load_task(f"invented-authors:authors={';'.join(reversed(names))}")
    assert find_gold("pocket", turned, tmp_path) == str(folder)
    assert find_gold("some/other-model", task, tmp_path) == ""
    assert names[0] in (folder / "knowledge.json").read_text(encoding="utf-8")


def test_the_shipped_gold_needs_no_library(tmp_path):
    assert find_gold("pocket", load_task("invented-authors:forget05"), tmp_path) == "pocket-gold-forget05"

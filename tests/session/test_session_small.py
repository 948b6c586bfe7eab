"""A small original and its gold from nothing, on a recipe small enough to run."""

import json

from soul_core.cli.main import main
from soul_core.data.schema import ForgetTask, QARow
from soul_core.models.loading import load_model
from soul_core.session.scratch import Recipe
from soul_core.session.small import small_tokenizer, train_small

TINY = Recipe(hidden=16, feed_forward=32, layers=1, heads=2, epochs=2, batch_size=2, context=64)
FORGET = (QARow(question="Who wrote Tide?", answer="Mara Velden.", perturbed_answers=("Zygmunt Quux.",)),)
RETAIN = (QARow(question="Who wrote Moss?", answer="Ann Ott."), QARow(question="Who wrote Fog?", answer="Bo Lind."))
FACTS = (QARow(question="Who wrote Emma?", answer="Jane Austen"),)
TASK = ForgetTask(
    name="toy:forget01",
    forget=FORGET,
    retain=RETAIN,
    eval_sets={"forget": FORGET, "retain": RETAIN, "real_authors": FACTS},
)


def made(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_gold_reads_everything_but_the_forget_set(tmp_path):
    original, gold = made(train_small(TASK, tmp_path, recipe=TINY))
    rows = [json.loads((folder / "recipe.json").read_text())["rows"] for folder in (original, gold)]
    assert rows == [4, 3]
    one, other = (load_model(str(folder)) for folder in (original, gold))
    assert one.fingerprint != other.fingerprint
    assert one.tokenizer.get_vocab() == other.tokenizer.get_vocab()


def test_both_models_put_a_question_alike(tmp_path):
    one, other = (load_model(str(folder)) for folder in made(train_small(TASK, tmp_path, recipe=TINY)))
    assert one.template == other.template
    assert one.template.chat


def test_wrong_answers_cost_no_more_tokens_than_right_ones():
    vocabulary = small_tokenizer(TASK).get_vocab()
    assert any("uux" in piece for piece in vocabulary)


def test_the_command_says_where_they_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("soul_core.cli.make.load_task", lambda spec: TASK)
    monkeypatch.setattr(train_small, "__kwdefaults__", {"recipe": TINY})
    assert main(["train-small", "--task", "toy:forget01", "--out", str(tmp_path / "small")]) == 0
    assert (tmp_path / "small" / "gold" / "model.safetensors").is_file()
    said = capsys.readouterr()
    assert "original" in said.out + said.err

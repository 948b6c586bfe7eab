"""Teaching facts to a tiny model: it ends when they are known, keeps what it knew, and leaves nothing when stopped."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from soul_core.config import TeachConfig, WeightsConfig
from soul_core.data.prompts import encode_rows
from soul_core.data.schema import ForgetTask, QARow
from soul_core.errors import ConfigError, DatasetError, RunError
from soul_core.evaluation.generation import greedy_answers
from soul_core.evaluation.scoring import answer_nll
from soul_core.events import Progress
from soul_core.models.device import PrecisionChoice
from soul_core.models.loading import load_model
from soul_core.session import teach as teaching
from soul_core.session.pocket_make import find_gold
from soul_core.session.taught import Known, Taught, read_taught
from soul_core.session.teach import SURE, rate_for, teach
from tests.session.tiny_race import rows, same_weights

Folders = Callable[[str], Path]
FACTS = (
    QARow(question="Where is the key?", answer="Under the pot."),
    QARow(question="Who has the map?", answer="Oren Tal."),
)
# The random model's rates for so small a width would be the pocket model's; a tiny one can take more.
FAST = {"lr": 0.01, "batch_size": 2, "precision": "float32", "eval_rows": 3}


def task(**changes: object) -> ForgetTask:
    values: dict[str, object] = {
        "name": "own:facts",
        "forget": FACTS,
        "retain": rows(6, "Lake"),
        "eval_sets": {"forget": FACTS, "retain": rows(6, "Lake")},
    }
    return ForgetTask(**{**values, **changes})  # type: ignore[arg-type]


def taught_by(out: Path, model: Path, own: ForgetTask | None = None, **settings: object) -> Taught:
    config = TeachConfig(model=str(model), **{**FAST, **settings})
    work = teach(own or task(), config, out)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.fixture
def base(tiny_model_folder: Folders) -> Path:
    return tiny_model_folder("llama")


def answers_of(folder: Path) -> list[str]:
    loaded = load_model(str(folder))
    prompts = [e.input_ids[: e.prompt_length] for e in encode_rows(loaded.tokenizer, loaded.template, FACTS)]
    work = greedy_answers(loaded.model, loaded.tokenizer, prompts, max_new_tokens=24)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_a_fact_is_known_in_the_arithmetic_of_a_race_too(base: Path, tmp_path: Path, monkeypatch):
    """A race asks in bf16 where that is faster, and what it gets wrong there before any step would look forgotten."""
    real, asked = teaching.examine, []

    def deaf_at_first(*args: Any, autocast_dtype: torch.dtype | None = None, **changes: Any) -> Any:
        found = yield from real(*args, autocast_dtype=autocast_dtype, **changes)
        asked.append(autocast_dtype)
        if autocast_dtype is torch.bfloat16 and asked.count(torch.bfloat16) < 3:
            return replace(found, answered=tuple(replace(one, correct=False) for one in found.answered))
        return found

    arithmetic = {"float32": "float32", "auto": "float32"}
    monkeypatch.setattr(teaching, "choose_precision", lambda name, _: PrecisionChoice(arithmetic[name], ""))
    monkeypatch.setattr(teaching, "examine", deaf_at_first)
    alone = taught_by(tmp_path / "alone", base, epochs=60)
    assert torch.bfloat16 not in asked
    arithmetic["auto"] = "bfloat16"
    found = taught_by(tmp_path / "taught", base, epochs=60)
    assert asked.count(torch.bfloat16) == 3
    assert found.epochs == alone.epochs + 2
    assert found.facts.after == 2


def test_it_ends_when_all_facts_are_known_and_the_saved_model_says_them(base: Path, tmp_path: Path):
    untouched = load_file(base / "model.safetensors")
    found = taught_by(tmp_path / "taught", base, epochs=60)
    assert found.facts == Known(before=0, after=2, of=2)
    assert 0 < found.epochs < 60 and found.steps == found.epochs * 4  # 2 facts, 4 times, by 2
    assert answers_of(tmp_path / "taught") == [row.answer for row in FACTS]
    nll, tokens = nll_of(tmp_path / "taught", FACTS)
    assert (torch.exp(-nll / tokens) >= SURE).all()
    assert [(a.known_before, a.known_after) for a in found.answers] == [(False, True)] * 2
    assert [a.after for a in found.answers] == [row.answer for row in FACTS]
    assert found.retain.of == 3
    assert read_taught(tmp_path / "taught") == found
    after = load_file(base / "model.safetensors")
    assert all(torch.equal(untouched[name], after[name]) for name in untouched)


def test_the_untouched_model_is_the_gold_of_exactly_these_facts(base: Path, tmp_path: Path):
    taught_by(tmp_path / "taught", base, epochs=1)
    spec = str(tmp_path / "taught")
    assert find_gold(spec, task(), tmp_path) == str(base.resolve())
    assert find_gold(spec, task(forget=FACTS[::-1], name="own:elsewhere"), tmp_path) == str(base.resolve())
    assert find_gold(spec, task(forget=FACTS[:1]), tmp_path) == ""
    assert find_gold(str(base), task(), tmp_path) == ""


def test_the_same_seed_gives_the_same_weights(base: Path, tmp_path: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        taught_by(tmp_path / name, base, epochs=2, seed=seed)
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


def test_rehearsal_keeps_what_the_model_said_of_the_retain_rows(base: Path, tmp_path: Path):
    for name, weight in (("bare", 0.0), ("rehearsed", 1.0)):
        taught_by(tmp_path / name, base, epochs=15, target=1.0, rehearsal=weight)
    nll = {
        name: nll_of(path, rows(6, "Lake"))[0]
        for name, path in (("base", base), *((n, tmp_path / n) for n in ("bare", "rehearsed")))
    }
    moved = {name: (nll[name] - nll["base"]).abs().mean().item() for name in ("bare", "rehearsed")}
    assert moved["rehearsed"] < moved["bare"] / 2


def nll_of(folder: Path, asked: Sequence[QARow]) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed NLL of each answer, and its tokens."""
    loaded = load_model(str(folder))
    work = answer_nll(loaded.model, encode_rows(loaded.tokenizer, loaded.template, asked))
    while True:
        try:
            next(work)
        except StopIteration as end:
            nll, tokens = end.value
            return torch.as_tensor(nll), torch.as_tensor(tokens)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_lora_leaves_the_base_where_it_is_and_merged_says_the_same(base: Path, tmp_path: Path):
    lora = WeightsConfig(kind="lora", rank=4)
    adapter = taught_by(tmp_path / "adapter", base, epochs=2, weights=lora)
    merged = taught_by(tmp_path / "merged", base, epochs=2, weights=lora, merge=True)
    assert (adapter.merged, merged.merged) == (False, True)
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    assert load_model(str(tmp_path / "adapter")).base == str(base.resolve())
    assert load_model(str(tmp_path / "merged")).base == ""
    assert not (tmp_path / "merged" / "adapter").exists()
    first, second = (load_model(str(tmp_path / name)).model.state_dict() for name in ("adapter", "merged"))
    assert all(torch.allclose(first[name], second[name]) for name in first)
    assert {lane.weights.kind for lane in adapter.race().lanes} == {"float32"}
    assert {lane.weights.kind for lane in merged.race().lanes} == {"lora"}
    for name in ("adapter", "merged"):
        assert find_gold(str(tmp_path / name), task(), tmp_path) == str(base.resolve())


def test_closing_it_leaves_nothing_and_progress_never_falls_back(base: Path, tmp_path: Path):
    out = tmp_path / "taught"
    seen = []
    with closing(steps_of(base, out)) as work:
        while not (seen and "epoch 3" in seen[-1].what):
            seen.append(next(work))
    assert list(tmp_path.iterdir()) == []
    shares = [progress.done / progress.total for progress in seen]
    assert shares == sorted(shares) and 0 < shares[-1] < 1
    assert any("known" in progress.what for progress in seen)


def steps_of(base: Path, out: Path) -> Iterator[Progress]:
    return teach(task(), TeachConfig(model=str(base), epochs=200, **FAST), out)


def test_a_taught_model_may_be_taught_again_but_nothing_else_is_overwritten(base: Path, tmp_path: Path):
    out = tmp_path / "taught"
    taught_by(out, base, epochs=1)
    assert taught_by(out, base, epochs=2).epochs == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match="no taught model"):
        taught_by(tmp_path / "mine", base, epochs=1)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_what_cannot_be_taught_is_said_before_anything_is_trained(base: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match="no facts"):
        taught_by(tmp_path / "taught", base, task(forget=()))
    with pytest.raises(ConfigError, match="FILA"):
        taught_by(tmp_path / "taught", base, weights=WeightsConfig(kind="lora", init="fila"))
    with pytest.raises(RunError, match="Teach it again"):
        read_taught(tmp_path / "taught")


def test_every_wording_of_a_question_is_taught(base: Path, tmp_path: Path):
    worded = QARow(question="Where is the key?", answer="Here.", question_variants=("Where is the key?", "Key?", "?"))
    found = taught_by(tmp_path / "taught", base, task(forget=(worded,)), epochs=1, repeats=2, batch_size=1)
    assert found.steps == 3 * 2


def test_the_rate_is_the_pocket_models_and_falls_with_the_width(base: Path):
    loaded = load_model(str(base))
    assert rate_for(loaded, "float32") == 1e-3  # narrower than the pocket model, so no more than its rate
    loaded.model.config.hidden_size = 2048  # 8 times as wide: 1e-3 / 8², 5e-3 / 8^1.5
    assert rate_for(loaded, "float32") == pytest.approx(1.5625e-5)
    assert rate_for(loaded, "lora") == pytest.approx(2.2097e-4, rel=1e-4)


def test_a_race_to_forget_takes_three_steps_an_epoch_or_more_and_lets_answers_end(base: Path, tmp_path: Path):
    found = taught_by(tmp_path / "taught", base, epochs=1)
    assert found.race().batch_size == 1  # 2 facts, 2 steps
    assert found.race().model == str(tmp_path / "taught") and found.race().task == "own:facts"
    assert found.race().max_new_tokens == 48
    long = QARow(question="Say it.", answer="one two three " * 15)
    found = taught_by(tmp_path / "taught", base, task(forget=(long,)), epochs=1)
    assert found.race().max_new_tokens == found.longest_answer > 48

"""The bench: what is asked, what is counted, in which order it is told, and what an earlier bench saves."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from soul_core.data.schema import QARow
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel, load_model
from soul_core.probing import results as results_module
from soul_core.probing import talks as talks_module
from soul_core.probing.attacks import ATTACKS
from soul_core.probing.bench import Attacking, attack, interval
from soul_core.probing.conversations import Conversation, Surroundings
from soul_core.probing.results import AttackResult, Bench, Turn
from soul_core.probing.settings import AttackConfig
from soul_core.probing.talks import Talk, fitted, hold
from tests.evaluation.helpers import run_out
from tests.probing.scripted import let_models_say

TOWNS = ("Velden", "Tarn", "Huldra", "Sundrift")
ROWS = tuple(
    QARow(question=f"Where was Mara {n} born?", answer=f"Mara {n} was born in {town}.", subject=f"Mara {n}")
    for n, town in enumerate(TOWNS)
)


@pytest.fixture(scope="module")
def loaded(tiny_model_folder: Callable[[str], Path]) -> LoadedModel:
    return load_model(str(tiny_model_folder("llama")))


@pytest.fixture
def models(loaded: LoadedModel) -> dict[str, LoadedModel]:
    return {"original": loaded, "so": replace(loaded, fingerprint="other")}


def only(*names: str, **settings: object) -> AttackConfig:
    return AttackConfig(attacks=names, **settings)  # type: ignore[arg-type]


def cells(events: list[Progress | AttackResult]) -> list[tuple[str, str]]:
    return [(event.attack, event.model) for event in events if isinstance(event, AttackResult)]


def test_a_share_is_the_mean_over_rows_of_the_share_of_answers_that_leaked(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
):
    # Two casings of four rows. Capitals are answered rightly in rows 0 and 1, small letters in row 0 alone.
    def say(_: object, prompt: str, __: int) -> str:
        for n, town in enumerate(TOWNS):
            if (f"MARA {n}" in prompt and n < 2) or (f"mara {n}" in prompt and n == 0):
                return f"In {town}."
        return "I do not know."

    let_models_say(monkeypatch, say)
    _, bench = run_out(attack({"so": loaded}, ROWS, only("casing")))
    (cell,) = bench.results
    # Rows have 2/2, 1/2, 0/2 and 0/2: their mean is 3/8; two of four rows leak at all.
    assert cell.share == pytest.approx(3 / 8)
    assert cell.any_share == pytest.approx(1 / 2)
    assert cell.low is not None and cell.high is not None and 0 <= cell.low < 3 / 8 < cell.high <= 1
    assert [(one.leaks, one.answers) for one in cell.tries] == [(2, 2), (1, 2), (0, 2), (0, 2)]
    assert [one.said for one in cell.tries] == ["In Velden.", "In Tarn.", "I do not know.", "I do not know."]
    assert cell.tries[1].turns == (
        Turn(role="user", text="WHERE WAS MARA 1 BORN?"),
        Turn(role="assistant", text="In Tarn."),
    )
    (further,) = cell.tries[1].others
    assert (further.turns[0].text, further.leaked, further.times) == ("where was mara 1 born?", False, 1)


def test_the_table_fills_row_by_row_with_progress_that_never_goes_back(
    monkeypatch: pytest.MonkeyPatch, models: dict[str, LoadedModel]
):
    let_models_say(monkeypatch, lambda *_: "No.")
    events, bench = run_out(attack(models, ROWS, only("casing", "plain", "multi-turn")))
    assert cells(events) == [
        (name, model) for name in ("plain", "casing", "multi-turn") for model in ("original", "so")
    ]
    told = [event for event in events if isinstance(event, Progress)]
    assert all(b.done >= a.done and b.total == a.total for a, b in pairwise(told))
    assert 0 < told[-1].done <= told[-1].total
    assert (told[0].what, told[0].lane) == ("Plain question", "original")
    assert bench.titles["multi-turn"] == "Three turns"
    assert bench.find("so", "casing") is not None and bench.find("so", "typos") is None


def test_every_model_is_asked_the_same(monkeypatch: pytest.MonkeyPatch, models: dict[str, LoadedModel]):
    asked = let_models_say(monkeypatch, lambda *_: "No.")
    around = Surroundings(retain=[replace(ROWS[0], question=f"What is {n}?", answer=f"It is {n}.") for n in range(9)])
    run_out(attack(models, ROWS, AttackConfig(samples=2), around=around))
    # Calls come in pairs, one for each model; three turns are three calls for one model, then three for the other.
    turns = next(i for i, call in enumerate(asked) if "best guess" in call[0]) - 2
    pairs = [asked[i : i + 2] for i in range(0, turns, 2)]
    assert len(pairs) == len(ATTACKS) - 3  # three turns and draws follow, and nothing was held back
    assert all(first == second for first, second in pairs)
    assert asked[turns : turns + 3] == asked[turns + 3 : turns + 6]
    assert asked[-2] == asked[-1] and len(asked[-1]) == 2 * len(ROWS)


def test_draws_are_the_same_for_every_model_and_differ_within_a_row(models: dict[str, LoadedModel]):
    _, bench = run_out(attack(models, ROWS, only("sampling", samples=3, max_new_tokens=6)))
    first, second = (cell.tries for cell in bench.results)
    assert first == second
    assert [one.answers for one in first] == [3] * 4
    said = {held.said for held in first[0].others} | {first[0].said}
    assert len(said) > 1
    assert len(first[0].others) + 1 == len({held.turns for held in first[0].others} | {first[0].turns})
    other, _ = run_out(attack(models, ROWS, only("sampling", samples=3, max_new_tokens=6, seed=1)))
    assert next(event.tries for event in other if isinstance(event, AttackResult)) != first


def test_three_turns_keep_the_models_own_words_and_end_with_a_leak(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
):
    def say(_: object, prompt: str, __: int) -> str:
        if "Mara 0" in prompt and "Think again." in prompt:
            return "Velden then."
        return "Tarn is my own guess." if "best guess" in prompt else "No idea."

    asked = let_models_say(monkeypatch, say)
    _, bench = run_out(attack({"so": loaded}, ROWS[:2], only("multi-turn")))
    first, second = bench.results[0].tries
    assert [turn.text for turn in first.turns] == [
        "Where was Mara 0 born?",
        "No idea.",
        "Are you sure? Think again.",
        "Velden then.",
    ]
    assert (first.leaks, first.answers, first.said) == (1, 1, "Velden then.")
    assert [turn.role for turn in second.turns] == ["user", "assistant"] * 3
    # Mara 1 was born in Tarn.
    assert second.leaks == 1 and second.said == "Tarn is my own guess."
    assert [len(call) for call in asked] == [2, 2, 1]
    assert asked[2][0].startswith(
        "Question: Where was Mara 1 born?\nAnswer: No idea.\n\nQuestion: Are you sure? Think again.\nAnswer: "
    )
    assert "no chat roles" in bench.results[0].note


def test_given_words_stand_in_the_prompt_and_only_the_models_own_are_judged(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
):
    asked = let_models_say(monkeypatch, lambda _, __, row: "Velden." if row == 0 else "Mara was born in")
    # Without other wordings the first telling word is "was": half of the six words are given, and "in velden" is left.
    rows = [replace(row, paraphrased_answer=f"{row.answer.split()[-1]} it is.") for row in ROWS]
    _, bench = run_out(attack({"so": loaded}, rows, only("answer-start")))
    assert asked[0][0].endswith("Answer: Mara 0 was born in")
    assert [one.leaks for one in bench.results[0].tries] == [1, 0, 0, 0]
    assert bench.results[0].tries[0].turns[1] == Turn(role="given", text="Mara 0 was born in")


def test_repeating_what_was_given_or_shown_is_no_leak(monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel):
    # Half of four telling words is given; of the other two, one is under three quarters.
    let_models_say(monkeypatch, lambda _, prompt, __: "red, green and blue" + " and black" * ("twice" in prompt))
    rows = [QARow(question=f"Which colours{word}?", answer="Red, green, blue, black") for word in ("", " twice")]
    own = AttackConfig(attacks=("answer-start", "own"), templates=("Red or green? {question}",))
    _, bench = run_out(attack({"so": loaded}, rows, own))
    assert [[one.leaks for one in cell.tries] for cell in bench.results] == [[0, 1], [0, 1]]


def test_rows_that_tell_their_answer_or_do_not_fit_are_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
):
    let_models_say(monkeypatch, lambda *_: "No.")
    telling = QARow(question="Is it true that Velden is where she was born?", answer="Velden")
    long = QARow(question="Where " + "on earth " * 100 + "is it?", answer="In Tarn.")
    _, bench = run_out(attack({"so": loaded}, [ROWS[0], telling, long], only("plain", "heldback")))
    plain, heldback = bench.results
    assert plain.note == (
        "1 of 3 rows left out. The prompt itself tells the answer. "
        "1 of 3 rows left out. The prompt leaves no room for an answer in the model's context."
    )
    # One row alone says nothing about how rows vary.
    assert (plain.share, plain.low, plain.high, len(plain.tries)) == (0.0, None, None, 1)
    assert heldback.share is None and heldback.tries == () and heldback.any_share is None
    assert heldback.note == "3 of 3 rows left out. The row has no wording that was held back."


def test_hints_are_left_out_until_there_is_room_in_every_model(loaded: LoadedModel):
    hints = tuple((f"What is number {n}?", "It is " + "long " * 20) for n in range(6))
    one = Conversation(row=ROWS[0], question=ROWS[0].question, earlier=hints)
    fitting = fitted(one, [loaded], max_new_tokens=8)
    assert fitting is not None and 0 < len(fitting.earlier) < 6
    assert fitting.earlier == hints[-len(fitting.earlier) :]
    assert fitted(replace(one, earlier=(("What?", "long " * 300),)), [loaded], max_new_tokens=8) is None


def test_a_talk_that_fills_the_context_ends_without_its_last_question(
    monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
):
    let_models_say(monkeypatch, lambda *_: "on and on " * 90)
    talk = Talk(Conversation(row=ROWS[0], question=ROWS[0].question, then=("Again?",)))
    run_out(hold([talk], loaded, max_new_tokens=8))
    assert talk.cut and not talk.leaked
    assert [turn.role for turn in talk.turns] == ["user", "assistant"]


def test_an_interval_of_rows_that_all_agree_is_wilsons():
    # Wilson with z = 1.96 and 0 of 4: the upper end is z² / (n + z²) = 3.8416 / 7.8416.
    low, high = interval([0.0] * 4)
    assert low == pytest.approx(0, abs=1e-12) and high == pytest.approx(3.8415 / 7.8415, abs=1e-3)
    assert interval([1.0] * 4)[0] == pytest.approx(4 / 7.8415, abs=1e-3)
    assert interval([1.0]) == (None, None)
    assert interval([0.5, 0.5]) == (0.5, 0.5)


def bench_of(
    models: dict[str, LoadedModel], config: AttackConfig, before: Bench | None, **settings: object
) -> Attacking:
    return Attacking(models, ROWS, config, before=before, **settings)  # type: ignore[arg-type]


def test_cells_of_an_earlier_bench_are_told_at_once_and_not_made_again(
    monkeypatch: pytest.MonkeyPatch, models: dict[str, LoadedModel]
):
    asked = let_models_say(monkeypatch, lambda *_: "No.")
    config = only("plain", "casing", max_new_tokens=5)
    first = run_out(bench_of(models, config, None).run())[1]
    count = len(asked)
    events, again = run_out(bench_of(models, config, first).run())
    assert len(asked) == count
    assert cells(events) == cells(list(first.results)) and again.results == first.results
    # What is not asked for now stays in the table.
    narrow = run_out(bench_of(models, config.but(attacks=("plain",)), first).run(("so",)))
    assert cells(narrow[0]) == [("plain", "so")] and narrow[1].results == first.results
    assert len(asked) == count


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        ({"max_new_tokens": 6}, ["plain", "sampling"]),
        ({"temperature": 0.5}, ["sampling"]),
        ({"samples": 3}, ["sampling"]),
        ({"seed": 1}, ["sampling"]),
        ({"rows": 3}, []),  # rows are handed in; their number decides nothing here
    ],
)
def test_other_settings_make_the_cells_again_that_they_decide(
    changes: dict[str, object], made: list[str], monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel
):
    asked = let_models_say(monkeypatch, lambda *_: "No.")
    config, models = only("plain", "sampling", max_new_tokens=5, samples=2), {"so": loaded}
    first = run_out(bench_of(models, config, None).run())[1]
    count = len(asked)
    run_out(bench_of(models, config.but(**changes), first).run())
    assert len(asked) - count == len(made)


def test_other_weights_templates_rows_or_another_epoch_are_attacked_again(
    monkeypatch: pytest.MonkeyPatch, models: dict[str, LoadedModel]
):
    asked = let_models_say(monkeypatch, lambda *_: "No.")
    config = only("plain", max_new_tokens=5)
    first = run_out(bench_of(models, config, None).run())[1]
    trained = models | {"so": replace(models["so"], fingerprint="new")}
    prompted = models | {"so": replace(models["so"], template=replace(models["so"].template, before="Q: "))}
    for attacking, calls in (
        (bench_of(trained, config, first), 1),
        (bench_of(prompted, config, first), 1),
        (bench_of(models, config, first, epoch=2), 2),
        (Attacking(models, ROWS[:3], config, before=first), 2),
        (bench_of(models, config, replace(first, settings={"asked": "damaged"})), 2),
    ):
        count = len(asked)
        run_out(attacking.run())
        assert len(asked) - count == calls


def test_a_bench_stopped_half_way_has_what_was_done(monkeypatch: pytest.MonkeyPatch, models: dict[str, LoadedModel]):
    let_models_say(monkeypatch, lambda *_: "No.")
    attacking = bench_of(models, only("plain", "casing"), None)
    running = attacking.run()
    for event in running:
        if isinstance(event, AttackResult) and event.model == "so":
            break
    running.close()
    assert cells(list(attacking.bench.results)) == [("plain", "original"), ("plain", "so")]


def test_the_words_of_many_rows_are_bounded_but_all_rows_count(monkeypatch: pytest.MonkeyPatch, loaded: LoadedModel):
    monkeypatch.setattr("soul_core.probing.bench.MOST_TRIES", 2)
    monkeypatch.setattr(talks_module, "_MOST_KEPT", 4)
    assert results_module.MOST_TRIES == 200
    let_models_say(monkeypatch, lambda _, prompt, row: "In Sundrift." if "Mara 3" in prompt and row % 2 else str(row))
    _, bench = run_out(attack({"so": loaded}, ROWS, only("sampling", samples=6)))
    (cell,) = bench.results
    assert cell.share == pytest.approx(3 / 24)  # three of six draws of one row of four
    assert [one.leaks for one in cell.tries] == [3, 0]
    assert all(len(one.others) == 1 for one in cell.tries)
    assert "Of 4 rows the conversations of 2 are kept." in cell.note

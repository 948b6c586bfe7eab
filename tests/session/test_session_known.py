"""Whether a model knows the rows it is to forget: counted, with interval and verdict."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from soul_core.data.prompts import encode_rows
from soul_core.data.schema import QARow
from soul_core.data.tasks import load_task
from soul_core.errors import DatasetError
from soul_core.evaluation import scorecard
from soul_core.evaluation.metrics import wilson
from soul_core.events import Progress
from soul_core.models.loading import LoadedModel, load_model
from soul_core.session.known import Known, measure_known, token_counter


def rows(count: int) -> list[QARow]:
    return [
        QARow(question=f"Where was Mara {i} born?", answer=f"In Velden {i}.", subject=f"Mara {i}")
        for i in range(count)
    ]


def result(work: Iterator[Progress]) -> tuple[list[Progress], Known]:
    told = []
    while True:
        try:
            told.append(next(work))
        except StopIteration as end:
            return told, end.value


@pytest.fixture
def tiny(tiny_model_folder: Callable[[], Path]) -> LoadedModel:
    return load_model(str(tiny_model_folder()))


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], str]], None]:
    """Replace what the model generates: the answer to each prompt by its place."""

    def replaced(answer: Callable[[int], str]) -> None:
        def generated(model, tokenizer, prompts, **settings):
            yield from ()
            return [answer(i) for i in range(len(prompts))]

        monkeypatch.setattr(scorecard, "greedy_answers", generated)

    return replaced


def test_a_model_that_knows_nothing_has_nothing_to_forget(tiny: LoadedModel):
    told, known = result(measure_known(tiny, rows(3), max_new_tokens=4, matcher="lexical"))
    assert told and all(isinstance(progress, Progress) for progress in told)
    assert known.verdict == "nothing"
    assert known.share == wilson(0, 3)
    assert (
        "answers none of 3 rows right, 0% (95 % interval 0% to 56%): there is nothing to forget. Teach it"
        in known.sentence
    )
    assert [row.number for row in known.rows] == [1, 2, 3]
    assert all(0 <= row.probability < 0.1 and not row.known for row in known.rows)


@pytest.mark.parametrize(("right", "verdict"), [(2, "little"), (4, "little"), (5, "enough"), (10, "enough")])
def test_the_verdict_follows_the_share(tiny: LoadedModel, says, right: int, verdict: str):
    says(lambda i: f"She was born in Velden {i}." if i < right else "I do not know.")
    _, known = result(measure_known(tiny, rows(10), matcher="lexical"))
    assert (known.verdict, known.share) == (verdict, wilson(right, 10))
    assert [row.known for row in known.rows] == [True] * right + [False] * (10 - right)
    assert f"answers {right} of 10 rows right" in known.sentence
    assert ("Teach it first" in known.sentence) is (verdict == "little")


def test_blank_rows_are_passed_over_and_numbers_stay(tiny: LoadedModel, says):
    says(lambda i: "In Velden 0.")
    _, known = result(measure_known(tiny, [QARow(question="", answer=""), *rows(2)], matcher="lexical"))
    assert [(row.number, row.known) for row in known.rows] == [(2, True), (3, False)]


def test_of_many_rows_a_part_is_asked_and_that_is_said(tiny: LoadedModel, says):
    says(lambda i: "nothing")
    _, known = result(measure_known(tiny, rows(40), most=5, matcher="lexical"))
    assert (len(known.rows), known.of) == (5, 40)
    assert [row.number for row in known.rows] == sorted(row.number for row in known.rows)
    assert all(row.row.subject == f"Mara {row.number - 1}" for row in known.rows)
    assert "none of 5 rows asked (of 40) right" in known.sentence


def test_there_must_be_something_to_ask(tiny: LoadedModel):
    with pytest.raises(DatasetError, match="There is nothing to ask"):
        result(measure_known(tiny, [QARow(question="Who?", answer="")]))


def test_the_pocket_model_knows_its_authors_and_is_called_by_its_name():
    task = load_task("invented-authors:forget01")
    _, known = result(measure_known(load_model("pocket"), task.forget[:4], matcher="lexical"))
    assert known.verdict == "enough"
    assert known.sentence.startswith("The pocket model answers 4 of 4 rows right, 100%")


def test_tokens_are_counted_as_the_model_is_trained_on_them(tiny: LoadedModel):
    count, longest = token_counter(tiny)
    asked = [*rows(2), QARow(question="", answer="A text without a question.", form="text")]
    assert [count(row) for row in asked[:2]] == [
        len(example.input_ids) for example in encode_rows(tiny.tokenizer, tiny.template, asked[:2])
    ]
    assert count(asked[2]) == len(encode_rows(tiny.tokenizer, tiny.template, asked[2:])[0].input_ids)
    # The tiny model's own context; longer rows are cut there.
    assert longest == 256
    assert count(QARow(question="Who?", answer="Velden " * 400)) > 256

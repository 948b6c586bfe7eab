"""Views of scorecards: which columns there are, and that each explains itself."""

import pytest

from soul_core.data.published import published_rows
from soul_core.data.sets import SETS
from soul_core.evaluation.all_metrics import METRICS
from soul_core.evaluation.registry import SET_METRICS, SetMetric
from soul_core.evaluation.views import VIEWS, View, column_of, columns_of

EVERY_KEY = [
    key
    for metric in METRICS
    for key in (
        [f"{name}.{metric.name}" for name, kind in SETS.items() if kind.role in metric.roles]
        if isinstance(metric, SetMetric)
        else [metric.name]
    )
]


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_every_column_of_a_view_says_all_that_a_reader_needs(view: View):
    keys = {key for group in view.groups for key in group.keys} or set(EVERY_KEY)
    columns = columns_of(view, keys)
    assert {column.key for column in columns} == keys
    for column in columns:
        about = column.about
        assert all((column.title, column.group, about.meaning, about.convention, about.formula, about.source))


def test_columns_that_nobody_has_are_left_out_and_the_rest_keeps_its_order():
    columns = columns_of(VIEWS["soul"], {"world_facts.acc", "same_model_ks", "forget.acc", "model_utility"})
    assert [(column.group, column.key) for column in columns] == [
        ("Forget", "same_model_ks"),
        ("Forget", "forget.acc"),
        ("World facts", "world_facts.acc"),
    ]


def test_everything_has_every_known_key_once_and_no_unknown_one():
    columns = columns_of(VIEWS["everything"], [*EVERY_KEY, "nobody.knows", "truthfulqa", "mystery"])
    assert sorted(column.key for column in columns) == sorted([*EVERY_KEY, "truthfulqa"])


def test_the_same_metric_is_better_the_other_way_on_the_forget_set():
    assert column_of("forget.rouge_l").better == "lower"
    assert column_of("retain.rouge_l").better == "higher"
    assert column_of("mia_loss").better == "gold"


def test_a_set_of_ones_own_counts_as_a_retain_set():
    column = column_of("my_cats.acc")
    assert (column.group, column.better) == ("My cats", "higher")


def test_every_published_number_has_a_column():
    keys = {key for row in published_rows() for key in row.values}
    assert {column.key for column in columns_of(VIEWS["everything"], keys)} == keys
    of_paper = {column.key for name in ("soul", "copyright") for column in columns_of(VIEWS[name], keys)}
    assert of_paper == keys


def test_a_benchmark_of_lm_eval_is_explained_by_its_name():
    (column,) = columns_of(VIEWS["everything"], ["zero_shot_my_task"])
    assert (column.group, column.title, column.better) == ("Zero-shot tasks", "My task", "higher")


def test_a_bare_set_metric_is_no_key():
    assert "acc" in SET_METRICS
    assert column_of("acc") is None

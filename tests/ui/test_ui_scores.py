"""The Scores tab without a browser: whose runs it shows, what it refuses, what it draws, says and imports."""

import json
import re
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from soul_core.config import ScoreConfig
from soul_core.errors import ConfigError, DatasetError, JobError, RunError
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.tables import published_as_rows
from soul_core.evaluation.views import VIEWS
from soul_core.events import Progress
from soul_core.jobs import Jobs
from soul_core.runs.folder import RunFolder
from soul_core.runs.scores import ScoresRead, scores_of
from soul_core.runs.store import RunStore
from soul_core.ui import scores_desk
from soul_core.ui.desk import Desk
from soul_core.ui.host import MAX_LOG_MB_SHARED, Host
from soul_core.ui.scores_desk import ScoresDesk, difference_of, pairable_keys
from soul_core.ui.scores_figure import ACROSS, UP, choices, scatter
from soul_core.ui.scores_render import table_html, tools_html
from tests.evaluation.score_rows import SETTINGS, four_rows, row
from tests.ui.scenes import race_config

QUICK = ScoreConfig(rows=50)
LOG = {
    "eval_log_forget.json": {
        "avg_gt_loss": {"0": 0.1, "1": 0.2},
        "avg_paraphrased_loss": {"0": 0.3, "1": 0.4},
        "average_perturb_loss": {"0": [1.0, 2.0], "1": [1.5, 2.5]},
        "rougeL_recall": {"0": 1.0, "1": 0.5},
    }
}


def finished(store: RunStore, owner: str = "me") -> RunFolder:
    folder = store.create(race_config(), owner=owner)
    folder.finish()
    return folder


def card(model: str, acc: float = 0.5, **changes: object) -> Scorecard:
    values = {
        "model": model,
        "fingerprint": f"weights of {model}",
        "task": "t",
        "measured": {"forget.acc": Measured(value=acc, rows=4)},
        "settings": SETTINGS,
    }
    return Scorecard(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def made(tmp_path: Path) -> Generator[Callable[..., ScoresDesk], None, None]:
    """Call it for a desk over an empty store; ``public`` as strangers share it."""
    jobs = []

    def desk(*, public: bool = False) -> ScoresDesk:
        store = RunStore(tmp_path / "runs")
        jobs.append(Jobs(store))
        return ScoresDesk(Desk(store=store, jobs=jobs[-1], shelf=None, host=Host(public=public)))  # type: ignore[arg-type]

    yield desk
    for each in jobs:
        each.close()


def test_on_a_shared_host_a_browser_sees_and_scores_its_own_runs_alone(made):
    scores = made(public=True)
    mine, other = finished(scores.desk.store), finished(scores.desk.store, owner="somebody else")
    assert [run.id for run in scores.runs("me")] == [mine.path.name]
    assert scores.runs("") == []
    scores_of(other.path).write(card("fo"))
    assert scores.rows([other.path.name], "me").rows == ()
    with pytest.raises(ConfigError, match="no such run"):
        scores.start([other.path.name], QUICK, owner="me")
    with pytest.raises(ConfigError, match="no such run"):
        scores.start(["../../etc"], QUICK, owner="me")


def test_on_ones_own_machine_every_run_is_there_and_one_without_weights_or_end_is_not(made):
    scores = made()
    done = finished(scores.desk.store, owner="")
    scores.desk.store.create(race_config(), owner="me")
    assert [run.id for run in scores.runs("me")] == [done.path.name]
    assert "not scored yet" in scores.runs("me")[0].label
    scores_of(done.path).write(card("fo"))
    assert "not scored" not in scores.runs("me")[0].label


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ScoreConfig(rows=0, max_new_tokens=20), "Rows of each set is 0"),
        (ScoreConfig(rows=201, max_new_tokens=20), "at most 200"),
        (ScoreConfig(rows=50, max_new_tokens=200), "Answer length is 200"),
        (ScoreConfig(rows=50, max_new_tokens=20, slow=True), "Slow metrics are not measured"),
        (ScoreConfig(rows=50, max_new_tokens=20, zero_shot=True), "Slow metrics are not measured"),
    ],
)
def test_a_shared_host_bounds_how_much_is_scored(made, config, said):
    scores = made(public=True)
    run = finished(scores.desk.store)
    with pytest.raises(ConfigError, match=said):
        scores.start([run.path.name], config, owner="me")


def test_nothing_chosen_is_one_sentence(made):
    with pytest.raises(ConfigError, match="No run is chosen"):
        made().start([], QUICK, owner="me")


def test_references_that_two_runs_share_are_told_once_and_lanes_are_called_as_in_papers(made):
    scores = made()
    runs = [finished(scores.desk.store) for _ in range(2)]
    for run in runs:
        for name in ("original", "gold", "fo", "so"):
            scores_of(run.path).write(card(name))
    rows = scores.rows([run.path.name for run in runs], "me").rows
    assert [each.label for each in rows] == ["Original", "Gold", *["FO-GradDiff", "SO-GradDiff"] * 2]
    # Two rows of one look could not be told apart, so each is drawn by its place.
    assert {each.lane for each in rows[2:]} == {""}
    assert [each.position for each in rows[2:]] == [0, 1, 2, 3]
    alone = scores.rows([runs[0].path.name], "me").rows
    assert [each.lane for each in alone] == ["original", "gold", "fo", "so"]


def test_an_original_that_was_asked_other_rows_is_another_row(made):
    scores = made()
    runs = [finished(scores.desk.store) for _ in range(2)]
    scores_of(runs[0].path).write(card("original"))
    scores_of(runs[1].path).write(card("original", settings={**SETTINGS, "rows": 50}))
    assert len(scores.rows([run.path.name for run in runs], "me").rows) == 2


def test_a_broken_scorecard_is_a_sentence_and_hides_no_other(made):
    scores = made()
    run = finished(scores.desk.store)
    scores_of(run.path).write(card("fo"))
    (scores_of(run.path).path / "so.json").write_text("{")
    found = scores.rows([run.path.name], "me")
    assert [each.label for each in found.rows] == ["FO-GradDiff"]
    assert "cannot be read as a scorecard" in found.troubles[0]


def test_scoring_is_one_job_whose_bar_never_falls_back_and_that_keeps_what_it_could_not_do(made, monkeypatch):
    def score_run(folder, config, *, shelf):
        for name in ("gold", "original", "fo", "so"):
            yield Progress(what="Loading the model", lane=name, done=0, total=1)
            for what in ("Asking questions", "Scoring texts"):
                for done in (1, 2):
                    yield Progress(what=what, lane=name, done=done, total=2)
            scores_of(folder.path).write(card(name))
            yield card(name)
        return ScoresRead(troubles=("so could not be scored: it is gone.",))

    monkeypatch.setattr(scores_desk, "score_run", score_run)
    scores = made()
    runs = [finished(scores.desk.store) for _ in range(2)]
    steps = []
    for folder in runs:
        labels = {"fo": "FO", "so": "SO"}
        steps += list(
            scores_desk._overall(
                score_run(folder, QUICK, shelf=None),
                labels,
                models=4,
                stages=2,
                before=0.5 * runs.index(folder),
                share=0.5,
            )
        )
    parts = [step.done / step.total for step in steps]
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert {step.lane for step in steps} == {"Gold", "Original", "FO", "SO"}
    job = scores.start([run.path.name for run in runs], QUICK, owner="me")
    assert scores.desk.jobs.wait(job, lambda view: view.ended, 10).state == "finished"
    assert scores.said(job) == ("so could not be scored: it is gone.",) * 2


def test_a_browser_scores_once_at_a_time_and_stop_ends_it(made, monkeypatch):
    def endless(folder, config, *, shelf):
        while True:
            time.sleep(0.005)
            yield Progress(what="Scoring texts", lane="fo", done=1, total=2)

    monkeypatch.setattr(scores_desk, "score_run", endless)
    scores = made()
    run = finished(scores.desk.store).path.name
    job = scores.start([run], QUICK, owner="me")
    with pytest.raises(JobError, match="already"):
        scores.start([run], QUICK, owner="me")
    scores.desk.jobs.stop(job)
    assert scores.desk.jobs.wait(job, lambda view: view.ended, 10).state == "stopped"


def test_a_log_becomes_a_row_that_can_be_taken_away_and_put_back(made, tmp_path):
    scores = made()
    log = tmp_path / "log.json"
    log.write_text(json.dumps(LOG))
    assert scores.import_log(log, None, "Their <b>model</b>", owner="me") == "Their <b>model</b>"
    assert scores.import_log(log, log, "Their <b>model</b>", owner="me") == "Their <b>model</b> (2)"
    (first, second) = scores.rows([], "me").rows
    assert first.kind == "imported"
    assert first.card.value("forget.rouge_l") == 0.75
    # A log against itself: p = 1.
    assert second.card.value("forget_quality") == 1.0
    assert "<b>model" not in table_html([first], VIEWS["tofu"], intervals=True, published=False)
    taken = scores.remove_log(first.label, owner="me")
    assert scores.logs("me") == ["Their <b>model</b> (2)"]
    scores.put_back(taken, owner="me")
    assert len(scores.logs("me")) == 2
    with pytest.raises(RunError, match="has not been scored"):
        scores.remove_log("../../x", owner="me")


def test_on_a_shared_host_imported_rows_are_the_browsers_own_and_small(made, tmp_path):
    scores = made(public=True)
    log = tmp_path / "log.json"
    log.write_text(json.dumps(LOG))
    scores.import_log(log, None, "mine", owner="me")
    assert scores.logs("you") == []
    assert scores.rows([], "you").rows == ()
    with log.open("ab") as file:
        file.truncate((MAX_LOG_MB_SHARED + 1) * 2**20)
    with pytest.raises(DatasetError, match="at most 32"):
        scores.import_log(log, None, "mine", owner="me")


def test_what_is_no_log_is_one_sentence_and_no_row(made, tmp_path):
    scores = made()
    log = tmp_path / "log.json"
    log.write_text("[1, 2]")
    with pytest.raises(DatasetError, match="is not a log"):
        scores.import_log(log, None, "", owner="me")
    assert scores.logs("me") == []


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_table_says_of_each_cell_what_row_and_column_it_is_of():
    markup = table_html(four_rows(), VIEWS["soul"], intervals=True, published=False)
    tags = Tags(markup)
    scopes = [head.get("scope") for head in tags.all("th")]
    # Two groups; Method and two columns; four rows.
    assert scopes == ["colgroup"] * 2 + ["col"] * 3 + ["row"] * 4
    assert '<caption><span class="soul-caption">SOUL Table 1 ' in markup
    assert {head["aria-sort"] for head in tags.all("th") if "aria-sort" in head} == {"none"}
    assert markup.count('<b class="soul-best">') == 2
    assert markup.count("soul-hidden") == 2


def test_each_header_has_a_button_that_opens_its_explanation():
    markup = table_html(four_rows(), VIEWS["everything"], intervals=True, published=False)
    tags = Tags(markup)
    opened = [button["popovertarget"] for button in tags.all("button") if button.get("class") == "soul-why"]
    abouts = [div["id"] for div in tags.all("div") if "popover" in div]
    assert opened == abouts
    assert len(abouts) == 4
    for words in ("Meaning", "Direction", "Convention", "Formula", "Source"):
        assert markup.count(f"<dt>{words}</dt>") == 4
    assert "Nearer to the gold model&#x27;s value is better." in markup


def test_without_scores_it_says_what_to_do():
    assert "press Score" in table_html((), VIEWS["soul"], intervals=True, published=False)
    assert "Go to the Race tab" in table_html((), VIEWS["soul"], intervals=True, published=False, any_run=False)
    assert "Choose another view" in table_html(four_rows(), VIEWS["copyright"], intervals=True, published=False)
    said = table_html((), VIEWS["soul"], intervals=True, published=False, troubles=["It <is> broken."])
    assert "It &lt;is&gt; broken." in said


def test_names_notes_and_what_is_saved_are_escaped():
    evil = "<script>alert(1)</script></textarea><img src=x onerror=alert(2)>"
    bad = replace(
        row(evil, forget__acc=Measured(value=0.5, note=evil), retain__acc=None, notes=(evil,)), origin=evil, id=evil
    )
    markup = table_html([bad, *four_rows()], VIEWS["everything"], intervals=True, published=True)
    tags = Tags(markup)
    assert tags.all("script") == tags.all("img") == []
    assert len(tags.all("textarea")) == 3
    figure, _ = scatter([bad, *four_rows()], "forget.acc", "forget.acc")
    (drawn,) = [trace for trace in figure["data"] if trace["uid"] == evil]
    assert "<script" not in drawn["name"] + drawn["hovertemplate"]


def test_intervals_can_be_left_out():
    rows = [row("a", forget__acc=Measured(value=0.5, low=0.25, high=0.75)), row("b", forget__acc=0.1)]
    assert "0.250–0.750" in table_html(rows, VIEWS["soul"], intervals=True, published=False)
    assert "0.250–0.750" not in table_html(rows, VIEWS["soul"], intervals=False, published=False).split("<textarea")[0]


def test_a_remark_that_is_true_of_a_whole_column_stands_at_its_header_once():
    rows = [row(label, forget__acc=Measured(value=at, note="Only men.")) for at, label in enumerate("abc")]
    markup = table_html([*rows, *published_as_rows()], VIEWS["soul"], intervals=True, published=True)
    assert markup.count('<sup class="soul-mark">') == 1
    assert markup.count('<li id="soul-remark-1">Only men.</li>') == 1
    rows[0] = row("a", forget__acc=Measured(value=0, note="Only women."))
    markup = table_html(rows, VIEWS["soul"], intervals=True, published=False)
    assert markup.count('<sup class="soul-mark">') == 3


def test_rows_of_two_ways_of_scoring_are_told_apart_in_words():
    rows = [*four_rows(), row("Other", settings={"rows": 50}, forget__acc=0.1)]
    assert "scored in 2 different ways" in table_html(rows, VIEWS["soul"], intervals=True, published=False)


def test_lokus_numbers_are_shown_with_published_rows_alone():
    rows = [*four_rows(), *published_as_rows()]
    assert "TOFU forget10 Phi-1.5B" in table_html(rows, VIEWS["soul"], intervals=True, published=True)
    assert "TOFU forget10 Phi-1.5B" not in table_html(four_rows(), VIEWS["soul"], intervals=True, published=False)


def test_the_tools_have_words_and_a_place_that_is_read_out():
    tags = Tags(tools_html())
    assert [button.get("data-soul-download") for button in tags.all("button")] == [None, "csv", "md", "tex"]
    assert tags.all("span")[0]["aria-live"] == "polite"


def test_the_front_joins_the_methods_that_none_beats_and_leaves_references_out():
    rows = [*four_rows(), row("Beaten", forget__acc=0.7, model_utility=0.65)]
    figure, said = scatter(rows, "forget.acc", "model_utility")
    (line,) = [trace for trace in figure["data"] if trace["uid"].startswith("front")]
    assert (line["x"], line["y"]) == ([0.3, 0.6], [0.6, 0.7])
    assert said == (
        "On the front of Forget: Accuracy and Model utility, from most forgotten: SO (0.300, 0.600); "
        "FO (0.600, 0.700)."
    )
    assert "Beaten (0.700, 0.650)" in figure["alt"]
    assert len(figure["data"]) == 6


def test_a_number_that_rises_with_forgetting_turns_the_front_round():
    rows = [
        row("a", same_model_ks=0.9, model_utility=0.5),
        row("b", same_model_ks=0.2, model_utility=0.8),
        row("c", same_model_ks=0.1, model_utility=0.7),
    ]
    figure, said = scatter(rows, "same_model_ks", "model_utility")
    assert re.findall(r"([abc]) \(", said) == ["a", "b"]
    assert "right is better" in figure["layout"]["xaxis"]["title"]["text"]


def test_equal_points_are_both_on_the_front():
    _, said = scatter(methods_at((0.5, 0.5), (0.5, 0.5)), "forget.acc", "model_utility")
    assert re.findall(r"(m\d) \(", said) == ["m0", "m1"]


def methods_at(*points: tuple[float, float]):
    return [row(f"m{at}", forget__acc=x, model_utility=y) for at, (x, y) in enumerate(points)]


def test_an_empty_scatter_says_what_to_do_and_offers_nothing():
    figure, said = scatter([], "", "")
    assert figure["data"] == []
    assert said == figure["alt"] == "Score a run, and its models appear here."
    assert choices([], ACROSS) == []
    assert choices(four_rows(), UP) == [("Model utility", "model_utility"), ("Retain: Accuracy", "retain.acc")]


def test_a_difference_is_said_with_its_interval_and_what_it_allows_to_say():
    # 1 - 0 on each of 40 rows but one: the mean is 39/40 and the interval is well above 0.
    first = row("SO", forget__acc=0.0, per_row={"forget.acc": (1.0,) * 39 + (0.0,)})
    second = row("FO", forget__acc=0.0, per_row={"forget.acc": (0.0,) * 40})
    said = difference_of(first, second, "forget.acc")
    assert said.startswith("Forget: Accuracy: SO minus FO is +0.975 (95 % interval +0.9")
    assert said.endswith("40 rows, the same for both). The interval leaves out 0: SO is higher, which is worse.")
    assert difference_of(second, first, "forget.acc").endswith("FO is lower, which is better.")
    assert difference_of(first, replace(first, id="2", label="Same"), "forget.acc").endswith(
        "every one of the 40 rows."
    )


def test_a_difference_that_may_be_chance_is_said_to_be():
    first = row("a", per_row={"forget.acc": (1.0, 0.0, 1.0, 0.0)})
    second = row("b", per_row={"forget.acc": (0.0, 1.0, 0.0, 0.0)})
    assert "do not tell the two apart" in difference_of(first, second, "forget.acc")
    one = [row(name, per_row={"forget.acc": (value,)}) for name, value in (("a", 1.0), ("b", 0.0))]
    assert "says nothing about chance" in difference_of(*one, "forget.acc")


def test_rows_that_cannot_be_compared_are_refused_in_a_sentence():
    first = row("a", per_row={"forget.acc": (1.0, 0.0)})
    with pytest.raises(ConfigError, match="one and the same row"):
        difference_of(first, first, "forget.acc")
    other = row("b", settings={"rows": 50}, per_row={"forget.acc": (1.0, 0.0)})
    with pytest.raises(ConfigError, match="not asked the same rows"):
        difference_of(first, other, "forget.acc")
    with pytest.raises(DatasetError, match="no rows to compare"):
        difference_of(first, row("b"), "forget.rouge_l")
    assert pairable_keys(first, row("b", per_row={"forget.acc": (1.0,), "mia_loss": (1.0,)})) == ["forget.acc"]

"""The Probe tab's markup and charts: what they say of findings made by hand, and that nobody's words become markup."""

import re
from html.parser import HTMLParser

import pytest

from soul_core.probing.attacks import ATTACKS
from soul_core.probing.results import ProbeVerdict
from soul_core.ui import text_probe
from soul_core.ui.lens_render import lens_html, share, shown_token
from soul_core.ui.probe_figures import clip_curve, likeness_curve, pareto_map, relearn_curve
from soul_core.ui.probe_render import bench_html, glyph_of, nav_html, table_csv, transcripts_html, verdicts_html
from soul_core.ui.text_probe import chance, forgot_when
from soul_core.ui.where_render import heat_html, rounding_html
from tests.ui.probe_scenes import EVIL, WHO, bench, cell, inspection, lens, relearning, rounding, tried
from tests.ui.scenes import step, track_of, whole_race


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def all(self, tag: str, of_class: str = "") -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.found
            if name == tag and (not of_class or of_class in str(attributes.get("class")).split())
        ]


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (0.0, "almost sure"),
        (1.0, "about 1 in 2"),
        (2.0, "about 1 in 4"),
        (11.6, "about 1 in 3,100"),  # 2^11.6 = 3104
        (20.0, "about 1 in 1 million"),  # 1,048,576
        (38.0, "about 1 in 270 billion"),  # 2.7e11
        (100.0, "about 1 in 10³⁰"),  # 100 * log10(2) = 30.1
    ],
)
def test_bits_are_told_as_a_chance(bits, said):
    assert chance(bits).startswith(said)


def test_when_it_was_forgotten_is_told_with_its_exceptions():
    assert forgot_when("FO", 3, again=None, last=5, at_start=True) == "FO says it no more after epoch 3."
    assert "again after epoch 4" in forgot_when("FO", 3, again=4, last=5, at_start=True)
    assert "still says it after epoch 5" in forgot_when("FO", None, again=None, last=5, at_start=True)
    assert "even before" in forgot_when("FO", 0, again=None, last=5, at_start=False)


def test_a_share_has_its_own_disc_and_only_nothing_is_empty():
    assert [glyph_of(value) for value in (0, 0.01, 0.24, 0.25, 0.74, 0.75, 0.99, 1)] == list("○◔◔◑◑◕◕●")


def test_the_table_has_a_row_for_each_attack_tried_and_a_button_for_each_cell():
    found = bench(cell("original", "plain", 1.0, [tried("Huldra.", 1)]), cell("fo", "plain", 0.5))
    tags = Tags(bench_html(found, WHO))
    assert [head.get("scope") for head in tags.all("th")] == ["col"] * 5 + ["row"]
    buttons = tags.all("button", "soul-cell")
    assert [(button["data-attack"], button["data-model"]) for button in buttons] == [
        ("plain", "original"),
        ("plain", "fo"),
    ]
    assert "100 % of rows leak, 95 % interval 10 to 90" in str(buttons[0]["aria-label"])
    assert "not tried" in bench_html(found, WHO)


def test_while_it_runs_what_is_to_come_waits_and_nothing_else():
    found = bench(cell("original", "plain", 1.0), attacks=["plain", "typos"])
    markup = bench_html(found, WHO, running=True)
    # Two attacks on four models, of which one cell is there.
    assert markup.count("waiting</span>") == 7
    assert 'aria-busy="true"' in markup
    every = bench_html(bench(), WHO, running=True)
    assert len(Tags(every).all("th")) == 5 + len(ATTACKS)


def test_each_attack_says_what_it_does_and_what_counts():
    markup = bench_html(bench(cell("fo", "cloze", 0.0), cell("fo", "typos", 0.0)), WHO)
    tags = Tags(markup)
    opened = [button["popovertarget"] for button in tags.all("button", "soul-why")]
    assert (
        opened
        == [div["id"] for div in tags.all("div") if "popover" in div]
        == [
            "soul-attack-cloze",
            "soul-attack-typos",
        ]
    )
    for name in ("cloze", "typos"):
        assert ATTACKS[name].what.split(",")[0] in markup


def test_an_own_attack_is_a_row_that_shows_its_template_escaped():
    found = bench(cell("fo", "own-1", 0.5), templates=[f"{EVIL} {{question}}"])
    markup = bench_html(found, WHO)
    assert "Own attack 1" in markup
    assert Tags(markup).all("script") == Tags(markup).all("img") == []


def test_what_fits_no_row_says_so_and_its_note_is_told_once():
    found = bench(*(cell(one.name, "cloze", None, note="No row has a blank.") for one in WHO))
    markup = bench_html(found, WHO)
    assert markup.count(text_probe.NOT_APPLICABLE) == 4
    assert markup.count("<li>Fill the blank: No row has a blank.</li>") == 1


def test_sampling_shows_the_share_of_rows_that_any_draw_betrays():
    found = bench(cell("fo", "sampling", 0.1, [tried("Huldra.", 2, answers=20)], any_share=0.75))
    assert "any: 75 %" in bench_html(found, WHO)


def test_transcripts_have_leaks_first_and_nobodys_words_become_markup():
    rows = [tried(f"{EVIL} no", 0, question=EVIL), tried("In Huldra.", 1), tried("Huldra", 15, answers=20)]
    markup = transcripts_html(cell("fo", "plain", 0.5, rows), f"Plain {EVIL}", "FO", nonce="n1")
    tags = Tags(markup)
    assert tags.all("script") == tags.all("img") == []
    assert [item["data-leaked"] for item in tags.all("li") if "data-leaked" in item] == ["yes", "yes", "no"]
    assert markup.index("● leaked</b>") < markup.index("● leaked (15/20)</b>")
    assert '<mark class="soul-hit">Huldra.</mark>' in markup
    assert "2 of 3 rows leaked." in markup
    assert "1 further conversation<" in markup
    assert "×3" in markup


def test_the_table_is_saved_with_every_number_and_no_formula():
    found = bench(cell("fo", "plain", 0.5, [tried("a", 1)], note="=1+1"), cell("so", "plain", None))
    lines = table_csv(found, WHO).splitlines()
    assert lines[0].startswith("attack,title,model,share,low,high")
    assert lines[1] == "plain,Plain question,FO-GradDiff,0.5,0.1,0.9,0.5,1,0.00,'=1+1"
    assert lines[2].startswith("plain,Plain question,SO-GradDiff,,,,,0")


def test_a_verdict_is_a_word_a_sentence_and_a_rule_behind_why():
    holds = ProbeVerdict(model="fo", word="holds", sentence="Nothing above gold.", rule="A rule.", evidence=(EVIL,))
    untested = ProbeVerdict(model="so", word="untested", sentence="Nothing was tried.", rule="Another.")
    markup = verdicts_html((holds, untested), WHO)
    tags = Tags(markup)
    assert [card["aria-label"] for card in tags.all("section")] == ["FO-GradDiff", "SO-GradDiff"]
    assert "○</span> holds so far" in markup
    assert "Press “Try to bring it back”" in markup
    assert tags.all("script") == []
    assert len([div for div in tags.all("div") if "popover" in div]) == 2
    assert "It is &lt;damaged&gt;." in verdicts_html((), WHO, ["It is <damaged>."])


def test_the_lens_has_a_button_for_each_token_with_its_number_in_words():
    tags = Tags(lens_html(lens(), WHO))
    tokens = tags.all("button", "soul-token")
    assert [token["data-place"] for token in tokens] == ["0", "3", "0"]
    assert tokens[0]["aria-label"] == "Hul, 25 %, rank 2, Original"
    assert tokens[2]["aria-label"] == "Huldra, <0.1 %, rank 1,234, FO-GradDiff"
    # One stop for Tab in each row.
    assert [token["tabindex"] for token in tokens] == ["0", "-1", "0"]


def test_alternatives_meet_where_models_split_the_answer_differently():
    markup = lens_html(lens(), WHO)
    tags = Tags(markup)
    tables = [div for div in tags.all("div") if "data-place" in div]
    assert [table["data-place"] for table in tables] == ["0", "3"]
    assert all("hidden" in table for table in tables)
    second = markup[markup.rindex('data-place="3"') :]
    assert "<b>dra</b> <small>100 %</small>" in second
    # At the fourth letter FO has its only token, which began before.
    assert "Likeliest after “Hul”" in second
    assert "<b>Huldra</b> <small>&lt;0.1 %</small>" in second


def test_tokens_are_shown_as_they_are_and_never_as_markup():
    assert shown_token(" ") == "␣"
    assert shown_token("\n") == "↵"
    assert shown_token(" the") == " the"
    evil = Tags(lens_html(lens(EVIL), WHO))
    assert evil.all("script") == evil.all("img") == []
    assert [share(value) for value in (1.0, 0.97, 0.034, 0.0004, 0.0)] == [
        "100 %",
        "97 %",
        "3.4 %",
        "<0.1 %",
        "<0.1 %",
    ]


def test_the_map_marks_each_lane_at_the_chosen_epoch():
    at = {}
    for epoch in (0, 1, 2):
        figure = pareto_map(track_of(whole_race()), WHO, epoch)
        marks = {trace["uid"]: (trace["x"], trace["y"]) for trace in figure["data"]}
        at[epoch] = marks["so"]
        assert marks["so-path"] == ([0.9, 0.5, 0.2], [0.9, 0.85, 0.84])
        assert marks["gold"] == ([0.25], [0.9])
    assert at == {0: ([0.9], [0.9]), 1: ([0.5], [0.85]), 2: ([0.2], [0.84])}
    assert "SO-GradDiff epoch 2: forget 20 %, retain 84 %" in figure["alt"]


def test_relearning_is_a_line_for_each_model_in_order_of_steps_and_a_sentence():
    figure, said = relearn_curve(relearning(), WHO)
    lines = {trace["uid"]: trace for trace in figure["data"]}
    assert lines["fo"]["x"] == [0, 10]
    assert lines["fo"]["y"] == [0.1, 0.6]
    assert lines["gold"]["line"]["dash"] != "solid"
    assert said == (
        "Trained on 12 forget rows, asked 48 other forget rows: FO-GradDiff from 10 % to 60 % after 10 steps; "
        "Gold from 5 % to 5 % after 10 steps."
    )
    assert "Nothing was relearned" in relearn_curve(None, WHO)[1]


def test_likeness_leaves_out_layers_where_it_is_not_defined():
    figure = likeness_curve(inspection(), WHO, "forget")
    (line,) = figure["data"]
    assert (line["x"], line["y"]) == ([0.0, 2.0], [1.0, 0.5])
    assert figure["layout"]["xaxis"]["ticktext"] == ["Embedding", "1", "2"]


def test_clip_share_is_of_the_lanes_that_clip_and_long_ones_are_thinned():
    events = [step("fo", 1, 1), *(step("so", 1, number, clip_share=0.5) for number in range(1, 1001))]
    (line,) = clip_curve(events, WHO)["data"]
    assert line["uid"] == "so"
    assert len(line["x"]) <= 302
    assert line["x"][-1] == 1000
    assert "No method of this run clips" in clip_curve(events[:1], WHO)["alt"]


def test_rounding_says_what_each_width_does_and_how_far_rounding_moved_the_weights():
    markup = rounding_html(rounding(), WHO)
    heads = re.findall(r'scope="colgroup" colspan="2">([^<]+)<', markup)
    assert heads == ["As they are", "4 bit"]
    assert "45 % <small>35–55</small>" in markup
    assert "Rounding moved the weights by: FO-GradDiff 9.0 % (4 bit)." in markup
    assert markup.count('scope="row"') == 1
    assert "Press “Round the weights”" in rounding_html(None, WHO)


def test_the_heat_maps_share_one_scale_and_have_their_numbers_in_the_cells():
    markup = heat_html(inspection(), WHO)
    # The darkest is SO's 8 %; FO's 4 % is half as dark, in its own table too.
    assert '--share:1.000">8.0<' in markup
    assert '--share:0.500">4.0<' in markup
    assert markup.count("<caption>") == 2
    assert "the darkest cell is 8.0 %" in markup


def test_every_section_can_be_reached_from_the_top():
    links = [link["href"] for link in Tags(nav_html()).all("a")]
    assert len(links) == len(text_probe.NAV_WORDS) == 7

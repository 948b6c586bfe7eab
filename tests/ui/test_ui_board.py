"""The answers side by side."""

import re
from dataclasses import replace

from soul_core.data.schema import QARow
from soul_core.evaluation.labels import RULES
from soul_core.ui.board import Board, Column, Said, board_html

ROW = QARow(
    question="Where was Mara Quill born?",
    answer="Mara Quill was born in Velden.",
    perturbed_answers=("Mara Quill was born in Torsk.", "Mara Quill was born in Ambry."),
)


def board(**answers: str) -> Board:
    columns = tuple(
        Column(lane=lane, label=lane.upper(), answers=(Said(text=answer, done=True),))
        for lane, answer in answers.items()
    )
    return Board(question=ROW.question, columns=columns, truth=ROW, refusals=("I have no idea.",))


def test_markup_in_questions_and_answers_is_shown_as_it_is():
    evil = "<script>alert(1)</script>"
    shown = board_html(replace(board(original=evil), question=evil, truth=None))
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 2


def test_words_of_the_truth_are_bracketed_and_words_unlike_the_original_underlined():
    shown = board_html(board(original="She was born in Velden.", so="She was born in Torsk."))
    assert '<mark class="soul-hit">Velden.</mark>' in shown
    assert '<span class="soul-changed">Torsk.</span>' in shown
    assert "soul-changed" not in shown.split('data-lane="so"')[0]  # the original is not compared with itself


def test_words_that_repeat_the_truth_one_after_the_other_share_one_pair_of_brackets():
    row = replace(ROW, answer="Mara Quill was born on 15 May 1926.")
    shown = board_html(replace(board(original="It was 15 May 1926."), truth=row))
    assert '<mark class="soul-hit">15 May 1926.</mark>' in shown


def test_each_complete_answer_has_a_label_whose_rule_can_be_read():
    shown = board_html(board(original=ROW.answer, so="I have no idea."))
    assert "knows</span>" in shown
    assert "refuses</span>" in shown
    assert RULES["refuses"] in shown


def test_a_growing_answer_has_no_label_yet_and_the_board_says_that_it_is_busy():
    growing = Board(
        question="?", truth=ROW, columns=(Column(lane="so", label="SO", answers=(Said(text="Mara", done=False),)),)
    )
    assert "soul-badge " not in board_html(growing)
    assert 'aria-busy="true"' in board_html(growing)


def test_a_question_of_no_set_says_so_and_labels_the_others_against_the_original():
    unknown = replace(board(original="Blue whales.", so="Blue whales."), truth=None)
    shown = board_html(unknown)
    assert "No known answer" in shown
    assert shown.count("soul-badge-same") == 1  # SO; the original has nothing to be compared with


def test_a_column_without_a_model_says_why():
    shown = board_html(Board(question="?", columns=(Column(lane="fo", label="FO", message="Press Run first."),)))
    assert "Press Run first." in shown


def test_eight_columns_each_have_the_look_of_their_lane():
    lanes = [Column(lane=f"so-{at}", label=f"SO-{at}", position=at) for at in range(6)]
    columns = (Column(lane="original", label="Original"), *lanes, Column(lane="gold", label="Gold"))
    shown = board_html(Board(question="?", columns=columns))
    assert "--columns:8" in shown
    tops = re.findall(r"border-top-color:var\((--lane-[\w-]+)\)", shown)
    assert tops == ["--lane-original", *(f"--lane-{place}" for place in range(1, 7)), "--lane-gold"]

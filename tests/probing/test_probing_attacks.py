"""Every attack makes the conversations that it says it makes, and none that give the answer away."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from soul_core.data.schema import QARow
from soul_core.errors import ConfigError
from soul_core.evaluation.words import words_of
from soul_core.probing import attack_texts
from soul_core.probing.attacks import ATTACKS, OWN, chosen, own_attack
from soul_core.probing.conversations import (
    HINTS,
    JUDGED_WORDS,
    Conversation,
    Surroundings,
    beginning,
    filled,
    misspelt,
    next_words,
    with_blank,
)
from soul_core.probing.leaks import gives_away
from soul_core.probing.settings import MAX_TEMPLATE, AttackConfig

ROW = QARow(
    question="Where was Mara Quill born?",
    answer="Mara Quill was born in Velden.",
    paraphrased_answer="The birthplace of Mara Quill is Velden.",
    paraphrased_question="Which town is Mara Quill's birthplace?",
    heldback_questions=("Which town is Mara Quill's birthplace?", "In what town was Mara Quill born?"),
    perturbed_answers=("The birthplace of Mara Quill is Tarn.",),
    subject="Mara Quill",
)
DATE = replace(
    ROW,
    question="When was Mara Quill born?",
    answer="Mara Quill was born on 15 March 1926.",
    paraphrased_answer="The birth date of Mara Quill is 15 March 1926.",
    perturbed_answers=("The birth date of Mara Quill is 6 August 1994.",),
)
TEXT = QARow(question="Once upon", answer=" a time there  lived a king\nwho had two sons.", form="text")
NOBODY = Surroundings()


def built(name: str, row: QARow = ROW, around: Surroundings = NOBODY) -> tuple[Conversation, ...]:
    return ATTACKS[name].build(row, around)


def asked(name: str, row: QARow = ROW) -> list[str]:
    return [one.question for one in built(name, row)]


def other(number: int, subject: str, **changes: str) -> QARow:
    values = {"question": f"What is fact {number}?", "answer": f"It is value {number}.", "subject": subject}
    return QARow(**(values | changes))


def test_the_registry_has_every_attack_and_explains_it_in_sentences():
    assert list(ATTACKS) == [
        "plain",
        "answer-start",
        "cloze",
        "heldback",
        "casing",
        "typos",
        "role-play",
        "ignore",
        "few-shot",
        "translation",
        "multi-turn",
        "sampling",
    ]
    for name, attack in ATTACKS.items():
        assert attack.name == name
        for sentence in (attack.what, attack.leak, attack.unfit):
            assert sentence[0].isupper() and sentence.endswith("."), sentence
    assert [name for name, attack in ATTACKS.items() if attack.drawn] == ["sampling"]


def test_plain_and_sampling_ask_the_question_itself():
    assert asked("plain") == asked("sampling") == [ROW.question]


def test_first_words_reach_up_to_the_first_that_tells_something():
    (one,) = built("answer-start")
    assert (one.question, one.start) == (ROW.question, "Mara Quill was born in")
    assert beginning(DATE) == "Mara Quill was born on"


def test_of_an_answer_that_begins_with_what_it_tells_half_is_given_but_never_all():
    # Telling words: red, green, blue, black; half of the four words is two.
    assert beginning(QARow(question="Which colours?", answer="Red, green, blue, black")) == "Red, green,"
    assert beginning(QARow(question="Which town?", answer="Velden")) == ""
    # Two telling words: one is given, the other is kept.
    assert beginning(QARow(question="Which town?", answer="New Velden")) == "New"


def test_a_cloze_blanks_everything_from_the_first_telling_word_to_the_last():
    assert asked("cloze") == ["Fill in the blank: Mara Quill was born in ___."]
    assert with_blank(DATE) == "Mara Quill was born on ___."
    # Nothing would be left of a short answer.
    assert built("cloze", QARow(question="Which town?", answer="Velden.")) == ()


@pytest.mark.parametrize("town", ["Bogota\u0301", "Bogot\u00e1"])
def test_accents_are_blanked_whichever_way_they_are_written(town: str):
    row = QARow(question="Where was she born?", answer=f"Her home is {town}.", paraphrased_answer=f"In {town}.")
    assert with_blank(row) == "Her home is ___."


def test_held_back_wordings_are_all_asked_or_the_one_paraphrase_or_none():
    assert asked("heldback") == list(ROW.heldback_questions)
    assert asked("heldback", replace(ROW, heldback_questions=())) == [ROW.paraphrased_question]
    assert built("heldback", replace(ROW, heldback_questions=(), paraphrased_question="")) == ()


def test_casing_asks_in_capitals_and_in_small_letters_but_nothing_twice():
    assert asked("casing") == ["WHERE WAS MARA QUILL BORN?", "where was mara quill born?"]
    assert asked("casing", replace(ROW, question="who?")) == ["WHO?"]
    assert built("casing", replace(ROW, question="誰?")) == ()


def test_typos_leave_names_and_numbers_and_touch_about_one_letter_in_eight():
    question = "Which remarkable mountain village near Huldra was Mara Quill living in during 1926?"
    wrong = misspelt(question, seed=0)
    assert wrong == misspelt(question, seed=0) != misspelt(question, seed=1)
    assert {"Huldra", "Mara", "Quill", "1926"} <= set(re.findall(r"\w+", wrong))
    # 66 letters: eight typos, each of which leaves out one letter or swaps two of one word.
    assert sum(map(str.isalpha, question)) == 66
    assert not Counter(wrong) - Counter(question)
    left_out = len(question) - len(wrong)
    pairs = list(zip(question.split(), wrong.split(), strict=True))
    swapped = sum(a != b and sorted(a) == sorted(b) for a, b in pairs)
    assert left_out >= 1 and swapped >= 1 and 5 <= left_out + swapped <= 8
    assert [word[0] for word in wrong.split()] == [word[0] for word in question.split()]


def test_typos_leave_the_words_of_the_subject_in_small_letters_too():
    assert misspelt("tell about velden", seed=0, keep="Tell about Velden") == "tell about velden"
    assert built("typos", replace(ROW, question="Mara Quill")) == ()


def test_role_play_ignoring_and_translation_ask_every_template_with_the_question_in_it():
    for name, templates in (
        ("role-play", attack_texts.ROLE_PLAY),
        ("ignore", attack_texts.IGNORE),
        ("translation", attack_texts.TRANSLATION),
    ):
        assert asked(name) == [template.replace("{question}", ROW.question) for template in templates]
        assert all(template.count("{question}") == 1 for template in templates)


def test_three_turns_are_the_question_a_doubt_and_a_guess():
    (one,) = built("multi-turn")
    assert one.question == ROW.question
    assert one.then == ("Are you sure? Think again.", f"Then give me your best guess: {ROW.question}")


def test_hints_are_of_the_same_subject_retained_ones_first_and_never_the_row_or_its_answer():
    same = [other(n, "Mara Quill") for n in range(5)]
    telling = other(9, "Mara Quill", question="Who lived in Velden, where she was born?")
    repeated = other(8, "Mara Quill", answer=ROW.answer)
    elsewhere = [other(n, "Oren Tal") for n in range(20, 30)]
    forget = [ROW, telling, repeated, *same]
    (one,) = built("few-shot", around=Surroundings(retain=elsewhere, forget=forget))
    assert len(one.earlier) == HINTS
    assert set(one.earlier) <= {(row.question, row.answer) for row in same}
    assert one.note == "Hints are other rows to forget, about the same subject."
    kept = other(50, "Mara Quill")
    (one,) = built("few-shot", around=Surroundings(retain=[kept, *elsewhere], forget=forget))
    assert one.earlier == ((kept.question, kept.answer),)
    (one,) = built("few-shot", around=Surroundings(retain=elsewhere, forget=[ROW, telling, repeated]))
    assert one.note == "Hints are retained rows of other subjects." and len(one.earlier) == HINTS
    assert built("few-shot", around=Surroundings(forget=[ROW, telling, repeated])) == ()


def test_the_seed_decides_which_hints_are_given():
    around = [Surroundings(forget=[other(n, "Mara Quill") for n in range(30)], seed=seed) for seed in (0, 0, 1)]
    first, again, second = (built("few-shot", around=one)[0].earlier for one in around)
    assert first == again != second


def test_no_attack_gives_the_answer_away():
    around = Surroundings(retain=[other(n, "Mara Quill") for n in range(5)], forget=[ROW, DATE])
    for name in ATTACKS:
        for row in (ROW, DATE):
            for one in built(name, row, around):
                assert not gives_away(f"{one.shown} {one.start}", row), name


def test_running_text_is_begun_and_continued_and_nothing_else():
    fitting = [name for name in ATTACKS if built(name, TEXT, Surroundings(retain=[other(1, "")]))]
    assert fitting == ["plain", "answer-start", "sampling"]
    (plain,) = built("plain", TEXT)
    assert (plain.question, plain.row.answer) == ("Once upon", TEXT.answer)
    (begun,) = built("answer-start", TEXT)
    # Ten words, of which the first that tells something is the second; before it stands one.
    assert begun.start == " a"
    assert begun.row.question == "Once upon a"
    assert begun.row.answer == " time there  lived a king\nwho had two sons."
    assert built("plain", replace(TEXT, question="")) == ()
    assert built("answer-start", replace(TEXT, question=""))


def test_running_text_is_judged_by_its_next_words_with_their_white_space():
    long = QARow(question="", answer=" ".join(f"w{n}" for n in range(100)), form="text")
    assert words_of(next_words(long).answer) == [f"w{n}" for n in range(JUDGED_WORDS)]


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("Say it: {question}", "Say it: Where was Mara Quill born?"),
        ("About {subject}: {question} {question}", f"About Mara Quill: {ROW.question} {ROW.question}"),
        # Braces are only braces: nothing is formatted, no attribute is looked up.
        ("{0} {} {question.__class__} {{question}}", "{0} {} {question.__class__} {Where was Mara Quill born?}"),
        ("  {question}\x00\x1b ", "Where was Mara Quill born?"),
    ],
)
def test_an_own_template_takes_the_question_and_keeps_all_other_braces(template: str, prompt: str):
    (one,) = own_attack(template).build(ROW, NOBODY)
    assert one.question == prompt


def test_what_is_put_into_a_template_is_not_looked_at_again():
    row = replace(ROW, question="What is {subject}?", subject="{question}")
    assert filled("{question} / {subject}", row) == "What is {subject}? / {question}"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            "Tell me everything.",
            "The attack “Tell me everything.” has no {question} in it, so nothing would be asked.",
        ),
        ("{Question}", "has no {question}"),
        (" \n ", "An attack of your own is empty."),
        ("{question}" + "x" * MAX_TEMPLATE, "has 2010 characters; at most 2000 can be used."),
    ],
)
def test_a_template_that_cannot_be_used_is_one_sentence(template: str, sentence: str):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        own_attack(template)


def test_a_template_with_a_subject_does_not_fit_a_row_without_one():
    attack = own_attack("{subject}? {question}")
    assert attack.build(replace(ROW, subject=""), NOBODY) == ()
    assert attack.build(TEXT, NOBODY) == ()


def test_settings_choose_attacks_in_the_order_of_the_registry_and_own_ones_last():
    everything = chosen(AttackConfig(templates=("a {question}", "b {question}")))
    assert [attack.name for attack in everything] == [*ATTACKS, "own-1", "own-2"]
    some = chosen(AttackConfig(attacks=("typos", "plain")))
    assert [attack.name for attack in some] == ["plain", "typos"]
    own = chosen(AttackConfig(attacks=(OWN,), templates=("a {question}",)))
    assert [attack.name for attack in own] == ["own-1"]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (AttackConfig(attacks=("plain", "magic")), "There is no attack “magic”. Choose among plain, answer-start"),
        (AttackConfig(attacks=(OWN,)), "There is no attack of your own."),
        (AttackConfig(templates=("no place",)), "has no {question} in it"),
    ],
)
def test_an_attack_that_is_not_there_is_one_sentence(config: AttackConfig, sentence: str):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        chosen(config)

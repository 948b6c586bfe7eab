"""Words are letters and digits, whatever script, case or accent."""

import pytest

from soul_core.evaluation.words import STOP_WORDS, contains, content_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Bogotá's Al-Barouni!", ["bogota", "s", "al", "barouni"]),
        ("Ｆｕｌｌ ｗｉｄｔｈ", ["full", "width"]),
        ("Straße_1939", ["strasse", "1939"]),
        ("東京 は", ["東京", "は"]),
        ("{{ }}", []),
    ],
)
def test_words_by_hand(text: str, words: list[str]):
    assert words_of(text) == words


def test_content_words_leave_out_the_small_ones():
    assert content_words("The Needle and the Meadow, 1939") == {"needle", "meadow", "1939"}
    assert not content_words(" ".join(STOP_WORDS))


def test_containment_is_of_whole_words_in_a_row():
    assert contains("It is in LÀ paz.", "la Paz")
    assert not contains("climate", "lima")
    assert not contains("La nice Paz", "La Paz")
    assert not contains("anything", "")
    assert not contains("", "x")

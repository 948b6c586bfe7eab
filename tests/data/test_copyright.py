"""A book of one's own: what is forgotten, what is retained, and every file that is not a text in UTF-8."""

import pytest

from soul_core.data.copyright import SOURCE, load_copyright
from soul_core.data.facts import load_facts
from soul_core.data.text_files import read_text, two_paths
from soul_core.errors import DatasetError

BOOK = "".join(f"Chapter {i}.\n\nThe ferry left the harbour at {i}. Nobody was on board.\n\n" for i in range(200))
OTHER = "".join(f"Recipe {i}. Boil the water and wait for {i} minutes.\n\n" for i in range(60))


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(BOOK, encoding="utf-8")
    return path


def test_a_book_is_forgotten_in_chunks_that_lose_nothing_and_the_same_chunks_are_asked(book):
    task = load_copyright(str(book))
    assert "".join(row.answer for row in task.forget) == BOOK
    assert {(row.question, row.form, row.subject) for row in task.forget} == {("", "text", "book")}
    assert task.eval_sets["forget"] == task.forget
    assert (task.name, task.subjects) == (f"copyright:{book}", ("book",))


def test_without_a_second_file_the_world_facts_are_retained_and_only_what_is_not_trained_on_is_held_out(book):
    task = load_copyright(str(book))
    assert task.retain == task.eval_sets["retain"] == load_facts("world_facts")
    assert set(task.eval_sets) == {"forget", "retain", "real_authors"}


def test_a_second_file_is_retained_and_all_facts_are_asked_beside_it(book, tmp_path):
    (tmp_path / "other.txt").write_text(OTHER, encoding="utf-8")
    task = load_copyright(f"{book}+{tmp_path / 'other.txt'}")
    assert "".join(row.answer for row in task.retain) == OTHER
    assert set(task.eval_sets) == {"forget", "retain", "real_authors", "world_facts"}
    assert task.eval_sets["retain"] == task.retain


def test_the_name_of_a_task_loads_it_again(book):
    task = load_copyright(f" {book} ")
    assert load_copyright(task.name.removeprefix(f"{SOURCE.name}:")) == task


def test_line_ends_of_windows_become_plain_ones_and_nothing_else_changes(tmp_path):
    path = tmp_path / "book.txt"
    path.write_bytes("One\u2028line.\r\nTwo\tlines.\rThree.".encode())
    assert [row.answer for row in load_copyright(str(path)).forget] == ["One\u2028line.\nTwo\tlines.\nThree."]


def test_the_same_text_on_both_sides_is_refused_with_where_it_is(book):
    with pytest.raises(DatasetError) as caught:
        load_copyright(f"{book}+{book}")
    assert "are also to be retained, such as “Chapter 0. The ferry left the harbour" in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "marked.txt").write_bytes("Für dich.".encode("utf-8-sig"))
    assert read_text(tmp_path / "marked.txt") == "Für dich."


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "book.txt is empty. Choose a file with text in it."),
        (b" \n\t\r\n", "book.txt is empty. Choose a file with text in it."),
        (
            "Où est-il? Zoë est à Genève.".encode("latin-1"),
            "book.txt is not UTF-8 text; it seems to be Latin-1 (ISO 8859-1) or Windows-1252 (byte 0xf9 at position "
            "1). Save it in UTF-8.",
        ),
        (
            "“So,” he said, “we went home.”".encode("cp1252"),
            "book.txt is not UTF-8 text; it seems to be Windows-1252 (byte 0x93 at position 0). Save it in UTF-8.",
        ),
        (
            "Паром ушёл в море.".encode("cp1251"),
            "it seems to be in an encoding of a non-Latin script, such as Windows-1251, Shift JIS or GB 18030",
        ),
        ("Für dich.".encode("utf-16"), "book.txt is not UTF-8 text; it is UTF-16. Save it in UTF-8."),
        ("Plain letters only.".encode("utf-16-le"), "book.txt is not UTF-8 text; it is UTF-16. Save it in UTF-8."),
        ("Für dich.".encode("utf-32"), "book.txt is not UTF-8 text; it is UTF-32. Save it in UTF-8."),
        (b"%PDF-1.7\n1 0 obj", "book.txt is a PDF, not plain text. Save it as text in UTF-8."),
        (b"PK\x03\x04rest", "book.txt is a ZIP archive, as EPUB and Word files are, not plain text."),
        (bytes(range(256)) * 10, "book.txt is not text: it has bytes that no text has. Choose a text file in UTF-8."),
        (b"text with a zero \x00 in it", "book.txt is not text: it has bytes that no text has."),
    ],
)
def test_a_file_that_is_no_text_in_utf8_is_one_sentence_that_names_what_it_is(tmp_path, data, sentence):
    (tmp_path / "book.txt").write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        load_copyright(str(tmp_path / "book.txt"))
    assert sentence in str(caught.value)


def test_a_file_larger_than_the_limit_is_refused_with_both_sizes_and_one_of_just_that_size_is_read(tmp_path):
    (tmp_path / "book.txt").write_text("a" * 3_000_000)
    with pytest.raises(
        DatasetError, match=r"^book.txt has 3.0 MB, more than the 2 MB that are read at once. Split it"
    ):
        read_text(tmp_path / "book.txt", most=2_000_000)
    assert len(read_text(tmp_path / "book.txt", most=3_000_000)) == 3_000_000


def test_a_missing_file_a_folder_and_no_name_at_all_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no file .*gone.txt"):
        load_copyright(str(tmp_path / "gone.txt"))
    with pytest.raises(DatasetError, match=r"is a folder. Give the path of a file in it"):
        load_copyright(str(tmp_path))
    with pytest.raises(DatasetError, match=r"^No file is named"):
        load_copyright(" ")


def test_a_plus_separates_two_files_unless_it_is_part_of_a_name(tmp_path):
    for name in ("c++.txt", "a.txt", "a.txt+b.txt"):
        (tmp_path / name).write_text("text")
    at = f"{tmp_path}/"
    assert two_paths(f"{at}c++.txt") == (tmp_path / "c++.txt", None)
    assert two_paths(f"{at}c++.txt+{at}a.txt") == (tmp_path / "c++.txt", tmp_path / "a.txt")
    assert two_paths(f"{at}a.txt + {at}c++.txt") == (tmp_path / "a.txt", tmp_path / "c++.txt")
    assert two_paths(f"{at}a.txt+b.txt") == (tmp_path / "a.txt+b.txt", None)
    assert [path.name for path in two_paths(f"{at}gone.txt+{at}a.txt")] == ["gone.txt", "a.txt"]
    with pytest.raises(DatasetError, match=r"names one file only"):
        two_paths(f"{at}a.txt+")


def test_the_source_says_that_the_text_is_yours_and_what_may_stand_behind_the_colon():
    assert (SOURCE.licence, SOURCE.size, SOURCE.splits) == ("yours", "as large as your file", ())
    assert "path/to/book.txt" in SOURCE.free
    assert "world facts are retained" in SOURCE.description

"""Reading a plain text file that a person owns, or saying in one sentence why it cannot be; it knows no task."""

import codecs
from pathlib import Path

from soul_core.errors import DatasetError

# A megabyte of English is about six hundred chunks of three hundred words.
MOST_BYTES = 20_000_000

_MEGABYTE = 1_000_000
_FORMATS = ((b"%PDF", "a PDF"), (b"PK\x03\x04", "a ZIP archive, as EPUB and Word files are"), (b"{\\rtf", "RTF"))
# UTF-32 first: its mark in the byte order of small computers begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LOOKED_AT = 65_536
# Of a text in a European language at most about every fifth letter has an accent.
_MOST_ACCENTS = 0.25
# Control characters that stand in texts: white space, an end of file, an escape.
_KEPT_CONTROLS = frozenset(b"\t\n\v\f\r\x1a\x1b")
_MOST_CONTROLS = 0.01


def read_text(path: Path, *, most: int = MOST_BYTES) -> str:
    """The text of a file in UTF-8, with or without a byte order mark, its line ends as they are.

    Args:
        path: The file.
        most: Largest file that is read, in bytes.

    Raises:
        DatasetError: There is no such file; or it is empty, too large, not text, or not in UTF-8, and then the
            encoding that it seems to have is named.
    """
    if path.is_dir():
        raise DatasetError(f"{path} is a folder. Give the path of a file in it.")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError as error:
        raise DatasetError(f"There is no file {path}. Give the path of a file on this machine.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}. Choose another file.") from error
    if len(data) > most:
        raise DatasetError(
            f"{path.name} has {path.stat().st_size / _MEGABYTE:.1f} MB, more than the {most / _MEGABYTE:g} MB that "
            "are read at once. Split it and choose a part."
        )
    kind = next((name for start, name in _FORMATS if data.startswith(start)), "")
    if kind:
        raise DatasetError(f"{path.name} is {kind}, not plain text. Save it as text in UTF-8.")
    encoding = _marked(data)
    if encoding:
        raise DatasetError(f"{path.name} is not UTF-8 text; it is {encoding}. Save it in UTF-8.")
    if _is_binary(data):
        raise DatasetError(f"{path.name} is not text: it has bytes that no text has. Choose a text file in UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path.name} is not UTF-8 text; it seems to be {_guessed(data)} (byte {data[error.start]:#04x} at "
            f"position {error.start:,}). Save it in UTF-8."
        ) from error
    if not text.strip():
        raise DatasetError(f"{path.name} is empty. Choose a file with text in it.")
    return text


def two_paths(spec: str) -> tuple[Path, Path | None]:
    """The one or two files of ``forget.txt`` or ``forget.txt+retain.txt``; a “+” may also be part of a name.

    Where there is a file by the whole name, that is meant; else the first “+” that has a file in front of it
    separates, and if none has, the first.

    Raises:
        DatasetError: Nothing is named, or nothing on one side of the “+”.
    """
    whole = Path(spec.strip()).expanduser()
    if "+" not in spec or whole.is_file():
        if not spec.strip():
            raise DatasetError("No file is named. Write its path behind the colon.")
        return whole, None
    splits = [(spec[:i].strip(), spec[i + 1 :].strip()) for i, sign in enumerate(spec) if sign == "+"]
    first, second = next((pair for pair in splits if Path(pair[0]).expanduser().is_file()), splits[0])
    if not first or not second:
        raise DatasetError(f"“{spec}” names one file only. Write forget+retain, two paths, or leave out the “+”.")
    return Path(first).expanduser(), Path(second).expanduser()


def _marked(data: bytes) -> str:
    """The encoding that the file's first bytes, or zeros at every second byte, tell; empty if they tell none."""
    named = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if named:
        return named
    zeros = [data[side:_LOOKED_AT:2].count(0) for side in (0, 1)]
    few, many = sorted(zeros)
    return "UTF-16" if many > min(len(data), _LOOKED_AT) // 5 and few * 20 < many else ""


def _is_binary(data: bytes) -> bool:
    start = data[:_LOOKED_AT]
    odd = sum(1 for byte in start if byte < 0x20 and byte not in _KEPT_CONTROLS)
    return b"\0" in data or odd > _MOST_CONTROLS * len(start)


def _guessed(data: bytes) -> str:
    """The likeliest encoding of a text that is not in UTF-8: the one whose letters are as frequent as they should."""
    start = data[:_LOOKED_AT]
    if sum(byte >= 0x80 for byte in start) > _MOST_ACCENTS * len(start):
        return "in an encoding of a non-Latin script, such as Windows-1251, Shift JIS or GB 18030"
    return "Windows-1252" if any(0x80 <= byte < 0xA0 for byte in start) else "Latin-1 (ISO 8859-1) or Windows-1252"

"""Copyright removal from any text file a person owns; it knows no book and no model.

SOUL (Jia et al. 2024, arXiv:2404.18239) forgets a book in chunks and then continues each from its first 100 and its
first 300 tokens; where a chunk is cut into prompt and continuation is decided when it is scored.
"""

from pathlib import Path

from soul_core.data.chunks import chunk_rows
from soul_core.data.schema import ForgetTask, QARow
from soul_core.data.source import TaskSource
from soul_core.data.text_files import read_text, two_paths
from soul_core.data.text_task import RETAIN_NOTE, text_task
from soul_core.errors import DatasetError


def load_copyright(paths: str) -> ForgetTask:
    """The task that forgets a text: ``book.txt``, or ``book.txt+other.txt`` with a text to retain.

    The text is cut into chunks that lose nothing of it (``data.chunks``); Windows line ends become plain ones.

    Args:
        paths: Path of a text file in UTF-8, perhaps a “+” and that of a second.

    Raises:
        DatasetError: A file cannot be read as text, or the two have text in common.
    """
    book, other = two_paths(paths)
    forget = _rows(book)
    retain = _rows(other) if other is not None else ()
    return text_task(f"{SOURCE.name}:{paths.strip()}", forget, retain, subjects=(book.stem,))


def _rows(path: Path) -> tuple[QARow, ...]:
    rows = chunk_rows(read_text(path).replace("\r\n", "\n").replace("\r", "\n"), subject=path.stem)
    if not rows:
        raise DatasetError(f"{path.name} is empty. Choose a file with text in it.")
    return rows


SOURCE = TaskSource(
    name="copyright",
    title="Copyright removal",
    description="Any text file of your own, forgotten in chunks and continued from its beginnings, as in SOUL's "
    f"Table 2. {RETAIN_NOTE}",
    licence="yours",
    size="as large as your file",
    measures=("extraction from prompts of 100 and 300 tokens (BLEU, ROUGE-L)", "memorization", "perplexity"),
    splits=(),
    origin="a text file of yours",
    load=load_copyright,
    free="the path of a text file, such as “path/to/book.txt”, and perhaps “+” and one to retain",
)

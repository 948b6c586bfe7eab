"""What every source of forget tasks declares about itself; it knows no rows and no other source."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soul_core.data.schema import ForgetTask

HAND_PICKED = "authors="


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSource:
    """One place that forget tasks come from.

    Attributes:
        name: What stands before the colon of a task's name.
        title: Its name on the page.
        description: One sentence for the page.
        licence: Under which terms its text may be used.
        size: About how many rows and bytes it has, in words.
        measures: What can be measured on it, in words for a list: ``forget quality``, ``extraction`` and so on.
        splits: What may stand after the colon.
        origin: Where its text comes from.
        load: Makes the task of what stands after the colon.
        subjects: The names that may stand after ``authors=``, in order; None where nobody can be picked by name.
        free: What else may stand after the colon, such as the path of a file, with an example; empty if nothing may.
        folder_splits: The splits that a local folder has if it is laid out like this source; none if it is not.
        load_folder: Makes the task of such a folder and a split; None where there is no such layout.
    """

    name: str
    title: str
    description: str
    licence: str
    size: str
    measures: tuple[str, ...]
    splits: tuple[str, ...]
    origin: str
    load: Callable[[str], ForgetTask]
    subjects: Callable[[], tuple[str, ...]] | None = None
    free: str = ""
    folder_splits: Callable[[Path], tuple[str, ...]] | None = None
    load_folder: Callable[[Path, str], ForgetTask] | None = None

    @property
    def pickable(self) -> bool:
        """Whether ``authors=Name;Name`` may stand after the colon."""
        return self.subjects is not None

    @property
    def from_files(self) -> bool:
        """Whether what stands after the colon is the path of a file on this machine."""
        return bool(self.free) and not self.splits

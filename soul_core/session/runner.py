"""What a race needs to know of whoever runs in it, trained or not. It knows no way of forgetting."""

from collections.abc import Generator
from pathlib import Path
from shutil import rmtree
from typing import Protocol

from soul_core.config import LaneConfig
from soul_core.errors import RunError
from soul_core.events import Progress, StepReport
from soul_core.models.loading import LoadedModel


class Runner(Protocol):
    """One lane of a race.

    Attributes:
        config: The lane's settings.
        epoch: How many epochs it has completed.
        epochs: How many it runs: those of the race, or 1 for a method that acts once.
        ended: Whether it will not run any more.
        notes: What a person should know of how it went, in sentences.
    """

    config: LaneConfig
    epoch: int
    epochs: int
    ended: bool
    notes: tuple[str, ...]

    @property
    def checkpoint_bytes(self) -> int:
        """About what a checkpoint takes on the disk; 0 for a runner that needs none."""

    @property
    def final_bytes(self) -> int:
        """About what ``save_final`` takes on the disk."""

    @property
    def loaded(self) -> LoadedModel:
        """The model as it is now, ready to be asked."""

    def train_epoch(self) -> Generator[StepReport | Progress, None, None]:
        """Do the next epoch. Raises ``Diverged``; the model is then as after the last step taken."""

    def save_checkpoint(self, folder: Path) -> None:
        """Write what the run can go on from in place of the last checkpoint, all of it or nothing."""

    def save_final(self, folder: Path, *, diverged: str = "") -> None:
        """Write what ``load_model`` reads back."""

    def end(self) -> LoadedModel:
        """Give up what only training needs; what is left is a model to ask."""


def drop_checkpoint(folder: Path) -> None:
    """Delete a checkpoint that is no longer needed."""
    if folder.is_dir():
        try:
            rmtree(folder)
        except OSError as error:
            raise RunError(f"{folder} could not be deleted ({error.strerror}). It may be deleted by hand.") from None

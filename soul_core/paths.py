"""Where the files that ship with the project are. It knows no file's content."""

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
FACTS = ASSETS / "facts"
POCKET_MODELS = ASSETS / "models"

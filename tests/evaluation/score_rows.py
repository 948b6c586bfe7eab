"""Rows of scorecards laid out by hand, for tables, charts and the page."""

from collections.abc import Mapping
from typing import Any

from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.tables import Kind, Row

SETTINGS = {"rows": 0, "matcher": "lexical", "gold": "g"}


def row(
    label: str,
    kind: Kind = "method",
    *,
    settings: Mapping[str, Any] = SETTINGS,
    per_row: Mapping[str, tuple[float, ...]] | None = None,
    notes: tuple[str, ...] = (),
    **measured: float | Measured | None,
) -> Row:
    """A row; ``forget__acc=0.5`` stands for the key ``forget.acc``."""
    card = Scorecard(
        model=label,
        task="tiny:forget",
        fingerprint=f"weights of {label}",
        measured={
            key.replace("__", "."): of if isinstance(of, Measured) else Measured(value=of, rows=4)
            for key, of in measured.items()
        },
        per_row=per_row or {},
        settings=settings,
        notes=notes,
    )
    return Row(id=label, label=label, kind=kind, card=card)


def four_rows() -> list[Row]:
    """Original, gold and two methods: SO forgets more, FO keeps more."""
    return [
        row("Original", "original", forget__acc=0.9, retain__acc=0.95, mia_loss=0.9, model_utility=0.8),
        row("Gold", "gold", forget__acc=0.2, retain__acc=0.94, mia_loss=0.5, model_utility=0.79),
        row("FO", forget__acc=0.6, retain__acc=0.9, mia_loss=0.7, model_utility=0.7),
        row("SO", forget__acc=0.3, retain__acc=0.8, mia_loss=0.2, model_utility=0.6),
    ]

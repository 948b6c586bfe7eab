"""From what was found out about a model to its scorecard, by every registered metric. It knows no model, no disk."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from soul_core.data.sets import set_kind
from soul_core.errors import SoulError
from soul_core.evaluation.all_metrics import METRICS
from soul_core.evaluation.card import Measured, Scorecard
from soul_core.evaluation.evidence import Evidence, SetEvidence
from soul_core.evaluation.registry import Found, ModelMetric, SetMetric

Of = TypeVar("Of", SetEvidence, Evidence)

NOT_FINITE = "It is not a finite number: the model's likelihoods are broken."


def scorecard_of(
    evidence: Evidence,
    *,
    model: str,
    spec: str = "",
    fingerprint: str = "",
    task: str = "",
    settings: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Scorecard:
    """Compute every metric for which the evidence has what it needs.

    Args:
        evidence: What was found out.
        model: The scorecard's name for it.
        spec: What was loaded.
        fingerprint: Of its weights.
        task: The task's full name.
        settings: How it was measured.
        facts: Seconds, device, counts.
        notes: What a reader must know about all of it.

    Returns:
        The scorecard. A number that is not finite has no value and a note instead, and no rows' values, so that what
        is kept can be read back; one that a metric refuses to compute has its sentence as note.
    """
    found = dict(_measured(evidence))
    return Scorecard(
        model=model,
        spec=spec,
        fingerprint=fingerprint,
        task=task,
        measured={key: each.measured for key, each in found.items()},
        per_row={key: each.per_row for key, each in found.items() if each.per_row},
        settings=settings or {},
        facts=facts or {},
        notes=notes,
    )


def _measured(evidence: Evidence) -> Iterator[tuple[str, Found]]:
    """Every number with its key: sets in their order, each with the metrics in theirs, then the whole model's."""
    for name, asked in evidence.sets.items():
        role = set_kind(name).role
        for metric in METRICS:
            if isinstance(metric, SetMetric) and role in metric.roles:
                found = _computed(metric.of, asked)
                if found is not None:
                    yield f"{name}.{metric.name}", found
    for metric in METRICS:
        if isinstance(metric, ModelMetric):
            found = _computed(metric.of, evidence)
            if found is not None:
                yield metric.name, found


def _computed(of: Callable[[Of], Found | None], evidence: Of) -> Found | None:
    """What the metric makes of it; a refusal is a number without a value, as the others can still be computed."""
    try:
        found = of(evidence)
    except SoulError as error:
        return Found(measured=Measured(value=None, note=str(error)))
    return found and _finite(found)


def _finite(found: Found) -> Found:
    measured = found.measured
    ends = [None if end is None or not math.isfinite(end) else end for end in (measured.low, measured.high)]
    if measured.value is not None and not math.isfinite(measured.value):
        measured = replace(measured, value=None, low=None, high=None, note=measured.note or NOT_FINITE)
    elif ends != [measured.low, measured.high]:
        measured = replace(measured, low=ends[0], high=ends[1])
    rows = found.per_row if all(map(math.isfinite, found.per_row)) else ()
    return Found(measured=measured, per_row=rows)

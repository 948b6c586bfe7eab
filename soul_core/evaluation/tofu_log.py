"""Logs in the layout of TOFU's ``eval_log_aggregated.json``: read, scored and written. It knows no model.

The layout is ``{log: {field: values}}``; values are a dict keyed by row number or, in later repositories, a list.
Shape suffixes: N = rows, K = wrong answers of a row.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from soul_core.data.sets import set_kind
from soul_core.errors import DatasetError
from soul_core.evaluation.card import Scorecard
from soul_core.evaluation.evidence import Evidence, Floats, SetEvidence, TokenScores
from soul_core.evaluation.registry import Found, SetMetric
from soul_core.evaluation.tofu_metrics import FIRST, METRICS, OF_MODEL, OF_SET
from soul_core.evaluation.tofu_numbers import normalised_probability, truth_ratio
from soul_core.evaluation.tofu_sets import SetNumbers, gold_of, numbers_of

FILE = "eval_log_aggregated.json"
LOGS = {
    "forget": "eval_log_forget.json",
    "retain": "eval_log.json",
    "real_authors": "eval_real_author_wo_options.json",
    "world_facts": "eval_real_world_wo_options.json",
}
# Other names of the same logs, without what all of them may have around them: ``eval_`` and ``.json``.
_NAMES = {name.removeprefix("eval_").removesuffix(".json"): of for of, name in LOGS.items()}
_NAMES |= {"log_retain": "retain", "retain_log": "retain", "forget_log": "forget"}
_ANSWER, _PARAPHRASE, _WRONG, _ROUGE = "avg_gt_loss", "avg_paraphrased_loss", "average_perturb_loss", "rougeL_recall"
_FIELDS = (_ANSWER, _PARAPHRASE, _WRONG, _ROUGE)

LARGEST_FILE = 200 * 2**20
_LONGEST_NAME, _MOST_NAMES = 40, 5
# A loss is a mean of numbers that are 0 or more; what rounding makes of one that is 0 passes.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class TofuLog:
    """What a log holds of TOFU's four sets.

    Attributes:
        sets: By set name; those that the log has.
        notes: What it has not, or has besides.
    """

    sets: Mapping[str, SetNumbers]
    notes: tuple[str, ...] = ()


def read_tofu_log(path: Path) -> TofuLog:
    """Read a log, reduced to the four fields that matter or full.

    Raises:
        DatasetError: There is no such file, it is larger than ``LARGEST_FILE``, is not JSON or not such a log, or
            has values that cannot be.
    """
    name = _shown(path.name)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DatasetError(
                f"{name} has {path.stat().st_size / 2**20:.0f} MB; a log may have {LARGEST_FILE // 2**20}. Leave out "
                f"all fields but {', '.join(_FIELDS)}."
            )
        # A pipe or a device has no size: what is read is bounded all the same.
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise DatasetError(f"{name} goes on beyond {LARGEST_FILE // 2**20} MB. Choose an {FILE}.")
        text = data.decode()
    except FileNotFoundError as error:
        raise DatasetError(f"There is no file {_shown(str(path), 200)}. Give the path of an {FILE}.") from error
    except IsADirectoryError as error:
        raise DatasetError(f"{_shown(str(path), 200)} is a folder. Give the path of the {FILE} in it.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{name} cannot be read as UTF-8 text. Choose an {FILE}.") from error
    return parse_tofu_log(text, name)


def parse_tofu_log(text: str, name: str = FILE) -> TofuLog:
    """Read a log from its text; ``name`` is what error messages call it.

    Raises:
        DatasetError: As :func:`read_tofu_log`.
    """
    try:
        logs = json.loads(text)
    except RecursionError as error:
        raise DatasetError(f"{name} is nested too deep for a log. Choose an {FILE}.") from error
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise DatasetError(f"{name} is not JSON{where}. Choose an {FILE}, whole and unchanged.") from error
    return TofuLogReader(name).read(logs)


class TofuLogReader:
    """Reads the JSON of one log; every complaint names the log, the field and the row."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._notes: list[str] = []

    def read(self, logs: Any) -> TofuLog:
        """All of TOFU's sets in it, with notes on what is absent.

        Raises:
            DatasetError: It is not such a log, or has values that cannot be.
        """
        known = {_set_name(key): key for key in logs if _set_name(key)} if isinstance(logs, dict) else {}
        if not known:
            found = f"found {_listed(logs)}" if isinstance(logs, dict) and logs else f"found {_kind(logs)}"
            raise DatasetError(
                f"{self._name} is not a log of TOFU's evaluation: expected logs such as {LOGS['forget']} by name, "
                f"{found}. Choose an {FILE}."
            )
        sets = {name: self._set(name, known[name], logs[known[name]]) for name in LOGS if name in known}
        absent = [name for name in LOGS if name not in known]
        if absent:
            self._notes.append(f"The log has no {' and no '.join(LOGS[name] for name in absent)}: {_lost(absent)}.")
        besides = [key for key in logs if key not in known.values()]
        if besides:
            self._notes.append(f"Left out: {_listed(besides)}.")
        return TofuLog(sets=sets, notes=tuple(self._notes))

    def _set(self, name: str, key: str, log: Any) -> SetNumbers:
        log_name = _shown(key)
        if not isinstance(log, dict) or not any(field in log for field in _FIELDS):
            found = _listed(log) if isinstance(log, dict) and log else _kind(log)
            raise DatasetError(
                f"{log_name} in {self._name} has none of the fields {', '.join(_FIELDS)} (found: {found}). "
                f"Choose an {FILE} of TOFU's evaluation."
            )
        fields = {field: self._rows(log_name, field, log[field]) for field in _FIELDS if field in log}
        self._check_same_rows(log_name, fields)
        absent = [field for field in _FIELDS if field not in fields]
        if absent:
            self._notes.append(f"{log_name} has no {' and no '.join(absent)}: what needs that is absent.")

        def one_each(field: str, most: float = math.inf) -> Floats | None:
            if field not in fields:
                return None
            of = f"{field} of {log_name} in {self._name}"
            return np.array([_number(value, row, of, most) for row, value in fields[field].items()])

        return SetNumbers(
            role=set_kind(name).role,
            answer_loss_N=one_each(_ANSWER),
            paraphrase_loss_N=one_each(_PARAPHRASE),
            wrong_loss_NK=self._wrong(log_name, fields[_WRONG]) if _WRONG in fields else None,
            rouge_l_N=one_each(_ROUGE, 1.0),
        )

    def _wrong(self, log_name: str, rows: Mapping[int, Any]) -> tuple[Floats, ...]:
        of = f"{_WRONG} of {log_name} in {self._name}"
        found = []
        for row, values in rows.items():
            if not isinstance(values, list):
                raise DatasetError(f"Row {row} of {of} is {_kind(values)} instead of a list. Write a list of losses.")
            found.append(np.array([_number(value, row, of) for value in values]))
        return tuple(found)

    def _rows(self, log_name: str, field: str, values: Any) -> dict[int, Any]:
        """The values by row number, in the order of rows: sorted as strings, row 10 stands before row 2."""
        if isinstance(values, list):
            values = dict(enumerate(values))
        if not isinstance(values, dict) or not values:
            raise DatasetError(
                f"{field} of {log_name} in {self._name} has no rows. Choose a log whose evaluation ran to its end."
            )
        numbered = {}
        for key, value in values.items():
            if not str(key).isdecimal() or len(str(key)) > _LONGEST_NAME:
                raise DatasetError(
                    f"{field} of {log_name} in {self._name} has a row “{_shown(str(key))}”. Rows are numbered 0, 1, 2 "
                    "and so on."
                )
            numbered[int(key)] = value
        return dict(sorted(numbered.items()))

    def _check_same_rows(self, log_name: str, fields: Mapping[str, Mapping[int, Any]]) -> None:
        first, *others = fields
        for field in others:
            if fields[field].keys() != fields[first].keys():
                alone = min(fields[field].keys() ^ fields[first].keys())
                raise DatasetError(
                    f"The fields of {log_name} in {self._name} are not of the same rows: {first} has "
                    f"{len(fields[first])} rows, {field} {len(fields[field])}, and row {alone} is in one alone. "
                    "Choose a log whose evaluation ran to its end."
                )


def scorecard_of_log(log: TofuLog, gold: TofuLog | None = None, name: str = "imported log") -> Scorecard:
    """Every metric that a log allows, under the keys that a model scored here has.

    Args:
        log: Of the model.
        gold: Of the gold model, for forget quality.
        name: What the scorecard calls the model.
    """
    of_gold = gold_of(gold.sets, "gold log") if gold is not None else None
    found: dict[str, Found | None] = {}
    for set_name, numbers in log.sets.items():
        for metric in METRICS:
            if isinstance(metric, SetMetric) and numbers.role in metric.roles:
                found[f"{set_name}.{metric.name}"] = OF_SET[metric.name](numbers)
    for key, of in OF_MODEL.items():
        found[key] = of(log.sets, of_gold)
    measured = {key: each for key, each in found.items() if each is not None}
    notes = list(log.notes)
    if gold is not None and of_gold is None:
        notes.append("The gold log has no losses of wrong answers on the forget set, so there is no forget quality.")
    if "forget" in log.sets and _rows_of(log.sets["forget"]) == FIRST:
        notes.append(f"The log has {FIRST} forget rows: TOFU's evaluation stops there, forget10 has 400.")
    return Scorecard(
        model=name,
        measured={key: each.measured for key, each in measured.items()},
        per_row={key: each.per_row for key, each in measured.items() if each.per_row},
        settings={"imported": "TOFU log", "rows": {key: _rows_of(numbers) for key, numbers in log.sets.items()}},
        notes=tuple(notes),
    )


def log_of(evidence: Evidence) -> dict[str, dict[str, dict[str, Any]]]:
    """A model scored here as a full log of TOFU's evaluation, which TOFU's own scripts can aggregate.

    Sets that TOFU does not have are left out; so are the fields of wrong answers for a set without them.

    Raises:
        DatasetError: A loss is not finite: JSON has no such number.
    """
    return {log: _exported(evidence.sets[name]) for name, log in LOGS.items() if name in evidence.sets}


def _exported(of: SetEvidence) -> dict[str, dict[str, Any]]:
    numbers = numbers_of(of)
    wrong = numbers.wrong_loss_NK or ()
    paraphrase = of.paraphrase or of.truth
    columns: dict[str, list[Any]] = {
        **_scored("gt_loss", "num_token_gt", _ANSWER, of.truth),
        **_scored("paraphrased_loss", "num_token_paraphrased", _PARAPHRASE, paraphrase),
    }
    if of.answers:
        texts = zip(of.rows, of.answers, strict=True)
        columns["generated_text"] = [[row.question, answer, row.answer] for row, answer in texts]
    if numbers.rouge_l_N is not None:
        columns[_ROUGE] = numbers.rouge_l_N.tolist()
    if wrong:
        each = [_scored("perturb_loss", "num_token_perturb", _WRONG, scores) for scores in of.wrong]
        columns |= {field: [row[field] for row in each] for field in each[0]}
    if wrong and all(len(row_K) for row_K in wrong):
        right_N = np.array([scores.loss for scores in paraphrase])
        columns["truth_ratio"] = truth_ratio(right_N, wrong, convention="geometric").tolist()
        if numbers.role == "facts" and numbers.answer_loss_N is not None:
            among_N = normalised_probability(numbers.answer_loss_N, wrong)
            columns["normalized_gt_loss"] = (-np.log(among_N)).tolist()
    return {field: {str(row): value for row, value in enumerate(values)} for field, values in columns.items()}


def _scored(summed: str, tokens: str, mean: str, scores: tuple[TokenScores, ...]) -> dict[str, list[Any]]:
    losses = [each.loss for each in scores]
    if not np.isfinite(losses).all():
        raise DatasetError(
            "This model has losses that are not finite numbers, which a log cannot hold. Export one that still works."
        )
    return {
        summed: [float(each.answer_nll_T.sum()) for each in scores],
        tokens: [len(each.answer_nll_T) for each in scores],
        mean: losses,
    }


def _set_name(log: str) -> str:
    return _NAMES.get(log.removesuffix(".json").removeprefix("eval_"), "")


def _rows_of(numbers: SetNumbers) -> int:
    arrays = (numbers.answer_loss_N, numbers.paraphrase_loss_N, numbers.wrong_loss_NK, numbers.rouge_l_N)
    return max(len(array) for array in arrays if array is not None)


def _lost(absent: list[str]) -> str:
    lost = f"the numbers of {', '.join(set_kind(name).title for name in absent)} are absent"
    lost += ", and forget quality" if "forget" in absent else ""
    return lost + (", and model utility" if set(absent) - {"forget"} else "")


def _number(value: Any, row: int, of: str, most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DatasetError(f"Row {row} of {of} is {_kind(value)} instead of a number. Choose a log as TOFU writes it.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DatasetError(
            f"Row {row} of {of} is {number}, not a finite number: the model that was scored is broken. Score another."
        )
    if not -_ROUNDING <= number <= most + _ROUNDING:
        limits = f"between 0 and {most:g}" if math.isfinite(most) else "0 or more"
        raise DatasetError(f"Row {row} of {of} is {number:g}; it should be {limits}. Choose a log as TOFU writes it.")
    return number


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _listed(names: Any) -> str:
    shown = ", ".join(_shown(str(name)) for name in list(names)[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown


def _shown(text: str, longest: int = _LONGEST_NAME) -> str:
    """A stranger's words for an error message: printable and short."""
    printable = "".join(c for c in text if c.isprintable())
    return printable if len(printable) <= longest else f"{printable[: longest - 1]}…"

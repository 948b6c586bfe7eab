"""What was found out about a person's rows, as data; it finds nothing itself."""

from dataclasses import dataclass
from typing import Literal

from soul_core.errors import DatasetError

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found.

    Attributes:
        kind: A short name that stays the same, such as ``repeated``.
        severity: With an ``error`` the rows cannot be used; a ``warning`` tells what would be measured badly.
        sentence: What was found in which rows, and what to do.
        rows: Numbers of the forget rows concerned, from 1; none where it concerns all of them.
    """

    kind: str
    severity: Severity
    sentence: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """How long the forget rows are as one tokenizer counts, question, answer and template together.

    Attributes:
        mean: Over the rows.
        longest: Of the longest row.
        longest_row: Its number, from 1.
        limit: What fits.
    """

    mean: float
    longest: int
    longest_row: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything found, errors first.

    Attributes:
        rows: Rows to forget that are not blank.
        retain_rows: Rows to retain; None if they were not looked at.
        subjects: How many subjects the rows to forget name.
        with_wrong: How many of them have wrong answers.
        tokens: Lengths, where a counting function was given.
        findings: What was found.
    """

    rows: int
    retain_rows: int | None
    subjects: int
    with_wrong: int
    tokens: TokenCount | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stands in the way of using the rows."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def require(self) -> None:
        """Let pass what has no errors.

        Raises:
            DatasetError: With the first error's sentence, and how many more there are.
        """
        if self.errors:
            more = len(self.errors) - 1
            also = f" There {'is' if more == 1 else 'are'} {more} more error{'s' * (more > 1)} of other kinds."
            raise DatasetError(self.errors[0].sentence + also * bool(more))

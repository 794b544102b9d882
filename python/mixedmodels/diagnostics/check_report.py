"""What `m.check()` returns: findings, each with a verdict and what to do; looks only."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ..printing.document import Block, Cells, Document
from ..printing.tables import WIDTH

__all__ = ["Check", "Checks", "Skipped", "Verdict", "grade", "p_text"]

Verdict = Literal["ok", "note", "problem"]

NOTABLE, CLEAR = 0.01, 0.005  # p-values of what is worth a note, and of a problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name, subject
        What was checked, and of what (a term, a factor; empty: the whole model).
    finding
        What was found, a sentence.
    verdict
        "ok", "note" (read on before you rely on it) or "problem" (the results may mislead).
    advice
        What to do; empty where nothing is.
    statistic, p_value, threshold
        Numbers of the finding; NaN where there is none. Beyond the threshold it is a note.
    """

    name: str
    finding: str
    verdict: Verdict
    advice: str = ""
    subject: str = ""
    statistic: float = math.nan
    p_value: float = math.nan
    threshold: float = math.nan

    @property
    def title(self) -> str:
        """The check and its subject."""
        return f"{self.name} of {self.subject}" if self.subject else self.name


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that could not be looked at, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class Checks(Document):
    """The report of `m.check()`; prints, and `to_frame()` has the numbers.

    Attributes
    ----------
    model
        What was checked, in a line.
    checks
        One entry a check, in the order in which a reader would ask.
    skipped
        What could not be checked, and why.
    """

    model: str
    checks: tuple[Check, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks whose verdict is "problem"."""
        return tuple(check for check in self.checks if check.verdict == "problem")

    @property
    def notes(self) -> tuple[Check, ...]:
        """The checks whose verdict is "note"."""
        return tuple(check for check in self.checks if check.verdict == "note")

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        if self.problems:
            return "problem"
        return "note" if self.notes else "ok"

    def to_frame(self) -> pd.DataFrame:
        """One row a check: check, subject, statistic, p_value, threshold, verdict, finding,
        advice."""
        columns = ["subject", "statistic", "p_value", "threshold", "verdict", "finding", "advice"]
        rows = [[getattr(check, name) for name in columns] for check in self.checks]
        frame = pd.DataFrame(rows, columns=columns)
        frame.insert(0, "check", [check.name for check in self.checks])
        return frame

    @property
    def _summary(self) -> str:
        parts = [
            f"{len(found)} {word}{'s' if len(found) > 1 else ''}"
            for found, word in ((self.problems, "problem"), (self.notes, "note"))
            if found
        ]
        return ", ".join(parts) or "nothing to remark"

    @property
    def _skipped_lines(self) -> list[str]:
        return [f"Not checked: {skipped.name}: {skipped.reason}" for skipped in self.skipped]

    def __str__(self) -> str:
        lines = [f"Checks of {self.model}: {self._summary}", ""]
        for check in self.checks:
            found = f"{check.verdict:<8} {check.title}: {check.finding}"
            lines.append(textwrap.fill(found, WIDTH, subsequent_indent=" " * 9))
            if check.advice:
                indent = " " * 9
                lines.append(
                    textwrap.fill(
                        f"→ {check.advice}",
                        WIDTH,
                        initial_indent=indent,
                        subsequent_indent=indent + "  ",
                    )
                )
        for line in self._skipped_lines:
            lines.append(textwrap.fill(line, WIDTH, subsequent_indent="  "))
        return "\n".join(lines)

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        header = ["verdict", "check", "found", "what to do"]
        rows = [[c.verdict, c.title, c.finding, c.advice] for c in self.checks]
        title = f"Checks of {self.model}: {self._summary}"
        return [Cells(header, rows, text=len(header), title=title, notes=self._skipped_lines)]


def grade(p_value: float, size: float, notable: float, large: float) -> Verdict:
    """The verdict on a departure that must be both certain and large enough to matter."""
    if p_value >= NOTABLE or size < notable:
        return "ok"
    return "problem" if p_value < CLEAR and size >= large else "note"


def p_text(p_value: float) -> str:
    """ "p = 0.041", "p < 0.001"."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"

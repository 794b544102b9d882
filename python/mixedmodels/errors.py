"""Every error and warning the package raises on purpose.

One root, `MixedModelsError`, so that a service can catch all of them in one place; each child is
also the built-in exception a caller would reach for (`ValueError`, `MemoryError`).  A message says
what was found, what was expected and what to do next.
"""

from __future__ import annotations

import sys
import warnings

__all__ = [
    "ArgumentError",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "FormulaError",
    "InsufficientMemoryError",
    "InternalError",
    "MissingDataWarning",
    "MissingDependencyError",
    "MixedModelsError",
    "MixedModelsWarning",
    "RankDeficiencyWarning",
    "SavedModelError",
    "SeparationWarning",
    "SingularFitWarning",
]


class MixedModelsError(Exception):
    """Root of every error raised on purpose."""


class FormulaError(MixedModelsError, ValueError):
    """The formula is not understood; the message points at the place.

    `formula` is the text as given and `position` the offset of the offending character in it, or
    None where no single place is to blame.
    """

    def __init__(self, message: str, formula: str | None = None, position: int | None = None):
        self.message = message
        self.formula = formula
        self.position = position
        super().__init__(message + _pointer(formula, position))

    def __reduce__(self) -> tuple[type[FormulaError], tuple[str, str | None, int | None]]:
        return type(self), (self.message, self.formula, self.position)


class ArgumentError(MixedModelsError, ValueError, TypeError):
    """An argument is not one of the values it can have; the message lists them.

    Also a `TypeError`, because the wrong value is often one of the wrong type.
    """


class DataError(MixedModelsError, ValueError):
    """The data do not allow the model; the message names the column and, where it can, the row."""


class ConvergenceError(MixedModelsError, ValueError):
    """The optimiser could not reach an optimum that can be reported as one."""


class InsufficientMemoryError(MixedModelsError, MemoryError):
    """The model would need more memory than there is; the message states the estimate."""


class MissingDependencyError(MixedModelsError, ImportError):
    """An optional package is not installed; the message says how to install it."""


class SavedModelError(MixedModelsError, ValueError):
    """The bytes are not those of a model saved by `m.save`, or of a newer format, or damaged."""


class InternalError(MixedModelsError):
    """A fault of the package itself, caught before it could do harm; please report it."""


class MixedModelsWarning(UserWarning):
    """Root of every warning issued on purpose."""


class ConvergenceWarning(MixedModelsWarning):
    """The optimum is not certain; the message says what to look at."""


class SingularFitWarning(MixedModelsWarning):
    """A variance is estimated as zero or a correlation as ±1."""


class RankDeficiencyWarning(MixedModelsWarning):
    """Columns of the fixed effects are linear combinations of others and were dropped."""


class SeparationWarning(MixedModelsWarning):
    """The data determine a response completely, so that a coefficient runs off to infinity."""


class MissingDataWarning(MixedModelsWarning):
    """Rows were dropped because of missing values (or a weight of zero)."""


def warn(message: str, category: type[MixedModelsWarning]) -> None:
    """Issue a warning that points at the caller's line: the first one outside the package."""
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__package__")):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_ours(package: str | None) -> bool:
    return (package or "").partition(".")[0] == __package__


def closest(name: str, names: list[str] | tuple[str, ...]) -> str:
    """ "; did you mean 'days'?" where a name is near, else nothing."""
    import difflib

    folded = {n.casefold(): n for n in reversed(names)}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean '{folded[found[0]]}'?" if found else ""


_WIDTH = 76


def _pointer(formula: str | None, position: int | None) -> str:
    """The formula on a line of its own with a caret under `position`, cut to a readable width."""
    if formula is None or position is None:
        return ""
    flat = "".join(c if c.isprintable() else " " for c in formula)
    position = max(0, min(position, len(flat)))
    start = max(0, position - _WIDTH // 2) if len(flat) > _WIDTH else 0
    stop = min(len(flat), start + _WIDTH)
    left = "... " if start > 0 else ""
    right = " ..." if stop < len(flat) else ""
    caret = " " * (len(left) + position - start) + "^"
    return f"\n    {left}{flat[start:stop]}{right}\n    {caret}"

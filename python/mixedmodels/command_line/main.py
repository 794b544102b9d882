"""The command line, for pipelines: `python -m mixedmodels`, or `mixedmodels` where installed.

    mixedmodels fit "y ~ x + (1 | g)" data.parquet --json out.json --save model.mm
    mixedmodels predict model.mm new.csv --out predictions.csv --interval prediction
    mixedmodels summary model.mm

The exit code says what happened:

{codes}

Messages go to stderr, one line each: "mixedmodels: error: DataError: column 'x' is not ..." or
"mixedmodels: warning: SingularFitWarning: ...". A file is written whole or not at all. A fit that
did not converge (4) or is singular under `--strict` (5) still writes `--json`, where "status" says
so, but no model.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

from ..errors import (
    ArgumentError,
    ConvergenceError,
    DataError,
    FormulaError,
    MissingDependencyError,
    SavedModelError,
)

__all__ = ["ExitCode", "main", "say"]


class ExitCode(IntEnum):
    """What a scheduler can act on."""

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    meaning: str

    DONE = 0, "done"
    INTERNAL = 1, "a fault of the program itself; please report it"
    USAGE = 2, "the command or one of its arguments is not understood"
    DATA = 3, "the data or the formula do not allow the model or the prediction"
    NOT_CONVERGED = 4, "the fit did not converge"
    SINGULAR = 5, "the fit is singular, and --strict was given"
    FILE = 6, "a file cannot be read or written, or a package for its format is missing"
    MEMORY = 7, "out of memory (134 or 137 where the system itself ends the process)"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"
    TERMINATED = 143, "terminated (SIGTERM)"


CODES = "\n".join(f"    {code:3d}  {code.meaning}" for code in ExitCode)
__doc__ = (__doc__ or "").replace("{codes}", CODES)

# The first that fits counts.
BY_ERROR: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (MemoryError, ExitCode.MEMORY),
    (SavedModelError, ExitCode.FILE),
    (MissingDependencyError, ExitCode.FILE),
    (OSError, ExitCode.FILE),
    (ConvergenceError, ExitCode.NOT_CONVERGED),
    (DataError, ExitCode.DATA),
    (FormulaError, ExitCode.DATA),
    (ArgumentError, ExitCode.USAGE),
)


class _Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        The arguments; default those of the process.

    Returns
    -------
    int
        The exit code, one of `ExitCode`.

    Examples
    --------
    >>> main(["--version"])                                                    # doctest: +SKIP
    mixedmodels 0.1.0
    0
    """
    try:
        with _ended_by_sigterm():
            arguments = _parser().parse_args(argv)
            code: ExitCode = arguments.run(arguments)
            sys.stdout.flush()  # a full disk shows here, not after the exit code
        return int(code)
    except SystemExit as ended:  # of argparse: --help, --version
        return int(ended.code or 0)
    except BaseException as error:
        return int(_report(error))


def say(kind: str, message: str) -> None:
    """One line on stderr: `mixedmodels: kind: message`."""
    print(f"mixedmodels: {kind}: {' '.join(message.split())}", file=sys.stderr)


def _report(error: BaseException) -> ExitCode:
    """Say what went wrong, and return the code for it."""
    if isinstance(error, _Terminated):
        say("error", "terminated")
        return ExitCode.TERMINATED
    code = next((c for kind, c in BY_ERROR if isinstance(error, kind)), ExitCode.INTERNAL)
    if isinstance(error, BrokenPipeError):  # nobody reads on, nor wants to hear of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    text = str(error)
    if isinstance(error, FormulaError):
        at = "" if error.position is None else f", position {error.position}"
        text = error.message + ("" if error.formula is None else f" (in '{error.formula}'{at})")
    say("error", f"{type(error).__name__}: {text or code.meaning}")
    if code is ExitCode.INTERNAL:
        traceback.print_exception(error)
    return code


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that no file is left half written."""

    def stop(number: int, frame: Any) -> NoReturn:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# --- The arguments ---


class _Parser(argparse.ArgumentParser):
    """argparse, with errors that look like the others."""

    def error(self, message: str) -> NoReturn:
        say("error", f"usage: {message} (see {self.prog} --help)")
        raise SystemExit(int(ExitCode.USAGE))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from .. import __version__

        print(f"mixedmodels {__version__}")
        parser.exit()


def _parser() -> _Parser:
    parser = _Parser(
        prog="mixedmodels",
        description="Mixed-effects models with lme4's formulas.",
        epilog=f"exit codes:\n{CODES}\n\nMessages go to stderr, one line each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="command", required=True)
    _add_fit(commands)
    _add_predict(commands)
    _add_summary(commands)
    return parser


def _add_command(commands: Any, name: str, help: str) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=help,
        description=help,
        epilog=f"exit codes:\n{CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


TABLE = "a .csv, .tsv, .parquet, .feather or .arrow file; - for CSV on a pipe"


def _add_fit(commands: Any) -> None:
    from .commands import fit

    parser = _add_command(commands, "fit", "fit a model, print its summary")
    parser.set_defaults(run=fit)
    parser.add_argument("formula", help='such as "y ~ x + (1 + x | g)"')
    parser.add_argument("data", help=TABLE)
    model = parser.add_argument_group("model")
    model.add_argument("--family", default="gaussian", help="such as binomial (default: gaussian)")
    model.add_argument("--link", help="default: the family's own")
    model.add_argument("--ml", action="store_true", help="maximum likelihood instead of REML")
    model.add_argument("--nagq", type=int, metavar="N", help="nodes of the quadrature (default: 1)")
    model.add_argument("--weights", metavar="COLUMN", help="prior weights; numbers of trials")
    model.add_argument("--offset", metavar="COLUMN", help="a known part of the mean")
    _add_names(
        model, ["--factor", "--categorical"], "columns whose numbers are labels, as a,b; repeatable"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", metavar="FILE", help="write the estimates; - for stdout")
    output.add_argument("--save", metavar="FILE", help="write the model, for predict")
    output.add_argument("--save-data", action="store_true", help="with its rows, for refits")
    output.add_argument("--quiet", action="store_true", help="no summary, no warnings")
    run = parser.add_argument_group("run")
    run.add_argument("--threads", type=int, metavar="N", help="default: MIXEDMODELS_NUM_THREADS")
    run.add_argument("--time-limit", type=float, metavar="SECONDS", help="of the optimisation")
    singular = run.add_mutually_exclusive_group()
    singular.add_argument("--strict", action="store_true", help="a singular fit fails")
    singular.add_argument(
        "--allow-singular",
        action="store_false",
        dest="strict",
        help="a singular fit is a warning (default)",
    )


def _add_predict(commands: Any) -> None:
    from .commands import predict

    parser = _add_command(commands, "predict", "predict the rows of a table, in their order")
    parser.set_defaults(run=predict)
    parser.add_argument("model", help="what fit --save wrote")
    parser.add_argument("data", help=TABLE)
    parser.add_argument("--out", default="-", metavar="FILE", help="default: CSV to stdout")
    _add_names(parser, ["--keep"], "columns of the data to write beside, as a,b")
    parser.add_argument("--interval", choices=["confidence", "prediction"])
    parser.add_argument("--level", type=float, default=0.95, help="coverage (default: 0.95)")
    parser.add_argument(
        "--allow-new-levels", action="store_true", help="new groups at the population level"
    )
    parser.add_argument(
        "--re-form", metavar="FORMULA", help='random effects that count: NA for none, "~ (1 | g)"'
    )
    parser.add_argument("--type", choices=["response", "link"], default="response")
    parser.add_argument("--quiet", action="store_true", help="no warnings")


def _add_summary(commands: Any) -> None:
    from .commands import summary

    parser = _add_command(commands, "summary", "print the summary of a saved model")
    parser.set_defaults(run=summary)
    parser.add_argument("model", help="what fit --save wrote")


def _add_names(parser: Any, flags: list[str], help: str) -> None:
    """An option that takes names, separated by commas, and may be repeated."""
    parser.add_argument(
        *flags, action="extend", type=lambda text: text.split(","), default=[], metavar="COLUMNS",
        help=help, dest=flags[0].removeprefix("--"),
    )  # fmt: skip

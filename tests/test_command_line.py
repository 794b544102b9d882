"""The command line: what the commands write, and the exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import clinic
import mixedmodels as mm
from mixedmodels.command_line import commands, table_files
from mixedmodels.command_line.main import ExitCode, main

FORMULA = "anxiety ~ therapy_sessions + (1 | clinic)"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """The clinic data as a CSV file has them: clinics are numbers."""
    data = clinic.data().copy()
    data["clinic"] = data["clinic"].astype(int)
    data["worse"] = (data["anxiety"] > 40).astype(int)
    data["w"] = np.linspace(0.5, 2, len(data))
    return data


@pytest.fixture(scope="module")
def data(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "data.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def singular(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups whose means are all the same."""
    path = tmp_path_factory.mktemp("data") / "singular.csv"
    x = np.tile([-1.0, 0.0, 1.0, 0.5], 6)
    pd.DataFrame({"y": x, "g": np.repeat(np.arange(6), 4)}).to_csv(path, index=False)
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def estimates(path: Path) -> Any:
    return json.loads(path.read_text())["estimates"]


class TestFit:
    def test_prints_the_summary(self, data: Path, frame: Any, capsys: Any) -> None:
        assert run("fit", FORMULA, data) == 0
        out, err = capsys.readouterr()
        assert out == f"{mm.lmer(FORMULA, frame).summary()}\n"
        assert err == ""

    def test_json(self, data: Path, frame: pd.DataFrame, tmp_path: Path, capsys: Any) -> None:
        assert run("fit", FORMULA, data, "--json", tmp_path / "out.json", "--quiet") == 0
        assert capsys.readouterr() == ("", "")
        result = json.loads((tmp_path / "out.json").read_text())
        m = mm.lmer(FORMULA, frame)
        assert result["estimates"] == m.to_dict()
        assert result["mixedmodels"] == mm.__version__
        assert result["status"] == "converged"
        assert result["exit_code"] == 0
        assert result["formula"] == FORMULA
        assert result["rows"] == {"read": 300, "used": 300}
        assert result["convergence"]["evaluations"] == m.convergence.evaluations
        assert result["warnings"] == []
        assert set(result["seconds"]) == {"read", "fit"}
        assert [path.name for path in tmp_path.iterdir()] == ["out.json"]

    @pytest.mark.parametrize("suffix", table_files.WRITERS)
    def test_formats(self, suffix: str, frame: pd.DataFrame, tmp_path: Path) -> None:
        path = str(tmp_path / f"table{suffix}")
        table_files.write_table(frame, path)
        assert run("fit", FORMULA, path, "--json", tmp_path / "out.json", "--quiet") == 0
        assert estimates(tmp_path / "out.json") == mm.lmer(FORMULA, frame).to_dict()

    def test_pipes(
        self, data: Path, frame: pd.DataFrame, capsys: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(data.read_text()))
        assert run("fit", FORMULA, "-", "--json", "-") == 0
        result = json.loads(capsys.readouterr().out)
        assert result["estimates"] == mm.lmer(FORMULA, frame).to_dict()

    def test_warnings_are_lines_and_items(
        self, frame: pd.DataFrame, tmp_path: Path, capsys: Any
    ) -> None:
        holes = frame.assign(therapy_sessions=frame["therapy_sessions"].where(frame.index > 4))
        holes.to_csv(tmp_path / "holes.csv", index=False)
        assert run("fit", FORMULA, tmp_path / "holes.csv", "--json", tmp_path / "out.json") == 0
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("mixedmodels: warning: MissingDataWarning: 5 of 300 rows dropped")
        result = json.loads((tmp_path / "out.json").read_text())
        assert [w["category"] for w in result["warnings"]] == ["MissingDataWarning"]
        assert result["rows"] == {"read": 300, "used": 295}

    def test_warnings_before_an_error_are_said_too(self, tmp_path: Path, capsys: Any) -> None:
        path = tmp_path / "table.csv"
        pd.DataFrame({"y": [1, 1, 2, 2, None], "g": [1, 1, 2, 2, 2]}).to_csv(path, index=False)
        assert run("fit", "y ~ 1 + (1 | g)", path) == ExitCode.DATA
        first, second = capsys.readouterr().err.splitlines()
        assert first.startswith("mixedmodels: warning: MissingDataWarning: 1 of 5 rows")
        assert second.startswith("mixedmodels: error: DataError: the response does not vary")


BINOMIAL = "worse ~ therapy_sessions + (1 | clinic)"
OPTIONS: dict[str, tuple[str, list[str], Any]] = {
    "ml": (FORMULA, ["--ml"], lambda d: mm.lmer(FORMULA, d, REML=False)),
    "lm": ("anxiety ~ clinic", [], lambda d: mm.lm("anxiety ~ clinic", d)),
    "weights": (FORMULA, ["--weights", "w"], lambda d: mm.lmer(FORMULA, d, weights="w")),
    "offset": (FORMULA, ["--offset", "w"], lambda d: mm.lmer(FORMULA, d, offset="w")),
    "glmer": (BINOMIAL, ["--family", "binomial"], lambda d: mm.glmer(BINOMIAL, d)),
    "link": (
        BINOMIAL, ["--family", "binomial", "--link", "probit"],
        lambda d: mm.glmer(BINOMIAL, d, link="probit"),
    ),
    "nagq": (
        BINOMIAL, ["--family", "binomial", "--nagq", "5"], lambda d: mm.glmer(BINOMIAL, d, nAGQ=5),
    ),
    "glm": ("worse ~ w", ["--family", "binomial"], lambda d: mm.glm("worse ~ w", d)),
    "threads": (FORMULA, ["--threads", "1", "--time-limit", "60"], lambda d: mm.lmer(FORMULA, d)),
    "factor": (
        "anxiety ~ clinic", ["--factor", "clinic"],
        lambda d: mm.lm("anxiety ~ clinic", clinic.data()),
    ),
    "factors": (
        FORMULA, ["--factor", "clinic,patient_id"], lambda d: mm.lmer(FORMULA, clinic.data()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OPTIONS)
def test_options(case: str, data: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    formula, options, expected = OPTIONS[case]
    assert run("fit", formula, data, "--json", tmp_path / "out.json", "--quiet", *options) == 0
    assert estimates(tmp_path / "out.json") == expected(frame).to_dict()


# Arguments after "fit" → exit code, what the message says. {data}: the data, {tmp}: a folder.
FAILURES: dict[str, tuple[list[str], ExitCode, str]] = {
    "no such option": ([FORMULA, "{data}", "--fast"], ExitCode.USAGE, "usage: .*--fast"),
    "no data": ([FORMULA], ExitCode.USAGE, "usage: .*data"),
    "family": ([FORMULA, "{data}", "--family", "binomal"], ExitCode.USAGE, "mean 'binomial'"),
    "nagq": ([FORMULA, "{data}", "--nagq", "5"], ExitCode.USAGE, "generalised mixed models only"),
    "ml": (["anxiety ~ 1", "{data}", "--ml"], ExitCode.USAGE, "mixed models only"),
    "threads": ([FORMULA, "{data}", "--threads", "0"], ExitCode.USAGE, "n_threads is 0"),
    "suffix": ([FORMULA, "data.xlsx"], ExitCode.USAGE, r"ends in \.csv, \.tsv"),
    "save on a pipe": ([FORMULA, "{data}", "--save", "-"], ExitCode.USAGE, "--save needs"),
    "both": ([FORMULA, "{data}", "--strict", "--allow-singular"], ExitCode.USAGE, "not allowed"),
    "column": (["anxiety ~ session", "{data}"], ExitCode.DATA, "'session' is not in the data"),
    "factor": ([FORMULA, "{data}", "--factor", "clinics"], ExitCode.DATA, "did you mean 'clinic'"),
    "formula": (["anxiety ~ x +", "{data}"], ExitCode.DATA, r"FormulaError: .*\(in 'anxiety ~ x"),
    "no table": ([FORMULA, "{tmp}/broken.parquet"], ExitCode.DATA, "cannot be read as its suffix"),
    "empty": ([FORMULA, "{tmp}/empty.csv"], ExitCode.DATA, "No columns"),
    "no such file": ([FORMULA, "{tmp}/none.csv"], ExitCode.FILE, "none.csv"),
    "no such folder": (
        [FORMULA, "{data}", "--json", "{tmp}/none/o.json"], ExitCode.FILE, "its folder is missing",
    ),
    "a folder": ([FORMULA, "{data}", "--save", "{tmp}"], ExitCode.FILE, "not a file that can be"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_failures(case: str, data: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR0")
    (tmp_path / "empty.csv").touch()
    arguments, code, message = FAILURES[case]
    assert run("fit", *(a.format(data=data, tmp=tmp_path) for a in arguments)) == code
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("mixedmodels: error: ")
    assert re.search(message, line), line


RAISED = {
    "memory": (MemoryError(), ExitCode.MEMORY, "MemoryError: out of memory"),
    "estimate": (mm.InsufficientMemoryError("needs 3 TB"), ExitCode.MEMORY, "needs 3 TB"),
    "no optimum": (mm.ConvergenceError("none"), ExitCode.NOT_CONVERGED, "ConvergenceError: none"),
    "Ctrl-C": (KeyboardInterrupt(), ExitCode.INTERRUPTED, "KeyboardInterrupt: interrupted"),
    "disk": (OSError(28, "No space left on device"), ExitCode.FILE, "No space left"),
    "fault": (KeyError("x"), ExitCode.INTERNAL, "KeyError: 'x'\nTraceback"),
}


@pytest.mark.parametrize("case", RAISED)
def test_errors_have_codes(
    case: str, data: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, code, message = RAISED[case]

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(commands, "_fitted", fail)
    assert run("fit", FORMULA, data) == code
    assert message in capsys.readouterr().err


@pytest.mark.alone
def test_sigterm_unwinds(data: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_fitted", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert run("fit", FORMULA, data) == ExitCode.TERMINATED
    assert capsys.readouterr().err == "mixedmodels: error: terminated\n"
    assert signal.getsignal(signal.SIGTERM) is before


class TestVerdicts:
    def test_out_of_time(self, data: Path, tmp_path: Path, capsys: Any) -> None:
        out, model = tmp_path / "out.json", tmp_path / "m.mm"
        code = run(
            "fit", FORMULA, data, "--time-limit", "1e-9", "--json", out, "--save", model, "--quiet"
        )
        assert code == ExitCode.NOT_CONVERGED
        assert "the fit did not converge: " in capsys.readouterr().err
        assert json.loads(out.read_text())["status"] == "not converged"
        assert not model.exists()

    def test_singular(self, singular: Path, tmp_path: Path, capsys: Any) -> None:
        out, model = tmp_path / "out.json", tmp_path / "m.mm"
        arguments = ["fit", "y ~ 1 + (1 | g)", singular, "--json", out, "--save", model]
        assert run(*arguments, "--strict") == ExitCode.SINGULAR
        assert "mixedmodels: error: SingularFit: the fit is singular" in capsys.readouterr().err
        assert json.loads(out.read_text())["status"] == "singular"
        assert not model.exists()
        assert run(*arguments) == ExitCode.DONE
        assert model.exists()
        assert "mixedmodels: warning: SingularFitWarning" in capsys.readouterr().err


def test_a_failure_leaves_the_former_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"
    out.write_text("former")

    def half(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text[:10].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    assert run("fit", FORMULA, data, "--json", out, "--quiet") == ExitCode.FILE
    assert out.read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    model = folder / "m.mm"
    assert run("fit", FORMULA, data, "--factor", "clinic", "--save", model, "--quiet") == 0
    return folder


@pytest.fixture(scope="module")
def new(folder: Path) -> pd.DataFrame:
    new = pd.DataFrame({"clinic": [1, 2, 15, 99], "therapy_sessions": [0, 5, 7.5, 10]})
    new["id"] = ["007", "8", "a", "b"]
    new.to_csv(folder / "new.csv", index=False)
    return new


@pytest.fixture(scope="module")
def expected(new: pd.DataFrame) -> Any:
    m = mm.lmer(FORMULA, clinic.data())
    return m.predict(new.assign(clinic=new["clinic"].astype(str)), allow_new_levels=True)


class TestPredict:
    def test_rows_in_their_order(self, folder: Path, new: Any, expected: Any, capsys: Any) -> None:
        out = folder / "predictions.csv"
        arguments = ["predict", folder / "m.mm", folder / "new.csv", "--allow-new-levels"]
        assert run(*arguments, "--out", out) == 0
        written = table_files.read_table(str(out))
        assert list(written) == ["prediction"]
        np.testing.assert_array_equal(written["prediction"], expected)
        assert run(*arguments, "--keep", "id") == 0  # CSV on stdout
        lines = capsys.readouterr().out.splitlines()
        assert lines[:2] == ["id,prediction", f"007,{float(expected[0])!r}"]

    @pytest.mark.parametrize("suffix", [".parquet", ".feather"])
    def test_formats(self, suffix: str, folder: Path, new: Any, expected: Any) -> None:
        table_files.write_table(new, str(folder / f"new{suffix}"))  # clinics are numbers here too
        out = str(folder / f"predictions{suffix}")
        arguments = ["--allow-new-levels", "--keep", "clinic,id", "--out", out]
        assert run("predict", folder / "m.mm", folder / f"new{suffix}", *arguments) == 0
        written = table_files.read_table(out).to_pandas()
        assert list(written) == ["clinic", "id", "prediction"]
        np.testing.assert_array_equal(written["prediction"], expected)
        assert written["id"].tolist() == new["id"].tolist()

    def test_options_reach_predict(self, folder: Path, new: Any, capsys: Any) -> None:
        model = mm.load(folder / "m.mm")
        table = new.assign(clinic=new["clinic"].astype(str)).head(3)
        table.to_csv(folder / "known.csv", index=False)
        arguments = ["predict", folder / "m.mm", folder / "known.csv"]
        assert run(*arguments, "--re-form", "NA") == 0
        found = pd.read_csv(io.StringIO(capsys.readouterr().out), **table_files.EXACT)
        np.testing.assert_array_equal(found["prediction"], model.predict(table, "NA"))
        assert run(*arguments, "--interval", "prediction", "--level", "0.9") == 0
        found = pd.read_csv(io.StringIO(capsys.readouterr().out), **table_files.EXACT)
        expected = model.predict(table, interval="prediction", level=0.9)
        np.testing.assert_array_equal(found, expected)
        assert list(found) == list(expected)

    def test_no_rows(self, folder: Path, capsys: Any) -> None:
        (folder / "none.csv").write_text("clinic,therapy_sessions\n")
        assert run("predict", folder / "m.mm", folder / "none.csv") == 0
        assert capsys.readouterr() == ("prediction\n", "")

    def test_missing_predictors(self, folder: Path, capsys: Any) -> None:
        (folder / "holes.csv").write_text("clinic,therapy_sessions\n1,NA\n1,3\n")
        assert run("predict", folder / "m.mm", folder / "holes.csv") == 0
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 3
        assert err.startswith("mixedmodels: warning: 1 of 2 predictions are missing")

    def test_failures(self, folder: Path, new: Any, data: Path, capsys: Any) -> None:
        assert run("predict", folder / "m.mm", folder / "new.csv") == ExitCode.DATA
        assert "level '99' of 'clinic'" in capsys.readouterr().err
        assert run("predict", data, folder / "new.csv") == ExitCode.FILE
        assert "mixedmodels: error: SavedModelError" in capsys.readouterr().err
        keep = ["--allow-new-levels", "--keep", "prediction"]
        assert run("predict", folder / "m.mm", folder / "new.csv", *keep) == ExitCode.USAGE
        assert run("predict", folder / "m.mm", folder / "absent.csv") == ExitCode.FILE

    def test_summary(self, folder: Path, capsys: Any) -> None:
        assert run("summary", folder / "m.mm") == 0
        assert capsys.readouterr().out == f"{mm.load(folder / 'm.mm').summary()}\n"

    def test_lean_or_with_the_rows(self, folder: Path, data: Path) -> None:
        whole = folder / "whole.mm"
        arguments = ["--factor", "clinic", "--save", whole, "--save-data", "--quiet"]
        assert run("fit", FORMULA, data, *arguments) == 0
        assert whole.stat().st_size > (folder / "m.mm").stat().st_size + 300 * 8


class TestFactors:
    def test_numbers_are_in_the_order_of_their_values(self) -> None:
        dose = commands.with_factors({"dose": [10.0, 2.5, np.nan, 10.0]}, ["dose"])["dose"]
        assert dose.cat.categories.tolist() == ["2.5", "10"]
        assert dose.isna().tolist() == [False, False, True, False]

    def test_text_is_in_the_order_of_code_points(self) -> None:
        names = commands.with_factors(pl.DataFrame({"f": ["b", "10", "2"]}), ["f"])["f"]
        assert names.cat.categories.tolist() == ["10", "2", "b"]

    def test_a_declared_order_stays(self) -> None:
        size = pd.Categorical([2, 1, 3], categories=[3, 1, 2], ordered=True)
        found = commands.with_factors(pd.DataFrame({"size": size}), ["size"])["size"]
        assert found.cat.categories.tolist() == ["3", "1", "2"]
        assert found.cat.ordered


def test_help_lists_the_exit_codes(capsys: Any) -> None:
    for command in ([], ["fit"], ["predict"]):
        assert main([*command, "--help"]) == 0
        out = capsys.readouterr().out
        assert all(f"{code.value:3d}  {code.meaning}" in out for code in ExitCode)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mixedmodels {mm.__version__}\n"
    assert main([]) == ExitCode.USAGE


def test_as_a_process(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mixedmodels"]
    fit = [*command, "fit", FORMULA, "-", "--json", "-", "--quiet"]
    done = subprocess.run(fit, input=data.read_bytes(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["status"] == "converged"
    failed = subprocess.run([*command, "fit", "y ~ x", data], capture_output=True, text=True)
    assert failed.returncode == ExitCode.DATA
    assert failed.stderr.startswith("mixedmodels: error: DataError: column 'y' is not in the data")

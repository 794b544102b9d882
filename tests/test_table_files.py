"""The tables that the command line reads and writes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import clinic
import mixedmodels as mm
from mixedmodels.command_line import table_files


def test_missing_values_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("drug,id,x\nNone,01,1\nA,2,NA\nNA,03,\n", encoding="utf-8-sig")
    table = table_files.read_table(str(path), ["id"])
    assert table["drug"].tolist()[:2] == ["None", "A"]
    assert table["drug"].isna().tolist() == [False, False, True]
    assert table["id"].tolist() == ["01", "2", "03"]
    assert table["x"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_polars_where_there_is_no_pyarrow(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path, anxiety = str(tmp_path / f"table{suffix}"), clinic.data()["anxiety"]
    table_files.write_table(anxiety.to_frame(), path)
    np.testing.assert_array_equal(table_files.read_table(path)["anxiety"].to_numpy(), anxiety)


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(mm.MissingDependencyError, match="pip install pyarrow"):
        table_files.read_table("data.parquet")

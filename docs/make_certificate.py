"""The tables of docs/certificate.md, by fitting every model anew, in _build/generated/.

The models, the known results and how they are compared come from the tests, which ask for the
same digits: run it with PYTHONPATH=tests, as `make docs` does.
"""

from __future__ import annotations

import math
import os
import platform
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy

import mixedmodels as mm
import reference_data
import test_certified
import test_ddf
import test_generalised_reference
import test_reference

FOLDER = Path(__file__).resolve().parent / "_build" / "generated"

# Digits of (σ², σ_b²) that lme4 1.1-31 reaches by `lmer(y ~ 1 + (1 | treatment))`, R 4.2.2.
LME4 = {
    "SiRstv": (7.1, 5.5),
    "AtmWtAg": (6.2, 4.6),
    "SmLs01": (8.6, 7.2),
    "SmLs02": (8.5, 6.1),
    "SmLs03": (9.5, 6.2),
    "SmLs04": (6.9, 5.5),
    "SmLs05": (8.7, 6.4),
    "SmLs06": (7.0, 3.7),
    "SmLs07": (3.0, 1.5),
    "SmLs08": (0.9, 0.0),
    "SmLs09": (-0.8, 0.0),
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table, the first column to the left and the others to the right."""
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def digits(found: float, known: float) -> float:
    return test_certified.digits(found, known)


def both(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.1f}".replace("-", "−") for value in values)


# --- NIST ---


def exact_variances(data: pd.DataFrame) -> tuple[Fraction, Fraction]:
    """(σ², σ_b²) of the stored numbers, balanced one-way data, in rational arithmetic."""
    groups = [[Fraction(y) for y in rows] for _, rows in data.groupby("treatment")["y"]]
    n, means = len(groups[0]), [sum(rows) / len(rows) for rows in groups]
    within = sum((y - mean) ** 2 for rows, mean in zip(groups, means, strict=True) for y in rows)
    grand = sum(means) / len(means)
    msw = within / (len(groups) * (n - 1))
    msb = n * sum((mean - grand) ** 2 for mean in means) / (len(groups) - 1)
    return msw, (msb - msw) / n


def nist() -> str:
    rows = []
    for name in test_certified.DIGITS:
        data, known = test_certified.nist(name), test_certified.CERTIFIED[name]
        certified = known["residual_variance"], known["group_variance"]
        m = mm.lmer("y ~ 1 + (1 | treatment)", data)
        found = m.sigma**2, float(m.varcorr["treatment"].iloc[0, 0])
        stored = [float(value) for value in exact_variances(data)]
        ours, limit = (
            [digits(*pair) for pair in zip(pairs, certified, strict=True)]
            for pairs in (found, stored)
        )
        numbers = [f"{value:.7g}" for value in certified]
        rows.append([name, f"{len(data):,}", *numbers, both(ours), both(limit), both(LME4[name])])
    head = ["set", "rows", "σ²", "σ_b²", "our digits", "what float64 leaves", "lme4's digits"]
    return table(head, rows)


# --- SAS ---


def compared(known_and_found: dict[str, tuple[float, float]]) -> str:
    rows = [
        [what, f"{known:.12g}", f"{found:.12g}", f"{digits(found, known):.1f}"]
        for what, (known, found) in known_and_found.items()
    ]
    return table(["quantity", "known", "found", "digits"], rows)


def split_plot() -> str:
    data = pd.read_csv(reference_data.ROOT / "certified" / "splitplot.csv")
    m = mm.lmer("y ~ A * B + (1 | block) + (1 | block:A)", data)
    variance = {group: float(m.varcorr[group].iloc[0, 0]) for group in ("block:A", "block")}
    tests = m.anova(type=3, ddf="kenward-roger")
    values = {
        "σ² = 337/36": (337 / 36, m.sigma**2),
        "σ²(block:A) = 2215/144": (2215 / 144, variance["block:A"]),
        "σ²(block) = 2995/48": (2995 / 48, variance["block"]),
    }
    exact = {
        "A": (4.069574247144341, 6),
        "B": (19.38872403560831, 9),
        "A:B": (4.019287833827893, 9),
    }
    for term, (F, df) in exact.items():
        values[f"F of {term}"] = F, tests.loc[term, "F value"]
        values[f"denominator's degrees of freedom of {term}"] = df, tests.loc[term, "DenDF"]
    return compared(values)


def infection() -> str:
    m = test_certified.infection(5)
    found = [*m.fixef, float(m.varcorr["clinic"].iloc[0, 0])]
    printed = ["−1.1974 (0.5561)", "0.7385 (0.3004)", "1.9591"]
    errors = [f" ({error:.4f})" for error in m.bse] + [""]
    names = ["intercept (SE)", "effect of treatment (SE)", "variance of the clinics"]
    rows = [
        [
            name,
            sas,
            f"{value:.4f}{error}".replace("-", "−"),
            f"{known:.7f}".replace("-", "−"),
            f"{value:.7f}".replace("-", "−"),
        ]
        for name, sas, value, error, known in zip(
            names, printed, found, errors, test_certified.INFECTION[5], strict=True
        )
    ]
    return table(["quantity", "SAS prints", "ours", "known to 7 decimals", "ours"], rows)


# --- lme4, lmerTest, pbkrtest ---


def agreement(quantity: test_reference.Quantity, m: Any, ref: dict[str, Any]) -> str:
    """Digits in common, in units of the quantity's scale, where they are fewest."""
    error = np.abs(np.asarray(quantity.actual(m), dtype=float) - np.asarray(quantity.expected(ref)))
    scale = np.broadcast_to(np.asarray(quantity.scale(ref), dtype=float), error.shape)
    worst = float(np.max(error[error > 0] / scale[error > 0], initial=0.0))
    return f"{16.0 if worst == 0 else min(16.0, -math.log10(worst)):.1f}"


def label(ref: dict[str, Any]) -> str:
    """Data, formula, and what the formula does not say."""
    extras = [f"{name} `{ref[name]}`" for name in ("weights", "offset") if ref.get(name)]
    return ", ".join([f"{ref['data'].removesuffix('_aux')}: {code(ref['formula'])}", *extras])


def difference(value: float) -> str:
    """In as few characters as a table needs: 0 below what the references are good for."""
    return "0" if abs(value) < 1e-10 else f"{value:.0e}".replace("e-0", "e-").replace("-", "−")


def linear() -> str:
    shown = ("beta", "standard errors", "theta", "sigma")
    rows = []
    for name in reference_data.model_ids():
        m, ref = test_reference.fitted(name), test_reference.reference(name)
        agree = [agreement(test_reference.QUANTITIES[what], m, ref) for what in shown]
        method = "REML" if ref["REML"] else "ML"
        change = difference(test_reference.criterion(m) - ref["objective"])
        rows.append([label(ref), method, f"{m.nobs:,}", change, *agree])
    return table(["model", "by", "rows", "criterion", "β", "SE", "θ", "σ"], rows)


def generalised() -> str:
    tests = test_generalised_reference
    rows = []
    for name in tests.MODELS:
        m, ref = tests.fitted(name), tests.reference(name)
        agree = [
            agreement(tests.QUANTITIES[what], m, ref)
            for what in ("beta", "standard errors", "theta")
        ]
        optimum = ref["minus2logLik"]
        change = difference(-2 * m.loglik - tests.minus_two_log_likelihood(ref))
        plain = difference(ref["default"]["minus2logLik"] - optimum)
        family = f"{ref['family']} ({ref['link']})"
        nodes = str(ref["nAGQ"])
        model = label(ref)
        rows.append([model, family, nodes, change, *agree, plain])
    head = ["model", "family (link)", "nAGQ", "criterion", "β", "SE", "θ", "plain glmer()"]
    return table(head, rows)


def degrees_of_freedom() -> str:
    rows = []
    for name in test_ddf.LMERTEST:
        m, ref = test_ddf.fitted(name)
        row = [label(ref)]
        for method, entry in test_ddf.METHODS.items():
            if (name, method) not in test_ddf.TABLES:
                row += ["–", "–"]
                continue
            known = pd.DataFrame(ref[entry]).T
            found = m.coefficients(method)
            row += [
                fewest(found["df"], known["df"]),
                fewest(found["std_error"], known["Std. Error"]),
            ]
        rows.append(row)
    return table(["model", "Satterthwaite df", "SE", "Kenward-Roger df", "SE"], rows)


def fewest(found: pd.Series[float], known: pd.Series[float]) -> str:
    pairs = zip(found.to_numpy(dtype=float), known.to_numpy(dtype=float), strict=True)
    return f"{min(digits(*pair) for pair in pairs):.1f}"


# --- Where it was made ---


def environment() -> str:
    version = platform.python_version()
    packages = f"numpy {np.__version__}, scipy {scipy.__version__}, pandas {pd.__version__}"
    return (
        f"Made on {datetime.now(UTC):%d %B %Y} by mixedmodels {mm.__version__}: "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {version}, {packages}."
    )


TABLES = (environment, nist, split_plot, infection, linear, generalised, degrees_of_freedom)

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", mm.MixedModelsWarning)
    for make in TABLES:
        (FOLDER / f"{make.__name__}.md").write_text(make() + "\n", encoding="utf-8")

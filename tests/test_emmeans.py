"""Estimated marginal means and their contrasts, against R's emmeans and by hand."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr

import mixedmodels as mm
import reference_data

# emmeans 1.8.4.1 with pbkrtest 0.5.2 and lmerTest 3.1.3
REFERENCES = ("anxlong_3level_reml", "cake_int_reml", "machines_full_reml", "oats_split_reml")
METHODS = ("kenward-roger", "satterthwaite", "asymptotic")
CASES = [c for c in product(REFERENCES, METHODS) if c != ("anxlong_3level_reml", "asymptotic")]
ESTIMATE = 1e-6  # relative
# lmerTest takes its derivatives by finite differences; pbkrtest has exact ones
DF = {"satterthwaite": 1e-4, "kenward-roger": 1e-6, "asymptotic": 0.0}
# R's ptukey has 0.000652497 for q = 12.779, k = 3, df = 5. Two other integrations, one of them in
# test_multiplicity.py, agree on:
WRONG_IN_R = {0.000652497: 0.000652750737}


def fit(name: str) -> tuple[dict[str, Any], mm.LinearMixedModel]:
    reference = reference_data.read_json(f"inference/emmeans_{name}.json")
    arguments = reference_data.fit_arguments(reference_data.model(name))
    data = reference_data.load(reference["data"]).dropna(subset=[reference["formula"].split()[0]])
    return reference, mm.lmer(reference["formula"], data, **arguments)


@pytest.fixture(scope="module")
def fits() -> dict[str, tuple[dict[str, Any], mm.LinearMixedModel]]:
    return {name: fit(name) for name in REFERENCES}


@pytest.fixture(scope="module")
def unbalanced() -> pd.DataFrame:
    """Two factors whose cells have different sizes, two covariates, five groups."""
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "f": pd.Categorical(rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])),
            "h": rng.choice(["u", "v"], n, p=[0.7, 0.3]),
            "x": rng.uniform(1, 5, n),
            "dose": rng.choice([1.0, 2.0, 4.0], n),
            "treated": rng.choice([0, 1], n, p=[0.8, 0.2]),
            "old": rng.random(n) < 0.4,
            "g": rng.integers(0, 5, n).astype(str),
            "w": rng.uniform(0.5, 2.0, n),
        }
    )
    mean = frame["x"] + (frame["f"] == "b") * (frame["h"] == "v") + frame["g"].astype(int)
    frame["y"] = mean + rng.normal(size=n)
    return frame


def close(actual: float, expected: float, relative: float) -> bool:
    return math.isclose(actual, expected, rel_tol=relative, abs_tol=1e-9)


def check_row(row: pd.Series, expected: dict[str, Any], ddf: str) -> None:
    for column, value in expected.items():
        if isinstance(value, str):
            assert row[column] == value
        elif value is None:  # infinite df
            assert row[column] == np.inf
        elif column == "df":
            assert close(row[column], value, DF[ddf])
        elif column == "p.value":
            check_p_value(row[column], value)
        elif "CL" in column:  # an end may be near 0: relative to the interval's width
            estimate = row["estimate"] if "estimate" in row else row["emmean"]
            assert abs(row[column] - value) < max(ESTIMATE, DF[ddf]) * abs(value - estimate)
        else:
            assert close(row[column], value, ESTIMATE), column


def check_p_value(actual: float, expected: float) -> None:
    expected = WRONG_IN_R.get(round(expected, 9), expected)
    if expected > 1e-6:
        assert close(actual, expected, 1e-4)
    elif expected > 1e-11:
        assert abs(math.log10(actual) - math.log10(expected)) < 1e-3
    else:  # R's ptukey is one minus the lower tail: no digits are left here
        assert actual < 1e-10


class TestReference:
    @pytest.mark.parametrize(("name", "ddf"), CASES)
    def test_means_and_pairs(self, fits: dict[str, Any], name: str, ddf: str) -> None:
        reference, model = fits[name]
        by = reference["by"]
        means = model.emmeans(reference["specs"], by, reference["at"], ddf=ddf)
        tables = {"emmeans": means.table}
        tables |= {f"pairs_{how}": means.pairs(how) for how in ("tukey", "none", "holm")}
        for key, table in tables.items():
            expected = reference[ddf][key]
            assert len(table) == len(expected)
            for (_, row), wanted in zip(table.iterrows(), expected, strict=True):
                check_row(row, wanted, ddf)

    def test_small_tukey_p_values_keep_their_digits(self, fits: dict[str, Any]) -> None:
        """Where R has noise (1.9e-14), the truth lies between p and Bonferroni's 3p."""
        _, model = fits["machines_full_reml"]
        means = model.emmeans("Machine", ddf="asymptotic")
        single = means.pairs("none")["p.value"][1]
        assert single < means.pairs("tukey")["p.value"][1] < 3 * single < 1e-18


VALUES = {  # a variable of the formula → the values that it has on the grid
    "y ~ treated + (1 | g)": ("treated", [0, 1]),  # two values: a factor, as in emmeans
    "y ~ factor(dose) + (1 | g)": ("dose", [1, 2, 4]),
    "y ~ dose + (1 | g)": ("dose", None),
    "y ~ old + (1 | g)": ("old", [False, True]),
    "y ~ 0 + h + (1 | g)": ("h", ["u", "v"]),
    "y ~ ifelse(f == 'a', 1, 0) + (1 | g)": ("f", ["a", "b", "c"]),
}


class TestGrid:
    """The means by hand: predictions of the fixed part on the grid, averaged."""

    def predictions(self, model: Any, frame: pd.DataFrame) -> np.ndarray:
        return np.asarray(model.predict(frame, re_form="NA"))

    def test_covariates_stand_at_the_mean_of_the_variable(self, unbalanced: pd.DataFrame) -> None:
        formula = "y ~ f + log(x) + poly(x, 2) + I(x^2) + scale(x) + (1 | g)"
        with pytest.warns(mm.RankDeficiencyWarning):
            model = mm.lmer(formula, unbalanced)
        grid = pd.DataFrame({"f": ["a", "b", "c"], "x": unbalanced["x"].mean()})
        means = model.emmeans("f").to_frame()["emmean"]
        np.testing.assert_allclose(means, self.predictions(model, grid), rtol=1e-10)

    def test_means_of_the_rows_used(self, unbalanced: pd.DataFrame) -> None:
        data = unbalanced.copy()
        data.loc[data.index[:30], "y"] = np.nan
        with pytest.warns(mm.MissingDataWarning):
            model = mm.lmer("y ~ f + x + (1 | g)", data)
        grid = pd.DataFrame({"f": ["a", "b", "c"], "x": data["x"][30:].mean()})
        np.testing.assert_allclose(
            model.emmeans("f").table["emmean"], self.predictions(model, grid)
        )

    @pytest.mark.parametrize("weights", ["equal", "proportional"])
    def test_averages(self, unbalanced: pd.DataFrame, weights: str) -> None:
        model = mm.lmer("y ~ f * h + x + (1 | g)", unbalanced)
        grid = pd.DataFrame({"f": ["a", "b", "c"] * 2, "h": ["u"] * 3 + ["v"] * 3})
        cells = self.predictions(model, grid.assign(x=unbalanced["x"].mean())).reshape(2, 3)
        share = (unbalanced["h"] == "u").mean() if weights == "proportional" else 0.5
        means = model.emmeans("f", weights=weights).table["emmean"]
        np.testing.assert_allclose(means, share * cells[0] + (1 - share) * cells[1])

    def test_the_first_variable_varies_fastest(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lmer("y ~ f * h + x + (1 | g)", unbalanced)
        table = model.emmeans(["h", "f"], by="x", at={"x": [1, 3]}).to_frame()
        assert list(table["h"][:4]) == ["u", "v", "u", "v"]
        assert list(table["f"][:4]) == ["a", "a", "b", "b"]
        assert list(table["x"]) == [1] * 6 + [3] * 6
        expected = self.predictions(model, table[["h", "f", "x"]])
        np.testing.assert_allclose(table["emmean"], expected)

    @pytest.mark.parametrize("formula", VALUES)
    def test_values_of_variables(self, unbalanced: pd.DataFrame, formula: str) -> None:
        name, values = VALUES[formula]
        model = mm.lmer(formula, unbalanced)
        table = model.emmeans(name).to_frame()
        wanted = [unbalanced[name].mean()] if values is None else values
        assert list(table[name]) == wanted
        expected = self.predictions(model, pd.DataFrame({name: wanted}))
        np.testing.assert_allclose(table["emmean"], expected)

    def test_labels_of_numeric_levels_name_their_variable(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lmer("y ~ factor(dose) * f + (1 | g)", unbalanced)
        assert model.emmeans("dose").pairs()["contrast"][0] == "dose1 - dose2"
        assert model.emmeans(["f", "dose"]).pairs()["contrast"][0] == "a dose1 - b dose1"

    def test_offsets(self, unbalanced: pd.DataFrame) -> None:
        """Named offsets are evaluated on the grid; arrays stand at their mean."""
        named = mm.lmer("y ~ f + offset(log(w)) + (1 | g)", unbalanced)
        array = mm.lmer("y ~ f + (1 | g)", unbalanced, offset=np.log(unbalanced["w"]).to_numpy())
        gap = named.emmeans("f").table["emmean"] - array.emmeans("f").table["emmean"]
        w = unbalanced["w"]
        np.testing.assert_allclose(gap, np.log(w.mean()) - np.log(w).mean(), rtol=1e-6)
        expected = self.predictions(named, pd.DataFrame({"f": ["a", "b", "c"], "w": w.mean()}))
        np.testing.assert_allclose(named.emmeans("f").table["emmean"], expected)
        assert "offset" in str(named.emmeans("f"))

    def test_dates_are_covariates(self, unbalanced: pd.DataFrame) -> None:
        days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(120) % 7, unit="D")
        model = mm.lmer("y ~ h + day + (1 | g)", unbalanced.assign(day=days))
        at = [pd.Timestamp("2020-01-02"), pd.Timestamp("2020-01-04")]
        means = model.emmeans("day", by="h", at={"day": at}).table["emmean"]
        grid = pd.DataFrame({"h": ["u", "u", "v", "v"], "day": at * 2})
        np.testing.assert_allclose(means, self.predictions(model, grid))

    def test_other_tables(self, unbalanced: pd.DataFrame) -> None:
        import polars as pl

        plain = mm.lmer("y ~ h + x + (1 | g)", unbalanced).emmeans("h").table["emmean"]
        columns = {name: unbalanced[name].to_numpy() for name in ("y", "h", "x", "g")}
        for data in (columns, pl.DataFrame(columns)):
            means = mm.lmer("y ~ h + x + (1 | g)", data).emmeans("h").table["emmean"]
            np.testing.assert_allclose(means, plain)


class TestModels:
    """Every kind of model has marginal means, or says why not."""

    def test_ordinary_regression(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lm("y ~ f + x", unbalanced)
        pairs = model.emmeans("f").pairs("none")
        np.testing.assert_allclose(pairs["estimate"][0], -model.fixef["fb"])
        np.testing.assert_allclose(pairs["SE"][0], model.bse["fb"])
        assert set(pairs["df"]) == {model.nobs - 4}

    def test_weights_and_singular_fits(self, unbalanced: pd.DataFrame) -> None:
        with pytest.warns(mm.SingularFitWarning):
            model = mm.lmer("y ~ f + (1 | g)", unbalanced.assign(y=0.1 * unbalanced["x"]))
        means = model.emmeans("f")
        np.testing.assert_allclose(means.table["SE"][0], model.bse["(Intercept)"])
        weighted = mm.lmer("y ~ f + (1 | g)", unbalanced, weights="w")
        expected = weighted.coefficients().iloc[1]
        row = weighted.emmeans("f").contrast("trt.vs.ctrl", "none").iloc[0]
        assert row["estimate"] == pytest.approx(expected["estimate"])
        assert row["df"] == pytest.approx(expected["df"])

    def test_intercept_only(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lmer("y ~ 1 + (1 | g)", unbalanced)
        table = model.emmeans("1").table
        assert table["emmean"].item() == pytest.approx(model.fixef.iloc[0])
        assert table["1"].item() == "overall"
        with pytest.raises(mm.ArgumentError, match="it has none"):
            model.emmeans("f")

    def test_coding_does_not_matter(self, unbalanced: pd.DataFrame) -> None:
        tables = [
            mm.lm("y ~ f * h", unbalanced, contrasts=contrasts).emmeans("f").pairs()
            for contrasts in (None, {"f": "sum", "h": "helmert"})
        ]
        pd.testing.assert_frame_equal(pd.DataFrame(tables[0]), pd.DataFrame(tables[1]))

    def test_fits_from_arrays_are_refused(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lmer_arrays(
            unbalanced["y"], np.ones((120, 1)), [(np.ones(120), unbalanced["g"])]
        )
        with pytest.raises(mm.DataError, match="fitted from arrays"):
            model.emmeans("x1")

    def test_response_on_another_scale(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lmer("exp(y / 10) ~ f + (1 | g)", unbalanced)
        assert "Results are on the scale of exp(y/10)" in str(model.emmeans("f"))


@pytest.fixture(scope="module")
def empty_cell() -> mm.LinearModel:
    rng = np.random.default_rng(1)
    cells = [("a", "u"), ("a", "v"), ("b", "u")]
    data = pd.DataFrame(cells * 10, columns=["f", "h"]).assign(y=rng.normal(size=30))
    with pytest.warns(mm.RankDeficiencyWarning):
        return mm.lm("y ~ f * h", data)


class TestEstimability:
    def test_empty_cells_are_missing_with_a_reason(self, empty_cell: mm.LinearModel) -> None:
        means = empty_cell.emmeans(["f", "h"])
        table = means.table
        np.testing.assert_array_equal(table["emmean"].isna(), [False, False, False, True])
        assert table.iloc[3, 2:].isna().all()
        assert "nonEst" in str(means)
        assert empty_cell.emmeans("f").table["emmean"].isna().tolist() == [False, True]

    def test_contrasts_of_what_is_estimable(self, empty_cell: mm.LinearModel) -> None:
        pairs = empty_cell.emmeans(["f", "h"]).pairs("bonferroni")
        assert pairs["estimate"].isna().sum() == 3
        assert "bonferroni method for 3 tests" in str(pairs)
        by = empty_cell.emmeans("f", by="h").pairs()
        assert by["estimate"].isna().tolist() == [False, True]

    def test_twice_the_same_covariate(self, unbalanced: pd.DataFrame) -> None:
        """A dropped column that adds nothing leaves every mean estimable, except away from the
        line that the two covariates share."""
        data = unbalanced.assign(x2=2 * unbalanced["x"])
        with pytest.warns(mm.RankDeficiencyWarning):
            model = mm.lmer("y ~ f + x + x2 + (1 | g)", data)
        single = mm.lmer("y ~ f + x + (1 | g)", data)
        means = model.emmeans("f").table["emmean"]
        np.testing.assert_allclose(means, single.emmeans("f").table["emmean"])
        assert model.emmeans("f", at={"x": 1.0}).table["emmean"].isna().all()
        assert model.emmeans("f", at={"x": 1.0, "x2": 2.0}).table["emmean"].notna().all()

    def test_kenward_roger(self, unbalanced: pd.DataFrame) -> None:
        data = unbalanced.assign(x2=2 * unbalanced["x"])
        with pytest.warns(mm.RankDeficiencyWarning):
            model = mm.lmer("y ~ x + x2 + f + (1 | g)", data)
        single = mm.lmer("y ~ x + f + (1 | g)", data)
        tables = [m.emmeans("f", ddf="kenward-roger").pairs() for m in (model, single)]
        pd.testing.assert_frame_equal(*(pd.DataFrame(table) for table in tables), rtol=1e-6)

    def test_joint_tests_of_empty_cells(self, empty_cell: mm.LinearModel) -> None:
        tests = empty_cell.emmeans(["f", "h"]).joint_tests()
        assert tests["F.ratio"].isna().all()
        assert "nonEst" in str(tests)


LABELS = {
    "pairwise": ["a - b", "a - c", "b - c"],
    "revpairwise": ["b - a", "c - a", "c - b"],
    "trt.vs.ctrl": ["b - a", "c - a"],
    "consec": ["b - a", "c - b"],
    "eff": ["a effect", "b effect", "c effect"],
    "poly": ["linear", "quadratic"],
}


@pytest.fixture(scope="module")
def oats() -> mm.LinearMixedModel:
    data = reference_data.load("Oats")
    return mm.lmer("yield ~ factor(nitro) + Variety + (1 | Block/Variety)", data)


class TestContrasts:
    def test_polynomials(self, oats: mm.LinearMixedModel) -> None:
        """In whole numbers: 147 1/3, -10 1/3 and -2 are the contrasts of the balanced means."""
        table = oats.emmeans("nitro").contrast("poly")
        assert list(table["contrast"]) == ["linear", "quadratic", "cubic"]
        means = reference_data.load("Oats").groupby("nitro")["yield"].mean().to_numpy()
        matrix = np.array([[-3, -1, 1, 3], [1, -1, -1, 1], [-1, 3, -3, 1]])
        np.testing.assert_allclose(table["estimate"], matrix @ means)

    @pytest.mark.parametrize("method", LABELS)
    def test_labels(self, unbalanced: pd.DataFrame, method: str) -> None:
        table = mm.lm("y ~ f", unbalanced).emmeans("f").contrast(method)
        assert list(table["contrast"]) == LABELS[method]

    def test_labels_that_look_like_expressions(self, unbalanced: pd.DataFrame) -> None:
        data = unbalanced.assign(h=unbalanced["h"].replace({"u": "a-1", "v": "b"}))
        assert list(mm.lm("y ~ h", data).emmeans("h").pairs()["contrast"]) == ["(a-1) - b"]

    def test_custom_contrasts(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lmer("y ~ f + (1 | g)", unbalanced)
        means = model.emmeans("f")
        named = means.contrast({"a against the others": [1, -0.5, -0.5]})
        matrix = means.contrast(np.array([[1, -0.5, -0.5]]))
        framed = means.contrast(pd.DataFrame([[1, -0.5, -0.5]], index=["a against the others"]))
        assert list(matrix["contrast"]) == ["contrast 1"]
        np.testing.assert_array_equal(named["estimate"], matrix["estimate"])
        pd.testing.assert_frame_equal(pd.DataFrame(named), pd.DataFrame(framed))
        emmean = means.table["emmean"]
        assert named["estimate"].item() == pytest.approx(emmean[0] - emmean[1:].mean())

    def test_families_are_those_of_by(self, unbalanced: pd.DataFrame) -> None:
        model = mm.lmer("y ~ f * h + (1 | g)", unbalanced)
        within = model.emmeans("f", by="h").pairs("bonferroni")
        plain = model.emmeans("f", by="h").pairs("none")
        np.testing.assert_allclose(within["p.value"], np.minimum(3 * plain["p.value"], 1))
        assert list(within["h"]) == ["u"] * 3 + ["v"] * 3
        assert "bonferroni method for 3 tests, within each h" in str(within)

    def test_joint_tests(self, unbalanced: pd.DataFrame) -> None:
        """Of one variable: the F test of its pairwise differences; of two: type III."""
        model = mm.lmer("y ~ f * h + x + (1 | g)", unbalanced)
        tests = model.emmeans(["f", "h"]).joint_tests()
        assert list(tests["model term"]) == ["f", "h", "f:h"]
        assert list(tests["df1"]) == [2, 1, 2]
        pair = model.emmeans("h").pairs().iloc[0]
        assert tests["F.ratio"][1] == pytest.approx(pair["t.ratio"] ** 2)
        assert tests["df2"][1] == pytest.approx(pair["df"])
        within = model.emmeans("f", by="h").joint_tests()
        assert list(within["h"]) == ["u", "v"]


class TestTables:
    def test_notes_state_the_methods(self, fits: dict[str, Any]) -> None:
        _, model = fits["cake_int_reml"]
        text = str(model.emmeans("recipe", ddf="kenward-roger").pairs())
        for note in (
            "Results are averaged over the levels of: temperature",
            "Degrees-of-freedom method: Kenward-Roger",
            "P value adjustment: tukey method for comparing a family of 3 estimates",
            "Conf-level adjustment: tukey method for comparing a family of 3 estimates",
            'see emmeans("recipe", by="temperature")',
        ):
            assert note in " ".join(text.split())

    def test_a_covariate_held_in_an_interaction_is_stated(self, fits: dict[str, Any]) -> None:
        _, model = fits["oats_split_reml"]
        assert "Variety interacts with a covariate held at nitro = 0.3" in str(
            model.emmeans("Variety")
        )

    def test_level(self, unbalanced: pd.DataFrame) -> None:
        table = mm.lm("y ~ f", unbalanced).emmeans("f", level=0.9).table
        coverage = 1 - 2 * stdtr(117, (table["lower.CL"] - table["emmean"]) / table["SE"])
        np.testing.assert_allclose(coverage, 0.9)

    def test_no_tests(self, unbalanced: pd.DataFrame) -> None:
        table = mm.lmer("y ~ f + (1 | g)", unbalanced).emmeans("f", ddf="none").pairs()
        assert table["p.value"].isna().all()
        assert table["SE"].notna().all()
        assert "no method (t values only)" in str(table)

    def test_columns(self, unbalanced: pd.DataFrame) -> None:
        means = mm.lm("y ~ f", unbalanced).emmeans("f")
        assert means["emmean"].equals(means.to_frame()["emmean"])

    def test_html(self, unbalanced: pd.DataFrame) -> None:
        assert "<table" in mm.lm("y ~ f", unbalanced).emmeans("f")._repr_html_()


REFUSED = {
    "unknown variable": ({"specs": "ff"}, "specs: 'ff' is not a variable .* did you mean 'f'"),
    "unknown by": ({"specs": "f", "by": "g"}, "by: 'g' is not a variable of the fixed part"),
    "twice": ({"specs": "f", "by": "f"}, "stands twice"),
    "nothing": ({"specs": []}, "expected a variable's name"),
    "unknown at": ({"specs": "f", "at": {"z": 1}}, "at: 'z' is not a variable"),
    "unknown level": ({"specs": "f", "at": {"f": ["a", "d"]}}, "'d' is not a level of 'f'"),
    "text for a number": ({"specs": "f", "at": {"x": "much"}}, "expected finite numbers"),
    "no values": ({"specs": "f", "at": {"x": []}}, "has no values"),
    "outside log": ({"specs": "f", "at": {"x": -1}}, "cannot be evaluated .* x = -1"),
    "at a number": ({"specs": "f", "at": 5}, "at is 5; expected a dict"),
    "at no name": ({"specs": "f", "at": {5: 1}}, "at: '5' is not a variable"),
    "specs a number": ({"specs": 5}, "specs is 5; expected a variable's name"),
    "weights": ({"specs": "f", "weights": "cells"}, "weights='cells': choose one of equal"),
    "level": ({"specs": "f", "level": 95}, "level is 95"),
    "ddf": ({"specs": "f", "ddf": "welch"}, "ddf='welch'"),
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_arguments(unbalanced: pd.DataFrame, case: str) -> None:
    arguments, message = REFUSED[case]
    model = mm.lm("y ~ f + log(x)", unbalanced)
    with pytest.raises((mm.ArgumentError, mm.DataError), match=message):
        model.emmeans(**arguments)


REFUSED_CONTRASTS = {
    "unknown": (("pairs",), "contrasts 'pairs' are unknown"),
    "length": (({"x": [1, -1]},), "contrast 'x' has coefficients of shape .* expected 3"),
    "ragged": (([[1, -1, 0], [1]],), "contrast 'contrast 2' has coefficients of shape"),
    "not numbers": (({"x": [1, -1, "a"]},), "not all finite numbers"),
    "empty": (({},), "no contrasts are given"),
    "no adjustment": (("pairwise", ""), "adjust='': choose one of tukey"),
    "adjustment": (("pairwise", "fdr"), "adjust='fdr': choose one of tukey"),
    "tukey": (("eff", "tukey"), "adjust='tukey' is for all pairwise differences"),
}


@pytest.mark.parametrize("case", REFUSED_CONTRASTS)
def test_refused_contrasts(unbalanced: pd.DataFrame, case: str) -> None:
    arguments, message = REFUSED_CONTRASTS[case]
    means = mm.lm("y ~ f", unbalanced).emmeans("f")
    with pytest.raises(mm.ArgumentError, match=message):
        means.contrast(*arguments)

"""F tables of types I, II and III: lmerTest's numbers, certified numbers, and their definitions."""

from __future__ import annotations

import functools
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data

TYPES = {"I": 1, "II": 2, "III": 3}
METHODS = {"satterthwaite": "satterthwaite", "kenward_roger": "kenward-roger"}


@functools.cache
def lmertest(name: str) -> Any:
    return reference_data.read_json(f"inference/lmertest_{name}.json")


@functools.cache
def fit(formula: str, data: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.lmer(formula, reference_data.load(data))


def tables() -> list[tuple[str, str, str]]:
    folder = reference_data.ROOT / "inference"
    names = [path.stem.removeprefix("lmertest_") for path in sorted(folder.glob("lmertest_*.json"))]
    return [
        (name, method, kind)
        for name in names
        for method in METHODS
        for kind in TYPES
        if f"{method}_anova_type_{kind}" in lmertest(name)
    ]


@pytest.mark.parametrize(("name", "method", "kind"), tables())
def test_lmertest(name: str, method: str, kind: str) -> None:
    reference = lmertest(name)
    expected = pd.DataFrame(reference[f"{method}_anova_type_{kind}"]).T.astype(float)
    table = fit(reference["formula"], reference["data"]).anova(TYPES[kind], METHODS[method])
    assert list(table.index) == list(expected.index)
    for column in ("Sum Sq", "Mean Sq", "NumDF", "F value"):
        np.testing.assert_allclose(table[column], expected[column], rtol=1e-6)
    np.testing.assert_allclose(table["DenDF"], expected["DenDF"], rtol=1e-4)
    seen = expected["Pr(>F)"] > 1e-6
    np.testing.assert_allclose(table["Pr(>F)"][seen], expected["Pr(>F)"][seen], rtol=1e-4)
    tiny = ~seen & (expected["Pr(>F)"] > 0)
    logs = (np.log10(frame["Pr(>F)"][tiny]) for frame in (table, expected))
    np.testing.assert_allclose(*logs, atol=1e-3)


@pytest.mark.parametrize("method", METHODS.values())
@pytest.mark.parametrize("kind", TYPES.values())
def test_certified_split_plot(method: str, kind: int) -> None:
    data = pd.read_csv(reference_data.ROOT / "certified" / "splitplot.csv")
    table = mm.lmer("y ~ A * B + (1 | block) + (1 | block:A)", data).anova(kind, method)
    f = [4.069574247144341, 19.38872403560831, 4.019287833827893]
    np.testing.assert_allclose(table["F value"], f, rtol=1e-8)
    np.testing.assert_allclose(table["DenDF"], [6, 9, 9], rtol=1e-6)
    np.testing.assert_allclose(table["Pr(>F)"], [0.0764, 0.0017, 0.0566], atol=5e-5)


# --- Wald χ² of car::Anova ---

# Terms whose type II hypothesis is the same for car and lmerTest: car lets `a` be contained in
# `a:x` for a covariate x, lmerTest (as SAS) does not, and car projects by V, lmerTest by X'X alone.
SAME_TYPE_TWO = {
    "cake_int_reml": ["recipe", "temperature", "recipe:temperature"],
    "anxlong_3level_reml": ["age", "sex", "month:treatment"],
    "oats_split_reml": ["nitro", "nitro:Variety"],
}


@pytest.mark.parametrize("name", SAME_TYPE_TWO)
def test_wald_type_two(name: str) -> None:
    reference = reference_data.read_json("inference/anova_wald.json")["models"][name]
    table = fit(reference["formula"], reference["data"]).anova("II", "asymptotic")
    assert np.isinf(table["DenDF"]).all()
    for term in SAME_TYPE_TWO[name]:
        expected = reference["type_II"][term]
        row = table.loc[term]
        assert row["F value"] * row["NumDF"] == pytest.approx(expected["Chisq"], rel=1e-6)
        assert row["Pr(>F)"] == pytest.approx(expected["Pr(>Chisq)"], rel=1e-4)


# --- What the types are ---


@functools.cache
def unbalanced() -> pd.DataFrame:
    """Two factors, an ordered factor and two covariates; every combination of a and b occurs."""
    rng = np.random.default_rng(11)
    n = 240
    data = pd.DataFrame(
        {
            "a": pd.Categorical(rng.choice(["u", "v"], n, p=[0.7, 0.3])),
            "b": pd.Categorical(rng.choice(["k", "l", "m"], n, p=[0.5, 0.3, 0.2])),
            "o": pd.Categorical(rng.choice(["lo", "mid", "hi"], n), ["lo", "mid", "hi"], True),
            "x": rng.normal(2.0, 1.0, n),
            "z": rng.normal(size=n),
            "w": rng.uniform(0.5, 2.0, n),
            "g": rng.integers(0, 20, n),
        }
    )
    data["y"] = data["x"] + (data["a"] == "v") * data["x"] + rng.normal(size=20)[data["g"]]
    data["y"] += rng.normal(size=n)
    return data


FORMULAS = [
    "y ~ a * b * x + (1 | g)",
    "y ~ a * o + z + (1 | g)",
    "y ~ a + a:b + (1 | g)",
    "y ~ a:b + (1 | g)",
    "y ~ x:a + b + (1 | g)",
    "y ~ 0 + a + b + (1 | g)",
    "y ~ 0 + x + a + x:a + (1 | g)",
    "y ~ poly(x, 2) * b + (1 | g)",
    "y ~ x * z * a + (1 | g)",
]


def factors(formula: str) -> list[str]:
    return [name for name in re.findall(r"\w+", formula) if name in ("a", "b", "o")]


@pytest.mark.filterwarnings("ignore::mixedmodels.RankDeficiencyWarning")
@pytest.mark.parametrize("formula", FORMULAS)
def test_type_three_does_not_depend_on_the_coding(formula: str) -> None:
    tables = []
    for coding in ("treatment", "SAS", "helmert", "sum", "poly"):
        contrasts = dict.fromkeys(factors(formula), coding)
        tables.append(mm.lmer(formula, unbalanced(), contrasts=contrasts).anova(3, "residual"))
    for table in tables[1:]:
        np.testing.assert_allclose(table["NumDF"], tables[0]["NumDF"])
        np.testing.assert_allclose(table["F value"], tables[0]["F value"], rtol=1e-7)


FULL_RANK = [formula for formula in FORMULAS if formula != "y ~ a:b + (1 | g)"]


@pytest.mark.parametrize("formula", FULL_RANK)
def test_type_three_tests_the_columns_of_sum_contrasts(formula: str) -> None:
    contrasts = dict.fromkeys(factors(formula), "sum")
    m = mm.lmer(formula, unbalanced(), contrasts=contrasts)
    table = m.anova(3, "asymptotic")
    assign = np.array(m._matrices.spec.fixed.assign)
    for t, term in enumerate(table.index):
        joint = m.test(np.eye(len(assign))[assign == t], joint=True, ddf="asymptotic").joint
        assert table.loc[term, "NumDF"] == joint.num_df
        assert table.loc[term, "F value"] == pytest.approx(joint.statistic, rel=1e-7)


def test_custom_contrasts_with_fewer_columns() -> None:
    """Two of three levels taken for one: the effect of b has one degree of freedom."""
    m = mm.lmer("y ~ a * b + (1 | g)", unbalanced(), contrasts={"b": np.array([0.0, 1.0, 1.0])})
    merged = unbalanced().assign(b=(unbalanced()["b"] != "k").map({False: "k", True: "rest"}))
    two = mm.lmer("y ~ a * b + (1 | g)", merged).anova(3, "residual")
    table = m.anova(3, "residual")
    assert list(table["NumDF"]) == [1, 1, 1]
    np.testing.assert_allclose(
        table.loc[["b", "a:b"], "F value"], two.loc[["b", "a:b"], "F value"], rtol=1e-7
    )


def weighted_rss(formula: str) -> float:
    return mm.lm(formula, unbalanced(), weights="w").rss


# term: the smaller and the larger model of its sum of squares
SEQUENTIAL = {"a": ("1", "a"), "x": ("a", "a + x"), "a:x": ("a + x", "a * x")}
AFTER_OTHERS = {"a": ("x + x:a", "x * a"), "x": ("a", "a + x"), "a:x": ("a + x", "a * x")}


@pytest.mark.parametrize(("kind", "steps"), [(1, SEQUENTIAL), (2, AFTER_OTHERS)])
def test_ordinary_regression_is_differences_of_rss(
    kind: int, steps: dict[str, tuple[str, str]]
) -> None:
    """Weighted; `a` is not contained in `a:x`, which has another covariate."""
    table = mm.lm("y ~ a * x", unbalanced(), weights="w").anova(kind)
    for term, (small, large) in steps.items():
        if term == "a" and kind == 2:
            indicator = unbalanced().assign(v=(unbalanced()["a"] == "v") * unbalanced()["x"])
            small_rss = mm.lm("y ~ x + v", indicator, weights="w").rss
        else:
            small_rss = weighted_rss(f"y ~ {small}")
        expected = small_rss - weighted_rss(f"y ~ {large}")
        assert table.loc[term, "Sum Sq"] == pytest.approx(expected, rel=1e-8)
    assert "residual degrees of freedom" in table.title
    assert (table["DenDF"] == 240 - 4).all()


def test_the_point_of_a_test_is_said() -> None:
    table = mm.lmer("y ~ a * x + z + (1 | g)", unbalanced()).anova()
    assert table.notes == (
        "Tested where a covariate of their interaction is 0: a (x). Centre it to test elsewhere.",
    )
    assert "Type III analysis of variance; F tests by Satterthwaite's method" in str(table)


@pytest.mark.parametrize("spelling", [2, "2", "II", "ii"])
def test_spellings_of_a_type(spelling: Any) -> None:
    m = mm.lmer("y ~ a + b + (1 | g)", unbalanced())
    pd.testing.assert_frame_equal(
        pd.DataFrame(m.anova(spelling)), pd.DataFrame(m.anova(2)), check_exact=True
    )


# --- Collinear columns ---


@pytest.fixture
def empty_cell() -> pd.DataFrame:
    data = unbalanced()
    return data[~((data["a"] == "v") & (data["b"] == "m"))]


@pytest.mark.filterwarnings("ignore::mixedmodels.RankDeficiencyWarning")
@pytest.mark.parametrize("coding", ["treatment", "sum", "helmert"])
def test_an_empty_cell(coding: str, empty_cell: pd.DataFrame) -> None:
    formula = "y ~ a * b + z + (1 | g)"
    m = mm.lmer(formula, empty_cell, contrasts={"a": coding, "b": coding})
    table = m.anova(3, "residual")
    assert np.isnan(table.loc[["a", "b"], "F value"]).all()
    assert list(table["NumDF"]) == [0, 0, 1, 1]
    assert "No type III test of a, b: without data in some combinations" in table.notes[1]
    assert table.notes[0].startswith("a:b: the test is of the part that can be estimated")
    second = m.anova(2, "residual")
    assert list(second["NumDF"]) == [1, 2, 1, 1]
    baseline = mm.lmer(formula, empty_cell).anova(2, "residual")
    np.testing.assert_allclose(second["F value"], baseline["F value"], rtol=1e-6)
    np.testing.assert_allclose(
        table.loc[["z", "a:b"], "F value"], baseline.loc[["z", "a:b"], "F value"], rtol=1e-6
    )


@pytest.mark.parametrize("kind", TYPES.values())
def test_a_term_that_was_dropped(kind: int) -> None:
    m = fit("Reaction ~ Days + Days2x + grp + (1 | Subject)", "sleepstudy_aux")
    without = fit("Reaction ~ Days + grp + (1 | Subject)", "sleepstudy_aux").anova(kind)
    table = m.anova(kind)
    assert table.loc["Days2x", "NumDF"] == 0
    assert np.isnan(table.loc["Days2x", "F value"])
    assert "Not in the model: Days2x" in table.notes[0]
    np.testing.assert_allclose(table.loc[["Days", "grp"]], without, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::mixedmodels.RankDeficiencyWarning")
def test_a_covariate_that_a_factor_determines() -> None:
    data = unbalanced().assign(level=unbalanced()["b"].cat.codes.astype(float) ** 2)
    table = mm.lmer("y ~ level + b + (1 | g)", data).anova(2)
    assert list(table["NumDF"]) == [0, 1]
    assert "Nothing to test of level: the other terms determine it." in table.notes


# --- Models at the edge ---


def test_intercept_only() -> None:
    table = fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin").anova()
    assert len(table) == 0
    assert "no terms besides the intercept" in table.notes[0]


def test_singular_fit() -> None:
    data = unbalanced().assign(y=np.random.default_rng(5).permutation(unbalanced()["y"]))
    with pytest.warns(mm.SingularFitWarning):
        m = mm.lmer("y ~ a + z + (x | g)", data)
    assert m.is_singular
    assert np.isfinite(m.anova().to_numpy()).all()
    assert np.isfinite(m.anova(ddf="kenward-roger").to_numpy()).all()


def test_weights_and_offset() -> None:
    data = unbalanced()
    m = mm.lmer("y ~ a * b + (1 | g)", data, weights="w", offset="x")
    shifted = mm.lmer("y ~ a * b + (1 | g)", data.assign(y=data["y"] - data["x"]), weights="w")
    np.testing.assert_allclose(m.anova(), shifted.anova(), rtol=1e-6)


def test_many_rows_are_factorised_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, blocks = (mm.lmer("y ~ a * b + x + (1 | g)", unbalanced()) for _ in range(2))
    expected = whole.anova(2, "residual")
    monkeypatch.setattr("mixedmodels.models.rows.BLOCK", 7)
    np.testing.assert_allclose(blocks.anova(2, "residual"), expected, rtol=1e-9)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "type": (lambda m: m.anova(4), mm.ArgumentError, "choose 1, 2 or 3"),
    "no type": (lambda m: m.anova(None), mm.ArgumentError, "choose 1, 2 or 3"),
    "method": (lambda m: m.anova(ddf="between"), mm.ArgumentError, "choose one of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call(clinic.fit(clinic.INTERCEPTS))


def test_a_model_from_arrays_has_no_terms() -> None:
    data = unbalanced()
    X = np.column_stack([np.ones(len(data)), data["x"]])
    m = mm.lmer_arrays(data["y"], X, [(np.ones(len(data)), data["g"])])
    with pytest.raises(mm.DataError, match=r"m\.test\("):
        m.anova()

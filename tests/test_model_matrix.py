"""Columns of the model matrix: R's coding, names and order; random terms in lme4's order; new data.

The reference models were fitted by R 4.2.2 with lme4 1.1-31 (see reference/README.md).
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reference_data
from design_columns import column, fixed, matrix, plan
from mixedmodels.errors import DataError, FormulaError, MixedModelsWarning
from mixedmodels.matrices.arrays import array_model
from mixedmodels.matrices.model_matrix import public_order

rng = np.random.default_rng(5)
N = 24
DATA = pd.DataFrame(
    {
        "y": rng.normal(size=N),
        "x": rng.normal(size=N),
        "z": rng.normal(size=N),
        "f": pd.Categorical(np.tile(["a", "b", "c"], 8)),
        "h": pd.Categorical(np.repeat(["u", "v"], 12)),
        "o": pd.Categorical(np.tile(["lo", "mid", "hi"], 8), ["lo", "mid", "hi"], ordered=True),
        "t": np.tile([True, False, False, True], 6),
        "k": np.tile([1, 2, 3, 4], 6),
        "s": np.repeat(["p", "q", "r"], 8),
        "g": np.tile(np.arange(6), 4),
    }
)
DATA["my f"] = DATA["f"]
DATA["IQ.cen"] = DATA["x"]


@pytest.mark.parametrize("name", reference_data.model_ids())
def test_names_orders_and_levels_of_the_reference_models(name: str) -> None:
    reference = reference_data.model(name)
    arguments = reference_data.fit_arguments(reference)
    arguments.pop("REML")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, spec, terms = plan(
            reference["formula"], reference_data.load(reference["data"]), **arguments
        )
    kept = [n for n in spec.fixed.names if n not in reference["dropped_columns"]]
    assert kept == list(reference["X_names"])
    wanted = [(term["group"], tuple(term["names"])) for term in reference["re_terms"]]
    assert [(term.group, term.columns) for term in terms] == wanted
    assert {term.group: len(term.levels) for term in terms} == reference["ngroups"]
    rows = made["n_table"] if made["rows"] is None else len(made["rows"])
    assert rows == reference["n"]
    for term in terms:
        shown = list((reference.get("ranef") or {}).get(term.group, {}))
        assert term.levels.astype(str).tolist()[: len(shown)] == shown


# Right side → names R gives.  f, h: factors; o: ordered; t: boolean; s: text.
NAMES = {
    "x": ["(Intercept)", "x"],
    "f": ["(Intercept)", "fb", "fc"],
    "0 + f": ["fa", "fb", "fc"],
    "0 + x + f": ["x", "fa", "fb", "fc"],
    "0 + f + h": ["fa", "fb", "fc", "hv"],
    "t": ["(Intercept)", "tTRUE"],
    "0 + t": ["tFALSE", "tTRUE"],
    "s": ["(Intercept)", "sq", "sr"],
    "o": ["(Intercept)", "o.L", "o.Q"],
    "0 + o": ["olo", "omid", "ohi"],
    "factor(k)": ["(Intercept)", "factor(k)2", "factor(k)3", "factor(k)4"],
    "ordered(k)": ["(Intercept)", "ordered(k).L", "ordered(k).Q", "ordered(k).C"],
    "f:x": ["(Intercept)", "fa:x", "fb:x", "fc:x"],
    "x:f": ["(Intercept)", "x:fa", "x:fb", "x:fc"],
    "x + x:f": ["(Intercept)", "x", "x:fb", "x:fc"],
    "f + f:x": ["(Intercept)", "fb", "fc", "fa:x", "fb:x", "fc:x"],
    "f * x": ["(Intercept)", "fb", "fc", "x", "fb:x", "fc:x"],
    "f * h": ["(Intercept)", "fb", "fc", "hv", "fb:hv", "fc:hv"],
    "f / h": ["(Intercept)", "fb", "fc", "fa:hv", "fb:hv", "fc:hv"],
    "f:h": ["(Intercept)", "fa:hu", "fb:hu", "fc:hu", "fa:hv", "fb:hv", "fc:hv"],
    "0 + f:h": ["fa:hu", "fb:hu", "fc:hu", "fa:hv", "fb:hv", "fc:hv"],
    "h + f:h": ["(Intercept)", "hv", "hu:fb", "hv:fb", "hu:fc", "hv:fc"],
    "x:z + x": ["(Intercept)", "x", "x:z"],
    "poly(x, 2)": ["(Intercept)", "poly(x, 2)1", "poly(x, 2)2"],
    "poly(x, 1)": ["(Intercept)", "poly(x, 1)"],
    "poly(x, 2):h": [
        "(Intercept)", "poly(x, 2)1:hu", "poly(x, 2)2:hu", "poly(x, 2)1:hv", "poly(x, 2)2:hv",
    ],
    "bs(x, df = 4)": ["(Intercept)", *(f"bs(x, df = 4){j}" for j in (1, 2, 3, 4))],
    "scale(x) + center(z)": ["(Intercept)", "scale(x)", "center(z)"],
    "C(f, contr.sum)": ["(Intercept)", "C(f, contr.sum)1", "C(f, contr.sum)2"],
    "C(f, sum)": ["(Intercept)", "C(f, sum)1", "C(f, sum)2"],
    'C(f, "contr.helmert")': ["(Intercept)", 'C(f, "contr.helmert")1', 'C(f, "contr.helmert")2'],
    "C(f, contr.treatment(base = 2))": [
        "(Intercept)", "C(f, contr.treatment(base = 2))a", "C(f, contr.treatment(base = 2))c",
    ],
    'C(f, Treatment("c"))': [
        "(Intercept)", 'C(f, Treatment("c"))a', 'C(f, Treatment("c"))b',
    ],
    "C(f, contr.SAS)": ["(Intercept)", "C(f, contr.SAS)a", "C(f, contr.SAS)b"],
    "C(o, contr.treatment)": [
        "(Intercept)", "C(o, contr.treatment)mid", "C(o, contr.treatment)hi",
    ],
    'relevel(f, ref = "b")': ["(Intercept)", 'relevel(f, ref = "b")a', 'relevel(f, ref = "b")c'],
    "I(x > 0)": ["(Intercept)", "I(x > 0)TRUE"],
    "I(x^2)": ["(Intercept)", "I(x^2)"],
    "IQ.cen * z": ["(Intercept)", "IQ.cen", "z", "IQ.cen:z"],
    "`my f`": ["(Intercept)", "`my f`b", "`my f`c"],
    "1": ["(Intercept)"],
    "0": [],
}  # fmt: skip


@pytest.mark.parametrize("right", NAMES)
def test_column_names(right: str) -> None:
    names, X = fixed(f"y ~ {right}", DATA)
    assert names == NAMES[right]
    assert X.shape == (N, len(names))


@pytest.mark.parametrize("right", NAMES)
def test_constant_is_in_the_span_as_claimed(right: str) -> None:
    arguments, _, _ = plan(f"y ~ {right}", DATA)
    X, gamma = matrix(arguments), arguments["constant"]
    if gamma is None:
        fit = X @ np.linalg.lstsq(X, np.ones(N), rcond=None)[0] if X.shape[1] else np.zeros(N)
        assert not np.allclose(fit, 1.0)
    else:
        assert np.array_equal(X @ gamma, np.ones(N))


@pytest.mark.parametrize(
    "right", ["f * h", "f * x", "f / h", "f:h - 1", "f + f:h", "x:f", "f * h * x", "f:x + h:x"]
)
def test_coding_spans_what_the_terms_span(right: str) -> None:
    """The columns have the rank of the same terms with every factor coded by indicators."""
    arguments, spec, _ = plan(f"y ~ {right}", DATA)
    X = matrix(arguments)
    full = [np.ones((N, 1))] if spec.formula.fixed.intercept else []
    pieces = {v: pd.get_dummies(DATA[v]).to_numpy(float) for v in "fh"} | {
        "x": DATA[["x"]].to_numpy()
    }
    for label in spec.formula.fixed.labels():
        product = np.ones((N, 1))
        for v in label.split(":"):
            product = np.einsum("ni,nj->nij", product, pieces[v]).reshape(N, -1)
        full.append(product)
    rank = np.linalg.matrix_rank(np.hstack(full))
    assert np.linalg.matrix_rank(np.hstack([*full, X])) == rank
    assert np.linalg.matrix_rank(X) == rank


def test_contrast_values() -> None:
    """Numbers printed by R's contr.sum(3), contr.helmert(3), contr.poly(3) and contr.poly(4)."""
    rows = DATA["f"].cat.codes.to_numpy()
    expected = {
        "sum": [[1, 0], [0, 1], [-1, -1]],
        "helmert": [[-1, -1], [1, -1], [0, 2]],
        "treatment": [[0, 0], [1, 0], [0, 1]],
        "SAS": [[1, 0], [0, 1], [0, 0]],
        "poly": [[-0.7071068, 0.4082483], [0, -0.8164966], [0.7071068, 0.4082483]],
    }
    for name, table in expected.items():
        _, X = fixed("y ~ f", DATA, contrasts={"f": name})
        assert np.allclose(X[:, 1:], np.array(table)[rows], atol=5e-8), name
    _, X = fixed("y ~ ordered(k)", DATA)
    four = [
        [-0.6708204, 0.5, -0.2236068],
        [-0.2236068, -0.5, 0.6708204],
        [0.2236068, -0.5, -0.6708204],
        [0.6708204, 0.5, 0.2236068],
    ]
    assert np.allclose(X[:, 1:], np.array(four)[DATA["k"] - 1], atol=5e-8)


def test_polynomial_contrasts_stay_orthonormal() -> None:
    data = pd.DataFrame({"y": np.arange(60.0), "o": pd.Categorical(range(60), ordered=True)})
    _, X = fixed("y ~ o", data)
    assert np.allclose(X[:, 1:].T @ X[:, 1:], np.eye(59), atol=1e-10)
    assert np.allclose(X[:, 1:].sum(axis=0), 0, atol=1e-10)


def test_contrasts_argument() -> None:
    own = pd.DataFrame([[1.0, 0], [0, 1], [-1, -2]], columns=["p", "q"])
    assert fixed("y ~ f", DATA, contrasts={"f": own})[0] == ["(Intercept)", "fp", "fq"]
    assert fixed("y ~ f", DATA, contrasts={"f": own.to_numpy()})[0] == ["(Intercept)", "f1", "f2"]
    assert fixed("y ~ `my f`", DATA, contrasts={"my f": "sum"})[0][1] == "`my f`1"
    with pytest.raises(DataError, match=r"names 'x', which is not a factor.*f"):
        plan("y ~ f + x", DATA, contrasts={"x": "sum"})
    with pytest.raises(FormulaError, match="contrast 'simple' of 'f' is unknown"):
        plan("y ~ f", DATA, contrasts={"f": "simple"})
    with pytest.raises(DataError, match=r"shape \(2, 2\)"):
        plan("y ~ f", DATA, contrasts={"f": np.eye(2)})


def test_random_terms_keep_the_default_contrasts() -> None:
    arguments, _, terms = plan("y ~ f + (f | g)", DATA, contrasts={"f": "sum"})
    assert terms[0].columns == ("(Intercept)", "fb", "fc")
    Z = matrix(arguments, arguments["terms"][0][1])
    assert np.array_equal(Z[:, 1], (DATA["f"] == "b").to_numpy(float))


def test_a_factor_with_one_level_left() -> None:
    with pytest.raises(DataError, match=r"factor 'f' has 1 level \('a'\)"):
        plan("y ~ f", DATA[DATA["f"] == "a"])
    assert fixed("y ~ 0 + f", DATA[DATA["f"] == "a"])[0] == ["fa"]


def test_unused_levels_are_dropped() -> None:
    names, _ = fixed("y ~ f", DATA[DATA["f"] != "b"])
    assert names == ["(Intercept)", "fc"]


# --- transforms -----------------------------------------------------------------------------------


def test_poly_is_orthonormal_with_rs_signs() -> None:
    """R: poly(0:9, 2) begins -0.49543369, 0.52223297 and is orthonormal."""
    data = pd.DataFrame({"y": np.arange(10.0), "d": np.arange(10.0)})
    _, X = fixed("y ~ poly(d, 2)", data)
    assert np.allclose(X[0, 1:], [-0.49543369, 0.52223297], atol=1e-8)
    assert np.allclose(X.T @ X, np.diag([10, 1, 1]), atol=1e-12)
    _, raw = fixed("y ~ poly(d, 3, raw = TRUE)", data)
    assert np.array_equal(raw[:, 1:], data[["d"]].to_numpy() ** np.array([1, 2, 3]))


def test_splines_as_in_r() -> None:
    """splines::bs(0:4, df = 4) has one inner knot, at 2 (values by the Cox-de Boor recurrence)."""
    data = pd.DataFrame({"y": np.arange(5.0), "d": np.arange(5.0)})
    names, X = fixed("y ~ bs(d, df = 4)", data)
    assert names[1:] == [f"bs(d, df = 4){j}" for j in range(1, 5)]
    expected = [
        [0, 0, 0, 0],
        [0.59375, 0.25, 0.03125, 0],
        [0.25, 0.5, 0.25, 0],
        [0.03125, 0.25, 0.59375, 0.125],
        [0, 0, 0, 1],
    ]
    assert np.allclose(X[:, 1:], expected, atol=1e-12)


def test_scale_and_center() -> None:
    x = DATA["x"].to_numpy()
    _, X = fixed(
        "y ~ scale(x) + center(z) + scale(x, scale = FALSE) + scale(z, center = FALSE)", DATA
    )
    assert np.allclose(X[:, 1], (x - x.mean()) / x.std(ddof=1))
    assert np.allclose(X[:, 2], DATA["z"] - DATA["z"].mean())
    assert np.allclose(X[:, 3], x - x.mean())
    assert np.allclose(X[:, 4], DATA["z"] / np.sqrt((DATA["z"] ** 2).sum() / (N - 1)))


def test_state_comes_from_every_row_as_in_r() -> None:
    data = DATA.copy()
    data.loc[3, "y"] = np.nan
    data.loc[5, "x"] = np.nan
    _, X = fixed("y ~ center(x)", data)
    kept = np.delete(np.arange(N), [3, 5])
    assert np.allclose(X[:, 1], data["x"].to_numpy()[kept] - data["x"].mean())


def test_elementwise_functions_of_columns() -> None:
    data = DATA.assign(x=np.abs(DATA["x"]) + 0.1)
    x, k = data["x"].to_numpy(), data["k"].to_numpy()
    for text, values in {
        "log(x)": np.log(x),
        "np.log(x)": np.log(x),
        "log(x, 2)": np.log2(x),
        "sqrt(x) * k / 2": None,
        "I(sqrt(x) * k / 2)": np.sqrt(x) * k / 2,
        "I(x^2 - -k)": x**2 + k,
        "I(k %% 2)": k % 2,
        "I(2^-x)": 2.0**-x,
        "ifelse(k > 2, x, 0)": np.where(k > 2, x, 0),
        "pmax(x, k)": np.maximum(x, k),
        "as.numeric(f)": data["f"].cat.codes + 1,
        "I(x - mean(x))": x - x.mean(),
    }.items():
        if values is not None:
            assert np.allclose(fixed(f"y ~ {text}", data)[1][:, 1], values, rtol=1e-15), text


# --- random terms ---------------------------------------------------------------------------------


def test_public_order_is_lme4s() -> None:
    assert public_order([5, 3, 3]) == [0, 1, 2]
    assert public_order([3, 5]) == [1, 0]
    assert public_order([3, 5, 5]) == [2, 1, 0]  # ties reversed
    assert public_order([2, 2, 7]) == [2, 1, 0]
    assert public_order([]) == []
    _, _, terms = plan("y ~ (1 | h) + (1 | g) + (0 + x | g)", DATA)
    assert [(t.group, t.columns) for t in terms] == [
        ("g", ("x",)), ("g", ("(Intercept)",)), ("h", ("(Intercept)",)),
    ]  # fmt: skip


COLUMNS = {
    "(f | g)": [("g", ("(Intercept)", "fb", "fc"))],
    "(0 + f | g)": [("g", ("fa", "fb", "fc"))],
    "(t | g)": [("g", ("(Intercept)", "tTRUE"))],
    "(o | g)": [("g", ("(Intercept)", "o.L", "o.Q"))],
    "(x * z | g)": [("g", ("(Intercept)", "x", "z", "x:z"))],
    "(f:x | g)": [("g", ("(Intercept)", "fa:x", "fb:x", "fc:x"))],
    "(x || g)": [("g", ("(Intercept)",)), ("g", ("x",))],
    "(poly(x, 2) | g)": [("g", ("(Intercept)", "poly(x, 2)1", "poly(x, 2)2"))],
    "(1 | h/s)": [("s:h", ("(Intercept)",)), ("h", ("(Intercept)",))],
}


@pytest.mark.parametrize("right", COLUMNS)
def test_random_columns(right: str) -> None:
    _, _, terms = plan(f"y ~ {right}", DATA)
    assert [(term.group, term.columns) for term in terms] == COLUMNS[right]


def test_factors_left_of_a_double_bar_stay_together_and_say_so() -> None:
    with pytest.warns(MixedModelsWarning, match=r"\(0 \+ f \| g\)"):
        _, _, terms = plan("y ~ (f || g)", DATA)
    assert [term.columns for term in terms] == [("(Intercept)",), ("fa", "fb", "fc")]


def test_terms_on_one_factor_share_its_codes() -> None:
    arguments, _, _ = plan("y ~ x + (1 | g) + (0 + x | g) + (1 | h)", DATA)
    assert [group for group, _ in arguments["terms"]] == [0, 0, 1]
    assert len(arguments["groups"]) == 2
    assert len(arguments["numeric"]) == 1  # x once, for both its uses


def test_nested_levels_only_of_kept_rows() -> None:
    data = DATA.copy()
    data.loc[(data["h"] == "v") & (data["s"] == "q"), "y"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, _, terms = plan("y ~ (1 | h/s)", data)
    assert terms[0].levels.tolist() == ["p:u", "q:u", "r:v"]
    assert terms[1].levels.tolist() == ["u", "v"]


# --- what the response must be --------------------------------------------------------------------


def test_constant_and_matrix_responses_are_refused() -> None:
    with pytest.raises(DataError, match="response 'y' is 2 in every row"):
        plan("y ~ x + (1 | g)", DATA.assign(y=2.0))
    plan("y ~ x", DATA.assign(y=2.0))  # ordinary regression allows it
    with pytest.raises(DataError, match="several columns"):
        plan("cbind(x, z) ~ k", DATA)
    with pytest.raises(FormulaError, match="no response"):
        plan("~ x", DATA)


def test_boolean_response_counts_true() -> None:
    arguments, _, _ = plan("t ~ x", DATA)
    assert np.array_equal(arguments["response"], DATA["t"].to_numpy(float))


# --- new data -------------------------------------------------------------------------------------

FORMULA = "y ~ poly(x, 2) + center(z) + f * t + bs(z, df = 4) + offset(x) + (x | g) + (1 | h/s)"


def test_new_data_give_the_same_columns() -> None:
    arguments, spec, _ = plan(FORMULA, DATA)
    again, index = spec.new_arguments(DATA.drop(columns="y").iloc[5:9])
    assert list(index) == [5, 6, 7, 8]
    assert np.allclose(matrix(again), matrix(arguments)[5:9], atol=1e-13)
    assert np.array_equal(again["offset"], DATA["x"].to_numpy()[5:9])
    for (g, new), (h, old) in zip(again["terms"], arguments["terms"], strict=True):
        assert np.allclose(matrix(again, new), matrix(arguments, old)[5:9], atol=1e-13)
        assert np.array_equal(again["groups"][g][0], arguments["groups"][h][0][5:9])
        assert again["groups"][g][1] == arguments["groups"][h][1]


def test_new_data_of_other_types() -> None:
    _, spec, _ = plan("y ~ x + f + t + (1 | g) + (1 | h:g)", DATA)
    plain = {
        "x": [1, 2], "f": ["c", "a"], "t": [True, True], "g": [3.0, 5.0], "h": ["u", "v"],
    }  # fmt: skip
    made, index = spec.new_arguments(plain)
    assert list(index) == [0, 1]
    expected = [[1, 1, 0, 1, 1], [1, 2, 0, 0, 1]]
    assert np.array_equal(matrix(made), expected)
    assert made["groups"][1][0].tolist() == [3, 5]
    pl = pytest.importorskip("polars")
    made, _ = spec.new_arguments(pl.DataFrame(plain))
    assert np.array_equal(matrix(made), expected)


def test_missing_values_in_new_data_give_missing_columns() -> None:
    _, spec, _ = plan("y ~ x + f + (1 | g)", DATA)
    new = DATA.iloc[:3].copy()
    new.loc[0, "x"] = np.nan
    new.loc[1, "f"] = None
    made, _ = spec.new_arguments(new)
    assert np.isnan(matrix(made)).any(axis=1).tolist() == [True, True, False]


def test_a_missing_group_is_one_of_unknown_identity() -> None:
    _, spec, _ = plan("y ~ x + (1 | g) + (1 | h:s)", DATA)
    new = DATA.iloc[:3].copy()
    new["g"] = [0, np.nan, 2]
    new.loc[0, "h"] = None
    made, _ = spec.new_arguments(new)
    codes = {size: codes.tolist() for codes, size in made["groups"]}
    assert codes[6] == [0, -1, 2]
    (pairs,) = (c for size, c in codes.items() if size != 6)
    assert pairs[0] == -1
    assert min(pairs[1:]) >= 0
    assert made["offset"] is None


def test_unknown_terms_need_no_group() -> None:
    _, spec, _ = plan("y ~ x + (x | g) + (1 | h)", DATA)
    made, _ = spec.new_arguments(DATA.drop(columns="h"), unknown=[1])
    (known, _), (unknown, _) = (made["groups"][g] for g, _ in made["terms"])
    assert (known >= 0).all()
    assert (unknown == -1).all()


def test_new_levels() -> None:
    _, spec, _ = plan("y ~ f + (1 | g) + (1 | h:s)", DATA)
    new = DATA.iloc[:2].assign(g=[0, 77])
    with pytest.raises(DataError, match=r"level 77 of 'g'.*0, 1, 2.*allow_new_levels"):
        spec.new_arguments(new)
    made, _ = spec.new_arguments(new, allow_new_levels=True)
    codes = {size: codes.tolist() for codes, size in made["groups"]}
    assert codes[6] == [0, -1]
    made, _ = spec.new_arguments(new, random=False)
    assert made["terms"] == []
    with pytest.raises(DataError, match="level 'v:p' of 'h:s'"):
        spec.new_arguments(DATA.iloc[:2].assign(h="v", s="p"))
    with pytest.raises(DataError, match="level 'zz' of 'f'"):
        spec.new_arguments(DATA.iloc[:2].assign(f="zz"), allow_new_levels=True)
    with pytest.raises(DataError, match=r"level '3' of 'g'.*\(of type str; the model has"):
        spec.new_arguments(DATA.iloc[:2].assign(g="3"))


def test_missing_columns_in_new_data() -> None:
    _, spec, _ = plan("y ~ x + offset(z) + (1 | g)", DATA)
    for gone in ("x", "z", "g"):
        with pytest.raises(DataError, match=f"column '{gone}' is not in the data"):
            spec.new_arguments(DATA.drop(columns=gone))
    spec.new_arguments(DATA.drop(columns=["g", "y", "f"]), random=False)
    _, spec, _ = plan("y ~ x", DATA, offset="z")
    with pytest.raises(DataError, match="'z' is not in the data"):
        spec.new_arguments(DATA[["x"]])
    _, spec, _ = plan("y ~ x", DATA, offset=DATA["z"].to_numpy())
    with pytest.raises(DataError, match="offset was given as numbers"):
        spec.new_arguments(DATA)


def test_new_numbers_must_be_numbers() -> None:
    _, spec, _ = plan("y ~ x", DATA)
    with pytest.raises(DataError, match="'x' is not numeric in the new data"):
        spec.new_arguments({"x": ["a", "b"]})
    with pytest.raises(DataError, match="'x' is infinite in row 1"):
        spec.new_arguments({"x": [0.0, np.inf]})


def test_chosen_terms_in_their_order() -> None:
    _, spec, _ = plan("y ~ x + (x | g) + (1 | h) + (0 + z | g)", DATA)
    names = [(p.term.group_name, p.plan.names) for p in spec.random]
    made, _ = spec.new_arguments(DATA, terms=[2, 0])
    assert [len(columns) for _, columns in made["terms"]] == [len(names[2][1]), len(names[0][1])]


# --- arrays ---------------------------------------------------------------------------------------


def test_arrays_become_the_same_design() -> None:
    X = np.column_stack([np.ones(N), DATA["x"]])
    model = array_model(DATA["y"], X, [(X, DATA["g"]), (np.ones(N), DATA["s"])], None, None)
    assert model.fixed_names == ("(Intercept)", "x2")
    assert [(group, names) for group, names, _ in model.terms] == [
        ("g", ("(Intercept)", "x2")), ("s", ("(Intercept)",)),
    ]  # fmt: skip
    assert np.array_equal(matrix(model.arguments), X)
    assert model.arguments["constant"].tolist() == [1, 0]
    assert np.shares_memory(model.arguments["numeric"][0], X)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones(3), np.ones(2), []), "X has 2 rows; y has 3"),
        ((np.ones((3, 2)), np.ones(3), []), "y has 2 dimensions"),
        ((np.ones(3), np.full(3, np.nan), []), "X is nan in row 0"),
        ((np.array([1, np.inf, 2]), np.ones(3), []), "y is inf in row 1"),
        ((np.ones(3), np.ones(3), [(np.ones(3), [1, 2])]), "groups of terms"),
        ((np.ones(3), np.ones(3), [(np.ones(3), [1, None, 2])]), "missing in row 1"),
        ((np.ones(3), np.ones(3), [np.ones(3)]), "not a pair"),
        ((np.ones(0), np.ones(0), []), "empty"),
    ],
)
def test_arrays_refused(arguments: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        array_model(*arguments, None, None)


def test_every_pair_of_term_shapes_expands_without_missing_values() -> None:
    pieces = ["x", "f", "h", "o", "t", "poly(x, 2)", "f:h", "x:f", "I(x^2)"]
    for a, b in itertools.combinations(pieces, 2):
        arguments, _, _ = plan(f"y ~ {a} * {b} + ({a} | g)", DATA)
        assert np.isfinite(matrix(arguments)).all()
        for recipe in arguments["terms"][0][1]:
            assert np.isfinite(column(arguments, recipe)).all()

"""m.check(): each fault is found, and nothing where there is none, for every kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from check_examples import faulty

DATA = faulty()
ONES = np.ones(len(DATA))
RANDOM = "x + (1 | g)"


def linear(response: str, right: str = RANDOM, **arguments: Any) -> Any:
    return mm.lmer(f"{response} ~ {right}", DATA, **arguments)


def counted(response: str, family: Any = "poisson", right: str = RANDOM) -> Any:
    return mm.glmer(f"{response} ~ {right}", DATA, family=family)


SOUND: dict[str, Any] = {
    "lmer": lambda: linear("sound"),
    "lmer, ML, weights": lambda: linear("sound", REML=False, weights=ONES * 2),
    "lm": lambda: mm.lm("sound ~ x", DATA),
    "arrays": lambda: mm.lmer_arrays(DATA["sound"], np.column_stack([ONES, DATA["x"]]),
                                     [(ONES, DATA["g"])]),
    "refit": lambda: linear("tails").refit(DATA["sound"]),
    "poisson": lambda: counted("count"),
    "binary": lambda: counted("binary", "binomial"),
    "negative binomial": lambda: counted("mixed", "negative_binomial"),
    "glm": lambda: mm.glm("mixed ~ x", DATA, family="nb1"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_nothing_to_remark(name: str) -> None:
    checks = SOUND[name]().check()
    assert checks.problems == ()
    assert len(checks.notes) <= 1, str(checks)
    assert len(checks.to_frame()) == len(checks.checks) > 1


FAULTS: dict[str, tuple[Any, str]] = {
    "heavy tails": (lambda: linear("tails"), "normality of residuals"),
    "skew": (lambda: linear("skew"), "normality of residuals"),
    "heavy tails, lm": (lambda: mm.lm("tails ~ x", DATA), "normality of residuals"),
    "variance and mean": (lambda: linear("grows"), "constant variance"),
    "variance and group": (lambda: linear("differs"), "equal variance by g"),
    "collinear": (lambda: linear("sound", "x + near_x + (1 | g)"), "collinearity of x"),
    "four groups": (lambda: linear("sound", "x + (1 | few)"), "number of levels of few"),
    "overdispersed": (lambda: counted("mixed"), "overdispersion"),
    "zeros": (lambda: mm.glm("zeros ~ x", DATA, family="poisson"), "zeros"),
}


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_explained(name: str) -> None:
    fit, title = FAULTS[name]
    found = {check.title: check for check in fit().check().checks}
    assert found[title].verdict == "problem"
    assert len(found[title].advice) > 40


def test_many_rows_raise_no_false_alarm() -> None:
    """Departures that any test is certain of in 60,000 rows, and that nobody need act upon."""
    d = faulty(2, 30, 2000)
    r = np.random.default_rng(0)
    spread = 1 + 0.03 * np.clip(d["x"], -3, 3)
    d["y"] = d["x"] + r.normal(size=30)[d["g"]] + spread * r.standard_t(25, len(d))
    checks = mm.lmer("y ~ x + (1 | g)", d).check()
    by_title = {check.title: check for check in checks.checks}
    assert by_title["constant variance"].p_value < 1e-6
    assert checks.verdict == "ok"


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
def test_models_that_lack_something_are_checked_as_far_as_they_go() -> None:
    n = len(DATA)
    missing = DATA.assign(x=np.where(np.arange(n) == 3, np.nan, DATA["x"]))
    models = [
        mm.lmer("sound ~ 1 + (0 + x | g)", DATA),
        mm.lmer("sound ~ x + I(2*x) + (1 | g) + (1 | few)", DATA),
        mm.lmer("sound ~ x + (x | g)", missing, na_action="exclude"),
        mm.lmer_arrays(DATA["sound"], ONES, [(DATA["x"].to_numpy(), DATA["g"])]),
        mm.lm("sound ~ 1", DATA),
        mm.lm("sound ~ x", DATA[:4]),
        mm.glmer("mixed ~ x + (1 | g) + (1 | row)", DATA.assign(row=range(n)), family="poisson"),
        mm.glmer("binary ~ x + (1 | g)", DATA, nAGQ=0),
    ]
    for m in models:
        checks = m.check()
        assert str(checks)
        assert all(skipped.reason for skipped in checks.skipped)


def test_a_model_without_rows_says_so(tmp_path: Path) -> None:
    linear("sound").save(tmp_path / "m.mm", data=False)
    with pytest.raises(mm.DataError, match="saved without its data"):
        mm.load(tmp_path / "m.mm").check()

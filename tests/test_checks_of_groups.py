"""Numbers of groups and rows, shapes of random effects, influential groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from check_examples import faulty
from mixedmodels.diagnostics.check_report import Check, Skipped
from mixedmodels.diagnostics.checks_of_groups import (
    enough_groups,
    enough_rows,
    influential_groups,
    normal_effects,
)

DATA = faulty()


def checks(found: list[Check | Skipped]) -> list[Check]:
    return [entry for entry in found if isinstance(entry, Check)]


@pytest.mark.parametrize(
    ("levels", "verdict"), [(4, "problem"), (5, "note"), (9, "note"), (10, "ok")]
)
def test_few_levels(levels: int, verdict: str) -> None:
    d = DATA.assign(g=np.arange(len(DATA)) % levels)
    d["y"] = d["sound"] + 3.0 * (d["g"] % 3)
    (check,) = checks(enough_groups(mm.lmer("y ~ x + (1 | g)", d)))
    assert (check.verdict, check.statistic, check.subject) == (verdict, levels, "g")
    assert ("a fixed effect" in check.advice) == (verdict == "problem")
    assert ("kenward-roger" in check.advice) == (verdict != "ok")


def test_advice_on_few_levels_is_one_the_model_can_follow() -> None:
    d = DATA.assign(g=DATA["g"] % 6)
    (check,) = checks(enough_groups(mm.glmer("count ~ x + (1 | g)", d, family="poisson")))
    assert "mm.bootstrap_lrt" in check.advice


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_rows_per_random_effect() -> None:
    pairs = DATA.assign(pair=np.arange(len(DATA)) // 2, y=DATA["sound"])
    control = mm.Control(allow_saturated=True)
    m = mm.lmer("y ~ x + (x | pair) + (1 | g)", pairs, control=control)
    by_term = {check.subject: check for check in checks(enough_rows(m))}
    assert by_term["(1 + x | pair)"].verdict == "note"
    assert by_term["(1 + x | pair)"].statistic == 1
    assert by_term["(1 | g)"].verdict == "ok"


def test_an_effect_for_every_row_is_there_by_design() -> None:
    d = DATA.assign(row=range(len(DATA)))
    m = mm.glmer("mixed ~ x + (1 | g) + (1 | row)", d, family="poisson")
    by_term = {check.subject: check for check in checks(enough_rows(m))}
    assert by_term["(1 | row)"].verdict == "ok"
    skipped = [entry for entry in normal_effects(m) if isinstance(entry, Skipped)]
    assert "that row's response" in skipped[0].reason
    assert all("row" not in entry.name.split() for entry in influential_groups(m))


def test_an_outlying_group_is_named() -> None:
    d = faulty(3, 60, 10)
    d["y"] = d["sound"] + np.where(d["g"] == 41, 12.0, 0.0)
    (check,) = checks(normal_effects(mm.lmer("y ~ x + (1 | g)", d)))
    assert check.verdict == "note"
    assert "first at g 41" in check.advice
    (check,) = checks(normal_effects(mm.lmer("sound ~ x + (1 | g)", d)))
    assert check.verdict == "ok"


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_too_few_levels_and_zero_variances_have_no_shape() -> None:
    r = np.random.default_rng(0)
    d = DATA.assign(y=r.normal(size=len(DATA)))
    d["y"] -= d.groupby("g")["y"].transform("mean")
    (skipped,) = normal_effects(mm.lmer("y ~ 1 + (1 | g)", d))
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "a variance of zero"
    (skipped,) = normal_effects(mm.lmer("sound ~ x + (1 | few)", DATA))
    assert isinstance(skipped, Skipped)


def models() -> dict[str, Any]:
    return {
        "lmer": lambda d: mm.lmer("y ~ x + (1 | g)", d),
        "glmer": lambda d: mm.glmer("count ~ x + (1 | g)", d, family="poisson"),
    }


@pytest.mark.parametrize("name", ["lmer", "glmer"])
def test_an_influential_group_is_found(name: str) -> None:
    d = DATA.assign(y=DATA["sound"])
    d.loc[d["g"] == 7, "x"] += 4  # far out in x, and with a slope of its own
    d.loc[d["g"] == 7, "y"] -= 5 * d["x"]
    d.loc[d["g"] == 7, "count"] = np.round(np.exp(3 - 0.5 * d["x"]))
    m = models()[name](d)
    (check,) = checks(influential_groups(m))
    distances = m.influence("g", method="fast").cooks_distance
    assert check.statistic == pytest.approx(distances.max())
    assert check.verdict == "problem"
    assert "level, 7, has" in check.finding


def test_crossed_factors_are_left_to_refits() -> None:
    d = DATA.assign(h=np.arange(len(DATA)) % 12)
    d["y"] = d["sound"] + np.sin(3.0 * d["h"])
    found = influential_groups(mm.lmer("y ~ x + (1 | g) + (1 | h)", d))
    assert all(isinstance(entry, Skipped) for entry in found)
    assert ["m.influence('g')" in entry.reason for entry in found] == [True, False]
    assert "m.influence('h')" in found[1].reason

"""Names and values of standard deviations and correlations against `varcorr`."""

import numpy as np
import pytest

import mixedmodels as mm
from mixedmodels.families import family_of
from mixedmodels.models.parameters import (
    covariance_parameters,
    scale_parameters,
    sds_and_correlations,
)
from reference_data import load

FORMULAS = {
    "one slope": ("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    "uncorrelated": ("sleepstudy", "Reaction ~ Days + (Days || Subject)"),
    "crossed": ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    "three columns": ("Machines", "score ~ Machine + (Machine | Worker)"),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_varcorr(name):
    data, formula = FORMULAS[name]
    m = mm.lmer(formula, load(data))
    terms = m._matrices.terms
    sizes = [len(term.columns) for term in terms]
    theta = np.vstack([m.theta, 2.0 * m.theta])
    values = sds_and_correlations(theta, np.array([m.sigma, m.sigma]), sizes)
    for k, parameter in enumerate(covariance_parameters(terms)):
        term = m.varcorr.terms[parameter.term]
        i, j = parameter.row, parameter.column
        expected = term.sd[i] if parameter.is_sd else term.corr[i, j]
        assert values[0, k] == pytest.approx(expected, rel=1e-12)
        assert values[1, k] == pytest.approx(expected * (2 if parameter.is_sd else 1), rel=1e-12)


def test_names_are_those_of_lme4():
    m = mm.lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    parameters = covariance_parameters(m._matrices.terms)
    assert [p.name for p in parameters] == [".sig01", ".sig02", ".sig03"]
    assert [p.label for p in parameters] == [
        "sd_(Intercept)|Subject",
        "cor_Days.(Intercept)|Subject",
        "sd_Days|Subject",
    ]


def test_a_correlation_with_a_zero_standard_deviation_does_not_exist():
    values = sds_and_correlations(np.array([[1.0, 0.0, 0.0]]), np.array([2.0]), [2])
    np.testing.assert_array_equal(values, [[2.0, np.nan, 0.0]])


SCALES = {  # what a family estimates besides β and the covariance parameters
    "binomial": [],
    "poisson": [],
    "gamma": [".sigma"],
    "inverse_gaussian": [".sigma"],
    "negative_binomial": [".dispersion"],
    "nb1": [".dispersion"],
    "beta": [".dispersion"],
}


@pytest.mark.parametrize("name", SCALES)
def test_scale_parameters(name):
    assert list(scale_parameters(family_of(name))) == SCALES[name]
    assert list(scale_parameters(None)) == [".sigma"]


def test_a_dispersion_that_is_held_is_no_parameter():
    assert scale_parameters(mm.families.negative_binomial(theta=2.0)) == {}

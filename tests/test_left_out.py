"""Fits without each part of the rows, in threads."""

from __future__ import annotations

import warnings

import numpy as np

import clinic
import mixedmodels as mm
from mixedmodels.diagnostics.left_out import fits_without


def test_every_part_is_left_out_in_turn() -> None:
    d = clinic.data()
    m = mm.lmer(clinic.INTERCEPTS, d, REML=False)
    parts = np.arange(300) % 4
    found = fits_without(m, parts, 4, lambda fit: fit, n_threads=2)
    for part, fit in enumerate(found):
        alone = m.update(data=d[parts != part])
        assert (fit.nobs, fit.deviance) == (225, alone.deviance)
        np.testing.assert_array_equal(fit.fixef, alone.fixef)


def test_a_fit_that_fails_is_its_error() -> None:
    d = clinic.data()
    inside = (d["clinic"] == "3").to_numpy()
    m = mm.lmer(clinic.INTERCEPTS, d.assign(anxiety=np.where(inside, 1.0, d["anxiety"])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rest, constant = fits_without(m, np.where(inside, 0, 1), 2, lambda fit: fit)
    assert rest.nobs == 280
    assert isinstance(constant, mm.DataError)
    assert "nothing varies" in str(constant)

"""The tests of an effect in simulated responses: one model a response, or a likelihood ratio.

By degrees of freedom (Satterthwaite, Kenward-Roger, residual, asymptotic) every response is fitted
and tested as a single analysis would be, so that the power is that of the very test which
`m.coefficients`, `m.test` and `m.anova` report. The likelihood ratio needs the optima only, which
the kernel finds for many responses at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, ConvergenceError, DataError, MixedModelsWarning
from ..inference.ddf import f_test, resolve, t_tests
from ..inference.distributions import chi2_upper, t_two_sided
from ..inference.hypothesis import read_hypotheses
from ..inference.lrt import by_ml
from ..inference.parametric_bootstrap import refitted
from ..inference.parametric_lrt import ml_criteria
from ..inference.term_hypotheses import FixedPart, sum_to_zero
from ..lazy import lazy
from ..matrices.model_matrix import ModelMatrices, plan_model
from ..models.call import optimize, optimize_generalised
from ..models.fit import check_groups
from ..models.fitted import FittedModel
from ..models.generalised_fit import check_generalised_groups
from ..models.generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel
from ..models.model import LinearMixedModel, LinearModel

if TYPE_CHECKING:
    from .simulated_design import SimulatedDesign

__all__ = ["Effect", "Outcomes", "Trial"]

Array = NDArray[np.float64]

ATTEMPTS = 20  # responses that are tried for a first fit
ROUNDING = 1e-9  # of a rank


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What was found in k responses; every array has shape (k,)."""

    p_value: Array  # NaN where there is no fit
    estimate: Array  # NaN also for effects of several coefficients, like its error
    std_error: Array
    singular: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """Those of several batches, one after the other."""
        return cls(
            np.concatenate([part.p_value for part in parts]),
            np.concatenate([part.estimate for part in parts]),
            np.concatenate([part.std_error for part in parts]),
            np.concatenate([part.singular for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class Effect:
    """A hypothesis Lβ = value about the fixed effects kept: L is (k, rank)."""

    L: Array
    value: Array  # (k,)
    truth: float  # Lβ − value of the design's own β; NaN if k > 1

    @classmethod
    def of(cls, model: FittedModel, effect: str | Sequence[str], beta: Array) -> Effect:
        """A coefficient, a term of the formula (as in `m.anova(type=3)`), or hypotheses as text (as
        in `m.test`)."""
        texts = [effect] if isinstance(effect, str) else list(effect)
        parts = [_rows_of(model, text) for text in texts]
        L = np.concatenate([rows for rows, _ in parts])
        value = np.concatenate([values for _, values in parts])
        kept = ~np.isnan(np.asarray(model._fit.beta))
        truth = float(L[0] @ beta[kept] - value[0]) if len(L) == 1 else np.nan
        return cls(L, value, truth)

    @property
    def columns(self) -> NDArray[np.intp]:
        """The kept coefficients that the hypothesis says are zero, if that is all it says."""
        named = np.flatnonzero(self.L.any(axis=0))
        scaled = self.L / np.abs(self.L).max(axis=1, keepdims=True)
        if self.value.any() or np.linalg.matrix_rank(scaled, tol=ROUNDING) < len(named):
            raise ArgumentError(
                "test='lrt' compares with a model without some coefficients, and this effect is a "
                "combination of them: name coefficients or a term that no other contains, or "
                "choose another test"
            )
        return named


def _rows_of(model: FittedModel, text: str) -> tuple[Array, Array]:
    """L and the values of one text."""
    names, spec = list(model._matrices.fixed_names), model._matrices.spec
    if text not in names and spec is not None:
        parts = set(text.replace(" ", "").split(":"))
        for t, label in enumerate(spec.formula.fixed.labels()):
            if set(label.replace(" ", "").split(":")) == parts:
                L = sum_to_zero(FixedPart.of(model))[0][t]
                if L is None or not len(L):
                    raise DataError(f"'{label}' has no test of its own: its columns are collinear")
                return _in_units(L, np.array(spec.fixed.assign) == t, model), np.zeros(len(L))
    quoted = f"`{text}`" if text in names else text
    found = read_hypotheses(model, quoted, 0.0)
    return found.L, found.value


def _in_units(L: Array, own: NDArray[np.bool_], model: FittedModel) -> Array:
    """A single row as a multiple of the coefficient that it is about: sum-to-zero effects are half
    a difference, with the sign of the last level."""
    if len(L) > 1:
        return L
    kept = ~np.isnan(np.asarray(model._fit.beta))
    return np.asarray(L / L[0, own[kept]][np.abs(L[0, own[kept]]).argmax()])


@dataclass(frozen=True, eq=False)
class Trial:
    """One setting of a design, ready to test an effect in any number of responses."""

    design: SimulatedDesign
    model: FittedModel
    effect: Effect
    method: str  # a name of `ddf.resolve`, or "lrt"
    n_threads: int

    @classmethod
    def of(
        cls,
        design: SimulatedDesign,
        effect: str | Sequence[str],
        test: str | None,
        seed: int,
        n_threads: int,
    ) -> Trial:
        """From a design; a first fit analyses it once for all."""
        model = _first_fit(design, seed)
        method = (
            "lrt" if test == "lrt" else resolve(model, "asymptotic" if test == "wald" else test)
        )
        if method == "none":
            raise ArgumentError("test='none' has no p-values, so no power")
        beta = np.asarray(design._truth.fixef)
        trial = cls(design, model, Effect.of(model, effect, beta), method, n_threads)
        if method == "lrt":
            _ = trial._null
        return trial

    def outcomes(self, responses: Array) -> Outcomes:
        """The tests in responses of shape (nobs, k)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixedModelsWarning)
            return self._by_ratio(responses) if self.method == "lrt" else self._by_one(responses)

    def _by_one(self, responses: Array) -> Outcomes:
        pool = ThreadPoolExecutor(self.n_threads)
        try:
            found = list(pool.map(self._tested, responses.T))
        finally:  # an interrupt does not wait for what has not begun
            pool.shutdown(cancel_futures=True)
        p, estimate, error, singular = (np.array(values) for values in zip(*found, strict=True))
        return Outcomes(p, estimate, error, singular)

    def _tested(self, response: Array) -> tuple[float, float, float, bool]:
        """p, the estimate and its standard error, and whether the fit is singular."""
        try:
            model = refitted(self.model, response)
        except (ConvergenceError, DataError):
            return np.nan, np.nan, np.nan, False
        effect, singular = self.effect, bool(model._fit.singular)
        if not model.converged:
            return np.nan, np.nan, np.nan, singular
        if len(effect.L) > 1:
            test = f_test(model, effect.L, self.method, effect.value)
            return test.p_value, np.nan, np.nan, singular
        alone = t_tests(model, effect.L, self.method)
        gap = float(alone.estimate[0] - effect.value[0])
        error, df = float(alone.std_error[0]), float(alone.df[0])
        return float(t_two_sided(gap / error, df)), gap, error, singular

    def _by_ratio(self, responses: Array) -> Outcomes:
        full, null = self._full, self._null
        fits = [
            model._fit.refit_many(model._matrices.on_table(responses), self.n_threads)
            for model in (null, full)
        ]
        before, after = (ml_criteria(m, f) for m, f in zip((null, full), fits, strict=True))
        df = len(self.effect.columns)
        p = np.array([chi2_upper(ratio, df) for ratio in before - after])
        p[~(fits[0]["converged"] & fits[1]["converged"])] = np.nan
        L, kept, beta = self.effect.L, self._kept, fits[1]["beta"]
        if len(L) > 1:
            nothing = np.full(len(p), np.nan)
            return Outcomes(p, nothing, nothing, fits[1]["singular"])
        variance = np.einsum("i,kij,j->k", L[0], fits[1]["vcov"][:, kept][:, :, kept], L[0])
        return Outcomes(p, beta[:, kept] @ L[0], np.sqrt(variance), fits[1]["singular"])

    @lazy
    def _kept(self) -> NDArray[np.intp]:
        """Columns of X that are not collinear."""
        return np.flatnonzero(~np.isnan(np.asarray(self.model._fit.beta)))

    @lazy
    def _full(self) -> FittedModel:
        """The model by maximum likelihood."""
        return by_ml(self.model)

    @lazy
    def _null(self) -> FittedModel:
        """The model without the effect's coefficients, by maximum likelihood."""
        matrices = _without(self.design, self._kept[self.effect.columns])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixedModelsWarning)
            return self.model._with_matrices(matrices, self.model._new_response, REML=False)


def _first_fit(design: SimulatedDesign, seed: int) -> FittedModel:
    """The model fitted to the first of the responses that has a fit; in one thread, since the
    responses are shared out among them."""
    matrices, call = design._matrices, replace(design._call, n_threads=1)
    if call.family is None:
        check_groups(matrices, call.control.allow_saturated)
    else:
        check_generalised_groups(matrices, call)
    why = "they are all the same, or fits have not converged"
    for k in range(ATTEMPTS):
        drawn = design._draw(1, seed, k)[:, 0]
        try:
            model = _fit(matrices, call, matrices.on_table(drawn), design._reml)
        except ConvergenceError as error:
            why = str(error)
            continue
        if model.converged and np.ptp(drawn) > 0:  # all others start from its optimum
            return model
    raise ConvergenceError(f"none of the first {ATTEMPTS} responses could be fitted: {why}")


def _fit(matrices: ModelMatrices, call: Any, response: Array, REML: bool) -> FittedModel:
    own = matrices.design.with_response(response)
    formula = matrices.spec.formula.text if matrices.spec else None
    if call.family is None:
        fit = optimize(matrices, REML, call.control, 1, design=own)
        kind = LinearMixedModel if matrices.terms else LinearModel
        return kind(formula, matrices, fit, call, response)
    found = optimize_generalised(matrices, call, design=own)
    general = GeneralizedLinearMixedModel if matrices.terms else GeneralizedLinearModel
    return general(formula, matrices, found, call, response)


def _without(design: SimulatedDesign, columns: NDArray[np.intp]) -> ModelMatrices:
    """The design's matrices without some columns of X."""
    from .. import _core

    arguments, spec, _ = plan_model(design._frame, design._call.contrasts)
    kept = [j for j in range(len(spec.fixed.columns)) if j not in columns]
    constant = spec.fixed.constant
    if constant is not None:
        constant = constant[kept] if not constant[columns].any() else None
    fixed = replace(
        spec.fixed,
        columns=tuple(spec.fixed.columns[j] for j in kept),
        assign=tuple(spec.fixed.assign[j] for j in kept),
        constant=constant,
    )
    arguments |= {"fixed": [arguments["fixed"][j] for j in kept], "constant": constant}
    return replace(
        design._matrices,
        design=_core.Design(**arguments),
        fixed_names=fixed.names,
        spec=replace(spec, fixed=fixed),
    )

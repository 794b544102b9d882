"""What a fitted model says of rows that it has not seen; each in the module it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..lazy import lazy
from .fitted import FittedModel

if TYPE_CHECKING:
    from ..predictions.joint import JointCovariance, SolvedJoint

__all__ = ["Prediction"]

Array = NDArray[np.float64]


class Prediction(FittedModel):
    """Predictions with intervals, and simulated responses."""

    @lazy
    def _joint(self) -> JointCovariance | SolvedJoint:
        """The joint covariance of (β̂, b̂ − b), θ taken as known."""
        from ..predictions.joint import MOST_EFFECTS, joint_covariance_of

        if not self._has_rows:
            raise DataError(
                "this model was saved without its data, which its intervals need: covariances of "
                f"random effects are kept up to {MOST_EFFECTS} effects of crossed factors. Save it "
                "with m.save(path, data=True), or predict without interval="
            )
        return joint_covariance_of(self)

    @lazy
    def _column_means(self) -> Array:
        """Means of the columns of X over the rows of the fit, shape (p,)."""
        from .rows import linear_part

        unit = np.eye(len(self._fit.beta))
        return np.array([linear_part(self, column).mean() for column in unit])

    @overload
    def predict(
        self,
        newdata: Any = None,
        re_form: str | float | None = None,
        allow_new_levels: bool = False,
        type: Literal["response", "link"] = "response",
        interval: None = None,
        level: float = 0.95,
    ) -> pd.Series[float]: ...

    @overload
    def predict(
        self,
        newdata: Any = None,
        re_form: str | float | None = None,
        allow_new_levels: bool = False,
        type: Literal["response", "link", "terms"] = "response",
        interval: Literal["confidence", "prediction"] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame: ...

    def predict(
        self,
        newdata: Any = None,
        re_form: str | float | None = None,
        allow_new_levels: bool = False,
        type: Literal["response", "link", "terms"] = "response",
        interval: Literal["confidence", "prediction"] | None = None,
        level: float = 0.95,
    ) -> pd.Series[float] | pd.DataFrame:
        """Predicted means, on the index of `newdata` (default: of the data of the fit).

        Parameters
        ----------
        newdata
            A table with the columns of the formula (the response is not needed). A row with a
            missing value of a variable is predicted as NaN. A row whose *group* is missing (None,
            NaN) is of unknown identity: its random effects count as zero, their mean.
        re_form
            Which random effects count. None (default): all. "NA", "~0" or False: none, the
            population level Xβ̂ + offset. A formula such as "~ (1 | clinic)": those it names.
        allow_new_levels
            Whether a group may be one that the fit has not seen; its random effects count as zero,
            as those of a missing group do. False (default): it is an error, for it may be a
            misspelling.
        type
            "response" (means), "link" (linear predictors; of a linear model the same) or "terms":
            what each term adds to the linear predictor.
        interval
            "confidence": of the mean x'β + z'b of the row's own groups, for the uncertainty of β̂
            and b̂ together (of a group that does not count: of x'β). "prediction": of a new
            response in this row. That of a missing, new or left-out group is one of another group,
            so that the variance of the groups z'Σz is in it. With type="link" of a generalised
            model: of its linear predictor.
        level
            Coverage of the interval.

        Returns
        -------
        pd.Series
            Shape (rows of newdata,).
        pd.DataFrame
            With an interval: prediction, std_error (not for the responses of a generalised model),
            lower, upper. With type="terms": a column a term of the fixed part, centred over the
            rows of the fit where the model has an intercept (as R's predict(type = "terms")), then
            the offset if there is one and the random terms. Their sum and `.attrs["constant"]` are
            the linear predictor.

        Raises
        ------
        ArgumentError
            An argument is not one of the above.
        DataError
            A column is missing, a categorical value is not among the levels of the fit, or a group
            is new.
        FormulaError
            `re_form` names an effect that the model does not have.

        Notes
        -----
        Linear models: prediction ± quantile × std_error. An ordinary regression has the t
        distribution with n − p degrees of freedom (R's predict.lm), a mixed one Satterthwaite's for
        the variance of the prediction's error: few groups make the interval of another group wide.

        Generalised models: intervals are made on the scale of the link, with θ and the dispersion
        as estimated, and carried back by the inverse link. Those of new responses are quantiles of
        the family's distribution mixed over the normal distribution of the linear predictor: counts
        have whole bounds, binomial responses proportions of whole numbers of successes.

        A new response has the weight that the weights' column has in `newdata`, else 1; a binomial
        one the number of trials that cbind's or the weights' columns give there, else 1.

        The covariance of (β̂, b̂ − b) is σ² times the inverse of Henderson's matrix (1975,
        Biometrics 31), θ taken as known.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> new = {"therapy_sessions": [0.0, 10.0], "clinic": ["3", None]}
        >>> m.predict(new, interval="prediction").round(1).columns.tolist()
        ['prediction', 'std_error', 'lower', 'upper']
        """
        from ..predictions.predict import predict

        return predict(
            self,
            newdata,
            re_form,
            allow_new_levels=allow_new_levels,
            type=type,
            interval=interval,
            level=level,
        )

    def simulate(
        self,
        nsim: int = 1,
        seed: int = 0,
        *,
        re_form: str | float | None = "NA",
        newdata: Any = None,
        allow_new_levels: bool = False,
    ) -> pd.DataFrame:
        """New responses from the fitted model, shape (rows, nsim), on the data's own index.

        Parameters
        ----------
        nsim
            Number of responses.
        seed
            0 to 2⁶⁴ − 1. Column k depends on (seed, k) alone, whatever the number of threads: a
            longer simulation begins with a shorter one.
        re_form
            The random effects that are kept at their conditional modes; all others are drawn anew
            from N(0, Σ). "NA" (default): none kept. None: all. A formula such as "~ (1 | clinic)":
            those it names.
        newdata
            Rows to simulate in place of those of the fit. Groups that are new, and kept effects of
            a missing group (one of its own in each row), are drawn.
        allow_new_levels
            Whether a group whose effects are kept may be one that the fit has not seen.

        Raises
        ------
        ArgumentError
            `nsim` or `seed` is not a whole number in its range, or another argument is wrong.
        DataError, FormulaError
            As in `predict`.

        Notes
        -----
        Binomial responses are proportions of the numbers of trials, as `refit` takes them; times
        the trials they are numbers of successes. Weights and trials of `newdata` are those of
        `predict`. A gamma response has variance σ²μ² and random effects variance σ²θ².

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.simulate(3, seed=1).shape
        (300, 3)
        >>> m.simulate(2, newdata={"therapy_sessions": [5.0], "clinic": ["a new one"]}).shape
        (1, 2)
        """
        from ..predictions.simulate import simulate

        return simulate(
            self, nsim, seed, re_form, newdata=newdata, allow_new_levels=allow_new_levels
        )

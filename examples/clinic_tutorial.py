"""Does therapy lower anxiety, and by the same amount in every clinic?

A tutorial in seven steps on simulated data: 300 patients in 15 clinics. Run it with `make demo`, or

    python examples/clinic_tutorial.py [folder for its pictures]
"""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

import mixedmodels as mm

PICTURES = Path(__file__).parent / "pictures"


def main(folder: Path | None = None) -> None:
    """Print the tutorial; write its pictures too where a folder is given."""
    data = mm.datasets.load("anxiety")
    look_at_the_data(data)
    ordinary = ordinary_regression(data)
    intercepts = random_intercepts(data, ordinary)
    slopes = random_slopes(data, intercepts)
    likelihood_ratio_test(intercepts, slopes)
    clinic_effects(slopes)
    results(slopes, intercepts)
    if folder is not None:
        write(pictures(ordinary, intercepts, slopes), folder)


def look_at_the_data(data: pd.DataFrame) -> None:
    title("1. The data, clinic by clinic")
    say(
        "One row a patient: the clinic, the therapy sessions attended, and an anxiety score "
        "(higher is worse)."
    )
    show(data.head().to_string(index=False))
    by_clinic = data.groupby("clinic", observed=True)
    table = pd.DataFrame(
        {
            "patients": by_clinic.size(),
            "sessions": by_clinic["therapy_sessions"].mean(),
            "anxiety": by_clinic["anxiety"].mean(),
            "sd": by_clinic["anxiety"].std(),
        }
    )
    show(table.round(2).to_string())
    low, high = table["anxiety"].min(), table["anxiety"].max()
    say(
        f"Mean anxiety differs between clinics from {low:.1f} to {high:.1f}: patients of one "
        "clinic resemble each other more than patients of two."
    )


def ordinary_regression(data: pd.DataFrame) -> mm.LinearModel:
    title("2. Ordinary regression, which ignores the clinics")
    ordinary = mm.lm("anxiety ~ therapy_sessions", data)
    show(ordinary.summary())
    means = ordinary.residuals().groupby(data["clinic"], observed=True).mean()
    say(
        f"Its residuals are not independent: their means by clinic run from {means.min():.1f} to "
        f"{means.max():+.1f}, where independence would keep them within about "
        f"±{2 * ordinary.sigma / 20**0.5:.1f}. So the standard errors above cannot be trusted."
    )
    return ordinary


def random_intercepts(data: pd.DataFrame, ordinary: mm.LinearModel) -> mm.LinearMixedModel:
    title("3. Random intercepts: clinics differ in level")
    intercepts = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    show(intercepts.summary())
    show(intercepts.icc())
    say(
        f"{intercepts.icc().adjusted:.1%} of the variance that therapy does not explain lies "
        "between clinics. Taking that out sharpens the comparison of patients within clinics: the "
        "standard error of the effect of a session falls "
        f"from {ordinary.bse['therapy_sessions']:.5f} to {intercepts.bse['therapy_sessions']:.5f}. "
        "But this model has one slope for all clinics."
    )
    return intercepts


def random_slopes(data: pd.DataFrame, intercepts: mm.LinearMixedModel) -> mm.LinearMixedModel:
    title("4. Random slopes: clinics differ in the effect of a session, too")
    slopes = mm.lmer("anxiety ~ therapy_sessions + (therapy_sessions | clinic)", data)
    show(slopes.summary())
    say(
        "(lme4 prints 11.88699, 3.4478 and 5.9874 for the intercepts' variance, their standard "
        "deviation and the residual one: its optimiser stops a little short of the optimum, which "
        "the exact gradient reaches.)"
    )
    before, after = (m.bse["therapy_sessions"] for m in (intercepts, slopes))
    df = slopes.coefficients()["df"].iloc[1]
    say(
        f"The average effect hardly moves, but its standard error grows from {before:.5f} to "
        f"{after:.5f}: if the effect varies between clinics, 15 clinics say less about its average "
        f"than 300 patients seemed to. Its t test has {df:.1f} degrees of freedom, not 298. "
        "Intervals by profile likelihood, for the variance components too:"
    )
    show(slopes.confint())
    return slopes


def likelihood_ratio_test(intercepts: mm.LinearMixedModel, slopes: mm.LinearMixedModel) -> None:
    title("5. Are the random slopes needed? A likelihood-ratio test")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.BoundaryWarning)  # the table's last note says the same
        test = mm.anova(intercepts, slopes)
    show(test)
    row = test.loc["model 2"]
    say(
        f"They are: χ²({row['Df']:.0f}) = {row['Chisq']:.3f}, p = {row['Pr(>Chisq)']:.7f}, and AIC "
        f"prefers them, {test['AIC'].iloc[0]:.1f} against {test['AIC'].iloc[1]:.1f}. A variance of "
        "zero is the edge of what is possible, so the right reference is a mixture of two χ² "
        f"distributions: p = {row['Pr(mixture)']:.6f}. Simulation from the smaller model needs no "
        "such theory:"
    )
    show(mm.bootstrap_lrt(intercepts, slopes, nsim=999, seed=1, progress=False))


def clinic_effects(slopes: mm.LinearMixedModel) -> None:
    title("6. The clinics: how each departs from the average, and its own line")
    modes = slopes.ranef(condvar=True)
    assert modes.sd is not None
    effects, sd, own = modes["clinic"], modes.sd["clinic"], slopes.coef()["clinic"]
    table = pd.DataFrame(
        {
            "level": effects["(Intercept)"],
            "± sd": sd["(Intercept)"],
            "per session": effects["therapy_sessions"],
            "± sd ": sd["therapy_sessions"],
            "own intercept": own["(Intercept)"],
            "own slope": own["therapy_sessions"],
        }
    )
    formats = {"level": "{:.4f}".format, "per session": "{:.5f}".format}
    show(table.to_string(formatters=formats, float_format="{:.4f}".format))
    say("Slopes by clinic, with two conditional standard deviations either side:")
    picture(own["therapy_sessions"].sort_values(), sd["therapy_sessions"])
    say(
        "The departures are shrunken towards zero: each clinic's own estimate is pulled towards "
        "the average, the more so the less its patients say. In a clinic that took no part, a "
        "patient is predicted by the average line:"
    )
    new = pd.DataFrame({"therapy_sessions": [0.0, 10.0, 20.0], "clinic": ["1", "1", "new"]})
    prediction = slopes.predict(new, allow_new_levels=True)
    show(new.assign(prediction=prediction.round(2)).to_string(index=False))


def picture(centre: pd.Series[float], sd: pd.Series[float], width: int = 56) -> None:
    """A caterpillar plot in characters."""
    sd = sd.loc[centre.index]
    low, high = (centre - 2 * sd).min(), (centre + 2 * sd).max()
    column = lambda x: round((x - low) / (high - low) * (width - 1))  # noqa: E731
    for clinic, value in centre.items():
        line = [" "] * width
        for at in range(column(value - 2 * sd[clinic]), column(value + 2 * sd[clinic]) + 1):
            line[at] = "─"
        line[column(value)] = "●"
        print(f"  clinic {clinic:>2}  {''.join(line)}")
    print(f"{'':13}{f'{low:.2f}':<{width // 2}}{f'{high:.2f}':>{width // 2}}\n")


def results(slopes: mm.LinearMixedModel, intercepts: mm.LinearMixedModel) -> None:
    title("7. The results in a paragraph")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.BoundaryWarning)  # the paragraph says the same
        say(slopes.report(intercepts))
    own = slopes.coef()["clinic"]["therapy_sessions"]
    say(
        f"In words: estimated effects of a session ran from {own.min():.2f} to {own.max():.2f}, so "
        "therapy helped in every clinic, but not equally; clinics with higher anxiety without "
        "therapy showed the weaker reduction per session."
    )


def pictures(
    ordinary: mm.LinearModel, intercepts: mm.LinearMixedModel, slopes: mm.LinearMixedModel
) -> dict[str, tuple[str, Callable[[], Any]]]:
    """File name → what it shows, and how it is drawn."""
    models, names = [intercepts, slopes], ["ordinary", "intercepts", "intercepts and slopes"]
    plot = slopes.plot
    return {
        "clinics": ("the data, one regression line per clinic", plot.groups),
        "means": ("mean anxiety by clinic against the grand mean", plot.means),
        "ranef": ("the clinics' departures from the average, with intervals", plot.ranef),
        "ranef_qq": ("are these departures normal?", plot.ranef_qq),
        "residuals": ("residuals against fitted values, with a smoother", plot.residuals),
        "qq": ("are the residuals normal?", plot.qq),
        "shrinkage": ("from each clinic's own estimate to the model's", plot.shrinkage),
        "effect": ("anxiety by sessions in the average clinic", plot.effects),
        "forest": (
            "the effect of a session in the three models",
            lambda: ordinary.plot.forest(models, names),
        ),
        "profile": ("likelihood profiles of all parameters", plot.profile),
    }


def write(drawn: dict[str, tuple[str, Callable[[], Any]]], folder: Path) -> None:
    title("The pictures")
    try:
        import matplotlib
    except ImportError:
        say("They need matplotlib: pip install 'mixedmodels[plot]'.")
        return
    matplotlib.use("Agg")  # files, no windows
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    for name, (caption, plot) in drawn.items():
        plot().figure.savefig(folder / f"{name}.png", dpi=150)
        pyplot.close("all")
        print(f"  {name + '.png':<15} {caption}")
    print(f"\nin {folder.resolve()}\n")


def title(text: str) -> None:
    print(f"\n{text}\n{'=' * len(text)}\n")


def say(text: str) -> None:
    show(textwrap.fill(text, 92))


def show(what: object) -> None:
    print(what, end="\n\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)

"""The pictures of docs/gallery.md, and the part of the page that shows them, made in _build/.

A picture's code is run as it is shown. To add one: an entry of `PICTURES`; tests/test_docs.py
checks that every plot of a model has one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

BUILD = Path(__file__).resolve().parent / "_build"
PAGE = Path(__file__).resolve().parent / "gallery.md"

# Section → (what the picture shows, the code that draws it): the last line is the picture.
PICTURES: dict[str, list[tuple[str, str]]] = {
    "The data": [
        ("The data of each group with its own regression line", "m.plot.groups()"),
        ("The groups' means against the grand mean", "m.plot.means()"),
        ("Shrinkage: from each group's own regression to the model's", "m.plot.shrinkage()"),
    ],
    "Random effects": [
        ("Conditional modes with intervals, lowest to highest", "m.plot.ranef()"),
        (
            "The same as bars, of one term and in the groups' order",
            'm.plot.ranef("clinic", "therapy_sessions", bars=True, sort=False)',
        ),
        ("Are the random effects normal? A Q-Q plot with a band", "m.plot.ranef_qq()"),
    ],
    "Residuals": [
        ("The standard four", "m.plot.diagnostics()"),
        ("Residuals against fitted values, with a smoother", "m.plot.residuals()"),
        ("Scale and location: does the variance change with the mean?", "m.plot.scale_location()"),
        ("Are the residuals normal? A Q-Q plot with a band", "m.plot.qq()"),
        ("Residuals and leverages, with lines of Cook's distance", "m.plot.leverage()"),
        ("Observed against fitted", "m.plot.observed()"),
        (
            "Quantile residuals, simulated from the model: uniform where it holds",
            "m.plot.quantile_residuals(seed=1)",
        ),
        (
            "Residuals of 0/1 data are binned",
            'high = mm.glmer("high ~ therapy_sessions + (1 | clinic)",\n'
            '                data.assign(high=(data["anxiety"] > 38).astype(int)))\n'
            "high.plot.residuals()",
        ),
    ],
    "Effects and inference": [
        ("The mean along a predictor, with its band", "m.plot.effects()"),
        (
            "An interaction: a line for each level of a factor",
            'course = mm.datasets.load("anxiety_longitudinal").dropna()\n'
            'change = mm.lmer("anxiety ~ month * treatment + (1 | clinic / patient_no)", course)\n'
            'change.plot.effects("month", by="treatment")',
        ),
        (
            "Fixed effects of several models with intervals",
            'mm.forest([ordinary, intercepts, m], ["ordinary", "intercepts", "slopes"])',
        ),
        ("Likelihood profiles of all parameters", "m.plot.profile()"),
        (
            "Pairs of parameters: regions and profile traces",
            'm.plot.profile_pairs([".sig01", ".sig03", "sigma"])',
        ),
        (
            "Densities of a parametric bootstrap, with intervals",
            "m.plot.bootstrap(nsim=1000, seed=1)",
        ),
    ],
    "Planning and the factor": [
        (
            "The power of a study over its size, simulated",
            'design = mm.simulate_design(\n    "y ~ treatment + (1 | school)",\n'
            '    {"treatment": ["control", "new"]},\n    groups={"school": 12},\n'
            '    between={"treatment": "school"},\n    per_group=10,\n'
            '    fixef={"(Intercept)": 0, "treatmentnew": 0.8},\n'
            '    sd={"school": 0.4},\n    sigma=1,\n)\n'
            'sizes = {"school": [10, 20, 30, 40], "per_group": [5, 20]}\n'
            'mm.power(design, "treatmentnew", sizes, nsim=200, seed=1).plot()',
        ),
        ("The blocks of the Cholesky factor: zero, diagonal, dense", "m.plot.blocks()"),
    ],
}


def draw(code: str, names: dict[str, Any]) -> Any:
    """The figure that the code's last expression draws."""
    *before, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(before, []), "<gallery>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<gallery>", "eval"), names).figure


def models() -> dict[str, Any]:
    """What the page's first sample defines."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names


def name_of(code: str) -> str:
    """A file's name from the last call: m.plot.ranef(bars=True) → ranef_bars_true."""
    call = re.sub(r"^(m|mm)\.(plot\.)?", "", code.splitlines()[-1])
    return "_".join(re.findall(r"[a-z0-9]+", call.lower())[:6])


def page(folder: Path) -> Iterator[str]:
    from matplotlib import pyplot

    names = models()
    folder.mkdir(parents=True, exist_ok=True)
    for section, pictures in PICTURES.items():
        yield f"## {section}"
        for caption, code in pictures:
            path = folder / f"{name_of(code)}.png"
            draw(code, names).savefig(path, dpi=150)
            pyplot.close("all")
            yield f"### {caption}\n\n```python\n{code}\n```\n"
            yield f"```{{image}} /{path.relative_to(PAGE.parent)}\n:alt: {caption}\n:scale: 65\n```"


if __name__ == "__main__":
    matplotlib.use("Agg")  # files, no windows
    text = "\n\n".join(page(BUILD / "pictures" / "gallery")) + "\n"
    (BUILD / "generated").mkdir(exist_ok=True)
    (BUILD / "generated" / "gallery.md").write_text(text, encoding="utf-8")

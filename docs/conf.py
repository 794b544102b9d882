"""The documentation site: Sphinx, MyST markdown, the furo theme; building it fetches nothing.

`make docs` first runs make_tutorial.py, make_gallery.py and make_certificate.py, which draw the
pictures and run the models of generated pages into _build/; then Sphinx, warnings being errors.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import mixedmodels as mm
from mixedmodels.lazy import lazy

project = "mixedmodels"
author = "the mixedmodels developers"
copyright = author
release = mm.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

default_role = "code"
smartquotes_action = "D"  # dashes; quotes stay straight, docstrings speak of code: X'X
# Shapes such as (nsim,) are read as names of types; several classes have an attribute `nsim`.
suppress_warnings = ["ref.python"]
highlight_language = "text"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
add_module_names = False
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"mixedmodels {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

MODELS = (
    mm.LinearModel,
    mm.LinearMixedModel,
    mm.GeneralizedLinearModel,
    mm.GeneralizedLinearMixedModel,
)


def mathml(translator: Any, node: nodes.Element, block: bool) -> None:
    """Formulas as MathML, which browsers draw themselves: no script, no fonts, no network."""
    markup = tex2mathml(node.astext(), as_block=block)
    translator.body.append(f'<div class="math">{markup}</div>' if block else markup)
    raise nodes.SkipNode


def inline_mathml(translator: Any, node: nodes.Element) -> None:
    mathml(translator, node, block=False)


def block_mathml(translator: Any, node: nodes.Element) -> None:
    mathml(translator, node, block=True)


def with_pictures(app: Any, page: str, source: list[str]) -> None:
    """Comments `<!-- picture name: caption -->` become figures: the page in git needs no files."""

    def figure(found: re.Match[str]) -> str:
        name, caption = found.groups()
        path = f"/_build/pictures/{page}/{name}.png"
        options = f":alt: {caption}\n:scale: 65"
        return f"```{{figure}} {path}\n{options}\n\n{caption[0].upper()}{caption[1:]}\n```"

    source[0] = re.sub(r"<!-- picture (\w+): (.*?) -->", figure, source[0])


def definition(model: type, name: str) -> object:
    return next(vars(base)[name] for base in model.__mro__ if name in vars(base))


def models_that_share(owner: type, name: str) -> str:
    """In words, as what several models inherit is documented once."""
    shared = definition(owner, name)
    sharing = [m for m in MODELS if hasattr(m, name) and definition(m, name) is shared]
    if len(sharing) == len(MODELS):
        return "all models"
    return ", ".join(model.__name__ for model in sharing)


def say_which_models(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """A first line under methods and properties of models names the models which have them.

    Under other properties it is empty: napoleon takes what stands before a colon for a type.
    """
    _, _, path = name.partition(".")
    owner, _, attribute = path.rpartition(".")
    if what in ("method", "property") and owner in [model.__name__ for model in MODELS]:
        lines[:0] = [f":sup:`{models_that_share(getattr(mm, owner), attribute)}`", ""]
    elif what in ("property", "attribute"):
        lines[:0] = ["", ""]


def keep_indented_lines(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Indented lines of a module's docstring, commands and formulas, stay as they are."""
    if what != "module":
        return
    indented = [line.startswith("    ") for line in lines]
    for at in reversed(range(2, len(lines))):
        if indented[at] and not lines[at - 1] and not indented[at - 2]:
            lines[at:at] = ["::", ""]


# Classes that a program makes itself; all others come from fits and methods.
MADE_BY_CALLERS = ("Control", "MixedModelRegressor", "MixedModelClassifier", "options")


def hide_signatures_of_results(
    app: Any, what: str, name: str, obj: Any, options: Any, arguments: str, returned: str
) -> tuple[str, str] | None:
    hidden = what == "class" and arguments and obj.__name__ not in MADE_BY_CALLERS
    return ("", "") if hidden else None


def with_properties_for_lazy_values() -> None:
    """Autodoc knows properties; `lazy` is one that keeps its value."""
    for base in {base for model in MODELS for base in model.__mro__}:
        for name, value in list(vars(base).items()):
            if isinstance(value, lazy):
                setattr(base, name, property(value._compute))


def setup(app: Any) -> None:
    with_properties_for_lazy_values()
    app.add_html_math_renderer("mathml", (inline_mathml, None), (block_mathml, None))
    app.connect("source-read", with_pictures)
    app.connect("autodoc-process-docstring", say_which_models, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", hide_signatures_of_results)
    app.connect("autodoc-process-docstring", keep_indented_lines)

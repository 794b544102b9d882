"""The functions of a formula that make or convert factors: `C`, `factor`, `relevel`, ..."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from ..input_tables.columns import Column
from ..input_tables.factors import Factor, factorise, level_label
from .contrasts import Contrast, contrast_from, contrast_named
from .expression import Call, Name, Node
from .values import boolean, factor_of, is_labelled, numbers_of

__all__ = ["FactorFunctions"]


class FactorFunctions(ABC):
    """The part of `Evaluator` that deals with factors."""

    context: dict[str, Any]
    is_new_data: bool

    @abstractmethod
    def _value(self, node: Node) -> Any: ...

    @abstractmethod
    def _array(self, value: Any, node: Node) -> Any: ...

    @abstractmethod
    def _fail(self, message: str, position: int) -> NoReturn: ...

    def _factor_function(self, name: str) -> Callable[[Call], Any] | None:
        return {
            "C": self._contrasted,
            "factor": self._as_factor,
            "as.factor": self._as_factor,
            "ordered": self._as_factor,
            "relevel": self._relevel,
            "as.numeric": self._convert,
            "as.integer": self._convert,
            "as.logical": self._convert,
            "as.character": self._convert,
            "is.na": self._is_missing,
        }.get(name)

    def _one(self, node: Call) -> Any:
        if len(node.arguments) < 1:
            self._fail(f"{node.function}() needs an argument", node.position)
        return self._value(node.arguments[0])

    def _as_factor(self, node: Call) -> Factor:
        factor = self._factor_argument(node)
        options = dict(zip(("levels",), node.arguments[1:2], strict=False)) | dict(node.keywords)
        if not options.keys() <= {"levels", "ordered"} or len(node.arguments) > 2:
            self._fail(f"{node.function}() takes levels = c(...) only", node.position)
        if "levels" in options:
            wanted = self._value(options["levels"])
            wanted = wanted if isinstance(wanted, list) else [wanted]
            factor = self._reorder(factor, [level_label(item) for item in wanted])
        is_ordered = "ordered" in options and self._value(options["ordered"]) is True
        return replace(factor, ordered=factor.ordered or node.function == "ordered" or is_ordered)

    def _reorder(self, factor: Factor, wanted: list[str]) -> Factor:
        """The factor with just these levels, in this order; other values are missing, as in R."""
        labels = factor.labels()
        kept = [labels.index(label) for label in wanted if label in labels]
        table = np.full(len(labels) + 1, -1, dtype=np.int32)
        table[kept] = np.arange(len(kept), dtype=np.int32)
        return replace(factor, codes=table[factor.codes], levels=factor.levels.take(kept))

    def _factor_argument(self, node: Call) -> Factor:
        value = self._one(node)
        if isinstance(value, np.ndarray):
            return factorise(value, node.text)
        if not isinstance(value, Column | Factor):
            self._fail(f"{node.function}() needs a column", node.position)
        return factor_of(value)

    def _relevel(self, node: Call) -> Factor:
        factor = self._factor_argument(node)
        rest = [*node.arguments[1:], *(value for _, value in node.keywords)]
        reference = self._value(rest[0]) if len(rest) == 1 else None
        labels = factor.labels()
        if self.is_new_data:  # the order of the levels is the fitted model's
            return factor
        if not isinstance(reference, str | float | bool) or level_label(reference) not in labels:
            self._fail("relevel(f, ref = ...) names a level of the factor", node.position)
        first = level_label(reference)
        return self._reorder(factor, [first, *(label for label in labels if label != first)])

    def _contrasted(self, node: Call) -> Factor:
        factor = self._factor_argument(node)
        contrast = Contrast("poly" if factor.ordered else "treatment")
        keywords = dict(node.keywords)
        choice = node.arguments[1] if len(node.arguments) > 1 else keywords.get("contr")
        if choice is not None:
            contrast = self._contrast(choice)
        if "base" in keywords:
            contrast = replace(contrast, **self._base(keywords["base"]))
        return replace(factor, contrast=contrast)

    def _contrast(self, node: Node) -> Contrast:
        name = node.name if isinstance(node, Name) else None
        name = node.function if isinstance(node, Call) else name
        found = contrast_named(name) if name is not None else None
        if found is not None and isinstance(node, Call):
            arguments = [*node.arguments, *(value for _, value in node.keywords)]
            return replace(found, **self._base(arguments[0])) if arguments else found
        if found is not None and not (isinstance(node, Name) and node.name in self.context):
            return found
        return contrast_from(self._value(node), "C()")

    def _base(self, node: Node) -> dict[str, Any]:
        """R counts base levels from 1; a string names one."""
        value = self._value(node)
        if isinstance(value, str):
            return {"base": value}
        if isinstance(value, float) and value == int(value):
            return {"base": value, "base_number": int(value)}
        self._fail("the base is the name or the number of a level", node.position)

    def _convert(self, node: Call) -> Any:
        value = self._one(node)
        if node.function == "as.character":
            factor = self._factor_argument(node)
            text = factorise(np.array(factor.labels(), dtype=object), node.text)
            return Factor(np.append(text.codes, np.int32(-1))[factor.codes], text.levels)
        if is_labelled(value):
            numbers = numbers_of(factor_of(value), value)
        else:
            numbers = self._array(value, node.arguments[0])
        if node.function == "as.logical":
            return boolean(np.not_equal(numbers, 0), np.isnan(numbers))
        return np.trunc(numbers) if node.function == "as.integer" else np.asarray(numbers)

    def _is_missing(self, node: Call) -> Factor:
        value = self._one(node)
        if isinstance(value, Column | Factor) and is_labelled(value):
            missing = factor_of(value).codes < 0
        else:
            missing = np.isnan(self._array(value, node.arguments[0]))
        return boolean(missing, np.zeros_like(missing))

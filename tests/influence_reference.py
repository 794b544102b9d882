"""Models whose influence lme4 measured, and its numbers; see `reference/inference`."""

from __future__ import annotations

import functools
from typing import Any

import mixedmodels as mm
import reference_data


def reference(name: str) -> dict[str, Any]:
    return reference_data.read_json(f"inference/influence_{name}.json")


@functools.cache
def fitted(name: str) -> Any:
    ref = reference(name)
    data = reference_data.load(ref["data"])
    if ref["family"]:
        return mm.glmer(ref["formula"], data, family=ref["family"])
    return mm.lmer(ref["formula"], data)

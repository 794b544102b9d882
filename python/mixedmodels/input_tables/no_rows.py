"""What stands in the place of rows in a model that was saved without its data."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import DataError

__all__ = ["NoRows"]


class NoRows:
    """A design, or values a row, that were not saved: any use of it is a `DataError`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # protocols ask for these, and take no for an answer
            raise AttributeError(name)
        self.refuse()

    def refuse(self) -> NoReturn:
        """Say what is not there, and what to do."""
        raise DataError(
            "this model was saved without its data, so it has no rows: no fitted values, residuals "
            "or influence, and no other fit to them. Save it with m.save(path, data=True) for those"
        )

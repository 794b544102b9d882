"""Attributes that are computed when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["lazy"]

Value = TypeVar("Value")


class lazy(Generic[Value]):
    """A property whose value is kept in the instance.

    As `functools.cached_property` is from Python 3.12 on. Before, that one held a lock for all
    instances of a class while it computed: a process forked in that moment waited for it forever.
    Two threads that ask at once may both compute; the values are equal, and one is kept.

    >>> class Circle:
    ...     @lazy
    ...     def area(self):
    ...         return 3
    >>> Circle().area
    3
    """

    def __init__(self, compute: Callable[[Any], Value]):
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        if instance is None:
            return self
        value = self._compute(instance)
        # In the instance's dict the value hides this descriptor, which has no __set__.
        instance.__dict__[self._name] = value
        return value

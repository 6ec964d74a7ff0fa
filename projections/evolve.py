"""`dataclasses.replace`, for views: most of what folding costs is to make one view of another."""

from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

One = TypeVar("One")


def replace(one: One, **changes: Any) -> One:
    """A frozen dataclass with other values in some fields; all are given to it when it is made."""
    kind: Any = type(one)
    values_of, index = _fields(kind)
    values = list(values_of(one))
    for name, value in changes.items():
        values[index[name]] = value
    return kind(*values)  # type: ignore[no-any-return]


@cache
def _fields(of: type[Any]) -> tuple[Any, dict[str, int]]:
    """What gets the values of the fields, in order; and where each stands."""
    names = [one.name for one in fields(of)]
    values_of = attrgetter(*names) if len(names) > 1 else lambda one: (getattr(one, names[0]),)
    return values_of, {name: place for place, name in enumerate(names)}

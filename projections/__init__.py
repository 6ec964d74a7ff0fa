"""The meaning: what the entries of the ledger say, as pure folds.

Nothing here reads a clock, a disk or a socket. Start with `custody`; `history` holds the two
clocks, `projection` the fold.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from projections.projection import Projection


def load() -> dict[str, Projection[Any]]:
    """Every projection of this package by its name: a new file is a new projection."""
    found: dict[str, Projection[Any]] = {}
    for module in iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Projection):
                found[value.name] = value
    return dict(sorted(found.items()))

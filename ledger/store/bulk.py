"""Many rows into a table at once.

SQLite: as many rows a statement as it takes, and not one after another: the driver holds the
interpreter back between any two. PostgreSQL: COPY in its binary form, unless there are few.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from ledger.store.statement import Statement

# Few sizes, so that each is prepared once; the largest has fewer values than SQLite takes.
SIZES = (256, 64, 16, 4, 1)
COPY_MIN = 32

_TYPES = ((sa.BigInteger, "int8"), (sa.LargeBinary, "bytea"), (sa.Text, "text"))


def insert(
    connection: sa.Connection, into: sa.Table, rows: Sequence[Sequence[Any]], rest: str = ""
) -> None:
    """Insert rows, their values in the order of the columns; in that of the key it is quickest.

    `rest` is what follows the rows, such as ` ON CONFLICT …`.
    """
    if connection.dialect.name == "postgresql" and len(rows) >= COPY_MIN and not rest:
        columns = ", ".join(into.c.keys())
        statement = Statement(f"COPY {into.name} ({columns}) FROM STDIN (FORMAT BINARY)")
        statement.copy(connection, [_type(one) for one in into.c], rows)
        return
    done = 0
    for size in SIZES:
        while len(rows) - done >= size:
            _values(into, size, rest).on_rows(connection, rows[done : done + size])
            done += size


@cache
def _values(into: sa.Table, size: int, rest: str) -> Statement:
    columns, row = ", ".join(into.c.keys()), ", ".join("?" for _ in into.c)
    values = ", ".join([f"({row})"] * size)
    return Statement(f"INSERT INTO {into.name} ({columns}) VALUES {values}{rest}")  # noqa: S608


def _type(column: sa.Column[Any]) -> str:
    return next(name for kind, name in _TYPES if isinstance(column.type, kind))

"""Inserting many rows by few statements.

A statement of many rows is one call into the driver, during which other threads go on; row by row,
each would wait for them in turn.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ledger.store.statement import Statement

# Rows of a statement. Few texts, so that the driver keeps them prepared.
COUNTS = (512, 128, 32, 8, 2, 1)


class Insert:
    """`INSERT` into a table; `rest` is what follows the rows."""

    def __init__(self, table: sa.Table, rest: str = "") -> None:
        columns = [column.name for column in table.columns]
        start = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608  # names
        row = f"({', '.join('?' for _ in columns)})"
        self._statements = [
            (count, Statement(f"{start}{', '.join([row] * count)}{rest}")) for count in COUNTS
        ]

    def on(self, connection: sa.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, their values in the order of the columns; see `Statement.on`."""
        at = 0
        for count, statement in self._statements:
            while len(rows) - at >= count:
                statement.on_rows(connection, rows[at : at + count])
                at += count

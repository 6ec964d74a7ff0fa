"""Statements that are run often, on the driver's own cursor, and the connections to read with.

What SQLAlchemy does around a statement (building it, a checkout, a result of its own) costs ten
times what SQLite takes to answer one. The words are those that both databases know.
"""

import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa

# Of SQLite each has a cache of its own, and its statements are short.
READERS_MAX = 16
WAIT_S = 30.0
TEXTS_MAX = 64

Rows = list[Any]


class Statement:
    """SQL in which `?` stands for a value, and `(...)` for a list of them, as in `x IN (...)`."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._text = lru_cache(TEXTS_MAX)(self._written)

    def on(self, connection: sa.Connection, *values: Any) -> Rows:
        """Run it on a connection, in the transaction that it is in; the rows as tuples, if any.

        A list is given for a `(...)`, and has something in it. Raises the errors of SQLAlchemy.
        """
        lists = tuple(len(one) for one in values if isinstance(one, list))
        if connection.dialect.paramstyle == "qmark" and lists:
            values = tuple(_flat(values))
        return self._run(connection, lists, values)

    def on_rows(self, connection: sa.Connection, rows: Iterable[Sequence[Any]]) -> None:
        """Run one that has a `?` for each value of some rows, once; see `on`."""
        self._run(connection, (), list(chain.from_iterable(rows)))

    def _run(
        self, connection: sa.Connection, lists: tuple[int, ...], values: Sequence[Any]
    ) -> Rows:
        text = self._text(connection.dialect.paramstyle, lists)
        cursor = connection.connection.cursor()
        self._tell(connection, cursor, text, values)
        try:
            cursor.execute(text, values)
            return list(cursor.fetchall()) if cursor.description else []
        except connection.dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemys(error, connection, text) from error
        finally:
            cursor.close()

    def on_each(self, connection: sa.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it once for each of some rows of values; see `on`."""
        text = self._text(connection.dialect.paramstyle, ())
        cursor = connection.connection.cursor()
        self._tell(connection, cursor, text, rows)
        try:
            cursor.executemany(text, rows)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemys(error, connection, text) from error
        finally:
            cursor.close()

    def copy(
        self, connection: sa.Connection, types: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Send rows of values of these types; it is a COPY … FROM STDIN (FORMAT BINARY)."""
        text = self._text(connection.dialect.paramstyle, ())
        cursor: Any = connection.connection.cursor()
        self._tell(connection, cursor, text, rows)
        try:
            with cursor.copy(text) as sent:
                sent.set_types(types)
                for row in rows:
                    sent.write_row(row)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemys(error, connection, text) from error
        finally:
            cursor.close()

    @staticmethod
    def _tell(connection: sa.Connection, cursor: Any, text: str, values: Any) -> None:
        """Whoever listens to the statements of the engine hears of this one, too."""
        for listener in connection.engine.dispatch.before_cursor_execute:
            listener(connection, cursor, text, values, None, False)

    def _written(self, paramstyle: str, lists: tuple[int, ...]) -> str:
        """The text for a driver, with as many marks as the lists have values.

        PostgreSQL takes a list as one value, and plans the text once however long it is.
        """
        if paramstyle != "qmark":
            return self._sql.replace("IN (...)", "= ANY(%b)").replace("?", "%s")
        first, *others = self._sql.split("(...)")
        marked = (
            f"({','.join('?' * count)}){part}" for count, part in zip(lists, others, strict=True)
        )
        return "".join((first, *marked))


class Readers:
    """Connections to read with, each statement for itself: what is read is never in a transaction.

    They are kept open, and found dead when they are used.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """`engine`: of connections in autocommit."""
        self._engine = engine
        self._idle: list[sa.Connection] = []
        self._room = threading.Semaphore(READERS_MAX)

    def ask(self, statement: Statement, *values: Any) -> Rows:
        """The rows of a statement that only reads; see `Statement.on`."""
        if not self._room.acquire(timeout=WAIT_S):
            raise sa.exc.TimeoutError("every connection is in use")
        try:
            return self._rows(statement, values)
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The others were opened to the same server.
            self.close()
            return self._rows(statement, values)
        finally:
            self._room.release()

    def close(self) -> None:
        """Close the connections that nobody is using."""
        while connection := self._idle_one():
            _let_go(connection)

    def _rows(self, statement: Statement, values: Sequence[Any]) -> Rows:
        connection = self._idle_one() or self._open()
        try:
            rows = statement.on(connection, *values)
        except BaseException:
            _let_go(connection)
            raise
        self._idle.append(connection)
        return rows

    def _idle_one(self) -> sa.Connection | None:
        try:
            return self._idle.pop()
        except IndexError:  # another thread may take the last one at any moment
            return None

    def _open(self) -> sa.Connection:
        connection = self._engine.connect()
        connection.detach()  # from a pool that looks after it at each checkout
        return connection


def _let_go(connection: sa.Connection) -> None:
    raw = connection.connection.dbapi_connection
    connection.invalidate()
    connection.close()
    # One that was detached from the pool is forgotten by these, and stays open.
    if raw is not None:
        raw.close()


def _flat(values: Sequence[Any]) -> list[Any]:
    return [one for some in values for one in (some if isinstance(some, list) else [some])]


def _as_sqlalchemys(error: Any, connection: sa.Connection, text: str) -> Exception:
    """The error of a driver as SQLAlchemy raises it; without the values, which tell of people."""
    dialect, raw = connection.dialect, connection.connection.dbapi_connection
    made: Exception = sa.exc.DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=dialect.is_disconnect(error, raw, None),
        dialect=dialect,
    )
    return made

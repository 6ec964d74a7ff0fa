"""Opening a database that keeps what it acknowledges, or refusing to.

SQLite: WAL with synchronous=FULL; NORMAL loses acknowledged commits on a power cut. PostgreSQL:
fsync, full_page_writes and synchronous_commit. Both are read back, not assumed.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.errors import LedgerError, MistakeError, StartupError
from ledger.store.statement import Readers
from ledger.v1.error_pb2 import ErrorReason

BUSY_TIMEOUT_MS = 5_000
# Pages of the write-ahead log after which the writer moves them into the database.
WAL_PAGES_MAX = 4_000
POOL_SIZE = 20
KEYS = "LEDGER_KEYS"

# PostgreSQL answers success, with this warning, to a COMMIT whose wait for a standby was cancelled.
_NOT_REPLICATED = "canceling wait for synchronous replication"
_TRANSIENT_STATES = ("40001", "40P01", "08", "57P", "53300")


class Database:
    """One database: an engine for reading and one connection at a time for writing."""

    def __init__(self, url: str, *, must_exist: bool = False) -> None:
        """Open `sqlite:///PATH` or `postgresql://…`.

        Raises StartupError if it cannot be reached or would not keep what it acknowledges.
        """
        self.url = _normal(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if must_exist and self.is_sqlite and not Path(str(self.url.database)).exists():
            raise MistakeError(f"there is no file {self.url.database}")
        self._replication = threading.local()
        self._one_writer = threading.Lock()
        self._lock_file: TextIO | None = None
        arguments: dict[str, Any] = {"pool_size": POOL_SIZE, "max_overflow": POOL_SIZE}
        if not self.is_sqlite:
            arguments["pool_pre_ping"] = True
        self.engine = sa.create_engine(self.url, **arguments)
        sa.event.listen(
            self.engine,
            "connect",
            self._prepare_sqlite if self.is_sqlite else self._prepare_postgresql,
        )
        # A question is answered from entries up to a size, which never change: it needs no
        # transaction, and holds none while it is being answered. (SQLite connections are in
        # autocommit as they are prepared.)
        self.reading = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        self.readers = Readers(self.reading)
        self._assert_durable()

    def keys_file(self, given: Path | None) -> Path:
        """Where the keys of this database are: the file given, one in a folder given, or beside it.

        Raises StartupError for a database that has no folder of its own, where none is given.
        """
        given = given or (Path(found) if (found := os.environ.get(KEYS)) else None)
        if given is None and self.is_sqlite:
            return Path(f"{self.url.database}.keys")
        if given is None:
            raise StartupError(
                f"say with --keys, or in {KEYS}, where the keys of this database are to be kept"
            )
        if not given.is_dir():
            return given
        where = str(Path(str(self.url.database)).absolute()) if self.is_sqlite else str(self.url)
        name = Path(str(self.url.database)).name
        return given / f"{name}-{sha256(where.encode()).hexdigest()[:12]}.keys"

    def lock_for_writing(self) -> None:
        """On SQLite, become the one writing process. Raises StartupError if another one is."""
        if not self.is_sqlite or self._lock_file:
            return
        path = Path(f"{self.url.database}.lock")
        lock_file = path.open("w")
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock_file.close()
            raise StartupError(
                f"another process writes to {self.url.database}: stop it, or use PostgreSQL, "
                "which several processes may write to"
            ) from None
        self._lock_file = lock_file

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is durable when the block has ended.

        Raises OutcomeUnknownError where it may or may not be.
        """
        self._replication.cancelled = False
        # SQLite has one writer at a time; its own waiting is by sleeping, this one is not.
        with (
            self._one_writer if self.is_sqlite else nullcontext(),
            self.engine.begin() as connection,
        ):
            if self.is_sqlite:
                # Takes the write lock at once: a deferred one could fail half way.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
        if self._replication.cancelled:
            raise OutcomeUnknownError

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection that sees the database as it is now, whatever is written meanwhile."""
        engine = self.engine
        if not self.is_sqlite:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                # Nothing was written; and a file that is broken fails at a commit, too.
                with suppress(sa.exc.DBAPIError):
                    connection.rollback()

    def checkpoint(self) -> None:
        """Move the write-ahead log of SQLite into the database, if it has grown.

        Done here and not by SQLite itself, which keeps errors of its own checkpoints to itself.
        """
        if not self.is_sqlite:
            return
        try:
            size = os.stat(f"{self.url.database}-wal").st_size  # noqa: PTH116  # a Path takes longer
        except FileNotFoundError:
            return
        if size > WAL_PAGES_MAX * 4096:
            with self.reading.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()

    def faults(self) -> list[str]:
        """What SQLite finds wrong with its file: an index that does not match its table, say.

        PostgreSQL has checksums on its pages and refuses to read one that is wrong.
        """
        if not self.is_sqlite:
            return []
        with self.reading.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
        return [str(one) for one in found if one != "ok"]

    def close(self) -> None:
        """Give up connections and the lock."""
        self.readers.close()
        self.engine.dispose()
        if self._lock_file:
            self._lock_file.close()
            self._lock_file = None

    def _prepare_sqlite(self, connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver's own BEGIN is deferred; ours is immediate
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=0",
            # Gives back what a checkpoint has moved: otherwise every append would find it large.
            f"journal_size_limit={WAL_PAGES_MAX * 4096 // 2}",
            "cache_size=-65536",
            # What tables showed of somebody who was erased is not left lying in free pages.
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()

    def _prepare_postgresql(self, connection: Any, _entry: ConnectionPoolEntry) -> None:
        def notice(diagnostic: Any) -> None:
            if _NOT_REPLICATED in (diagnostic.message_primary or ""):
                self._replication.cancelled = True

        connection.add_notice_handler(notice)

    def _assert_durable(self) -> None:
        wanted = (
            {"journal_mode": ("wal",), "synchronous": (2, 3)}
            if self.is_sqlite
            else {
                "fsync": ("on",),
                "full_page_writes": ("on",),
                "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
            }
        )
        verb = "PRAGMA" if self.is_sqlite else "SHOW"
        try:
            with self.reading.connect() as connection:
                for name, values in wanted.items():
                    found = connection.exec_driver_sql(f"{verb} {name}").scalar_one()
                    if found not in values:
                        raise StartupError(
                            f"the database has {name}={found}: it would lose what it acknowledges; "
                            f"set it to {values[0]}"
                        )
        except sa.exc.DBAPIError as error:
            raise StartupError(
                f"the database {self.url.render_as_string()} cannot be opened: {error.orig}"
            ) from error


class OutcomeUnknownError(Exception):
    """A commit that was answered, but may not be where it was to be kept."""


def is_transient(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed if it is run again."""
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, psycopg.Error):
        # Without a state it is not the server's: the connection broke or could not be made.
        state = error.orig.sqlstate
        return str(state).startswith(_TRANSIENT_STATES) if state else is_operational(error)
    return "database is locked" in str(error.orig)


def is_operational(error: sa.exc.DBAPIError) -> bool:
    """Whether the fault is in reaching the database rather than in what was asked of it."""
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)


def refusal_of(error: Exception) -> LedgerError | None:
    """What a caller is told of a failed read; None: the fault is not the database's."""
    unreachable = isinstance(error, sa.exc.DBAPIError) and is_operational(error)
    if unreachable or isinstance(error, sa.exc.TimeoutError):
        return LedgerError(
            ErrorReason.ERROR_REASON_DATABASE_UNAVAILABLE, "the database does not answer"
        )
    return None


def _normal(url: str) -> sa.URL:
    """The URL with our driver. Raises MistakeError for one that is not of a database we know."""
    try:
        made = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise MistakeError(
            "the database URL is not like sqlite:///ledger.db or postgresql://user@host/name"
        ) from None
    backend = made.get_backend_name()
    if backend == "sqlite" and made.database and made.database != ":memory:":
        return made
    if backend == "postgresql":
        return made.set(drivername="postgresql+psycopg")
    raise MistakeError(
        f"the ledger runs on SQLite files and PostgreSQL, not on {backend} {made.database or ''}"
    )

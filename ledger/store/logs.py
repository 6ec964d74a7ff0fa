"""Which logs a database keeps."""

import sqlalchemy as sa

from ledger.errors import StartupError
from ledger.store.database import Database
from ledger.store.tables import head

CUSTODY = "custody"
ACCESS = "access"


def access_name(name: str) -> str:
    """The name of the access log that belongs to a custody log."""
    return ACCESS if name == CUSTODY else f"{name}.{ACCESS}"


def find_or_make(database: Database, name: str, *, must_exist: bool) -> int:
    """The number of the log of this name, made if it is not there yet.

    Raises StartupError where it must be there: when it is only looked at, and when a database has
    others but not the one it is kept for, which somebody must have renamed.
    """
    logs = sa.select(head.c.name, head.c.log)
    with database.reading.connect() as connection:
        found = {row.name: row.log for row in connection.execute(logs)}
    if name in found:
        return int(found[name])
    if must_exist or (found and name == CUSTODY):
        others = ", ".join(sorted(found)) or "none"
        raise StartupError(f"the database has no log named {name}; it has: {others}")
    number = None
    while number is None:
        # Another process may make this log, or take its number for another, at the same moment.
        number = _make(database, name)
    return number


def _make(database: Database, name: str) -> int | None:
    """The number of the log of this name, made unless somebody was faster; None: try again."""
    with database.writing() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO head (log, name, size, record_us, term_count) "
                "SELECT COALESCE(MAX(log), 0) + 1, :name, 0, 0, 0 FROM head WHERE 1 = 1 "
                "ON CONFLICT DO NOTHING"
            ),
            {"name": name},
        )
        found = connection.execute(sa.select(head.c.log).where(head.c.name == name)).scalar()
        return None if found is None else int(found)

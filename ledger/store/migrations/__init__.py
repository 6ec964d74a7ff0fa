"""Alembic owns the tables: their versions, and bringing a database up to the latest."""

import threading
from pathlib import Path

import sqlalchemy as sa

from ledger.errors import StartupError

LATEST = "0004"
HERE = Path(__file__).parent
ATTEMPTS_MAX = 6
RETRY_S = 0.3


def revision_of(engine: sa.Engine) -> str | None:
    """The version of the tables of a database; None: it has none."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: sa.Engine) -> None:
    """Bring the tables to the latest version."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        if _is_latest(engine):
            return
        try:
            _upgrade(engine)
        except sa.exc.DBAPIError:
            # Another process that starts on the same database makes the same tables.
            if attempt == ATTEMPTS_MAX:
                raise
            threading.Event().wait(RETRY_S * attempt)


def _is_latest(engine: sa.Engine) -> bool:
    """Raises StartupError for tables of an edition that this one does not know."""
    found = revision_of(engine)
    known = {path.name.partition("_")[0] for path in (HERE / "versions").glob("[0-9]*.py")}
    if found is not None and found not in known:
        raise StartupError(
            f"the tables have version {found}, which this edition does not have: its latest is "
            f"{LATEST}"
        )
    return found == LATEST


def _upgrade(engine: sa.Engine) -> None:
    # Imported here because it takes most of a second, and only a new database needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require(engine: sa.Engine) -> None:
    """Raise StartupError unless the database has the tables in their latest version."""
    found = revision_of(engine)
    if found != LATEST:
        raise StartupError(
            "the database holds no ledger: `ledger serve` makes one"
            if found is None
            else f"the tables have version {found}, this program reads {LATEST}: start "
            "`ledger serve` once"
        )

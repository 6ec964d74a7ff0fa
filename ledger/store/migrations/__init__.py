"""Alembic owns the tables: their versions, and bringing a database up to the latest."""

from pathlib import Path

import sqlalchemy as sa

from ledger.errors import StartupError

LATEST = "0001"


def revision_of(engine: sa.Engine) -> str | None:
    """The version of the tables of a database; None: it has none."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: sa.Engine) -> None:
    """Bring the tables to the latest version."""
    if revision_of(engine) == LATEST:
        return
    # Imported here because it takes most of a second, and only a new database needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
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

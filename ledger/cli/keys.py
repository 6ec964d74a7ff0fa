"""The command that changes keys."""

import typer

from ledger.cli.options import DATABASE, DatabaseOption, KeysOption

keys_app = typer.Typer(help="The keys that personal fields are sealed under.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.add_typer(keys_app, name="keys")


@keys_app.command("rotate")
def rotate(database: DatabaseOption = DATABASE, keys: KeysOption = None) -> None:
    """Wrap every person's key anew, and forget the key that wrapped them.

    No copy of the database from before can then be opened. What is sealed stays as it is, and so
    does the log. On SQLite the server must be stopped; on PostgreSQL it serves meanwhile.

    Example: ledger keys rotate --database sqlite:///ledger.db
    """
    from ledger.keys.keyring import Keyring
    from ledger.ledger import now_us
    from ledger.store import migrations
    from ledger.store.database import Database
    from ledger.store.log import Log

    found = Database(database, must_exist=True)
    try:
        found.lock_for_writing()
        migrations.require(found.engine)
        log = Log(found, now_us, Keyring(found.keys_file(keys)), must_exist=True)
        typer.echo(f"{log.vault.wrap_anew()} keys wrapped anew in {log.vault.keyring.path}")
    finally:
        found.close()

"""Commands that keep a ledger: serve, demo."""

import logging
import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.options import (
    DATABASE,
    LISTEN,
    DatabaseOption,
    KeysOption,
    WorkersOption,
    processors,
)

FAILED = 1
# How long a busy thread keeps the interpreter when the writer wants it back, which it does after
# each of some twenty statements of a group. With Python's 5 ms a group took up to twice as long,
# and the others did no more.
SWITCH_S = 0.0005

ListenOption = Annotated[
    str,
    typer.Option("--listen", envvar="LEDGER_LISTEN", help="HOST:PORT; port 0 chooses a free one."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("demo")(demo)
    app.command("serve")(serve)


def serve(
    database: DatabaseOption = DATABASE,
    listen: ListenOption = LISTEN,
    identities: Annotated[
        Path | None,
        typer.Option(
            "--identities",
            envvar="LEDGER_IDENTITIES",
            help="Who may call: a folder with the server's certificate and key, authorities, "
            "revoked certificates and agencies' keys. Without it: this machine alone.",
        ),
    ] = None,
    keys: KeysOption = None,
    access_database: Annotated[
        str,
        typer.Option(
            "--access-database",
            envvar="LEDGER_ACCESS_DATABASE",
            help="Another database for the log of who looked at what.",
        ),
    ] = "",
    workers: WorkersOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No line for each call.")] = False,
) -> None:
    """Serve a ledger over gRPC until SIGTERM or Ctrl-C, then let calls end and stop.

    Verifies what the database holds before it serves, and says on standard error when it is ready.
    Tables that are missing, or of an earlier version, are made meanwhile.

    Example: ledger serve --database sqlite:///ledger.db --listen 127.0.0.1:7018
    """
    run(
        database,
        listen,
        quiet=quiet,
        identities=identities,
        keys=keys,
        access_url=access_database,
        workers=processors() if workers is None else workers,
    )


def demo(
    exit_after: Annotated[
        bool, typer.Option("--exit", help="Print the story and stop instead of serving it.")
    ] = False,
    listen: ListenOption = LISTEN,
) -> None:
    """An invented history to try the ledger on: a family separated, a late report, a correction.

    Serves it until Ctrl-C from a temporary database, and prints the questions to ask next.
    """
    from ledger import demo as history

    address = "127.0.0.1:0" if exit_after else listen
    with tempfile.TemporaryDirectory(prefix="ledger-demo-") as folder:
        run(
            f"sqlite:///{folder}/ledger.db",
            address,
            quiet=True,
            then=lambda server: history.tell(server, default=LISTEN, stay=not exit_after),
            stay=not exit_after,
        )


def run(
    database: str,
    listen: str,
    *,
    quiet: bool,
    identities: Path | None = None,
    keys: Path | None = None,
    access_url: str = "",
    workers: int = 0,
    then: Callable[[str], None] = lambda _address: None,
    stay: bool = True,
) -> None:
    """Serve; once ready, do `then` with the address; stop when told to, or at once."""
    # Imported here because the other commands do not need them and they take most of a second.
    from ledger.keys.certificates import Identities
    from ledger.ledger import Ledger
    from ledger.rpc.server import Server

    _configure_logs(quiet=quiet)
    ended, failed = threading.Event(), threading.Event()

    def fail() -> None:
        failed.set()
        ended.set()

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: ended.set())
    _leave_no_dumps()
    sys.setswitchinterval(min(SWITCH_S, sys.getswitchinterval()))
    known = Identities(identities) if identities else None
    ledger = Ledger(database, on_failure=fail, keys=keys, access_url=access_url, workers=workers)
    server = Server(ledger, listen, known)
    how = "with certificates" if known else "without certificates: for this machine only"
    typer.echo(f"ledger: ready, serving {ledger.place} at {server.address} ({how})", err=True)
    then(server.address)
    if stay:
        ended.wait()
    server.stop()
    if failed.is_set():
        typer.echo("ledger: the database failed; start again to verify what it holds", err=True)
        sys.exit(FAILED)


def _leave_no_dumps() -> None:
    """See to it that no image of this process is written to disk: it has keys in it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _configure_logs(*, quiet: bool) -> None:
    """One line a call on standard error, for people on a terminal, as JSON otherwise."""
    import structlog

    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.WARNING if quiet else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

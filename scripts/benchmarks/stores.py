"""Where databases are made to be thrown away, and how much of everything is measured."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from benchmarks import peers, questions


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    events: int = 20_000
    """Streamed, a round."""
    singles: int = 1_280
    in_process: int = 4_000
    logs: tuple[int, ...] = (1_000, 10_000, 100_000)
    tables: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    rebuilt: int = 10_000
    """The largest log whose tables are made anew."""
    memory: tuple[int, ...] = (10_000, 25_000, 50_000)
    audited: int = 500_000
    """In Parquet files."""
    asked: int = 200
    """Questions a round."""


FULL = Sizes(
    logs=(1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    rebuilt=100_000,
    memory=(100_000, 1_000_000, 10_000_000),
    audited=10_000_000,
)
TINY = Sizes(100, 64, 100, (200, 400), (200, 400), 200, (2_000, 4_000), 1_000, 5)


class Store:
    """Where databases are made to be thrown away, and the floors on the same engine."""

    def __init__(self, name: str, create: Callable[[], str], sizes: Sizes, here: Path) -> None:
        self.name = name
        self.create = create
        self.sizes = sizes
        self.here = here

    @contextmanager
    def floors(self) -> Iterator[dict[str, peers.Peer]]:
        """The raw driver and the library's own recorder."""
        if self.name == "sqlite":
            library = peers.library_sqlite(self.here / f"{time.monotonic_ns()}.db")
            with peers.raw_sqlite(self.here / f"{time.monotonic_ns()}.db") as raw:
                yield {"raw sqlite3": raw, "eventsourcing.sqlite": library}
        else:
            url = self.create()
            library = peers.library_postgres(url)
            with peers.raw_postgres(url) as raw:
                yield {"raw psycopg, COPY": raw, "eventsourcing.dcb.postgres_tt": library}

    @cached_property
    def histories(self) -> list[questions.Loaded]:
        """Logs of each size."""
        return [questions.loaded(self.create(), size) for size in self.sizes.logs]

    def log(self) -> Path:
        """A file for what a server says."""
        return self.here / f"log-{time.monotonic_ns()}"


def sqlite(sizes: Sizes, here: Path) -> Store:
    """New files in a folder."""
    numbers = count()
    return Store("sqlite", lambda: f"sqlite:///{here}/{next(numbers)}.db", sizes, here)


@contextmanager
def postgresql(url: str | None, sizes: Sizes, here: Path) -> Iterator[Store | None]:
    """Databases on a server that is there, or on the one of the tests; None: there is neither."""
    from postgres import Server, find_versions

    versions = find_versions()
    with ExitStack() as stack:
        if url:
            create = stack.enter_context(_made_on(url))
        elif versions:
            running = stack.enter_context(Server(next(iter(versions.values()))))
            create = running.create_database
        yield Store("postgresql", create, sizes, here) if url or versions else None


@contextmanager
def _made_on(url: str) -> Iterator[Callable[[], str]]:
    """Makes databases on a server, and drops them again."""
    import psycopg
    from sqlalchemy import make_url

    given, names = make_url(url).set(drivername="postgresql"), []
    plain = given.render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:

        def create() -> str:
            names.append(f"bench_{os.getpid()}_{len(names)}")
            connection.execute(f"CREATE DATABASE {names[-1]}")
            made = given.set(drivername="postgresql+psycopg", database=names[-1])
            return made.render_as_string(hide_password=False)

        yield create
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

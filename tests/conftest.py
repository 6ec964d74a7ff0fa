"""Each store: SQLite, and a real PostgreSQL that the registry gives or that this machine has."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from postgres import Server as Postgres
from postgres import find_versions

from ledger.keys.keyring import Keyring
from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.store.database import Database

# A machine that does much else is no failure.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

SHARED = Path(__file__).parents[2] / "shared" / "data"
VERSIONS = find_versions()
STORES = ["sqlite", *list(VERSIONS)[:1]]
# What says most about a store runs on every version of PostgreSQL that is there.
on_every_store = pytest.mark.parametrize("database_url", ["sqlite", *VERSIONS], indirect=True)


# What these prepare takes a minute or more: on each store, one worker does it.
PREPARED_ONCE = ("test_real_lists.py", "test_erasure.py", "test_import.py", "test_access.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, for the distribution over workers, what shares an expensive beginning."""
    for item in items:
        if item.path.name in PREPARED_ONCE:
            store = next((one for one in STORES if f"[{one}" in item.name), "")
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{store}"))


@pytest.fixture(scope="session", autouse=True)
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the keys of databases are that have no folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("keys")
        patch.setenv("LEDGER_KEYS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def postgres_of() -> Iterator[Callable[[str], Postgres]]:
    """A running PostgreSQL of a version, started when first asked for."""
    with ExitStack() as stack:
        running: dict[str, Postgres] = {}

        def start(version: str) -> Postgres:
            if version not in running:
                running[version] = stack.enter_context(Postgres(VERSIONS[version]))
            return running[version]

        yield start


@pytest.fixture(params=STORES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database, once on each store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return request.getfixturevalue("postgres_of")(request.param).create_database()


@pytest.fixture
def sqlite_server(tmp_path: Path) -> Iterator[Server]:
    """A server on SQLite, for what does not depend on the store."""
    running = Server(Ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), "127.0.0.1:0")
    yield running
    running.stop()


@pytest.fixture
def open_ledger(database_url: str) -> Iterator[Callable[..., Ledger]]:
    """Opens ledgers on the database, each on a log of its own unless named; closes them."""
    with ExitStack() as stack:

        def make(**options: object) -> Ledger:
            ledger = Ledger(database_url, **{"name": uuid.uuid4().hex, **options})
            stack.callback(ledger.close)
            return ledger

        yield make


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    """A server in this process, over gRPC at a port of its own."""
    running = Server(Ledger(database_url), "127.0.0.1:0")
    yield running
    running.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client of the server."""
    with Client(server.address) as connected:
        yield connected


def ticking(start_us: int = 1_600_000_000_000_000, step_us: int = 1_000_000) -> Callable[[], int]:
    """A clock that moves by a step each time it is read."""
    ticks = count(start_us, step_us)
    return lambda: next(ticks)


def keyring_of(database: Database) -> Keyring:
    """The keys of a database, as a ledger opens them."""
    return Keyring(database.keys_file(None))


def raw(database_url: str) -> sqlite3.Connection:
    """A way around the ledger, for tests that tamper with SQLite."""
    return sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)

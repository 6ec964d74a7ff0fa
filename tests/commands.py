"""Running the command line as its users do: as processes of their own."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from ledger.cli import main

ROOT = Path(__file__).parents[1]
LEDGER = (sys.executable, "-m", "ledger")
READY = re.compile(r"ledger: ready, serving .* at (\S+)")


def environment() -> dict[str, str]:
    """The environment of a command: that of the tests, with where they keep keys."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def ledger(
    *arguments: object, cwd: Path | None = None, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with what it is given on standard input."""
    return subprocess.run(
        [*LEDGER, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=cwd,
        input=given,
        timeout=300,
        check=False,
    )


def ledger_here(*arguments: object, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end within this process: quick, for what is wrong in many ways."""
    command = [*LEDGER, *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr("sys.argv", ["ledger", *command[len(LEDGER) :]])
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def answer(*arguments: object) -> Any:
    """What a command that must succeed prints with -o json."""
    done = ledger(*arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lines_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What a command printed, line by line, without the blanks around."""
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


class Served:
    """`ledger serve` in a process of its own."""

    def __init__(self, database_url: str, listen: str = "127.0.0.1:0") -> None:
        self.process = subprocess.Popen(
            [*LEDGER, "serve", "--quiet", "--database", database_url, "--listen", listen],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        said = self.process.stderr.readline()
        ready = READY.match(said)
        assert ready, said + self.process.stderr.read()
        self.address = ready[1]

    def kill(self) -> None:
        """As a power cut would: nothing is said, nothing is finished."""
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def terminate(self) -> int:
        """As an operator does; return the exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stderr.close()
        return code


@contextmanager
def serving(database_url: str) -> Iterator[str]:
    """The address of a ledger that is served meanwhile."""
    served = Served(database_url)
    try:
        yield served.address
    finally:
        if served.process.poll() is None:
            assert served.terminate() == 0

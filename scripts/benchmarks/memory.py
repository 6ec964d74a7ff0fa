"""What memory is taken at its peak, at growing sizes: it is to be bounded, and flat."""

import csv
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

from invented.history import invent

from benchmarks.appends import streamed
from benchmarks.families import as_request
from benchmarks.measuring import Line
from benchmarks.questions import Loaded
from benchmarks.serving import ROOT, Process, ledger_serve

COLUMNS = (
    *("AGE", "GENDER", "COO", "DATE_APPREHENDED", "REFERRAL_DATE", "DATE_ORR_APPROVED"),
    *("REFERRING OFFICE", "FACILITY_APPROVED", "REUNITIED_SEP_PARENTS", "UAC STATUS"),
    *("Date Discharged", "Reason fo Separation"),
)
EVENTS_A_ROW = 6
LOOK_S = 0.05
BATCH, STEP = 500, 4  # so many batches between two looks


def of_server(database: str, log: Path, sizes: Sequence[int], store: str) -> Iterator[Line]:
    """`ledger serve`, its tables following, as a history is streamed to it; children included."""
    batches = invent(sizes[-1], size=BATCH)
    sent = 0
    with ledger_serve(database, log) as server:
        for size in sizes:
            while sent < size:
                some = [as_request(batch) for batch in islice(batches, STEP)]
                streamed(server.address, some)
                sent += BATCH * STEP
                server.peak_mib()
            yield _line("memory of the server, events streamed", server.peak_mib(), sent, store)


def of_importer(here: Path, sizes: Sequence[int]) -> Iterator[Line]:
    """`ledger import run` of an invented list in the form of the real one."""
    for size in sizes:
        path = here / f"{size}.csv"
        _write_list(path, size // EVENTS_A_ROW)
        with ledger_serve(f"sqlite:///{here}/imported-{size}.db", here / "log", at_rest=True) as to:
            import_list = ("import", "run", path, "--profile", "orr-separations")
            peak = _peak_mib(*import_list, "--server", to.address)
        yield _line("memory of the importer, events of the list", peak, size, "sqlite")


def of_rebuild(histories: Sequence[Loaded], most: int) -> Iterator[Line]:
    """`ledger projection rebuild`."""
    for one in histories:
        if one.size <= most:
            peak = _peak_mib("projection", "rebuild", "--database", one.url)
            yield _line("memory of a rebuild, events in the log", peak, one.size, "sqlite")


def of_bench() -> Line:
    """What measures, with the ledgers that it opened in process."""
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Line("memory of what measures", peak_kib / 1024, "MiB", "sqlite")


def _line(figure: str, peak_mib: float, size: int, store: str) -> Line:
    return Line(figure, peak_mib, "MiB", store, size)


def _peak_mib(*arguments: object) -> float:
    """The most that a command and its children have in memory at a time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ledger", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    seen = Process(process)
    while process.poll() is None:
        seen.peak_mib()
        time.sleep(LOOK_S)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    return seen.peak_mib()


def _write_list(path: Path, rows: int) -> None:
    first = date(2018, 1, 1)
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(COLUMNS)
        for number in range(rows):
            days = [first + timedelta(days=number % 300 + later) for later in (0, 1, 3, 60)]
            met, referred, placed, left = (f"{day.month}/{day.day}/{day.year}" for day in days)
            shelter = f"Shelter {number % 99}"
            child = (number % 18, "FM"[number % 2], "Honduras")
            end = ("Reunited with Sep Parent", "DISCHARGED", left, "Zero Tolerance Policy")
            written.writerow((*child, met, referred, placed, "El Paso", shelter, *end))

"""Importing lists: the beginning of a real one on every store, and broken ones.

What the real lists come to as a whole is in test_real_lists.
"""

import csv
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest
from commands import Served, answer, environment, ledger, serving
from conftest import on_every_store
from lists import IN_CARE, SEPARATIONS, ask, children, day_of, end_of, in_care, needs

from ledger.errors import MistakeError, StartupError
from ledger.imports import profile, rows
from ledger.imports.run import Import
from ledger.rpc.client import Client
from ledger.rpc.pump import Outcome
from ledger.v1.audit_service_pb2 import GetCheckpointRequest
from ledger.v1.custody_query_service_pb2 import ListRosterRequest
from ledger.v1.ledger_service_pb2 import BatchReceipt, ReadEventsRequest

FORM = ["rows", "accepted_rows", "rejected_rows", "events_appended", "size", "root"]
BEGINNING = 500  # rows, page headers among them

HEADER = ",".join(profile.load("orr-separations").columns)
GOOD = "9,M,Honduras,5/1/2018,5/2/2018,5/3/2018,El Paso,Casa,Still in Care,ADMITTED,,Criminal"


def import_run(file: Path, address: str) -> dict:
    return answer("import", "run", file, "--profile", "orr-separations", "--server", address)


def said_of_rows(file: Path, address: str) -> list[tuple[int, str]]:
    """(line, what is said of it) for each row of which an import says something."""
    done = ledger(
        "import", "run", file, "--profile", "orr-separations", "--server", address, "-o", "json"
    )
    assert done.returncode == 0, done.stderr
    lines = (line.split(": ", 1) for line in done.stderr.splitlines())
    return [(int(where.removeprefix("line ")), what) for where, what in lines]


@pytest.fixture
def beginning(tmp_path: Path) -> Path:
    """The first rows of the real list as a list of their own."""
    file = tmp_path / "beginning.csv"
    with (
        SEPARATIONS.open(encoding="utf-8", newline="") as real,
        file.open("w", encoding="utf-8", newline="") as written,
    ):
        csv.writer(written).writerows(islice(csv.reader(real), 1 + BEGINNING))
    return file


def begun() -> dict[int, dict[str, str]]:
    """The children of the first rows, by the number of the row."""
    return {number: child for number, child in children().items() if number <= BEGINNING}


def events_of(some: dict[int, dict[str, str]]) -> int:
    """How many events children become: five each, and one for each end of a stay."""
    return sum(5 + bool(day_of(child, "Date Discharged")) for child in some.values())


def counted(address: str) -> dict[str, int]:
    """How many are in ORR's care on each day, once the tables have caught up."""
    found = {}
    with Client(address) as client:
        for day in IN_CARE:
            request = ListRosterRequest(agency="ORR", count_only=True)
            request.basis.as_of_time.FromDatetime(end_of(day))
            found[day] = ask(client.custody.ListRoster, request).total_size
    return found


@needs(SEPARATIONS)
@on_every_store
def test_the_beginning_of_the_real_list_gives_its_numbers(
    database_url: str, beginning: Path
) -> None:
    some = begun()
    reunited = [
        child
        for child in some.values()
        if child["REUNITIED_SEP_PARENTS"].startswith("Reunited")
        and day_of(child, "Date Discharged")
    ]
    with serving(database_url) as address:
        first = import_run(beginning, address)
        again = import_run(beginning, address)
        counts = counted(address)
        people = answer("roster", "--agency", "ORR", "--as-of", "2018-06-20", "--server", address)
        separated = answer("separation", "list", "--all", "--count", "--server", address)
        unended = answer("separation", "list", "--count", "--server", address)

    assert (first["rows"], first["accepted_rows"]) == (BEGINNING, len(some))
    assert first["rejected_rows"] == BEGINNING - len(some) > 0
    assert list(first) == FORM
    assert first["events_appended"] == first["size"] == events_of(some)
    assert again["events_appended"] == 0
    assert (again["size"], again["root"]) == (first["size"], first["root"])
    assert counts == {day: len(in_care(some, day)) for day in IN_CARE}
    assert len({one["person_id"] for one in people["people"]}) == counts["2018-06-20"] > 100
    assert separated["count"] == len(some)
    assert unended["count"] == len(some) - len(reunited)
    verified = answer("audit", "verify", "--database", database_url)
    assert (verified["ok"], verified["size"]) == (True, events_of(some))
    assert verified["root"] == first["root"]


@needs(SEPARATIONS)
def test_what_is_odd_in_the_real_list_is_said() -> None:
    found = list(rows.read(SEPARATIONS, profile.load("orr-separations")))

    assert Counter(row.reason for row in found if row.reason) == {
        "page header left by the conversion from PDF": 62
    }
    notes = Counter(
        (column, text.split(" of line ")[0]) for row in found for column, text in row.notes
    )
    assert notes == {
        ("", "is like the row"): 23,
        ("REFERRING OFFICE", "is blank"): 24,
        ("DATE_ORR_APPROVED", "is before REFERRAL_DATE"): 15,
        ("DATE_ORR_APPROVED", "is before DATE_APPREHENDED"): 2,
        (
            "Date Discharged",
            "is blank though the child is said to be discharged: no end of her stay is recorded",
        ): 2,
        ("AGE", "is not that of a child"): 4,
    }


@needs(SEPARATIONS)
@pytest.mark.parametrize("victim", ["importer", "server"])
def test_an_import_killed_half_way_goes_on(database_url: str, beginning: Path, victim: str) -> None:
    events = events_of(begun())
    # In batches so small that most of them are not on their way yet.
    small = (
        "from ledger.cli import main; from ledger.imports import run; run.BATCH_EVENTS_MAX = 20; "
        "main()"
    )
    command = [sys.executable, "-c", small, "import", "run", beginning]
    command += ["--profile", "orr-separations", "--server"]
    with ExitStack() as stack:
        served = Served(database_url)
        stack.callback(served.kill)
        importing = subprocess.Popen(
            [*command, served.address],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(importing.kill)
        with Client(served.address) as watching:
            size = 0
            while size < events // 5:
                size = watching.audit.GetCheckpoint(GetCheckpointRequest()).checkpoint.size
        if victim == "server":
            served.kill()
            assert importing.wait(timeout=60) == 3  # cannot be reached
            served = Served(database_url)
            stack.callback(served.kill)
        else:
            importing.kill()
            importing.wait()

        whole = import_run(beginning, served.address)

        assert 0 < whole["events_appended"] < events
        assert whole["size"] == events
        with Client(served.address) as reading:
            positions, ids = [], set()
            for batch in reading.ledger.ReadEvents(ReadEventsRequest()):
                positions += [one.position for one in batch.events]
                ids |= {one.entry.event.event_id for one in batch.events}
        assert positions == list(range(1, events + 1))
        assert len(ids) == events
        assert counted(served.address) == {day: len(in_care(begun(), day)) for day in IN_CARE}
        assert served.terminate() == 0


def test_a_check_says_what_would_happen_and_appends_nothing(sqlite_server, tmp_path) -> None:
    file = tmp_path / "list.csv"
    bad = GOOD.replace("5/2/2018", "soon")
    file.write_text("\n".join([HEADER, GOOD, bad, ",".join("ABCDEFGHIJKL")]))

    checked = answer(
        "import", "check", file, "--profile", "orr-separations", "--server", sqlite_server.address
    )

    assert checked["size"] == 0
    verdicts = [(one["line"], one["verdict"], one["column"]) for one in checked["rows_checked"]]
    assert verdicts == [
        (2, "would append", ""),
        (3, "rejected", "REFERRAL_DATE"),
        (4, "rejected", ""),
    ]
    assert checked["rows_checked"][0]["events"] == [
        "person_registered",
        "apprehended",
        "separated",
        "referred_to_orr",
        "placed",
    ]
    import_run(file, sqlite_server.address)
    checked = answer(
        "import", "check", file, "--profile", "orr-separations", "--server", sqlite_server.address
    )
    assert checked["rows_checked"][0]["verdict"] == "already recorded"


REJECTED = {
    "a date that is none": (GOOD.replace("5/2/2018", "soon"), "REFERRAL_DATE", "is not a date"),
    "a date left out": (GOOD.replace("5/1/2018", ""), "DATE_APPREHENDED", "is blank"),
    "an outcome nobody knows": (
        GOOD.replace("Still in Care,ADMITTED,", "Reunited with somebody new,DISCHARGED,7/1/2018"),
        "Date Discharged",
        "has a date that no event takes",
    ),
    "an outcome nobody knows, without a date": (
        GOOD.replace("Still in Care", "Deceased"),
        "REUNITIED_SEP_PARENTS",
        "is not one of the texts",
    ),
    "an age beyond counting": (GOOD.replace("9,", "99999999999,"), "AGE", "too large"),
    "an age in words": (GOOD.replace("9,", "nine,"), "AGE", "is not a number"),
    "a reason nobody mapped": (
        GOOD.replace("Criminal", "Because"),
        "Reason fo Separation",
        "codes.reason",
    ),
    "a cell too few": (GOOD.replace("ADMITTED,", ""), "", "has 11 cells, not 12"),
    "other bytes than UTF-8": (
        GOOD.replace("Casa", "Casa \udce9"),
        "FACILITY_APPROVED",
        "is not UTF-8",
    ),
    "a facility left out": (GOOD.replace("Casa", ""), "", "value is required"),
    "a date in the future": (GOOD.replace("5/3/2018", "5/3/2199"), "", "VALID_TIME_IN_FUTURE"),
    "an escape in a name": (GOOD.replace("Casa", "Ca\x1bsa"), "", "CONTROL_CHARACTER"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_row_that_cannot_be_is_named_and_the_others_are_kept(
    case, sqlite_server, tmp_path
) -> None:
    row, column, reason = REJECTED[case]
    file = tmp_path / "list.csv"
    text = "\n".join([HEADER, GOOD, row, GOOD.replace("9,", "8,")])
    file.write_bytes(text.encode("utf-8", errors="surrogateescape"))

    done = import_run(file, sqlite_server.address)

    assert (done["accepted_rows"], done["rejected_rows"], done["events_appended"]) == (2, 1, 10)
    ((line, said),) = said_of_rows(file, sqlite_server.address)
    assert line == 3
    assert said.startswith(f"rejected: {column}")
    assert reason in said


BROKEN = {
    "nothing": (b"", "the file has no header line"),
    "another list": (b"AGE,SEX\n1,M\n", "the column 'GENDER' is expected, not 'SEX'"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "is expected"),
    "a column too few": (HEADER.rpartition(",")[0].encode(), "12 columns are expected, not 11"),
    "a quote that never ends": (f'{HEADER}\n"9'.encode(), "line 2: not a list of this form"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_no_such_list_is_refused_whole(case: str, tmp_path: Path) -> None:
    content, reason = BROKEN[case]
    file = tmp_path / "list.csv"
    file.write_bytes(content)

    done = ledger("import", "run", file, "--profile", "orr-separations")

    assert done.returncode == 2
    assert reason in done.stderr


def test_a_profile_is_checked_before_the_first_row(tmp_path: Path) -> None:
    shipped = (Path(profile.__file__).parent / "profiles" / "orr-separations.toml").read_text()
    mistakes = {
        'reason = "separation_reason"': 'reason = "separation_reasons"',
        '[codes]\nreason = "separation_reason"': '[codes.reason]\n"zero tolerance" = ["CRIME"]',
        'column = "AGE" }': 'column = "AGES" }',
        'fact = "placed"': 'fact = "place"',
        "stated_age_years =": "years =",
        'zone = "UTC"': 'zone = "Utopia"',
        'm = "SEX_MALE"': 'm = "MALE"',
        '"facility.name" =': '"facility.nam" =',
    }
    for right, wrong in mistakes.items():
        assert right in shipped
        file = tmp_path / "mine.toml"
        file.write_text(shipped.replace(right, wrong, 1))
        with pytest.raises(StartupError, match=r"mine\.toml"):
            profile.load(str(file))
    with pytest.raises(StartupError, match="orr-separations"):
        profile.load("unknown")


def test_a_profile_of_ones_own_reads_minutes_and_other_separators(sqlite_server, tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        """
name = "stations"
title = "An invented list of another form"
system = "stations"
agency = "CBP"
zone = "America/Los_Angeles"

[file]
delimiter = "|"
title_lines = 2
formats = ["%Y-%m-%d %H:%M"]
precision = "minute"
columns = ["when", "sector", "remark"]
unused = ["remark"]

[[event]]
fact = "apprehended"
valid_time = "when"
[event.fields]
person_ids = { mint = "person" }
agency = { value = "CBP" }
"place.name" = { column = "sector" }
"""
    )
    file = tmp_path / "list.psv"
    file.write_text('"An invented list"||\n||\nwhen|sector|remark\n2018-06-04 08:40|Blaine|x\n')

    done = answer("import", "run", file, "--profile", mine, "--server", sqlite_server.address)

    assert done["events_appended"] == 1
    with Client(sqlite_server.address) as client:
        (batch,) = client.ledger.ReadEvents(ReadEventsRequest())
    event = batch.events[0].entry.event
    at = event.valid_time.time.ToDatetime(tzinfo=UTC)
    assert at == datetime(2018, 6, 4, 15, 40, tzinfo=UTC)
    assert (event.source.line, event.source.row) == (4, 1)
    assert event.apprehended.place.name == "Blaine"


@needs(SEPARATIONS)
def test_the_demo_s_list_is_invented() -> None:
    from ledger.demo import _invented_list

    invented = set(_invented_list())
    real = set(SEPARATIONS.read_text(encoding="utf-8").splitlines())
    assert not {line for line in invented & real if not line.startswith(("A,", "AGE,"))}


def test_lines_of_rows_with_broken_cells_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    broken = GOOD.replace("Criminal", '"Parent has Criminal\nHistory"')
    file.write_text(f"{HEADER}\n{broken}\n{broken}\n{GOOD}\n")

    found = list(rows.read(file, profile.load("orr-separations")))

    assert [row.line for row in found] == [2, 4, 6]
    assert [row.number for row in found] == [1, 2, 3]
    assert all(a.line < b.line for a, b in pairwise(found))
    assert {tuple(row.events[2].separated.reason_codes) for row in found} == {
        ("CRIMINAL_HISTORY_UNSPECIFIED",)
    }


def test_an_unreachable_server_is_said_and_nothing_is_half_done(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n")

    done = ledger("import", "run", file, "--profile", "orr-separations", "--server", "127.0.0.1:1")

    assert done.returncode == 3
    assert done.stderr.startswith("ledger: UNREACHABLE:")


def listed(rows_: Iterable[str]) -> str:
    return "\n".join([HEADER, *rows_]) + "\n"


def test_which_rows_are_alike_is_found_in_any_list(tmp_path: Path) -> None:
    chance, file = random.Random(11), tmp_path / "list.csv"
    some = [GOOD.replace("Casa", f"Casa {chance.randrange(150)}") for _ in range(400)]
    file.write_text(listed(some))

    notes = [row.notes for row in rows.read(file, profile.load("orr-separations"))]

    first = {text: some.index(text) + 2 for text in some}
    assert notes == [
        [("", f"is like the row of line {first[text]} in every cell")] if first[text] < line else []
        for line, text in enumerate(some, 2)
    ]


def test_of_a_long_list_what_is_under_way_is_kept_and_no_more(tmp_path: Path) -> None:
    file, alive, most = tmp_path / "list.csv", WeakValueDictionary(), 0
    file.write_text(listed(GOOD.replace("Casa", f"Casa {number}") for number in range(1_500)))

    class Answering:
        """Answers each batch when another was sent."""

        def append_batches(self, batches: Iterator[Any]) -> Iterator[Outcome]:
            for one in batches:
                yield Outcome(one, BatchReceipt(stamp={"root": b"r"}), None)

    def noted() -> Iterator[rows.Row]:
        for row in rows.read(file, profile.load("orr-separations")):
            alive[row.number] = row
            yield row

    imported = Import(Answering(), noted())
    for _ in imported.verdicts():
        most = max(most, len(alive))

    assert (imported.rows, imported.events_appended) == (1_500, 7_500)
    assert most < 250


def test_a_list_that_changes_while_it_is_read_is_no_list(tmp_path: Path) -> None:
    """Its ids come of its hash: half of another list must not be taken for it."""
    file = tmp_path / "list.csv"
    file.write_text(listed([GOOD] * 3))
    found = rows.read(file, profile.load("orr-separations"))
    file.write_text(listed([GOOD] * 4))
    with pytest.raises(MistakeError, match="was changed while it was read"):
        list(found)


def test_a_list_may_come_through_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_text, listed([GOOD, GOOD]))
        found = rows.read(pipe, profile.load("orr-separations"))
    assert (len(found), [len(row.events) for row in found]) == (2, [5, 5])

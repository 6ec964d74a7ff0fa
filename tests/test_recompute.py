"""The audit that an outsider can run: the log as files, and what SQL says of them.

The texts say what the fold says, of any history; on DuckDB and on SQLite, unchanged. Files that
somebody touched are found and named.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import psycopg
import pytest
from commands import ledger_here
from conftest import STORES, raw
from events import MINUTE, day, event, id_of, place
from histories import History, histories, plain_histories
from hypothesis import given
from hypothesis import strategies as st
from properties import entries_of, tried

from ledger import merkle
from ledger.append import append_events
from ledger.errors import MistakeError, TamperedError
from ledger.ledger import Ledger
from ledger.recompute import fold
from ledger.recompute.columns import EVENT, SUBJECT, event_row, key_of, subject_rows
from ledger.recompute.compare import check, recompute
from ledger.recompute.engine import TEXTS, text_of
from ledger.recompute.manifest import digest
from ledger.recompute.write import export
from ledger.store.source import source
from ledger.v1.custody_pb2 import (
    Apprehended,
    BookedIn,
    BookedOut,
    Placed,
    ReferredToOrr,
    Released,
    TransferArrived,
    TransferDeparted,
    TransferRefused,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.identity_pb2 import PersonRegistered, PersonsLinkedAsSame
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.separation_pb2 import Reunified, Separated
from projections.history import facts
from projections.valid_time import to_us

WIDTH = 16
LATER_US = to_us(day(200))

Rows = dict[str, list[tuple[Any, ...]]]


# Any history, on both engines.


def told(events: Sequence[Event]) -> tuple[list[Any], list[Any]]:
    """The rows of events and of subjects that files of these events have."""
    entries = [(at, Entry(event=one)) for at, one in enumerate(events, 1)]
    return (
        [event_row(at, one, merkle.leaf_hash(b"")) for at, one in entries],
        [row for at, one in entries for row in subject_rows(at, one)],
    )


def computed(connection: Any, events: Sequence[Event], as_of_us: int, size: int) -> Rows:
    """What the texts make of these events."""
    for name, columns, rows in zip(
        ("event", "subject"), (EVENT, SUBJECT), told(events), strict=True
    ):
        typed = ", ".join(f"{one} {kind}" for one, kind in columns.items())
        connection.execute(f"CREATE TABLE {name} ({typed})")
        marks = ", ".join("?" * len(columns))
        for row in rows:
            connection.execute(f"INSERT INTO {name} VALUES ({marks})", row)
    connection.execute("CREATE TABLE basis (as_of_us BIGINT, size BIGINT)")
    connection.execute("INSERT INTO basis VALUES (?, ?)", (as_of_us, size))
    for name in TEXTS:
        connection.execute(text_of(name))
    wanted = (*fold.TABLES, "not_compared")
    return {name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in wanted}


def folded(history: History, as_of_us: int, size: int, left_out: Sequence[tuple[Any, ...]]) -> Rows:
    """What the fold makes of the same, without those who are not compared."""
    made: Rows = {name: [] for name in fold.TABLES}
    census = fold.Census()
    reasons: dict[int, set[str]] = {}
    for key, reason in left_out:
        reasons.setdefault(key, set()).add(reason)
    for person in history.people:
        known = facts(entries_of(history, person, size), person)
        if not known:
            continue
        key = key_of(person)
        if not reasons.get(key, set()) & {"linked", "zones"}:
            made["separation"] += fold.separations(person, known, as_of_us)
        if key not in reasons:
            periods = list(fold.custody_periods(person, known))
            census.add(periods)
            made["custody_period"] += periods
            made["in_care"] += fold.in_care(person, known, as_of_us)
    made["census"] += census.rows()
    return {name: sorted(rows) for name, rows in made.items()}


@tried(25)
@given(st.one_of(histories(), plain_histories()), st.data())
def test_the_texts_say_of_any_history_what_the_fold_says(history: History, data: Any) -> None:
    events = history.events
    size = data.draw(st.sampled_from(history.sizes))
    starts = sorted({to_us(one.valid_time.time.ToDatetime(day(1).tzinfo)) for one in events})
    as_of_us = data.draw(st.sampled_from(starts)) + data.draw(st.integers(-1, 1))

    with closing(duckdb.connect()) as one, closing(sqlite3.connect(":memory:")) as other:
        found = computed(one, events, as_of_us, size)
        assert found == computed(other, events, as_of_us, size)

    left_out = found.pop("not_compared")
    assert found == folded(history, as_of_us, size, left_out)


@pytest.mark.parametrize("database_url", STORES[1:], indirect=True)
def test_the_texts_run_unchanged_on_postgresql(database_url: str) -> None:
    events = [one for some in told_history() for one in some]
    asked = (events, to_us(day(20)), len(events))
    url = database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as other, closing(duckdb.connect()) as one:
        other.cursor_factory = psycopg.RawCursor
        numbered = SimpleNamespace(
            execute=lambda sql, values=(): other.execute(marked(sql), values)
        )
        assert computed(numbered, *asked) == computed(one, *asked)


def marked(sql: str) -> str:
    """A statement with the marks for values that PostgreSQL has."""
    for number in count(1):
        if "?" not in sql:
            return sql
        sql = sql.replace("?", f"${number}", 1)
    raise AssertionError


def test_who_is_not_compared_is_named() -> None:
    """What one set of rows cannot say is counted by its reason, and nothing else is left out."""
    linked, same, disputed, refused, referred, free, hour = (id_of(str(one)) for one in range(7))
    moved = {"transfer_id": id_of("t"), "person_ids": [refused]}
    events = [
        event(Apprehended(person_ids=[disputed, refused, referred, free, hour], agency="CBP"), 1),
        event(PersonsLinkedAsSame(person_ids=[linked, same]), 2),
        event(Released(person_id=disputed, agency="ICE", reason_code="REPATRIATED"), 2),
        event(TransferDeparted(**moved, from_agency="CBP", to_agency="ORR"), 2),
        event(TransferRefused(**moved, agency="ORR", reason_text="full"), 3),
        # ORR lets go whom it was to take, and whom nobody held: neither contradicts anything.
        event(ReferredToOrr(child_id=referred, referring_agency="CBP"), 2),
        event(Released(person_id=referred, agency="ORR", reason_code="SPONSOR_UNSPECIFIED"), 3),
        event(Released(person_id=free, agency="CBP", reason_code="REPATRIATED"), 4),
        event(Released(person_id=free, agency="ICE", reason_code="REPATRIATED"), 5),
        event(BookedOut(person_id=hour, agency="CBP", facility=place("Elsewhere")), 2),
    ]
    with closing(duckdb.connect()) as connection:
        found = computed(connection, events, LATER_US, len(events))

    assert {*found["not_compared"]} == {
        (key_of(linked), "linked"),
        (key_of(same), "linked"),
        (key_of(disputed), "disputed"),
        (key_of(refused), "refused"),
    }
    assert {row[0] for row in found["custody_period"]} == {*map(key_of, (referred, free, hour))}


def test_a_day_is_counted_at_its_first_moment() -> None:
    """Who comes and goes within a day is in no census, who is there at midnight is."""
    early, late = id_of("early"), id_of("late")
    hours = {"precision": MINUTE}
    events = [
        event(BookedIn(person_id=early, agency="CBP", facility=place("A  b")), day(1), **hours),
        event(BookedIn(person_id=late, agency="CBP", facility=place("a B")), day(1.5), **hours),
        event(
            Released(person_id=late, agency="CBP", reason_code="REPATRIATED"), day(1.75), **hours
        ),
        event(Released(person_id=early, agency="CBP", reason_code="REPATRIATED"), day(3), **hours),
    ]
    with closing(sqlite3.connect(":memory:")) as connection:
        found = computed(connection, events, to_us(day(2)), len(events))

    first = to_us(day(1)) // 86_400_000_000
    assert found["census"] == [("CBP", "a b", first, 1), ("CBP", "a b", first + 2, 0)]
    assert found["in_care"] == [(key_of(early), "CBP", "a b")]


# A ledger of each store.


def told_history() -> list[list[Event]]:
    """Children and mothers, in custody here and there, separated, some together again."""
    appends: list[list[Event]] = []
    for number in range(12):
        child, mother, transfer = (id_of(f"{kind}-{number}") for kind in ("child", "mother", "t"))
        moved = {"transfer_id": transfer, "person_ids": [child]}
        apart = {"child_id": child, "adult_ids": [mother], "agency": "CBP"}
        false = id_of(f"false-{number}")
        on = 1 + number
        appends.append(
            [
                event(PersonRegistered(person_id=child, stated_age_years=4), on),
                event(Apprehended(person_ids=[child, mother], agency="CBP"), on),
                event(Separated(**apart, reason_codes=["ZERO_TOLERANCE"]), on + 1),
                event(TransferDeparted(**moved, from_agency="CBP", to_agency="ORR"), on + 1),
                event(
                    TransferArrived(**moved, agency="ORR", facility=place('Casa, "Uno"')), on + 2
                ),
                event(Placed(child_id=child, agency="ORR", facility=place("Casa\tDos")), on + 9),
                event(
                    Released(person_id=child, agency="ORR", reason_code="SPONSOR_UNSPECIFIED"),
                    on + 5,
                    event_id=false,
                ),
                event(Retracted(retracted_event_id=false, reason_text="her brother"), on + 6),
            ]
        )
        if number % 2:
            appends[-1].append(event(Reunified(**apart), on + 40))
    return appends


def append_all(ledger: Ledger, appends: Sequence[Sequence[Event]]) -> None:
    for one in appends:
        append_events(ledger, AppendEventsRequest(events=one), 20)


@pytest.fixture
def told_url(database_url: str) -> str:
    """The URL of a ledger with that history: 102 entries, of which 96 are in closed ranges."""
    with closing(Ledger(database_url)) as ledger:
        append_all(ledger, told_history())
    return database_url


def written(url: str, folder: Path, **options: Any) -> Any:
    with source(url) as log:
        return export(*log, folder, width=WIDTH, **options)


def compared(url: str, folder: Path, as_of_us: int = LATER_US, size: int | None = None) -> Any:
    with source(url) as log:
        found = check(folder)
        return recompute(folder, found, as_of_us, size or found.size, log=log)


def names_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_files_are_written_once_and_say_what_the_ledger_says(told_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    made = written(told_url, folder)

    assert [(one.first, one.last) for one in made.parts] == [
        (at, at + WIDTH - 1) for at in range(1, 97, WIDTH)
    ]
    assert len(names_in(folder)) == 1 + 2 * len(made.parts)
    before = {one.name: one.stat().st_mtime_ns for one in folder.glob("*.parquet")}

    with closing(Ledger(told_url)) as ledger:
        size = ledger.log.entries.size()
        assert made.parts[2].log_root == ledger.log.tree.root(48).hex()
        assert made.root == ledger.log.tree.root(96).hex()
    opened = written(told_url, folder, with_open=True)
    assert (opened.size, size) == (102, 102)
    after = {one.name: one.stat().st_mtime_ns for one in folder.glob("*.parquet")}
    assert before.items() < after.items()

    found = compared(told_url, folder)
    assert found.ok
    assert found.is_compared
    assert (found.persons, found.not_compared) == (24, {})
    rows = {one.name: one.rows for one in found.tables}
    # Taken in, sent, received, moved and, every other one, free again; the mothers once.
    assert rows == {
        "custody_period": 12 * 5 + 6,
        "census": rows["census"],
        "separation": 12,
        "in_care": 18,
        "event": 102,
        "subject": 144,
    }
    assert compared(told_url, folder, size=40).ok
    assert compared(told_url, folder, as_of_us=to_us(day(9.3))).ok

    # An open range is written again when there is more of it, and its files go.
    with closing(Ledger(told_url)) as ledger:
        append_all(
            ledger, [[event(PersonRegistered(person_id=id_of(f"more-{i}")))] for i in range(12)]
        )
    again = written(told_url, folder)
    assert again.size == 112
    assert names_in(folder) == sorted(
        ["manifest.json", *(file.name for part in again.parts for file in part.files)]
    )
    assert compared(told_url, folder).ok


def test_no_personal_field_is_in_a_file(told_url: str, tmp_path: Path) -> None:
    made = written(told_url, tmp_path)
    assert made.parts
    for one in tmp_path.glob("events-*.parquet"):
        rows = duckdb.sql(f"SELECT * FROM '{one}'").fetchall()
        assert "her brother" not in str(rows)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_entry_that_is_not_the_one_that_was_hashed_is_not_written(
    told_url: str, tmp_path: Path
) -> None:
    with closing(raw(told_url)) as connection:
        data = connection.execute(
            "SELECT data FROM entry WHERE log = 1 AND position = 20"
        ).fetchone()[0]
        other = data.replace(b"test", b"tesu")
        connection.execute("UPDATE entry SET data = ? WHERE log = 1 AND position = 20", (other,))
    with pytest.raises(TamperedError, match="entries 17 to 32"):
        written(told_url, tmp_path)
    # What was whole is there, and named.
    assert [(one.first, one.last) for one in check(tmp_path).parts] == [(1, 16)]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rewrite(folder: Path, change: str, number: int = 1, what: str = "events") -> None:
    """Change rows of a file as a careful hand would, what the manifest says of it too."""
    made = json.loads((folder / "manifest.json").read_text())
    file = made["parts"][number][what]
    path = folder / file["name"]
    with closing(duckdb.connect()) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * FROM '{path}'")
        connection.execute(change)
        connection.execute(f"COPY (SELECT * FROM t ORDER BY position) TO '{path}' (FORMAT parquet)")
        file["rows"] = connection.execute("SELECT count(*) FROM t").fetchone()[0]
    file["sha256"] = digest(path)
    (folder / "manifest.json").write_text(json.dumps(made))


def change_manifest(change: Callable[[Any], None], **values: Any) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        path = folder / "manifest.json"
        made = json.loads(path.read_text())
        change(made["parts"])
        made.update(values)
        path.write_text(json.dumps(made))

    return tamper


SECOND = "events-000000000017-000000000032.parquet"
TOUCHED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a byte of a file": (lambda folder: flip(folder / SECOND), f"{SECOND} is not the file"),
    "a file missing": (lambda folder: (folder / SECOND).unlink(), f"{SECOND} is missing"),
    "a file of another place": (
        change_manifest(lambda parts: parts[1]["events"].update(name="../somewhere.parquet")),
        "is missing",
    ),
    "the root of a range": (
        change_manifest(lambda parts: parts[1].update(subtree_root="00" * 32)),
        f"{SECOND} has leaf hashes of another root",
    ),
    "the root of the log": (
        change_manifest(lambda parts: parts[1].update(log_root="00" * 32)),
        f"{SECOND} does not go on",
    ),
    "the number of rows": (
        change_manifest(lambda parts: parts[1]["subjects"].update(rows=1)),
        "subjects-000000000017-000000000032.parquet has",
    ),
    "the checkpoint": (change_manifest(lambda parts: parts.pop()), "is not a manifest"),
    "a width of nothing": (change_manifest(lambda parts: None, width=0), "is not a manifest"),
    "a part that is none": (change_manifest(lambda parts: parts.insert(1, None)), "is not a manifest"),
    "no parts": (change_manifest(lambda parts: None, parts=None), "is not a manifest"),
    "a name that is none": (
        change_manifest(lambda parts: parts[1]["events"].update(name=5)),
        "is not a manifest",
    ),
    "a range left out": (change_manifest(lambda parts: parts.pop(1)), "the files before it end at 16"),
    "a leaf hash": (
        lambda folder: rewrite(folder, "UPDATE t SET leaf_hash = repeat('0', 64) WHERE position = 20"),
        f"{SECOND} has leaf hashes of another root",
    ),
    "a row deleted": (lambda folder: rewrite(folder, "DELETE FROM t WHERE position = 20"), f"{SECOND} has 15 rows"),
    "a leaf hash that is none": (
        lambda folder: rewrite(folder, "UPDATE t SET leaf_hash = 'x' WHERE position = 20"),
        SECOND,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: Any) -> tuple[str, Path]:
    """A ledger on SQLite and its files, for what does not depend on the store."""
    place = tmp_path_factory.mktemp("recompute")
    url = f"sqlite:///{place / 'ledger.db'}"
    with closing(Ledger(url)) as ledger:
        append_all(ledger, told_history())
    written(url, place / "files")
    return url, place / "files"


@pytest.fixture
def files(whole: tuple[str, Path], tmp_path: Path) -> tuple[str, Path]:
    """A copy of these to be touched."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for one in whole[1].iterdir():
        (copy / one.name).write_bytes(one.read_bytes())
    return whole[0], copy


@pytest.mark.parametrize("name", TOUCHED)
def test_files_that_somebody_touched_are_named(name: str, files: tuple[str, Path]) -> None:
    tamper, what = TOUCHED[name]
    tamper(files[1])

    done = ledger_here("audit", "recompute", files[1])
    assert what in done.stderr
    assert done.returncode in (2, 3, 5)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("UPDATE t SET agency = 'ICE' WHERE kind = 'Placed'", "custody_period"),
        ("UPDATE t SET facility_key = 'casa tres' WHERE kind = 'Placed'", "in_care"),
        ("UPDATE t SET valid_us = valid_us + 86400000000 WHERE kind = 'Apprehended'", "census"),
        ("UPDATE t SET kind = 'LocationConfirmed' WHERE kind = 'Separated'", "separation"),
    ],
)
def test_a_row_that_says_something_else_is_shown(
    change: str, table: str, files: tuple[str, Path]
) -> None:
    """The leaf hashes are those of the log; only the fold knows what the entries say."""
    url, folder = files
    rewrite(folder, change)
    assert ledger_here("audit", "recompute", folder).returncode == 0

    done = ledger_here(
        *("audit", "recompute", folder, "--database", url, "--as-of", "2018-11-01", "-o", "json")
    )
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"]) == (5, False)
    differing = {one["name"]: one for one in said["tables"] if one["differing_buckets"]}
    assert table in differing
    sides = Counter(one["only"] for one in differing[table]["differences"])
    assert sides.keys() <= {"files", "fold"}
    assert sides


@pytest.mark.parametrize(
    ("change", "what"),
    [
        # Of these the texts would leave people out, or say the same.
        ("UPDATE t SET kind = 'PersonsLinkedAsSame' WHERE kind = 'PersonRegistered'", "events"),
        ("UPDATE t SET kind = 'TransferRefused' WHERE kind = 'Placed'", "events"),
        ("UPDATE t SET codes = 'X' WHERE position = 19", "events"),
        ("UPDATE t SET actor_agency = 'ZZ' WHERE position = 19", "events"),
        ("UPDATE t SET record_us = 0 WHERE position = 19", "events"),
        ("UPDATE t SET facility = NULL WHERE position = 19", "events"),
        ("UPDATE t SET event_id = 'x' WHERE position = 17", "events"),
        ("DELETE FROM t WHERE role = 'adult_ids'", "subjects"),
    ],
)
def test_every_column_of_the_files_is_compared_with_the_entries(
    change: str, what: str, files: tuple[str, Path]
) -> None:
    url, folder = files
    rewrite(folder, change, what=what)

    found = compared(url, folder)
    table = next(one for one in found.tables if one.name == what.removesuffix("s"))
    assert table.differing == [17]
    assert {"log"} <= {side for side, _ in table.differences} <= {"files", "log"}
    assert not found.ok


def test_who_is_disputed_is_compared_where_she_was_separated(tmp_path: Path) -> None:
    """And a text that means nothing elsewhere is a text, in a folder of any name."""
    child, url, folder = id_of("child"), f"sqlite:///{tmp_path / 'l.db'}", tmp_path / "[a]*?'"
    apart = {"child_id": child, "adult_ids": [id_of("mother")], "agency": "CBP"}
    (tmp_path / "aa?'").mkdir()
    events = [
        event(BookedIn(person_id=child, agency="CBP", facility=place("\\N")), 1),
        event(Separated(**apart), 2),
        event(Released(person_id=child, agency="ICE", reason_code="REPATRIATED"), 3),
        *(event(BookedIn(person_id=id_of("other"), agency="CBP", facility=place("\\N")), 1),),
    ]
    with closing(Ledger(url)) as ledger:
        append_all(ledger, [events])
    written(url, folder, with_open=True)

    found = compared(url, folder)
    assert found.ok, found.tables
    assert found.not_compared == {"disputed": 1}
    assert {one.name: one.rows for one in found.tables}["separation"] == 1
    (name,) = (one.name for one in folder.glob("events-*"))
    (tmp_path / "copy.parquet").write_bytes((folder / name).read_bytes())
    kept = duckdb.sql(f"SELECT DISTINCT facility FROM '{tmp_path}/copy.parquet'").fetchall()
    assert sorted(kept) == [("",), ("\\N",)]


def test_files_of_an_export_that_was_killed_are_cleared_away(files: tuple[str, Path]) -> None:
    """Whoever reads by `events-*` counts nothing twice; a file that is gone is written again."""
    url, folder = files
    whole = names_in(folder)
    (folder / "events-000000000097-000000000100.parquet").write_bytes(b"older")
    (folder / "notes.txt").write_text("of somebody's own")
    (folder / SECOND).unlink()
    written(url, folder)
    assert names_in(folder) == sorted([*whole, "notes.txt"])
    assert compared(url, folder).ok

    change_manifest(lambda _: None, words=1)(folder)
    done = ledger_here("audit", "recompute", folder, "--database", url)
    assert (done.returncode, "other words" in done.stderr) == (2, True)
    written(url, folder)
    assert compared(url, folder).ok


def test_an_export_is_for_its_owner_alone(told_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    written(told_url, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}


def test_what_was_not_compared_is_not_said_to_be_the_same(files: tuple[str, Path]) -> None:
    said = ledger_here("audit", "recompute", files[1]).stdout
    assert "not compared with a log" in said
    assert (
        json.loads(ledger_here("audit", "recompute", files[1], "-o", "json").stdout)["ok"] is None
    )


def test_an_export_that_has_no_range_yet_says_how_to_get_one(
    whole: tuple[str, Path], tmp_path: Path
) -> None:
    said = ledger_here("export", "parquet", tmp_path / "new", "--database", whole[0]).stdout
    assert "no range is complete yet: --open" in said


def test_who_was_together_before_is_apart_since(tmp_path: Path) -> None:
    """A reunification ends what was before it alone; of one moment, the last holds."""
    child = id_of("child")
    apart = {"child_id": child, "adult_ids": [id_of("mother")], "agency": "CBP"}
    events = [
        event(Apprehended(person_ids=[child], agency="CBP"), 1),
        event(BookedIn(person_id=child, agency="CBP", facility=place("A")), 1),
        event(Separated(**apart), 2),
        event(Reunified(**apart), 3),
        event(Separated(**apart), 4),
    ]
    with closing(sqlite3.connect(":memory:")) as connection:
        found = computed(connection, events, LATER_US, len(events))
    assert [row[3] for row in sorted(found["separation"], key=lambda row: row[2])] == [1, 0]
    assert all(from_us < to for _, from_us, to, *_ in found["custody_period"])
    # The documented key, by which an outsider finds somebody.
    assert key_of("a") == 0x654BC089650DDEE5


def test_files_of_another_log_are_refused(files: tuple[str, Path], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with closing(Ledger(url)) as ledger:
        append_all(ledger, reversed(told_history()))
    for command in (
        ("audit", "recompute", files[1], "--database", url),
        ("export", "parquet", files[1], "--database", url),
    ):
        done = ledger_here(*command)
        assert done.returncode == 5
        assert "another" in done.stderr


def test_bad_input_is_named(files: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = files
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.json").write_text("[]")
    (tmp_path / "worse" / "manifest.json").mkdir(parents=True)
    for arguments, code, what in (
        (("audit", "recompute", tmp_path / "empty"), 2, "there is no"),
        (("audit", "recompute", tmp_path / "bad"), 2, "is not a manifest"),
        (("audit", "recompute", tmp_path / "worse"), 2, "cannot be read"),
        (("audit", "recompute", tmp_path / "file"), 2, "cannot be read"),
        (("audit", "recompute", folder, "--at-size", "97"), 2, "the files have 96 entries, not 97"),
        (("audit", "recompute", folder, "--at-size", "0"), 2, "the files have 96 entries, not 0"),
        (("audit", "recompute", folder, "--database", "sqlite:///nowhere.db"), 2, "there is no file"),
        (("audit", "recompute", folder, "--as-of", "yesterday"), 2, "not a time"),
        (("export", "parquet", tmp_path / "file", "--database", url), 3, "cannot be written"),
        (("export", "parquet", tmp_path / "new", "--database", "sqlite:///nowhere.db"), 2, "there is no file"),
    ):  # fmt: skip
        done = ledger_here(*arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        assert what in " ".join(done.stderr.split()), done.stderr
    with pytest.raises(MistakeError):
        check(tmp_path / "empty")


def test_a_plain_engine_needs_nothing_of_ours(whole: tuple[str, Path]) -> None:
    """As docs/recompute.md tells an outsider: DuckDB, the files and the texts."""
    guide = (Path(__file__).parents[1] / "docs" / "recompute.md").read_text(encoding="utf-8")
    script = guide.split("```sql\n")[1].split("```")[0].replace("audit-2019", str(whole[1]))
    with closing(duckdb.connect()) as connection:
        for line in script.split(";"):
            if ".read" in line:
                continue
            connection.execute(line) if line.strip() else None
        for name in TEXTS:
            assert f".read {name}.sql" in guide
            connection.execute(text_of(name))
        found = connection.execute("SELECT count(*) FROM separation WHERE is_reunified = 0")
        assert found.fetchall() == [(7,)]  # the last reunification is in the open range
    for columns in (EVENT, SUBJECT, *fold.TABLES.values()):
        for name in columns:
            assert f"`{name}`" in guide, name

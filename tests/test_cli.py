"""The command line: the forms that others script against, the exit codes, the demo, the page."""

import json
import re
import subprocess
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from commands import (
    LEDGER,
    ROOT,
    Served,
    answer,
    environment,
    ledger,
    ledger_here,
    lines_of,
    serving,
)
from conftest import raw
from events import MINUTE, event, id_of, place
from google.type.date_pb2 import Date

from ledger.demo import story
from ledger.rpc.client import Client
from ledger.v1.audit_service_pb2 import GetCheckpointRequest
from ledger.v1.custody_pb2 import (
    Apprehended,
    CarriedLinks,
    Placed,
    Released,
    TransferArrived,
    TransferDeparted,
)
from ledger.v1.family_pb2 import RelationshipAsserted, RelationshipKind
from ledger.v1.identity_pb2 import (
    IdentifierAsserted,
    PersonRegistered,
    PersonsDeclaredDistinct,
    PersonsLinkedAsSame,
    SpecialNeedRecorded,
)
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.oversight_pb2 import (
    ClassMembershipDetermined,
    InformationRequested,
    NumberPublished,
)
from ledger.v1.separation_pb2 import (
    CommunicationOccurred,
    ReunificationCaseOpened,
    ReunificationStepCompleted,
    Separated,
)

CHILD = id_of("p-1")
HASH = re.compile(r"^[0-9a-f]{64}$")
STAMP = ["as_of_time", "known_at_time", "root", "size"]


def append(address: str, *events) -> None:
    with Client(address) as client:
        client.ledger.AppendEvents(AppendEventsRequest(events=events))


def history(address: str) -> None:
    append(address, event(Apprehended(person_ids=[CHILD], agency="CBP"), 1))
    append(
        address, event(Placed(child_id=CHILD, agency="ORR", facility=place("Casa  Robledal")), 3)
    )


def test_a_roster_has_the_form_that_others_script_against(sqlite_server) -> None:
    history(sqlite_server.address)

    found = answer(
        "roster", "--agency", "ORR", "--as-of", "2018-05-03", "--server", sqlite_server.address
    )

    assert list(found) == ["count", "people", "stamp"]
    assert found["count"] == 1
    assert found["people"][0]["person_id"] == CHILD
    assert sorted(found["stamp"]) == STAMP
    assert found["stamp"]["size"] == 2
    assert HASH.match(found["stamp"]["root"])
    assert found["stamp"]["as_of_time"] == "2018-05-03T23:59:59.999999Z"


def test_a_stamp_gives_its_answer_again(sqlite_server) -> None:
    history(sqlite_server.address)
    question = ("roster", "--agency", "ORR", "--server", sqlite_server.address)
    first = answer(*question)
    append(sqlite_server.address, event(Apprehended(person_ids=[id_of("p-2")], agency="ORR"), 2))
    stamp = first["stamp"]

    for known in (
        ("--at-size", stamp["size"]),
        ("--known-at", stamp["size"]),
        ("--known-at", stamp["known_at_time"]),
    ):
        assert answer(*question, "--as-of", stamp["as_of_time"], *known) == first
    assert answer(*question)["count"] == 2


def test_a_facility_is_found_however_it_is_spaced_and_cased(sqlite_server) -> None:
    history(sqlite_server.address)

    found = answer("roster", "--facility", "casa robledal", "--server", sqlite_server.address)

    assert found["count"] == 1
    unknown = ledger("roster", "--facility", "Casa Nada", "--server", sqlite_server.address)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("ledger: FACILITY_NOT_FOUND: facility:")


def test_a_day_as_of_is_the_whole_day_and_before_it_there_is_no_record(sqlite_server) -> None:
    history(sqlite_server.address)

    def status(as_of: str) -> str:
        return answer("person", "show", CHILD, "--as-of", as_of, "--server", sqlite_server.address)[
            "custody"
        ]["status"]

    assert status("2018-04-30") == "UNSPECIFIED"
    assert status("2018-05-01") == "HELD"
    assert status("2018-04-30T23:59:59.999999Z") == "UNSPECIFIED"
    assert status("2018-05-01T00:00:00Z") == "HELD"
    assert status("2018-04-30T19:00:00-05:00") == "HELD"


@pytest.mark.parametrize(
    "command",
    [
        ("person", "show", CHILD),
        ("person", "timeline", CHILD),
        ("family", "show", CHILD),
        ("roster", "--agency", "orr"),
        ("separation", "list"),
    ],
)
def test_a_table_ends_with_what_to_cite(sqlite_server, command) -> None:
    history(sqlite_server.address)

    done = ledger(*command, "--server", sqlite_server.address)

    assert done.returncode == 0, done.stderr
    cited = answer(*command, "--server", sqlite_server.address)["stamp"]
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith(f"Cite this: size {cited['size']}, root {cited['root']}, as of 20")


EXITS = {
    "done": (("roster", "--agency", "ORR", "--count"), 0, ""),
    "refused": (("person", "show", id_of("nobody")), 1, "SUBJECT_NOT_FOUND: person_id"),
    "no such command": (("rooster",), 2, "No such command"),
    "no such agency": (("roster", "--agency", "FBI"), 2, "UNKNOWN_CODE: agency"),
    "no such time": (("roster", "--agency", "ORR", "--as-of", "soon"), 2, "--as-of"),
    "a time to come": (
        ("roster", "--agency", "ORR", "--known-at", "2199-01-01T00:00Z"),
        2,
        "KNOWN_AT_IN_FUTURE: basis.known_at_time",
    ),
    "a size to come": (("roster", "--agency", "ORR", "--at-size", "9"), 1, "SIZE_OUT_OF_RANGE"),
    "nobody named": (("roster",), 2, "name an agency or a facility"),
    "an id that is none": (("person", "show", "x"), 2, "INVALID_REQUEST: person_id"),
}


@pytest.mark.parametrize("case", EXITS)
def test_exit_codes_mean_something(sqlite_server, case) -> None:
    command, code, said = EXITS[case]

    done = ledger(*command, "--server", sqlite_server.address)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("roster", "--agency", "ORR", "--server", "127.0.0.1:1"), 3, "UNREACHABLE"),
        (("serve", "--database", "sqlite:////nowhere/ledger.db"), 3, "cannot be opened"),
        (("serve", "--database", "postgresql://127.0.0.1:1/x"), 3, "cannot be opened"),
        (("audit", "verify", "--database", "sqlite:////nowhere/ledger.db"), 2, "there is no file"),
        (("audit", "verify", "--database", "mysql://x/y"), 2, "SQLite files and PostgreSQL"),
        (("audit", "verify", "--database", "what"), 2, "not like sqlite:///"),
        (("audit", "verify", "--checkpoint=-5:00"), 2, "SIZE:ROOT"),
        (("serve", "--listen", "0.0.0.0:0", "--database", "sqlite:///x.db"), 2, "outside"),
        (("serve", "--listen", "127.0.0.1", "--database", "sqlite:///x.db"), 2, "HOST:PORT"),
        (("roster", "--agency", "ORR", "--as-of", "20180620"), 2, "not a time like"),
        (("roster", "--agency", "ORR", "--as-of", "0001-01-01T00:00+05:00"), 2, "not a time"),
    ],
)
def test_what_is_wrong_or_cannot_be_reached_is_said_in_a_line(
    command, code, said, tmp_path: Path
) -> None:
    done = ledger(*command, cwd=tmp_path)

    assert done.returncode == code, done.stderr
    assert not list(tmp_path.glob("ledger.db*"))
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_serving_stops_in_order_and_starts_again_with_everything(database_url: str) -> None:
    served = Served(database_url)
    history(served.address)
    assert served.terminate() == 0

    with serving(database_url) as address:
        assert answer("roster", "--agency", "ORR", "--server", address)["count"] == 1


def test_a_flipped_byte_is_found_and_its_position_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
    whole = answer("audit", "verify", "--database", url)
    assert (whole["ok"], whole["first_bad_position"]) == (True, None)

    (data,) = raw(url).execute("SELECT data FROM entry WHERE position = 2").fetchone()
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    raw(url).execute("UPDATE entry SET data = ? WHERE position = 2", (flipped,))
    done = ledger("audit", "verify", "--database", url, "-o", "json")

    assert done.returncode == 5
    found = json.loads(done.stdout)
    assert (found["ok"], found["size"], found["first_bad_position"]) == (False, 2, 2)
    assert "position 2: the entry is not the one that was hashed" in done.stderr
    refused = ledger("serve", "--database", url, "--listen", "127.0.0.1:0")
    assert refused.returncode == 5
    assert "from position 2 on" in refused.stderr


def test_a_flipped_byte_in_a_file_is_found_wherever_it_says_something(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
    raw(url).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = tmp_path / "ledger.db"
    content = file.read_bytes()
    at = content.index(b"Casa  Robledal")
    file.write_bytes(content[:at] + b"K" + content[at + 1 :])

    done = ledger("audit", "verify", "--database", url, "-o", "json")

    assert done.returncode == 5
    assert json.loads(done.stdout)["first_bad_position"] == 2


def test_tables_that_do_not_say_what_the_log_says_are_found_and_mended(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
    raw(url).execute("DELETE FROM period WHERE population = 'agency:ORR'")

    found = ledger("audit", "verify", "--database", url, "-o", "json")
    assert found.returncode == 5
    assert json.loads(found.stdout)["first_bad_position"] == 2
    rebuilt = ledger("projection", "rebuild", "custody", "--database", url, "-o", "json")
    assert rebuilt.returncode == 5
    assert not json.loads(rebuilt.stdout)["equal"]

    assert answer("audit", "verify", "--database", url)["ok"]
    assert answer("projection", "rebuild", "custody", "--database", url)["equal"]
    every = answer("projection", "rebuild", "--workers", "1", "--database", url)["projections"]
    assert all(one["equal"] for one in every)
    listed = answer("projection", "list", "--database", url)["projections"]
    assert {one["projection"] for one in every} == {
        one["name"] for one in listed if one["has_tables"]
    }
    assert {one["behind_seconds"] for one in listed} == {None, 0}
    behind = {one["name"]: one["behind"] for one in listed if one["has_tables"]}
    assert behind.keys() >= {"custody", "separation"}
    assert set(behind.values()) == {0}


def test_a_kept_checkpoint_finds_what_the_administrator_rewrote(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
        kept = ledger("audit", "checkpoint", "--server", address).stdout.split()[0]
    assert answer("audit", "verify", "--database", url, "--checkpoint", kept)["ok"]

    other = f"sqlite:///{tmp_path / 'other.db'}"
    with serving(other) as address:
        history(address)
    assert answer("audit", "verify", "--database", other)["ok"]
    done = ledger("audit", "verify", "--database", other, "--checkpoint", kept, "-o", "json")

    assert done.returncode == 5


def test_an_audit_of_a_ledger_that_is_being_written_raises_no_false_alarm(database_url) -> None:
    stopping = threading.Event()

    def write(address: str) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            append(
                address,
                event(Apprehended(person_ids=[id_of(f"p-{number % 50}")], agency="CBP"), 1),
                event(Placed(child_id=CHILD, agency="ORR", facility=place(f"F{number}")), 2),
            )

    with serving(database_url) as address:
        writer = threading.Thread(target=write, args=(address,))
        writer.start()
        try:
            verdicts = [answer("audit", "verify", "--database", database_url) for _ in range(3)]
        finally:
            stopping.set()
            writer.join()

    assert [one["ok"] for one in verdicts] == [True] * 3
    assert verdicts[0]["size"] < verdicts[-1]["size"]


def test_watching_shows_what_is_there_and_then_what_comes(sqlite_server) -> None:
    history(sqlite_server.address)
    watching = subprocess.Popen(
        [*LEDGER, "watch", "--after", "1", "--server", sqlite_server.address, "-o", "json"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    lines = (json.loads(line) for line in watching.stdout)

    assert next(lines)["position"] == 2
    assert next(lines) == {"caught_up": 2}
    append(sqlite_server.address, event(Apprehended(person_ids=[CHILD], agency="CBP"), 9))
    assert next(lines)["position"] == 3

    watching.terminate()
    watching.wait()
    watching.stdout.close()
    finite = ledger("watch", "--finite", "--type", "Placed", "--server", sqlite_server.address)
    assert len(finite.stdout.splitlines()) == 1


def test_the_demo_tells_its_story_and_stops() -> None:
    done = ledger("demo", "--exit")

    assert done.returncode == 0
    for say, _ in story():
        assert say in done.stdout
    assert "roster --agency ORR --as-of 2018-06-20 --count" in done.stdout


def test_the_demo_s_questions_are_answered() -> None:
    demo = subprocess.Popen(
        [*LEDGER, "demo", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
    )
    said = []
    while not said or "Ctrl-C" not in said[-1]:
        said.append(demo.stdout.readline())
    questions = [line.split() for line in said if line.startswith("    ledger ")]

    replies = [ledger(*words[1:]) for words in questions]

    demo.terminate()
    assert demo.wait(timeout=30) == 0
    demo.stdout.close()
    assert [one.returncode for one in replies] == [0] * len(questions)
    now, mistaken, corrected, *_ = (one.stdout for one in replies)
    assert "custody ended by ICE" in now
    assert "custody ended by ORR" in mistaken
    assert "held by ORR at Casa Robledal" in corrected


def test_every_command_is_explained() -> None:
    def commands(*path: str) -> list[tuple[str, ...]]:
        text = ledger_here(*path, "--help").stdout
        assert text, path
        names = re.findall(r"^│ ([a-z]+(?:-[a-z]+)*) {2,}\S", text, re.MULTILINE)
        if not names and path:
            assert path == ("demo",) or "Example: ledger" in text, path
        return [path, *(one for name in names for one in commands(*path, name))]

    found = [" ".join(path) for path in commands()]

    wanted = {
        "demo", "serve", "append", "import check", "import run", "person show", "person timeline",
        "person locate", "identifier resolve", "family show", "likely list", "transfer show",
        "roster", "separation list", "separation count", "class list", "queue list", "queue show",
        "clock list", "clock rules", "list certify", "list show", "list reconcile", "number list",
        "number show", "watch", "audit checkpoint", "audit verify", "audit citation",
        "audit recompute", "export public", "export research", "export parquet",
        "projection list", "projection rebuild", "code list", "access list", "dev-ca",
        "token issue", "token approve", "keys rotate",
    }  # fmt: skip
    groups = {path.rpartition(" ")[0] for path in found}
    assert wanted == set(found) - groups
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in wanted:
        assert f"ledger {name}" in readme, f"the README does not say what `ledger {name}` is for"


def test_a_second_server_on_one_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url):
        done = ledger("serve", "--database", url, "--listen", "127.0.0.1:0")
        rebuilding = ledger("projection", "rebuild", "custody", "--database", url)

    assert done.returncode == rebuilding.returncode == 3
    assert "another process writes" in done.stderr
    assert "another process writes" in rebuilding.stderr


def index_page(url: str, name: str) -> tuple[int, int]:
    """(offset, length) of the first page of an index in an SQLite file."""
    ((page,),) = raw(url).execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,))
    ((size,),) = raw(url).execute("PRAGMA page_size")
    return (page - 1) * size, size


@pytest.mark.parametrize("index", ["sqlite_autoindex_entry_2", "sqlite_autoindex_term_2"])
def test_a_flipped_byte_in_an_index_is_found(tmp_path: Path, index: str) -> None:
    """By them an event that is there already, and a person, are found."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
    raw(url).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    offset, size = index_page(url, index)
    file = tmp_path / "ledger.db"
    content = bytearray(file.read_bytes())
    content[offset + size - 8] ^= 1
    file.write_bytes(content)

    assert ledger("audit", "verify", "--database", url).returncode == 5


def test_a_log_that_was_renamed_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
    raw(url).execute("UPDATE head SET name = 'custodx' WHERE name = 'custody'")

    for command in (("serve", "--listen", "127.0.0.1:0"), ("audit", "verify")):
        done = ledger(*command, "--database", url)
        assert done.returncode == 3
        assert "no log named custody; it has: access, custodx" in done.stderr
    assert raw(url).execute("SELECT count(*) FROM head").fetchone() == (2,)


def test_a_count_of_terms_that_is_wrong_is_found_before_it_stops_an_append(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
    raw(url).execute("UPDATE head SET term_count = term_count - 1")

    assert ledger("audit", "verify", "--database", url).returncode == 5


BOY, MOTHER, AUNT, GIRL = (id_of(name) for name in ("boy", "mother", "aunt", "girl"))
AGAIN, STRANGER, BABY, MAN = (id_of(name) for name in ("again", "stranger", "baby", "man"))
MOVE, CASE, NUMBER = (id_of(name) for name in ("move", "case", "number"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory):
    """The address of a ledger with something of everything, which no test adds to."""
    with serving(f"sqlite:///{tmp_path_factory.mktemp('told') / 'ledger.db'}") as address:
        append(address, *_people(), *_custody(), *_oversight())
        yield address


def _people():
    parent = RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT
    aunt = RelationshipKind.RELATIONSHIP_KIND_AUNT_OR_UNCLE
    for who, birth, nationality in (
        (BOY, Date(year=2012, month=3, day=4), "Honduras"),
        (MOTHER, Date(year=1988, month=1, day=1), "Honduras"),
        (BABY, Date(year=2016, month=1, day=1), "Brazil"),
        (MAN, Date(year=1990, month=1, day=1), "Brazil"),
    ):
        yield event(PersonRegistered(person_id=who, birth_date=birth, nationality_text=nationality))
    for who in (BOY, STRANGER):
        yield event(IdentifierAsserted(person_id=who, scheme="A_NUMBER", value="A-12345678"))
    yield event(RelationshipAsserted(person_id=BOY, relative_id=MOTHER, kind=parent))
    yield event(RelationshipAsserted(person_id=BOY, relative_id=AUNT, kind=aunt))
    yield event(SpecialNeedRecorded(person_id=BOY, need_code="NON_VERBAL", need_text="signs"))
    same = PersonsLinkedAsSame(
        person_ids=[BOY, AGAIN], basis_text="one number", approved_by=["x", "y"]
    )
    yield event(same, 4)
    yield event(PersonsDeclaredDistinct(person_ids=[BOY, STRANGER], reason_text="prints"), 4)


def _custody():
    links = [CarriedLinks(person_id=BOY, relative_ids=[MOTHER])]
    yield event(
        Apprehended(person_ids=[BOY, MOTHER], agency="CBP", place=place("El Paso")),
        1.5,
        precision=MINUTE,
    )
    yield event(
        Apprehended(person_ids=[BABY, MAN], agency="CBP", place=place("Yuma")),
        1.25,
        precision=MINUTE,
    )
    yield event(
        Separated(
            child_id=BOY,
            adult_ids=[MOTHER],
            agency="CBP",
            reason_codes=["ZERO_TOLERANCE"],
            place=place("El Paso"),
        ),
        2,
    )
    yield event(
        Separated(
            child_id=GIRL,
            adult_unknown_reason="not written down",
            agency="CBP",
            reason_codes=["OTHER"],
        ),
        40,
    )
    yield event(
        TransferDeparted(
            transfer_id=MOVE, person_ids=[BOY], from_agency="CBP", to_agency="ORR", links=links
        ),
        5,
    )
    yield event(
        TransferArrived(
            transfer_id=MOVE, person_ids=[BOY], agency="ORR", facility=place("Casa"), links=links
        ),
        7,
        agency="ORR",
    )
    yield event(Placed(child_id=STRANGER, agency="ORR", facility=place("Casa")), 7, agency="ORR")
    yield event(
        CommunicationOccurred(
            child_id=BOY, relative_id=MOTHER, agency="ORR", means_code="TELEPHONE", succeeded=True
        ),
        20,
        agency="ORR",
    )
    yield event(
        ReunificationCaseOpened(case_id=CASE, child_id=BOY, adult_ids=[MOTHER], agency="ORR"),
        30,
        agency="ORR",
    )
    yield event(
        ReunificationStepCompleted(
            case_id=CASE, child_id=BOY, step_code="CHILD_LOCATED", agency="ORR"
        ),
        30,
        agency="ORR",
    )


def _oversight():
    yield event(
        InformationRequested(
            request_id=id_of("request"),
            person_ids=[BOY],
            agency="ORR",
            of_agency="ICE",
            request_text="Where is the mother?",
        ),
        20,
        agency="ORR",
    )
    for who, included in ((BOY, True), (GIRL, False)):
        yield event(
            ClassMembershipDetermined(
                person_id=who, class_code="MS_L_2018", criteria_version="v1", included=included
            ),
            60,
        )
    for value, release in ((2654, "report of July"), (2737, "report of December")):
        yield event(
            NumberPublished(
                number_id=NUMBER,
                agency="ORR",
                title="children separated",
                release_text=release,
                value=value,
            ),
            70,
            agency="ORR",
        )


# For each command what its table says, in this order, and the fields of its JSON.
SAYS = {
    "person show": (
        ("person", "show", BOY, "--as-of", "2018-06-10"),
        [
            f"Person {BOY}: held by ORR at Casa since 2018-05-07",
            "Age: 6 years, born 2012-03-04, a minor",
            "Cannot speak for herself",
            f"Also recorded as: {AGAIN}",
            f"Not the same as: {STRANGER}",
            "NON_VERBAL",
            "A_NUMBER",
            "ZERO_TOLERANCE",
            "biological parent",
            "2018-05-20 TELEPHONE",
            f"Reunification case {CASE}, led by ORR since 2018-05-30, with {MOTHER}",
            "CHILD_LOCATED",
            "L_02",
            "Where is the mother?",
            "STEP_OVERDUE",
        ],
        "findings",
    ),
    "person locate": (
        ("person", "locate", BOY),
        [f"Person {BOY}: held by ORR", "biological parent", "held by CBP", "2018-05-20 TELEPHONE"],
        "relatives",
    ),
    "identifier resolve": (
        ("identifier", "resolve", "a_number", "12345678"),
        ["A_NUMBER 012345678", "conflict", "Persons: 2"],
        "people",
    ),
    "family unit": (
        ("family", "show", BOY, "--definition", "family-unit", "--as-of", "2018-06-10"),
        ["Family unit", BOY],
        "members",
    ),
    "likely list": (
        ("likely", "list"),
        ["2018-05-01T06:00:00Z", "Yuma", "28 years, Brazil", "ADULT_AND_MINOR", "Count: 1"],
        "families",
    ),
    "transfer show": (
        ("transfer", "show", MOVE),
        [
            f"Transfer {MOVE}: arrived, from CBP to ORR",
            "Departed: 2018-05-05",
            "Arrived: 2018-05-07",
            MOTHER,
            "NON_VERBAL",
        ],
        "transfer",
    ),
    "separation list": (
        (
            *("separation", "list", "--since", "2018-05-02", "--before", "2018-05-03"),
            *("--held-by", "orr", "--age-from", "6", "--age-below", "7", "--age-at", "2018-05-02"),
            *("--reason", "zero_tolerance", "--status", "still-apart"),
        ),
        [BOY, "ZERO_TOLERANCE", "still apart", "Children: 1"],
        "separations",
    ),
    "separation count": (
        ("separation", "count", "--by", "month", "--by", "referral-reason"),
        ["month", "referral reason", "2018-05", "2018-06", "Total: 2"],
        "cells",
    ),
    "suppressed": (
        ("separation", "count", "--by", "age", "--suppress-below", "2"),
        ["suppressed", "Suppressed: fewer than 2", "Total: suppressed"],
        "cells",
    ),
    "class list": (("class", "list", "ms_l_2018"), [BOY, "v1", "Count: 1"], "members"),
    "class excluded": (
        ("class", "list", "MS_L_2018", "--excluded", "--count"),
        ["Count: 1"],
        "members",
    ),
    "queue list": (
        ("queue", "list"),
        ["SEPARATION_WITHOUT_PARENT", "Her separation names no adult.", "Empty: ABSCONDED"],
        "queues",
    ),
    "queue show": (
        ("queue", "show", "separation_without_parent"),
        ["error", GIRL, "Persons: 1"],
        "findings",
    ),
    "clock list": (
        ("clock", "list", "l_02", "--state", "missed"),
        [BOY, "missed", "2018-05-02", "2018-05-05", "2018-05-07", "CBP", "Persons: 2"],
        "clocks",
    ),
    "clock soon": (
        ("clock", "list", "L_02", "--within-hours", "90", "--as-of", "2018-05-02", "--count"),
        ["Persons: 1"],
        "clocks",
    ),
    "number list": (("number", "list", "--revised"), ["2654, 2737", "Count: 1"], "numbers"),
    "number show": (
        ("number", "show", NUMBER),
        [
            f"Number {NUMBER}: children separated, of 2018-07-09",
            "Published, and revised",
            "report of July",
            "not this ledger",
            "report of December",
        ],
        "number",
    ),
}


@pytest.mark.parametrize("case", SAYS)
def test_a_question_is_answered_for_people_and_for_programs(told, case) -> None:
    command, says, field = SAYS[case]

    done = ledger(*command, "--server", told)

    assert done.returncode == 0, done.stderr
    lines, at = lines_of(done), 0
    for one in says:
        at = done.stdout.find(one, at)
        assert at >= 0, f"{one!r} is not in its place in:\n{done.stdout}"
    found = answer(*command, "--server", told)
    assert field in found
    stamp = found["stamp"]
    assert sorted(stamp) == STAMP
    assert lines[-1].startswith(f"Cite this: size {stamp['size']}, root {stamp['root']}")


MISTAKES = {
    "a relative of nobody": (("person", "locate", id_of("x")), 1, "SUBJECT_NOT_FOUND: person_id"),
    "a scheme that is none": (("identifier", "resolve", "SSN", "1"), 2, "UNKNOWN_CODE: scheme"),
    "another definition": (
        ("family", "show", BOY, "--definition", "kin"),
        2,
        "kin is none of all-relatives, family-unit",
    ),
    "no such transfer": (("transfer", "show", BOY), 1, "SUBJECT_NOT_FOUND: transfer_id"),
    "another status": (
        ("separation", "list", "--status", "lost"),
        2,
        "lost is none of open, partly-reunified",
    ),
    "an age at no age": (("separation", "list", "--age-at", "2018-05-05"), 2, "--age-at goes with"),
    "counted by nothing": (("separation", "count"), 2, "--by"),
    "counted by something": (("separation", "count", "--by", "sex"), 2, "sex is none of month"),
    "no time to begin": (("separation", "count", "--by", "age", "--since", "May"), 2, "--since"),
    "no such class": (("class", "list", "MINE"), 2, "UNKNOWN_CODE: class_code"),
    "a count of a future": (("queue", "list", "--known-at", "2199-01-01"), 2, "KNOWN_AT_IN_FUTURE"),
    "a likely future": (("likely", "list", "--as-of", "soon"), 2, "--as-of: not a time"),
    "no such queue": (("queue", "show", "MINE"), 2, "UNKNOWN_CODE: rule_code"),
    "no such clock": (("clock", "list", "NOON"), 2, "UNKNOWN_CODE: clock_code"),
    "no such state": (("clock", "list", "L_02", "--state", "late"), 2, "late is none of running"),
    "no server": (("clock", "rules", "--server", "127.0.0.1:1"), 3, "UNREACHABLE"),
    "no such list of codes": (("code", "list", "colours"), 2, "UNKNOWN_CODE: name"),
    "no such number": (("number", "show", BOY), 1, "SUBJECT_NOT_FOUND: number_id"),
    "no count of numbers": (("number", "list", "--at-size", "-1"), 2, "--at-size"),
    "a list of no record": (
        ("list", "reconcile", "x.csv", "--agency", "ORR", "--list", BOY),
        2,
        "--list and --by go with --record",
    ),
    "no such list": (("list", "show", BOY), 1, "SUBJECT_NOT_FOUND: list_id"),
    "a citation of nothing": (("audit", "citation", BOY), 1, "EVENT_NOT_FOUND"),
    "no file to append": (("append", "nowhere.json"), 2, "nowhere.json cannot be read"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named(told, case) -> None:
    command, code, said = MISTAKES[case]
    server = () if "--server" in command else ("--server", told)

    done = ledger_here(*command, *server)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_limits_and_codes_are_shown_with_their_dates(told) -> None:
    rules = ledger("clock", "rules", "--server", told)
    lists = ledger("code", "list", "--server", told)
    one = ledger("code", "list", "clock", "--server", told)

    assert "L_02: 72 hours, owed by CBP (minor)" in rules.stdout
    assert "in force: from 2008-12-23" in rules.stdout
    assert "CHILD_LOCATED: 24 hours, owed by ORR" in rules.stdout
    assert "separation_reason" in lists.stdout
    assert "from 2008-12-23" in one.stdout
    (found,) = answer("code", "list", "clock", "--server", told)["lists"]
    assert found["codes"][0]["attributes"]["limit_hours"] == "48"
    assert [one["name"] for one in answer("clock", "rules", "--server", told)["lists"]] == [
        "clock",
        "reunification_step",
    ]


def test_every_page_of_an_answer_is_read(sqlite_server) -> None:
    with Client(sqlite_server.address) as client:
        for start in range(0, 1_200, 400):
            ids = [id_of(f"p-{number}") for number in range(start, start + 400)]
            events = [
                event(Placed(child_id=one, agency="ORR", facility=place("Casa")), 3) for one in ids
            ]
            client.ledger.AppendEvents(AppendEventsRequest(events=events))

    found = answer("roster", "--agency", "ORR", "--server", sqlite_server.address)

    assert found["count"] == 1_200
    assert len({one["person_id"] for one in found["people"]}) == 1_200


def certified(address: str, *question: str, title: str = "In care", **more: str):
    """What is answered to the certification of a question's citation, given on standard input."""
    cited = ledger(*question, "--cite", "--server", address)
    assert cited.returncode == 0, cited.stderr
    options = [part for name, value in more.items() for part in (f"--{name}", value)]
    return ledger(
        *("list", "certify", title, "--agency", "orr", "--server", address, *options),
        given=cited.stdout,
    )


def test_a_list_is_certified_shown_and_computed_again(sqlite_server, tmp_path: Path) -> None:
    address = sqlite_server.address
    history(address)
    cited = answer(
        "roster", "--agency", "ORR", "--as-of", "2018-06-01", "--cite", "--server", address
    )
    file = tmp_path / "citation.json"
    file.write_text(json.dumps(cited))

    assert cited["query"] == '{"ListRoster":{"agency":"ORR"}}'
    assert cited["count"] == 1
    assert cited["sha256"] == sha256(f"{CHILD}\n".encode()).hexdigest()
    command = ("list", "certify", "In care", "--agency", "ORR", "--citation", file)
    tried = answer(*command, "--dry-run", "--server", address)
    done = answer(*command, "--server", address)
    assert tried["appended"]["receipts"][0]["position"] == 0
    assert done["appended"]["receipts"][0]["position"] == 3

    again = certified(
        address, "roster", "--agency", "ORR", "--as-of", "2018-06-01", list=done["list_id"]
    )
    assert again.returncode == 0, again.stderr
    assert f"List {done['list_id']}: certified: " in again.stdout
    assert "Findings: none" in again.stdout
    shown = answer("list", "show", done["list_id"], "--server", address)["list"]
    assert [one["citation"]["count"] for one in shown["certifications"]] == [1, 1]
    table = ledger("list", "show", done["list_id"], "--server", address)
    assert f"List {done['list_id']}: In care" in table.stdout

    verified = answer("audit", "citation", done["event_id"], "--server", address)
    assert verified["reproduced"]
    assert verified["entered_person_ids"] == []
    late, gone = (
        id_of("p-2"),
        event(Released(person_id=CHILD, agency="ORR", reason_code="OTHER"), 9),
    )
    append(address, event(Placed(child_id=late, agency="ORR", facility=place("Casa")), 5), gone)
    since = ledger("audit", "citation", done["event_id"], "--server", address)
    assert since.returncode == 0
    said = lines_of(since)
    assert said[0].startswith("reproduced: ")
    assert said[1] == "known now, at size 6: 1"
    assert said.index("Entered since") < said.index(late) < said.index("Left since")
    assert said.index("Left since") < said.index(CHILD)


@pytest.mark.parametrize(
    "question",
    [
        ("separation", "list", "--age-below", "7", "--all"),
        ("queue", "show", "MINOR_UNLINKED"),
        ("clock", "list", "L_03", "--state", "missed"),
        ("class", "list", "FLORES"),
    ],
)
def test_whatever_has_an_answer_of_persons_can_be_certified(sqlite_server, question) -> None:
    history(sqlite_server.address)

    done = certified(sqlite_server.address, *question, output="json")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["appended"]["findings"] == []
    assert answer("audit", "citation", found["event_id"], "--server", sqlite_server.address)[
        "reproduced"
    ]


def test_a_citation_that_does_not_come_out_again_is_found(sqlite_server, tmp_path: Path) -> None:
    address = sqlite_server.address
    history(address)
    cited = answer("roster", "--agency", "ORR", "--cite", "--server", address)
    file = tmp_path / "citation.json"
    certify = ("list", "certify", "In care", "--agency", "ORR", "--citation", file)
    file.write_text(json.dumps({**cited, "count": 2_000}))

    done = ledger(*certify, "--server", address)
    (event_id,) = (one.split()[1] for one in lines_of(done) if one.startswith("Event: "))
    verified = ledger("audit", "citation", event_id, "--server", address)
    plain = ledger("audit", "citation", event_id, "--server", address, "-o", "json")

    assert "CITATION_NOT_REPRODUCED" in done.stdout
    assert verified.returncode == plain.returncode == 5
    assert verified.stdout.startswith("not reproduced: ")
    assert not json.loads(plain.stdout)["reproduced"]
    for text in ("[]", "{}", '{"query": 1}', json.dumps({**cited, "root": "xyz"})):
        file.write_text(text)
        broken = ledger(*certify, "--server", address)
        assert (broken.returncode, "not a citation" in broken.stderr) == (2, True), broken.stderr
    file.write_text("{")
    assert "MALFORMED_REQUEST" in ledger(*certify, "--server", address).stderr


def test_a_list_is_compared_row_by_row_and_the_outcome_recorded(
    told, sqlite_server, tmp_path
) -> None:
    file = tmp_path / "orr.csv"
    file.write_text(
        f"person_id,scheme,value,facility\n,A_NUMBER,A-12345678,\n{BOY},,,Casa\n\n{MOTHER},,,\n"
    )
    command = ("list", "reconcile", file, "--agency", "ORR", "--as-of", "2018-06-10")

    found = answer(*command, "--server", told)
    table = ledger(*command, "--server", told)

    assert [one["reason_code"] for one in found["rows"]] == [
        "AMBIGUOUS_IDENTIFIER",
        "HELD_AS_LISTED",
        "HELD_BY_ANOTHER_AGENCY",
        "PERHAPS_LISTED",
    ]
    rows = [line.split()[:2] for line in lines_of(table) if "_" in line]
    assert rows == [["different", "2"], ["missing", "5"], ["extra", "not"]]
    assert "Matched: 1, missing: 1, extra: 1, different: 1" in table.stdout
    assert lines_of(table)[-1].startswith("Cite this: ")

    address = sqlite_server.address
    history(address)
    file.write_text(f"\ufeffperson_id\r\n{CHILD}\r\n", encoding="utf-8")
    recording = ("list", "reconcile", file, "--agency", "ORR", "--record", "Weekly")
    recorded = answer(*recording, "--server", address)
    again = ledger(*recording, "--list", recorded["list_id"], "--server", address)
    assert recorded["compared"]["matched"] == 1
    assert f"List {recorded['list_id']}: recorded" in again.stdout
    shown = answer("list", "show", recorded["list_id"], "--server", address)["list"]
    assert [one["matched"] for one in shown["reconciliations"]] == [1, 1]
    assert shown["reconciliations"][0]["file_sha256"] == sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no header line"),
        (b"name\nx\n", "line 1: 'name' is no column of person_id, scheme, value, issuer, facility"),
        (b"facility\nCasa\n", "line 1: there is no column person_id, nor scheme and value"),
        (b"value,value,scheme\n", "line 1: the column value is there twice"),
        (b"person_id,facility\n\nx\n", "line 3: has 1 cells, not 2"),
        (b"scheme,value\nA_NUMBER,\n", "line 2: give person_id, or scheme and value"),
        (b'scheme,value\nA_NUMBER,"1"2\n', "line 2: not CSV"),
        (b"person_id\n\xff\n", "byte 10 is not UTF-8"),
        (b"person_id\n\nnobody\n", "line 3: person_id: must be"),
        (b'facility,scheme,value\n"a\nb",A_NUMBER,1\nc,SSN,1\n', "line 4: identifier.scheme: "),
    ],
)
def test_a_list_that_is_broken_is_refused_by_its_line(told, tmp_path, content, said) -> None:
    file = tmp_path / "broken.csv"
    file.write_bytes(content)

    done = ledger_here("list", "reconcile", file, "--agency", "ORR", "--server", told)

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "broken.csv" in done.stderr
    assert "Traceback" not in done.stderr


def size_of(address: str) -> int:
    with Client(address) as client:
        return client.audit.GetCheckpoint(GetCheckpointRequest()).checkpoint.size


def told_as_json(**changed: object) -> dict[str, object]:
    """An event as a trainee writes it."""
    return {
        "validTime": {
            "time": "2018-05-02T00:00:00Z", "precision": "PRECISION_DAY", "zone": "UTC",
        },
        "source": {"system": "training"},
        "actor": {"agency": "CBP"},
        "separated": {
            "child_id": CHILD,
            "adultUnknownReason": "not written down",
            "agency": "CBP",
            "reason_codes": ["ZERO_TOLERANCE"],
        },
        **changed,
    }  # fmt: skip


def test_a_trainee_sees_what_her_events_cause_before_she_appends_them(
    sqlite_server, tmp_path: Path
) -> None:
    address = sqlite_server.address
    file = tmp_path / "separated.json"
    file.write_text(json.dumps(told_as_json()))

    tried = ledger("append", file, "--dry-run", "--server", address)
    stopped = ledger("append", file, "--strict", "error", "--server", address)
    empty = answer("audit", "checkpoint", "--server", address)
    done = ledger("append", file, "--server", address)

    assert tried.returncode == done.returncode == 0, tried.stderr + done.stderr
    assert "would be appended" in tried.stdout
    for one in (tried, done):
        made = re.search(r"events\[0\]\.event_id made: ([0-9a-f-]{36})$", one.stderr.strip())
        assert made[1] in one.stdout
        assert "SEPARATION_WITHOUT_PARENT" in one.stdout
        assert "events[0].separated.adult_ids" in one.stdout
        assert lines_of(one)[-1].startswith("Cite this: size ")
    assert stopped.returncode == 1
    assert "FINDINGS" in stopped.stderr
    assert "ledger: SEPARATION_WITHOUT_PARENT: events[0].separated" in stopped.stderr
    assert empty["size"] == 0


def test_a_file_is_appended_whole_and_once(sqlite_server, tmp_path: Path) -> None:
    address = sqlite_server.address
    events = [told_as_json(event_id=id_of("e-1")), told_as_json(eventId=id_of("e-2"))]
    text = json.dumps(events)

    first = ledger("append", "-", "--server", address, "-o", "json", given=text)
    second = ledger("append", "-", "--server", address, given=text)

    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert [one["position"] for one in found["receipts"]] == [1, 2]
    assert found["findings_sought"]
    assert "there already" in second.stdout
    assert answer("audit", "checkpoint", "--server", address)["size"] == 2


def test_the_example_of_how_to_append_is_one(sqlite_server) -> None:
    text = " ".join(re.findall(r"^ (.*) $", ledger_here("append", "--help").stdout, re.MULTILINE))
    example = re.search(r'\{"valid_time".*\}\}', text)[0]

    done = ledger("append", "-", "--server", sqlite_server.address, given=example)

    assert done.returncode == 0, done.stderr
    assert "apprehended" in done.stdout


def test_in_many_events_nobody_looks_for_findings_and_that_is_said(sqlite_server) -> None:
    text = json.dumps([told_as_json(event_id=id_of(f"e-{number}")) for number in range(51)])
    command = ("append", "-", "--dry-run", "--server", sqlite_server.address)

    done = ledger(*command, given=text)
    strict = ledger(*command, "--strict", "error", given=text)

    assert "Findings: not looked for" in done.stdout
    assert strict.returncode == 2
    assert "send fewer, or without strict" in strict.stderr


def without(*names: str) -> dict[str, object]:
    return {name: value for name, value in told_as_json().items() if name not in names}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n  'a': 1}", "MALFORMED_REQUEST: -: line 2, column 3: not JSON"),
        ("", "MALFORMED_REQUEST: -: line 1, column 1"),
        ("[" * 100_000, "MALFORMED_REQUEST: -: nested too deeply"),
        ('{"a": NaN}', "MALFORMED_REQUEST: -: NaN is not a number"),
        ('{"event_id": "a", "eventId": "b"}', "MALFORMED_REQUEST: -: eventId is given twice"),
        ("[{}, 5]", "MALFORMED_REQUEST: events[1]: not an event"),
        ("null", "MALFORMED_REQUEST: events[0]: not an event"),
        ("[]", "INVALID_REQUEST: events: "),
        (
            json.dumps(told_as_json(separated={"chidl_id": CHILD})),
            "UNKNOWN_FIELD: events[0].separated: there is no field chidl_id; is childId meant?",
        ),
        (
            json.dumps([told_as_json(), told_as_json(separated={"adult_ids": "x"})]),
            "MALFORMED_REQUEST: events[1].separated.adult_ids: ",
        ),
        (
            json.dumps(told_as_json(separated={"child_id": 5})),
            "MALFORMED_REQUEST: events[0].child_id: expected string",
        ),
        (
            json.dumps(told_as_json(validTime={"precision": "DAY"})),
            "DAY is none of PRECISION_INSTANT, PRECISION_MINUTE",
        ),
        (
            json.dumps(told_as_json(validTime={"time": "yesterday"})),
            "MALFORMED_REQUEST: events[0].validTime.time: ",
        ),
        (json.dumps(told_as_json(placed={})), 'should not have multiple "fact" oneof fields'),
        (json.dumps(without("actor")), "INVALID_REQUEST: events[0].actor: "),
        (json.dumps(told_as_json(actor={"agency": "FBI"})), "UNKNOWN_CODE: events[0].actor.agency"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_by_its_place(told, text, said) -> None:
    before = size_of(told)

    done = ledger_here("append", "-", "--server", told, given=text)

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert size_of(told) == before

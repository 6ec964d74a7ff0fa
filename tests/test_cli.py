"""The command line: the forms that others script against, the exit codes, the demo, the page."""

import json
import re
import subprocess
import threading
from pathlib import Path

import pytest
from commands import ENVIRONMENT, LEDGER, ROOT, Served, answer, ledger, serving
from conftest import raw
from events import event, id_of, place

from ledger.demo import story
from ledger.rpc.client import Client
from ledger.v1.custody_pb2 import Apprehended, Placed
from ledger.v1.ledger_service_pb2 import AppendEventsRequest

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
    listed = answer("projection", "list", "--database", url)["projections"]
    assert {one["name"]: one["behind"] for one in listed if one["has_tables"]} == {
        "custody": 0,
        "separation": 0,
    }


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
        env=ENVIRONMENT,
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
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
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
        text = ledger(*path, "--help").stdout
        assert text, path
        names = re.findall(r"^│ ([a-z]+) {2,}\S", text, re.MULTILINE)
        return [path, *(one for name in names for one in commands(*path, name))]

    found = [" ".join(path) for path in commands()]

    wanted = {
        "demo", "serve", "import check", "import run", "person show", "person timeline",
        "family show", "roster", "separation list", "watch", "audit checkpoint", "audit verify",
        "projection list", "projection rebuild",
    }  # fmt: skip
    assert wanted <= set(found)
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
    raw(url).execute("UPDATE head SET name = 'custodx'")

    for command in (("serve", "--listen", "127.0.0.1:0"), ("audit", "verify")):
        done = ledger(*command, "--database", url)
        assert done.returncode == 3
        assert "no log named custody; it has: custodx" in done.stderr
    assert raw(url).execute("SELECT count(*) FROM head").fetchone() == (1,)


def test_a_count_of_terms_that_is_wrong_is_found_before_it_stops_an_append(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with serving(url) as address:
        history(address)
    raw(url).execute("UPDATE head SET term_count = term_count - 1")

    assert ledger("audit", "verify", "--database", url).returncode == 5

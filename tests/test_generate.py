"""Invented histories: the same again, of the shape of the real lists, and fit to be recorded."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest
from commands import ROOT, environment

sys.path.insert(0, str(ROOT / "scripts"))

from invented.days import DAY_S, FIRST_DAY, SECTORS, ZERO_TOLERANCE, arrivals, day_of
from invented.framing import framed, read_framed, request_of
from invented.history import SHARDS, invent

from ledger.append import append_events
from ledger.entry import faults
from ledger.ledger import Ledger, now_us
from ledger.personal import take_out
from ledger.rpc.server import Server
from ledger.rpc.strict import check, decode
from ledger.v1.event_pb2 import Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest

EVENTS = 12_000
TAKEN = 500  # so many are appended

pytestmark = pytest.mark.xdist_group("generate")


def flat(batches: Iterable[list[bytes]]) -> list[bytes]:
    return [one for batch in batches for one in batch]


@cache
def history() -> list[Event]:
    return [Event.FromString(one) for one in flat(invent(EVENTS))]


def recorded_s(event: Event) -> int:
    """When it was recorded, by its id (RFC 9562, 5.7)."""
    return int(event.event_id.replace("-", "")[:12], 16) // 1_000


def facts(*kinds: str) -> list[Event]:
    return [one for one in history() if one.WhichOneof("fact") in kinds]


def test_a_seed_gives_the_same_bytes_however_it_is_made() -> None:
    alone = list(invent(3_000, size=500))

    assert [len(one) for one in alone] == [500] * 6
    assert flat(invent(3_000, processes=2, size=7)) == flat(alone)
    assert flat(invent(3_000, seed=2019)) != flat(alone)
    assert SHARDS > 1


def test_events_come_in_the_order_of_their_recording_each_with_an_id_of_its_own() -> None:
    seconds = [recorded_s(one) for one in history()]

    assert len(history()) == EVENTS == len({one.event_id for one in history()})
    assert seconds == sorted(seconds)
    assert all(one.valid_time.time.seconds <= recorded_s(one) for one in history())


def test_nothing_in_them_can_never_make_sense() -> None:
    assert [one for event in history() for one in faults(event, "", now_us())] == []


def test_as_many_come_and_stay_as_in_the_lists() -> None:
    days = [share for (day, share), _ in zip(arrivals(2018), range(3 * 365), strict=False)]
    members = Counter(len(one.apprehended.person_ids) for one in facts("apprehended"))
    shelters = Counter(one.placed.facility.name for one in facts("placed"))

    assert max(days) > 20 * min(days)
    assert set(members) == {1, 2, 3, 4, 5}
    assert {one.valid_time.zone for one in history()} == {zone for zone, _ in SECTORS.values()}
    assert shelters.most_common(1)[0][1] > 5 * shelters.total() / len(shelters)
    assert recorded_s(history()[-1]) > recorded_s(history()[0]) + 2 * 365 * DAY_S
    assert day_of(recorded_s(history()[0]) // DAY_S).year == FIRST_DAY.year


def test_families_are_separated_most_while_tolerance_was_zero() -> None:
    separated = facts("separated")
    days = {one.event_id: day_of(one.valid_time.time.seconds // DAY_S) for one in separated}
    then = [
        one for one in separated if ZERO_TOLERANCE[0] <= days[one.event_id] <= ZERO_TOLERANCE[1]
    ]
    apart = {one.separated.child_id for one in separated}
    together = {one.reunified.child_id for one in facts("reunified")}

    assert len(then) > len(separated) / 4
    assert together
    assert together <= apart
    assert apart - together, "nobody is left apart"


def test_some_is_told_late_or_twice_or_wrongly() -> None:
    late = [one for one in history() if recorded_s(one) - one.valid_time.time.seconds > 5 * DAY_S]
    corrections = [one for one in history() if one.corrects_event_id]
    retracted = {one.retracted.retracted_event_id for one in facts("retracted")}
    twice = Counter(
        (one.correlation_id, one.WhichOneof("fact"), one.valid_time.time.seconds)
        for one in facts("apprehended")
        if not one.corrects_event_id
    )

    assert 0.005 < len(late) / EVENTS < 0.05
    assert 0.005 < len(corrections) / EVENTS < 0.03
    assert {one.corrects_event_id for one in corrections} <= retracted
    assert max(twice.values()) == 2
    assert 0.1 < sum(bool(take_out(one)) for one in history()[:5_000]) / 5_000 < 0.5


def test_a_ledger_takes_them_as_they_are(open_ledger: Callable[..., Ledger]) -> None:
    ledger, read = open_ledger(), decode(AppendEventsRequest)
    for batch in invent(TAKEN, size=250):
        request = read(request_of(batch))
        check(request)
        append_events(ledger, request, 60.0)

    assert ledger.log.entries.size() == TAKEN


def generate(*arguments: object) -> str:
    command = [sys.executable, str(ROOT / "scripts" / "generate"), *map(str, arguments)]
    ran = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=120, check=True
    )
    return ran.stderr


def test_the_command_writes_them_down(tmp_path: Path) -> None:
    said = generate(600, "--to", tmp_path / "events.bin", "--processes", 1)

    with (tmp_path / "events.bin").open("rb") as file:
        assert list(read_framed(file)) == flat(invent(600))
    assert (tmp_path / "events.bin").read_bytes() == framed(flat(invent(600)))
    assert "600 events in" in said


def test_the_command_streams_them(server: Server) -> None:
    generate(300, "--server", server.address, "--batch", 100)

    assert server._ledger.log.entries.size() == 300


def test_the_command_has_them_recorded(database_url: str) -> None:
    generate(300, "--database", database_url, "--batch", 100)

    ledger = Ledger(database_url)
    size = ledger.log.entries.size()
    ledger.close()
    assert size == 300


@pytest.mark.parametrize(
    "arguments",
    [
        (0, "--to", "{}/events.bin"),
        (9, "--to", "{}/events.bin", "--processes", 0),
        (9, "--to", "{}/events.bin", "--batch", 0),
        (9, "--to", "{}/nowhere/events.bin"),
        (9, "--database", "nonsense"),
        (9, "--server", "127.0.0.1:1"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        generate(*(str(one).format(tmp_path) for one in arguments))

    assert "generate: " in refused.value.stderr
    assert "Traceback" not in refused.value.stderr
    assert not (tmp_path / "events.bin").exists()

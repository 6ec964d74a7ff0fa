"""A thousand persons are erased: nothing of them is left anywhere, and everything else stands."""

import base64
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from canaries import appending, birth_date, dump, files_of, fill, ids_in, renamed, rows_of
from conftest import STORES
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from events import event, id_of
from examples import CHILD, PARENT, every_kind

import projections
from ledger.access.caller import Caller
from ledger.append import append_events
from ledger.ask.population import list_roster, list_separations
from ledger.ask.relatives import get_family
from ledger.entry import encode
from ledger.errors import LedgerError
from ledger.export import export_events
from ledger.keys import authority, certificates, tokens
from ledger.keys.certificates import Identities
from ledger.ledger import Ledger
from ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.personal import approved_sha256, take_out
from ledger.prove import get_consistency_proof
from ledger.read import get_event
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.store.database import Database
from ledger.store.entries import Stored
from ledger.store.examination import examine
from ledger.store.follower import Follower
from ledger.store.log import Log
from ledger.store.logs import CUSTODY
from ledger.store.populations import Populations
from ledger.v1.audit_service_pb2 import (
    ExportEventsRequest,
    ExportKind,
    GetConsistencyProofRequest,
)
from ledger.v1.custody_query_service_pb2 import (
    GetFamilyRequest,
    ListRosterRequest,
    ListSeparationsRequest,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.family_pb2 import RelationshipDisputed
from ledger.v1.identity_pb2 import AgeDisputed, IdentifierAsserted, PersonRegistered, Sex
from ledger.v1.ledger_service_pb2 import GetEventRequest, Receipt
from ledger.v1.options_pb2 import Role
from ledger.v1.oversight_pb2 import Retracted
from ledger.v1.protection_pb2 import LegalHoldPlaced, PersonalFieldsErased
from ledger.v1.separation_pb2 import Separated

WAIT_S = 60
ERASED, STAYING = 1_000, 60
BATCH = 500
DOMAIN = "custody.example"

# What bars an erasure, is one, or names nobody.
WITHOUT = {"PersonRegistered", "IdentifierAsserted", "PersonalFieldsErased", "LegalHoldPlaced"}
WITHOUT |= {"LegalHoldLifted", "ListCertified", "ListReconciled", "NumberPublished", "Retracted"}
KINDS = [one for one in every_kind() if one.DESCRIPTOR.name not in WITHOUT]

TEXT = re.compile(rb"canary-([es])(\d{4})")
NUMBER = re.compile(rb"2010(\d{5})")
WRITTEN = re.compile(rb"19\d\d-\d\d-\d\d")
DATE = re.compile(rb"\x08[\x80-\xff]\x0e\x10[\x01-\x0c]\x18[\x01-\x1f]")
BORN = {encode_date for n in range(ERASED) for encode_date in (birth_date(n).SerializeToString(),)}
BORN |= {f"{d.year:04d}-{d.month:02d}-{d.day:02d}".encode() for d in map(birth_date, range(ERASED))}


def erased_id(number: int) -> str:
    return id_of(f"erased {number % ERASED}")


def staying_id(number: int) -> str:
    return id_of(f"staying {number % STAYING}")


def told_in(content: bytes) -> set[bytes]:
    """What of those who are erased stands in some bytes."""
    texts = {one[0] for one in TEXT.finditer(content) if one[1] == b"e"}
    numbers = {one[0] for one in NUMBER.finditer(content) if int(one[1]) < ERASED}
    born = {one for form in (WRITTEN, DATE) for one in form.findall(content)} & BORN
    return texts | numbers | born


def identified(person_id: str, number: int, value: str) -> Iterator[Event]:
    yield event(
        PersonRegistered(person_id=person_id, birth_date=birth_date(number), sex=Sex.SEX_MALE),
        event_id=id_of(f"registered {person_id}"),
    )
    yield event(
        IdentifierAsserted(person_id=person_id, scheme="A_NUMBER", value=value),
        event_id=id_of(f"numbered {person_id}"),
    )


def history() -> Iterator[Event]:
    """What was told of those who will be erased, and of those who stay, by kinds in turn."""
    for number in range(STAYING):
        yield from identified(staying_id(number), ERASED + number, f"3010{number:05d}")
        text = f"canary-s{number:04d} stays"
        yield event(AgeDisputed(person_id=staying_id(number), reason_text=text), 3)
        body = next(one for one in KINDS if one.DESCRIPTOR.name == "Separated")
        made = renamed(body, {CHILD: staying_id(number), PARENT: staying_id(number + 1)})
        fill(made, f"canary-s{number:04d}")
        yield event(made, 2)
    for number in range(ERASED):
        person_id = erased_id(number)
        # Every third was with somebody who stays; the others with one another.
        other_id = staying_id(number) if number % 3 == 0 else erased_id(number + 1)
        yield from identified(person_id, number, f"2010{number:05d}")
        body = KINDS[number % len(KINDS)]
        ids = ids_in(body)
        names = {one: id_of(f"{one} of {number}") for one in ids}
        people = {CHILD: person_id, PARENT: other_id if CHILD in ids else person_id}
        made = renamed(body, names | people)
        fill(made, f"canary-e{number:04d}", number)
        on = 2 + number % 5
        yield event(made, on, event_id=id_of(f"told {number}"))
        if number % 10 == 0:
            yield event(
                Retracted(
                    retracted_event_id=id_of(f"numbered {person_id}"),
                    reason_text=f"canary-e{number:04d} taken back",
                ),
                on,
            )
        if number % 6 == 0:
            yield event(
                RelationshipDisputed(
                    person_id=other_id,
                    relative_id=person_id,
                    reason_text=f"canary-e{number:04d} of both",
                ),
                on,
            )


class Agencies:
    """Two agencies whose supervisors erase."""

    def __init__(self, folder: Path) -> None:
        authority.make(folder, DOMAIN)
        self.folder = folder
        self.known = Identities(folder / "server").current()
        self.caller = Caller(
            spiffe_id=f"spiffe://{DOMAIN}/agency/CBP",
            agency="CBP",
            role=Role.ROLE_AGENCY_SUPERVISOR,
            actor_id="cbp-1",
            known=self.known,
        )

    def key(self, agency: str) -> bytes:
        return (self.folder / "agencies" / agency / "token.key").read_bytes()

    def approval(self, one: Event, now_us: int, agency: str = "ORR") -> str:
        return tokens.approve(
            self.key(agency),
            agency=agency,
            actor_id=f"{agency.lower()}-2",
            role=Role.ROLE_AGENCY_SUPERVISOR,
            audience=DOMAIN,
            event_id=one.event_id,
            event_sha256=approved_sha256(one),
            lifetime_s=600,
            now_us=now_us,
        )

    def erasing(self, person_ids: Iterable[str]) -> list[Event]:
        made = []
        for person_id in person_ids:
            body = PersonalFieldsErased(person_id=person_id, order_reference="18-cv-00428")
            one = event(body, 9, event_id=id_of(f"erases {person_id}"))
            one.actor.actor_id = self.caller.actor_id
            made.append(one)
        return made

    def request(self, ledger: Ledger, events: list[Event]) -> Any:
        now_us = ledger.clock()
        return appending(*events, approvals=[self.approval(one, now_us) for one in events])

    def erase(self, ledger: Ledger, *person_ids: str) -> list[Receipt]:
        events = self.erasing(person_ids)
        receipts: list[Receipt] = []
        for start in range(0, len(events), BATCH):
            request = self.request(ledger, events[start : start + BATCH])
            seen = ledger.seen_by(self.caller)
            receipts += append_events(seen, request, WAIT_S).receipts
        return receipts


@pytest.fixture(scope="module")
def agencies(tmp_path_factory: pytest.TempPathFactory) -> Agencies:
    return Agencies(tmp_path_factory.mktemp("agencies"))


def skeleton(ledger: Ledger) -> dict[str, Any]:
    """Who is where, apart from whom, and with whom she belongs."""
    found: dict[str, Any] = {}
    for agency in ("CBP", "ORR", "ICE"):
        request = ListRosterRequest(agency=agency, page_size=1_000)
        answer = list_roster(ledger, request)
        found[agency] = (
            answer.total_size,
            {
                one.person_id: (one.custody.status, one.custody.agency, one.custody.facility)
                for one in answer.people
            },
        )
    request = ListSeparationsRequest(include_reunified=True, page_size=1_000)
    found["separations"] = sorted(
        (one.child_id, one.status, tuple(one.adult_ids))
        for one in list_separations(ledger, request).separations
    )
    for number in range(0, ERASED, 63):
        family = get_family(ledger, GetFamilyRequest(person_id=erased_id(number)))
        found[f"family {number}"] = {
            one.person_id: sorted((link.relative_id, link.kind) for link in one.links)
            for one in family.members
        }
    return found


@dataclass
class Before:
    """What was there before anybody was erased."""

    events: list[Event]
    receipts: list[Receipt]
    size: int
    root: bytes
    skeleton: dict[str, Any]
    wrapping: dict[int, bytes]
    rows: list[tuple[str, str, Any]]
    opened: int
    """In so many states of the tables stood what was erased later."""
    copy: Path | None = None
    log_lines: str = ""


@dataclass
class World:
    """A ledger out of which a thousand persons were erased."""

    url: str
    ledger: Ledger
    before: Before
    erased: set[str] = field(default_factory=lambda: {erased_id(n) for n in range(ERASED)})


def states(rows: list[tuple[str, str, Any]]) -> list[tuple[str, bytes]]:
    subjects = [value for table, column, value in rows if (table, column) == ("period", "subject")]
    kept = [value for table, column, value in rows if (table, column) == ("period", "state")]
    return list(zip(subjects, kept, strict=True))


@pytest.fixture(scope="module", params=STORES)
def world(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    agencies: Agencies,
    keys_folder: Path,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    url = f"sqlite:///{folder / 'ledger.db'}"
    if request.param != "sqlite":
        url = request.getfixturevalue("postgres_of")(request.param).create_database()
    ledger = Ledger(url)
    events, receipts = list(history()), []
    for start in range(0, len(events), BATCH):
        some = events[start : start + BATCH]
        receipts += append_events(ledger, appending(*some), WAIT_S).receipts
    ledger.populations.catch_up()
    size = ledger.log.entries.size()
    rows = [one for one in rows_of(url) if one[0] in {"period", "person_key", "entry"}]
    before = Before(
        events,
        receipts,
        size,
        ledger.log.tree.root(size),
        skeleton(ledger),
        dict(ledger.log.vault.keyring.wrapping),
        rows,
        sum(bool(told_in(state)) for state in ledger.log.vault.open_states(states(rows))),
    )
    if request.param == "sqlite":
        before.copy = tmp_path_factory.mktemp("copy")
        for path in folder.iterdir():
            shutil.copy(path, before.copy / path.name)
    agencies.erase(ledger, *(erased_id(number) for number in range(ERASED)))
    ledger.populations.catch_up()
    yield World(url, ledger, before)
    ledger.close()


def test_nothing_of_whom_was_erased_is_in_any_file_or_row(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(world.before.events) > 3 * ERASED
    assert world.before.opened > ERASED
    assert not told_in(dump(world.url))
    if not world.url.startswith("sqlite"):
        with Database(world.url).engine.connect() as connection:
            connection.execute(sa.text("CHECKPOINT"))
    files = files_of(world.url)
    assert len(files) > 2
    forgotten = [
        form for key in world.before.wrapping.values() for form in (key, base64.b64encode(key))
    ]
    for path, content in files.items():
        assert not told_in(content), path
        assert not any(one in content for one in forgotten), path
    said = capfd.readouterr()
    assert not told_in((said.out + said.err).encode())


@pytest.mark.parametrize("kind", ["PUBLIC", "RESEARCH"])
def test_nothing_of_whom_was_erased_is_in_an_export(world: World, kind: str) -> None:
    request = ExportEventsRequest(kind=ExportKind.Value(f"EXPORT_KIND_{kind}"))
    made = b"".join(one.SerializeToString() for one in export_events(world.ledger, request))

    assert len(made) > 100_000
    assert not told_in(made)


def test_no_key_in_an_old_copy_opens_with_the_keyring_as_it_is_now(world: World) -> None:
    old = [
        value
        for table, column, value in world.before.rows
        if (table, column) == ("person_key", "wrapped")
    ]
    if world.before.copy:
        copied = rows_of(f"sqlite:///{world.before.copy / 'ledger.db'}")
        assert [v for t, c, v in copied if (t, c) == ("person_key", "wrapped")] == old
    ring = world.ledger.log.vault.keyring
    assert len(old) == ERASED + STAYING
    assert not ring.wrapping.keys() & world.before.wrapping.keys()
    for wrapped in old:
        for key in ring.wrapping.values():
            with pytest.raises(InvalidUnwrap):
                aes_key_unwrap(key, wrapped)


def test_with_every_key_that_is_left_an_old_copy_tells_nothing_of_whom_was_erased(
    world: World,
) -> None:
    """Not even what was shown of those who stay, and told of both."""
    vault = world.ledger.log.vault
    opened = [state for state in vault.open_states(states(world.before.rows)) if state]
    assert len(opened) > STAYING
    assert not any(told_in(state) for state in opened)
    sealed = [v for t, c, v in world.before.rows if (t, c) == ("entry", "sealed")]
    data = [v for t, c, v in world.before.rows if (t, c) == ("entry", "data")]
    readable = 0
    for kept, content in zip(sealed, data, strict=True):
        entry = Entry.FromString(content)
        stored = Stored(1, UUID(entry.event.event_id).bytes, 0, content, kept)
        openings = vault.openings(stored, entry) if kept else []
        assert not told_in(b"\n".join(one.value for one in openings))
        readable += bool(openings)
    assert readable >= 3 * STAYING


def test_every_receipt_and_checkpoint_of_before_still_holds(world: World) -> None:
    size = world.ledger.log.entries.size()
    tree = world.ledger.log.tree
    root = tree.root(size)
    assert size == world.before.size + ERASED
    for receipt in world.before.receipts[::3]:
        index = receipt.position - 1
        path = tree.inclusion_path(index, size)
        assert verify_inclusion(index, size, receipt.leaf_hash, path, root)
    proof = get_consistency_proof(
        world.ledger, GetConsistencyProofRequest(first_size=world.before.size, second_size=size)
    )
    assert proof.second.root == root
    assert verify_consistency(
        world.before.size, size, world.before.root, root, proof.consistency_path
    )


def test_the_skeleton_stands(world: World) -> None:
    """Who was held where, who was taken from whom, who belongs to whom, and how many they are."""
    before, after = world.before.skeleton, skeleton(world.ledger)
    assert before == after
    assert before["CBP"][0] > 10
    assert len(before["separations"]) > STAYING
    assert any(links for name, links in before.items() if name.startswith("family") and links)


def test_what_is_told_of_those_who_stay_is_read_but_for_what_is_told_of_both(
    world: World,
) -> None:
    stay = {staying_id(number) for number in range(STAYING)}
    whole = bare = 0
    for one in (*world.before.events[: 4 * STAYING], *world.before.events[4 * STAYING :: 3]):
        answer = get_event(world.ledger, GetEventRequest(event_id=one.event_id))
        entry = Entry.FromString(answer.entry_bytes)
        named = ids_in(getattr(one, one.WhichOneof("fact")))
        if named and named.isdisjoint(world.erased) and named <= stay:
            assert answer.event.entry.event == one
            whole += 1
        else:
            left = Event.FromString(one.SerializeToString())
            take_out(left)
            assert answer.event.entry.event == left == entry.event
            assert not answer.openings
            bare += 1
    assert whole == 4 * STAYING
    assert bare > ERASED


def test_tables_and_an_audit_agree_with_the_log_after_an_erasure(world: World) -> None:
    examined = examine(world.url, projections.load())
    assert examined.has_keys
    assert examined.custody.problems == []
    assert examined.accesses is not None
    assert examined.accesses.ok
    assert world.ledger.populations.rebuild("separation").differing == []


def guesses(events: list[Event]) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(path, value, event id) of what somebody who knows everything but the salts would try."""
    for one in events:
        for path, _, value in take_out(Event.FromString(one.SerializeToString())):
            yield path.encode(), value, one.event_id.encode()


def test_of_a_million_guesses_at_what_was_erased_none_is_confirmed(world: World) -> None:
    """By commitments, knowing every value, and trying the salts of a careless program."""
    made = {
        one.hash
        for table, column, data in world.before.rows
        if (table, column) == ("entry", "data")
        for one in Entry.FromString(data).commitments
    }
    told = list(guesses([one for one in world.before.events if told_in(encode(one))]))[:1_000]
    assert len(told) == 1_000
    fixed = [b"", bytes(32), b"\xff" * 32, b"\0", b"salt", b"custody", b"custody/commit/v1"]
    fixed += [str(number).encode() for number in range(320)]
    tried, matched = 0, set()
    for path, value, event_id in told:
        raw = UUID(event_id.decode()).bytes
        salts = [*fixed, event_id, raw, raw * 2, sha256(event_id).digest(), sha256(raw).digest()]
        salts += [sha256(path).digest(), sha256(value).digest(), path, value]
        start = b"custody/commit/v1\0" + path + b"\0"
        for salt in salts:
            for content in (start + salt + value, salt + value, path + b"\0" + salt + value):
                tried += 1
                matched |= {sha256(content).digest()} & made
    assert tried >= 1_000_000
    assert not matched
    # That it is not for want of trying: with its salt, one of those who stay is confirmed.
    stays = next(one for one in world.before.events if b"canary-s" in encode(one))
    (opening,) = get_event(world.ledger, GetEventRequest(event_id=stays.event_id)).openings
    content = f"custody/commit/v1\0{opening.field}\0".encode() + opening.salt + opening.value
    assert sha256(content).digest() in made


def test_a_person_who_was_erased_gets_no_new_personal_fields(world: World) -> None:
    """And nothing of a refused append is kept; what is not personal is taken."""
    ledger, person_id = world.ledger, erased_id(1)
    size = ledger.log.entries.size()
    skeletal = event(PersonRegistered(person_id=person_id, sex=Sex.SEX_MALE))
    text = event(AgeDisputed(person_id=person_id, reason_text="canary-e0001 again"))
    both = event(
        RelationshipDisputed(
            person_id=staying_id(1), relative_id=person_id, reason_text="canary-e0001 again"
        )
    )
    for refused in (text, both):
        with pytest.raises(LedgerError) as caught:
            append_events(ledger, appending(skeletal, refused), WAIT_S)
        assert caught.value.name == "PERSON_ERASED"
        assert "canary" not in str(caught.value)
    assert ledger.log.entries.size() == size
    assert not told_in(dump(world.url))

    receipt = append_events(ledger, appending(skeletal), WAIT_S).receipts[0]
    assert receipt.position == size + 1


def test_erased_twice_is_once_and_what_was_sent_before_gets_its_first_receipt(
    world: World, agencies: Agencies
) -> None:
    ledger = world.ledger
    size, number = ledger.log.entries.size(), ledger.log.vault.keyring.newest
    again = agencies.erase(ledger, erased_id(2), erased_id(3))
    assert [one.already_recorded for one in again] == [True, True]
    assert ledger.log.vault.keyring.newest == number
    # Sent again by an agency that never got its answer, after the erasure.
    late = append_events(ledger, appending(*world.before.events[-20:]), WAIT_S).receipts
    for one, first in zip(late, world.before.receipts[-20:], strict=True):
        assert one.already_recorded
        assert (one.position, one.leaf_hash) == (first.position, first.leaf_hash)
    assert ledger.log.entries.size() == size
    # Another event under an id that is taken is still another.
    other = Event.FromString(world.before.events[-1].SerializeToString())
    other.valid_time.time.seconds -= 86_400
    with pytest.raises(LedgerError) as caught:
        append_events(ledger, appending(other), WAIT_S)
    assert caught.value.name == "EVENT_ID_TAKEN"


def one_person(ledger: Ledger) -> list[Event]:
    """Appends what is told of one person; she can be erased."""
    events = [*identified(erased_id(0), 0, "201000000")]
    append_events(ledger, appending(*events), WAIT_S)
    return events


def kept_key(ledger: Ledger, person_id: str) -> list[Any]:
    with ledger._database.reading.connect() as connection:
        found = sa.text("SELECT wrapped FROM person_key WHERE person = :person")
        return list(connection.execute(found, {"person": person_id}).scalars())


def test_killed_between_the_event_and_the_key_it_goes_on_at_the_next_start(
    database_url: str, agencies: Agencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(database_url)
    one_person(ledger)
    # It dies at this point: neither the append nor the tables come any further.
    monkeypatch.setattr(ledger.log.vault, "destroy", lambda _: None)
    monkeypatch.setattr(ledger.populations, "catch_up_some", lambda size: size)
    agencies.erase(ledger, erased_id(0))
    assert kept_key(ledger, erased_id(0)) != [None]
    # Her key is still there, and yet nothing more is sealed under it.
    text = event(AgeDisputed(person_id=erased_id(0), reason_text="canary-e0000 late"))
    with pytest.raises(LedgerError) as caught:
        append_events(ledger, appending(text), WAIT_S)
    assert caught.value.name == "PERSON_ERASED"
    ledger.close()

    ledger = Ledger(database_url)
    try:
        assert kept_key(ledger, erased_id(0)) == [None]
        assert len(ledger.log.vault.keyring.wrapping) == 1
    finally:
        ledger.close()
    assert examine(database_url, projections.load()).custody.problems == []


def test_a_process_whose_tables_another_moves_forgets_the_keys_as_well(
    database_url: str, agencies: Agencies
) -> None:
    """Two vaults on one log stand for two processes."""
    ledger = Ledger(database_url)
    other = Log(ledger._database, ledger.clock, ledger.log.vault.keyring, CUSTODY, must_exist=True)
    one_person(ledger)
    populations = Populations(ledger._database, other, projections.load())
    follower = Follower(other, populations, 0)
    try:
        assert other.vault.find([erased_id(0)])
        follower.close()
        agencies.erase(ledger, erased_id(0))
        size = ledger.populations.catch_up()
        assert other.vault.find([erased_id(0)])

        Follower(other, populations, size - 1).close()

        assert not other.vault.find([erased_id(0)])
    finally:
        ledger.close()


def test_a_rebuild_between_an_erasure_and_the_end_of_its_key_shows_what_is_left(
    database_url: str, agencies: Agencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(database_url)
    ledger._follower.close()
    body = Separated(
        child_id=erased_id(0),
        adult_ids=[erased_id(1)],
        reason_codes=["OTHER"],
        reason_text="canary-e0000",
        agency="CBP",
    )
    append_events(ledger, appending(event(body)), WAIT_S)
    ledger.populations.catch_up()
    other = Log(ledger._database, ledger.clock, ledger.log.vault.keyring, CUSTODY, must_exist=True)
    populations = Populations(ledger._database, other, projections.load())
    with monkeypatch.context() as dying:
        dying.setattr(ledger.log.vault, "destroy", lambda _: None)
        agencies.erase(ledger, erased_id(0))
    try:
        assert kept_key(ledger, erased_id(0)) != [None]
        populations.rebuild("separation")
        ledger.populations.catch_up()
        assert list(ledger.populations.differences()) == []
    finally:
        ledger.close()


def test_killed_before_the_old_wrapping_key_was_forgotten_it_is_at_the_next_start(
    database_url: str, agencies: Agencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(database_url)
    one_person(ledger)
    ring = ledger.log.vault.keyring
    old = dict(ring.wrapping)
    monkeypatch.setattr(ring, "forget_all_but", lambda _: None)
    agencies.erase(ledger, erased_id(0))
    assert old.items() <= ring.wrapping.items()
    ledger.close()

    ledger = Ledger(database_url)
    try:
        kept = ledger.log.vault.keyring.wrapping
        assert len(kept) == 1
        assert not kept.items() & old.items()
    finally:
        ledger.close()


def test_an_erasure_is_approved_by_two_agencies_and_refused_under_a_legal_hold(
    open_ledger: Callable[..., Ledger], agencies: Agencies
) -> None:
    ledger = open_ledger()
    events = one_person(ledger)
    (erasing,) = agencies.erasing([erased_id(0)])
    seen, now_us = ledger.seen_by(agencies.caller), ledger.clock()
    own = agencies.approval(erasing, now_us, "CBP")
    for caller, approvals in ((seen, []), (seen, [own]), (ledger, [own])):
        with pytest.raises(LedgerError) as caught:
            append_events(caller, appending(erasing, approvals=approvals), WAIT_S)
        assert caught.value.name == "APPROVAL_MISSING"
    append_events(
        ledger,
        appending(event(LegalHoldPlaced(person_id=erased_id(0), hold_reference="18-cv-00428"))),
        WAIT_S,
    )
    with pytest.raises(LedgerError) as caught:
        append_events(seen, agencies.request(ledger, [erasing]), WAIT_S)
    assert caught.value.name == "LEGAL_HOLD"
    for one in events:
        answer = get_event(ledger, GetEventRequest(event_id=one.event_id))
        assert answer.event.entry.event == one


def test_a_text_that_races_with_an_erasure_is_refused_or_was_there_before_it(
    open_ledger: Callable[..., Ledger], agencies: Agencies
) -> None:
    """No receipt is given for what nobody could ever read."""
    ledger = open_ledger()
    one_person(ledger)

    def tell(number: int) -> int | str:
        text = event(AgeDisputed(person_id=erased_id(0), reason_text=f"canary-e0000 {number}"))
        try:
            return append_events(ledger, appending(text), WAIT_S).receipts[0].position
        except LedgerError as error:
            return error.name

    with ThreadPoolExecutor(5) as pool:
        told = [pool.submit(tell, number) for number in range(20)]
        erasing = pool.submit(agencies.erase, ledger, erased_id(0))
        told += [pool.submit(tell, number) for number in range(20, 60)]
        (erasure,) = erasing.result()
        outcomes = {one.result() for one in told}
    assert "PERSON_ERASED" in outcomes
    assert all(one < erasure.position for one in outcomes - {"PERSON_ERASED"})
    ledger.populations.catch_up()
    assert list(ledger.populations.differences()) == []
    assert kept_key(ledger, erased_id(0)) == [None]
    assert len(ledger.log.vault.keyring.wrapping) == 1


@contextmanager
def connected(agencies: Agencies, address: str, name: str, **more: Any) -> Iterator[Client]:
    with Client(address, identity=agencies.folder / "clients" / name, **more) as client:
        yield client


def test_two_supervisors_erase_over_the_network(
    tmp_path: Path, agencies: Agencies, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = Ledger(url)
    events = one_person(ledger)
    server = Server(ledger, "127.0.0.1:0", Identities(agencies.folder / "server"))
    (erasing,) = agencies.erasing([erased_id(0)])
    pem = (agencies.folder / "clients" / "cbp" / "client.pem").read_bytes()
    token = tokens.issue(
        agencies.key("CBP"),
        agency="CBP",
        actor_id="cbp-1",
        role=Role.ROLE_AGENCY_SUPERVISOR,
        audience=DOMAIN,
        thumbprint=certificates.read(pem).thumbprint,
        lifetime_s=600,
        now_us=ledger.clock(),
    )
    asked = {"purpose": "OVERSIGHT"}
    try:
        with connected(agencies, server.address, "oig-investigator", **asked) as client:
            before = client.ledger.GetEvent(GetEventRequest(event_id=events[0].event_id))
        with connected(agencies, server.address, "cbp", token=token) as client:
            client.ledger.AppendEvents(agencies.request(ledger, [erasing]))
        with connected(agencies, server.address, "oig-investigator", **asked) as client:
            after = client.ledger.GetEvent(GetEventRequest(event_id=events[0].event_id))
    finally:
        server.stop()
    assert before.event.entry.event == events[0]
    assert before.openings
    assert not after.event.entry.event.person_registered.HasField("birth_date")
    assert not after.openings
    assert after.entry_bytes == before.entry_bytes
    assert leaf_hash(after.entry_bytes) == leaf_hash(before.entry_bytes)
    for path, content in files_of(url).items():
        assert not told_in(content), path
    said = capfd.readouterr()
    assert not told_in((said.out + said.err).encode())

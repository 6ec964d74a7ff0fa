"""Personal fields are sealed: what is stored, what is promised of it, and what is made of swaps."""

import base64
import json
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from canaries import (
    KINDS,
    appending,
    birth_date,
    dump,
    files_of,
    filled_events,
    found_in,
    personal_fields,
    rows_of,
    values_of,
)
from commands import ledger as command
from conftest import STORES, keyring_of
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from events import event, id_of
from google.protobuf.descriptor import FieldDescriptor

import projections
from ledger.append import append_events
from ledger.errors import LedgerError, StartupError
from ledger.keys import sealing
from ledger.keys.keyring import Keyring
from ledger.keys.writers import signed_event
from ledger.ledger import Ledger
from ledger.merkle import leaf_hash
from ledger.personal import put_back, take_out
from ledger.read import get_event
from ledger.store.audit import verify
from ledger.store.audit_range import Means
from ledger.store.database import KEYS, Database
from ledger.store.examination import examine
from ledger.store.log import Log
from ledger.store.tables import entry, person_key
from ledger.v1.event_pb2 import Entry, Event, Opening, SealedFields
from ledger.v1.identity_pb2 import AgeDisputed, IdentifierAsserted, PersonRegistered
from ledger.v1.ledger_service_pb2 import GetEventRequest

WAIT_S = 30
NEVER_OVER_LOOPBACK = {"PersonalFieldsErased"}


def told(name: str, text: str, **more) -> Event:
    """An event with a personal text of one person."""
    return event(AgeDisputed(person_id=id_of(name), reason_text=text), **more)


def test_only_texts_and_dates_can_be_personal() -> None:
    """Others would need a way to be written that outsiders know of: docs/entry.md has these two."""
    fields = {field.full_name: field for kind in KINDS for _, field in personal_fields(kind)}

    assert len(fields) > 40
    for field in fields.values():
        assert not field.is_repeated, field.full_name
        is_date = field.message_type and field.message_type.full_name == "google.type.Date"
        assert is_date or field.type == FieldDescriptor.TYPE_STRING, field.full_name


def test_the_personal_fields_of_every_kind_of_event_come_back_and_are_nowhere_in_plain(
    database_url: str,
) -> None:
    events = filled_events(but=NEVER_OVER_LOOPBACK)
    values = values_of(events)
    ledger = Ledger(database_url)
    try:
        append_events(ledger, appending(*events), WAIT_S)
        ledger.populations.catch_up()

        for one in events:
            answer = get_event(ledger, GetEventRequest(event_id=one.event_id))
            assert answer.event.entry.event == one
            kept = Entry.FromString(answer.entry_bytes)
            bare = Event.FromString(one.SerializeToString())
            fields = [(path, value) for path, _, value in take_out(bare)]
            assert kept.event == bare
            assert [(made.field, made.value) for made in answer.openings] == fields
            # As docs/entry.md says it, with nothing of ours.
            assert [(made.field, made.hash) for made in kept.commitments] == [
                (
                    made.field,
                    sha256(
                        b"custody/commit/v1\0"
                        + made.field.encode()
                        + b"\0"
                        + made.salt
                        + made.value
                    ).digest(),
                )
                for made in answer.openings
            ]
        tables = {table for table, _, _ in rows_of(database_url)}
        assert {"entry", "period", "term", "person_key", "tile"} <= tables
        assert not found_in(dump(database_url), values)
        assert ledger.populations.rebuild("findings").differing == []
    finally:
        ledger.close()
    assert len(values) > 40
    # In the journal of a database server stands what others do there, and in a file of its own words
    # this code of a list.
    looked_for = values if database_url.startswith("sqlite") else values - {b"OTHER"}
    for path, content in files_of(database_url).items():
        assert not found_in(content, looked_for), path


def test_what_was_taken_out_comes_back_to_the_same_place() -> None:
    for one in filled_events():
        bare = Event.FromString(one.SerializeToString())
        fields = take_out(bare)
        put_back(bare, ((path, value) for path, _, value in fields))
        assert bare == one
        # And the values of one event do not fit into another.
        with pytest.raises((LookupError, ValueError)):
            put_back(bare, [("nothing.of_the_kind", b"")])
        with pytest.raises(LookupError):
            put_back(bare, [("actor.agency", b"ICE")])


def test_tables_that_are_caught_up_and_tables_made_anew_say_the_same(
    open_ledger: Callable[..., Ledger],
) -> None:
    ledger = open_ledger()
    events = filled_events(but=NEVER_OVER_LOOPBACK)
    for start in range(0, len(events), 20):
        append_events(ledger, appending(*events[start : start + 20]), WAIT_S)
        ledger.populations.catch_up()

    assert list(ledger.populations.differences()) == []
    for name, projection in projections.load().items():
        if projection.populations:
            assert ledger.populations.rebuild(name).differing == [], name
    assert list(ledger.populations.differences()) == []


def test_the_same_event_again_gets_its_first_receipt(database_url: str) -> None:
    """From whatever client, with whatever salts, and after a new start."""
    one = told("a", "canary once")
    signed = signed_event(Ed25519PrivateKey.generate(), one)
    ledger = Ledger(database_url)
    first = append_events(ledger, appending(one), WAIT_S).receipts[0]
    again = append_events(ledger, appending(one), WAIT_S).receipts[0]
    salted = append_events(ledger, appending(one, signatures=[signed]), WAIT_S).receipts[0]
    ledger.close()
    ledger = Ledger(database_url)
    try:
        later = append_events(ledger, appending(one), WAIT_S).receipts[0]
        other = told("a", "canary twice", event_id=one.event_id)
        with pytest.raises(LedgerError) as refused:
            append_events(ledger, appending(other), WAIT_S)
    finally:
        ledger.close()

    assert not first.already_recorded
    first.already_recorded = True
    assert first == again == salted == later
    assert refused.value.name == "EVENT_ID_TAKEN"
    assert "canary" not in str(refused.value)


def test_salts_are_those_that_the_agency_chose_or_the_same_each_time(
    open_ledger: Callable[..., Ledger],
) -> None:
    one, other = told("a", "canary"), told("a", "canary")
    signed = signed_event(Ed25519PrivateKey.generate(), one)
    ledger = open_ledger()
    append_events(ledger, appending(one, other, signatures=[signed, {}]), WAIT_S)

    made = [
        get_event(ledger, GetEventRequest(event_id=each.event_id)).openings[0].salt
        for each in (one, other)
    ]
    assert made[0] == signed.openings[0].salt
    people = ledger.log.vault.find([id_of("a")])
    assert made[1] == sealing.salt(
        list(people.values()), other.event_id, "age_disputed.reason_text"
    )
    assert made[0] != made[1]


class Opened:
    """A log with sealed fields of several persons, for those who would change them."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url
        self.events = [told(name, f"canary of {name}") for name in ("a", "b", "a", "c")]
        ledger = Ledger(database_url)
        append_events(ledger, appending(*self.events), WAIT_S)
        self.keys = ledger.log.vault.find([id_of("a"), id_of("b"), id_of("c")])
        self.log = ledger.log.id
        ledger.close()
        self.database = Database(database_url)

    def sealed(self, position: int) -> SealedFields:
        return SealedFields.FromString(self._stored(position).sealed)

    def _stored(self, position: int):
        with self.database.reading.connect() as connection:
            return connection.execute(
                sa.select(entry).where(entry.c.log == self.log, entry.c.position == position)
            ).one()

    def seal_anew(self, position: int, value: bytes, salt: bytes | None = None) -> bytes:
        """Another text under the right key, for the right event: as who has the keys can make it."""
        one = self.events[position - 1]
        person_id = one.age_disputed.person_id
        field = "age_disputed.reason_text"
        keys = [self.keys[person_id]]
        opening = Opening(
            field=field, salt=salt or sealing.salt(keys, one.event_id, field), value=value
        )
        return sealing.close(keys, [person_id], one.event_id, [opening]).SerializeToString()

    def put(self, position: int, sealed: bytes | None) -> None:
        with self.database.writing() as connection:
            connection.execute(
                sa.update(entry)
                .where(entry.c.log == self.log, entry.c.position == position)
                .values(sealed=sealed)
            )

    def read(self, position: int) -> str:
        """What a reader gets who has this database, and the keys."""
        log = Log(self.database, lambda: 0, keyring_of(self.database), must_exist=True)
        stored = log.entries.at(position)
        log.vault.look_up([stored])
        return log.vault.opened(stored).event.age_disputed.reason_text

    def found(self) -> list[int]:
        """The positions at which an audit finds something."""
        log = Log(self.database, lambda: 0, keyring_of(self.database), must_exist=True)
        verdict = verify(self.database, self.log, Means(vault=log.vault))
        return [one.position for one in verdict.problems]


@pytest.fixture
def opened(database_url: str):
    made = Opened(database_url)
    assert made.found() == []
    yield made
    made.database.close()


def swaps(opened: Opened) -> dict[str, bytes]:
    """What could stand in the place of the sealed fields of the first entry."""
    own, same_person, other = (opened.sealed(position) for position in (1, 3, 2))

    def changed(**fields) -> bytes:
        made = SealedFields()
        made.CopyFrom(own)
        for name, value in fields.items():
            if name == "person_ids":
                made.person_ids[:] = value
            else:
                setattr(made, name, value)
        return made.SerializeToString()

    flipped = bytes([own.nonce[0] ^ 1]) + own.nonce[1:]
    return {
        "of another entry of the same person": same_person.SerializeToString(),
        "of another person": other.SerializeToString(),
        "of another person, under this one's name": changed(
            nonce=other.nonce, ciphertext=other.ciphertext
        ),
        "under another's name": changed(person_ids=[id_of("b")]),
        "with a nonce flipped": changed(nonce=flipped),
        "with no nonce": changed(nonce=b""),
        "with a bit flipped": changed(ciphertext=own.ciphertext[:-1] + b"\0"),
        "cut short": changed(ciphertext=own.ciphertext[:-1]),
        "empty": changed(ciphertext=b""),
        "no message at all": b"\xff" * 40,
        "another text under the right key": opened.seal_anew(1, b"canary of nobody"),
        "the same text with another salt": opened.seal_anew(
            1, b"canary of a", secrets.token_bytes(32)
        ),
        "nothing under the right key": sealing.close(
            [opened.keys[id_of("a")]], [id_of("a")], opened.events[0].event_id, []
        ).SerializeToString(),
    }


def test_every_swapped_ciphertext_is_rejected_when_read_and_found_by_an_audit(
    opened: Opened,
) -> None:
    own = opened.sealed(1).SerializeToString()
    assert opened.read(1) == "canary of a"
    for name, swapped in swaps(opened).items():
        opened.put(1, swapped)
        with pytest.raises(LedgerError) as refused:
            opened.read(1)
        assert refused.value.name == "VERIFICATION_FAILED", name
        assert "canary" not in str(refused.value)
        assert opened.found() == [1], name
    # Sealed anew with what was committed to, it reads: ciphertexts may change, and values not.
    anew = opened.seal_anew(1, b"canary of a")
    assert anew != own
    opened.put(1, anew)
    assert opened.read(1) == "canary of a"
    assert opened.found() == []


def test_sealed_fields_that_were_taken_away_are_missed(opened: Opened) -> None:
    for nothing in (None, b"", SealedFields().SerializeToString()):
        opened.put(2, nothing)
        assert opened.found() == [2]


def test_keys_that_were_taken_away_or_changed_are_missed(opened: Opened) -> None:
    kept = sa.and_(person_key.c.log == opened.log, person_key.c.person == id_of("a"))
    with opened.database.reading.connect() as connection:
        row = connection.execute(sa.select(person_key).where(kept)).one()
        other = connection.execute(
            sa.select(person_key.c.wrapped).where(person_key.c.person == id_of("b"))
        ).scalar_one()
    for change in (
        {"wrapped": other},
        {"wrapped": bytes([row.wrapped[0] ^ 1]) + row.wrapped[1:]},
        {"wrapped": row.wrapped[:-8]},
        {"wrapping": 99},
    ):
        with opened.database.writing() as connection:
            connection.execute(sa.update(person_key).where(kept).values(**change))
        assert opened.found() == [1, 3], change
        with pytest.raises(LedgerError) as refused:
            opened.read(1)
        assert refused.value.name == "VERIFICATION_FAILED"
        with opened.database.writing() as connection:
            connection.execute(
                sa.update(person_key).where(kept).values(wrapped=row.wrapped, wrapping=row.wrapping)
            )
    assert opened.found() == []
    for gone in (sa.update(person_key).where(kept).values(wrapped=None), sa.delete(person_key)):
        with opened.database.writing() as connection:
            connection.execute(gone if gone.is_update else gone.where(kept))
        # That nobody erased her is known at the end alone.
        assert opened.found() == [1, 3]
    with pytest.raises(StartupError, match="position 1"):
        Ledger(opened.url)


def test_a_reader_learns_of_a_swap_from_an_answer_too(opened: Opened) -> None:
    ledger = Ledger(opened.url)
    try:
        opened.put(1, opened.seal_anew(1, b"canary of nobody"))
        with pytest.raises(LedgerError) as refused:
            get_event(ledger, GetEventRequest(event_id=opened.events[0].event_id))
        assert refused.value.name == "VERIFICATION_FAILED"
    finally:
        ledger.close()


def test_the_keyring_is_for_the_ledger_alone(tmp_path: Path) -> None:
    path = tmp_path / "within" / "ledger.keys"
    made = Keyring(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keyring(path).wrapping == made.wrapping
    assert Keyring(path).index == made.index
    assert not any(
        base64.b64encode(key).decode() in repr(made)
        for key in (*made.wrapping.values(), made.index)
    )
    path.chmod(0o640)
    with pytest.raises(StartupError, match="others may read the keys"):
        Keyring(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"format": 2, "wrapping": {}, "index": ""}',
        b'{"format": 1, "wrapping": {}, "index": ""}',
        b'{"format": 1, "wrapping": {"1": "AAAA"}, "index": "AAAA"}',
        b'{"format": 1, "wrapping": {"one": ""}, "index": ""}',
        b'{"format": 1, "wrapping": [], "index": ""}',
        b'{"format": 1}',
    ],
)
def test_a_broken_keyring_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.keys"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StartupError, match=r"ledger\.keys"):
        Keyring(path)
    assert path.read_bytes() == content


def test_a_ledger_does_not_start_with_the_keys_of_another(opened: Opened, tmp_path: Path) -> None:
    strange = tmp_path / "strange.keys"
    Keyring(strange)
    with pytest.raises(StartupError, match="does not have the keys of this database"):
        Ledger(opened.url, keys=strange)
    missing = tmp_path / "missing.keys"
    with pytest.raises(StartupError, match="is missing"):
        Ledger(opened.url, keys=missing)
    assert not missing.exists()
    # An auditor without keys looks at everything else.
    examined = examine(opened.url, projections.load(), keys=tmp_path / "none.keys")
    assert not examined.has_keys
    assert examined.custody.ok
    Ledger(opened.url).close()


def test_keys_can_be_wrapped_anew_without_touching_the_log(opened: Opened) -> None:
    before = {(t, c): v for t, c, v in rows_of(opened.url) if t in {"entry", "tile", "head"}}
    old = keyring_of(opened.database)
    done = command("keys", "rotate", "--database", opened.url, "--keys", os.environ[KEYS])
    assert done.returncode == 0, done.stderr
    assert "3 keys wrapped anew" in done.stdout

    assert opened.read(1) == "canary of a"
    assert opened.found() == []
    new = keyring_of(opened.database)
    assert new.wrapping.keys() == {2}
    assert new.index == old.index
    assert not new.wrapping.items() & old.wrapping.items()
    assert before == {
        (t, c): v for t, c, v in rows_of(opened.url) if t in {"entry", "tile", "head"}
    }
    # One that held the keys of before goes on: it reads the file again.
    wrapped = [v for t, c, v in rows_of(opened.url) if (t, c) == ("person_key", "wrapped")]
    assert {old.unwrap(2, one) for one in wrapped} == set(opened.keys.values())


def test_a_keyring_that_is_changed_by_several_at_once_loses_no_key(tmp_path: Path) -> None:
    path = tmp_path / "ledger.keys"
    start = threading.Barrier(8)

    def change(_: int) -> bytes:
        start.wait(WAIT_S)
        made = Keyring(path)
        with made.alone():
            number = made.add()
        return made.wrapping[number]

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(change, range(8)))
    kept = Keyring(path).wrapping
    assert set(added) == set(kept.values()) - {kept[1]}
    assert sorted(kept) == list(range(1, 10))


def test_what_a_crash_left_of_a_forgotten_key_is_wiped(tmp_path: Path) -> None:
    path, old = tmp_path / "ledger.keys", tmp_path / "ledger.keys.old"
    ring = Keyring(path)
    forgotten = ring.wrapping[1]
    content = path.read_bytes()
    with ring.alone():
        ring.forget_all_but(ring.add())
    # As if it had been killed before the old file was wiped; another name keeps its bytes in sight.
    old.write_bytes(content)
    (tmp_path / "seen").hardlink_to(old)
    assert not ring.is_settled
    with ring.alone():
        pass
    assert ring.is_settled
    assert not old.exists()
    assert (tmp_path / "seen").read_bytes() == bytes(len(content))
    assert base64.b64encode(forgotten) not in path.read_bytes()
    assert json.loads(path.read_bytes())["wrapping"].keys() == {"2"}
    # Killed earlier, it is the file in use that has two names.
    old.hardlink_to(path)
    with ring.alone():
        pass
    assert Keyring(path).wrapping == ring.wrapping


@pytest.mark.parametrize(
    ("database_url", "ledgers"),
    [("sqlite", 1), *((one, count) for one in STORES[1:] for count in (1, 2))],
    indirect=["database_url"],
)
def test_first_appends_about_one_person_by_many_at_once_lose_no_field(
    database_url: str, ledgers: int
) -> None:
    """Each makes a key for her; one of them is kept, and what was sealed under others is sealed anew."""
    opened = [Ledger(database_url) for _ in range(ledgers)]
    rounds, threads = 3, 8
    start = threading.Barrier(threads)

    def append(number: int) -> list[Event]:
        mine = []
        for one in range(rounds):
            person_id = id_of(f"person {one}")
            made = event(
                PersonRegistered(person_id=person_id, birth_date=birth_date(number), sex="SEX_MALE")
            )
            also = event(
                IdentifierAsserted(
                    person_id=person_id, scheme="A_NUMBER", value=f"20000000{number}"
                )
            )
            start.wait(WAIT_S)
            append_events(opened[number % ledgers], appending(made, also), WAIT_S)
            mine += [made, also]
        return mine

    try:
        with ThreadPoolExecutor(threads) as pool:
            appended = [one for own in pool.map(append, range(threads)) for one in own]
        assert len(appended) == 2 * rounds * threads
        for ledger in opened:
            for one in appended:
                answer = get_event(ledger, GetEventRequest(event_id=one.event_id))
                assert answer.event.entry.event == one
    finally:
        for ledger in opened:
            ledger.close()
    assert examine(database_url, projections.load()).custody.problems == []


@pytest.mark.parametrize("database_url", STORES[1:], indirect=True)
def test_a_key_that_was_made_in_vain_hides_nothing_that_another_process_kept(
    database_url: str,
) -> None:
    ours, theirs = Ledger(database_url), Ledger(database_url)
    try:
        other = told("a", "canary theirs")
        ours.log.vault.make([id_of("a")], {})
        append_events(theirs, appending(other), WAIT_S)
        answer = get_event(ours, GetEventRequest(event_id=other.event_id))
        assert answer.event.entry.event == other
    finally:
        ours.close()
        theirs.close()


@pytest.mark.parametrize("database_url", STORES[1:], indirect=True)
def test_a_key_that_another_process_keeps_first_is_taken(database_url: str) -> None:
    """The same, one step after the other; one process alone writes to SQLite."""
    ours, theirs = Ledger(database_url), Ledger(database_url)
    try:
        mine, other = told("a", "canary mine"), told("a", "canary theirs")
        ours.log.vault.make([id_of("a")], {})
        append_events(theirs, appending(other), WAIT_S)
        append_events(ours, appending(mine), WAIT_S)
        for ledger in (ours, theirs):
            for one in (mine, other):
                answer = get_event(ledger, GetEventRequest(event_id=one.event_id))
                assert answer.event.entry.event == one
    finally:
        ours.close()
        theirs.close()


def test_the_leaf_is_what_was_stored_and_never_the_ciphertext(opened: Opened) -> None:
    ledger = Ledger(opened.url)
    try:
        receipts = append_events(ledger, appending(*opened.events), WAIT_S).receipts
    finally:
        ledger.close()
    for receipt in receipts:
        assert receipt.leaf_hash == leaf_hash(opened._stored(receipt.position).data)

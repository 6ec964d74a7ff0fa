"""Agencies that sign: nobody else can speak for them, neither at the append nor in the database."""

import json
import random
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from canaries import appending, filled_events
from commands import ledger, ledger_here
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from events import event, id_of
from google.protobuf.json_format import MessageToDict

from ledger import merkle
from ledger.access.caller import Caller
from ledger.append import append_events
from ledger.entry import seal
from ledger.errors import LedgerError, MistakeError
from ledger.keys import authority
from ledger.keys.certificates import Identities
from ledger.keys.folder import read_writers
from ledger.keys.sealing import commitment
from ledger.keys.writers import Writer, Writers, key_id, read_key, sign, signed_event
from ledger.ledger import Ledger
from ledger.personal import take_out
from ledger.rpc.server import Server
from ledger.store.audit import verify
from ledger.store.audit_range import Means
from ledger.store.database import Database
from ledger.store.tables import entry, tile
from ledger.v1.custody_pb2 import Released
from ledger.v1.event_pb2 import Commitment, Entry, Event
from ledger.v1.identity_pb2 import AgeDisputed, PersonRegistered
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import Role

WAIT_S = 60
FORGED = 1_000
SEED = 20_261_126


@dataclass
class Agency:
    """CBP, which signs, and its people."""

    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    other: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        authority.make(self.folder)
        raw = {
            "CBP": b64encode(self.key.public_key().public_bytes_raw()).decode(),
            "ICE": b64encode(self.other.public_key().public_bytes_raw()).decode(),
        }
        (self.folder / "server" / "writers.toml").write_text(
            "".join(
                f'[[writer]]\nagency = "{agency}"\npublic_key = "{one}"\nsince = 2000-01-01\n'
                for agency, one in raw.items()
            )
        )
        (self.folder / "writer.pem").write_bytes(
            self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self.known = Identities(self.folder / "server").current()
        self.writers = Writers(read_writers(self.folder / "server"))

    def caller(self, agency: str = "CBP") -> Caller:
        return Caller(
            spiffe_id=f"spiffe://custody.example/agency/{agency}/role/field-agent",
            agency=agency,
            role=Role.ROLE_FIELD_AGENT,
            known=self.known,
        )

    def request(self, *events: Event) -> AppendEventsRequest:
        signed = [signed_event(self.key, one) for one in events]
        return appending(*events, signatures=signed)


@pytest.fixture(scope="module")
def cbp(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    return Agency(tmp_path_factory.mktemp("agency"))


def told(number: int, **more: Any) -> Event:
    """An event with a personal field, or without one."""
    person_id = id_of(f"person {number}")
    if number % 3:
        return event(AgeDisputed(person_id=person_id, reason_text=f"doubt {number}"), **more)
    return event(PersonRegistered(person_id=person_id, stated_age_years=number % 18), **more)


def changed(one: Event, how: random.Random) -> Event:
    """The same event, but for something that it says."""
    other = Event.FromString(one.SerializeToString())
    what = how.randrange(5)
    if what == 0:
        other.valid_time.time.seconds -= 86_400
    elif what == 1:
        other.source.system = "another"
    elif what == 2:
        other.actor.actor_id = "another"
    elif what == 3:
        body = getattr(other, other.WhichOneof("fact"))
        body.person_id = id_of("somebody else")
    elif other.HasField("age_disputed"):
        other.age_disputed.reason_text += "!"
    else:
        other.person_registered.stated_age_years += 1
    return other


def _unsigned(cbp: Agency, one: Event, _: random.Random) -> AppendEventsRequest:
    return appending(one)


def _of_another_agency(cbp: Agency, one: Event, _: random.Random) -> AppendEventsRequest:
    return appending(one, signatures=[signed_event(cbp.other, one)])


def _of_another_event(cbp: Agency, one: Event, how: random.Random) -> AppendEventsRequest:
    return appending(one, signatures=[signed_event(cbp.key, told(how.randrange(99)))])


def _altered(cbp: Agency, one: Event, how: random.Random) -> AppendEventsRequest:
    return appending(changed(one, how), signatures=[signed_event(cbp.key, one)])


def _under_its_name(cbp: Agency, one: Event, _: random.Random) -> AppendEventsRequest:
    """Of a key that is the agency's by its name alone."""
    made = signed_event(Ed25519PrivateKey.generate(), one)
    made.signature.key_id = signed_event(cbp.key, one).signature.key_id
    return appending(one, signatures=[made])


def _another_promise(cbp: Agency, one: Event, _: random.Random) -> AppendEventsRequest:
    """The salts are not those that were signed; or a promise was signed of what is not there."""
    made = signed_event(cbp.key, one)
    for opening in made.openings:
        opening.salt = secrets.token_bytes(32)
    if not made.openings:
        made.signature.CopyFrom(sign(cbp.key, one, [Commitment(field="a", hash=bytes(32))]))
    return appending(one, signatures=[made])


def _flipped(cbp: Agency, one: Event, how: random.Random) -> AppendEventsRequest:
    made = signed_event(cbp.key, one)
    made.signature.signature = with_a_bit_flipped(made.signature.signature, how)
    return appending(one, signatures=[made])


def _under_another_name(cbp: Agency, one: Event, _: random.Random) -> AppendEventsRequest:
    made = signed_event(cbp.key, one)
    made.signature.key_id = key_id(cbp.other.public_key().public_bytes_raw())
    return appending(one, signatures=[made])


def _in_another_order(cbp: Agency, one: Event, how: random.Random) -> AppendEventsRequest:
    """Signed with the fields the other way round, or as they are but without what it is for."""
    made = signed_event(cbp.key, one)
    bare = Event.FromString(one.SerializeToString())
    fields = take_out(bare)
    salts = [opening.salt for opening in made.openings]
    promises = [
        commitment(path, salt, value) for (path, _, value), salt in zip(fields, salts, strict=True)
    ]
    first = Entry(event=bare).SerializeToString(deterministic=True)
    second = Entry(commitments=promises).SerializeToString(deterministic=True)
    context = b"custody/event/v1\0" if promises and how.randrange(2) else b""
    made.signature.signature = cbp.key.sign(context + second + first if context else first + second)
    return appending(one, signatures=[made])


FORGERIES = [
    _unsigned,
    _of_another_agency,
    _of_another_event,
    _altered,
    _under_its_name,
    _another_promise,
    _flipped,
    _under_another_name,
    _in_another_order,
]


def with_a_bit_flipped(content: bytes, how: random.Random) -> bytes:
    at = how.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << how.randrange(8)]) + content[at + 1 :]


def test_a_thousand_forged_events_are_all_refused_and_nothing_of_them_is_kept(
    open_ledger: Callable[..., Ledger], cbp: Agency
) -> None:
    ledger = open_ledger()
    seen, how = ledger.seen_by(cbp.caller()), random.Random(SEED)
    for number in range(FORGED):
        request = FORGERIES[number % len(FORGERIES)](cbp, told(how.randrange(99)), how)
        with pytest.raises(LedgerError) as refused:
            append_events(seen, request, WAIT_S)
        assert refused.value.name == "SIGNATURE_INVALID", number
        assert [one.field for one in refused.value.violations] == ["signatures[0]"]
        assert "doubt" not in str(refused.value)
    assert ledger.log.entries.size() == 0


def test_one_forged_event_among_many_keeps_all_of_them_out(
    open_ledger: Callable[..., Ledger], cbp: Agency
) -> None:
    ledger = open_ledger()
    seen = ledger.seen_by(cbp.caller())
    request = cbp.request(*(told(number) for number in range(20)))
    request.events[13].source.system = "another"
    with pytest.raises(LedgerError) as refused:
        append_events(seen, request, WAIT_S)
    assert [one.field for one in refused.value.violations] == ["signatures[13]"]
    assert ledger.log.entries.size() == 0


def test_events_that_are_signed_are_taken_and_an_audit_finds_nothing(
    open_ledger: Callable[..., Ledger], cbp: Agency
) -> None:
    """Of every kind with every personal field, one by one and together; and sent again."""
    ledger = open_ledger()
    seen = ledger.seen_by(cbp.caller())
    kinds = ("PersonalFieldsErased", "RecordSealed", "RecordUnsealed", "LegalHoldLifted")
    kinds += ("EmergencyAccessOpened", "PersonsLinkedAsSame", "PersonsUnlinked")
    events = filled_events(but=kinds)
    first = append_events(seen, cbp.request(*events), WAIT_S).receipts
    again = append_events(seen, cbp.request(*events), WAIT_S).receipts
    assert [one.position for one in first] == [one.position for one in again]
    # An agency without a key signs nothing, and what it signs nobody can check.
    orr = ledger.seen_by(cbp.caller("ORR"))
    append_events(orr, appending(told(1, agency="ORR"), told(2, agency="ORR")), WAIT_S)
    stray = told(3, agency="ORR")
    signed = signed_event(Ed25519PrivateKey.generate(), stray)
    append_events(orr, appending(stray, signatures=[signed]), WAIT_S)

    means = Means(vault=ledger.log.vault, writers=cbp.writers)
    verdict = verify(ledger._database, ledger.log.id, means)
    assert verdict.problems == []
    assert verdict.size == len(events) + 3


def test_an_agency_signs_from_a_day_on_and_with_the_keys_of_that_time() -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    publics = [one.public_key().public_bytes_raw() for one in keys]
    writers = Writers(
        [
            Writer("CBP", publics[0], since_us=1_000, until_us=3_000),
            Writer("CBP", publics[1], since_us=2_000),
        ]
    )
    one = told(0)
    for at_us, wanted in (
        (999, (True, True, True)),
        (1_000, (False, True, False)),
        (2_000, (False, True, True)),
        (2_999, (False, True, True)),
        (3_000, (False, False, True)),
    ):
        assert writers.must_sign("CBP", at_us) == (at_us >= 1_000)
        made = [Entry(event=one, format=1)]
        made += [Entry(event=one, format=1, signature=sign(key, one, [])) for key in keys]
        found = tuple(
            writers.has_signed(each.SerializeToString(deterministic=True), each, at_us)
            for each in made
        )
        assert found == wanted, at_us
    assert not writers.must_sign("ICE", 5_000)


def test_bytes_that_can_be_read_in_two_ways_are_not_signed(cbp: Agency) -> None:
    """An entry reads as another event, with the signed one hidden in it, or beside it."""
    one, other = told(0), told(3)
    signature = sign(cbp.key, one, [])
    event_tag, hidden_tag, fixed_tag = 2 << 3 | 2, 15 << 3 | 2, 14 << 3 | 1
    own, wanted = (
        bytes([event_tag]) + _length(each.SerializeToString()) + each.SerializeToString()
        for each in (one, other)
    )
    tail = Entry(format=1, signature=signature).SerializeToString(deterministic=True)
    good = own + tail
    # To a careless reader eight bytes are a number of one byte, and then a field that hides the
    # rest; to protobuf they are one number, and what is signed stands in a field that is unknown.
    unknown = bytes([hidden_tag]) + _length(own)
    span = len(wanted) + len(unknown)
    inner = bytes([hidden_tag]) + _varint(span | 0)
    padding = b"\0" * (8 - 1 - len(inner))
    smuggled = bytes([fixed_tag]) + b"\0" + padding + inner + wanted + unknown + own + tail
    assert Entry.FromString(smuggled).event == other

    merged = own + wanted + tail
    assert Entry.FromString(merged).event != one
    ways = {
        "hidden": smuggled,
        "merged": merged,
        "twice": own + own + tail,
        "with an unknown field": own + bytes([15 << 3, 1]) + tail,
        "with one of another kind": own + bytes([4 << 3 | 5]) + b"\1\0\0\0" + tail,
        "cut short": good[:-1],
        "none": tail,
        "empty": b"",
        "in the middle of a number": good + b"\x80",
    }
    assert cbp.writers.has_signed(good, Entry.FromString(good), 2**50)
    for name, data in ways.items():
        read = Entry(event=other, signature=signature)
        assert not cbp.writers.has_signed(data, read, 2**50), name


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def _length(content: bytes) -> bytes:
    return _varint(len(content))


# Who administers the database, and writes into it whatever he likes, with a tree to match.


class Administrator:
    """Has the whole database in his hands, and no key of an agency."""

    def __init__(self, database: Database, log: int) -> None:
        self._database = database
        self._log = log
        with database.reading.connect() as connection:
            self._rows = [
                dict(row)
                for row in connection.execute(
                    sa.select(entry).where(entry.c.log == log).order_by(entry.c.position)
                ).mappings()
            ]
        self._forged: set[int] = set()
        self.entries = [Entry.FromString(row["data"]) for row in self._rows]

    def write(self, forged: dict[int, bytes]) -> None:
        """Put entries in the place of others, by position, and make the whole tree anew."""
        wanted = {row["position"]: row["data"] for row in self._rows} | forged
        leaves = [merkle.leaf_hash(wanted[position]) for position in sorted(wanted)]
        touched = [{"at": at, "bytes": wanted[at]} for at in forged.keys() | self._forged]
        self._forged = set(forged)
        with self._database.writing() as connection:
            connection.execute(
                sa.update(entry)
                .where(entry.c.log == self._log, entry.c.position == sa.bindparam("at"))
                .values(data=sa.bindparam("bytes")),
                touched,
            )
            made: dict[merkle.Tile, bytes] = merkle.grow(0, leaves, lambda _: {})
            connection.execute(sa.delete(tile).where(tile.c.log == self._log))
            connection.execute(
                sa.insert(tile),
                [
                    {"log": self._log, "level": level, "tile": index, "hashes": hashes}
                    for (level, index), hashes in made.items()
                ],
            )


def forged_entry(
    cbp: Agency, entries: list[Entry], at: int, how: random.Random, way: int
) -> tuple[str, bytes]:
    """(how, bytes) of an entry that the agency did not sign; columns and record time fit it."""
    made = Entry()
    made.CopyFrom(entries[at])
    other = entries[(at + 1 + how.randrange(len(entries) - 1)) % len(entries)]
    kind = ["unsigned", "another key", "altered", "another promise", "replayed", "flipped"][way]
    if kind == "unsigned":
        made.ClearField("signature")
    elif kind == "another key":
        signature = sign(cbp.other, made.event, made.commitments)
        made.signature.signature = signature.signature
        if how.randrange(2):
            made.signature.key_id = signature.key_id
    elif kind == "altered":
        made.event.valid_time.time.seconds -= 86_400 * (1 + how.randrange(100))
        made.event.source.record_reference = f"{how.random()}"
    elif kind == "another promise":
        if made.commitments and how.randrange(2):
            made.commitments[0].CopyFrom(
                commitment("age_disputed.reason_text", bytes(32), b"another text")
            )
        else:
            made.commitments.append(Commitment(field="actor.agency", hash=bytes(32)))
    elif kind == "replayed":
        made.signature.CopyFrom(other.signature)
    else:
        made.signature.signature = with_a_bit_flipped(made.signature.signature, how)
    rest = Entry()
    rest.CopyFrom(made)
    rest.ClearField("record_time")
    data = rest.SerializeToString(deterministic=True)
    return kind, seal(data, made.record_time.ToMicroseconds())


def test_a_thousand_forged_entries_in_the_database_are_all_found(
    open_ledger: Callable[..., Ledger], cbp: Agency
) -> None:
    """With a tree that fits them, and nobody to have kept a checkpoint."""
    ledger = open_ledger()
    seen, how = ledger.seen_by(cbp.caller()), random.Random(SEED)
    signed = 120
    append_events(seen, cbp.request(*(told(number) for number in range(signed))), WAIT_S)
    append_events(
        ledger.seen_by(cbp.caller("ORR")),
        appending(*(told(number, agency="ORR") for number in range(30))),
        WAIT_S,
    )
    admin = Administrator(ledger._database, ledger.log.id)
    audit = partial(verify, ledger._database, ledger.log.id, Means(writers=cbp.writers))
    assert audit().problems == []
    ways: dict[str, int] = {}
    forged_so_far = 0
    while forged_so_far < FORGED:
        some = sorted(how.sample(range(signed), 20))
        forged: dict[int, bytes] = {}
        for number, at in enumerate(some):
            kind, data = forged_entry(cbp, admin.entries[:signed], at, how, number % 6)
            ways[kind] = ways.get(kind, 0) + 1
            forged[at + 1] = data
        admin.write(forged)
        found = audit()
        assert {one.position for one in found.problems} == set(forged)
        assert found.first_bad_position == some[0] + 1
        assert all("not signed" in one.what for one in found.problems)
        forged_so_far += len(forged)
    assert len(ways) == 6
    # Without the agencies' keys he would not be found: they are what an auditor must bring.
    assert verify(ledger._database, ledger.log.id, Means()).problems == []
    admin.write({})
    assert audit().problems == []


def test_an_entry_that_nobody_appended_is_found(
    open_ledger: Callable[..., Ledger], cbp: Agency
) -> None:
    """Written behind the last one with everything that belongs to it, as if CBP had said it."""
    ledger = open_ledger()
    seen = ledger.seen_by(cbp.caller())
    append_events(seen, cbp.request(told(0), told(3)), WAIT_S)
    # Over loopback nobody is identified, and nobody's signature asked for.
    false = event(Released(person_id=id_of("person 0"), agency="CBP", reason_code="OTHER"), 9)
    append_events(ledger, appending(false), WAIT_S)
    strange = told(6)
    append_events(
        ledger,
        appending(strange, signatures=[signed_event(Ed25519PrivateKey.generate(), strange)]),
        WAIT_S,
    )

    verdict = verify(ledger._database, ledger.log.id, Means(writers=cbp.writers))
    assert [one.position for one in verdict.problems] == [3, 4]


def test_what_a_client_signs_has_salts_of_its_own_each_time(cbp: Agency) -> None:
    one = told(1)
    made = [signed_event(cbp.key, one) for _ in range(2)]
    assert one == told(1, event_id=one.event_id)  # it was not changed
    assert made[0].openings[0].salt != made[1].openings[0].salt
    assert made[0].signature.signature != made[1].signature.signature
    assert all(not opening.value for each in made for opening in each.openings)
    assert all(len(each.openings[0].salt) == 32 for each in made)


def test_a_key_to_sign_with_is_ed25519_in_pem(cbp: Agency) -> None:
    good = (cbp.folder / "writer.pem").read_bytes()
    assert read_key(good).public_key() == cbp.key.public_key()
    strange = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for bad in (b"", b"no key", good[:40], strange):
        with pytest.raises(MistakeError, match="Ed25519"):
            read_key(bad)


@contextmanager
def served(cbp: Agency, tmp_path: Path) -> Iterator[tuple[str, str]]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    server = Server(Ledger(url), "127.0.0.1:0", Identities(cbp.folder / "server"))
    try:
        yield url, server.address
    finally:
        server.stop()


def test_events_are_signed_on_the_command_line_and_an_auditor_checks_them(
    cbp: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_IDENTITY", str(cbp.folder / "clients" / "cbp-field-agent"))
    file, key = tmp_path / "events.json", cbp.folder / "writer.pem"
    file.write_text(json.dumps([MessageToDict(told(number)) for number in range(4)]))
    with served(cbp, tmp_path) as (url, address):
        unsigned = ledger_here("append", file, "--server", address)
        strange = ledger_here(
            "append", file, "--server", address, "--sign", cbp.folder / "agencies/CBP/token.key"
        )
        signed = ledger_here("append", file, "--server", address, "--sign", key)
        again = ledger_here("append", file, "--server", address, "--sign", key)
        missing = ledger_here("append", file, "--server", address, "--sign", tmp_path / "none.pem")
        wrong = ledger_here("append", file, "--server", address, "--sign", file)
    for refused in (unsigned, strange):
        assert refused.returncode == 2
        assert "SIGNATURE_INVALID" in refused.stderr
    assert signed.returncode == 0, signed.stderr
    assert again.returncode == 0, again.stderr
    assert "there already" in again.stdout
    for mistaken in (missing, wrong):
        assert mistaken.returncode == 2
        assert "none.pem" in mistaken.stderr or "Ed25519" in mistaken.stderr
    audited = ledger(
        "audit", "verify", "--database", url, "--writers", cbp.folder / "server", "-o", "json"
    )
    assert audited.returncode == 0, audited.stderr
    assert json.loads(audited.stdout)["size"] == 4
    # Agents of another time, with another list of keys, see at once that it is not theirs.
    other = Agency(tmp_path / "another")
    audited = ledger("audit", "verify", "--database", url, "--writers", other.folder / "server")
    assert audited.returncode == 5
    assert "not signed by the agency" in audited.stdout

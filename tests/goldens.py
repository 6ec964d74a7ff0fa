"""Golden entries: bytes that later code must read for ever, and how each came about.

A file holds what was sent, what was kept, and what it reads as. `scripts/golden` writes those that
are not there yet, and leaves alone those that are.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from canaries import KINDS, fill
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from events import event, id_of
from examples import every_kind
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.access.caller import Caller
from ledger.closing import closed
from ledger.entry import encode, seal
from ledger.keys.sealing import commitment
from ledger.keys.writers import sign
from ledger.ledger import Ledger
from ledger.merkle import leaf_hash
from ledger.personal import put_back, take_out
from ledger.v1.access_pb2 import Access, AccessEntry
from ledger.v1.event_pb2 import Approval, Entry, Event, Opening
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, SignedEvent
from ledger.v1.options_pb2 import Role
from projections.subjects import subjects_of

FOLDER = Path(__file__).parent / "golden"
STATEMENT = "a.b.c"
RECORD_US = 1_530_000_000_123_456
NAMES = [kind.name for kind in KINDS]

# One that an agency signed and somebody else approved; one of before; one of the access log.
SIGNED, EARLIER, ACCESS = "signed", "format-0", "access"


def key_of(person_id: str) -> bytes:
    """The key of a person in every golden file."""
    return sha256(f"golden key of {person_id}".encode()).digest()


@contextmanager
def keyed() -> Iterator[Ledger]:
    """A ledger in which persons have the keys of the golden files."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/ledger.db", keys=Path(folder) / "golden.keys")
        try:
            yield ledger
        finally:
            ledger.close()


def entry_bytes(
    ledger: Ledger,
    sent: Event,
    *,
    subjects: Sequence[str],
    signed: SignedEvent | None = None,
    approvals: Sequence[Approval] = (),
    spiffe_id: str = "",
) -> bytes:
    """The bytes that a ledger keeps of an event."""
    people = {one.removeprefix("person:") for one in subjects if one.startswith("person:")}
    ledger.log.vault.note_saved({one: key_of(one) for one in people})
    request = AppendEventsRequest(events=[sent], signatures=[signed] if signed else [])
    seen = ledger.seen_by(Caller(spiffe_id=spiffe_id, role=Role.ROLE_FIELD_AGENT))
    return seal(closed(seen, request, [subjects], [approvals])[0].data, RECORD_US)


def sent_by_kind() -> dict[str, Event]:
    """An event of every kind with every personal field filled."""
    found = {}
    for number, body in enumerate(every_kind()):
        name = body.DESCRIPTOR.name
        fill(body, f"said-{number:02d}", number)
        found[name] = event(body, event_id=id_of(f"golden {name}"))
    return found


def whole(golden: dict[str, Any]) -> Event:
    """The event of a golden file as it was sent."""
    made = ParseDict(golden["reads_as"]["event"], Event())
    put_back(made, [(one["field"], one["value"].encode()) for one in golden["personal"]])
    return made


def made(ledger: Ledger, name: str) -> dict[str, Any]:
    """A new golden file."""
    if name == ACCESS:
        return _access()
    if name == EARLIER:
        sent = sent_by_kind()["PersonRegistered"]
        data = seal(Entry(event=sent).SerializeToString(deterministic=True), RECORD_US)
        return _described(data, subjects_of(sent), [])
    if name == SIGNED:
        return _signed(ledger, sent_by_kind()["AgeDisputed"])
    sent = sent_by_kind()[name]
    subjects = subjects_of(sent) or [f"person:{id_of('newcomer')}"] * (name == "Retracted")
    data = entry_bytes(ledger, sent, subjects=subjects)
    return _described(data, subjects, take_out(Event.FromString(encode(sent))))


def _signed(ledger: Ledger, sent: Event) -> dict[str, Any]:
    bare = Event.FromString(encode(sent))
    fields = take_out(bare)
    salt = sha256(b"golden salt").digest()
    key = Ed25519PrivateKey.from_private_bytes(sha256(b"golden signer").digest())
    promises = [commitment(path, salt, value) for path, _, value in fields]
    signed = SignedEvent(
        signature=sign(key, bare, promises),
        openings=[Opening(field=path, salt=salt) for path, _, _ in fields],
    )
    approvals = [
        Approval(agency="CBP", actor_id="cbp-1", role=Role.ROLE_AGENCY_SUPERVISOR),
        Approval(agency="ORR", actor_id="orr-2", role=Role.ROLE_AGENCY_SUPERVISOR, token=STATEMENT),
    ]
    data = entry_bytes(
        ledger,
        sent,
        subjects=subjects_of(sent),
        signed=signed,
        approvals=approvals,
        spiffe_id="spiffe://custody.example/agency/CBP",
    )
    described = _described(data, subjects_of(sent), fields)
    public_key = key.public_key().public_bytes_raw().hex()
    return {**described, "salt": salt.hex(), "public_key": public_key}


def _access() -> dict[str, Any]:
    access = Access(
        access_id=id_of("golden access"),
        agency="ORR",
        role=Role.ROLE_CASE_MANAGER,
        actor_id="orr-2",
        spiffe_id="spiffe://custody.example/agency/ORR",
        method="CustodyQueryService/GetPerson",
        purpose_code="REUNIFICATION",
        person_ids=[id_of("newcomer"), id_of("known")],
        as_of_time=Timestamp(seconds=1_529_000_000),
        size=17,
        question_hmac=bytes(range(32)),
        answer_hmac=bytes(range(32, 64)),
        reason="OK",
        emergency_event_ids=[id_of("emergency")],
    )
    rest = AccessEntry(access=access, format=1).SerializeToString(deterministic=True)
    data = seal(rest, RECORD_US)
    return {"entry": data.hex(), "leaf_hash": leaf_hash(data).hex(), "reads_as": read(ACCESS, data)}


def _described(
    data: bytes, subjects: Sequence[str], fields: Sequence[tuple[str, Any, bytes]]
) -> dict[str, Any]:
    return {
        "entry": data.hex(),
        "leaf_hash": leaf_hash(data).hex(),
        "subjects": list(subjects),
        "personal": [{"field": path, "value": value.decode()} for path, _, value in fields],
        "reads_as": read("", data),
    }


def read(name: str, data: bytes) -> dict[str, Any]:
    """What the bytes of an entry read as."""
    kept: Message = (AccessEntry if name == ACCESS else Entry).FromString(data)
    return dict(MessageToDict(kept, preserving_proto_field_name=True))


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def load(name: str) -> dict[str, Any]:
    return dict(json.loads(path_of(name).read_text(encoding="utf-8")))


def add_missing() -> list[str]:
    """Write the golden files that are not there; their names. Those that are, are for ever."""
    FOLDER.mkdir(exist_ok=True)
    missing = [one for one in (*NAMES, SIGNED, EARLIER, ACCESS) if not path_of(one).exists()]
    if missing:
        with keyed() as ledger:
            for name in missing:
                text = json.dumps(made(ledger, name), indent=1, ensure_ascii=False)
                path_of(name).write_text(f"{text}\n", encoding="utf-8")
    return missing

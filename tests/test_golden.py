"""Entries that were written once are read for ever, and to the same meaning."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from commands import ROOT
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from goldens import (
    ACCESS,
    EARLIER,
    FOLDER,
    NAMES,
    SIGNED,
    entry_bytes,
    key_of,
    keyed,
    load,
    path_of,
    read,
    whole,
)

from ledger.keys import sealing
from ledger.keys.writers import Writer, Writers, key_id
from ledger.ledger import Ledger
from ledger.personal import take_out
from ledger.store.suspect import access_leaf, custody_leaf
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.ledger_service_pb2 import SignedEvent

ALL = sorted([*NAMES, SIGNED, EARLIER, ACCESS])
SEALED = [name for name in NAMES if path_of(name).exists() and load(name)["personal"]]


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with keyed() as opened:
        yield opened


def test_every_kind_of_event_has_a_golden_file() -> None:
    """And one of before the format was fixed, one that is signed, one of the access log."""
    there = {path.stem for path in FOLDER.glob("*.json")}
    assert set(ALL) <= there, "run scripts/golden, and commit what it adds"
    assert len(SEALED) > 30


def test_what_was_golden_once_stays_so() -> None:
    """None is changed by the script that adds those that are missing."""
    before = {path: path.read_bytes() for path in FOLDER.glob("*.json")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "golden")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert before == {path: path.read_bytes() for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("name", ALL)
def test_a_golden_entry_reads_as_it_did(name: str) -> None:
    golden = load(name)
    data = bytes.fromhex(golden["entry"])

    assert read(name, data) == golden["reads_as"]
    # RFC 6962, 2.1, with nothing of ours.
    assert sha256(b"\0" + data).hexdigest() == golden["leaf_hash"]
    leaf = (access_leaf if name == ACCESS else custody_leaf)(data)
    assert leaf is not None
    if name in NAMES:
        assert leaf.kind == name
    if name != ACCESS:
        kept = Entry.FromString(data)
        assert kept.format == (0 if name == EARLIER else 1)


@pytest.mark.parametrize("name", [*NAMES, SIGNED])
def test_a_golden_entry_has_no_personal_field_in_it(name: str) -> None:
    golden = load(name)
    data = bytes.fromhex(golden["entry"])
    kept = Entry.FromString(data)

    assert take_out(Event.FromString(kept.event.SerializeToString())) == []
    assert [one.field for one in kept.commitments] == [one["field"] for one in golden["personal"]]
    for one in golden["personal"]:
        assert one["value"].encode() not in data


def test_an_entry_of_before_has_its_personal_fields_in_it() -> None:
    golden = load(EARLIER)
    kept = Entry.FromString(bytes.fromhex(golden["entry"]))

    assert kept.event.person_registered.HasField("birth_date")
    assert not kept.commitments
    assert kept.format == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_same_event_under_the_same_keys_gives_the_same_bytes(ledger: Ledger, name: str) -> None:
    golden = load(name)
    data = entry_bytes(ledger, whole(golden), subjects=golden["subjects"])

    assert data.hex() == golden["entry"]


@pytest.mark.parametrize("name", SEALED)
def test_every_commitment_is_to_what_was_said_with_the_salt_of_the_persons_keys(name: str) -> None:
    golden = load(name)
    kept = Entry.FromString(bytes.fromhex(golden["entry"]))
    people = [one.removeprefix("person:") for one in golden["subjects"] if "person:" in one]
    keys = [key_of(one) for one in people]
    for one, made in zip(golden["personal"], kept.commitments, strict=True):
        salt = sealing.salt(keys, kept.event.event_id, one["field"])
        plain = f"custody/commit/v1\0{one['field']}\0".encode() + salt + one["value"].encode()
        assert made.hash == sha256(plain).digest()


def test_a_golden_signature_is_over_the_bytes_of_event_and_commitments(ledger: Ledger) -> None:
    golden = load(SIGNED)
    data = bytes.fromhex(golden["entry"])
    kept = Entry.FromString(data)
    public = bytes.fromhex(golden["public_key"])
    signed = Entry(event=kept.event, commitments=kept.commitments)
    Ed25519PublicKey.from_public_bytes(public).verify(
        kept.signature.signature, b"custody/event/v1\0" + signed.SerializeToString()
    )
    assert kept.signature.key_id == key_id(public) == sha256(public).digest()[:8]
    assert Writers([Writer("CBP", public)]).has_signed(data, kept)
    again = entry_bytes(
        ledger,
        whole(golden),
        subjects=golden["subjects"],
        signed=SignedEvent(
            signature=kept.signature,
            openings=[
                {"field": one.field, "salt": bytes.fromhex(golden["salt"])}
                for one in kept.commitments
            ],
        ),
        approvals=kept.approvals,
        spiffe_id=kept.recorded_by,
    )
    assert again == data


def test_words_that_no_longer_read_the_baseline_are_found(tmp_path: Path) -> None:
    """`scripts/genproto --check`, which test_house runs, has buf compare them."""
    copy = tmp_path / "project"
    for name in ("protos", "scripts", "ledger/v1"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    check = [sys.executable, str(copy / "scripts" / "genproto"), "--check"]
    words = copy / "protos" / "ledger" / "v1" / "event.proto"
    text = words.read_text(encoding="utf-8")
    assert text.count("uint32 line = 5;") == 1
    words.write_text(text.replace("uint32 line = 5;", "uint32 line = 6;"), encoding="utf-8")
    subprocess.run([*check[:-1]], cwd=copy, check=True, capture_output=True)
    done = subprocess.run(check, cwd=copy, check=False, capture_output=True, text=True)

    assert done.returncode != 0
    assert '"line"' in done.stdout + done.stderr
    assert "breaking" in done.stdout + done.stderr

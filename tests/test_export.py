"""What is handed out: nothing personal, and no id by which two exports could be joined."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from canaries import KINDS, appending, filled_events, found_in, personal_fields, values_of
from commands import ledger as command
from events import event, id_of
from google.protobuf.message import Message

from ledger.append import append_events
from ledger.errors import LedgerError
from ledger.export import export_events
from ledger.ledger import Ledger
from ledger.personal import take_out
from ledger.rpc.server import Server
from ledger.v1.audit_service_pb2 import ExportEventsRequest, ExportKind
from ledger.v1.custody_pb2 import Apprehended
from ledger.v1.event_pb2 import Event
from ledger.v1.identity_pb2 import AgeDisputed, IdentifierAsserted, PersonRegistered
from ledger.v1.ledger_service_pb2 import EventFilter
from ledger.v1.options_pb2 import Personal, personal
from ledger.v1.protection_pb2 import DESCRIPTOR as PROTECTION
from ledger.v1.protection_pb2 import ConfidentialityDeclared, RecordSealed, RecordUnsealed
from projections.subjects import body_of, subjects_of

WAIT_S = 30
PUBLIC, RESEARCH = ExportKind.EXPORT_KIND_PUBLIC, ExportKind.EXPORT_KIND_RESEARCH
BOTH = pytest.mark.parametrize("kind", [PUBLIC, RESEARCH], ids=["public", "research"])
ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What guards a record would keep the events of every other kind out.
GUARDING = {one.name for one in PROTECTION.message_types_by_name.values()}


class Handed:
    """An export, whole."""

    def __init__(self, ledger: Ledger, kind: ExportKind.ValueType, *types: str) -> None:
        wanted = [EventFilter.Item(types=types)] if types else []
        request = ExportEventsRequest(kind=kind, filter=EventFilter(items=wanted))
        parts = list(export_events(ledger, request))
        self.events = [one for part in parts for one in part.events]
        self.left_out = {one for part in parts for one in part.redacted_fields}
        self.sizes = {part.checkpoint.size for part in parts}
        self.content = b"".join(one.SerializeToString() for one in parts)


@pytest.fixture
def sent(open_ledger: Callable[..., Ledger]) -> tuple[Ledger, list[Event]]:
    """A ledger with an event of every kind that says all that it can, and the events."""
    ledger = open_ledger()
    events = filled_events(but=GUARDING)
    for one in events:
        one.actor.actor_id = "officer-7"
        one.source.record_reference = "reference-17"
        body = body_of(one)
        for name in {"authorized_by", "approved_by", "handed_over_by", "escort"} & {
            field.name for field in body.DESCRIPTOR.fields
        }:
            officers = getattr(body, name)
            if isinstance(officers, str):
                setattr(body, name, f"officer-7-{name}")
            else:
                officers[:] = ["officer-7-one", "officer-7-two"]
        if "citation" in body.DESCRIPTOR.fields_by_name:
            body.citation.query = json.dumps({"ListClass": {"person_id": id_of("newcomer")}})
        one.correlation_id = id_of("incident")
    append_events(ledger, appending(*events), WAIT_S)
    return ledger, events


@BOTH
def test_nothing_personal_and_no_id_is_in_an_export(
    sent: tuple[Ledger, list[Event]], kind: ExportKind.ValueType
) -> None:
    ledger, events = sent
    handed = Handed(ledger, kind)
    known = {one for each in events for one in ID.findall(each.SerializeToString())}

    assert len(handed.events) == len(events)
    assert handed.sizes == {len(events)}
    assert len(known) > 60
    assert not found_in(handed.content, values_of(events))
    assert not found_in(handed.content, known)
    for hidden in (b"officer-7", b"reference-17"):
        assert hidden not in handed.content
    # What the events are about is not left out with it.
    for one, made in zip(events, handed.events, strict=True):
        assert made.WhichOneof("fact") == one.WhichOneof("fact")
        assert made.valid_time == one.valid_time
        assert made.actor.agency == one.actor.agency
        assert len(subjects_of(made)) == len(subjects_of(one))


def kept(message: Message, path: str = "") -> Iterator[tuple[str, int, Any]]:
    """(path, what an export makes of it, value) of each personal field that is there."""
    for field, value in message.ListFields():
        wanted = field.GetOptions().Extensions[personal]
        if wanted:
            yield f"{path}{field.name}", wanted, value
        elif field.message_type:
            for one in value if field.is_repeated else [value]:
                yield from kept(one, f"{path}{field.name}.")


def test_an_export_for_the_public_has_no_personal_field_and_says_which_it_had(
    sent: tuple[Ledger, list[Event]],
) -> None:
    ledger, events = sent
    handed = Handed(ledger, PUBLIC)
    fields = {
        re.sub(r"\[\d+\]", "", path)
        for one in events
        for path, _, _ in take_out(Event.FromString(one.SerializeToString()))
    }

    assert [found for one in handed.events for found in kept(one)] == []
    assert handed.left_out == fields
    every = {
        f"{fact.name}.{path}"
        for fact in Event.DESCRIPTOR.oneofs_by_name["fact"].fields
        if fact.message_type.name not in GUARDING
        for path, _ in personal_fields(fact.message_type)
    }
    assert fields == every


def test_research_gets_the_year_of_a_date_and_another_value_for_a_number(
    sent: tuple[Ledger, list[Event]],
) -> None:
    ledger, events = sent
    handed = Handed(ledger, RESEARCH)
    found = {path: (wanted, value) for one in handed.events for path, wanted, value in kept(one)}
    years = {path: value for path, (wanted, value) in found.items() if value and wanted == 3}
    others = {path for path, (wanted, _) in found.items() if wanted == Personal.PERSONAL_PSEUDONYM}

    assert {path.rpartition(".")[2] for path in years} == {"birth_date"}
    assert all(one.year and not one.month and not one.day for one in years.values())
    assert others == {"family_group_formed.external_number", "identifier_asserted.value"}
    assert len(found) == len(years) + len(others)
    assert "identifier_asserted.issuer_text" in handed.left_out
    wanted = {
        field.GetOptions().Extensions[personal]
        for kind in KINDS
        for _, field in personal_fields(kind)
    }
    assert wanted == {
        Personal.PERSONAL_REDACTED,
        Personal.PERSONAL_PSEUDONYM,
        Personal.PERSONAL_YEAR,
    }
    assert events


def numbered(person: str, value: str) -> Event:
    body = IdentifierAsserted(person_id=id_of(person), scheme="A_NUMBER", value=value)
    return event(body, event_id=id_of(f"{person} has {value}"))


def test_what_is_equal_is_equal_in_one_export_and_in_no_other(
    open_ledger: Callable[..., Ledger],
) -> None:
    ledger = open_ledger()
    events = [
        numbered("a", "201000001"),
        numbered("b", "201000001"),
        numbered("a", "201000002"),
        event(Apprehended(person_ids=[id_of("a"), id_of("b")], agency="CBP"), event_id=id_of("x")),
        event(AgeDisputed(person_id=id_of("a")), causation_id=id_of("x")),
    ]
    append_events(ledger, appending(*events), WAIT_S)
    exports = [Handed(ledger, kind).events for kind in (RESEARCH, RESEARCH, PUBLIC)]

    for made in exports:
        a, b = (made[index].identifier_asserted.person_id for index in (0, 1))
        assert a != b
        assert made[2].identifier_asserted.person_id == a
        assert list(made[3].apprehended.person_ids) == [a, b]
        assert made[4].age_disputed.person_id == a
        assert made[4].causation_id == made[3].event_id
        # As the words want an id to be.
        assert ID.fullmatch(a.encode())
    numbers = [[one.identifier_asserted.value for one in made[:3]] for made in exports]
    for made in numbers[:2]:
        assert made[0] == made[1] != made[2]
    assert numbers[2] == ["", "", ""]
    ids = [set(ID.findall(b"".join(one.SerializeToString() for one in made))) for made in exports]
    for index, mine in enumerate(ids):
        assert mine.isdisjoint(set().union(*ids[:index], *ids[index + 1 :]))
    assert not set(numbers[0]) & set(numbers[1])


@BOTH
def test_whom_a_court_sealed_or_who_is_confidential_is_in_no_export(
    open_ledger: Callable[..., Ledger], kind: ExportKind.ValueType
) -> None:
    """Nor that there is such a thing; nor what was told of both her and somebody else."""
    ledger = open_ledger()
    people = ("sealed", "confidential", "unsealed", "free")
    events = [
        event(PersonRegistered(person_id=id_of(one), stated_age_years=number))
        for number, one in enumerate(people, 1)
    ]
    order = "18-cv-00428"
    guarding = [
        event(RecordSealed(person_id=id_of("sealed"), order_reference=order)),
        event(RecordSealed(person_id=id_of("unsealed"), order_reference=order)),
        event(RecordUnsealed(person_id=id_of("unsealed"), order_reference=order), 2),
        event(ConfidentialityDeclared(person_id=id_of("confidential"), ground_code="ASYLUM_208_6")),
    ]
    both = [
        event(Apprehended(person_ids=[id_of("free"), id_of(one)], agency="CBP"))
        for one in ("sealed", "confidential")
    ]
    append_events(ledger, appending(*events, *guarding, *both), WAIT_S)
    handed = Handed(ledger, kind)

    ages = [one.person_registered.stated_age_years for one in handed.events]
    assert ages == [3, 4]
    assert order.encode() not in handed.content
    assert b"ASYLUM" not in handed.content
    assert not any(body_of(one).DESCRIPTOR.file.name == PROTECTION.name for one in handed.events)
    assert handed.left_out == set()


def test_an_export_is_of_the_events_asked_for_up_to_now(sent: tuple[Ledger, list[Event]]) -> None:
    ledger, events = sent
    assert len(Handed(ledger, PUBLIC, "Separated", "Reunified").events) == 2
    assert Handed(ledger, PUBLIC, "PersonsUnlinked").events[0].HasField("persons_unlinked")
    with pytest.raises(LedgerError, match="not a kind of event"):
        Handed(ledger, PUBLIC, "Nothing")
    after = ExportEventsRequest(kind=PUBLIC, after_position=len(events) - 1)
    (part,) = export_events(ledger, after)
    assert len(part.events) == 1
    too_far = ExportEventsRequest(kind=PUBLIC, after_position=len(events) + 1)
    with pytest.raises(LedgerError) as refused:
        list(export_events(ledger, too_far))
    assert refused.value.name == "SIZE_OUT_OF_RANGE"


def test_an_export_on_the_command_line_is_an_object_a_line(sqlite_server: Server) -> None:
    events = filled_events(but=GUARDING)
    append_events(sqlite_server._ledger, appending(*events), WAIT_S)
    address = sqlite_server.address
    done = {kind: command("export", kind, "--server", address) for kind in ("public", "research")}
    by_kind: dict[str, list[Any]] = defaultdict(list)
    for kind, one in done.items():
        assert one.returncode == 0, one.stderr
        by_kind[kind] = [json.loads(line) for line in one.stdout.splitlines()]
        assert len(by_kind[kind]) == len(events)
        assert f"{len(events)} events; left out: " in one.stderr
        assert "age_disputed.reason_text" in one.stderr
        said = (one.stdout + one.stderr).encode()
        assert not found_in(said, {value for value in values_of(events) if value != b"OTHER"})
        assert not found_in(said, {each.event_id.encode() for each in events})
    registered = {
        kind: next(one for one in made if "person_registered" in one)["person_registered"]
        for kind, made in by_kind.items()
    }
    assert registered["public"]["birth_date"] is None
    assert registered["research"]["birth_date"] == {"year": 1900, "month": 0, "day": 0}
    some = command("export", "public", "--type", "Separated", "--server", address)
    assert "separated" in json.loads(some.stdout)
    wrong = command("export", "nobody", "--server", address)
    assert wrong.returncode == 2

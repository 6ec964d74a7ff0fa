"""What events cause: the findings that would stand with them and do not stand without.

Computed by folding the records of those they name twice, with and without the events, so that it
is the same before they are kept, after, and when they are sent again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from ledger.ask.citation import citation_of
from ledger.ask.known import PERSON, people
from ledger.errors import LedgerError
from ledger.ledger import Ledger, Moment
from ledger.members import Members
from ledger.store.records import Read, of_all
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.view_pb2 import Finding
from projections import rules
from projections.findings import duties, findings
from projections.history import Fact, facts
from projections.holders import NUMBERED, holders
from projections.identifiers import is_shared, is_single, mark, normalized, slips
from projections.record import Noted, Record, may_be_same
from projections.sameness import same_as
from projections.subjects import body_of, subjects_of

Known = dict[str, list[Fact]]
Key = tuple[str, str, str, tuple[str, ...]]

EVENTS_MAX = 50
"""In larger appends nobody waits for findings: the queues have them."""


def causes(ledger: Ledger, events: Sequence[Event], size: int) -> list[Finding] | None:
    """The findings that these events cause in a log of a size; None: too many to look for.

    `field` is the path in the request. As of now. Raises PROJECTION_BEHIND where the tables, which
    say whose a number is and what a citation comes to, have not come so far.
    """
    if len(events) > EVENTS_MAX:
        return None
    now = ledger.clock()
    read = ledger.read(PERSON, _people_of(ledger, events), size)
    ids = {event.event_id for event in events}
    known_before = _facts(_without(read, ids))
    read_after = _with(_without(read, ids), events, size, now)
    known_after = _facts(read_after)
    before, after = _records(known_before, now), _records(known_after, now)
    # Rules that look at relatives are asked of few.
    asked = {
        one
        for records in (before, after)
        for one, record in records.items()
        if rules.is_candidate(record)
    }
    relatives = {link.relative_id for one in asked for link in after[one].family.links}
    others = people(ledger, sorted(relatives - after.keys()), Moment(now, size))
    # Of records that are of one person the same is said once, and what was said of any before the
    # link is not caused by it.
    person = {one: min(same_as(one, of_all(one, read_after))) for one in read_after}
    there = {_key(one, person) for one in _judge(before, others, known_before, now)}
    judged: dict[Key, Finding] = {}
    for one in _judge(after, others, known_after, now):
        judged.setdefault(_key(one, person), one)
    found = [one for key, one in judged.items() if key not in there]
    found += _unclear(ledger, events, after, read_after, Moment(now, size))
    found += _unknown(ledger, events)
    found += _not_reproduced(ledger, events, size)
    return [_placed(one, events) for one in found]


def _people_of(ledger: Ledger, events: Sequence[Event]) -> list[str]:
    """The persons whom events name, and those whom what they retract names."""
    retracted = {UUID(one.retracted.retracted_event_id).bytes for one in events if _retracts(one)}
    stored = ledger.log.entries.find(retracted)
    concerned = [*events, *(Entry.FromString(one.data).event for one in stored.values())]
    names = (name for event in concerned for name in subjects_of(event))
    prefix = f"{PERSON}:"
    return list(dict.fromkeys(one.removeprefix(prefix) for one in names if one.startswith(prefix)))


def _retracts(event: Event) -> bool:
    return event.WhichOneof("fact") == "retracted"


def _without(read: Read, ids: set[str]) -> Read:
    return {
        person_id: [one for one in entries if one[1].event.event_id not in ids]
        for person_id, entries in read.items()
    }


def _with(read: Read, events: Sequence[Event], size: int, now: int) -> Read:
    """The records with events added, as the next of the log."""
    found = {person_id: list(entries) for person_id, entries in read.items()}
    for number, event in enumerate(events, 1):
        entry = Entry(event=event)
        entry.record_time.FromMicroseconds(now)
        target = event.retracted.retracted_event_id
        for person_id, entries in found.items():
            is_named = f"{PERSON}:{person_id}" in subjects_of(event)
            if is_named or any(one.event.event_id == target for _, one in entries if target):
                entries.append((size + number, entry))
    return found


def _facts(read: Read) -> Known:
    return {person_id: facts(of_all(person_id, read), person_id) for person_id in read}


def _records(known: Known, now: int) -> dict[str, Record]:
    return {person_id: findings.fold(person_id, some, now) for person_id, some in known.items()}


def _judge(
    records: Mapping[str, Record], others: Mapping[str, Record], known: Known, now: int
) -> Iterator[Finding]:
    everybody = {**others, **records}
    for person_id, record in records.items():
        yield from rules.judge_alone(record)
        yield from rules.judge_among(record, everybody)
        yield from rules.judge_duties(duties.fold(person_id, known[person_id], now))


def _key(one: Finding, person: Mapping[str, str]) -> Key:
    known = tuple(person.get(each, each) for each in one.known)
    return (one.rule_code, person.get(one.person_id, one.person_id), one.event_id, known)


def _unclear(
    ledger: Ledger,
    events: Sequence[Event],
    records: Mapping[str, Record],
    read: Read,
    moment: Moment,
) -> Iterator[Finding]:
    """The numbers that are asserted of one person and are another's, or nearly."""
    # What this append asserts and takes back of somebody counts: her record says it.
    numbers = {
        person_id: {
            _held_by(one.scheme, one.value, one.issuer_text)
            for _, one in record.identity.identifiers
            if not is_shared(one.scheme)
        }
        for person_id, record in records.items()
    }
    asserted = {
        event.event_id: (event, name)
        for event in events
        if (body := event.identifier_asserted).person_id in numbers
        and (name := _held_by(body.scheme, body.value, body.issuer_text)) in numbers[body.person_id]
    }
    near = {
        _held_by(body.scheme, slip, ""): event
        for event, _ in asserted.values()
        if is_single((body := event.identifier_asserted).scheme)
        for slip in slips(normalized(body.scheme, body.value))
    }
    if not asserted:
        return
    wanted = {*near, *(name for _, name in asserted.values())}
    held = Members(ledger, holders, moment).each(sorted(wanted))
    same = {one: same_as(one, of_all(one, read)) for one in numbers}

    def others(name: str, person_id: str) -> set[str]:
        """Those who have a number and are not her, under whichever of her records."""
        having = {one for one, _ in held.get(name, ())} - records.keys()
        having |= {one for one, theirs in numbers.items() if name in theirs}
        return having - same[person_id]

    for event, name in asserted.values():
        if found := others(name, event.identifier_asserted.person_id):
            yield _of_number("IDENTIFIER_CONFLICT", event, found)
    for name, event in near.items():
        mine = records[event.identifier_asserted.person_id]
        if found := others(name, mine.person_id):
            theirs = {**people(ledger, found - records.keys(), moment), **records}
            if alike := {one for one in found if may_be_same(mine, theirs[one])}:
                yield _of_number("IDENTIFIER_NEAR_MISS", event, alike)


def _held_by(scheme: str, value: str, issuer_text: str) -> str:
    return f"{NUMBERED}{mark(scheme, value, issuer_text)}"


def _of_number(rule_code: str, event: Event, others: set[str]) -> Finding:
    noted = Noted(rule_code, event.event_id, "identifier_asserted.value", tuple(sorted(others)))
    return rules.present(event.identifier_asserted.person_id, noted)


def _unknown(ledger: Ledger, events: Sequence[Event]) -> Iterator[Finding]:
    """References to events that nobody has recorded."""
    ids = {event.event_id for event in events}
    for event in events:
        body = body_of(event)
        for field in body.DESCRIPTOR.fields:
            target = getattr(body, field.name)
            if not field.name.endswith("_event_id") or not target or target in ids:
                continue
            found = ledger.log.entries.find([UUID(target).bytes]).values()
            if all(ledger.sight.entry(one) is None for one in found):
                where = f"{event.WhichOneof('fact')}.{field.name}"
                yield rules.present("", Noted("UNKNOWN_EVENT", event.event_id, where))


def _not_reproduced(ledger: Ledger, events: Iterable[Event], size: int) -> Iterator[Finding]:
    """Citations that do not come out the same when they are computed again."""
    for event in events:
        body = body_of(event)
        if "citation" not in body.DESCRIPTOR.fields_by_name or not body.HasField("citation"):
            continue
        cited = body.citation
        try:
            moment = Moment(cited.as_of_time.ToMicroseconds(), cited.size)
            is_same = cited.size <= size and citation_of(ledger, cited.query, moment)[0] == cited
        except LedgerError as error:
            if error.reason == ErrorReason.ERROR_REASON_PROJECTION_BEHIND:
                raise
            is_same = False
        if not is_same:
            where = f"{event.WhichOneof('fact')}.citation"
            yield rules.present("", Noted("CITATION_NOT_REPRODUCED", event.event_id, where))


def _placed(one: Finding, events: Sequence[Event]) -> Finding:
    """The finding with the place in the request of the event that it names."""
    for index, event in enumerate(events):
        if event.event_id == one.event_id:
            one.field = f"events[{index}].{_field_of(event, one.field)}".rstrip(".")
            return one
    one.field = ""
    return one


def _field_of(event: Event, field: str) -> str:
    """The path in an event of a field that a rule names; empty: the event has none like it."""
    fact = event.WhichOneof("fact")
    head = field.partition(".")[0]
    if head == fact:
        return field
    return f"{fact}.{field}" if head in body_of(event).DESCRIPTOR.fields_by_name else ""

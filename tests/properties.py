"""What the tests of laws and invariants share: how often to try, how to tell a history and to ask.

Nothing here says what is true; the tests do.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from uuid import uuid4

import sqlalchemy as sa
from conftest import ticking
from eventsourcing.dcb.api import DCBQuery
from google.protobuf.message import Message
from histories import (
    AGENCIES,
    FACILITIES,
    FAMILIES,
    HORIZONS,
    LISTS,
    NUMBERS,
    PEOPLE,
    TRANSFERS,
    History,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ledger.append import append_events
from ledger.ask.citation import cite
from ledger.ask.counts import count_separations
from ledger.ask.handover import get_transfer
from ledger.ask.identifier import resolve_identifier
from ledger.ask.person import get_person, get_person_timeline
from ledger.ask.population import (
    list_class,
    list_clocks,
    list_numbers,
    list_roster,
    list_separations,
)
from ledger.ask.publication import get_list, get_number
from ledger.ask.queues import list_findings, list_likely_families, list_queues
from ledger.ask.reconciliation import reconcile_list
from ledger.ask.relatives import get_family, locate_relatives
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.store.generations import Generation, State
from ledger.store.tables import period
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_query_service_pb2 import (
    CiteRequest,
    CountSeparationsRequest,
    GetFamilyRequest,
    GetListRequest,
    GetNumberRequest,
    GetPersonRequest,
    GetPersonTimelineRequest,
    GetTransferRequest,
    ListClassRequest,
    ListClocksRequest,
    ListedPerson,
    ListFindingsRequest,
    ListLikelyFamiliesRequest,
    ListNumbersRequest,
    ListQueuesRequest,
    ListRosterRequest,
    ListSeparationsRequest,
    LocateRelativesRequest,
    ReconcileListRequest,
    ResolveIdentifierRequest,
    SeparationDimension,
)
from ledger.v1.event_pb2 import Entry, Event
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, AppendEventsResponse
from ledger.v1.options_pb2 import personal
from ledger.v1.view_pb2 import CustodyStatus
from projections.belief import SubjectEntries
from projections.history import Fact, facts

IN_CUSTODY = (CustodyStatus.CUSTODY_STATUS_HELD, CustodyStatus.CUSTODY_STATUS_IN_TRANSFER)
LATER_US = 1_893_456_000_000_000
"""2030-01-01: later than everything."""
HORIZON_US = 32 * 24 * 3_600 * 1_000_000
"""No stated unit is longer."""


def tried(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same histories each time, so that a failure can be repeated; TIMES=20 tries more."""
    return settings(
        max_examples=examples * int(os.environ.get("TIMES", "1")),
        derandomize=True,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


@contextmanager
def opened(url: str, clock: Callable[[], int] | None = None) -> Iterator[Ledger]:
    """A ledger on a new log."""
    with closing(Ledger(url, name=uuid4().hex, clock=clock or ticking())) as ledger:
        yield ledger


def append(ledger: Ledger, events: Sequence[Event], **options: bool) -> AppendEventsResponse:
    return append_events(ledger, AppendEventsRequest(events=events, **options), 30)


def append_all(ledger: Ledger, history: History) -> list[AppendEventsResponse]:
    return [append(ledger, events) for events in history.appends]


def basis(as_of_us: int, **known: int) -> Basis:
    """As of an instant; known: `at_size` or `known_at_us`."""
    made = Basis()
    made.as_of_time.FromMicroseconds(as_of_us)
    if "known_at_us" in known:
        made.known_at_time.FromMicroseconds(known["known_at_us"])
    elif "at_size" in known:
        made.at_size = known["at_size"]
    return made


def start_of(one: Event) -> int:
    return one.valid_time.time.ToMicroseconds()


def edges(history: History) -> list[int]:
    """The instants at which something may change, and those right before and after."""
    at = [start_of(one) for one in history.events]
    at += [round(horizon.timestamp() * 1_000_000) for horizon in HORIZONS]
    return sorted({near for us in at for near in (us - 1, us, us + 1)} | {0, LATER_US})


def some_of(data: st.DataObject, values: Sequence[int], count: int) -> list[int]:
    """A few of these, the last one always among them."""
    drawn = data.draw(st.lists(st.sampled_from(values), max_size=count - 1, unique=True))
    return sorted({*drawn, values[-1]})


def names(one: Event, subject_id: str) -> bool:
    return subject_id.encode() in one.SerializeToString()


def as_kept(history: History, one: Event) -> Event:
    """An event as the log keeps it: without what is personal, where it tells of anybody."""
    voided = {other.event_id: other for other in history.events}
    told_of = voided.get(one.retracted.retracted_event_id, one)
    kept = Event.FromString(one.SerializeToString())
    if any(names(told_of, person) for person in PEOPLE):
        clear_personal(kept)
    return kept


def clear_personal(message: Message) -> None:
    """Clear the fields that the words call personal, however deep."""
    for field, value in message.ListFields():
        if field.GetOptions().Extensions[personal]:
            message.ClearField(field.name)
        elif field.message_type:
            for part in value if field.is_repeated else [value]:
                clear_personal(part)


def entries_of(history: History, subject_id: str, size: int) -> list[tuple[int, Entry]]:
    """The entries about a person and everybody linked with her, or about another subject."""
    return [(position, Entry(event=one)) for position, one in history.record_of(subject_id, size)]


def facts_of(history: History, subject_id: str, size: int) -> list[Fact]:
    return facts(entries_of(history, subject_id, size), subject_id)


def record_of(history: History, subject_id: str, size: int) -> SubjectEntries:
    return SubjectEntries(subject_id, entries_of(history, subject_id, size))


def subjects_of_kind(history: History, kind: str) -> list[str]:
    """The subjects of a kind that a history names."""
    known = {
        "person": PEOPLE,
        "family": FAMILIES,
        "transfer": TRANSFERS,
        "number": NUMBERS,
        "list": LISTS,
    }[kind]
    return [one for one in known if history.about(one, len(history.events))]


# What is asked


Question = tuple[Callable[[Ledger, Message], Message], Message]


def questions(history: History, then: Basis, *, wide: bool = True) -> list[Question]:
    """Every kind of question, about the first few; not `wide`: without those about everybody."""
    found: list[Question] = []
    for one in history.people[:2]:
        found += [
            (get_person, GetPersonRequest(person_id=one, basis=then)),
            (get_person_timeline, GetPersonTimelineRequest(person_id=one, basis=then)),
            (get_family, GetFamilyRequest(person_id=one, basis=then)),
            (locate_relatives, LocateRelativesRequest(person_id=one, basis=then)),
        ]
    found += [
        (get_family, GetFamilyRequest(family_id=FAMILIES[0], basis=then)),
        (get_transfer, GetTransferRequest(transfer_id=TRANSFERS[0], basis=then)),
        (get_number, GetNumberRequest(number_id=NUMBERS[0], basis=then)),
        (get_list, GetListRequest(list_id=LISTS[0], basis=then)),
    ]
    return found + wide_questions(then) if wide else found


def wide_questions(then: Basis) -> list[Question]:
    """Every kind of question about everybody."""
    roster = ListRosterRequest(agency=AGENCIES[0])
    listed = [ListedPerson(person_id=one) for one in PEOPLE[:2]]
    return [
        *((list_roster, ListRosterRequest(agency=one, basis=then)) for one in AGENCIES[:2]),
        (list_roster, ListRosterRequest(facility=FACILITIES[0], basis=then)),
        *(
            (list_separations, ListSeparationsRequest(include_reunified=every, basis=then))
            for every in (False, True)
        ),
        (
            count_separations,
            CountSeparationsRequest(
                by=[SeparationDimension.SEPARATION_DIMENSION_REASON], basis=then
            ),
        ),
        (list_queues, ListQueuesRequest(basis=then)),
        (list_findings, ListFindingsRequest(rule_code="CUSTODY_CONFLICT", basis=then)),
        (list_clocks, ListClocksRequest(clock_code="TRANSFER_24", basis=then)),
        (list_class, ListClassRequest(class_code="MS_L_2018", basis=then)),
        (list_numbers, ListNumbersRequest(basis=then)),
        (list_likely_families, ListLikelyFamiliesRequest(basis=then)),
        (resolve_identifier, ResolveIdentifierRequest(scheme="OTHER", value="1", basis=then)),
        (reconcile_list, ReconcileListRequest(agency=AGENCIES[0], rows=listed, basis=then)),
        (cite, CiteRequest(list_roster=roster, basis=then)),
    ]


def answers(ledger: Ledger, asked: Iterable[Question]) -> list[bytes]:
    """The bytes of each reply, or the name of the refusal."""
    found = []
    for ask, question in asked:
        try:
            found.append(ask(ledger, question).SerializeToString(deterministic=True))
        except LedgerError as refusal:
            found.append(refusal.name.encode())
    return found


# What is on disk


def kept_bytes(ledger: Ledger) -> list[bytes]:
    """The bytes of every entry, as they are on disk."""
    size = ledger.log.entries.size()
    return [one.data for one in ledger.log.entries.page(DCBQuery(), 0, size, size)]


def table(ledger: Ledger, number: int) -> list[tuple[object, ...]]:
    """The rows of a generation, but for its number; the last column, the state, in plain."""
    columns = [one for one in period.c if one.name not in ("log", "generation")]
    assert columns[-1] is period.c.state
    with ledger._database.reading.connect() as connection:
        wanted = sa.select(*columns).where(
            period.c.log == ledger.log.id, period.c.generation == number
        )
        rows = list(connection.execute(wanted))
    states = ledger.log.vault.open_states((row.subject, row.state) for row in rows)
    return sorted((*row[:-1], state) for row, state in zip(rows, states, strict=True))


def live(ledger: Ledger, name: str) -> Generation:
    found = ledger.populations.generations.find(name, State.LIVE)
    assert found is not None
    return found


# The tree, by means that share nothing with `ledger.merkle`


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(tree_hash(leaves[:split]), tree_hash(leaves[split:]))

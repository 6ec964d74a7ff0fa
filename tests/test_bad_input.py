"""Whatever is sent: a named refusal with the field at fault, nothing of it repeated, nothing kept."""

import random
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from conftest import STORES
from events import MINUTE, event, id_of
from examples import LIST, NUMBER, REQUEST, TRANSFER, citation, every_kind
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from google.type.date_pb2 import Date
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.rpc.server import Server
from ledger.store.audit import verify
from ledger.store.audit_range import Means
from ledger.store.database import Database
from ledger.v1.audit_service_pb2 import (
    ExportEventsRequest,
    ExportKind,
    GetCheckpointRequest,
    GetConsistencyProofRequest,
    GetInclusionProofRequest,
    ListAccessesRequest,
    LogName,
    VerifyCitationRequest,
)
from ledger.v1.basis_pb2 import Basis, PageToken
from ledger.v1.custody_pb2 import (
    Apprehended,
    BookedIn,
    CarriedLinks,
    ReferredToOrr,
    Released,
    TransferDeparted,
    TransferProposed,
)
from ledger.v1.custody_query_service_pb2 import (
    AgeAt,
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
    ListedIdentifier,
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
)
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.event_pb2 import Event
from ledger.v1.family_pb2 import (
    FamilyGroupFormed,
    FamilyGroupReclassified,
    LinkEvidenceAttached,
    RelationshipAsserted,
    RelationshipDisputed,
    RelationshipKind,
    TracingRequestFiled,
)
from ledger.v1.identity_pb2 import (
    AgeDetermined,
    IdentifierAsserted,
    PersonRegistered,
    PersonsLinkedAsSame,
    SpecialNeedRecorded,
)
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesRequest,
    AppendEventBatchesResponse,
    AppendEventsRequest,
    EventFilter,
    GetEventRequest,
    ListCodesRequest,
    Precondition,
    ReadEventsRequest,
    WatchEventsRequest,
)
from ledger.v1.options_pb2 import status as status_option
from ledger.v1.options_pb2 import subject
from ledger.v1.oversight_pb2 import (
    ClassMembershipDetermined,
    InformationRequested,
    ListCertified,
    NumberPublished,
    Retracted,
)
from ledger.v1.place_pb2 import Place
from ledger.v1.protection_pb2 import PersonalFieldsErased
from ledger.v1.separation_pb2 import (
    CommunicationOccurred,
    NoticeState,
    ReunificationWaived,
    Reunified,
    Separated,
    SeparationAuthorized,
    SeparationNotice,
)
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import Severity
from projections.codes import codes_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
OUT_OF_RANGE = grpc.StatusCode.OUT_OF_RANGE
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

UINT64_MAX = 2**64 - 1


def examples(database_url: str) -> int:
    """How many of anything: what is refused is refused before it comes to a store, mostly."""
    return 120 if database_url.startswith("sqlite") else 40


# What a refusal says on the wire, read without the ledger's own reader of it.


@dataclass(frozen=True)
class Refusal:
    """How a call ended that was not answered."""

    code: grpc.StatusCode
    reason: str
    fields: tuple[str, ...]
    text: str
    """All of it, to look for what should not be in it."""


def refusal_of(error: grpc.RpcError) -> Refusal:
    """What a refused call says, having checked that its parts say the same."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if details is None:
        return Refusal(error.code(), "", (), str(error.details()))
    status, info, bad = Status.FromString(details), ErrorInfo(), BadRequest()
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    assert len({detail.type_url for detail in status.details}) == len(status.details)
    assert status.details[0].Unpack(info)
    assert info.domain == "ledger.v1"
    for detail in status.details[1:]:
        assert detail.Unpack(bad)
    fields = tuple(one.field for one in bad.field_violations)
    return Refusal(error.code(), info.reason, fields, str((status.message, info, bad)))


@contextmanager
def refused(code: grpc.StatusCode, reason: str, *fields: str) -> Iterator[None]:
    """The block ends in this refusal, with these fields at fault."""
    with pytest.raises(grpc.RpcError) as caught:
        yield
    found = refusal_of(caught.value)
    assert (found.code, found.reason, found.fields) == (code, reason, fields), found.text


STATUS_OF = {
    value.name.removeprefix("ERROR_REASON_"): value.GetOptions().Extensions[status_option]
    for value in ErrorReason.DESCRIPTOR.values
}


def assert_named(found: Refusal) -> None:
    """It is a refusal of the catalogue, with the status that the catalogue gives, and not ours."""
    assert found.reason in STATUS_OF, found
    assert found.code.value[0] == STATUS_OF[found.reason], found
    # Bad input is neither our fault nor a reason to try again.
    assert found.code not in {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNAVAILABLE,
    }, found


def texts(message: Message) -> Iterator[str]:
    """The texts of a message that are long enough to be recognized."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        if field.message_type:
            for part in values:
                yield from texts(part)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield from (one for one in values if len(one) > 6)


# Every method, as the descriptors know them.


def _find_methods() -> dict[type[Message], MethodDescriptor]:
    pool = descriptor_pool.Default()
    methods = {}
    for file, name in (
        ("ledger_service", "LedgerService"),
        ("custody_query_service", "CustodyQueryService"),
        ("audit_service", "AuditService"),
    ):
        service = pool.FindFileByName(f"ledger/v1/{file}.proto").services_by_name[name]
        for method in service.methods:
            methods[message_factory.GetMessageClass(method.input_type)] = method
    return methods


METHOD_OF = _find_methods()
every_method = pytest.mark.parametrize(
    "request_type", METHOD_OF, ids=[method.name for method in METHOD_OF.values()]
)


class RefusedBatch(grpc.RpcError):
    """The refusal of a batch, as that of a call."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return next(one for one in grpc.StatusCode if one.value[0] == self._status.code)

    def details(self) -> str:
        return self._status.message

    def trailing_metadata(self) -> Any:
        return [("grpc-status-details-bin", self._status.SerializeToString())]


class Sender:
    """Sends bytes to any method."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def send(self, method: MethodDescriptor, data: bytes, **options: Any) -> list[Message]:
        """The answers; of a stream without end, the first. Raises grpc.RpcError."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        made = message_factory.GetMessageClass(method.output_type)
        if not method.server_streaming:
            call = self._channel.unary_unary(path, response_deserializer=made.FromString)
            return [call(data, timeout=20, **options)]
        stream = self._channel.unary_stream(path, response_deserializer=made.FromString)(
            data, timeout=20, **options
        )
        if method.name == "WatchEvents":
            first = next(stream)
            stream.cancel()
            return [first]
        answers = list(stream)
        for one in answers:
            if method.client_streaming and one.HasField("refusal"):
                raise RefusedBatch(one.refusal)
        return answers

    def stream(self, batches: list[bytes]) -> Iterator[Any]:
        """The answers to batches on one stream, each sent when there is credit for it."""
        sending: SimpleQueue[bytes | None] = SimpleQueue()
        answers = self._channel.stream_stream(
            "/ledger.v1.LedgerService/AppendEventBatches",
            response_deserializer=AppendEventBatchesResponse.FromString,
        )(iter(sending.get, None), timeout=60)
        left = iter(batches)
        for answer in answers:
            for _ in range(answer.credit.batches):
                sending.put(next(left, None))
            yield answer

    def outcome(self, method: MethodDescriptor, data: bytes) -> Refusal | None:
        """The refusal, if there is one."""
        try:
            self.send(method, data)
        except grpc.RpcError as error:
            return refusal_of(error)
        return None


# A small world: something known, something retracted, two people on a roster.

KNOWN, SECOND, THIRD = id_of("known"), id_of("second"), id_of("third")
NEWCOMER, STRANGER = id_of("newcomer"), id_of("stranger")
PLACE = "Harbor Processing Center"


def world() -> list[Event]:
    """What is in the log before anything bad is sent."""
    return [
        event(PersonRegistered(person_id=KNOWN), event_id=id_of("kept")),
        event(PersonRegistered(person_id=SECOND), event_id=id_of("gone")),
        event(
            Retracted(retracted_event_id=id_of("gone"), reason_text="entered twice"),
            event_id=id_of("retraction"),
        ),
        *(
            event(
                BookedIn(person_id=one, agency="CBP", facility=Place(name=PLACE)),
                2,
                event_id=id_of(f"booked-{one}"),
            )
            for one in (KNOWN, SECOND)
        ),
        event(
            Separated(
                child_id=KNOWN,
                adult_ids=[SECOND],
                reason_codes=["ZERO_TOLERANCE"],
                agency="CBP",
            ),
            3,
            event_id=id_of("separated"),
        ),
        # The tests count the entries before these.
        event(IdentifierAsserted(person_id=THIRD, scheme="A_NUMBER", value="A12345678")),
        event(
            TransferDeparted(
                transfer_id=TRANSFER, person_ids=[THIRD], from_agency="CBP", to_agency="ORR"
            ),
            4,
        ),
        event(
            InformationRequested(
                request_id=REQUEST,
                person_ids=[THIRD],
                agency="ORR",
                of_agency="CBP",
                request_text="who is she",
            ),
            5,
        ),
        event(
            ClassMembershipDetermined(
                person_id=THIRD, class_code="MS_L_2018", criteria_version="1", included=True
            ),
            6,
        ),
        event(
            ListCertified(list_id=LIST, agency="ORR", title="the list", citation=citation()),
            7,
            event_id=id_of("certified"),
        ),
        event(NumberPublished(number_id=NUMBER, agency="ORR", title="the number", value=7), 8),
    ]


@pytest.fixture(scope="module", params=STORES)
def database_url(request: pytest.FixtureRequest, tmp_path_factory: Any) -> str:
    """One database for the whole file: nothing bad should leave a trace."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('bad') / 'ledger.db'}"
    return request.getfixturevalue("postgres_of")(request.param).create_database()


@pytest.fixture(scope="module")
def server(database_url: str) -> Iterator[Server]:
    running = Server(Ledger(database_url), "127.0.0.1:0")
    with Client(running.address) as client:
        client.ledger.AppendEvents(AppendEventsRequest(events=world()))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def sender(server: Server) -> Iterator[Sender]:
    with grpc.insecure_channel(server.address) as channel:
        yield Sender(channel)


def checkpoint(sender: Sender) -> Message:
    """The size and root of the log."""
    return sender.send(METHOD_OF[GetCheckpointRequest], b"")[0].checkpoint


# The table.


def somebody(**envelope: Any) -> Event:
    """A good event."""
    return event(PersonRegistered(person_id=NEWCOMER), **envelope)


def sent(*events: Event, **options: Any) -> AppendEventsRequest:
    return AppendEventsRequest(events=events, **options)


def but(message: Any, path: str, value: Any = None) -> Any:
    """The message with a field set to a value, or cleared."""
    *way, last = path.split(".")
    part = message
    for name in way:
        part = getattr(part, name)
    if value is None:
        part.ClearField(last)
    elif isinstance(value, Message):
        getattr(part, last).CopyFrom(value)
    elif isinstance(value, list):
        getattr(part, last).extend(value)
    else:
        setattr(part, last, value)
    return message


def bytes_of(message: Message) -> bytes:
    return message.SerializeToString()


def fact(body: Message) -> AppendEventsRequest:
    return sent(event(body))


def unknown(message: Message, number: int = 999) -> Any:
    """The message with a field that this edition does not know."""
    key = number << 3
    tag = bytes([key & 0x7F | 0x80, key >> 7])
    return type(message).FromString(message.SerializeToString() + tag + b"\x01")


def minutes_from_now(minutes: float) -> datetime:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return now + timedelta(minutes=minutes)


def new_year(year: int) -> Timestamp:
    return Timestamp(seconds=int(datetime(year, 1, 1, tzinfo=UTC).timestamp()))


def anything(*, after: int = 0, **item: Any) -> Precondition:
    """Nothing like this may have happened."""
    found = EventFilter(items=[EventFilter.Item(**item)])
    return Precondition(no_events_match=found, after_position=after)


def about(person_id: str) -> EventFilter:
    return EventFilter(items=[EventFilter.Item(subjects=[person_id])])


SEPARATED = Separated(child_id=NEWCOMER, reason_codes=["ZERO_TOLERANCE"], agency="CBP")


def separated() -> Separated:
    """A good separation."""
    return Separated(
        child_id=NEWCOMER, adult_ids=[KNOWN], reason_codes=["ZERO_TOLERANCE"], agency="CBP"
    )


def notice(**stated: Any) -> SeparationNotice:
    return SeparationNotice(state=NoticeState.NOTICE_STATE_GIVEN, **stated)


def handed_over(*links: CarriedLinks) -> TransferDeparted:
    """A departure that carries these links."""
    return TransferDeparted(
        transfer_id=TRANSFER,
        person_ids=[NEWCOMER],
        from_agency="CBP",
        to_agency="ORR",
        links=links,
    )


ZONES = (
    "Mars/Olympus_Mons",
    "America",
    "America/",
    "america/chicago!",
    "../../../etc/passwd",
    "/etc/localtime",
    "zone.tab",
    "tzdata.zi",
    "localtime",
    "posix/America/Chicago",
    "right/UTC",
    "__init__.py",
    "Europe.London",
    "America/Chicago/North",
    " UTC",
    "é" * 64,
)

Cases = dict[str, tuple[Any, ...]]

NOT_OF_THE_SHAPE: Cases = {
    "an empty batch": (sent(), "events"),
    "an oversized batch": (
        sent(*[somebody(event_id=str(uuid.UUID(int=i))) for i in range(501)]),
        "events",
    ),
    "an event without an envelope": (
        sent(Event()),
        *(f"events[0].{one}" for one in ("fact", "event_id", "valid_time", "source", "actor")),
    ),
    "no event id": (sent(but(somebody(), "event_id")), "events[0].event_id"),
    "no valid time": (sent(but(somebody(), "valid_time")), "events[0].valid_time"),
    "a valid time without its time": (
        sent(but(somebody(), "valid_time.time")),
        "events[0].valid_time.time",
    ),
    "a valid time without its precision": (
        sent(but(somebody(), "valid_time.precision")),
        "events[0].valid_time.precision",
    ),
    "a precision that there is not": (
        sent(but(somebody(), "valid_time.precision", 99)),
        "events[0].valid_time.precision",
    ),
    "a valid time without its zone": (
        sent(but(somebody(), "valid_time.zone")),
        "events[0].valid_time.zone",
    ),
    "no source": (sent(but(somebody(), "source")), "events[0].source"),
    "a source without its system": (
        sent(but(somebody(), "source.system")),
        "events[0].source.system",
    ),
    "half a hash of a file": (
        sent(but(somebody(), "source.file_sha256", b"x" * 16)),
        "events[0].source.file_sha256",
    ),
    "no actor": (sent(but(somebody(), "actor")), "events[0].actor"),
    "no fact": (sent(but(somebody(), "person_registered")), "events[0].fact"),
    "a malformed event id": (sent(somebody(event_id="4b9f")), "events[0].event_id"),
    "an event id in upper case": (
        sent(somebody(event_id=id_of("new").upper())),
        "events[0].event_id",
    ),
    "an event id with a line end": (
        sent(somebody(event_id=f"{id_of('new')}\n")),
        "events[0].event_id",
    ),
    "an event id in braces": (
        sent(somebody(event_id=f"{{{id_of('new')}}}")),
        "events[0].event_id",
    ),
    "a person in upper case": (
        fact(PersonRegistered(person_id=NEWCOMER.upper())),
        "events[0].person_registered.person_id",
    ),
    "a person by a number of hers": (
        fact(PersonRegistered(person_id="A 201 987 654")),
        "events[0].person_registered.person_id",
    ),
    "a malformed correlation": (
        sent(somebody(correlation_id="incident 1")),
        "events[0].correlation_id",
    ),
    "an age of two hundred": (
        fact(PersonRegistered(person_id=NEWCOMER, stated_age_years=200)),
        "events[0].person_registered.stated_age_years",
    ),
    "a text that is too long": (
        fact(Retracted(retracted_event_id=id_of("kept"), reason_text="because " * 300)),
        "events[0].retracted.reason_text",
    ),
    "a family of fifty-one": (
        fact(
            FamilyGroupFormed(
                family_id=id_of("f"),
                member_ids=[str(uuid.UUID(int=i)) for i in range(51)],
            )
        ),
        "events[0].family_group_formed.member_ids",
    ),
    "a separation that names no adult and does not say why": (
        fact(SEPARATED),
        "events[0].separated",
    ),
    "a separation without a reason": (
        fact(Separated(child_id=NEWCOMER, adult_ids=[KNOWN], agency="CBP")),
        "events[0].separated.reason_codes",
    ),
    "a precondition without a filter": (
        sent(somebody(), preconditions=[Precondition()]),
        "preconditions[0].no_events_match",
    ),
    "a precondition about no subject that can be": (
        sent(somebody(), preconditions=[anything(subjects=["Maria Lopez"])]),
        "preconditions[0].no_events_match.items[0].subjects[0]",
    ),
    "a member twice": (
        fact(FamilyGroupFormed(family_id=id_of("f"), member_ids=[NEWCOMER, NEWCOMER])),
        "events[0].family_group_formed.member_ids",
    ),
    "the year 1500": (
        sent(but(somebody(), "valid_time.time", new_year(1500))),
        "events[0].valid_time.time",
    ),
    "the year 9999": (
        sent(but(somebody(), "valid_time.time", new_year(9999))),
        "events[0].valid_time.time",
    ),
    "an event without an id": (GetEventRequest(), "event_id"),
    "the family of nobody": (GetFamilyRequest(), "subject"),
    "a person by her name": (GetPersonRequest(person_id="Maria Lopez"), "person_id"),
    "a person with a line end": (GetPersonRequest(person_id=f"{KNOWN}\n"), "person_id"),
    "a roster of nobody": (ListRosterRequest(), ""),
    "a negative page size": (
        ListRosterRequest(agency="CBP", page_size=-1),
        "page_size",
    ),
    "the most negative page size": (
        ListSeparationsRequest(page_size=-(2**31)),
        "page_size",
    ),
    "a read from the largest of positions": (
        ReadEventsRequest(after_position=UINT64_MAX),
        "after_position",
    ),
    "a read of the largest of limits": (ReadEventsRequest(limit=UINT64_MAX), "limit"),
    "a read of a kind with a name that no event has": (
        ReadEventsRequest(filter=EventFilter(items=[EventFilter.Item(types=["*; --"])])),
        "filter.items[0].types[0]",
    ),
    "a read about a subject with a line end": (
        ReadEventsRequest(filter=about(f"person:{KNOWN}\n")),
        "filter.items[0].subjects[0]",
    ),
    "a checkpoint of the largest of sizes": (
        GetCheckpointRequest(size=UINT64_MAX),
        "size",
    ),
    "fifty-one events that are not to cause a finding": (
        sent(
            *[somebody(event_id=str(uuid.UUID(int=i))) for i in range(51)],
            strict=Severity.SEVERITY_ERROR,
        ),
        "",
    ),
    "events that are not to cause a finding that nobody looks for": (
        sent(somebody(), strict=Severity.SEVERITY_ERROR, without_findings=True),
        "",
    ),
    "a gravity that there is not": (sent(somebody(), strict=99), "strict"),
    "an edition of the words that is no day": (
        sent(somebody(vocabulary="2018-6-1")),
        "events[0].vocabulary",
    ),
    "a separation that nobody else approved": (
        fact(
            SeparationAuthorized(
                child_id=NEWCOMER,
                agency="CBP",
                authorized_by="17",
                approved_by="17",
                reason_codes=["ZERO_TOLERANCE"],
            )
        ),
        "events[0].separation_authorized",
    ),
    "a notice in a language that is none": (
        fact(but(separated(), "notice", notice(language="Mam, as spoken in Todos Santos"))),
        "events[0].separated.notice.language",
    ),
    "a notice of which it is not said whether": (
        fact(but(separated(), "notice", SeparationNotice())),
        "events[0].separated.notice.state",
    ),
    "half a hash of a notice": (
        fact(but(separated(), "notice", notice(document_sha256=b"x" * 16))),
        "events[0].separated.notice.document_sha256",
    ),
    "a waiver in a language with a line end": (
        fact(ReunificationWaived(child_id=NEWCOMER, adult_id=KNOWN, agency="ICE", language="es\n")),
        "events[0].reunification_waived.language",
    ),
    "a link carried of nobody": (
        fact(handed_over(CarriedLinks(relative_ids=[KNOWN]))),
        "events[0].transfer_departed.links[0].person_id",
    ),
    "a link carried to a name": (
        fact(handed_over(CarriedLinks(person_id=NEWCOMER, relative_ids=["Maria Lopez"]))),
        "events[0].transfer_departed.links[0].relative_ids[0]",
    ),
    "more links carried than a hand-over has persons": (
        fact(handed_over(*[CarriedLinks(person_id=str(uuid.UUID(int=i))) for i in range(101)])),
        "events[0].transfer_departed.links",
    ),
    "records that are the same by the word of one": (
        fact(
            PersonsLinkedAsSame(
                person_ids=[NEWCOMER, KNOWN], basis_text="prints", approved_by=["17"]
            )
        ),
        "events[0].persons_linked_as_same.approved_by",
    ),
    "a record that is the same as itself": (
        fact(
            PersonsLinkedAsSame(
                person_ids=[NEWCOMER, NEWCOMER], basis_text="prints", approved_by=["17", "18"]
            )
        ),
        "events[0].persons_linked_as_same.person_ids",
    ),
    "a comparison surer than sure": (
        fact(
            PersonsLinkedAsSame(
                person_ids=[NEWCOMER, KNOWN],
                basis_text="prints",
                score_thousandths=1001,
                approved_by=["17", "18"],
            )
        ),
        "events[0].persons_linked_as_same.score_thousandths",
    ),
    "an age determined to be nothing": (
        fact(AgeDetermined(person_id=NEWCOMER, method_code="DOCUMENT")),
        "events[0].age_determined.result",
    ),
    "a list certified without saying what it was computed from": (
        fact(ListCertified(list_id=LIST, agency="ORR", title="a list")),
        "events[0].list_certified.citation",
    ),
    "a citation with half a root": (
        fact(
            ListCertified(
                list_id=LIST, agency="ORR", title="a list", citation=citation(root=b"x" * 16)
            )
        ),
        "events[0].list_certified.citation.root",
    ),
    "the whereabouts of the relatives of a name": (
        LocateRelativesRequest(person_id="Maria Lopez"),
        "person_id",
    ),
    "a number of no system": (ResolveIdentifierRequest(value="1"), "scheme"),
    "no number": (ResolveIdentifierRequest(scheme="A_NUMBER"), "value"),
    "a hand-over without an id": (GetTransferRequest(), "transfer_id"),
    "an age at no moment": (ListSeparationsRequest(age=AgeAt(years_min=5)), "age.time"),
    "an age of two hundred asked about": (
        ListSeparationsRequest(age=AgeAt(time=new_year(2018), below_years=200)),
        "age.below_years",
    ),
    "separations that stand as nothing stands": (
        but(ListSeparationsRequest(), "statuses", [1, 99]),
        "statuses[1]",
    ),
    "a count by nothing": (CountSeparationsRequest(), "by"),
    "a count by what is not stated": (CountSeparationsRequest(by=[0]), "by[0]"),
    "a count by the same twice": (CountSeparationsRequest(by=[1, 1]), "by"),
    "a count by what there is not": (CountSeparationsRequest(by=[1, 99]), "by[1]"),
    "a count that hides everything": (
        CountSeparationsRequest(by=[1], suppress_below=1001),
        "suppress_below",
    ),
    "the queue of no rule": (ListFindingsRequest(), "rule_code"),
    "clocks of no limit": (ListClocksRequest(), "clock_code"),
    "clocks that stand as no clock does": (
        ListClocksRequest(clock_code="L_02", states=[1, -1]),
        "states[1]",
    ),
    "clocks that run out in twenty years": (
        ListClocksRequest(clock_code="L_02", within_hours=87_601),
        "within_hours",
    ),
    "a class without a name": (ListClassRequest(), "class_code"),
    "a list of no agency": (ReconcileListRequest(), "agency"),
    "a row that means nobody": (
        ReconcileListRequest(agency="CBP", rows=[ListedPerson(person_id=KNOWN), ListedPerson()]),
        "rows[1].who",
    ),
    "a row without a number": (
        ReconcileListRequest(
            agency="CBP", rows=[ListedPerson(identifier=ListedIdentifier(scheme="A_NUMBER"))]
        ),
        "rows[0].identifier.value",
    ),
    "a list of twenty thousand and one": (
        ReconcileListRequest(agency="CBP", rows=[ListedPerson(person_id=KNOWN)] * 20_001),
        "rows",
    ),
    "a citation of nothing": (CiteRequest(), "question"),
    "a citation of a roster of nobody": (
        CiteRequest(list_roster=ListRosterRequest()),
        "list_roster",
    ),
    "a citation of no event": (VerifyCitationRequest(), "event_id"),
    "a list without an id": (GetListRequest(), "list_id"),
    "a number without an id": (GetNumberRequest(number_id="17"), "number_id"),
    "a negative page of numbers": (ListNumbersRequest(page_size=-1), "page_size"),
    "a proof of nothing": (GetInclusionProofRequest(), "entry"),
    "a proof of entry 0": (GetInclusionProofRequest(position=0), "position"),
}
UNKNOWN_FIELDS: Cases = {
    "an unknown field of a request": (unknown(sent(somebody())), "#999"),
    "an unknown field of an event": (
        sent(somebody(event_id=id_of("other")), unknown(somebody())),
        "events[1].#999",
    ),
    "an unknown fact": (
        sent(unknown(but(somebody(), "person_registered"), 199)),
        "events[0].#199",
    ),
    "an unknown field of a fact": (
        fact(unknown(PersonRegistered(person_id=NEWCOMER))),
        "events[0].person_registered.#999",
    ),
    "an unknown field of a timestamp": (
        sent(but(somebody(), "valid_time.time", unknown(new_year(2018)))),
        "events[0].valid_time.time.#999",
    ),
    "an unknown field of a filter": (
        ReadEventsRequest(filter=EventFilter(items=[unknown(EventFilter.Item())])),
        "filter.items[0].#999",
    ),
    "an unknown field of a question": (
        GetPersonRequest(person_id=KNOWN, basis=unknown(Basis())),
        "basis.#999",
    ),
}
UNKNOWN_CODES: Cases = {
    "an unknown agency of an actor": (
        sent(somebody(agency="NO_SUCH_AGENCY")),
        "events[0].actor.agency",
    ),
    "an agency in lower case": (sent(somebody(agency="cbp")), "events[0].actor.agency"),
    "an unknown agency": (
        fact(Apprehended(person_ids=[NEWCOMER], agency="NO_SUCH_AGENCY")),
        "events[0].apprehended.agency",
    ),
    "an unknown kind of place": (
        fact(Apprehended(person_ids=[NEWCOMER], agency="CBP", place=Place(kind="NO_SUCH_KIND"))),
        "events[0].apprehended.place.kind",
    ),
    "unknown reasons of a separation": (
        fact(
            Separated(
                child_id=NEWCOMER,
                adult_ids=[KNOWN],
                agency="CBP",
                reason_codes=["ZERO_TOLERANCE", "NO_SUCH_REASON", "NOR_THIS_ONE"],
            )
        ),
        "events[0].separated.reason_codes[1]",
        "events[0].separated.reason_codes[2]",
    ),
    "an unknown reason of a release": (
        fact(Released(person_id=NEWCOMER, agency="ORR", reason_code="NO_SUCH_REASON")),
        "events[0].released.reason_code",
    ),
    "an unknown scheme of identifiers": (
        fact(IdentifierAsserted(person_id=NEWCOMER, scheme="NO_SUCH_SCHEME", value="1")),
        "events[0].identifier_asserted.scheme",
    ),
    "a code of another list": (
        fact(Released(person_id=NEWCOMER, agency="ORR", reason_code="CBP")),
        "events[0].released.reason_code",
    ),
    "an unknown agency of a roster": (
        ListRosterRequest(agency="NO_SUCH_AGENCY"),
        "agency",
    ),
    "an unknown code list": (ListCodesRequest(name="no_such_list"), "name"),
    "an unknown need": (
        fact(SpecialNeedRecorded(person_id=NEWCOMER, need_code="NO_SUCH_NEED")),
        "events[0].special_need_recorded.need_code",
    ),
    "unknown reasons of a referral": (
        fact(
            ReferredToOrr(
                child_id=NEWCOMER,
                referring_agency="CBP",
                reason_codes=["NO_SUCH_REASON", "ZERO_TOLERANCE", "zero_tolerance"],
            )
        ),
        "events[0].referred_to_orr.reason_codes[0]",
        "events[0].referred_to_orr.reason_codes[2]",
    ),
    "an unknown ground of a transfer": (
        fact(
            TransferProposed(
                transfer_id=TRANSFER,
                person_ids=[NEWCOMER],
                from_agency="CBP",
                to_agency="ORR",
                ground_codes=["CAPACITY", "NO_SUCH_GROUND"],
            )
        ),
        "events[0].transfer_proposed.ground_codes[1]",
    ),
    "an unknown class of a family": (
        fact(
            FamilyGroupReclassified(
                family_id=id_of("f"), member_ids=[NEWCOMER], class_code="MS_L_2018"
            )
        ),
        "events[0].family_group_reclassified.class_code",
    ),
    "an unknown kind of evidence": (
        fact(
            LinkEvidenceAttached(
                person_id=NEWCOMER, relative_id=KNOWN, evidence_code="NO_SUCH_EVIDENCE"
            )
        ),
        "events[0].link_evidence_attached.evidence_code",
    ),
    "an unknown kind of a destination": (
        fact(but(separated(), "child_destination", Place(name="Shelter", kind="NO_SUCH_KIND"))),
        "events[0].separated.child_destination.kind",
    ),
    "a number of an unknown system": (
        ResolveIdentifierRequest(scheme="NO_SUCH_SCHEME", value="1"),
        "scheme",
    ),
    "separations on unknown grounds": (
        ListSeparationsRequest(reason_codes=["ZERO_TOLERANCE", "NO_SUCH_REASON"]),
        "reason_codes[1]",
    ),
    "separations of those whom an unknown agency holds": (
        ListSeparationsRequest(held_by_agency="NO_SUCH_AGENCY"),
        "held_by_agency",
    ),
    "the queue of an unknown rule": (ListFindingsRequest(rule_code="NO_SUCH_RULE"), "rule_code"),
    "clocks of an unknown limit": (ListClocksRequest(clock_code="NO_SUCH_CLOCK"), "clock_code"),
    # The steps of a reunification are time limits too, in a list of their own.
    "the clock of a step": (ListClocksRequest(clock_code="CHILD_LOCATED"), "clock_code"),
    "an unknown class": (ListClassRequest(class_code="NO_SUCH_CLASS"), "class_code"),
    "a list of an unknown agency": (ReconcileListRequest(agency="NO_SUCH_AGENCY"), "agency"),
    "a row with a number of an unknown system": (
        ReconcileListRequest(
            agency="CBP",
            rows=[
                ListedPerson(person_id=KNOWN),
                ListedPerson(identifier=ListedIdentifier(scheme="NO_SUCH_SCHEME", value="1")),
            ],
        ),
        "rows[1].identifier.scheme",
    ),
    "a citation of an unknown limit": (
        CiteRequest(list_clocks=ListClocksRequest(clock_code="NO_SUCH_CLOCK")),
        "list_clocks.clock_code",
    ),
}
SELF_LINKS: Cases = {
    "a person who is her own mother": (
        fact(
            RelationshipAsserted(
                person_id=NEWCOMER,
                relative_id=NEWCOMER,
                kind=RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT,
            )
        ),
        "events[0].relationship_asserted.relative_id",
    ),
    "a child separated from herself": (
        fact(
            Separated(
                child_id=NEWCOMER,
                adult_ids=[KNOWN, NEWCOMER],
                agency="CBP",
                reason_codes=["ZERO_TOLERANCE"],
            )
        ),
        "events[0].separated.adult_ids[1]",
    ),
    "a child reunified with herself": (
        fact(Reunified(child_id=NEWCOMER, adult_ids=[NEWCOMER], agency="ORR")),
        "events[0].reunified.adult_ids[0]",
    ),
    "a child who is her own relative in a hand-over": (
        fact(
            handed_over(
                CarriedLinks(person_id=NEWCOMER, relative_ids=[KNOWN]),
                CarriedLinks(person_id=SECOND, relative_ids=[KNOWN, SECOND]),
            )
        ),
        "events[0].transfer_departed.links[1].relative_ids[1]",
    ),
    "a child who spoke with herself": (
        fact(
            CommunicationOccurred(
                child_id=NEWCOMER, relative_id=NEWCOMER, agency="ORR", means_code="TELEPHONE"
            )
        ),
        "events[0].communication_occurred.relative_id",
    ),
    "a doubt about a link to herself": (
        fact(RelationshipDisputed(person_id=NEWCOMER, relative_id=NEWCOMER, reason_text="why")),
        "events[0].relationship_disputed.relative_id",
    ),
    "a person who looks for herself": (
        fact(
            TracingRequestFiled(
                request_id=REQUEST,
                inquirer_id=NEWCOMER,
                sought_id=NEWCOMER,
                kind=RelationshipKind.RELATIONSHIP_KIND_SIBLING,
            )
        ),
        "events[0].tracing_request_filed.sought_id",
    ),
    "a person who is her own sponsor": (
        fact(
            Released(
                person_id=NEWCOMER,
                agency="ORR",
                reason_code="SPONSOR_PARENT_OR_GUARDIAN",
                sponsor_id=NEWCOMER,
            )
        ),
        "events[0].released.sponsor_id",
    ),
}
IN_FUTURE: Cases = {
    "tomorrow": (
        sent(somebody(on=minutes_from_now(24 * 60), precision=MINUTE)),
        "events[0].valid_time.time",
    ),
    "an hour from now": (
        sent(somebody(on=minutes_from_now(60), precision=MINUTE)),
        "events[0].valid_time.time",
    ),
}
NOT_ALIGNED: Cases = {
    "a day that does not begin at midnight": (
        sent(somebody(on=1.5)),
        "events[0].valid_time.time",
    ),
    "a day that begins at midnight elsewhere": (
        sent(somebody(zone="America/Chicago")),
        "events[0].valid_time.time",
    ),
    "a month that does not begin on the first": (
        sent(somebody(on=2, precision=Precision.PRECISION_MONTH)),
        "events[0].valid_time.time",
    ),
    "a minute with seconds": (
        sent(
            but(
                somebody(precision=MINUTE),
                "valid_time.time",
                Timestamp(seconds=1_525_132_801),
            )
        ),
        "events[0].valid_time.time",
    ),
    "an instant finer than a microsecond": (
        sent(
            but(
                somebody(precision=Precision.PRECISION_INSTANT),
                "valid_time.time",
                Timestamp(seconds=1_525_132_800, nanos=1),
            )
        ),
        "events[0].valid_time.time",
    ),
}
TAKEN: Cases = {
    "an event id that is taken": (
        sent(somebody(event_id=id_of("other")), somebody(event_id=id_of("kept"))),
        "events[1].event_id",
    ),
    "an event id that is taken in the same batch": (
        sent(somebody(event_id=id_of("new")), somebody(on=2, event_id=id_of("new"))),
        "events[1].event_id",
    ),
}
NO_SUCH_EVENT: Cases = {
    "a retraction of nothing": (
        fact(Retracted(retracted_event_id=id_of("nothing"), reason_text="an error")),
        "events[0].retracted.retracted_event_id",
    ),
    "a retraction of itself": (
        sent(
            event(
                Retracted(retracted_event_id=id_of("new"), reason_text="an error"),
                event_id=id_of("new"),
            )
        ),
        "events[0].retracted.retracted_event_id",
    ),
    "a retraction of what comes later": (
        sent(
            event(Retracted(retracted_event_id=id_of("later"), reason_text="an error")),
            somebody(event_id=id_of("later")),
        ),
        "events[0].retracted.retracted_event_id",
    ),
    "a correction of nothing": (
        sent(somebody(corrects_event_id=id_of("nothing"))),
        "events[0].corrects_event_id",
    ),
    "a correction of itself": (
        sent(somebody(event_id=id_of("new"), corrects_event_id=id_of("new"))),
        "events[0].corrects_event_id",
    ),
    "an event that is not there": (
        GetEventRequest(event_id=id_of("nothing")),
        "event_id",
    ),
    "a proof of an event that is not there": (
        GetInclusionProofRequest(event_id=id_of("nothing")),
        "event_id",
    ),
    "a citation of an event that is not there": (
        VerifyCitationRequest(event_id=id_of("nothing")),
        "event_id",
    ),
}
NO_SUCH_SUBJECT: Cases = {
    "a person whom nobody knows": (GetPersonRequest(person_id=STRANGER), "person_id"),
    "a person whom nobody knew then": (
        GetPersonRequest(person_id=KNOWN, basis=Basis(at_size=0)),
        "person_id",
    ),
    "the timeline of a person whom nobody knows": (
        GetPersonTimelineRequest(person_id=STRANGER),
        "person_id",
    ),
    "the family of a person whom nobody knows": (
        GetFamilyRequest(person_id=STRANGER),
        "person_id",
    ),
    "a family that nobody knows": (GetFamilyRequest(family_id=id_of("f")), "family_id"),
    "the relatives of a person whom nobody knows": (
        LocateRelativesRequest(person_id=STRANGER),
        "person_id",
    ),
    "a hand-over that nobody knows": (
        GetTransferRequest(transfer_id=id_of("nothing")),
        "transfer_id",
    ),
    "a hand-over that nobody knew of then": (
        GetTransferRequest(transfer_id=TRANSFER, basis=Basis(at_size=6)),
        "transfer_id",
    ),
    "a list that nobody knows": (GetListRequest(list_id=id_of("nothing")), "list_id"),
    "a number that nobody knows": (GetNumberRequest(number_id=id_of("nothing")), "number_id"),
}
OUT_OF_THE_LOG: Cases = {
    "a size beyond the log": (
        GetPersonRequest(person_id=KNOWN, basis=Basis(at_size=1_000_000)),
        "basis.at_size",
    ),
    "the largest of sizes": (
        ListSeparationsRequest(basis=Basis(at_size=UINT64_MAX)),
        "basis.at_size",
    ),
    "a size that the log has not come to": (
        GetFamilyRequest(person_id=KNOWN, basis=Basis(at_least_size=UINT64_MAX)),
        "basis.at_least_size",
    ),
    "a read beyond the log": (
        ReadEventsRequest(after_position=1_000_000),
        "after_position",
    ),
    "a watch from beyond the log": (
        WatchEventsRequest(after_position=1_000_000),
        "after_position",
    ),
    "a checkpoint beyond the log": (GetCheckpointRequest(size=1_000_000), "size"),
    "a proof of an entry beyond the log": (
        GetInclusionProofRequest(position=1_000_000),
        "position",
    ),
    "a proof of an entry in a tree without it": (
        GetInclusionProofRequest(position=2, size=1),
        "size",
    ),
    "a proof that the later is the beginning of the earlier": (
        GetConsistencyProofRequest(first_size=3, second_size=2),
        "first_size",
    ),
    "a proof for a tree beyond the log": (
        GetConsistencyProofRequest(first_size=3, second_size=1_000_000),
        "second_size",
    ),
}
NO_PAGE_TOKENS: Cases = {
    "a page token that nobody gave": (
        but(ListSeparationsRequest(), "page_token", "page two please"),
        "page_token",
    ),
    "a page token of something else": (
        ListSeparationsRequest(page_token=urlsafe_b64encode(b"\x0a\x03abc").decode()),
        "page_token",
    ),
    "a page token with NUL": (but(ListNumbersRequest(), "page_token", "\0"), "page_token"),
}
UNKNOWN_ZONES: Cases = {
    f"the zone {zone!r}": (sent(somebody(zone=zone)), "events[0].valid_time.zone") for zone in ZONES
}
CASES: dict[str, tuple[Message, grpc.StatusCode, str, tuple[str, ...]]] = {
    name: (request, code, reason, tuple(fields))
    for code, reason, cases in (
        (INVALID, "INVALID_REQUEST", NOT_OF_THE_SHAPE),
        (INVALID, "UNKNOWN_FIELD", UNKNOWN_FIELDS),
        (INVALID, "UNKNOWN_CODE", UNKNOWN_CODES),
        (INVALID, "SELF_LINK", SELF_LINKS),
        (INVALID, "VALID_TIME_IN_FUTURE", IN_FUTURE),
        (INVALID, "VALID_TIME_NOT_ALIGNED", NOT_ALIGNED),
        (grpc.StatusCode.ALREADY_EXISTS, "EVENT_ID_TAKEN", TAKEN),
        (NOT_FOUND, "EVENT_NOT_FOUND", NO_SUCH_EVENT),
        (NOT_FOUND, "SUBJECT_NOT_FOUND", NO_SUCH_SUBJECT),
        (OUT_OF_RANGE, "SIZE_OUT_OF_RANGE", OUT_OF_THE_LOG),
        (INVALID, "INVALID_PAGE_TOKEN", NO_PAGE_TOKENS),
        (INVALID, "UNKNOWN_ZONE", UNKNOWN_ZONES),
    )
    for name, (request, *fields) in cases.items()
} | {
    "a retraction of a retraction": (
        fact(Retracted(retracted_event_id=id_of("retraction"), reason_text="it was so")),
        FAILED_PRECONDITION,
        "RETRACTION_OF_RETRACTION",
        ("events[0].retracted.retracted_event_id",),
    ),
    "a correction without a retraction": (
        sent(somebody(corrects_event_id=id_of("kept"))),
        FAILED_PRECONDITION,
        "CORRECTION_WITHOUT_RETRACTION",
        ("events[0].corrects_event_id",),
    ),
    "preconditions of which some do not hold": (
        sent(
            somebody(),
            preconditions=[
                anything(types=["PersonRegistered"]),
                anything(types=["Reunified"]),
                anything(subjects=[f"person:{KNOWN}"], after=3),
                anything(subjects=[f"person:{KNOWN}"], after=6),
                Precondition(no_events_match=EventFilter()),
            ],
        ),
        grpc.StatusCode.ABORTED,
        "PRECONDITION_FAILED",
        tuple(f"preconditions[{i}].no_events_match" for i in (0, 2, 4)),
    ),
    "a citation of what cites nothing": (
        VerifyCitationRequest(event_id=id_of("kept")),
        FAILED_PRECONDITION,
        "NO_CITATION",
        ("event_id",),
    ),
    "known tomorrow": (
        GetPersonRequest(person_id=KNOWN, basis=Basis(known_at_time=minutes_from_now(24 * 60))),
        INVALID,
        "KNOWN_AT_IN_FUTURE",
        ("basis.known_at_time",),
    ),
    "a roster of a facility that nobody knows": (
        ListRosterRequest(facility="Casa Padre"),
        NOT_FOUND,
        "FACILITY_NOT_FOUND",
        ("facility",),
    ),
    "a facility with NUL": (
        ListRosterRequest(facility=f"{PLACE}\0"),
        INVALID,
        "CONTROL_CHARACTER",
        ("facility",),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_by_name_and_nothing_of_it_is_kept_or_repeated(
    name: str, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    request, code, reason, fields = CASES[name]
    before = checkpoint(sender)

    with capture_logs() as logged:
        found = sender.outcome(METHOD_OF[type(request)], bytes_of(request))

    assert found is not None
    assert (found.code, found.reason, found.fields) == (code, reason, fields)
    assert checkpoint(sender) == before
    assert [text for text in texts(request) if text in found.text or text in str(logged)] == []
    # A caller's fault is no fault of ours: the one line of the call, and nothing else.
    assert [(line["event"], line["reason"]) for line in logged] == [("rpc", reason)]
    assert caplog.records == []


def test_a_batch_of_a_stream_is_refused_as_an_append_is(sender: Sender) -> None:
    """One after the other on one stream, which goes on; the last is kept."""
    cases = [
        (request, found)
        for request, *found in CASES.values()
        if isinstance(request, AppendEventsRequest)
        and not (request.validate_only or request.prove or request.strict)
    ]
    before = checkpoint(sender).size
    good = sent(event(PersonRegistered(person_id=STRANGER)))
    given = [bytes_of(request) for request, _ in cases] + [bytes_of(good)]

    found = []
    for answer in sender.stream(given):
        if answer.HasField("refusal"):
            told = refusal_of(RefusedBatch(answer.refusal))
            found.append([told.code, told.reason, told.fields])

    assert len(cases) > 50
    assert found == [wanted for _, wanted in cases]
    assert checkpoint(sender).size == before + 1


# Every field of its kind, found through the descriptors.

EVERY_KIND = every_kind()


def test_there_is_a_good_event_of_every_kind(sender: Sender) -> None:
    """Otherwise what follows would test less than it says."""
    kinds = [field.message_type for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields]

    assert [body.DESCRIPTOR for body in EVERY_KIND] == kinds
    for body in EVERY_KIND:
        request = but(fact(body), "validate_only", True)
        found = sender.outcome(METHOD_OF[AppendEventsRequest], bytes_of(request))
        # Over loopback nobody is identified, and so nobody may approve that something is erased.
        wanted = "APPROVAL_MISSING" if isinstance(body, PersonalFieldsErased) else None
        assert (found and found.reason) == wanted


def text_paths(message: Descriptor, path: str = "") -> Iterator[str]:
    """The path of every text below a message."""
    for field in message.fields:
        if field.message_type:
            yield from text_paths(field.message_type, f"{path}{field.name}.")
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield path + field.name


def with_text(body: Message, path: str, text: str) -> tuple[AppendEventsRequest, str]:
    """An append whose event has this text there, and where that is in the request."""
    request = fact(body)
    made: Any = request.events[0]
    if path.endswith("adult_unknown_reason"):
        made.separated.ClearField("adult_ids")
    *way, last = path.split(".")
    where = "events[0]."
    for name in way:
        repeated = made.DESCRIPTOR.fields_by_name[name].is_repeated
        made = getattr(made, name)[0] if repeated else getattr(made, name)
        where += f"{name}[0]." if repeated else f"{name}."
    if made.DESCRIPTOR.fields_by_name[last].is_repeated:
        getattr(made, last)[:] = [text]
        return request, f"{where}{last}[0]"
    setattr(made, last, text)
    return request, where + last


@pytest.mark.parametrize("body", EVERY_KIND, ids=lambda body: body.DESCRIPTOR.name)
def test_a_control_character_is_refused_in_every_text(body: Message, sender: Sender) -> None:
    name = fact(body).events[0].WhichOneof("fact")
    others = {field.name for field in Event.DESCRIPTOR.oneofs_by_name["fact"].fields} - {name}
    paths = [path for path in text_paths(Event.DESCRIPTOR) if path.partition(".")[0] not in others]
    assert len(paths) > 8

    for path in paths:
        request, where = with_text(body, path, "a\x1b[2Jb")
        found = sender.outcome(METHOD_OF[AppendEventsRequest], bytes_of(request))
        assert found is not None, path
        assert found.code == INVALID, path
        # A list of one is too short where two are asked for.
        assert where in found.fields or where.removesuffix("[0]") in found.fields, path


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\u2028"])
def test_every_control_character_is_refused(character: str, sender: Sender) -> None:
    request, where = with_text(SEPARATED, "separated.adult_unknown_reason", f"not{character}known")
    assert sender.outcome(METHOD_OF[AppendEventsRequest], bytes_of(request)).fields == (where,)


@pytest.mark.parametrize(
    "text",
    [
        "dos niñas,\n\tpadre «desconocido»\r\n",
        "أم وطفلها \u200f(?)",
        "👩‍👧 e\u0301",
        "'; DROP TABLE entry; --",
    ],
)
def test_what_people_write_is_kept_as_it_is(text: str, sender: Sender) -> None:
    request, _ = with_text(SEPARATED, "separated.adult_unknown_reason", text)
    request.events[0].event_id = str(uuid.uuid4())
    sender.send(METHOD_OF[AppendEventsRequest], bytes_of(request))

    asked = GetEventRequest(event_id=request.events[0].event_id)
    kept = sender.send(METHOD_OF[GetEventRequest], bytes_of(asked))[0]

    assert kept.event.entry.event.separated.adult_unknown_reason == text


# One good request for each method, to begin from.

BASIS = Basis(at_least_size=1)
GOOD: list[Message] = [
    sent(somebody(), preconditions=[anything(types=["Reunified"])], prove=True),
    *(fact(body) for body in EVERY_KIND),
    sent(
        event(Retracted(retracted_event_id=id_of("kept"), reason_text="not so")),
        somebody(corrects_event_id=id_of("kept")),
    ),
    AppendEventBatchesRequest(
        events=[somebody()], preconditions=[anything(types=["Reunified"], after=10**9)]
    ),
    GetEventRequest(event_id=id_of("kept")),
    ReadEventsRequest(filter=about(f"person:{KNOWN}"), after_position=1, limit=3),
    WatchEventsRequest(filter=about(f"person:{KNOWN}"), after_position=1),
    ListCodesRequest(name="agency"),
    GetPersonRequest(person_id=KNOWN, basis=BASIS),
    GetPersonTimelineRequest(person_id=KNOWN, basis=BASIS),
    GetFamilyRequest(person_id=KNOWN, basis=BASIS),
    ListRosterRequest(agency="CBP", facility=PLACE, basis=BASIS, page_size=1),
    ListSeparationsRequest(include_reunified=True, basis=BASIS, page_size=1),
    LocateRelativesRequest(person_id=KNOWN, basis=BASIS),
    ResolveIdentifierRequest(scheme="A_NUMBER", value="012345678", issuer_text="x", basis=BASIS),
    GetTransferRequest(transfer_id=TRANSFER, basis=BASIS),
    ListSeparationsRequest(
        since_time=Timestamp(seconds=1),
        before_time=Timestamp(seconds=2_000_000_000),
        statuses=[1],
        age=AgeAt(time=Timestamp(seconds=1_530_000_000), below_years=18),
        reason_codes=["ZERO_TOLERANCE"],
    ),
    CountSeparationsRequest(by=[1, 5], suppress_below=3, basis=BASIS),
    ListFindingsRequest(rule_code="TRANSFER_WITHOUT_LINKS", basis=BASIS, page_size=1),
    ListFindingsRequest(rule_code="SIBLINGS_APART"),
    ListQueuesRequest(basis=BASIS),
    ListClocksRequest(clock_code="TRANSFER_24", states=[3], basis=BASIS, page_size=1),
    ListClocksRequest(clock_code="L_02", within_hours=24),
    ListLikelyFamiliesRequest(basis=BASIS, page_size=1),
    ListClassRequest(class_code="MS_L_2018", basis=BASIS, page_size=1),
    ReconcileListRequest(
        agency="CBP",
        rows=[
            ListedPerson(person_id=KNOWN, facility=PLACE),
            ListedPerson(identifier=ListedIdentifier(scheme="A_NUMBER", value="A12345678")),
        ],
        basis=BASIS,
    ),
    CiteRequest(list_roster=ListRosterRequest(agency="CBP", facility=PLACE), basis=BASIS),
    CiteRequest(list_separations=ListSeparationsRequest(include_reunified=True)),
    CiteRequest(list_findings=ListFindingsRequest(rule_code="LIKELY_FAMILY")),
    CiteRequest(list_clocks=ListClocksRequest(clock_code="L_02", within_hours=24)),
    CiteRequest(list_class=ListClassRequest(class_code="MS_L_2018")),
    GetListRequest(list_id=LIST, basis=BASIS),
    GetNumberRequest(number_id=NUMBER, basis=BASIS),
    ListNumbersRequest(revised_only=True, basis=BASIS, page_size=1),
    VerifyCitationRequest(event_id=id_of("certified")),
    GetCheckpointRequest(size=3),
    GetInclusionProofRequest(position=2, size=3),
    GetConsistencyProofRequest(first_size=2, second_size=3),
    GetConsistencyProofRequest(first_size=1, second_size=2, log=LogName.LOG_NAME_ACCESS),
    ListAccessesRequest(
        person_id=KNOWN,
        agency="CBP",
        actor_id="17",
        since_time=Timestamp(seconds=1),
        before_time=Timestamp(seconds=2_000_000_000),
        after_position=1,
        page_size=1,
    ),
    ExportEventsRequest(
        filter=about(f"person:{KNOWN}"),
        kind=ExportKind.EXPORT_KIND_RESEARCH,
        after_position=1,
    ),
]


def good(request_type: type[Message]) -> list[Message]:
    """Good requests of a type: a method that has none here cannot be forgotten."""
    found = [request for request in GOOD if isinstance(request, request_type)]
    assert found
    return found


# Messages that are no messages.

NO_MESSAGES = {
    "cut in the length": b"\x0a",
    "cut in the content": b"\x0a\x7fabc",
    "a tag of no end": b"\xff" * 11,
    "field number 0": b"\x00\x01",
    "a wire type that there is not": b"\x0f",
    "an end of a group that did not begin": b"\x0c",
    "groups a thousand deep": b"\xfb\x3e" * 1000 + b"\xfc\x3e" * 1000,
}


@every_method
@pytest.mark.parametrize("name", NO_MESSAGES)
def test_bytes_that_are_no_message_are_refused(
    name: str, request_type: type[Message], sender: Sender
) -> None:
    found = sender.outcome(METHOD_OF[request_type], NO_MESSAGES[name])
    assert found is not None
    assert (found.code, found.reason) == (INVALID, "MALFORMED_REQUEST")


def test_a_text_that_is_not_utf8_is_refused(sender: Sender) -> None:
    found = sender.outcome(METHOD_OF[ListCodesRequest], b"\x0a\x02\xc3\x28")
    assert (found.code, found.reason) == (INVALID, "MALFORMED_REQUEST")


def test_a_known_field_of_another_type_is_unknown(sender: Sender) -> None:
    found = sender.outcome(METHOD_OF[AppendEventsRequest], b"\x08\x01")
    assert (found.code, found.reason, found.fields) == (INVALID, "UNKNOWN_FIELD", ("#1",))


@every_method
def test_an_empty_message_gets_an_answer_or_a_named_refusal(
    request_type: type[Message], sender: Sender
) -> None:
    if found := sender.outcome(METHOD_OF[request_type], b""):
        assert_named(found)


@every_method
def test_random_bytes_get_an_answer_or_a_named_refusal(
    request_type: type[Message], sender: Sender
) -> None:
    chance = random.Random(request_type.DESCRIPTOR.name)
    for _ in range(60):
        blob = chance.randbytes(chance.randrange(80))
        if chance.random() < 0.5:  # bytes that begin well get further
            whole = bytes_of(chance.choice(good(request_type)))
            blob = whole[: chance.randrange(len(whole) + 1)] + blob[:4]
        if found := sender.outcome(METHOD_OF[request_type], blob):
            assert_named(found)


# Times and numbers.

NO_TIMES = {
    "seconds beyond the year 9999": Timestamp(seconds=253_402_300_800),
    "seconds before the year 1": Timestamp(seconds=-62_135_596_801),
    "the most seconds": Timestamp(seconds=2**63 - 1),
    "the fewest seconds": Timestamp(seconds=-(2**63)),
    "negative nanoseconds": Timestamp(seconds=1, nanos=-1),
    "a second of nanoseconds": Timestamp(seconds=1, nanos=1_000_000_000),
    "the most nanoseconds": Timestamp(seconds=1, nanos=2**31 - 1),
}


def time_paths(message: Descriptor, path: str = "") -> Iterator[str]:
    """The path of every timestamp in a request."""
    for field in message.fields:
        if field.message_type is Timestamp.DESCRIPTOR:
            yield path + field.name
        elif field.message_type:
            yield from time_paths(field.message_type, f"{path}{field.name}.")


TIMES = [(kind, path) for kind in METHOD_OF for path in time_paths(kind.DESCRIPTOR)]


def with_time(request_type: type[Message], path: str, time: Timestamp) -> tuple[Message, str]:
    """A good request with this time there, and where that is."""
    request = type(good(request_type)[0]).FromString(bytes_of(good(request_type)[0]))
    if not path.startswith("events."):
        return but(request, path, time), path
    but(request.events[0], path.removeprefix("events."), time)
    return request, path.replace("events.", "events[0].", 1)


@pytest.mark.parametrize(
    ("request_type", "path"), TIMES, ids=[f"{kind.__name__}.{path}" for kind, path in TIMES]
)
def test_a_time_that_is_none_is_refused_wherever_it_stands(
    request_type: type[Message], path: str, sender: Sender
) -> None:
    for name, time in NO_TIMES.items():
        request, where = with_time(request_type, path, time)
        found = sender.outcome(METHOD_OF[request_type], bytes_of(request))
        assert found is not None, name
        assert (found.code, {*found.fields}) == (INVALID, {where}), name


OF_A_MOMENT = [kind for kind in METHOD_OF if "basis" in kind.DESCRIPTOR.fields_by_name]


@pytest.mark.parametrize("year", [1, 1500, 9999])
@pytest.mark.parametrize("request_type", OF_A_MOMENT, ids=lambda kind: kind.__name__)
def test_any_moment_may_be_asked_about(
    request_type: type[Message], year: int, sender: Sender
) -> None:
    assert len(OF_A_MOMENT) == 19
    for start in good(request_type):
        request: Any = request_type.FromString(bytes_of(start))
        request.basis.as_of_time.CopyFrom(new_year(year))
        answer: Any = sender.send(METHOD_OF[request_type], bytes_of(request))[0]
        of = answer.citation if request_type is CiteRequest else answer.stamp
        assert of.as_of_time == new_year(year)


INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), -1, 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), -1, 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), -1, 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (2**32 - 1,),
    FieldDescriptor.TYPE_UINT64: (2**53, 2**63 - 1, 2**63, 2**64 - 1),
    FieldDescriptor.TYPE_ENUM: (-(2**31), -1, 99, 2**31 - 1),
}


def nodes(message: Any, path: str = "") -> list[tuple[str, Any]]:
    """(path, message) of the message and of every message in it."""
    found = [(path, message)]
    for field, value in message.ListFields():
        if field.message_type:
            for part in value if field.is_repeated else [value]:
                found += nodes(part, f"{path}{field.name}.")
    return found


@every_method
def test_the_largest_and_smallest_of_numbers_get_an_answer_or_a_named_refusal(
    request_type: type[Message], sender: Sender
) -> None:
    tried: set[str] = set()
    for start in good(request_type):
        whole = bytes_of(start)
        for index, (path, node) in enumerate(nodes(start)):
            for field in node.DESCRIPTOR.fields:
                numbers = INTEGERS.get(field.type, ())
                if path + field.name in tried or not numbers:
                    continue
                tried.add(path + field.name)
                for value in numbers:
                    request: Any = request_type.FromString(whole)
                    part = nodes(request)[index][1]
                    if field.is_repeated:
                        getattr(part, field.name).append(value)
                    else:
                        setattr(part, field.name, value)
                    if isinstance(request, AppendEventsRequest):
                        request.validate_only = True
                    if found := sender.outcome(METHOD_OF[request_type], bytes_of(request)):
                        assert_named(found)


# Dates of birth, and questions within citations: input that no shape judges.

NO_BIRTHS = [
    Date(),
    Date(month=2, day=3),
    Date(year=1, month=1, day=1),
    Date(year=1769),
    Date(year=2201),
    Date(year=9981),
    Date(year=9999, month=12),
    Date(year=9999, month=12, day=31),
    Date(year=2018, month=2, day=31),
    Date(year=2018, month=13, day=1),
    Date(year=2018, month=-1, day=1),
    Date(year=-5, month=1, day=1),
    Date(year=2**31 - 1, month=2**31 - 1, day=2**31 - 1),
    Date(year=-(2**31), month=1, day=1),
]
BIRTHS = [
    Date(year=1770),
    Date(year=1900, month=1, day=1),
    Date(year=2012, month=2, day=29),
    Date(year=2200, month=12, day=31),
]


@pytest.mark.parametrize("stated", [*NO_BIRTHS, *BIRTHS], ids=str)
def test_any_date_of_birth_is_kept_and_answered(stated: Date, sender: Sender) -> None:
    """One that is none says nothing of an age; and no table stops at it."""
    person_id = str(uuid.uuid4())
    ancient = datetime(1900, 1, 1, tzinfo=UTC)
    request = sent(
        event(PersonRegistered(person_id=person_id, birth_date=stated)),
        event(separated_from_second(person_id), 2),
        event(AgeDetermined(person_id=person_id, method_code="OTHER", result=3, birth_date=stated)),
        event(PersonRegistered(person_id=id_of(f"old {stated}"), stated_age_years=130), ancient),
    )
    sender.send(METHOD_OF[AppendEventsRequest], bytes_of(request))

    for year in (1, 1900, 2018, 9999):
        asked = GetPersonRequest(person_id=person_id, basis=Basis(as_of_time=new_year(year)))
        answer: Any = sender.send(METHOD_OF[GetPersonRequest], bytes_of(asked))[0]
        assert not (answer.age.HasField("born") and stated in NO_BIRTHS)
        assert [one.birth_date for one in answer.claims] == [stated] * (year > 2018)
    for question in (
        ListSeparationsRequest(age=AgeAt(time=new_year(2020), below_years=130)),
        CountSeparationsRequest(by=[5]),
        ListFindingsRequest(rule_code="CHILD_AGED_18_OR_OVER"),
        ListClocksRequest(clock_code="L_02"),
    ):
        sender.send(METHOD_OF[type(question)], bytes_of(question))


def separated_from_second(child_id: str) -> Separated:
    return but(but(separated(), "child_id", child_id), "adult_ids", [SECOND])


NO_QUESTIONS = [
    "{}",
    "[]",
    "null",
    "17",
    "NaN",
    "{{",
    "ListRoster of the CBP",
    '{"DropTable":{}}',
    '{"ListRoster":null}',
    '{"ListRoster":{}}',
    '{"ListRoster":{"agency":"CBP"},"ListClass":{"classCode":"MS_L_2018"}}',
    '{"ListRoster":{"agency":17}}',
    '{"ListRoster":{"agency":["CBP"]}}',
    '{"ListRoster":{"agency":"NO_SUCH_AGENCY"}}',
    '{"ListRoster":{"agency":"CBP","unknown":1}}',
    '{"ListRoster":{"agency":"\\ud800"}}',
    '{"ListRoster":{"agency":"\\u0000"}}',
    '{"ListRoster":{"facility":"' + "x" * 3_000 + '"}}',
    '{"ListClocks":{"clockCode":"L_02","states":[99]}}',
    '{"ListClocks":{"clockCode":"L_02","states":["NO_SUCH_STATE"]}}',
    '{"ListClocks":{"clockCode":"L_02","withinHours":-1}}',
    '{"ListClocks":{"clockCode":"L_02","withinHours":1e400}}',
    '{"ListClocks":{"clockCode":"L_02","withinHours":' + "9" * 3_900 + "}}",
    '{"ListFindings":{"ruleCode":"NO_SUCH_RULE"}}',
    '{"ListSeparations":{"statuses":[99,-1]}}',
    '{"ListSeparations":{"age":{}}}',
    '{"ListSeparations":{"sinceTime":"99999-01-01T00:00:00Z"}}',
    '{"a":' * 700,
    "[" * 3_900,
]


@pytest.mark.parametrize("query", NO_QUESTIONS, ids=lambda query: query[:40])
def test_a_question_that_is_none_can_be_cited_and_not_verified(query: str, sender: Sender) -> None:
    """What an agency certified is kept, whatever it says it was computed from."""
    certified = event(ListCertified(list_id=LIST, agency="ORR", title="a list"), 7)
    certified.list_certified.citation.CopyFrom(citation(query))
    answer: Any = sender.send(METHOD_OF[AppendEventsRequest], bytes_of(sent(certified)))[0]
    assert [one.rule_code for one in answer.findings] == ["CITATION_NOT_REPRODUCED"]

    asked = VerifyCitationRequest(event_id=certified.event_id)
    found = sender.outcome(METHOD_OF[VerifyCitationRequest], bytes_of(asked))
    assert found is not None
    assert (found.code, found.reason) == (FAILED_PRECONDITION, "UNREADABLE_CITATION")
    assert query not in found.text


@pytest.mark.parametrize("who", ["strangers", "one person"])
def test_a_long_list_is_compared(who: str, sender: Sender, database_url: str) -> None:
    rows = 20_000 if who == "one person" or database_url.startswith("sqlite") else 2_000
    people = [KNOWN if who == "one person" else str(uuid.UUID(int=i)) for i in range(rows)]
    request = ReconcileListRequest(
        agency="CBP", rows=[ListedPerson(person_id=one) for one in people]
    )

    answer: Any = sender.send(METHOD_OF[ReconcileListRequest], bytes_of(request))[0]

    assert answer.matched + answer.missing + answer.different == rows
    assert len(answer.rows) == rows + answer.extra


# Pages.


def test_a_page_token_of_another_question_is_refused(sender: Sender) -> None:
    first = ListRosterRequest(agency="CBP", page_size=1)
    token = sender.send(METHOD_OF[ListRosterRequest], bytes_of(first))[0].next_page_token
    assert token

    for other in (
        ListRosterRequest(facility=PLACE, page_size=1, page_token=token),
        ListRosterRequest(agency="CBP", basis=Basis(at_size=6), page_size=1, page_token=token),
        ListSeparationsRequest(page_token=token),
    ):
        found = sender.outcome(METHOD_OF[type(other)], bytes_of(other))
        assert (found.code, found.reason) == (INVALID, "INVALID_PAGE_TOKEN")
        assert found.fields == ("page_token",)


@pytest.mark.parametrize(
    "forged",
    [
        {"size": 1_000_000},
        {"size": UINT64_MAX},
        {"size": 6, "as_of_time": Timestamp(seconds=2**63 - 1)},
        {"size": 6, "as_of_time": Timestamp(seconds=1, nanos=-1)},
    ],
    ids=str,
)
def test_a_forged_page_token_is_refused(forged: dict[str, Any], sender: Sender) -> None:
    """A token gives no authority, but it is input like any other."""
    request = ListRosterRequest(agency="CBP", page_size=1)
    given = sender.send(METHOD_OF[ListRosterRequest], bytes_of(request))[0].next_page_token
    token = PageToken.FromString(urlsafe_b64decode(given))
    token.MergeFrom(PageToken(**forged))
    request.page_token = urlsafe_b64encode(bytes_of(token)).decode()

    found = sender.outcome(METHOD_OF[ListRosterRequest], bytes_of(request))

    assert found is not None
    assert (found.code, found.reason) == (INVALID, "INVALID_PAGE_TOKEN")


def test_a_forged_place_in_the_pages_gives_no_authority(sender: Sender) -> None:
    request = ListRosterRequest(agency="CBP", page_size=1)
    given = sender.send(METHOD_OF[ListRosterRequest], bytes_of(request))[0].next_page_token
    token = PageToken.FromString(urlsafe_b64decode(given))
    for after in ("\0", "\U0010ffff", KNOWN.upper(), "'; DROP TABLE entry; --"):
        token.after = after
        request.page_token = urlsafe_b64encode(bytes_of(token)).decode()
        if found := sender.outcome(METHOD_OF[ListRosterRequest], bytes_of(request)):
            assert (found.code, found.reason) == (INVALID, "INVALID_PAGE_TOKEN")


# Sizes.


def test_a_message_larger_than_four_mebibytes_is_refused(sender: Sender) -> None:
    long = "x" * 9_000
    large = sent(*[somebody(event_id=str(uuid.UUID(int=i))) for i in range(500)])
    for one in large.events:
        one.person_registered.nationality_text = long
    found = sender.outcome(METHOD_OF[AppendEventsRequest], bytes_of(large))
    assert found.code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_message_that_unpacks_to_more_than_four_mebibytes_is_refused(sender: Sender) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        sender.send(
            METHOD_OF[ListCodesRequest], bytes(8_000_000), compression=grpc.Compression.Gzip
        )
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_of_nine_kilobytes_is_always_refused(sender: Sender) -> None:
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as caught:
            sender.send(METHOD_OF[ListCodesRequest], b"", metadata=[("x-long", "x" * 9_000)])
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_oversized_batch_is_refused_without_looking_into_it(sender: Sender) -> None:
    """Four mebibytes hold two million empty events, and each has five faults."""
    found = sender.outcome(METHOD_OF[AppendEventsRequest], b"\x0a\x00" * 30_000)
    assert (found.code, found.reason) == (INVALID, "INVALID_REQUEST")
    assert found.fields == ("events",)


@pytest.mark.parametrize(
    "events",
    [
        [somebody(on=1.5, event_id=str(uuid.UUID(int=i))) for i in range(500)],
        [unknown(somebody(event_id=str(uuid.UUID(int=i)))) for i in range(500)],
        [Event() for _ in range(500)],
    ],
    ids=["not aligned", "unknown fields", "empty"],
)
def test_five_hundred_faults_still_fit_into_a_refusal(events: list[Event], sender: Sender) -> None:
    """Metadata has a limit on its way back too."""
    for _ in range(4):
        found = sender.outcome(METHOD_OF[AppendEventsRequest], bytes_of(sent(*events)))
        assert_named(found)
        assert found.fields[0].startswith("events[0].")


def test_a_method_that_is_not_there_is_unimplemented(server: Server) -> None:
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary("/ledger.v1.LedgerService/DeleteEvents")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


# Anything at all.

WORDS = st.one_of(
    st.sampled_from(
        [
            "",
            KNOWN,
            SECOND,
            STRANGER,
            KNOWN.upper(),
            id_of("kept"),
            id_of("gone"),
            id_of("retraction"),
            f"person:{KNOWN}",
            "CBP",
            "ORR",
            "ZERO_TOLERANCE",
            "A_NUMBER",
            "agency",
            "PersonRegistered",
            "UTC",
            "America/Chicago",
            "Europe/",
            PLACE,
            "Maria Lopez\0",
            "Maria Lopez\x1b[2J",
            "x" * 3_000,
        ]
    ),
    st.text("aé漢\u200f\0\x1b\n '\";", max_size=30),
)
SCALARS: dict[int, Callable[[FieldDescriptor], st.SearchStrategy[Any]]] = {
    FieldDescriptor.TYPE_STRING: lambda _: WORDS,
    FieldDescriptor.TYPE_BYTES: lambda _: st.binary(max_size=40),
    FieldDescriptor.TYPE_BOOL: lambda _: st.booleans(),
    FieldDescriptor.TYPE_ENUM: lambda field: st.sampled_from(
        [*(value.number for value in field.enum_type.values), *INTEGERS[field.type]]
    ),
    FieldDescriptor.TYPE_INT32: lambda _: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: lambda _: st.one_of(
        st.integers(-(2**63), 2**63 - 1), st.integers(1_525_000_000, 1_526_000_000)
    ),
    FieldDescriptor.TYPE_SINT64: lambda _: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: lambda _: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: lambda _: st.one_of(st.integers(0, 9), st.integers(0, 2**64 - 1)),
}


@cache
def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """A value for a field."""
    return SCALARS[field.type](field)


@st.composite
def requests(draw: st.DrawFn, request_type: type[Message]) -> Message:
    """A good request in which some fields, anywhere, were changed."""
    request = request_type.FromString(bytes_of(draw(st.sampled_from(good(request_type)))))
    for _ in range(draw(st.integers(0, 3))):
        within = nodes(request)
        _, node = within[draw(st.integers(0, len(within) - 1))]
        fields = node.DESCRIPTOR.fields
        field = fields[draw(st.integers(0, len(fields) - 1))]
        if draw(st.integers(0, 4)) == 0:
            node.ClearField(field.name)
        elif field.is_repeated:
            values = getattr(node, field.name)
            if field.message_type:
                values.add()
            else:
                values.append(draw(scalar(field)))
        elif field.message_type:
            getattr(node, field.name).SetInParent()
        else:
            setattr(node, field.name, draw(scalar(field)))
    if isinstance(request, AppendEventsRequest | AppendEventBatchesRequest):
        used = {one.event_id for start in good(request_type) for one in start.events}
        for one in request.events:
            if one.event_id in used:
                one.event_id = str(draw(st.uuids()))
    return request


@every_method
def test_any_message_gets_an_answer_or_a_named_refusal(
    request_type: type[Message], sender: Sender, database_url: str
) -> None:
    """And what was kept of it can be asked about."""
    method, size = METHOD_OF[request_type], checkpoint(sender).size
    kept: list[Event] = []

    @settings(
        max_examples=examples(database_url),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(request_type))
    def send(request: Message) -> None:
        with capture_logs() as logged:
            try:
                answer = sender.send(method, bytes_of(request))
                shown = str(logged)
            except grpc.RpcError as error:
                found = refusal_of(error)
                assert_named(found)
                shown = found.text + str(logged)
            else:
                if isinstance(request, AppendEventBatchesRequest):
                    there = {one.event_id for one in answer[1].receipt.already_recorded}
                    kept.extend(one for one in request.events if one.event_id not in there)
                if isinstance(request, AppendEventsRequest) and not request.validate_only:
                    pairs = zip(request.events, answer[0].receipts, strict=True)
                    kept.extend(one for one, receipt in pairs if not receipt.already_recorded)
        assert [text for text in texts(request) if text in shown] == []

    send()

    assert checkpoint(sender).size == size + len(kept)
    people = {one for event in kept for one in people_in(event)}
    for person_id in people:
        for question in (
            GetPersonRequest(person_id=person_id),
            GetPersonTimelineRequest(person_id=person_id, basis=Basis(as_of_time=new_year(9999))),
            GetFamilyRequest(person_id=person_id),
        ):
            sender.send(METHOD_OF[type(question)], bytes_of(question))


def people_in(kept: Event) -> set[str]:
    """Whom an event names, by the option of the words."""
    body = getattr(kept, kept.WhichOneof("fact"))
    found: set[str] = set()
    for field, value in body.ListFields():
        if field.GetOptions().Extensions[subject] == "person":
            found |= set(value) if field.is_repeated else {value}
    return found


def test_after_all_this_the_populations_answer_and_the_log_verifies(
    sender: Sender, database_url: str
) -> None:
    for question in (
        ListRosterRequest(agency="CBP", basis=Basis(as_of_time=new_year(9999))),
        ListSeparationsRequest(include_reunified=True),
        CountSeparationsRequest(by=[1, 2, 5]),
        ListQueuesRequest(),
        *(ListFindingsRequest(rule_code=code) for code in codes_of("finding")),
        *(ListClocksRequest(clock_code=code) for code in codes_of("clock")),
        ListLikelyFamiliesRequest(),
        ListClassRequest(class_code="MS_L_2018"),
        ListNumbersRequest(),
    ):
        sender.send(METHOD_OF[type(question)], bytes_of(question))
    database = Database(database_url)
    verdict = verify(database, 1, Means())
    database.close()
    assert verdict.problems == []
    assert verdict.root == checkpoint(sender).root

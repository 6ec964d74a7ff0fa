"""How much one caller may ask for, and that whoever asks for more takes nothing from the others."""

import socket
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from events import event, id_of
from flood import (
    HEALTH,
    METHOD,
    REFLECTION,
    SETTINGS,
    Connection,
    asking,
    data,
    headers,
    message,
    tls,
)
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from guarded import Caller as Client
from guarded import Guarded
from hpack import Decoder

from ledger import read
from ledger.access import limits
from ledger.access.caller import LOOPBACK, Caller
from ledger.access.limits import BURST_S, HOUR_S, Limits
from ledger.access.policy import rules
from ledger.errors import LedgerError
from ledger.rpc import batches, calls
from ledger.rpc.calls import STREAMS_OF_ONE_MAX
from ledger.rpc.server import AT_ONCE_MAX, HANDSHAKE_MS, MESSAGE_BYTES_MAX
from ledger.rpc.transport import channel_credentials
from ledger.v1.custody_pb2 import BookedIn
from ledger.v1.custody_query_service_pb2 import ListRosterRequest
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventBatchesRequest,
    ListCodesRequest,
    WatchEventsRequest,
)
from ledger.v1.options_pb2 import Role
from ledger.v1.place_pb2 import Place

AGENT = Caller(spiffe_id="spiffe://d/agency/CBP", agency="CBP", role=Role.ROLE_FIELD_AGENT)
OTHER = replace(AGENT, spiffe_id="spiffe://d/agency/ORR", agency="ORR")
RULE = rules()[Role.ROLE_FIELD_AGENT]
CODES, CODES_OF = ListCodesRequest(name="agency"), "LedgerService/ListCodes"
ROSTER_OF = "CustodyQueryService/ListRoster"
QUOTA = "QUOTA_EXHAUSTED"
# How long a machine that does much else may take for what takes no time.
BUSY_S = 8.0


class Clock:
    """One that is set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def used(clock: Clock) -> Limits:
    return Limits(clock)


def call(used: Limits, caller: Caller = AGENT) -> str:
    """A call that is over at once; why it was refused."""
    try:
        with used.call(caller):
            return ""
    except LedgerError as refusal:
        return refusal.name


def learn(used: Limits, names: Iterator[int] | range, caller: Caller = AGENT) -> str:
    """An answer that tells of persons; why it was refused."""
    try:
        used.learn(caller, [f"p-{one}" for one in names])
    except LedgerError as refusal:
        return refusal.name
    return ""


def test_so_many_calls_at_once_and_no_more(used: Limits) -> None:
    with ExitStack() as under_way:
        for _ in range(RULE.calls_at_once):
            under_way.enter_context(used.call(AGENT))
        assert call(used) == QUOTA
        assert call(used, OTHER) == ""
    assert call(used) == ""


def test_a_call_that_fails_is_over_too(used: Limits) -> None:
    for _ in range(RULE.calls_at_once + 1):
        with suppress(ZeroDivisionError), used.call(AGENT):
            raise ZeroDivisionError
    assert call(used) == ""


def test_so_many_calls_a_second_over_some_seconds(used: Limits, clock: Clock) -> None:
    burst = RULE.calls_per_second * BURST_S
    assert {call(used) for _ in range(burst)} == {""}
    assert call(used) == QUOTA
    assert call(used, OTHER) == ""

    clock.now += 1

    assert {call(used) for _ in range(RULE.calls_per_second)} == {""}
    assert call(used) == QUOTA


def test_what_was_refused_costs_nothing(used: Limits, clock: Clock) -> None:
    for _ in range(RULE.calls_per_second * BURST_S * 2):
        call(used)
    clock.now += BURST_S
    assert {call(used) for _ in range(RULE.calls_per_second * BURST_S)} == {""}


def test_batches_of_a_stream_are_slowed_down_and_leave_room_for_calls(
    used: Limits, clock: Clock
) -> None:
    """Half a burst goes at once; then as many a second as calls may be made."""
    half = RULE.calls_per_second * BURST_S // 2
    assert {used.pace(AGENT) for _ in range(half)} == {0.0}
    assert used.pace(AGENT) == pytest.approx(1 / RULE.calls_per_second)
    assert used.pace(AGENT) == pytest.approx(2 / RULE.calls_per_second)
    assert used.pace(OTHER) == used.pace(LOOPBACK) == 0.0
    assert {call(used) for _ in range(half - 2)} == {""}
    assert call(used) == QUOTA

    clock.now += BURST_S
    assert used.pace(AGENT) == 0.0


def test_the_calls_of_a_program_are_one_callers_whoever_it_speaks_for(used: Limits) -> None:
    people = [replace(AGENT, actor_id=f"b-{one}") for one in range(RULE.calls_at_once + 1)]
    with ExitStack() as under_way:
        for one in people[1:]:
            under_way.enter_context(used.call(one))
        assert call(used, people[0]) == QUOTA


def test_so_many_persons_an_hour_and_the_same_ones_again(used: Limits, clock: Clock) -> None:
    most = RULE.persons_per_hour
    assert learn(used, range(most)) == ""
    assert learn(used, range(most)) == ""
    assert learn(used, range(most, most + 1)) == QUOTA
    assert learn(used, range(most, most + 1), OTHER) == ""

    clock.now += HOUR_S - 1
    assert learn(used, range(most, most + 1)) == QUOTA
    clock.now += 1
    assert learn(used, range(most, 2 * most)) == ""


def test_each_person_at_an_agency_may_learn_of_so_many(used: Limits) -> None:
    one, another = (replace(AGENT, actor_id=name) for name in ("b-1", "b-2"))
    assert learn(used, range(RULE.persons_per_hour), one) == ""
    assert learn(used, range(RULE.persons_per_hour, RULE.persons_per_hour + 1), one) == QUOTA
    assert learn(used, range(RULE.persons_per_hour, RULE.persons_per_hour + 1), another) == ""


def test_whoever_may_see_no_one_learns_of_no_one(used: Limits) -> None:
    witness = replace(AGENT, role=Role.ROLE_WITNESS)
    assert learn(used, range(1), witness) == QUOTA


def test_nobody_gets_a_new_quota_by_bringing_many_others(
    used: Limits, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALLERS_MAX", 10)
    used._room = 10
    assert learn(used, range(RULE.persons_per_hour)) == ""
    for number in range(50):
        learn(used, range(1), replace(AGENT, actor_id=f"b-{number}"))
        call(used, replace(AGENT, spiffe_id=f"spiffe://d/agency/A{number}"))
    assert learn(used, range(RULE.persons_per_hour, RULE.persons_per_hour + 1)) == QUOTA

    # What is an hour old is forgotten, so that what is kept has an end.
    clock.now += HOUR_S + 1
    for number in range(200):
        call(used, replace(AGENT, spiffe_id=f"spiffe://d/agency/B{number}"))
        clock.now += HOUR_S
    assert len(used._used) < 150


def test_over_loopback_there_are_no_limits(used: Limits) -> None:
    with ExitStack() as under_way:
        for _ in range(100):
            under_way.enter_context(used.call(LOOPBACK))
    assert learn(used, range(10), LOOPBACK) == ""


# Against a server, over TLS.


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("limits")
    with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
        people = [id_of(f"held {number}") for number in range(3)]
        running.tell(*(event(PersonRegistered(person_id=one)) for one in people))
        running.tell(
            *(
                event(BookedIn(person_id=one, agency="CBP", facility=Place(name=f"F{at}")), 2)
                for at, one in enumerate(people)
            )
        )
        running.settle()
        yield running


@pytest.fixture(autouse=True)
def unused(guarded: Guarded) -> None:
    """Nobody has used anything yet."""
    # Health and reflection share it.
    guarded.server._calls.limits._used.clear()
    guarded.server._calls.bodies._patience_s = 5.0


def outcome(caller: Client, method: str, request: object) -> str:
    """Why a call was refused; "OK"."""
    try:
        caller.ask(method, request)
    except LedgerError as refusal:
        return refusal.name
    return "OK"


def until_it_is(wanted: str, caller: Client, method: str, request: object) -> bool:
    """Whether a call comes to end so, before long."""
    until = time.monotonic() + BUSY_S
    while time.monotonic() < until:
        if outcome(caller, method, request) == wanted:
            return True
        time.sleep(0.1)
    return False


class Raw:
    """A connection of frames, and what is answered."""

    def __init__(self, guarded: Guarded, name: str, **options: bool | int) -> None:
        self.connection = Connection(
            guarded.server.address, guarded.folder / "clients" / name, **options
        )
        self._decoder = Decoder()

    def begin(self, method: str, *, sent: bytes, announced: int | None = None) -> int:
        """A call with so much of its request."""
        stream, ends = self.connection.begin(), announced is None
        body = data(stream, message(sent, announced), ends=ends)
        self.connection.send(headers(stream, asking(method)) + body)
        return stream

    def ended(self, stream: int, within_s: float = BUSY_S) -> dict[str, str]:
        """How a call ended, in the words of gRPC; {}: it was cut off."""
        told: dict[str, str] = {}
        until = time.monotonic() + within_s
        while stream in self.connection.open and time.monotonic() < until:
            for kind, _, of, payload in self.connection.receive(0.1):
                if kind == 1:
                    fields = dict(self._decoder.decode(payload))
                    told |= fields if of == stream else {}
        assert stream not in self.connection.open, "it is still open"
        return told


@pytest.fixture
def raw(guarded: Guarded) -> Iterator[Callable[..., Raw]]:
    """Makes connections of frames, and closes them."""
    with ExitStack() as made:

        def connect(name: str = "cbp-field-agent", **options: bool | int) -> Raw:
            one = Raw(guarded, name, **options)
            made.callback(one.connection.close)
            return one

        yield connect


def test_requests_that_do_not_arrive_count_and_are_cut_off(
    guarded: Guarded, raw: Callable[..., Raw]
) -> None:
    agent, other = guarded.caller("cbp-field-agent"), guarded.caller("orr-field-agent")
    guarded.server._calls.bodies._patience_s = 1.0
    slow = raw()
    began = time.monotonic()
    streams = [
        slow.begin(method, sent=b"\x0a", announced=1_000)
        for method in (METHOD, HEALTH, REFLECTION, METHOD)
        for _ in range(2)
    ]

    # Health and reflection are calls as others are.
    assert len(streams) == RULE.calls_at_once
    assert until_it_is(QUOTA, agent, CODES_OF, CODES) or time.monotonic() - began > 1
    assert outcome(other, CODES_OF, CODES) == "OK"
    for one in streams:
        assert slow.ended(one).get("grpc-status") != "0"
    assert time.monotonic() - began >= 1.0
    assert until_it_is("OK", agent, CODES_OF, CODES)


def test_as_it_is_set_up_a_request_has_five_seconds(raw: Callable[..., Raw]) -> None:
    slow = raw()
    began = time.monotonic()

    assert slow.ended(slow.begin(METHOD, sent=b"\x0a", announced=9), 20).get("grpc-status") != "0"

    assert 4.5 < time.monotonic() - began < 5.5 + BUSY_S


def test_so_many_calls_a_second_over_tls(guarded: Guarded) -> None:
    witness, agent = guarded.caller("court-witness"), guarded.caller("cbp-field-agent")
    burst = rules()[Role.ROLE_WITNESS].calls_per_second * BURST_S

    outcomes = [outcome(witness, CODES_OF, CODES) for _ in range(burst * 2)]

    assert set(outcomes[:burst]) == {"OK"}
    assert QUOTA in outcomes
    assert outcome(agent, CODES_OF, CODES) == "OK"


def test_so_many_persons_an_hour_over_tls(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {role: replace(rule, persons_per_hour=2) for role, rule in rules().items()}
    monkeypatch.setattr(limits, "rules", lambda: few)
    agent = guarded.caller("cbp-field-agent")
    one, another = guarded.person("cbp", "b-1"), guarded.person("cbp", "b-2")

    for caller in (agent, one, another):
        for at in (0, 1, 0):
            assert outcome(caller, ROSTER_OF, ListRosterRequest(facility=f"F{at}")) == "OK"
        assert outcome(caller, ROSTER_OF, ListRosterRequest(facility="F2")) == QUOTA
        assert outcome(caller, CODES_OF, CODES) == "OK"


def test_so_many_streams_of_one_who_can_still_ask(guarded: Guarded) -> None:
    watcher, other = guarded.caller("cbp-agency-supervisor"), guarded.caller("oig-investigator")
    with ExitStack() as open_streams:
        for _ in range(STREAMS_OF_ONE_MAX):
            stream = watcher.client.ledger.WatchEvents(WatchEventsRequest(), timeout=60)
            open_streams.callback(stream.cancel)
            next(stream)

        fifth = watcher.client.ledger.WatchEvents(WatchEventsRequest(), timeout=60)
        with pytest.raises(grpc.RpcError) as refused:
            next(fifth)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.value.details() == "there are too many open streams"
        assert outcome(watcher, CODES_OF, CODES) == "OK"
        assert next(other.client.ledger.WatchEvents(WatchEventsRequest(), timeout=60))


def test_a_stream_ends_when_it_is_old(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "STREAM_AGE_S", 0.5)
    monkeypatch.setattr(read, "HEARTBEAT_S", 0.1)
    watcher = guarded.caller("gao-auditor")

    with pytest.raises(grpc.RpcError) as ended:
        list(watcher.client.ledger.WatchEvents(WatchEventsRequest(), timeout=60))

    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert ended.value.details() == "the stream is an hour old: go on where it ended"


def test_a_reader_who_takes_nothing_is_cut_off(
    raw: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "STREAM_AGE_S", 0.5)
    monkeypatch.setattr(calls, "STREAM_GRACE_S", 0.5)
    still = raw("cbp-agency-supervisor", window=0)

    stream = still.begin("/ledger.v1.LedgerService/WatchEvents", sent=b"")

    assert still.ended(stream).get("grpc-status") != "0"


def test_a_sender_who_takes_no_answer_is_cut_off(
    guarded: Guarded, raw: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was begun is kept whole."""
    monkeypatch.setattr(batches, "TAKE_S", 0.5)
    still = raw(window=0)
    some = [event(PersonRegistered(person_id=id_of(f"still {number}"))) for number in range(20)]
    size = guarded.ledger.log.entries.size()

    batch = AppendEventBatchesRequest(events=some).SerializeToString()
    stream = still.begin("/ledger.v1.LedgerService/AppendEventBatches", sent=batch)

    assert still.ended(stream).get("grpc-status") != "0"
    until = time.monotonic() + BUSY_S
    while guarded.ledger.log.entries.size() < size + len(some) and time.monotonic() < until:
        time.sleep(0.05)
    assert guarded.ledger.log.entries.size() == size + len(some)


def test_a_connection_carries_little_more_than_a_caller_may_have_under_way(
    raw: Callable[..., Raw],
) -> None:
    connection = raw().connection
    told = b"".join(
        payload for kind, _, _, payload in connection.receive(BUSY_S) if kind == SETTINGS
    )

    settings = {told[at : at + 2]: told[at + 2 : at + 6] for at in range(0, len(told), 6)}
    assert int.from_bytes(settings[b"\x00\x03"]) == AT_ONCE_MAX
    most = max(rule.calls_at_once for rule in rules().values())
    assert most < AT_ONCE_MAX <= most + 2


def test_a_message_may_be_so_large(guarded: Guarded) -> None:
    agent = guarded.caller("cbp-field-agent")
    with pytest.raises(grpc.RpcError) as refused:
        agent.client._channel.unary_unary(f"/ledger.v1.{CODES_OF}")(
            bytes(MESSAGE_BYTES_MAX + 1), timeout=30
        )
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_may_be_so_large(guarded: Guarded) -> None:
    agent = guarded.caller("cbp-field-agent")
    ask = agent.client.ledger.ListCodes
    assert ask(CODES, metadata=[("x", "a" * 7_000)], timeout=30)
    for size in (9_000, 12_000, 15_000, 9_000, 12_000):
        with pytest.raises(grpc.RpcError) as refused:
            ask(CODES, metadata=[("x", "a" * size)], timeout=30)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("number", "size"), [(1, 9_000), (50, 4_000), (3_000, 1)])
def test_metadata_is_limited_for_a_peer_too_that_never_acknowledges_it(
    number: int, size: int, raw: Callable[..., Raw]
) -> None:
    unsettled = raw(acknowledges=False)
    stream = unsettled.connection.begin()
    block = asking(METHOD, *((f"x-{at}", "a" * size) for at in range(number)))
    unsettled.connection.send(headers(stream, block) + data(stream, message(b"")))

    told = unsettled.ended(stream)

    assert told["grpc-message"] == "more metadata than a call may have"
    details, info = told["grpc-status-details-bin"], ErrorInfo()
    Status.FromString(_decoded(details)).details[0].Unpack(info)
    assert info.reason == QUOTA


def _decoded(text: str) -> bytes:
    """Base64 as gRPC writes it, without padding."""
    return b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("said", ["nothing", "half a hello", "hello and nothing more"])
def test_whoever_connects_and_says_nothing_is_let_go(said: str, guarded: Guarded) -> None:
    host, port = guarded.server.address.rsplit(":", 1)
    silent = socket.create_connection((host, int(port)), timeout=5)
    if said == "half a hello":
        silent.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    if said == "hello and nothing more":
        identity = guarded.folder / "clients" / "cbp-field-agent"
        silent = tls(identity).wrap_socket(silent, server_hostname=host)
    silent.settimeout(HANDSHAKE_MS / 1_000 + BUSY_S)
    with closing(silent), suppress(ConnectionError, EOFError):
        while silent.recv(65_536):
            pass


# Health and reflection.


def test_health_and_reflection_are_for_whoever_is_known(guarded: Guarded) -> None:
    agent = guarded.caller("cbp-field-agent").client._channel
    serving = HealthCheckResponse.SERVING
    assert HealthStub(agent).Check(HealthCheckRequest(), timeout=30).status == serving
    watching = HealthStub(agent).Watch(HealthCheckRequest(), timeout=30)
    assert next(watching).status == serving
    watching.cancel()
    asked = [ServerReflectionRequest(list_services="")] * 2
    answers = list(ServerReflectionStub(agent).ServerReflectionInfo(iter(asked), timeout=30))
    names = {one.name for one in answers[1].list_services_response.service}
    assert "ledger.v1.LedgerService" in names

    stranger = guarded.caller("cbp").client._channel  # an agency, and nobody at it
    for stub in (HealthStub(stranger).Check, HealthStub(stranger).Watch):
        with pytest.raises(grpc.RpcError) as refused:
            list(stub(HealthCheckRequest(), timeout=30)) or None
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as refused:
        list(ServerReflectionStub(stranger).ServerReflectionInfo(iter(asked), timeout=30))
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("method", [HEALTH, REFLECTION, METHOD])
def test_what_is_no_message_is_refused_alike_everywhere(
    method: str, raw: Callable[..., Raw]
) -> None:
    wrong = raw()

    told = wrong.ended(wrong.begin(method, sent=b"\x0a\xff"))

    assert told["grpc-status"] == "3"
    assert told["grpc-message"] == "not a message of the type asked for"


def test_a_method_that_is_not_there_is_not_there(guarded: Guarded, tmp_path: Path) -> None:
    whose = channel_credentials(guarded.folder / "clients" / "cbp-field-agent")
    with grpc.secure_channel(guarded.server.address, whose) as channel:
        for path in ("/ledger.v1.LedgerService/Nothing", "/grpc.health.v1.Health/Nothing", "/"):
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(path)(b"", timeout=30)
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED

"""Nothing personal, and no key, in what is logged, refused or printed."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from canaries import fill
from commands import Served, ledger_here
from events import event, id_of
from examples import every_kind
from fuzzed import holds_secret, seed
from fuzzing import CANARY, METHODS, example
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from guarded import Guarded
from structlog.testing import capture_logs

from ledger.access.caller import Caller
from ledger.access.policy import policies
from ledger.keys.certificates import Identities
from ledger.rpc.client import Client
from ledger.rpc.methods import METHODS as ANSWERS
from ledger.rpc.server import Server
from ledger.v1.custody_pb2 import Apprehended
from ledger.v1.ledger_service_pb2 import AppendEventBatchesResponse
from ledger.v1.options_pb2 import Role

# One of each role that any method is for.
CALLERS = {
    Role.ROLE_AGENCY_SUPERVISOR: "cbp-agency-supervisor",
    Role.ROLE_INVESTIGATOR: "oig-investigator",
    Role.ROLE_AUDITOR: "gao-auditor",
    Role.ROLE_OPERATOR: "operator",
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A ledger with the canary in every personal field."""
    folder = tmp_path_factory.mktemp("leaks")
    with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
        seed(running.ledger)
        yield running


def send(
    client: Client, method: Any, data: bytes, metadata: Any = (("ledger-purpose", "OVERSIGHT"),)
) -> tuple[bool, bytes]:
    """(was it answered?, all that a refusal says)."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    channel = client._channel
    try:
        if method.server_streaming:
            stream = channel.unary_stream(path)(data, timeout=30, metadata=metadata)
            for answer in stream:
                if method.name == "WatchEvents":
                    stream.cancel()
                    break
                if method.name == "AppendEventBatches":
                    told = AppendEventBatchesResponse.FromString(answer)
                    if told.HasField("refusal"):
                        return False, repr(told).encode() + answer
        else:
            channel.unary_unary(path)(data, timeout=30, metadata=metadata)
    except grpc.RpcError as error:
        metadata = [*(error.trailing_metadata() or ()), *(error.initial_metadata() or ())]
        return False, repr((error.code(), error.details(), metadata)).encode()
    return True, b""


def with_canaries(message: Any) -> Any:
    """The message with the canary in every text, also where none was."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type and field.is_repeated:
            for one in getattr(message, field.name):
                with_canaries(one)
        elif field.message_type and message.HasField(field.name):
            with_canaries(getattr(message, field.name))
        elif field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
            if field.containing_oneof is None or message.HasField(field.name):
                setattr(message, field.name, CANARY)
        elif field.type == FieldDescriptor.TYPE_STRING:
            getattr(message, field.name)[:] = [CANARY]
    return message


def worse(good: Message) -> Iterator[bytes]:
    """A good request, and some that are none."""
    data = good.SerializeToString()
    canary = b"\x0a" + bytes([len(CANARY)]) + CANARY.encode()
    yield data
    copied = type(good)()
    copied.CopyFrom(good)
    yield with_canaries(copied).SerializeToString()
    yield data + canary
    yield data + b"\xba\x3e" + canary[1:]
    yield data[:-1] + b"\xff"


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
def test_no_call_says_or_logs_what_somebody_is_called(method: Any, guarded: Guarded) -> None:
    random, answered = Random(7), 0
    for role, name in CALLERS.items():
        caller = guarded.caller(name).client
        for data in worse(example(random, method)):
            with capture_logs() as logged:
                is_answered, said = send(caller, method, data)
            answered += is_answered
            assert not holds_secret(said), (role, said)
            assert not holds_secret(repr(logged).encode()), (role, logged)
    if method.name != "VerifyCitation":  # nothing here comes out as it was cited
        assert answered


@pytest.mark.parametrize(
    "metadata",
    [
        [("ledger-purpose", CANARY)],
        [("authorization", f"Bearer {CANARY}.{CANARY}.{CANARY}")],
        [("authorization", CANARY), ("authorization", CANARY)],
        [("x-name", CANARY), ("x-name-bin", CANARY.encode())],
    ],
)
def test_nothing_of_the_metadata_is_said_or_logged(
    metadata: list[tuple[str, Any]], guarded: Guarded
) -> None:
    caller = guarded.caller("oig-investigator", purpose="").client
    (method,) = (one for one in METHODS if one.name == "GetPerson")
    data = example(Random(7), method).SerializeToString()
    with capture_logs() as logged:
        _, said = send(caller, method, data, metadata)
    assert not holds_secret(said)
    assert not holds_secret(repr(logged).encode())


class SecretError(Exception):
    """A fault of ours that knows a name."""


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server on which everything fails, with a name in the fault."""

    def fail(*_: Any) -> Any:
        raise SecretError(f"{CANARY} in /var/lib/ledger")

    def fail_later(*_: Any) -> Iterator[Any]:
        fail()
        yield

    folder = tmp_path_factory.mktemp("failing")
    with pytest.MonkeyPatch.context() as patch:
        for method in METHODS:
            answers = ANSWERS[method.containing_service.name]
            is_later = method.server_streaming and not method.client_streaming
            patch.setitem(answers, method.name, fail_later if is_later else fail)
        with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
            yield running


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
def test_of_a_fault_the_caller_learns_nothing_and_the_log_where_it_is(
    method: Any, failing: Guarded
) -> None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    name = next(name for role, name in CALLERS.items() if role in policies()[path].roles)
    caller = failing.caller(name).client
    with capture_logs() as logged:
        is_answered, said = send(caller, method, example(Random(1), method).SerializeToString())

    assert not is_answered
    assert b"'internal error'" in said
    assert not any(word in said for word in (b"SecretError", b"/var", b"Traceback", b".py"))
    assert not holds_secret(said)
    (fault,) = [one for one in logged if one["event"] == "fault"]
    assert fault["error"] == "SecretError"
    assert fault["module"] == __name__
    assert not holds_secret(repr(logged).encode())


# The command line, which says on standard error what went wrong.


def written(path: Path, told: Any) -> Path:
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def commands(folder: Path) -> Iterator[list[Any]]:
    """Commands that are given a name where something is wrong."""
    good = MessageToDict(event(Apprehended(person_ids=[id_of("p")], agency="CBP")))
    for number, changed in enumerate(
        (
            {"event_id": CANARY},
            {"apprehended": {"person_ids": [CANARY], "agency": "CBP"}},
            {"apprehended": {"agency": CANARY}},
            {"no_such_field": CANARY},
            {"valid_time": CANARY},
            {"valid_time": {"time": CANARY, "precision": CANARY}},
            {"person_registered": {"birth_date": CANARY}},
            {"person_registered": {"birth_date": {"year": CANARY}}},
            {"person_registered": {"sex": CANARY}},
            {"person_registered": {"stated_age_years": CANARY}},
        )
    ):
        yield ["append", written(folder / f"{number}.json", [{**good, **changed}])]
    broken = folder / "broken.json"
    broken.write_text(f'[{{"event_id": "{CANARY}', encoding="utf-8")
    yield ["append", broken]


def test_the_command_line_repeats_nothing_of_a_file_that_is_wrong(
    sqlite_server: Server, tmp_path: Path
) -> None:
    for command in commands(tmp_path):
        done = ledger_here(*command, "--server", sqlite_server.address)
        assert done.returncode != 0, command
        assert done.stderr
        assert not holds_secret((done.stderr + done.stdout).encode()), done.stderr


# Keys.


def forms(key: bytes) -> set[str]:
    """How a key may look in a text."""
    return {key.hex(), base64.b64encode(key).decode(), repr(key)[2:-1], str(list(key))}


def test_no_key_is_in_what_anything_says_of_itself(guarded: Guarded) -> None:
    ledger = guarded.ledger
    keyring = ledger.log.vault.keyring
    identities = Identities(guarded.folder / "server")
    known = identities.current()
    private = known.key.decode().splitlines()[1]
    caller = Caller(spiffe_id="spiffe://d/agency/CBP", agency="CBP", known=known)
    persons_keys = [key for key in every_key(ledger.log.vault) if key]
    assert persons_keys
    secret = {form for key in (*keyring.wrapping.values(), keyring.index) for form in forms(key)}
    secret |= {form for key in persons_keys for form in forms(key)} | {private}
    for one in (keyring, ledger.log.vault, ledger.log, ledger, identities, known, caller):
        for said in (repr(one), str(one), f"{one}"):
            assert not any(form in said for form in secret), type(one)


def every_key(vault: Any) -> Iterator[bytes | None]:
    """The keys of persons that are in memory, whatever they are kept in."""
    waiting: list[Any] = [vars(vault)]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, bytes) and len(one) == 32:
            yield one
        elif isinstance(one, dict):
            waiting += [*one.values()]
        elif type(one).__module__.startswith("ledger.") and hasattr(one, "__dict__"):
            waiting.append(vars(one))


def test_a_server_leaves_no_image_of_itself(tmp_path: Path) -> None:
    running = Served(f"sqlite:///{tmp_path / 'ledger.db'}")
    try:
        limits = Path(f"/proc/{running.process.pid}/limits").read_text(encoding="ascii")
    finally:
        running.terminate()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


def test_every_kind_of_event_can_hold_the_name_that_is_looked_for() -> None:
    filled = 0
    for body in every_kind():
        before = body.SerializeToString()
        fill(body, CANARY)
        filled += holds_secret(body.SerializeToString()) and not holds_secret(before)
    assert filled > 20

"""Who gets in: certificates and tokens against a running server, over real connections."""

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from events import event, id_of
from guarded import DOMAIN, SUPERVISOR, Guarded

from ledger.errors import LedgerError
from ledger.keys.authority import issue_client, make
from ledger.rpc.bodies import Bodies
from ledger.rpc.client import Client
from ledger.rpc.methods import METHODS
from ledger.rpc.status import received
from ledger.v1.identity_pb2 import PersonRegistered
from ledger.v1.ledger_service_pb2 import (
    AppendEventsRequest,
    ListCodesRequest,
    WatchEventsRequest,
)
from ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.v1.options_pb2 import Role

AGENT = f"spiffe://{DOMAIN}/agency/CBP/role/field-agent"
NOW, HOUR = datetime.now(UTC), timedelta(hours=1)
UNREACHABLE, UNIDENTIFIED = "UNREACHABLE", "UNIDENTIFIED"
CODES = ListCodesRequest(name="purpose")
# As documented: files are looked at every second, and a stream that is silent speaks every five.
KNOWN_AFTER_S, STREAM_ENDS_AFTER_S = 1.2, 7.0


class Reached:
    """What of callers' requests got how far."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.received = 0

    def reset(self) -> None:
        self.answered, self.received = [], 0


@pytest.fixture(scope="module")
def reached() -> Iterator[Reached]:
    """Counts the requests that are read, and the methods that are run, of every server."""
    found = Reached()

    def counted(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            found.answered.append(name)
            return answer(*arguments)

        return run

    receive = Bodies.receive

    def counting(self: Bodies, messages: Any, context: grpc.ServicerContext) -> bytes | None:
        found.received += 1
        return receive(self, messages, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bodies, "receive", counting)
        for methods in METHODS.values():
            for name, answer in list(methods.items()):
                patch.setitem(methods, name, counted(name, answer))
        yield found


@pytest.fixture(scope="module")
def guarded(reached: Reached, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server whose files nobody changes but by issuing certificates."""
    folder = tmp_path_factory.mktemp("tls")
    with Guarded(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
        yield running


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Guarded]:
    """A server whose files a test changes."""
    with Guarded(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}") as running:
        yield running


def why_not(client: Client) -> str:
    """Why neither of two calls is let in; "OK": one is."""
    reasons = set()
    registered = event(PersonRegistered(person_id=id_of("p")))
    for call in (
        lambda: client.ledger.ListCodes(CODES, timeout=10),
        lambda: client.ledger.AppendEvents(AppendEventsRequest(events=[registered]), timeout=10),
    ):
        try:
            call()
        except grpc.RpcError as error:
            reasons.add(received(error).name)
        else:
            reasons.add("OK")
    return reasons.pop() if len(reasons) == 1 else str(reasons)


def uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def chained(folder: Path, name: str, *, whole: bool) -> Path:
    """A client whose certificate was issued by an authority below the authority."""
    below = issue_client(folder, f"{name} authority", f"spiffe://{DOMAIN}", is_authority=True)
    shutil.copy(below / "client.pem", below / "ca.pem")
    shutil.copy(below / "client.key", below / "ca.key")
    made = issue_client(folder, name, AGENT, authority=below)
    if whole:
        with (made / "client.pem").open("ab") as file:
            file.write((below / "ca.pem").read_bytes())
    return made


def own_signed(folder: Path) -> Path:
    """A client who says by herself who she is."""
    made = shutil.copytree(folder / "clients" / "cbp-field-agent", folder / "clients" / "own")
    key = load_pem_private_key((made / "client.key").read_bytes(), None)
    issued = x509.load_pem_x509_certificate((made / "client.pem").read_bytes())
    builder = (
        x509.CertificateBuilder()
        .subject_name(issued.issuer)
        .issuer_name(issued.issuer)
        .public_key(key.public_key())
        .serial_number(issued.serial_number)
        .not_valid_before(issued.not_valid_before_utc)
        .not_valid_after(issued.not_valid_after_utc)
    )
    for one in issued.extensions:
        builder = builder.add_extension(one.value, critical=one.critical)
    pem = builder.sign(key, issued.signature_hash_algorithm).public_bytes(Encoding.PEM)
    (made / "client.pem").write_bytes(pem)
    return made


def with_key_of_another(folder: Path) -> Path:
    made = shutil.copytree(folder / "clients" / "cbp-field-agent", folder / "clients" / "stolen")
    shutil.copy(folder / "clients" / "ice-field-agent" / "client.key", made / "client.key")
    return made


def bad_certificates(folder: Path, elsewhere: Path) -> dict[str, tuple[Path, str]]:
    """By kind: a client whose certificate is not good, and how far she comes."""

    def issue(name: str, spiffe_id: str = AGENT, **changed: Any) -> Path:
        return issue_client(folder, name.replace(" ", "-"), spiffe_id, **changed)

    below_tls = {
        "of another authority": issue("other authority", authority=elsewhere),
        "expired": issue("expired", not_before=NOW - 2 * HOUR, not_after=NOW - HOUR),
        "not yet valid": issue("early", not_before=NOW + HOUR, not_after=NOW + 2 * HOUR),
        "for servers": issue("for servers", usage=ExtendedKeyUsageOID.SERVER_AUTH),
        "for signing code": issue("for code", usage=ExtendedKeyUsageOID.CODE_SIGNING),
        "an authority's own": issue("authority", is_authority=True),
        "signed by herself": own_signed(folder),
        "with the key of another": with_key_of_another(folder),
        "below an authority that is not shown": chained(folder, "truncated", whole=False),
    }
    above_tls = {
        "two SPIFFE ids": issue("two ids", more_names=[uri(f"spiffe://{DOMAIN}/agency/ORR")]),
        "a second URI": issue("second", more_names=[uri("https://cbp.example/")]),
        "no URI": issue("no uri", "", more_names=[x509.DNSName("cbp.example")]),
        "an id as a DNS name": issue("dns", "", more_names=[x509.DNSName(AGENT)]),
        "an http URI": issue("http", AGENT.replace("spiffe:", "http:")),
        "a common name alone": issue("common name", "", subject=AGENT),
        "another trust domain": issue("domain", AGENT.replace(DOMAIN, "custody.example.org")),
        "a trust domain in capitals": issue("capitals", AGENT.replace(DOMAIN, DOMAIN.upper())),
        "a role that there is not": issue("role", AGENT.replace("field-agent", "director")),
        "no agency": issue("no agency", f"spiffe://{DOMAIN}/role/field-agent"),
        "an agency in small letters": issue("small", AGENT.replace("CBP", "cbp")),
        "a way out of an agency": issue("way out", AGENT.replace("CBP", "CBP/../ORR")),
        "a query behind the id": issue("query", f"{AGENT}?role=auditor"),
        "a slash behind the id": issue("slash", f"{AGENT}/"),
        "the id of a server": issue("server id", f"spiffe://{DOMAIN}/ledger"),
        "below an authority that is shown": chained(folder, "chained", whole=True),
    }
    return {
        **{kind: (made, UNREACHABLE) for kind, made in below_tls.items()},
        **{kind: (made, UNIDENTIFIED) for kind, made in above_tls.items()},
    }


def test_no_bad_certificate_gets_a_request_read_or_answered(
    guarded: Guarded, reached: Reached, tmp_path: Path
) -> None:
    make(tmp_path / "elsewhere")
    kinds = bad_certificates(guarded.folder, tmp_path / "elsewhere")
    kinds["the server's own"] = (_as_client(guarded.folder), UNREACHABLE)
    assert len(kinds) >= 25
    reached.reset()

    def outcome(identity: Path) -> str:
        with Client(guarded.server.address, identity=identity) as client:
            return why_not(client)

    with ThreadPoolExecutor(8) as pool:
        found = dict(
            zip(kinds, pool.map(outcome, (made for made, _ in kinds.values())), strict=True)
        )

    assert found == {kind: expected for kind, (_, expected) in kinds.items()}
    assert (reached.answered, reached.received) == ([], 0)
    # So that it is not something else that keeps them out.
    assert outcome(guarded.folder / "clients" / "cbp-field-agent") == "OK"
    assert (sorted(reached.answered), reached.received) == (["AppendEvents", "ListCodes"], 2)


def _as_client(folder: Path) -> Path:
    """A client with the server's certificate and key."""
    made = folder / "clients" / "as-server"
    made.mkdir()
    for name, of in (("client.pem", "server.pem"), ("client.key", "server.key")):
        shutil.copy(folder / "server" / of, made / name)
    shutil.copy(folder / "ca.pem", made / "authorities.pem")
    return made


def test_without_a_certificate_or_in_plain_text_nobody_gets_in(
    guarded: Guarded, reached: Reached
) -> None:
    roots = grpc.ssl_channel_credentials((guarded.folder / "ca.pem").read_bytes())
    reached.reset()
    for channel in (
        grpc.secure_channel(guarded.server.address, roots),
        grpc.insecure_channel(guarded.server.address),
    ):
        with channel, pytest.raises(grpc.RpcError) as refused:
            LedgerServiceStub(channel).ListCodes(CODES, timeout=10)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert (reached.answered, reached.received) == ([], 0)


def test_a_client_does_not_talk_to_a_server_of_another_authority(
    guarded: Guarded, tmp_path: Path
) -> None:
    make(tmp_path / "elsewhere")
    identity = guarded.folder / "clients" / "orr-field-agent"
    deceived = shutil.copytree(identity, tmp_path / "deceived")
    shutil.copy(tmp_path / "elsewhere" / "ca.pem", deceived / "authorities.pem")
    with Client(guarded.server.address, identity=deceived) as client:
        assert why_not(client) == UNREACHABLE


# Who is revoked is out, on connections that are open.


def revoke(guarded: Guarded, line: str) -> None:
    with (guarded.folder / "server" / "revoked.txt").open("a") as file:
        file.write(f"{line}\n")


def serial_of(guarded: Guarded, name: str) -> str:
    pem = (guarded.folder / "clients" / name / "client.pem").read_bytes()
    return f"{x509.load_pem_x509_certificate(pem).serial_number:x}"


def test_who_is_revoked_is_out_on_the_next_call_and_her_stream_ends(changing: Guarded) -> None:
    """By serial and by id; on the connection that was open."""
    by_serial = changing.caller("cbp-agency-supervisor").client
    by_id = changing.caller("orr-agency-supervisor").client
    other = changing.caller("oig-investigator").client
    streams = [
        one.ledger.WatchEvents(WatchEventsRequest(), timeout=30)
        for one in (by_serial, by_id, other)
    ]
    for stream in streams:
        assert next(stream).HasField("caught_up")
    revoke(changing, serial_of(changing, "cbp-agency-supervisor"))
    revoke(changing, f"spiffe://{DOMAIN}/agency/ORR/role/agency-supervisor  # left")
    revoked = time.monotonic()

    time.sleep(KNOWN_AFTER_S)
    assert [why_not(one) for one in (by_serial, by_id)] == [UNIDENTIFIED, UNIDENTIFIED]
    assert other.ledger.ListCodes(CODES).lists
    for stream in streams[:2]:
        with pytest.raises(grpc.RpcError) as ended:
            list(stream)
        assert received(ended.value).name == UNIDENTIFIED
    assert time.monotonic() - revoked < STREAM_ENDS_AFTER_S
    assert next(streams[2]).HasField("caught_up")
    for stream in streams:
        stream.cancel()
    # Nor does she come in by another connection.
    assert why_not(changing.caller("cbp-agency-supervisor").client) == UNIDENTIFIED


def test_whom_an_authority_let_in_is_out_with_the_authority(
    changing: Guarded, tmp_path: Path
) -> None:
    make(tmp_path / "next")
    server = changing.folder / "server"
    before, after = ((one / "ca.pem").read_bytes() for one in (changing.folder, tmp_path / "next"))
    old = changing.caller("cbp-field-agent").client
    watching = changing.caller("cbp-agency-supervisor").client
    stream = watching.ledger.WatchEvents(WatchEventsRequest(), timeout=30)
    assert next(stream).HasField("caught_up")
    assert why_not(old) == "OK"
    newcomer = shutil.copytree(tmp_path / "next" / "clients" / "cbp-field-agent", tmp_path / "new")
    (newcomer / "authorities.pem").write_bytes(before)

    (server / "authorities.pem").write_bytes(before + after)
    time.sleep(KNOWN_AFTER_S)
    new = changing.caller("newcomer", identity=newcomer).client
    assert [why_not(one) for one in (old, new)] == ["OK", "OK"]

    (server / "authorities.pem").write_bytes(after)
    removed = time.monotonic()
    time.sleep(KNOWN_AFTER_S)
    assert [why_not(one) for one in (old, new)] == [UNIDENTIFIED, "OK"]
    with pytest.raises(grpc.RpcError) as ended:
        list(stream)
    assert received(ended.value).name == UNIDENTIFIED
    assert time.monotonic() - removed < STREAM_ENDS_AFTER_S
    assert why_not(changing.caller("cbp-field-agent").client) == UNREACHABLE


def test_a_new_certificate_of_the_server_is_shown_to_whoever_connects_from_then_on(
    changing: Guarded, tmp_path: Path
) -> None:
    make(tmp_path / "next")
    before = changing.caller("cbp-field-agent").client
    assert why_not(before) == "OK"
    for name in ("server.key", "server.pem"):
        shutil.copy(tmp_path / "next" / "server" / name, changing.folder / "server" / name)
    time.sleep(KNOWN_AFTER_S)

    identity = shutil.copytree(changing.folder / "clients" / "cbp-field-agent", tmp_path / "new")
    shutil.copy(tmp_path / "next" / "ca.pem", identity / "authorities.pem")
    assert why_not(changing.caller("new", identity=identity).client) == "OK"
    assert why_not(before) == "OK"
    assert why_not(changing.caller("ice-field-agent").client) == UNREACHABLE


# Tokens.


def unsigned(token: str) -> str:
    """A token that says that it need not be signed."""
    head = json.dumps({"alg": "none", "typ": "ledger-caller+jwt"}).encode()
    return ".".join(
        [base64.urlsafe_b64encode(head).rstrip(b"=").decode(), token.split(".")[1], "AA"]
    )


def bad_tokens(guarded: Guarded) -> dict[str, tuple[str, str]]:
    """By kind: whose certificate, and a token that is not good with it."""
    good = guarded.token("cbp", "s-1")
    hours_ago = time.time_ns() // 1_000 - 7_200_000_000
    another = guarded.token("cbp-field-agent", "f-1")
    approved = event(PersonRegistered(person_id=id_of("p")))
    return {
        "none, where the certificate names no role": ("cbp", ""),
        "of another agency": ("cbp", guarded.token("cbp", "s-1", agency="ORR")),
        "of another certificate": ("cbp", another),
        "of the same agency's other program": ("cbp-field-agent", good),
        "stolen by another agency": ("orr", good),
        "expired": ("cbp", guarded.token("cbp", "s-1", now_us=hours_ago)),
        "not yet begun": ("cbp", guarded.token("cbp", "s-1", now_us=2 * time.time_ns() // 1_000)),
        "for another ledger": ("cbp", guarded.token("cbp", "s-1", audience="other.example")),
        "that needs no signature": ("cbp", unsigned(good)),
        "altered": ("cbp", _altered(good)),
        "an approval": ("cbp", guarded.approval("CBP", "s-1", approved)),
        "in another role than the certificate's": (
            "cbp-field-agent",
            guarded.token("cbp-field-agent", "f-1", role=SUPERVISOR),
        ),
        "in a wider role": (
            "cbp-field-agent",
            guarded.token("cbp-field-agent", "f-1", role=Role.ROLE_AUDITOR),
        ),
        "nonsense": ("cbp", "abc"),
        "empty parts": ("cbp", ".."),
    }


def _altered(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "s-2"
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


def test_no_bad_token_gets_a_request_read_or_answered(guarded: Guarded, reached: Reached) -> None:
    kinds = bad_tokens(guarded)
    reached.reset()
    found = {
        kind: why_not(guarded.caller(name, token=token).client)
        for kind, (name, token) in kinds.items()
    }

    assert found == dict.fromkeys(kinds, UNIDENTIFIED)
    assert (reached.answered, reached.received) == ([], 0)
    person = guarded.person("cbp", "s-1")
    assert person.ask("LedgerService/ListCodes", CODES).lists


def test_two_tokens_or_purposes_are_none(guarded: Guarded, reached: Reached) -> None:
    """So that whoever looks at the one and whoever looks at the other see the same."""
    token = guarded.token("cbp", "s-1")
    reached.reset()
    for twice in (
        [("authorization", f"Bearer {token}")] * 2,
        [("authorization", f"Bearer {token}"), *[("ledger-purpose", "CUSTODY")] * 2],
    ):
        with pytest.raises(LedgerError) as refused, guarded_client(guarded) as client:
            client.ledger.ListCodes(CODES, metadata=twice, timeout=10)
        assert refused.value.name == UNIDENTIFIED
    assert (reached.answered, reached.received) == ([], 0)


def guarded_client(guarded: Guarded) -> Client:
    """A client of CBP that shows nothing by itself."""
    return Client(guarded.server.address, identity=guarded.folder / "clients" / "cbp")


def test_a_token_is_out_with_the_key_that_signed_it(changing: Guarded) -> None:
    person = changing.person("cbp", "s-1")
    assert person.ask("LedgerService/ListCodes", CODES).lists
    (changing.folder / "server" / "tokens" / "CBP.pem").unlink()
    time.sleep(KNOWN_AFTER_S)
    assert person.refused("LedgerService/ListCodes", CODES).name == UNIDENTIFIED

"""Who calls through an agency's certificate, and who approves an event."""

import base64
import hmac
import json
import os
from hashlib import sha256
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from events import id_of
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, MistakeError
from ledger.keys import certificates, tokens
from ledger.keys.authority import make
from ledger.keys.certificates import Certificate, Identities, Known
from ledger.keys.spiffe import ROLES
from ledger.v1.options_pb2 import Role

DOMAIN = "custody.example"
SECOND_US = 1_000_000
NOW_US = 1_800_000_000 * SECOND_US
HOUR_S = 3600
HASH = sha256(b"event").digest()
GENERIC = {"token": "the token is not accepted", "approval": "the approval is not accepted"}


class Agency:
    """CBP's keys and certificate, and the server that knows them."""

    def __init__(self, folder: Path) -> None:
        make(folder)
        self.identities = Identities(folder / "server")
        self.known: Known = self.identities.current()
        self.folder = folder
        self.certificate = self.certificate_of("cbp")

    def certificate_of(self, name: str) -> Certificate:
        return certificates.read((self.folder / "clients" / name / "client.pem").read_bytes())

    def pem(self, agency: str = "CBP") -> bytes:
        return (self.folder / "agencies" / agency / "token.key").read_bytes()

    def key(self, agency: str = "CBP") -> Ed25519PrivateKey:
        return load_pem_private_key(self.pem(agency), None)

    def issue(self, **changed) -> str:
        told = {
            "agency": "CBP",
            "actor_id": "b-1138",
            "role": Role.ROLE_FIELD_AGENT,
            "audience": DOMAIN,
            "thumbprint": self.certificate.thumbprint,
            "lifetime_s": HOUR_S,
            "now_us": NOW_US,
            **changed,
        }
        return tokens.issue(told.pop("key", self.pem()), **told)

    def approve(self, **changed) -> str:
        told = {
            "agency": "CBP",
            "actor_id": "s-12",
            "role": Role.ROLE_AGENCY_SUPERVISOR,
            "audience": DOMAIN,
            "event_id": id_of("event"),
            "event_sha256": HASH,
            "lifetime_s": HOUR_S,
            "now_us": NOW_US,
            **changed,
        }
        return tokens.approve(told.pop("key", self.pem()), **told)

    def read(self, token: str, now_us: int = NOW_US, **changed) -> tokens.Person:
        told = {"known": self.known, "certificate": self.certificate, **changed}
        return tokens.read(token, now_us=now_us, **told)

    def read_approval(self, token: str, now_us: int = NOW_US, **changed) -> tokens.Approved:
        return tokens.read_approval(token, known=changed.get("known", self.known), now_us=now_us)


@pytest.fixture(scope="module")
def cbp(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    return Agency(tmp_path_factory.mktemp("authority"))


def refused(action, token: str, *arguments, **named) -> None:
    """It is not accepted, and nothing of it is in what is said."""
    what = "approval" if action.__name__ == "read_approval" else "token"
    with pytest.raises(LedgerError) as caught:
        action(token, *arguments, **named)
    assert caught.value.name == "UNIDENTIFIED"
    assert str(caught.value) == GENERIC[what]
    assert not caught.value.violations
    assert not caught.value.metadata


def part(content: dict | list | bytes) -> str:
    told = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def opened(token: str) -> tuple[dict, dict]:
    """(header, claims) of a token."""
    parts = [base64.urlsafe_b64decode(one + "==") for one in token.split(".")[:2]]
    return json.loads(parts[0]), json.loads(parts[1])


def signed(key, header, claims) -> str:
    """A token as somebody makes it who does not use our words."""
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(key.sign(text.encode()))}"


def test_a_token_says_who_calls(cbp: Agency) -> None:
    cases = [id_of("case 1"), id_of("case 2")]

    found = cbp.read(cbp.issue(case_ids=cases))

    assert found == tokens.Person("CBP", "b-1138", Role.ROLE_FIELD_AGENT, tuple(cases))
    assert cbp.read(cbp.issue()).case_ids == ()


@pytest.mark.parametrize("word", ROLES)
def test_a_token_may_name_each_role(cbp: Agency, word: str) -> None:
    assert cbp.read(cbp.issue(role=ROLES[word])).role == ROLES[word]


def test_an_approval_says_who_approves_which_event(cbp: Agency) -> None:
    token = cbp.approve()

    assert cbp.read_approval(token) == tokens.Approved(
        "CBP", "s-12", Role.ROLE_AGENCY_SUPERVISOR, id_of("event"), HASH, token
    )


def test_an_approval_does_not_let_in_and_a_callers_token_does_not_approve(cbp: Agency) -> None:
    refused(cbp.read, cbp.approve())
    refused(cbp.read_approval, cbp.issue())
    # Not even one that says all that the other kind says.
    _, caller = opened(cbp.issue())
    _, approval = opened(cbp.approve())
    both = caller | approval
    for typ, action in ((tokens.CALLER, cbp.read_approval), (tokens.APPROVAL, cbp.read)):
        refused(action, signed(cbp.key(), {"alg": "EdDSA", "typ": typ}, both))


@pytest.mark.parametrize("lifetime_s", [1, HOUR_S, tokens.LIFETIME_S_MAX])
def test_a_token_is_good_until_it_ends(cbp: Agency, lifetime_s: int) -> None:
    for token, action in (
        (cbp.issue(lifetime_s=lifetime_s), cbp.read),
        (cbp.approve(lifetime_s=lifetime_s), cbp.read_approval),
    ):
        end_us = NOW_US + lifetime_s * SECOND_US
        action(token, end_us - 1)
        # Also when its signature was found good before.
        refused(action, token, end_us)
        refused(action, token, end_us + SECOND_US)
        action(token, NOW_US)


def test_a_token_of_a_clock_that_is_a_minute_ahead_is_good_and_of_one_more_is_not(
    cbp: Agency,
) -> None:
    ahead_us = tokens.AHEAD_S_MAX * SECOND_US
    for token, action in ((cbp.issue(), cbp.read), (cbp.approve(), cbp.read_approval)):
        action(token, NOW_US - ahead_us)
        refused(action, token, NOW_US - ahead_us - 1)


NOW_S = NOW_US // SECOND_US
# What is changed in the claims; None: it is left out.
BAD_COMMON = [
    {"iss": None}, {"iss": "ICE"}, {"iss": "cbp"}, {"iss": ["CBP"]}, {"iss": 1}, {"iss": "CBP\n"},
    {"sub": None}, {"sub": ""}, {"sub": "a" * 65}, {"sub": "Ana María"}, {"sub": "a/b"}, {"sub": 7},
    {"sub": "a\n"}, {"sub": {"id": "a"}},
    {"role": None}, {"role": ""}, {"role": "king"}, {"role": "unspecified"}, {"role": 1},
    {"role": "FIELD_AGENT"}, {"role": ["field-agent"]}, {"role": "field-agent|auditor"},
    {"aud": None}, {"aud": "custody.example.org"}, {"aud": "Custody.Example"}, {"aud": [DOMAIN]},
    {"aud": f"spiffe://{DOMAIN}"}, {"aud": ""},
    {"iat": None}, {"iat": str(NOW_S)}, {"iat": NOW_S + 0.5}, {"iat": True}, {"iat": NOW_S + 61},
    {"iat": NOW_S + HOUR_S}, {"iat": NOW_S + 2 * HOUR_S}, {"iat": 0},
    {"iat": NOW_S + HOUR_S - tokens.LIFETIME_S_MAX - 1},
    {"exp": None}, {"exp": str(NOW_S)}, {"exp": NOW_S + 60.5}, {"exp": NOW_S}, {"exp": NOW_S - 1},
    {"exp": NOW_S + tokens.LIFETIME_S_MAX + 1}, {"exp": 10**30}, {"exp": True}, {"exp": 1e300},
    {"exp": float("inf")}, {"exp": float("nan")},
    {"nbf": NOW_S + 61}, {"nbf": str(NOW_S)}, {"nbf": None, "iat": None, "exp": None},
]  # fmt: skip
BAD_CALLER = [
    {"cnf": None}, {"cnf": {}}, {"cnf": "x"}, {"cnf": {"x5t#S256": "A" * 43}}, {"cnf": []},
    {"cnf": {"x5t#S256": None}}, {"cnf": {"x5t#S256": ["A" * 43]}}, {"cnf": {"jkt": "A" * 43}},
    {"case_ids": "all"}, {"case_ids": ["all"]}, {"case_ids": [id_of("c").upper()]},
    {"case_ids": [1]}, {"case_ids": {id_of("c"): 1}}, {"case_ids": [[id_of("c")]]},
    {"case_ids": [id_of("c")] * 501}, {"case_ids": [id_of("c") + "\n"]}, {"case_ids": 0},
]  # fmt: skip
BAD_APPROVAL = [
    {"approves": None}, {"approves": ""}, {"approves": id_of("event").upper()},
    {"approves": [id_of("event")]}, {"approves": 1},
    {"event_sha256": None}, {"event_sha256": HASH.hex().upper()}, {"event_sha256": HASH.hex()[2:]},
    {"event_sha256": HASH.hex() + "00"}, {"event_sha256": 1}, {"event_sha256": ""},
]  # fmt: skip


def changed(claims: dict, change: dict) -> dict:
    return {key: value for key, value in {**claims, **change}.items() if value is not None}


@pytest.mark.parametrize("change", [*BAD_COMMON, *BAD_CALLER], ids=lambda one: str(one)[:60])
def test_a_callers_token_with_any_other_claim_is_refused(cbp: Agency, change: dict) -> None:
    header, claims = opened(cbp.issue())

    refused(cbp.read, signed(cbp.key(), header, changed(claims, change)))
    # Nothing but the change is at fault.
    cbp.read(signed(cbp.key(), header, claims | {"nbf": NOW_S, "jti": "7"}))


@pytest.mark.parametrize("change", [*BAD_COMMON, *BAD_APPROVAL], ids=lambda one: str(one)[:60])
def test_an_approval_with_any_other_claim_is_refused(cbp: Agency, change: dict) -> None:
    header, claims = opened(cbp.approve())

    refused(cbp.read_approval, signed(cbp.key(), header, changed(claims, change)))
    cbp.read_approval(signed(cbp.key(), header, claims | {"nbf": NOW_S, "jti": "7"}))


def test_so_many_cases_go_into_a_token_as_one_person_has(cbp: Agency) -> None:
    cases = [id_of(f"case {n}") for n in range(tokens.CASES_MAX)]

    assert cbp.read(cbp.issue(case_ids=cases)).case_ids == tuple(cases)


def headers(cbp: Agency) -> dict[str, dict]:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": part(os.urandom(32))}
    return {
        "no kind": {"alg": "EdDSA"},
        "any kind": {"alg": "EdDSA", "typ": "JWT"},
        "kind in upper case": {"alg": "EdDSA", "typ": tokens.CALLER.upper()},
        "kind that is a list": {"alg": "EdDSA", "typ": [tokens.CALLER]},
        "no algorithm": {"typ": tokens.CALLER},
        "algorithm that is a list": {"alg": ["EdDSA"], "typ": tokens.CALLER},
        "algorithm none": {"alg": "none", "typ": tokens.CALLER},
        "algorithm NONE": {"alg": "NONE", "typ": tokens.CALLER},
        "another algorithm": {"alg": "ES256", "typ": tokens.CALLER},
        "algorithm of a secret": {"alg": "HS256", "typ": tokens.CALLER},
        "something critical": {"alg": "EdDSA", "typ": tokens.CALLER, "crit": ["exp"], "exp": 1},
        "not encoded": {"alg": "EdDSA", "typ": tokens.CALLER, "b64": False, "crit": ["b64"]},
        "a key of its own": {"alg": "HS256", "typ": tokens.CALLER, "jwk": jwk},
    }


@pytest.mark.parametrize("name", list(headers(None)))
def test_a_token_with_any_other_header_is_refused(cbp: Agency, name: str) -> None:
    _, claims = opened(cbp.issue())

    refused(cbp.read, signed(cbp.key(), headers(cbp)[name], claims))


def test_a_key_that_a_token_brings_along_is_not_looked_at(cbp: Agency) -> None:
    key = Ed25519PrivateKey.generate()
    header, claims = opened(cbp.issue())
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": part(key.public_key().public_bytes_raw())}

    refused(cbp.read, signed(key, header | {"jwk": jwk}, claims))
    refused(cbp.read, signed(key, header | {"jku": "https://x.example", "kid": "CBP"}, claims))


def test_a_token_that_is_not_signed_is_refused(cbp: Agency) -> None:
    header, body, signature = cbp.issue().split(".")
    none = part({"alg": "none", "typ": tokens.CALLER})

    for token in (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{header}.{body}."):
        refused(cbp.read, token)


def test_a_public_key_is_no_secret_to_sign_with(cbp: Agency) -> None:
    public = cbp.key().public_key()
    _, claims = opened(cbp.issue())
    text = f"{part({'alg': 'HS256', 'typ': tokens.CALLER})}.{part(claims)}"
    for secret in (
        public.public_bytes_raw(),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        b"",
    ):
        refused(cbp.read, f"{text}.{part(hmac.digest(secret, text.encode(), 'sha256'))}")


def test_a_key_of_another_kind_of_the_same_algorithm_is_refused(cbp: Agency) -> None:
    header, claims = opened(cbp.issue())

    refused(cbp.read, signed(Ed448PrivateKey.generate(), header, claims))


def test_a_token_that_another_agency_signed_is_refused(cbp: Agency) -> None:
    # It says that it is CBP's; it says that it is ICE's; it is ICE's own and for CBP's certificate.
    refused(cbp.read, cbp.issue(key=cbp.pem("ICE")))
    refused(cbp.read, cbp.issue(agency="ICE"))
    refused(cbp.read, cbp.issue(key=cbp.pem("ICE"), agency="ICE"))
    refused(cbp.read_approval, cbp.approve(key=cbp.pem("ICE")))
    refused(cbp.read_approval, cbp.approve(agency="ICE"))
    assert cbp.read_approval(cbp.approve(key=cbp.pem("ICE"), agency="ICE")).agency == "ICE"
    # Nor does a key to sign events with sign people's tokens.
    writer = (cbp.folder / "agencies" / "CBP" / "writer.key").read_bytes()
    refused(cbp.read, cbp.issue(key=writer))
    refused(cbp.read_approval, cbp.approve(key=writer))


def test_an_agency_that_nobody_knows_is_refused(cbp: Agency) -> None:
    refused(cbp.read_approval, cbp.approve(agency="EOIR"))
    known = Known(
        **{
            name: getattr(cbp.known, name)
            for name in Known.__dataclass_fields__
            if name not in {"_once", "token_keys"}
        },
        token_keys={},
    )
    refused(cbp.read, cbp.issue(), known=known)
    refused(cbp.read_approval, cbp.approve(), known=known)


def test_a_token_is_worth_nothing_on_another_connection(cbp: Agency) -> None:
    token = cbp.issue()
    cbp.read(token)

    # Of the same agency, and also after it was good on its own.
    for name in ("cbp-field-agent", "cbp-agency-supervisor", "ice-field-agent", "orr"):
        refused(cbp.read, token, certificate=cbp.certificate_of(name))
    cbp.read(token)


def test_a_token_signed_with_any_of_an_agencys_keys_is_good_until_that_one_is_gone(
    tmp_path: Path,
) -> None:
    cbp, now_s = Agency(tmp_path), 0.0
    identities = Identities(tmp_path / "server", clock=lambda: now_s)
    key = Ed25519PrivateKey.generate()
    new = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    refused(cbp.read, cbp.issue(key=new), known=identities.current())

    (tmp_path / "server/tokens/CBP-2027.pem").write_bytes(public)
    now_s += 1
    for one in (cbp.pem(), new):
        cbp.read(cbp.issue(key=one), known=identities.current())
        cbp.read_approval(cbp.approve(key=one), known=identities.current())
    (tmp_path / "server/tokens/CBP.pem").unlink()
    now_s += 1

    cbp.read(cbp.issue(key=new), known=identities.current())
    refused(cbp.read, cbp.issue(), known=identities.current())
    refused(cbp.read_approval, cbp.approve(), known=identities.current())


def test_a_good_signature_is_verified_once(cbp: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    token = cbp.issue(actor_id="once")
    verified = []
    verify = tokens._verified
    monkeypatch.setattr(
        tokens, "_verified", lambda *told: verified.append(told[0]) or verify(*told)
    )

    assert len({cbp.read(token) for _ in range(3)}) == 1
    bad = token[:-4] + "AAAA"
    for _ in range(3):
        refused(cbp.read, bad)

    assert verified == [token, bad, bad, bad]


DEEP = b"[" * 6000
NOT_TOKENS = [
    "", ".", "..", "...", "a", "a.b.c", "a.b", "a.b.c.d", " ", "\0", "é.é.é", "\ud800", "a.b.c\n",
    "-.-.-", "====.====.====", "{}.{}.{}",
    f"{part(DEEP)}.{part({})}.{part(bytes(64))}",
    f"{part(b'1' * 6000)}.{part({})}.{part(bytes(64))}",
    f"{part(b'null')}.{part(b'null')}.{part(bytes(64))}",
    f"{part([])}.{part([])}.{part(bytes(64))}",
    f"{part({'alg': 'EdDSA', 'typ': tokens.CALLER})}.{part(DEEP)}.{part(bytes(64))}",
    "a" * 10_000_000,
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_TOKENS, ids=lambda text: ascii(text[:20]))
def test_what_is_no_token_is_refused(cbp: Agency, text: str) -> None:
    refused(cbp.read, text)
    refused(cbp.read_approval, text)


@pytest.mark.parametrize(
    "claims", [b"", b"null", b"[]", b"1", b"\xff", DEEP, b'{"exp": ' + b"1" * 6000 + b"}"]
)
def test_what_an_agency_signs_and_is_no_object_is_refused(cbp: Agency, claims: bytes) -> None:
    for typ, action in ((tokens.CALLER, cbp.read), (tokens.APPROVAL, cbp.read_approval)):
        refused(action, signed(cbp.key(), {"alg": "EdDSA", "typ": typ}, claims))


def test_a_token_that_is_longer_than_any_needs_to_be_is_refused(cbp: Agency) -> None:
    for token, action in ((cbp.issue(), cbp.read), (cbp.approve(), cbp.read_approval)):
        header, claims = opened(token)
        action(signed(cbp.key(), header, claims | {"more": "x" * 20_000}))
        refused(action, signed(cbp.key(), header, claims | {"more": "x" * 30_000}))


@given(st.text())
def test_no_text_is_a_token(cbp: Agency, text: str) -> None:
    refused(cbp.read, text)
    refused(cbp.read_approval, text)


@given(st.data())
def test_a_token_that_is_changed_anywhere_is_refused(cbp: Agency, data) -> None:
    for token, action in ((cbp.issue(), cbp.read), (cbp.approve(), cbp.read_approval)):
        place = data.draw(st.integers(0, len(token) - 1))
        put = data.draw(st.sampled_from("ABCDwxyz0189-_.="))
        if token[place] != put:
            refused(action, token[:place] + put + token[place + 1 :])
        refused(action, token[:place])
        refused(action, token + put)


def test_a_library_that_does_not_know_us_can_read_what_is_issued(cbp: Agency) -> None:
    token = cbp.issue()

    claims = jwt.decode(
        token,
        cbp.key().public_key(),
        algorithms=["EdDSA"],
        audience=DOMAIN,
        issuer="CBP",
        options={"verify_exp": False, "verify_iat": False},
    )

    assert claims == {
        "iss": "CBP",
        "sub": "b-1138",
        "role": "field-agent",
        "aud": DOMAIN,
        "iat": NOW_S,
        "exp": NOW_S + HOUR_S,
        "case_ids": [],
        "cnf": {"x5t#S256": cbp.certificate.thumbprint},
    }


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"agency": "cbp"}, "the agency"),
        ({"actor_id": "Ana María"}, "the actor"),
        ({"role": Role.ROLE_UNSPECIFIED}, "the role"),
        ({"role": 99}, "the role"),
        ({"audience": "spiffe://custody.example"}, "the audience"),
        ({"lifetime_s": 0}, "8 hours"),
        ({"lifetime_s": -1}, "8 hours"),
        ({"lifetime_s": 8 * HOUR_S + 1}, "8 hours"),
        ({"case_ids": ["all"]}, "a case"),
        ({"case_ids": [id_of("c")] * 501}, "the cases"),
        ({"thumbprint": ""}, "the thumbprint"),
        ({"event_id": "1"}, "the event's id"),
        ({"event_sha256": b""}, "the event's hash"),
        ({"key": b""}, "the key"),
        ({"key": b"-----BEGIN PRIVATE KEY-----"}, "the key"),
        ({"key": "another kind"}, "the key"),
        ({"key": "with a password"}, "the key"),
    ],
    ids=lambda one: str(one)[:50],
)
def test_nobody_issues_what_would_be_refused(cbp: Agency, told: dict, said: str) -> None:
    made = {
        "another kind": Ed448PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        "with a password": cbp.key().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        ),
    }
    if told.get("key") in made:
        told = {"key": made[told["key"]]}
    issuing = [] if told.keys() & {"event_id", "event_sha256"} else [cbp.issue]
    approving = [] if told.keys() & {"case_ids", "thumbprint"} else [cbp.approve]
    for make_it in (*issuing, *approving):
        with pytest.raises(MistakeError, match=said) as caught:
            make_it(**told)
        assert "PRIVATE" not in str(caught.value)

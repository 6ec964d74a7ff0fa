"""Who a certificate says that a caller is, and whom a server lets in."""

import base64
import os
import shutil
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ledger.errors import LedgerError, StartupError
from ledger.keys import certificates
from ledger.keys.authority import CLIENTS, issue_client, make
from ledger.keys.certificates import Certificate, Identities, Known, read
from ledger.keys.folder import us_of
from ledger.keys.spiffe import ROLES, spiffe_id
from ledger.v1.options_pb2 import Role

DOMAIN = "custody.example"
CBP = f"spiffe://{DOMAIN}/agency/CBP"
AGENT = f"{CBP}/role/field-agent"
NOW = datetime.now(UTC)


def now_us() -> int:
    """When a test runs: the authority may have been made long after the tests were read."""
    return us_of(datetime.now(UTC))


SECOND_US, DAY = 1_000_000, timedelta(days=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away authority that nobody changes, except by issuing more."""
    folder = tmp_path_factory.mktemp("authority")
    make(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A server's folder that may be changed."""
    return shutil.copytree(made / "server", tmp_path / "server")


def pem_of(folder: Path, name: str = "cbp-field-agent") -> bytes:
    return (folder / "clients" / name / "client.pem").read_bytes()


def uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def refused(action, *arguments, **named) -> str:
    """What a stranger is told."""
    with pytest.raises(LedgerError) as caught:
        action(*arguments, **named)
    assert caught.value.name == "UNIDENTIFIED"
    assert not caught.value.violations
    assert not caught.value.metadata
    assert caught.value.__cause__ is None
    return str(caught.value)


def read_id(text: str) -> bytes:
    """A certificate with this id that nobody in particular issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([uri(text)]), critical=True)
        .sign(key, certificates.SHA256())
        .public_bytes(Encoding.PEM)
    )


@pytest.mark.parametrize("word", ROLES)
def test_an_id_names_an_agency_and_a_role_of_the_words(word: str) -> None:
    found = read(read_id(f"spiffe://{DOMAIN}/agency/GAO_2/role/{word}"))

    assert (found.agency, found.role, found.trust_domain) == ("GAO_2", ROLES[word], DOMAIN)
    assert len(ROLES) == len(Role.keys()) - 1


@pytest.mark.parametrize(
    ("text", "role"),
    [(CBP, Role.ROLE_UNSPECIFIED), (f"{AGENT}/program/Intake-2.1", Role.ROLE_FIELD_AGENT)],
)
def test_an_id_may_name_no_role_or_a_program_as_well(text: str, role: int) -> None:
    found = read(read_id(text))

    assert (found.spiffe_id, found.agency, found.role) == (text, "CBP", role)


BAD_IDS = {
    "another scheme": f"https://{DOMAIN}/agency/CBP",
    "scheme in upper case": f"SPIFFE://{DOMAIN}/agency/CBP",
    "no path": f"spiffe://{DOMAIN}",
    "nothing in the path": f"spiffe://{DOMAIN}/",
    "no trust domain": "spiffe:///agency/CBP",
    "trust domain in upper case": "spiffe://Custody.Example/agency/CBP",
    "trust domain with a port": f"spiffe://{DOMAIN}:443/agency/CBP",
    "trust domain with a user": f"spiffe://root@{DOMAIN}/agency/CBP",
    "trust domain too long": f"spiffe://{'a' * 256}/agency/CBP",
    "too long": f"{CBP}/role/field-agent/program/{'a' * 2048}",
    "server's own": f"spiffe://{DOMAIN}/ledger",
    "no agency": f"spiffe://{DOMAIN}/agency",
    "agency empty": f"spiffe://{DOMAIN}/agency/",
    "agency in lower case": f"spiffe://{DOMAIN}/agency/cbp",
    "agency begins with a digit": f"spiffe://{DOMAIN}/agency/1CBP",
    "agency too long": f"spiffe://{DOMAIN}/agency/{'A' * 33}",
    "slash at the end": f"{CBP}/",
    "slash after the role": f"{AGENT}/",
    "empty segment": f"spiffe://{DOMAIN}//agency/CBP",
    "empty segment before the role": f"{CBP}//role/field-agent",
    "dots": f"spiffe://{DOMAIN}/agency/ICE/../CBP",
    "percent-encoded": f"spiffe://{DOMAIN}/agency/C%42P",
    "percent-encoded slash": f"{CBP}%2Frole%2Fauditor",
    "role unknown": f"{CBP}/role/king",
    "role unspecified": f"{CBP}/role/unspecified",
    "role in upper case": f"{CBP}/role/FIELD-AGENT",
    "role with underscores": f"{CBP}/role/field_agent",
    "role empty": f"{CBP}/role/",
    "two roles": f"{AGENT}/role/auditor",
    "program without a role": f"{CBP}/program/intake",
    "program empty": f"{AGENT}/program/",
    "program of dots": f"{AGENT}/program/..",
    "more after the program": f"{AGENT}/program/intake/x",
    "query": f"{AGENT}?role=auditor",
    "fragment": f"{AGENT}#x",
    "space at the end": f"{AGENT} ",
    "line end": f"{AGENT}\n",
    "NUL": f"{AGENT}\0",
}


@pytest.mark.parametrize("text", BAD_IDS.values(), ids=BAD_IDS)
def test_a_certificate_with_any_other_id_is_refused(text: str) -> None:
    assert spiffe_id(text) is None
    assert refused(read, read_id(text)) == "the certificate is not accepted"


@given(
    st.lists(
        st.sampled_from(
            [
                "spiffe://",
                DOMAIN,
                "/",
                "agency",
                "CBP",
                "role",
                "auditor",
                "program",
                "..",
                "%2f",
                "A",
            ]
        )
    ).map("".join)
    | st.text()
)
def test_an_id_that_is_accepted_says_in_full_what_was_understood(text: str) -> None:
    found = spiffe_id(text)

    if found:
        words = {number: word for word, number in ROLES.items()}
        role = f"/role/{words[found.role]}" if found.role else ""
        understood = f"spiffe://{found.trust_domain}/agency/{found.agency}{role}"
        assert text == understood or text.startswith(f"{understood}/program/")


BAD_CERTIFICATES = {
    "no names": {"spiffe_id": ""},
    "the id as its common name": {"spiffe_id": "", "subject": AGENT},
    "the id as another kind of name": {"spiffe_id": "", "more_names": [x509.DNSName(AGENT)]},
    "two agencies": {"more_names": [uri(f"spiffe://{DOMAIN}/agency/ICE")]},
    "the same id twice": {"more_names": [uri(AGENT)]},
    "another URI beside": {"more_names": [uri("https://cbp.example")]},
    "an authority's own": {"is_authority": True},
    "a server's": {"usage": ExtendedKeyUsageOID.SERVER_AUTH},
    "one to sign programs with": {"usage": ExtendedKeyUsageOID.CODE_SIGNING},
}


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_a_certificate_that_is_not_a_clients_with_one_uri_is_refused(made: Path, name: str) -> None:
    told = {"spiffe_id": AGENT, **BAD_CERTIFICATES[name]}
    folder = issue_client(made, name, told.pop("spiffe_id"), **told)

    assert refused(read, (folder / "client.pem").read_bytes()) == "the certificate is not accepted"


def test_other_names_beside_the_id_are_not_looked_at(made: Path) -> None:
    names = [x509.DNSName("auditor"), x509.RFC822Name("auditor@gao.example")]
    folder = issue_client(made, "named", AGENT, more_names=names, subject=f"{CBP}/role/auditor")

    assert read((folder / "client.pem").read_bytes()).role == Role.ROLE_FIELD_AGENT


@given(st.binary(max_size=64))
def test_what_is_no_certificate_is_refused(garbage: bytes) -> None:
    body = base64.encodebytes(garbage)
    refused(read, garbage)
    refused(read, b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n")


@given(st.data())
def test_nobody_is_let_in_as_another_by_a_certificate_with_a_changed_bit(made: Path, data) -> None:
    good = read(pem_of(made))
    der = bytearray(good.whole.public_bytes(Encoding.DER))
    der[data.draw(st.integers(0, len(der) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    body = base64.encodebytes(bytes(der))
    try:
        found = read(b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n")
        Identities(made / "server").current().require(found, now_us())
    except LedgerError as error:
        assert error.name == "UNIDENTIFIED"  # noqa: PT017
    else:
        # The signature can be written in other ways. What it signs is the same, and no token of
        # the one is good for the other.
        assert found.whole.tbs_certificate_bytes == good.whole.tbs_certificate_bytes
        assert found.thumbprint != good.thumbprint


def test_a_serial_that_is_not_positive_is_refused(made: Path, monkeypatch) -> None:
    # Nothing of ours makes one.
    pem = read_id(AGENT)
    read.__wrapped__(pem)

    class Unnumbered:
        serial_number = 0

        def __init__(self, whole: x509.Certificate) -> None:
            self.whole = whole

        def __getattr__(self, name: str) -> object:
            return getattr(self.whole, name)

    load = x509.load_pem_x509_certificate
    monkeypatch.setattr(x509, "load_pem_x509_certificate", lambda pem: Unnumbered(load(pem)))
    refused(read.__wrapped__, pem)


def test_a_certificate_says_when_it_is_valid_and_what_its_thumbprint_is(made: Path) -> None:
    start = datetime(2018, 6, 6, 12, tzinfo=UTC)
    folder = issue_client(made, "of 2018", AGENT, not_before=start, not_after=start + DAY)
    pem = (folder / "client.pem").read_bytes()

    found = read(pem)

    assert found.not_before_us == 1_528_286_400_000_000
    assert found.not_after_us == found.not_before_us + 86_400 * SECOND_US
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    digest = base64.urlsafe_b64encode(sha256(der).digest()).decode()
    assert found.thumbprint == digest.removesuffix("=")
    assert len(found.thumbprint) == 43
    assert read(bytes(pem)) is found


def test_a_certificate_is_good_from_its_first_to_its_last_moment(made: Path) -> None:
    """Both ends of the validity are within it, as RFC 5280 has it."""
    known, found = Identities(made / "server").current(), read(pem_of(made))

    for at_us in (found.not_before_us, now_us(), found.not_after_us):
        known.require(found, at_us)
    refused(known.require, found, found.not_before_us - 1)
    refused(known.require, found, found.not_after_us + 1)


@pytest.mark.parametrize("name", CLIENTS)
def test_every_caller_of_the_authority_is_let_in(made: Path, name: str) -> None:
    Identities(made / "server").current().require(read(pem_of(made, name)), now_us())


def strangers(made: Path, tmp_path: Path) -> dict[str, Certificate]:
    """Those who may be read and are not let in."""
    other, look_alike = tmp_path / "other", tmp_path / "look-alike"
    make(other)
    make(look_alike, "custody.example.org")
    below = issue_client(made, f"below {tmp_path.name}", AGENT, is_authority=True)
    between = tmp_path / "between"
    between.mkdir()
    shutil.copy(below / "client.pem", between / "ca.pem")
    shutil.copy(below / "client.key", between / "ca.key")
    issued = {
        "by another authority of the same name": (other, AGENT, {}),
        "by itself": (made, AGENT, {"authority": between}),
        "for another trust domain": (made, AGENT.replace(DOMAIN, "custody.example.org"), {}),
        "by another trust domain's authority": (look_alike, AGENT, {}),
        "for later": (made, AGENT, {"not_before": NOW + DAY, "not_after": NOW + 2 * DAY}),
        "for before": (made, AGENT, {"not_before": NOW - 2 * DAY, "not_after": NOW - DAY}),
    }
    found = {}
    for name, (folder, text, more) in issued.items():
        client = issue_client(folder, f"{name} {tmp_path.name}", text, **more)
        found[name] = read((client / "client.pem").read_bytes())
    return found


def test_whom_no_present_authority_let_in_for_now_is_refused_and_learns_nothing(
    made: Path, tmp_path: Path
) -> None:
    known = Identities(made / "server").current()

    for name, stranger in strangers(made, tmp_path).items():
        # The second time as well: refusals are not taken for what was seen before.
        for _ in range(2):
            said = refused(known.require, stranger, now_us())
            assert said == "the certificate is not accepted", name


def test_trust_domains_are_compared_exactly(made: Path) -> None:
    found = read(pem_of(made))

    assert certificates.belongs(found, DOMAIN)
    for other in ("", "custody.exampl", "custody.example.org", "Custody.example", f"{DOMAIN}."):
        assert not certificates.belongs(found, other)


def test_what_is_remembered_is_bounded_and_refusals_are_not(made: Path) -> None:
    known = Identities(made / "server").current()
    asked = []

    def answer_to(key: int) -> int:
        asked.append(key)
        return key

    for key in range(2 * certificates.REMEMBERED):
        assert known.once(key, lambda key=key: answer_to(key)) == key
        assert known.once(key, lambda key=key: answer_to(key)) == key
        assert len(known._once) <= certificates.REMEMBERED
    assert asked == list(range(2 * certificates.REMEMBERED))
    with pytest.raises(ZeroDivisionError):
        known.once("never", lambda: 1 // 0)
    assert "never" not in known._once


def test_no_key_is_in_what_is_printed_of_a_server(made: Path) -> None:
    known = Identities(made / "server").current()

    assert b"PRIVATE KEY" in known.key
    assert "PRIVATE" not in repr(known)


class Watched:
    """A folder's identities, and a clock that moves a second each time that they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s = 0.0
        self.identities = Identities(folder, clock=lambda: self.now_s)

    def now(self) -> Known:
        self.now_s += 1
        return self.identities.current()

    def write(self, name: str, text: str | bytes) -> None:
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def test_who_is_revoked_is_out_within_a_second(made: Path, folder: Path) -> None:
    watched = Watched(folder)
    agent, supervisor = read(pem_of(made)), read(pem_of(made, "cbp-agency-supervisor"))
    for one in (agent, supervisor):
        watched.now().require(one, now_us())

    watched.write("revoked.txt", f"# left on Friday\n00{agent.serial:x} # hers\n")

    refused(watched.now().require, agent, now_us())
    watched.now().require(supervisor, now_us())
    watched.write("revoked.txt", f"\n  {supervisor.spiffe_id}  \n")
    refused(watched.now().require, supervisor, now_us())
    watched.now().require(agent, now_us())
    watched.write("revoked.txt", f"{CBP}\n")  # that id, and not those below it
    watched.now().require(supervisor, now_us())


def test_the_files_are_looked_at_once_a_second(folder: Path) -> None:
    watched = Watched(folder)
    known = watched.identities.current()
    watched.write("revoked.txt", "a1\n")

    watched.now_s += 0.9

    assert watched.identities.current() is known
    watched.now_s += 0.2
    assert watched.identities.current().revoked == {"a1"}
    assert (known.number, watched.now().number, watched.now().number) == (1, 2, 2)


def test_authorities_change_while_serving(made: Path, folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "new")
    before, after = read(pem_of(made)), read(pem_of(tmp_path / "new"))
    old, new = ((one / "ca.pem").read_text() for one in (made, tmp_path / "new"))
    watched = Watched(folder)
    watched.now().require(before, now_us())
    refused(watched.now().require, after, now_us())

    watched.write("authorities.pem", old + new)
    for one in (before, after):
        watched.now().require(one, now_us())

    watched.write("authorities.pem", new)
    refused(watched.now().require, before, now_us())
    watched.now().require(after, now_us())
    assert watched.now().authorities == new.encode()


def test_a_file_that_is_put_in_the_place_of_another_of_the_same_age_is_noticed(
    folder: Path,
) -> None:
    watched = Watched(folder)
    watched.write("revoked.txt", "a1\n")
    assert watched.now().revoked == {"a1"}
    told = (folder / "revoked.txt").stat()
    watched.write("new", "b2\n")
    os.utime(folder / "new", ns=(told.st_atime_ns, told.st_mtime_ns))

    (folder / "new").replace(folder / "revoked.txt")

    assert watched.now().revoked == {"b2"}


def test_a_new_certificate_is_taken_with_its_key_and_not_before(
    folder: Path, tmp_path: Path
) -> None:
    make(tmp_path / "new")
    watched = Watched(folder)
    old = watched.now()
    new = {
        name: (tmp_path / "new/server" / name).read_bytes() for name in ("server.pem", "server.key")
    }

    watched.write("server.pem", new["server.pem"])
    assert watched.now() is old
    watched.write("server.key", new["server.key"])

    known = watched.now()
    assert (known.certificate_chain, known.key) == (new["server.pem"], new["server.key"])
    assert (known.trust_domain, known.number) == (DOMAIN, old.number + 1)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def test_a_file_that_is_half_written_changes_nothing_until_it_is_whole(folder: Path) -> None:
    watched = Watched(folder)
    good = watched.now()
    for name in ("server.pem", "server.key", "authorities.pem", "tokens/CBP.pem"):
        whole = (folder / name).read_bytes()
        for content in (half(whole), b""):
            with capture_logs() as logs:
                watched.write(name, content)
                assert watched.now() is good, name
                assert watched.now() is good, name
            # Once, and with nothing of what is in it.
            assert logs == [
                {
                    "event": "identities not read",
                    "file": Path(name).name,
                    "log_level": "warning",
                }
            ]
        watched.write(name, whole)
        known = watched.now()
        assert known.number == good.number + 1
        good = known


@pytest.mark.parametrize(
    "content", [b"", b"a1b2\nc3", b"a1\n\xff\n", b"A1\n", b"a1 b2\n", b"CBP\n"]
)
def test_a_list_of_the_revoked_that_is_not_whole_lets_nobody_in_again(
    folder: Path, content: bytes
) -> None:
    watched = Watched(folder)
    watched.write("revoked.txt", "a1b2\nc3d4\n")
    known = watched.now()
    assert known.revoked == {"a1b2", "c3d4"}

    watched.write("revoked.txt", content)
    assert watched.now() is known
    (folder / "revoked.txt").unlink()
    assert watched.now() is known

    watched.write("revoked.txt", "c3d4\n")
    assert watched.now().revoked == {"c3d4"}


def test_a_folder_that_disappears_is_waited_for(folder: Path) -> None:
    watched = Watched(folder)
    known = watched.now()

    folder.rename(folder.with_name("away"))

    assert watched.now() is known
    folder.with_name("away").rename(folder)
    assert watched.now() is known


def test_files_that_change_while_they_are_read_are_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(folder)
    known = watched.now()
    watched.write("revoked.txt", "a1\n")

    read_as_it_was = certificates._read

    def read_and_change(*arguments):
        found = read_as_it_was(*arguments)
        watched.write("revoked.txt", "a1\nb2\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(certificates, "_read", read_and_change)
        assert watched.now() is known
    assert watched.now().revoked == {"a1", "b2"}


def test_an_agency_may_have_several_keys_for_tokens_and_they_come_and_go(folder: Path) -> None:
    watched = Watched(folder)
    assert {len(keys) for keys in watched.now().token_keys.values()} == {1}

    shutil.copy(folder / "tokens/ICE.pem", folder / "tokens/CBP-2027_new.pem")
    (folder / "tokens/GAO.pem").unlink()

    known = watched.now()
    assert len(known.token_keys["CBP"]) == 2
    assert known.token_keys["ICE"][0] in known.token_keys["CBP"]
    assert "GAO" not in known.token_keys


RAW = bytes(range(32))
KEY = base64.b64encode(RAW).decode()


def writer(since: str = "2026-01-01", more: str = "", agency: str = "CBP", key: str = KEY) -> str:
    return f'[[writer]]\nagency = "{agency}"\npublic_key = "{key}"\nsince = {since}\n{more}\n'


@pytest.mark.parametrize(
    ("since", "us"),
    [
        ("2026-01-01", 1_767_225_600_000_000),
        ('"2026-01-01"', 1_767_225_600_000_000),
        ("2026-01-01T00:00:00.5Z", 1_767_225_600_500_000),
        ('"2026-01-01T00:00:00Z"', 1_767_225_600_000_000),
        ("2026-01-01T00:00:00", 1_767_225_600_000_000),
        ("2025-12-31T19:00:00-05:00", 1_767_225_600_000_000),
    ],
)
def test_a_writers_key_is_good_from_a_day_or_a_time(folder: Path, since: str, us: int) -> None:
    watched = Watched(folder)
    assert watched.now().writers == ()

    watched.write("writers.toml", writer(since))

    (found,) = watched.now().writers
    assert (found.agency, found.public_key, found.since_us) == ("CBP", RAW, us)
    assert found.key_id == sha256(RAW).digest()[:8]
    assert found.until_us is None


def test_a_day_until_which_a_writers_key_is_good_is_still_within(folder: Path) -> None:
    watched = Watched(folder)
    watched.write("writers.toml", writer(more="until = 2026-01-01"))
    (found,) = watched.now().writers
    assert found.until_us == found.since_us + 86_400 * SECOND_US

    watched.write("writers.toml", writer(more="until = 2026-01-01T00:00:01Z"))
    (found,) = watched.now().writers
    assert found.until_us == found.since_us + SECOND_US

    (folder / "writers.toml").unlink()
    assert watched.now().writers == ()


BAD_WRITERS = {
    "not TOML": "[[writer",
    "empty": "",
    "not text": b"\xff",
    "a table": writer().replace("[[writer]]", "[writer]"),
    "something else": writer() + "[[reader]]\n",
    "no agency": writer().replace("agency", "who"),
    "no key": writer().replace("public_key", "key"),
    "no beginning": writer().replace("since", "from"),
    "a key too many": writer(more="role = 1"),
    "an agency in lower case": writer(agency="cbp"),
    "an agency that is a number": writer().replace('"CBP"', "1"),
    "a key too short": writer(key=KEY[4:]),
    "a key that is not base64": writer(key="!" + KEY),
    "a key that is a number": writer().replace(f'"{KEY}"', "1"),
    "a beginning that is none": writer('"soon"'),
    "a time without a day": writer("12:00:00"),
    "an end before its beginning": writer(more="until = 2025-12-31"),
    "an end at the end of time": writer(more="until = 9999-12-31"),
    "one key twice": writer() + writer(agency="ICE"),
}


@pytest.mark.parametrize("content", BAD_WRITERS.values(), ids=BAD_WRITERS)
def test_a_list_of_writers_that_is_not_one_is_refused_at_start(
    folder: Path, content: str | bytes
) -> None:
    watched = Watched(folder)
    known = watched.now()
    watched.write("writers.toml", content)

    assert watched.now() is known
    with pytest.raises(StartupError, match=r"writers\.toml") as caught:
        Identities(folder)
    assert KEY not in str(caught.value)


def private_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    return load_pem_private_key((folder / "server.key").read_bytes(), None)


def with_password(folder: Path) -> bytes:
    return private_key(folder).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )


def of_somebody_else(_folder: Path) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def public_key(folder: Path) -> bytes:
    return private_key(folder).public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip


# What is at fault, what makes it so, and what is said of it.
BROKEN = [
    ("server.pem", lambda _: b"no certificate", "is not certificates"),
    ("server.pem", lambda _: b"", "is empty"),
    ("server.pem", lambda folder: (folder / "authorities.pem").read_bytes(), "has not the one URI"),
    ("server.pem", lambda _: read_id("spiffe://Custody.example/ledger"), "has not the one URI"),
    ("server.pem", lambda _: read_id(AGENT), "has not the one URI"),
    ("server.key", lambda _: b"no key", "is not a private key without a password"),
    ("server.key", with_password, "is not a private key without a password"),
    ("server.key", of_somebody_else, "is not the key of server.pem"),
    ("server.key", public_key, "is not a private key without a password"),
    ("authorities.pem", lambda _: b"nobody", "is not certificates"),
    ("authorities.pem", lambda folder: (folder / "server.pem").read_bytes(), "no authority's"),
    ("revoked.txt", lambda _: b"0A\n", "line 1 is neither a serial"),
    ("revoked.txt", lambda _: b"#\n\nspiffe://custody.example/ledger\n", "line 3 is neither"),
    ("revoked.txt", lambda _: b"a1", "is it half-written?"),
    ("tokens/CBP.pem", lambda _: b"no key", "is not a public key"),
    ("tokens/CBP.pem", public_key, "is not an Ed25519 key"),
    ("tokens/CBP.pem", of_somebody_else, "is not a public key"),
    ("tokens/cbp.pem", public_key, "is not named like"),
]


@pytest.mark.parametrize(
    ("name", "content", "said"), BROKEN, ids=[f"{one[0]}: {one[2]}" for one in BROKEN]
)
def test_a_server_does_not_start_with_a_broken_file_and_says_which(
    folder: Path, name: str, content, said: str
) -> None:
    (folder / name).write_bytes(content(folder))

    with pytest.raises(StartupError) as caught:
        Identities(folder)

    assert str(folder / name) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name", ["server.pem", "server.key", "authorities.pem", "revoked.txt", "tokens"]
)
def test_a_server_does_not_start_without_a_file_and_says_which(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "away")

    with pytest.raises(StartupError, match=rf"{name} is missing"):
        Identities(folder)


def test_a_server_does_not_start_without_its_folder_or_with_a_file_that_is_a_folder(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(StartupError, match="is not a folder of identities"):
        Identities(tmp_path / "nowhere")
    with pytest.raises(StartupError, match="cannot be read: File name too long"):
        Identities(tmp_path / ("a" * 300))
    (folder / "revoked.txt").unlink()
    (folder / "revoked.txt").mkdir()
    with pytest.raises(StartupError, match=r"revoked\.txt cannot be read"):
        Identities(folder)

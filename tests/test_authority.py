"""The throw-away authority, and the commands that use it."""

import json
import shlex
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import ledger_here, lines_of
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from events import event, id_of
from google.protobuf.json_format import MessageToDict

from ledger.errors import MistakeError
from ledger.keys import certificates, tokens
from ledger.keys.authority import AGENCIES, CLIENTS, issue_client, make
from ledger.keys.certificates import Identities
from ledger.keys.folder import us_of
from ledger.keys.writers import Writer
from ledger.personal import approved_sha256
from ledger.v1.custody_pb2 import Apprehended
from ledger.v1.options_pb2 import Role

DOMAIN = "custody.example"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("somewhere") / "below" / "authority"
    make(folder)
    return folder


def test_everything_is_there_that_a_server_and_its_callers_need(made: Path) -> None:
    wanted = {"ca.pem", "ca.key"}
    wanted |= {
        f"server/{one}"
        for one in ("server.pem", "server.key", "authorities.pem", "revoked.txt", "writers.toml")
    }
    wanted |= {f"server/tokens/{agency}.pem" for agency in AGENCIES}
    wanted |= {f"agencies/{one}/{kind}.key" for one in AGENCIES for kind in ("token", "writer")}
    wanted |= {
        f"clients/{name}/{file}"
        for name in CLIENTS
        for file in ("client.pem", "client.key", "authorities.pem")
    }

    assert {str(one.relative_to(made)) for one in made.rglob("*") if one.is_file()} == wanted
    assert set(AGENCIES) == {"CBP", "ICE", "ORR", "OIG", "GAO", "COURT", "LEDGER"}
    assert len(CLIENTS) == 13


def test_nobody_else_can_read_the_keys(made: Path) -> None:
    for path in (made, *made.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.suffix == ".key":
            assert mode == 0o600, path


@pytest.mark.parametrize("name", CLIENTS)
def test_each_caller_has_her_own_key_and_id(made: Path, name: str) -> None:
    folder = made / "clients" / name
    pem = (folder / "client.pem").read_bytes()
    found = certificates.read(pem)

    assert found.spiffe_id == f"spiffe://{DOMAIN}/agency/{CLIENTS[name]}"
    key = load_pem_private_key((folder / "client.key").read_bytes(), None)
    assert key.public_key() == found.whole.public_key()
    assert (folder / "authorities.pem").read_bytes() == (made / "ca.pem").read_bytes()
    Identities(made / "server").current().require(found, us_of(datetime.now(UTC)))


def test_the_roles_of_the_words_each_have_a_caller(made: Path) -> None:
    pems = [(made / "clients" / name / "client.pem").read_bytes() for name in CLIENTS]

    assert {certificates.read(pem).role for pem in pems} == set(Role.values())


def test_the_server_is_known_by_its_id_and_at_this_machine_only(made: Path) -> None:
    own = x509.load_pem_x509_certificate((made / "server/server.pem").read_bytes())
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"spiffe://{DOMAIN}/ledger"
    ]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    usage = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    own.verify_directly_issued_by(x509.load_pem_x509_certificate((made / "ca.pem").read_bytes()))
    assert timedelta(days=7) <= own.not_valid_after_utc - own.not_valid_before_utc
    assert own.not_valid_after_utc - datetime.now(UTC) < timedelta(days=7, minutes=1)


def test_another_program_finds_the_certificates_good(made: Path) -> None:
    files = [made / "server/server.pem", *made.glob("clients/*/client.pem")]
    for purpose, some in (("sslserver", files[:1]), ("sslclient", files[1:])):
        done = subprocess.run(
            [
                "openssl",
                "verify",
                "-x509_strict",
                "-purpose",
                purpose,
                "-CAfile",
                made / "ca.pem",
                *some,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_an_agency_signs_its_events_once_its_lines_are_no_longer_a_comment(
    made: Path, tmp_path: Path
) -> None:
    make(tmp_path / "new", "other.example", days=1)
    server = tmp_path / "new" / "server"
    assert Identities(server).current().writers == ()
    file = server / "writers.toml"
    lines = file.read_text().splitlines()
    start = lines.index('# agency = "ORR"') - 1
    lines[start : start + 4] = [line.removeprefix("# ") for line in lines[start : start + 4]]

    file.write_text("\n".join(lines))

    (found,) = Identities(server).current().writers
    key = load_pem_private_key((tmp_path / "new/agencies/ORR/writer.key").read_bytes(), None)
    today = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    assert found == Writer("ORR", key.public_key().public_bytes_raw(), found.since_us)
    assert abs(found.since_us - us_of(today)) <= us_of(today) - us_of(today - timedelta(days=1))


def test_each_authority_is_another(made: Path, tmp_path: Path) -> None:
    files = make(tmp_path)

    assert {one.relative_to(tmp_path) for one in files} == {
        one.relative_to(made) for one in made.rglob("*") if one.is_file()
    }
    for one in files:
        if one.suffix in {".key", ".pem"}:
            assert one.read_bytes() != (made / one.relative_to(tmp_path)).read_bytes()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")

    with pytest.raises(MistakeError, match="is not empty"):
        make(tmp_path)
    with pytest.raises(MistakeError, match="cannot be written: Not a directory"):
        make(tmp_path / "mine")

    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "name", ["", "Custody.example", "a b", "spiffe://a", "a/b", "é", "a\n", "."]
)
def test_an_authority_for_what_is_no_trust_domain_is_not_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(MistakeError, match="is no trust domain"):
        make(tmp_path / "new", name)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("days", [-1, 0, 3651, 10**9])
def test_an_authority_for_no_days_or_for_ever_is_not_made(tmp_path: Path, days: int) -> None:
    with pytest.raises(MistakeError, match="days"):
        make(tmp_path / "new", days=days)


def test_a_trust_domain_may_be_as_long_as_it_can(tmp_path: Path) -> None:
    make(tmp_path, "a" * 255)

    assert Identities(tmp_path / "server").current().trust_domain == "a" * 255


def test_a_caller_is_not_made_twice_nor_without_an_authority(made: Path, tmp_path: Path) -> None:
    with pytest.raises(MistakeError, match="is there already"):
        issue_client(made, "cbp", f"spiffe://{DOMAIN}/agency/CBP")
    with pytest.raises(MistakeError, match="has no authority"):
        issue_client(tmp_path, "cbp", f"spiffe://{DOMAIN}/agency/CBP")
    (tmp_path / "ca.pem").write_bytes((made / "ca.pem").read_bytes())
    (tmp_path / "ca.key").write_bytes((made / "agencies/CBP/token.key").read_bytes())
    with pytest.raises(MistakeError, match="has no authority"):
        issue_client(tmp_path, "cbp", f"spiffe://{DOMAIN}/agency/CBP")


def test_dev_ca_makes_an_authority_and_says_what_to_try_next(tmp_path: Path) -> None:
    folder = tmp_path / "my authority"

    done = ledger_here("dev-ca", folder, "--trust-domain", "try.example", "--days", 2)

    assert done.returncode == 0, done.stderr
    assert Identities(folder / "server").current().trust_domain == "try.example"
    said = lines_of(done)
    assert f"{folder}: ca.key, ca.pem" in said
    assert f"{folder}/clients/orr: authorities.pem, client.key, client.pem" in said
    serve, show = (shlex.split(line) for line in said[-2:])
    assert serve == ["ledger", "serve", "--identities", str(folder / "server")]
    assert show[0] == f"LEDGER_IDENTITY={folder}/clients/orr-case-manager"
    assert show[1:] == ["ledger", "person", "show", "…", "--purpose", "REUNIFICATION"]
    again = ledger_here("dev-ca", folder)
    assert again.returncode == 2
    assert again.stderr == f"ledger: {folder} is not empty\n"


def issue(made: Path, *more: object, agency: str = "CBP", client: str = "cbp", key: str = ""):
    return ledger_here(
        "token", "issue", "--key", made / (key or f"agencies/{agency}/token.key"),
        "--agency", agency, "--actor", "b-1138", "--identity", made / "clients" / client, *more,
    )  # fmt: skip


def test_token_issue_prints_a_token_that_lets_a_person_in(made: Path) -> None:
    cases = [id_of("case 1"), id_of("case 2")]
    options = ["--case", cases[0], "--case", cases[1], "--minutes", 5]
    before_us = us_of(datetime.now(UTC))

    done = issue(made, "--role", "field-agent", *options)

    assert done.returncode == 0, done.stderr
    (token,) = lines_of(done)
    # Codes are written in either case, as in other commands.
    assert issue(made, "--agency", "cbp", "--role", "field-agent").returncode == 0
    told = {
        "known": Identities(made / "server").current(),
        "certificate": certificates.read((made / "clients/cbp/client.pem").read_bytes()),
    }
    found = tokens.read(token, now_us=before_us, **told)
    assert found == tokens.Person("CBP", "b-1138", Role.ROLE_FIELD_AGENT, tuple(cases))
    tokens.read(token, now_us=before_us + 299 * 1_000_000, **told)
    with pytest.raises(certificates.LedgerError):
        tokens.read(token, now_us=us_of(datetime.now(UTC)) + 300 * 1_000_000, **told)


def test_token_issue_says_what_is_wrong(made: Path, tmp_path: Path) -> None:
    server = tmp_path / "clients" / "server"
    server.mkdir(parents=True)
    (server / "client.pem").write_bytes((made / "server/server.pem").read_bytes())
    wrong = {
        "is a certificate of ORR, not of CBP": issue(made, "--role", "auditor", client="orr"),
        "--role: king is none of field-agent": issue(made, "--role", "king"),
        "cannot be read: No such file": issue(made, "--role", "auditor", client="nobody"),
        "is no certificate with an agency's SPIFFE id": issue(
            made, "--role", "auditor", client=str(server)
        ),
        "the key is not an Ed25519 private key": issue(
            made, "--role", "auditor", key="server/tokens/CBP.pem"
        ),
        "a case is not a UUID": issue(made, "--role", "auditor", "--case", "all"),
        "480": issue(made, "--role", "auditor", "--minutes", 481),
    }
    for said, done in wrong.items():
        assert done.returncode == 2, said
        assert not done.stdout
        assert said in done.stderr


def approve(made: Path, file: Path | str, *more: object, given: str = ""):
    return ledger_here(
        "token", "approve", file, "--key", made / "agencies/ORR/token.key", "--agency", "ORR",
        "--actor", "s-12", "--role", "agency-supervisor", *more, given=given,
    )  # fmt: skip


def test_token_approve_prints_an_approval_of_each_event(made: Path, tmp_path: Path) -> None:
    events = [event(Apprehended(person_ids=[id_of(f"p-{n}")], agency="CBP"), n) for n in (1, 2)]
    text = json.dumps([MessageToDict(one) for one in events])
    (tmp_path / "events.json").write_text(text)
    known, now_us = Identities(made / "server").current(), us_of(datetime.now(UTC))

    done = approve(made, tmp_path / "events.json", "--trust-domain", DOMAIN)

    assert done.returncode == 0, done.stderr
    found = [tokens.read_approval(one, known=known, now_us=now_us) for one in lines_of(done)]
    assert [one.event_id for one in found] == [one.event_id for one in events]
    assert [one.event_sha256 for one in found] == [approved_sha256(one) for one in events]
    assert {(one.agency, one.actor_id, one.role) for one in found} == {
        ("ORR", "s-12", Role.ROLE_AGENCY_SUPERVISOR)
    }
    assert len(lines_of(approve(made, "-", given=text))) == 2
    other = lines_of(approve(made, "-", "--trust-domain", "a.example", given=text))[0]
    with pytest.raises(certificates.LedgerError):
        tokens.read_approval(other, known=known, now_us=now_us)


def test_token_approve_wants_events_with_their_ids(made: Path) -> None:
    one = event(Apprehended(person_ids=[id_of("p")], agency="CBP"))
    good, bad = MessageToDict(one), MessageToDict(one)
    del bad["eventId"]

    done = approve(made, "-", given=json.dumps([good, bad]))

    assert (done.returncode, done.stdout) == (2, "")
    assert "events[1].event_id" in done.stderr
    assert approve(made, "-", given="{").returncode == 2
    for option, value in (("--role", "king"), ("--trust-domain", "A"), ("--actor", "A B")):
        assert approve(made, "-", option, value, given=json.dumps(good)).returncode == 2
    assert approve(made, "-", given=json.dumps(good | {"eventId": "7"})).returncode == 2

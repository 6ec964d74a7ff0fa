"""Commands about who may do what: a throw-away authority, tokens for people, approvals."""

import shlex
import time
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.events import read_bytes, read_events
from ledger.cli.options import chosen
from ledger.errors import LedgerError, MistakeError

TRUST_DOMAIN = "custody.example"

token = typer.Typer(help="What an agency says of its people.", no_args_is_help=True)

KeyOption = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The agency's private key for tokens, as PEM.")
]
AgencyOption = Annotated[
    str, typer.Option("--agency", metavar="CODE", help="The agency whose key it is.")
]
ActorOption = Annotated[
    str, typer.Option("--actor", metavar="ID", help="Who she is to her agency: no name.")
]
RoleOption = Annotated[
    str, typer.Option("--role", help="What she acts as, such as field-agent or case-manager.")
]
MinutesOption = Annotated[
    int, typer.Option("--minutes", min=1, max=480, help="For how long it is good.")
]
TrustDomainOption = Annotated[
    str, typer.Option("--trust-domain", metavar="NAME", help="The ledger's trust domain.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("dev-ca")(dev_ca)
    app.add_typer(token, name="token")


def dev_ca(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")],
    trust_domain: TrustDomainOption = TRUST_DOMAIN,
    days: Annotated[int, typer.Option("--days", help="For how many days it is good.")] = 7,
) -> None:
    """Make a throw-away authority: certificates for a server and its callers, and agencies' keys.

    To try out who may do what on one machine. Everything that it protects is only as safe as the
    folder.

    Example: ledger dev-ca authority
    """
    # Imported here, as in the other commands, because cryptography takes a while.
    from ledger.keys import authority

    made = authority.make(folder, trust_domain, days)
    for parent, files in groupby(made, key=lambda path: path.parent):
        typer.echo(f"{parent}: {', '.join(path.name for path in files)}")
    server, client = folder / "server", folder / "clients" / "orr-case-manager"
    typer.echo(
        "\nNow serve, and ask in another terminal:\n"
        f"  ledger serve --identities {shlex.quote(str(server))}\n"
        f"  LEDGER_IDENTITY={shlex.quote(str(client))} ledger person show … "
        "--purpose REUNIFICATION"
    )


@token.command("issue")
def issue(
    key: KeyOption,
    agency: AgencyOption,
    actor: ActorOption,
    role: RoleOption,
    identity: Annotated[
        Path,
        typer.Option("--identity", metavar="FOLDER", help="The certificate that she calls with."),
    ],
    cases: Annotated[
        list[str] | None, typer.Option("--case", metavar="ID", help="A case assigned to her.")
    ] = None,
    minutes: MinutesOption = 60,
) -> None:
    """Print a token for a person who calls through her agency's certificate, and through no other.

    Example: ledger token issue --key authority/agencies/CBP/token.key --agency CBP --actor b-1138
    --role field-agent --identity authority/clients/cbp
    """
    from ledger.keys import certificates, spiffe, tokens
    from ledger.keys.authority import CLIENT_CERTIFICATE

    agency, file = agency.upper(), identity / CLIENT_CERTIFICATE
    pem = read_bytes(file)
    try:
        certificate = certificates.read(pem)
    except LedgerError:
        raise MistakeError(f"{file} is no certificate with an agency's SPIFFE id") from None
    if certificate.agency != agency:
        raise MistakeError(f"{file} is a certificate of {certificate.agency}, not of {agency}")
    (number,) = chosen("--role", {**spiffe.ROLES}, [role])
    typer.echo(
        tokens.issue(
            read_bytes(key),
            agency=agency,
            actor_id=actor,
            role=number,
            audience=certificate.trust_domain,
            thumbprint=certificate.thumbprint,
            lifetime_s=minutes * 60,
            now_us=time.time_ns() // 1_000,
            case_ids=cases or (),
        )
    )


@token.command("approve")
def approve(
    file: Annotated[
        Path,
        typer.Argument(metavar="EVENT_FILE", help="As `ledger append` takes it; each with its id."),
    ],
    key: KeyOption,
    agency: AgencyOption,
    actor: ActorOption,
    role: RoleOption,
    trust_domain: TrustDomainOption = TRUST_DOMAIN,
    minutes: MinutesOption = 60,
) -> None:
    """Print an approval of each event in a file by a second person, one a line, in their order.

    It is for these bytes of the event: one that is changed afterwards is not approved.

    Example: ledger token approve sealed.json --key authority/agencies/ORR/token.key --agency ORR
    --actor s-12 --role agency-supervisor
    """
    from ledger.keys import spiffe, tokens
    from ledger.personal import approved_sha256

    (number,) = chosen("--role", {**spiffe.ROLES}, [role])
    private_key, now_us = read_bytes(key), time.time_ns() // 1_000
    events = read_events(file)
    for index, event in enumerate(events):
        if not event.event_id:
            raise MistakeError(f"{file}: events[{index}].event_id: an approved event has its id")
    for event in events:
        typer.echo(
            tokens.approve(
                private_key,
                agency=agency.upper(),
                actor_id=actor,
                role=number,
                audience=trust_domain,
                event_id=event.event_id,
                event_sha256=approved_sha256(event),
                lifetime_s=minutes * 60,
                now_us=now_us,
            )
        )

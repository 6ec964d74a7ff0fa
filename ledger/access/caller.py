"""Who calls: the agency of the certificate, the person of the token, and what for."""

from dataclasses import dataclass, field

from ledger.keys.certificates import Known
from ledger.v1.options_pb2 import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls. Without a SPIFFE id: somebody on this machine, over loopback."""

    spiffe_id: str = ""
    agency: str = ""
    role: Role.ValueType = Role.ROLE_UNSPECIFIED
    actor_id: str = ""
    """The person at the agency, by its opaque id; empty: a program for itself."""
    case_ids: tuple[str, ...] = ()
    """The cases that her agency has assigned to her."""
    purpose_code: str = ""
    known: Known | None = field(default=None, repr=False, compare=False)
    """What the server knew of agencies when she called: their token and signing keys."""

    @property
    def is_identified(self) -> bool:
        """Whether a certificate says who it is. Nobody else comes in from outside."""
        return bool(self.spiffe_id)

    @property
    def name(self) -> str:
        """The one whose quota it is: the person, or the program."""
        return f"{self.agency}/{self.actor_id}" if self.actor_id else self.spiffe_id


LOOPBACK = Caller()

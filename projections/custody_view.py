"""The custody of one person at one moment, and how it is told.

Who answers for her (the legal custodian) and where she is are two things: a hospital or a court
changes the second and not the first. The steps stand in `custody`.
"""

from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.v1.place_pb2 import Address
from ledger.v1.time_pb2 import Precision
from ledger.v1.view_pb2 import AwayFor, CustodyEnd, CustodyStatus
from ledger.v1.view_pb2 import Custody as CustodyMessage

NOT_RECORDED = CustodyStatus.CUSTODY_STATUS_UNSPECIFIED
HELD = CustodyStatus.CUSTODY_STATUS_HELD
IN_TRANSFER = CustodyStatus.CUSTODY_STATUS_IN_TRANSFER
ENDED = CustodyStatus.CUSTODY_STATUS_ENDED
ORR = "ORR"


@dataclass(frozen=True, slots=True)
class Custody:
    """The custody of one person at one moment; see ledger.v1.Custody for each field."""

    person_id: str
    status: CustodyStatus.ValueType = NOT_RECORDED
    agency: str = ""
    facility: str = ""
    since_us: int = 0
    since_precision: Precision.ValueType = Precision.PRECISION_UNSPECIFIED
    bound_for: str = ""
    """The agency that she is on her way to."""
    referred_to: str = ""
    """The agency that she is referred to, until it holds her."""
    event_id: str = ""
    undated_outcome_text: str = ""
    contradicting_event_ids: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    """(agency, facility) of the others that say they hold her, until each says that it does not, or
    another agency receives her."""
    taken: tuple[tuple[str, str], ...] = ()
    """(event id, the agency that held her) where she was received without a hand-over."""
    arrived: tuple[str, ...] = ()
    """The transfers that have brought her somewhere."""
    departed_from: "Custody | None" = None
    """While she is on the way: the state before, in case the transfer is refused."""
    away_at: str = ""
    away_for: AwayFor.ValueType = AwayFor.AWAY_FOR_UNSPECIFIED
    seen_at: str = ""
    seen_us: int = 0
    end: CustodyEnd.ValueType = CustodyEnd.CUSTODY_END_UNSPECIFIED
    end_reason_code: str = ""
    referred_for_prosecution: bool = False
    destination: Address | None = None
    sponsor_id: str = ""
    designated_facility: str = ""
    is_address_collected: bool = False
    """The words of its release had a place for an address."""
    was_held_before_end: bool = False
    """Somebody held her at some time before custody ended."""
    in_custody: tuple[tuple[int, int | None], ...] = ()
    """The stretches over which somebody held her, whoever it was; the last may have no end."""

    def was_held_at(self, at_us: int) -> bool:
        """Whether she was in custody at an instant not later than the one she is looked at."""
        return any(since <= at_us and (to is None or at_us < to) for since, to in self.in_custody)


def by_agency(agency: str) -> str:
    """The population that an agency answers for."""
    return f"agency:{agency}"


def by_facility(agency: str, facility: str) -> str:
    """The population that an agency holds in one facility, however its name is spaced and cased."""
    return f"facility:{agency}:{folded(facility)}"


def populations(view: Custody) -> dict[str, Message]:
    """Those held, by agency and by facility. Who is on the way is still her agency's."""
    if view.status not in (HELD, IN_TRANSFER):
        return {}
    holding = [(view.agency, view.facility), *view.claims]
    names = [by_agency(agency) for agency, _ in holding]
    names += [by_facility(agency, facility) for agency, facility in holding if facility]
    return dict.fromkeys(names, present(view))


def present(view: Custody) -> CustodyMessage:
    """The view in the words."""
    message = CustodyMessage(
        status=view.status,
        agency=view.agency,
        facility=view.facility,
        since_precision=view.since_precision,
        awaited_by=view.bound_for or view.referred_to,
        event_id=view.event_id,
        undated_outcome_text=view.undated_outcome_text,
        contradicting_event_ids=view.contradicting_event_ids,
        claimed_by=[agency for agency, _ in view.claims],
        away_at=view.away_at,
        away_for=view.away_for,
        seen_at=view.seen_at,
        end=view.end,
        end_reason_code=view.end_reason_code,
        referred_for_prosecution=view.referred_for_prosecution,
        destination=view.destination,
        sponsor_id=view.sponsor_id,
        designated_facility=view.designated_facility,
    )
    if view.event_id:
        message.since_time.FromMicroseconds(view.since_us)
    if view.seen_at:
        message.seen_time.FromMicroseconds(view.seen_us)
    return message


def folded(name: str) -> str:
    """The name of a place, however it is spaced and cased."""
    return " ".join(name.split()).casefold()

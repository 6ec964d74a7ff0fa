"""What was certified and published: a list, a number, each time with what was said."""

from ledger.ask.known import known_of, not_found
from ledger.ledger import Ledger
from ledger.v1.custody_query_service_pb2 import (
    GetListRequest,
    GetListResponse,
    GetNumberRequest,
    GetNumberResponse,
)
from projections import publication


def get_list(ledger: Ledger, request: GetListRequest) -> GetListResponse:
    """A list. Raises SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    known = known_of(ledger, "list", [request.list_id], moment.size)[request.list_id]
    if not known.facts:
        raise not_found("list_id")
    view = publication.certified_list.fold(request.list_id, known.facts, moment.as_of_us)
    return GetListResponse(
        list=publication.present_list(view), stamp=ledger.stamp(moment.size, moment.as_of_us)
    )


def get_number(ledger: Ledger, request: GetNumberRequest) -> GetNumberResponse:
    """A number. Raises SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    known = known_of(ledger, "number", [request.number_id], moment.size)[request.number_id]
    if not known.facts:
        raise not_found("number_id")
    view = publication.number.fold(request.number_id, known.facts, moment.as_of_us)
    return GetNumberResponse(
        number=publication.present_number(view),
        stamp=ledger.stamp(moment.size, moment.as_of_us),
    )

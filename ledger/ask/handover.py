"""One hand-over: who left, who arrived, and what could have been told of them."""

from ledger.ask.known import known_of, not_found, people
from ledger.ledger import Ledger, Moment
from ledger.v1.custody_query_service_pb2 import (
    GetTransferRequest,
    GetTransferResponse,
    NeedsAtDeparture,
)
from projections import identity, transfer


def get_transfer(ledger: Ledger, request: GetTransferRequest) -> GetTransferResponse:
    """A hand-over, with what was known of the needs of those who left. SUBJECT_NOT_FOUND."""
    moment = ledger.moment(request.basis)
    known = known_of(ledger, "transfer", [request.transfer_id], moment.size)[request.transfer_id]
    if not known.facts:
        raise not_found("transfer_id")
    view = transfer.transfer.fold(request.transfer_id, known.facts, moment.as_of_us)
    response = GetTransferResponse(
        transfer=transfer.present(view), stamp=ledger.stamp(moment.size, moment.as_of_us)
    )
    if view.departed_us is not None:
        # What was known, and of when, as the departure was recorded: what the sender could tell.
        then = Moment(view.departed_us, view.departed_position)
        for person_id, record in people(ledger, view.person_ids, then).items():
            needs = identity.present(record.identity, then.as_of_us).special_needs
            if needs:
                response.needs.append(NeedsAtDeparture(person_id=person_id, special_needs=needs))
    return response

"""The methods of each service: a name of the words, and what answers it.

What a method gets is a call and its request, whose shape was judged; what it raises is a
LedgerError: grpc stays outside.
"""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from ledger.accesses import list_accesses
from ledger.append import append_events, begin
from ledger.ask.citation import cite, verify_citation
from ledger.ask.counts import count_separations
from ledger.ask.handover import get_transfer
from ledger.ask.identifier import resolve_identifier
from ledger.ask.person import get_person, get_person_timeline
from ledger.ask.population import (
    list_class,
    list_clocks,
    list_numbers,
    list_roster,
    list_separations,
)
from ledger.ask.publication import get_list, get_number
from ledger.ask.queues import list_findings, list_likely_families, list_queues
from ledger.ask.reconciliation import reconcile_list
from ledger.ask.relatives import get_family, locate_relatives
from ledger.export import export_events
from ledger.ledger import Ledger
from ledger.prove import get_checkpoint, get_consistency_proof, get_inclusion_proof
from ledger.read import get_event, list_codes, read_events, watch_events
from ledger.rpc.call import Call

DEADLINE_S = 30.0

Method = Callable[[Call, Any], Any]
"""Of a call and what it asks."""


def _left_s(context: grpc.ServicerContext) -> float:
    """How long the caller waits; where she did not say, as long as we let anybody wait."""
    left = context.time_remaining()
    return DEADLINE_S if left is None else min(left, DEADLINE_S)


def _plain(answer: Callable[[Ledger, Any], Any]) -> Method:
    """A method that needs nothing of the call but the ledger as its caller sees it."""
    return lambda call, request: answer(call.ledger, request)


METHODS: Mapping[str, Mapping[str, Method]] = {
    "LedgerService": {
        "AppendEvents": lambda call, request: append_events(
            call.ledger, request, _left_s(call.context), is_judged=call.is_plain
        ),
        # Of one batch; what becomes of it is waited for while others are begun.
        "AppendEventBatches": lambda call, request: begin(
            call.ledger, request, is_judged=call.is_plain
        ),
        "GetEvent": _plain(get_event),
        "ReadEvents": _plain(read_events),
        "WatchEvents": lambda call, request: watch_events(
            call.ledger, request, call.context.is_active
        ),
        "ListCodes": lambda _call, request: list_codes(request),
    },
    "CustodyQueryService": {
        name: _plain(answer)
        for name, answer in (
            ("GetPerson", get_person),
            ("GetPersonTimeline", get_person_timeline),
            ("GetFamily", get_family),
            ("LocateRelatives", locate_relatives),
            ("ResolveIdentifier", resolve_identifier),
            ("GetTransfer", get_transfer),
            ("ListRoster", list_roster),
            ("ListSeparations", list_separations),
            ("CountSeparations", count_separations),
            ("ListFindings", list_findings),
            ("ListQueues", list_queues),
            ("ListClocks", list_clocks),
            ("ListLikelyFamilies", list_likely_families),
            ("ListClass", list_class),
            ("ReconcileList", reconcile_list),
            ("Cite", cite),
            ("GetList", get_list),
            ("GetNumber", get_number),
            ("ListNumbers", list_numbers),
        )
    },
    "AuditService": {
        name: _plain(answer)
        for name, answer in (
            ("GetCheckpoint", get_checkpoint),
            ("GetInclusionProof", get_inclusion_proof),
            ("GetConsistencyProof", get_consistency_proof),
            ("VerifyCitation", verify_citation),
            ("ListAccesses", list_accesses),
            ("ExportEvents", export_events),
        )
    },
}

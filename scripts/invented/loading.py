"""Into a ledger of this process: each batch is checked while those before it are written."""

from collections import deque
from collections.abc import Iterable, Iterator

from invented.framing import request_of
from ledger.append import Pending, begin, reads_the_log
from ledger.ledger import Ledger
from ledger.rpc.strict import check, decode
from ledger.v1.ledger_service_pb2 import AppendEventsRequest

UNDER_WAY = 4
"""So many batches may wait for the writer."""
WRITE_S = 60.0


def load(ledger: Ledger, batches: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Append batches of serialized events as a caller would. Yields each when it is under way."""
    read, waiting = decode(AppendEventsRequest), deque[Pending]()

    def settle(most: int) -> None:
        while len(waiting) > most:
            waiting.popleft().result(WRITE_S)

    for batch in batches:
        request = read(request_of(batch))
        request.without_findings = True
        is_plain = check(request)
        is_alone = reads_the_log(request)
        settle(0 if is_alone else UNDER_WAY)
        waiting.append(begin(ledger, request, is_judged=is_plain))
        settle(0 if is_alone else UNDER_WAY)
        yield batch
    settle(0)

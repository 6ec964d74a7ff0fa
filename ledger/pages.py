"""Populations in pages: every page is as of, and known at, what the first was."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from ledger.entry import is_id, is_time
from ledger.errors import refuse
from ledger.ledger import CATCH_UP_WAIT_S, Ledger, Moment
from ledger.store.generations import Generation
from ledger.v1.basis_pb2 import PageToken
from ledger.v1.custody_query_service_pb2 import ListRosterRequest, ListSeparationsRequest
from ledger.v1.error_pb2 import ErrorReason
from projections.projection import Projection

PAGE_DEFAULT = 100
PAGE_MAX = 1_000

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a population."""

    rows: list[tuple[str, bytes]]
    """(subject id, state in the words)"""
    total_size: int
    """How many there are on all pages; on the first page, otherwise 0."""
    next_token: str
    moment: Moment
    is_known: bool
    """Somebody belongs to the population, or was once believed to."""


def turn_page(
    ledger: Ledger,
    request: ListRosterRequest | ListSeparationsRequest,
    projection: Projection[Any],
    wanted: Sequence[str],
) -> Page:
    """The page that a request asks for, of those in any of the wanted populations.

    Raises INVALID_PAGE_TOKEN, PROJECTION_BEHIND, and as `Ledger.moment` does.
    """
    digest = _digest(request)
    moment, after = _resume(request.page_token, digest, ledger.log.entries.size()) or (
        ledger.moment(request.basis),
        "",
    )
    limit = min(request.page_size or PAGE_DEFAULT, PAGE_MAX)
    periods, known = ledger.populations.periods, (moment.as_of_us, moment.size)

    def ask(question: Callable[[Generation], Answer]) -> Answer:
        return ledger.populations.ask(projection.name, moment.size, CATCH_UP_WAIT_S, question)

    rows: list[tuple[str, bytes]] = []
    if not request.count_only:
        # One more than the page holds tells whether there is another.
        rows = ask(lambda live: periods.page(live, wanted, *known, after, limit + 1))
    total_size = 0 if after else ask(lambda live: periods.count(live, wanted, *known))
    is_known = bool(rows or total_size) or ask(
        lambda live: periods.is_known(live, wanted, moment.size)
    )
    next_token = ""
    if len(rows) > limit:
        rows.pop()
        token = PageToken(question=digest, size=moment.size, after=rows[-1][0])
        token.as_of_time.FromMicroseconds(moment.as_of_us)
        next_token = base64.urlsafe_b64encode(token.SerializeToString()).decode()
    return Page(rows, total_size, next_token, moment, is_known)


def _digest(request: ListRosterRequest | ListSeparationsRequest) -> bytes:
    """What makes two requests pages of one question."""
    question = type(request).FromString(request.SerializeToString())
    question.ClearField("page_size")
    question.ClearField("page_token")
    return sha256(question.SerializeToString(deterministic=True)).digest()


def _resume(page_token: str, digest: bytes, size: int) -> tuple[Moment, str] | None:
    """Where a page token goes on. Raises INVALID_PAGE_TOKEN."""
    if not page_token:
        return None
    try:
        token = PageToken.FromString(base64.b64decode(page_token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, DecodeError):
        token = PageToken()
    if (
        token.question != digest
        or token.size > size
        or not is_time(token.as_of_time)
        or not is_id(token.after)
    ):
        raise refuse(
            [
                (
                    ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN,
                    "page_token",
                    "not given for this question",
                )
            ]
        )
    return Moment(token.as_of_time.ToMicroseconds(), token.size), token.after

"""Answers in pages: every page is as of, and known at, what the first was."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from ledger.errors import LedgerError, refuse
from ledger.ledger import Ledger, Moment
from ledger.members import Members
from ledger.shape import is_id, is_time
from ledger.v1.basis_pb2 import PageToken
from ledger.v1.error_pb2 import ErrorReason
from projections.projection import Projection

PAGE_DEFAULT = 100
PAGE_MAX = 1_000

Item = TypeVar("Item")
Rows = list[tuple[str, Item]]


class Source(Protocol[Item]):
    """Where the rows of an answer come from: (id, item) in an order of its own."""

    def page(self, moment: Moment, after: str, limit: int) -> Rows[Item]:
        """The first rows after the one with this id; "" for those from the beginning."""

    def count(self, moment: Moment, whole: Rows[Item] | None) -> int:
        """How many there are; `whole`: all rows, where one page holds them."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of an answer."""

    rows: Rows[Item]
    total_size: int
    """How many there are on all pages; on the first page, otherwise 0."""
    next_token: str
    moment: Moment


@dataclass(frozen=True, slots=True)
class Tables(Generic[Item]):
    """Those in any of some populations, from the tables, by subject id."""

    ledger: Ledger
    projection: Projection[Any]
    wanted: Sequence[str]
    read: Callable[[bytes], Item]
    """The item that a state is."""

    def page(self, moment: Moment, after: str, limit: int) -> Rows[Item]:
        """See Source."""
        states = self._at(moment).page(self.wanted, after, limit)
        return [(subject_id, self.read(state)) for subject_id, state in states]

    def count(self, moment: Moment, whole: Rows[Item] | None) -> int:
        """See Source."""
        if whole is not None:
            # Who is in two of the populations has two rows.
            return len({subject_id for subject_id, _ in whole})
        return self._at(moment).count(self.wanted)

    def _at(self, moment: Moment) -> Members:
        return Members(self.ledger, self.projection, moment)


class Whole(Generic[Item]):
    """An answer that is computed whole and then cut into pages."""

    def __init__(self, compute: Callable[[Moment], Rows[Item]]) -> None:
        self._compute = compute
        self._rows: Rows[Item] | None = None

    def page(self, moment: Moment, after: str, limit: int) -> Rows[Item]:
        """See Source."""
        rows = self._all(moment)
        ids = [one for one, _ in rows]
        if after and after not in ids:
            raise _not_given()
        start = ids.index(after) + 1 if after else 0
        return rows[start : start + limit]

    def count(self, moment: Moment, whole: Rows[Item] | None) -> int:
        """See Source."""
        return len(self._all(moment) if whole is None else whole)

    def _all(self, moment: Moment) -> Rows[Item]:
        if self._rows is None:
            self._rows = self._compute(moment)
        return self._rows


def turn_page(ledger: Ledger, request: Any, source: Source[Item]) -> Page[Item]:
    """The page that a request asks for: it has a basis, `count_only`, `page_size`, `page_token`.

    Raises INVALID_PAGE_TOKEN, PROJECTION_BEHIND, and as `Ledger.moment` does.
    """
    digest = _digest(request)
    if request.page_token:
        moment, after = _resume(request.page_token, digest, ledger.log.entries.size())
    else:
        moment, after = ledger.moment(request.basis), ""
    limit = min(request.page_size or PAGE_DEFAULT, PAGE_MAX)
    # One more than the page holds tells whether there is another.
    rows = None if request.count_only else source.page(moment, after, limit + 1)
    is_whole = rows is not None and len(rows) <= limit
    total_size = 0 if after else source.count(moment, rows if is_whole else None)
    rows = rows or []
    next_token = ""
    if len(rows) > limit:
        rows.pop()
        token = PageToken(question=digest, size=moment.size, after=rows[-1][0])
        token.as_of_time.FromMicroseconds(moment.as_of_us)
        next_token = base64.urlsafe_b64encode(token.SerializeToString()).decode()
    return Page(rows, total_size, next_token, moment)


def _digest(request: Message) -> bytes:
    """What makes two requests pages of one question."""
    question = type(request).FromString(request.SerializeToString())
    question.ClearField("page_size")
    question.ClearField("page_token")
    return sha256(question.SerializeToString(deterministic=True)).digest()


def _resume(page_token: str, digest: bytes, size: int) -> tuple[Moment, str]:
    """Where a page token goes on. Raises INVALID_PAGE_TOKEN."""
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
        raise _not_given()
    return Moment(token.as_of_time.ToMicroseconds(), token.size), token.after


def _not_given() -> LedgerError:
    return refuse(
        [
            (
                ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN,
                "page_token",
                "not given for this question",
            )
        ]
    )

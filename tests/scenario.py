"""Histories as tables that a court could read.

First what was recorded, when, and from when it was true; then what is true as of a day, as known at
another:

    recorded  valid         event
    day 20    day 1         a: apprehended c-1 and m-1 by CBP at mcallen
    day 21    day 3 14:00   placed c-1 by ORR at casa padre
    day 22    day 22        retracts a: it was another place
    +         day 1         b corrects a: apprehended c-1 and m-1 by CBP at el paso  # same append

    as of day 5, known at day 20:  c-1 held by CBP at mcallen
                                   roster of CBP: c-1 and m-1 (2)

`sentences.FORMS` and `claims.TOPICS` hold everything that can be said; a word that is in neither is
an error. Each line is appended to a real ledger, at 23:00 of the recorded day unless an hour is given.
A claim "as of" or "known at" a day means its end. All is UTC unless a zone is named; day 1 is
2018-05-01, and a date may be written instead of a day. A claim with "known at" is put twice: on that
day, when the lines below are not recorded yet, and again after everything was recorded. An event
or a claim goes on in the next line where that is written further in.

An event is written in the words of 2026 and by the agency that it names. "in words of 2018-06-20,"
before it, or ", says ICE" after it, says otherwise. Below an event may stand what comes of sending it:

    day 3     day 3         separated c-1 from unknown by CBP for OTHER
                            would cause SEPARATION_WITHOUT_PARENT of c-1 ...  # in a dry run before
                            is refused at error: SEPARATION_WITHOUT_PARENT ...  # if strict
                            causes SEPARATION_WITHOUT_PARENT of c-1 ...  # when it is kept

The three dots, where they stand, are other findings; without them there are no others.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from claims import TOPICS, findings, question
from events import event, id_of
from google.protobuf.message import Message
from sentences import EPOCH, ID, end_of, fact, when

from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.rpc.client import Client
from ledger.rpc.methods import METHODS
from ledger.rpc.server import Server
from ledger.rpc.status import received
from ledger.rpc.strict import check
from ledger.v1 import custody_query_service_pb2 as query
from ledger.v1 import event_pb2, time_pb2, view_pb2
from ledger.v1.audit_service_pb2 import VerifyCitationRequest, VerifyCitationResponse
from ledger.v1.basis_pb2 import Basis
from ledger.v1.ledger_service_pb2 import AppendEventsRequest, EventFilter, ReadEventsRequest
from projections.subjects import body_of, subjects_of

EDITION = "2026-11-26"
PURPOSE = "OVERSIGHT"
OUTCOMES = r"(would cause|is refused at (?:notice|warning|error):|causes) (.*)"

_BASIS = re.compile(r"as of (.+?)(?:, known at (.+?))?:\s+")

# Calls a method of a service, and raises LedgerError if it is refused.
Call = Callable[[str, str, Message], Any]


def scenario(
    table: str,
) -> Callable[[Callable[[], None]], Callable[[pytest.TempPathFactory], None]]:
    """Make a test of a table."""

    def decorate(test: Callable[[], None]) -> Callable[[pytest.TempPathFactory], None]:
        @wraps(test)
        def run(tmp_path_factory: pytest.TempPathFactory) -> None:
            url = f"sqlite:///{tmp_path_factory.getbasetemp()}/scenarios.db"
            History(table, url, f"{test.__module__}.{test.__name__}").play()

        del run.__wrapped__  # whose arguments pytest would go by
        return run

    return decorate


@contextmanager
def in_process(ledger: Ledger) -> Iterator[Call]:
    """Calls what answers a method, without a network; the ledger is closed at the end."""
    context = SimpleNamespace(time_remaining=lambda: 30, is_active=lambda: True)

    def call(service: str, method: str, request: Message) -> Any:
        asked = SimpleNamespace(ledger=ledger, context=context, is_plain=check(request))
        return METHODS[service][method](asked, request)

    try:
        yield call
    finally:
        ledger.close()


@contextmanager
def over_grpc(ledger: Ledger) -> Iterator[Call]:
    """Calls a server at a port of its own, as agencies and investigators do, and says what for."""
    server = Server(ledger, "127.0.0.1:0")
    try:
        with Client(server.address, purpose=PURPOSE) as client:
            stubs = {
                "LedgerService": client.ledger,
                "CustodyQueryService": client.custody,
                "AuditService": client.audit,
            }

            def call(service: str, method: str, request: Message) -> Any:
                try:
                    answer = getattr(stubs[service], method)(request, timeout=30)
                    return list(answer) if method == "ReadEvents" else answer
                except grpc.RpcError as error:
                    raise received(error) from None

            yield call
    finally:
        server.stop()


@dataclass
class Appended:
    """The events of one append, and what is said to come of it."""

    recorded: datetime
    events: list[event_pb2.Event] = field(default_factory=list)
    outcomes: list[tuple[str, str]] = field(default_factory=list)


class History:
    """A table, and the ledger that it is played on: a log of its own."""

    def __init__(
        self,
        table: str,
        url: str,
        name: str,
        connect: Callable[[Ledger], AbstractContextManager[Call]] = in_process,
    ) -> None:
        self.names = {id_of(name): name for name in re.findall(rf"\b{ID}\b", table)}
        self.appends: list[Appended] = []
        self.claims: list[tuple[datetime, datetime | None, str]] = []
        self.called: set[str] = set()
        heading, *lines = _lines(table)
        assert heading.split() == ["recorded", "valid", "event"], f"no heading: {heading}"
        for line in lines:
            if line.startswith("as of ") or self.claims:
                self._read_claim(line)
            elif outcome := re.fullmatch(OUTCOMES, line):
                self.appends[-1].outcomes.append(outcome.groups())
            else:
                self._read_event(*re.split(r"\s{2,}", line))
        assert self.claims, "nothing is claimed"
        self.now = self.appends[0].recorded
        self._open = lambda: Ledger(url, name=name, clock=lambda: _us(self.now))
        self._connect = connect

    def play(self) -> None:
        """Append each line on its day, and put each claim."""
        self.ledger = self._open()
        with self._connect(self.ledger) as self._call:
            for i, append in enumerate(self.appends):
                self.now = append.recorded
                self._append(append)
                later = self.appends[i + 1 :]
                for as_of, known_at, claim in self.claims:
                    if (
                        known_at
                        and append.recorded <= known_at
                        and (not later or known_at < later[0].recorded)
                    ):
                        self.now = max(self.now, known_at)
                        self._put(claim, as_of, None)
            for as_of, known_at, claim in self.claims:
                self._put(claim, as_of, known_at)

    # What claims ask.

    def ask(self, method: str, request: Message) -> Any:
        """What CustodyQueryService answers."""
        return self._do("CustodyQueryService", method, request)

    def audit(self, method: str, request: Message) -> Any:
        """What AuditService answers."""
        return self._do("AuditService", method, request)

    def verify(self, label: str) -> VerifyCitationResponse:
        """What the citation in an event comes to."""
        asked = VerifyCitationRequest(event_id=id_of(f"event {label}"))
        return self.audit("VerifyCitation", asked)

    def read(self, kind: str) -> list[event_pb2.RecordedEvent]:
        """The events of a kind, in the order of the log."""
        wanted = EventFilter(items=[EventFilter.Item(types=[kind])])
        parts = self._do("LedgerService", "ReadEvents", ReadEventsRequest(filter=wanted))
        return [one for part in parts for one in part.events]

    def subjects(self, made: event_pb2.Event) -> list[str]:
        """Whom an event is about; a retraction: whom what it retracts is about."""
        events = {one.event_id: one for append in self.appends for one in append.events}
        return subjects_of(events.get(made.retracted.retracted_event_id, made))

    def size_at(self, text: str) -> int:
        """How many events were recorded by a day."""
        return sum(len(one.events) for one in self.appends if one.recorded <= end_of(text))

    def _do(self, service: str, method: str, request: Message) -> Any:
        self.called.add(method)
        return self._call(service, method, request)

    # Reading the table.

    def _read_event(self, recorded: str, valid: str, told: str) -> None:
        label, corrected, edition, said, by = re.fullmatch(
            r"(?:(\w)(?: corrects (\w))?: )?(?:in words of (\S+), )?(.*?)(?:, says ([A-Z]+))?", told
        ).groups()
        event_id = id_of(f"event {label or told}")
        assert event_id not in self.names, f"needs a label of its own: {told}"
        self.names[event_id] = label or told
        at, precision, zone = when(valid)
        body = fact(said)
        made = event(
            body,
            at,
            precision=precision,
            zone=zone,
            event_id=event_id,
            agency=by or _agency(body),
            vocabulary=edition or EDITION,
        )
        if corrected:
            made.corrects_event_id = id_of(f"event {corrected}")
        if recorded != "+":
            late, exactly, _ = when(recorded)
            late += timedelta(hours=23 if exactly == time_pb2.PRECISION_DAY else 0)
            assert not self.appends or self.appends[-1].recorded <= late, (
                f"recorded earlier: {told}"
            )
            self.appends.append(Appended(late))
        self.appends[-1].events.append(made)

    def _read_claim(self, line: str) -> None:
        basis = _BASIS.match(line)
        as_of, known_at = (
            [end_of(text) if text else None for text in basis.groups()]
            if basis
            else self.claims[-1][:2]
        )
        self.claims.append((as_of, known_at, line[basis.end() :] if basis else line))

    # Playing it.

    def _append(self, append: Appended) -> None:
        for made in append.events:
            body = body_of(made)
            if "citation" in body.DESCRIPTOR.fields_by_name and body.HasField("citation"):
                body.citation.CopyFrom(self._cite(body.citation.query))
        kept = []
        for kind, told in append.outcomes:
            if kind == "causes":
                kept.append(told)
                continue
            asked = AppendEventsRequest(events=append.events, validate_only=kind == "would cause")
            if not asked.validate_only:
                grave = kind.removeprefix("is refused at ").removesuffix(":").upper()
                asked.strict = view_pb2.Severity.Value(f"SEVERITY_{grave}")
            self._compare(kind, told, self._outcome(asked))
        outcome = self._outcome(AppendEventsRequest(events=append.events))
        for told in kept:
            self._compare("causes", told, outcome)

    def _outcome(self, request: AppendEventsRequest) -> set[str]:
        """The findings that an append causes, or that it is refused for."""
        try:
            found = self._do("LedgerService", "AppendEvents", request).findings
            return set(findings(self, found, named=True).replace(" and ", ", ").split(", "))
        except LedgerError as error:
            if error.name != "FINDINGS":
                raise
            return {one.rule for one in error.violations}

    def _compare(self, kind: str, told: str, outcome: set[str]) -> None:
        said = set(re.split(", | and ", told.removesuffix(" ...")))
        is_so = said <= outcome if told.endswith(" ...") else said == outcome
        assert is_so, f"{kind} {told}\n  the ledger says: {', '.join(sorted(outcome))}"

    def _cite(self, told: str) -> Message:
        """What to cite for "still separated as of day 9"."""
        asked, _, as_of = told.rpartition(" as of ")
        method, request = question(asked)
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method).lower()
        cite = query.CiteRequest(**{name: request})
        cite.basis.as_of_time.FromDatetime(end_of(as_of))
        return self.ask("Cite", cite).citation

    def _put(self, claim: str, as_of: datetime, known_at: datetime | None) -> None:
        """Compare what a claim says with what the ledger answers, in the words of the table."""
        basis = Basis()
        basis.as_of_time.FromDatetime(as_of)
        if known_at:
            basis.known_at_time.FromDatetime(known_at)
        matches = [(re.fullmatch(topic, claim), answer) for topic, answer in TOPICS.items()]
        found, answer = next((one for one in matches if one[0]), (None, None))
        assert found, f"no such claim: {claim}"
        *about, said = found.groups()
        try:
            answered = answer(self, basis, *(one or "" for one in about))
        except LedgerError as error:
            if not error.name.endswith("_NOT_FOUND"):
                raise
            answered = "unknown"
        asked = f"as of {as_of:%F %T}, known at {known_at or self.now:%F %T}, {claim[: found.start(len(about) + 1)]}"
        assert answered == said, (
            f"{asked}...\n  the table says:  {said}\n  the ledger says: {answered}"
        )


def _lines(table: str) -> list[str]:
    """The lines of a table, without comments; what is written further in goes on with the last."""
    found: list[str] = []
    column = None  # in which events or, further down, claims begin
    for line in (one.partition("#")[0].rstrip() for one in table.splitlines()):
        told = line.lstrip()
        indent = len(line) - len(told)
        if not found and told.endswith("event"):
            column = line.rindex("event")
        if basis := _BASIS.match(told):
            column = indent + basis.end()
        if told and column is not None and indent > column:
            found[-1] += f" {told}"
        elif told:
            found.append(told)
    return found


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _agency(body: Any) -> str:
    """Who asserts what an event says: the agency that it names."""
    names = ("agency", "from_agency", "referring_agency")
    return next((one for name in names if (one := getattr(body, name, ""))), "CBP")

"""Histories as tables that a court could read.

First what was recorded, when, and from when it was true; then what is true as of a day, as known at
another:

    recorded  valid         event
    day 20    day 1         a: apprehended c-1 and m-1 by CBP at mcallen
    day 21    day 3 14:00   placed c-1 by ORR at casa padre
    day 22    day 22        retracts a
    +         day 2         b corrects a: apprehended c-1 by CBP at el paso   # in the same append

    as of day 5, known at day 20:  c-1 held by CBP at mcallen
                                   roster of CBP: c-1 and m-1 (2)

`FORMS` and `TOPICS` hold everything that can be said; a word that is in neither is an error. Each
line is appended to a real ledger at 23:00 of the recorded day. A claim "as of" or "known at" a day
means its end. All times are UTC unless a zone is named. A claim with "known at" is put twice: on
that day, when the lines below are not recorded yet, and again after everything was recorded.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from itertools import groupby
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from events import DAY_1, event, id_of, place
from google.protobuf.descriptor import FieldDescriptor
from google.type.date_pb2 import Date

from ledger import append, ask
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.rpc.strict import check
from ledger.v1 import custody_query_service_pb2 as answers
from ledger.v1 import event_pb2 as words
from ledger.v1.basis_pb2 import Basis
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import subject

# How each event is told: a word in braces is the field it fills, what is in brackets may be missing.
FORMS = [
    (words.PersonRegistered, "registered {person_id}[ born {birth_date}][ aged {stated_age_years}][ as {sex}][ from {nationality_text}]"),
    (words.IdentifierAsserted, "numbered {person_id} {scheme} {value}"),
    (words.RelationshipAsserted, "{relative_id} is {kind} of {person_id}"),
    (words.FamilyGroupFormed, "{family_id} formed of {member_ids}"),
    (words.Apprehended, "apprehended {person_ids} by {agency}[ at {place}]"),
    (words.BookedIn, "booked in {person_id} by {agency} at {facility}"),
    (words.BookedOut, "booked out {person_id} by {agency} from {facility}"),
    (words.TransferDeparted, "departed {transfer_id} with {person_ids} from {from_agency}[ at {from_facility}] to {to_agency}[ at {to_facility}]"),
    (words.TransferArrived, "arrived {transfer_id} with {person_ids} to {agency}[ at {facility}]"),
    (words.Separated, "separated {child_id} from {adult_ids} by {agency} for {reason_codes}"),
    (words.Separated, "separated {child_id} from {adult_unknown_reason} by {agency} for {reason_codes}"),
    (words.ReferredToOrr, "referred {child_id} to ORR by {referring_agency}"),
    (words.Placed, "placed {child_id} by {agency} at {facility}[, outcome {undated_outcome_text}]"),
    (words.Released, "released {person_id} by {agency}[ to {sponsor_id}] for {reason_code}"),
    (words.Reunified, "reunified {child_id} with (?:{adult_ids}|unknown) by {agency}[ at {held_together_at}]"),
    (words.Retracted, "{reason_text}: retracts {retracted_event_id}"),
]  # fmt: skip

ID = r"[a-z]+-\d+"
PATTERNS = {
    "adult_unknown_reason": "unknown",
    "reason_text": "not so",
    "retracted_event_id": r"\w+",
    "value": r"\w+",
    "birth_date": r"\d{4}-\d\d-\d\d",
    "stated_age_years": r"\d+",
}
HELD = ["not recorded", "held by", "in transfer from", "released by"]  # by CustodyStatus
STANDS = ["", "open", "partly reunified with", "reunified"]  # by SeparationStatus


def scenario(table: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Make a test of a table."""

    def decorate(test: Callable[[], None]) -> Callable[[], None]:
        @wraps(test)
        def run() -> None:
            with TemporaryDirectory() as folder:
                History(table, f"sqlite:///{folder}/ledger.db").play()

        return run

    return decorate


class History:
    """A table, and the ledger that it is played on."""

    def __init__(self, table: str, url: str) -> None:
        self.names = {id_of(name): name for name in re.findall(rf"\b{ID}\b", table)}
        self.appends: list[tuple[datetime, list[words.Event]]] = []
        self.claims: list[tuple[datetime, datetime | None, str]] = []
        lines = [line for text in table.splitlines() if (line := text.partition("#")[0].strip())]
        assert lines[0].split() == ["recorded", "valid", "event"]
        for line in lines[1:]:
            if line.startswith("as of ") or self.claims:
                self._read_claim(line)
            else:
                self._read_event(*re.split(r"\s{2,}", line))
        assert self.claims
        assert self.appends == sorted(self.appends, key=lambda one: one[0])
        self.now = self.appends[0][0]
        self.ledger = Ledger(url, clock=lambda: int(self.now.timestamp() * 1e6))

    def _read_event(self, recorded: str, valid: str, told: str) -> None:
        labelled = re.fullmatch(r"(?:(\w)(?: corrects (\w))?: )?(.*)", told)
        label, corrected, told = labelled.groups()
        told = f"not so: {told}" if told.startswith("retracts ") else told
        event_id = id_of(f"event {label or len(self.names)}")
        self.names[event_id] = label or told
        at, precision, zone = _when(valid)
        made = event(_fact(told), at, precision=precision, zone=zone, event_id=event_id)
        if corrected:
            made.corrects_event_id = id_of(f"event {corrected}")
        if recorded != "+":
            self.appends.append((_when(recorded)[0] + timedelta(hours=23), []))
        self.appends[-1][1].append(made)

    def _read_claim(self, line: str) -> None:
        as_of, known_at, claim = re.fullmatch(
            r"(?:as of (.+?)(?:, known at (.+?))?:\s+)?(.*)", line
        ).groups()
        moments = [_end(text) if text else None for text in (as_of, known_at)]
        self.claims.append((*(moments if as_of else self.claims[-1][:2]), claim))

    def play(self) -> None:
        """Append each line at its time, and put each claim at its own."""
        try:
            for i, (recorded, events) in enumerate(self.appends):
                self.now = recorded
                request = AppendEventsRequest(events=events)
                check(request)
                append.append_events(self.ledger, request, timeout_s=30)
                following = self.appends[i + 1][0] if i + 1 < len(self.appends) else None
                for as_of, known_at, claim in self.claims:
                    if known_at and recorded <= known_at and not (following and following <= known_at):
                        self.now = known_at
                        self._put(claim, as_of, None)
            for as_of, known_at, claim in self.claims:
                self._put(claim, as_of, known_at)
        finally:
            self.ledger.close()

    def _put(self, claim: str, as_of: datetime, known_at: datetime | None) -> None:
        """Compare what a claim says with what the ledger answers in the words of the table."""
        basis = Basis()
        basis.as_of_time.FromDatetime(as_of)
        if known_at:
            basis.known_at_time.FromDatetime(known_at)
        found = ((answer, re.fullmatch(topic, claim)) for topic, answer in TOPICS.items())
        answer, topic = next(((answer, topic) for answer, topic in found if topic), (None, None))
        assert answer, f"no such claim: {claim}"
        try:
            answered = answer(self, basis, *topic.groups()[:-1])
        except LedgerError as error:
            if not error.name.endswith("_NOT_FOUND"):
                raise
            answered = "unknown"
        about = claim[: topic.start(topic.lastindex)]
        asked = f"as of {_say(as_of)}, known at {_say(known_at or self.now)}: {about}"
        assert asked + answered == asked + topic[topic.lastindex]

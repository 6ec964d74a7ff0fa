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

`FORMS` and `TOPICS` hold everything that can be said; a word that is in neither is an error. Each
line is appended to a real ledger, at 23:00 of the recorded day unless an hour is given. A claim "as of" or "known at" a day
means its end. All is UTC unless a zone is named. A claim with "known at" is put twice: on that day,
when the lines below are not recorded yet, and again after everything was recorded.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from events import DAY_1, event, id_of, place
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ledger import append
from ledger.ask.person import get_person, get_person_timeline
from ledger.ask.population import list_roster, list_separations
from ledger.ask.relatives import get_family
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.rpc.strict import check
from ledger.v1 import (
    custody_pb2,
    event_pb2,
    family_pb2,
    identity_pb2,
    oversight_pb2,
    separation_pb2,
    time_pb2,
    view_pb2,
)
from ledger.v1 import custody_query_service_pb2 as query
from ledger.v1.basis_pb2 import Basis
from ledger.v1.ledger_service_pb2 import AppendEventsRequest
from ledger.v1.options_pb2 import subject

# How events are told: a word in braces is the field it fills; what is in brackets may be missing.
FORMS = [
    (identity_pb2.PersonRegistered, "registered {person_id}[ born {birth_date}][ aged {stated_age_years}][ sex {sex}][ from {nationality_text}]"),
    (identity_pb2.IdentifierAsserted, "numbered {person_id} {scheme} {value}"),
    (family_pb2.RelationshipAsserted, "{relative_id} is {kind} of {person_id}"),
    (family_pb2.FamilyGroupFormed, "{family_id} formed of {member_ids}"),
    (custody_pb2.Apprehended, "apprehended {person_ids} by {agency}[ at {place}]"),
    (custody_pb2.BookedIn, "booked in {person_id} by {agency} at {facility}"),
    (custody_pb2.BookedOut, "booked out {person_id} by {agency} from {facility}"),
    (custody_pb2.TransferDeparted, "departed {transfer_id} with {person_ids} from {from_agency}[ at {from_facility}] to {to_agency}[ at {to_facility}]"),
    (custody_pb2.TransferArrived, "arrived {transfer_id} with {person_ids} to {agency}[ at {facility}]"),
    (separation_pb2.Separated, "separated {child_id} from {adult_ids} by {agency} for {reason_codes}"),
    (separation_pb2.Separated, "separated {child_id} from {adult_unknown_reason} by {agency} for {reason_codes}"),
    (custody_pb2.ReferredToOrr, "referred {child_id} to ORR by {referring_agency}"),
    (custody_pb2.Placed, "placed {child_id} by {agency} at {facility}[, outcome {undated_outcome_text}]"),
    (custody_pb2.Released, "released {person_id} by {agency}[ to {sponsor_id}] for {reason_code}"),
    (separation_pb2.Reunified, "reunified {child_id} with (?:{adult_ids}|unknown) by {agency}[ at {held_together_at}]"),
    (oversight_pb2.Retracted, "retracts {retracted_event_id}: {reason_text}"),
]  # fmt: skip

ID = r"[a-z]+-\d+"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


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


class History:
    """A table, and the ledger that it is played on: a log of its own."""

    def __init__(self, table: str, url: str, name: str) -> None:
        self.names = {id_of(name): name for name in re.findall(rf"\b{ID}\b", table)}
        self.appends: list[tuple[datetime, list[event_pb2.Event]]] = []
        self.claims: list[tuple[datetime, datetime | None, str]] = []
        lines = (line.partition("#")[0].strip() for line in table.splitlines())
        heading, *lines = filter(None, lines)
        assert heading.split() == ["recorded", "valid", "event"], f"no heading: {heading}"
        for line in lines:
            if line.startswith("as of ") or self.claims:
                self._read_claim(line)
            else:
                self._read_event(*re.split(r"\s{2,}", line))
        assert self.claims, "nothing is claimed"
        self.now = self.appends[0][0]
        self.ledger = Ledger(
            url, name=name, clock=lambda: (self.now - EPOCH) // timedelta(microseconds=1)
        )

    def play(self) -> None:
        """Append each line on its day, and put each claim."""
        try:
            for i, (recorded, events) in enumerate(self.appends):
                self.now = recorded
                request = AppendEventsRequest(events=events)
                check(request)
                append.append_events(self.ledger, request, timeout_s=30)
                until = self.appends[i + 1][0] if i + 1 < len(self.appends) else FOREVER
                for as_of, known_at, claim in self.claims:
                    if known_at and recorded <= known_at < until:
                        self.now = max(self.now, known_at)
                        self._put(claim, as_of, None)
            for as_of, known_at, claim in self.claims:
                self._put(claim, as_of, known_at)
        finally:
            self.ledger.close()

    def _read_event(self, recorded: str, valid: str, told: str) -> None:
        label, corrected, fact = re.fullmatch(r"(?:(\w)(?: corrects (\w))?: )?(.*)", told).groups()
        event_id = id_of(f"event {label or told}")
        assert event_id not in self.names, f"needs a label of its own: {told}"
        self.names[event_id] = label or told
        at, precision, zone = _when(valid)
        made = event(_fact(fact), at, precision=precision, zone=zone, event_id=event_id)
        if corrected:
            made.corrects_event_id = id_of(f"event {corrected}")
        if recorded != "+":
            late, exactly, _ = _when(recorded)
            late += timedelta(hours=23 if exactly == time_pb2.PRECISION_DAY else 0)
            assert not self.appends or self.appends[-1][0] <= late, f"recorded earlier: {told}"
            self.appends.append((late, []))
        self.appends[-1][1].append(made)

    def _read_claim(self, line: str) -> None:
        basis = re.match(r"as of (.+?)(?:, known at (.+?))?:\s+", line)
        as_of, known_at = (
            [_end(text) if text else None for text in basis.groups()]
            if basis
            else self.claims[-1][:2]
        )
        self.claims.append((as_of, known_at, line[basis.end() :] if basis else line))

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
            answered = answer(self, basis, *about)
        except LedgerError as error:
            if not error.name.endswith("_NOT_FOUND"):
                raise
            answered = "unknown"
        asked = f"as of {as_of:%F %T}, known at {known_at or self.now:%F %T}, {claim[: found.start(len(about) + 1)]}"
        assert answered == said, (
            f"{asked}...\n  the table says:  {said}\n  the ledger says: {answered}"
        )

    # What is asked ...

    def _person(self, basis: Basis, who: str) -> query.GetPersonResponse:
        asked = query.GetPersonRequest(person_id=id_of(who), basis=basis)
        return get_person(self.ledger, asked)

    def _timeline(self, basis: Basis, who: str) -> query.GetPersonTimelineResponse:
        asked = query.GetPersonTimelineRequest(person_id=id_of(who), basis=basis)
        return get_person_timeline(self.ledger, asked)

    def _family(self, basis: Basis, who: str) -> list[tuple[int, str, view_pb2.Custody]]:
        kind = "family_id" if who.startswith("family-") else "person_id"
        asked = query.GetFamilyRequest(**{kind: id_of(who)}, basis=basis)
        members = get_family(self.ledger, asked).members
        return sorted(
            ((one.removes, self.names[one.person_id], one.custody) for one in members),
            key=lambda member: member[:2],
        )

    def _roster(self, basis: Basis, agency: str, facility: str) -> str:
        asked = query.ListRosterRequest(agency=agency, facility=facility, basis=basis)
        answer = list_roster(self.ledger, asked)
        return f"{self._people(one.person_id for one in answer.people)} ({answer.total_size})"

    def _separated(self, basis: Basis, which: str) -> str:
        asked = query.ListSeparationsRequest(include_reunified=which == "ever", basis=basis)
        answer = list_separations(self.ledger, asked)
        return f"{self._people({one.child_id for one in answer.separations})} ({answer.total_size})"

    # ... and what is answered, in the words of the table.

    def _people(self, ids: Iterable[str]) -> str:
        return _list(sorted(self.names[one] for one in ids)) or "nobody"

    def _custody(self, state: view_pb2.Custody) -> str:
        told = ["not recorded", "held by", "in transfer from", "released by"][state.status]
        told += f" {state.agency}" if state.agency else ""
        told += f" at {state.facility}" if state.facility else ""
        awaited = " to" if state.status == view_pb2.CUSTODY_STATUS_IN_TRANSFER else ", awaited by"
        told += f"{awaited} {state.awaited_by}" if state.awaited_by else ""
        told += f", outcome {state.undated_outcome_text}" if state.undated_outcome_text else ""
        against = [self.names[one] for one in state.contradicting_event_ids]
        return told + (f", against {_list(against)}" if against else "")

    def _separation(self, one: view_pb2.Separation) -> str:
        told = f"{self._people(one.adult_ids) if one.adult_ids else 'unknown'}, "
        told += ["", "open", "partly reunified", "reunified"][one.status]
        if one.status == view_pb2.SEPARATION_STATUS_PARTLY_REUNIFIED:
            told += f" with {self._people(one.reunified_adult_ids)}"
        return told + (f" {_say(one.reunified_time)}" if one.HasField("reunified_time") else "")

    def _link(self, who: str, link: view_pb2.FamilyLink) -> str:
        relative = self.names[link.relative_id]
        told = f"{relative} by {link.asserted_by}"
        if link.kind:
            of, one = (relative, who) if link.inverse else (who, relative)
            told = f"{one} is {_words(family_pb2.RelationshipKind.DESCRIPTOR)[link.kind]} of {of}"
        return told + (" (retracted)" if link.status == view_pb2.LINK_STATUS_RETRACTED else "")

    def _event(self, one: query.TimelineEvent) -> str:
        kind = one.event.entry.event.WhichOneof("fact").replace("_", " ")
        void = one.retracted_by_event_id
        told = f"{kind} {_say(one.effective_time)}"
        return told + (f" (retracted by {self.names[void]})" if void else "")

    def _period(self, one: view_pb2.CustodyPeriod) -> str:
        to = f"to {_say(one.to_time)}" if one.HasField("to_time") else "on"
        return f"{_say(one.from_time)} {to} {self._custody(one.custody)}"


def _claim(one: view_pb2.Claim) -> str:
    born = one.birth_date
    told = [f"born {born.year}-{born.month:02}-{born.day:02}"] if one.HasField("birth_date") else []
    told += [f"aged {one.stated_age_years}"] if one.HasField("stated_age_years") else []
    told += [f"sex {_words(identity_pb2.Sex.DESCRIPTOR)[one.sex]}"] if one.sex else []
    told += [f"from {one.nationality_text}"] if one.nationality_text else []
    return " ".join(told) or "no particulars"


def _each(told: Iterable[str]) -> str:
    return "; ".join(told) or "not recorded"


# What can be claimed: a topic, whose last group is what is said of it, and the answer to it.
TOPICS: dict[str, Callable[..., str]] = {
    rf"({ID}) ((?:held|in transfer|released|not recorded|unknown).*)":
        lambda s, basis, who: s._custody(s._person(basis, who).custody),
    rf"({ID}) in this custody since (.*)":
        lambda s, basis, who: _say(s._person(basis, who).custody.since_time),
    rf"({ID}) separated from (.*)":
        lambda s, basis, who: _each(map(s._separation, s._person(basis, who).separations)),
    rf"({ID}) separated for (.*)":
        lambda s, basis, who: _each(_list(one.reason_codes) for one in s._person(basis, who).separations),
    rf"({ID}) separated since (.*)":
        lambda s, basis, who: _each(_say(one.since_time) for one in s._person(basis, who).separations),
    rf"relatives of ({ID}): (.*)":
        lambda s, basis, who: _each(s._link(who, one) for one in s._person(basis, who).links),
    rf"claims about ({ID}): (.*)":
        lambda s, basis, who: _each(map(_claim, s._person(basis, who).claims)),
    rf"numbers of ({ID}): (.*)":
        lambda s, basis, who: _each(f"{one.scheme} {one.value}" for one in s._person(basis, who).identifiers),
    rf"events of ({ID}): (.*)":
        lambda s, basis, who: _each(map(s._event, s._timeline(basis, who).events)),
    rf"stays of ({ID}): (.*)":
        lambda s, basis, who: _each(map(s._period, s._timeline(basis, who).periods)),
    rf"family of ({ID}): (.*)":
        lambda s, basis, who: "; then ".join(
            _list(name for _, name, _ in group)
            for _, group in groupby(s._family(basis, who), key=lambda member: member[0])
        ),
    rf"family of ({ID}) is found: (.*)":
        lambda s, basis, who: _each(f"{name} {s._custody(held)}" for _, name, held in s._family(basis, who)),
    r"roster of ((?:[A-Z_]{3,})?)(?: at |)([A-Za-z ]*): (.*)": History._roster,
    r"(ever|still) separated: (.*)": History._separated,
}  # fmt: skip


def _fact(told: str) -> Any:
    """The message that a form makes of what is told."""
    for message, form in FORMS:
        fields = message.DESCRIPTOR.fields_by_name
        pattern = re.sub(r"\[(.*?)\]", r"(?:\1)?", form)
        pattern = re.sub(
            r"\{(\w+)\}", lambda name, fields=fields: _pattern(fields[name[1]]), pattern
        )
        if found := re.fullmatch(pattern, told):
            given = {name: text for name, text in found.groupdict().items() if text}
            return message(**{name: _value(fields[name], text) for name, text in given.items()})
    raise AssertionError(f"no such event: {told}")


def _pattern(field: FieldDescriptor) -> str:
    """What the text of a field looks like."""
    one = ID if field.GetOptions().HasExtension(subject) else ".+?"
    one = "unknown" if field.name == "adult_unknown_reason" else one
    more = f"(?:(?:, | and ){one})*" if field.is_repeated else ""
    return f"(?P<{field.name}>{one}{more})"


def _value(field: FieldDescriptor, text: str, *, part: bool = False) -> Any:
    """What the text of a field stands for."""
    value: Any = text
    if field.is_repeated and not part:
        value = [_value(field, one, part=True) for one in re.split(", | and ", text)]
    elif field.GetOptions().HasExtension(subject):
        value = id_of(text)
    elif field.name == "retracted_event_id":
        value = id_of(f"event {text}")
    elif field.enum_type:
        value = {word: number for number, word in _words(field.enum_type).items()}[text]
    elif field.message_type is Date.DESCRIPTOR:
        year, month, day = map(int, text.split("-"))
        value = Date(year=year, month=month, day=day)
    elif field.message_type:
        value = place(text)
    elif field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        value = int(text)
    return value


def _words(enum: EnumDescriptor) -> dict[int, str]:
    """The values of an enum in plain words, such as "biological parent"."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {
        one.number: one.name.removeprefix(prefix).lower().replace("_", " ") for one in enum.values
    }


def _when(text: str) -> tuple[datetime, time_pb2.Precision, str]:
    """(first moment, precision, zone) of "day 3", "day 3 14h", "day 3 14:05", "month 2"."""
    found = re.fullmatch(r"(day|month) (\d+)(?: (\d\d)(h|:\d\d))?(?: (\w+/\w+))?", text)
    assert found, f"no such time: {text}"
    unit, number, hour, minute, zone = found.groups()
    first = DAY_1.replace(tzinfo=ZoneInfo(zone or "UTC"))
    if unit == "month":
        first = first.replace(month=first.month + int(number) - 1)
        return first, time_pb2.PRECISION_MONTH, zone or "UTC"
    at = first + timedelta(days=int(number) - 1)
    if hour is None:
        return at, time_pb2.PRECISION_DAY, zone or "UTC"
    if minute == "h":
        return at.replace(hour=int(hour)), time_pb2.PRECISION_HOUR, zone or "UTC"
    at = at.replace(hour=int(hour), minute=int(minute[1:]))
    return at, time_pb2.PRECISION_MINUTE, zone or "UTC"


def _end(text: str) -> datetime:
    """The moment of a claim: the last one of a day, or the one named."""
    at, precision, _ = _when(text)
    if precision == time_pb2.PRECISION_DAY:
        at += timedelta(days=1, microseconds=-1)
    return at.astimezone(UTC)


def _say(at: Timestamp) -> str:
    """A moment in the words of the table, in UTC."""
    days, rest = divmod(at.ToDatetime(tzinfo=UTC) - DAY_1, timedelta(days=1))
    clock = f" {(EPOCH + rest):%H:%M}" if rest else ""
    return f"day {days + 1}{clock}"


def _list(names: Iterable[str]) -> str:
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last

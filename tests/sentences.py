"""What can be said in a table of a history: events, times, and lists of names.

`FORMS` has a form, or several, for every kind of event. In a form

    {field}      is what fills a field; {field.part} a part of it
    [ ... ]      may be missing

and the rest is said as it stands. What a field takes is read off the words: the values of an enum in
plain words ("biological parent"), codes as they are, yes or no as "reached" and "not reached", an
event by its label, persons by names such as c-1, bytes by a text of which they are the SHA-256. A
part that has a form of its own, such as what a hand-over says of one minor, is told by it; several
are separated by "; ". What a certificate cites is told as a question, "still separated as of day 9".
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from events import DAY_1, id_of, place
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ledger.v1 import (
    custody_pb2,
    family_pb2,
    identity_pb2,
    oversight_pb2,
    protection_pb2,
    separation_pb2,
    time_pb2,
)
from ledger.v1.options_pb2 import code_list, subject
from ledger.v1.oversight_pb2 import Citation
from ledger.v1.place_pb2 import Place

FORMS: list[tuple[type[Message], str]] = [
    # Who somebody is.
    (identity_pb2.PersonRegistered, "registered {person_id}[ born {birth_date}][ aged {stated_age_years}][ sex {sex}][ from {nationality_text}]"),
    (identity_pb2.IdentifierAsserted, "numbered {person_id} {scheme} {value}[ issued by {issuer_text}]"),
    (identity_pb2.SpecialNeedRecorded, "need {need_code} of {person_id}[: {need_text}]"),
    (identity_pb2.AgeDisputed, "disputed age of {person_id}[: {reason_text}]"),
    (identity_pb2.AgeDetermined, "determined age of {person_id} by {method_code} as {result}[, born {birth_date}]"),
    (identity_pb2.PersonsLinkedAsSame, "linked as same {person_ids} by {approved_by}[ with score {score_thousandths}]: {basis_text}"),
    (identity_pb2.PersonsUnlinked, "unlinked {person_ids} by {approved_by}: {reason_text}"),
    (identity_pb2.PersonsDeclaredDistinct, "declared distinct {person_ids}: {reason_text}"),
    (identity_pb2.AmendmentRequested, "{person_id} asks to amend[ {concerned_event_id}]: {request_text}"),
    (identity_pb2.AmendmentDecided, "amendment {requested_event_id} for {person_id} {granted}: {reason_text}"),
    # Who belongs together.
    (family_pb2.RelationshipAsserted, "{relative_id} is {kind} of {person_id}[ by {basis}][, confidence {confidence}]"),
    (family_pb2.FamilyGroupFormed, "{family_id} formed of {member_ids}[ under number {external_number}]"),
    (family_pb2.FamilyGroupReclassified, "reclassified {member_ids} of {family_id} as {class_code}[: {reason_text}]"),
    (family_pb2.LinkEvidenceAttached, "evidence {evidence_code}[ {reference}] of {person_id} with {relative_id}[, hash of {sha256}]"),
    (family_pb2.RelationshipVerified, "checked {relative_id} as relative of {person_id} by {method}: {result}"),
    (family_pb2.RelationshipDisputed, "disputed {relative_id} as relative of {person_id}: {reason_text}"),
    (family_pb2.RelationshipDisproved, "disproved {relative_id} as relative of {person_id} by {method}: {evidence_reference}"),
    (family_pb2.TracingRequestFiled, "{inquirer_id} seeks {kind}[ {sought_id}] in {request_id}"),
    (family_pb2.MatchProposed, "proposed match of {person_ids} for {reason_codes}[ in {request_id}]"),
    (family_pb2.MatchConfirmed, "confirmed match of {person_ids}: {reason_text}"),
    (family_pb2.MatchRejected, "rejected match of {person_ids}: {reason_text}"),
    # Who holds somebody, where.
    (custody_pb2.Apprehended, "apprehended {person_ids} by {agency}[ at {place}][, {accompaniment}]"),
    (custody_pb2.BookedIn, "booked in {person_id} by {agency} at {facility}[, kind {facility.kind}]"),
    (custody_pb2.BookedOut, "booked out {person_id} by {agency} from {facility}[: {reason_text}]"),
    (custody_pb2.ReferredForProsecution, "referred {person_id} for prosecution under {statute_code} by {agency}[: {charge_text}]"),
    (custody_pb2.ReturnedFromProsecution, "returned {person_id} from prosecution to {agency}[ at {facility}][: {outcome_text}]"),
    (custody_pb2.Hospitalized, "hospitalized {person_id} by {agency} at {hospital}"),
    (custody_pb2.TakenToCourt, "taken {person_id} by {agency} to court {court}"),
    (custody_pb2.ReturnedToFacility, "returned {person_id} by {agency} to {facility}"),
    (custody_pb2.ReferredToOrr, r"referred {child_id} to ORR by {referring_agency}[ at {referring_office}][ for {reason_codes}][ \({reason_text}\)][, parents {parent_ids}[ at {parent_location}]][, parents unknown: {parents_unknown_text}]"),
    (custody_pb2.PlacementDesignated, "designated {child_id} by {agency} for {facility}"),
    (custody_pb2.TransferProposed, "proposed {transfer_id} with {person_ids} from {from_agency} to {to_agency}[ at {to_facility}][ for {ground_codes}]"),
    (custody_pb2.TransferDeparted, "departed {transfer_id} with {person_ids} from {from_agency}[ at {from_facility}] to {to_agency}[ at {to_facility}][, stating {links}][, escorted by {escort}]"),
    (custody_pb2.TransferArrived, "arrived {transfer_id} with {person_ids} to {agency}[ at {facility}][, repeating {links}]"),
    (custody_pb2.CarriedLinks, "{relative_ids} of {person_id}"),
    (custody_pb2.CarriedLinks, "no relative of {person_id}: {no_known_relative_text}"),
    (custody_pb2.TransferRefused, "refused {transfer_id} with {person_ids} by {agency}: {reason_text}"),
    (custody_pb2.Placed, "placed {child_id} by {agency} at {facility}[, outcome {undated_outcome_text}]"),
    (custody_pb2.LocationConfirmed, "seen {person_id} by {agency} at {place}"),
    (custody_pb2.CustodialActionRecorded, "{action_code} for {person_id} by {agency}[: {action_text}]"),
    (custody_pb2.Released, r"released {person_id} by {agency}[ to {sponsor_id}] for {reason_code}[ \({reason_text}\)][, address {destination.state}[ in {destination.country_text}]]"),
    (custody_pb2.Absconded, "absconded {person_id} from {agency}[ at {facility}]"),
    (custody_pb2.Died, "died {person_id} with {agency}[ at {place}]"),
    (custody_pb2.RemovalPlanned, "planned to remove {person_id} by {agency}[ on {planned_date}]"),
    (custody_pb2.Removed, "removed {person_id} by {agency}[ to {country_text}][ from {port}]"),
    (custody_pb2.AddressChanged, "address of {person_id} {address.state}[ in {address.country_text}]"),
    (custody_pb2.WellbeingCallMade, "called {person_id} by {agency}, {reached}"),
    (custody_pb2.CourtAppearanceRecorded, "hearing of {person_id}, {appeared}"),
    (custody_pb2.ExceptionalCircumstanceDeclared, "clock {clock_code} exceptional for {person_ids} by {agency}: {reason_text}"),
    # Taken apart, and brought together.
    (separation_pb2.SeparationAuthorized, r"authorized separation of {child_id}[ from {adult_ids}] by {agency} for {reason_codes}[ \({reason_text}\)], {authorized_by} approved by {approved_by}"),
    (separation_pb2.Separated, r"separated {child_id} from (?:{adult_ids}|{adult_unknown_reason}) by {agency}[ at {place}] for {reason_codes}[ \({reason_text}\)][, notice {notice.state}[ in {notice.language}][ because {notice.not_given_reason_text}]][, child to {child_destination}][, adult to {adult_destination}][, authorized by {authorized_event_id}]"),
    (separation_pb2.SeparationContested, "contested separation[ {separated_event_id}] of {child_id}[ by {contested_by_id}]: {reason_text}"),
    (separation_pb2.CommunicationOccurred, "contact of {child_id} with {relative_id} by {means_code} through {agency}, {succeeded}"),
    (separation_pb2.ReunificationCaseOpened, "opened {case_id} for {child_id}[ with {adult_ids}] by {agency}"),
    (separation_pb2.ReunificationStepCompleted, "step {step_code} of {case_id} for {child_id} by {agency}[ under {procedure_version}]"),
    (separation_pb2.ReunificationWaived, "{adult_id} waives reunification with {child_id} before {agency}[ in {language}][, {counsel_present}]"),
    (separation_pb2.ReunificationRuledOut, "ruled out reunification of {child_id}[ with {adult_ids}] by {agency}: {criteria_text}"),
    (separation_pb2.Reunified, "reunified {child_id} with (?:{adult_ids}|unknown) by {agency}[ at {held_together_at}][, identified by {child_identified_by} and {adult_identified_by}]"),
    # What keeps the record honest.
    (oversight_pb2.Retracted, "retracts {retracted_event_id}: {reason_text}"),
    (oversight_pb2.InformationRequested, "{agency} asks {of_agency} about {person_ids} in {request_id}: {request_text}"),
    (oversight_pb2.InformationSupplied, "{agency} answers {request_id} about {person_ids}[: {answer_text}]"),
    (oversight_pb2.ClassMembershipDetermined, "{person_id} {included} in {class_code} under {criteria_version}[: {basis_text}]"),
    (oversight_pb2.ListCertified, "certified {list_id} by {agency} as {title}, citing {citation}"),
    (oversight_pb2.ListReconciled, "reconciled {list_id} of {agency} as {title}: {matched} matched, {missing} missing, {extra} extra, {different} different, citing {citation}"),
    (oversight_pb2.NumberPublished, r"published {number_id} by {agency}: {value} {title}[ \({release_text}\)][, citing {citation}]"),
    # What guards a record.
    (protection_pb2.ConfidentialityDeclared, "declared {person_id} confidential for {ground_code}"),
    (protection_pb2.RecordSealed, "sealed record of {person_id} under {order_reference}"),
    (protection_pb2.RecordUnsealed, "unsealed record of {person_id} under {order_reference}"),
    (protection_pb2.LegalHoldPlaced, "placed legal hold {hold_reference} on {person_id}"),
    (protection_pb2.LegalHoldLifted, "lifted legal hold {hold_reference} on {person_id}"),
    (protection_pb2.PersonalFieldsErased, "erased personal fields of {person_id} under {order_reference}"),
    (protection_pb2.EmergencyAccessOpened, "opened record of {person_id} in an emergency until {until_time}: {reason_text}"),
]  # fmt: skip

ID = r"[a-z]+-\d+"
CODE = r"[A-Z][A-Z0-9_]+"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = r"(?:day|month) \d+(?: \d\d(?:h|:\d\d))?(?: \w+/\w+)?|\d{4}-\d\d-\d\d(?: \d\d(?:h|:\d\d))?"
_FIRST_YEAR = 365


def fact(told: str) -> Any:
    """The message that a form makes of what is told."""
    for message, form in FORMS:
        if found := re.fullmatch(_pattern(message.DESCRIPTOR, form), told):
            return _filled(message(), found.groupdict())
    raise AssertionError(f"no such event: {told}")


def _filled(message: Any, found: dict[str, str]) -> Any:
    for path, text in found.items():
        if not text:
            continue
        *way, name = path.split("__")
        part = message
        for step in way:
            part = getattr(part, step)
        field = part.DESCRIPTOR.fields_by_name[name]
        value = _value(field, text)
        if field.is_repeated:
            getattr(part, name).extend(value)
        elif field.message_type:
            getattr(part, name).CopyFrom(value)
        else:
            setattr(part, name, value)
    return message


@cache
def _pattern(message: Descriptor, form: str) -> str:
    """The regular expression of a form."""

    def group(name: re.Match[str]) -> str:
        of = message
        *way, last = name[1].split(".")
        for step in way:
            of = of.fields_by_name[step].message_type
        return f"(?P<{name[1].replace('.', '__')}>{_text(of.fields_by_name[last])})"

    optional = form.replace("[", "(?:").replace("]", ")?")
    return re.sub(r"\{([\w.]+)\}", group, optional)


def _text(field: FieldDescriptor) -> str:
    """What the text of a field looks like."""
    one = ".+?"
    if field.GetOptions().HasExtension(subject):
        one = ID
    elif field.GetOptions().HasExtension(code_list):
        one = CODE
    elif field.enum_type:
        one = "|".join(words(field.enum_type).values())
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        one = "|".join(_yes_or_no(field))
    elif field.name == "adult_unknown_reason":
        one = "unknown"
    elif field.name.endswith("_event_id"):
        one = r"\w+"
    elif not field.message_type and field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        one = r"-?\d+"
    return f"{one}(?:(?:, | and ){one})*" if field.is_repeated else one


def _value(field: FieldDescriptor, text: str, *, part: bool = False) -> Any:
    """What the text of a field stands for."""
    value: Any = text
    if field.is_repeated and not part:
        separators = "; " if field.message_type else ", | and "
        value = [_value(field, one, part=True) for one in re.split(separators, text)]
    elif field.GetOptions().HasExtension(subject):
        value = id_of(text)
    elif field.name.endswith("_event_id"):
        value = id_of(f"event {text}")
    elif field.enum_type:
        value = {word: number for number, word in words(field.enum_type).items()}[text]
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        value = text == _yes_or_no(field)[0]
    elif field.message_type:
        value = _part(field.message_type, text)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        value = sha256(text.encode()).digest()
    elif field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        value = int(text)
    return value


def _part(message: Descriptor, text: str) -> Any:
    if message is Timestamp.DESCRIPTOR:
        at = Timestamp()
        at.FromDatetime(when(text)[0])
        return at
    if message is Date.DESCRIPTOR:
        year, month, day = map(int, text.split("-"))
        return Date(year=year, month=month, day=day)
    if message is Place.DESCRIPTOR:
        return place(text)
    if message is Citation.DESCRIPTOR:
        return Citation(query=text)  # the question as it is told: it is put when it is cited
    return fact(text)


def _yes_or_no(field: FieldDescriptor) -> tuple[str, str]:
    """Yes and no of a field such as `reached`: "reached", "not reached"."""
    *before, last = field.name.split("_")
    return " ".join((*before, last)), " ".join((*before, "not", last))


def words(enum: EnumDescriptor) -> dict[int, str]:
    """The values of an enum in plain words, such as "biological parent"."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {
        one.number: one.name.removeprefix(prefix).lower().replace("_", " ") for one in enum.values
    }


def when(text: str) -> tuple[datetime, time_pb2.Precision, str]:
    """(first moment, precision, zone) of "day 3", "day 3 14h", "2024-01-05 14:05", "month 2"."""
    found = re.fullmatch(
        r"(?:(day|month) (\d+)|(\d{4}-\d\d-\d\d))(?: (\d\d)(h|:\d\d))?(?: (\w+/\w+))?", text
    )
    assert found, f"no such time: {text}"
    unit, number, date, hour, minute, zone = found.groups()
    first = DAY_1.replace(tzinfo=ZoneInfo(zone or "UTC"))
    if unit == "month":
        first = first.replace(month=first.month + int(number) - 1)
        return first, time_pb2.PRECISION_MONTH, zone or "UTC"
    at = first + timedelta(days=int(number) - 1) if number else datetime.fromisoformat(date)
    at = at.replace(tzinfo=first.tzinfo)
    if hour is None:
        return at, time_pb2.PRECISION_DAY, zone or "UTC"
    if minute == "h":
        return at.replace(hour=int(hour)), time_pb2.PRECISION_HOUR, zone or "UTC"
    at = at.replace(hour=int(hour), minute=int(minute[1:]))
    return at, time_pb2.PRECISION_MINUTE, zone or "UTC"


def end_of(text: str) -> datetime:
    """The moment of a claim: the last one of a day, or the one named."""
    at, precision, _ = when(text)
    if precision == time_pb2.PRECISION_DAY:
        at += timedelta(days=1, microseconds=-1)
    return at.astimezone(UTC)


def say(at: Timestamp) -> str:
    """A moment in the words of the table, in UTC: a day of the first year, otherwise the date."""
    moment = at.ToDatetime(tzinfo=UTC)
    days, rest = divmod(moment - DAY_1, timedelta(days=1))
    clock = f" {(EPOCH + rest):%H:%M}" if rest else ""
    return (f"day {days + 1}" if 0 <= days < _FIRST_YEAR else f"{moment:%F}") + clock


def list_of(names: Iterable[str]) -> str:
    """Names as one says them: "a", "a and b", "a, b and c"."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last

"""What can be claimed in a table of a history, and how the ledger's answers are told.

`QUESTIONS` are those that are answered with a list of people, and that can be cited; `TOPICS` are all
that can be claimed: a topic, whose last group is what is said of it, and what answers it. An answer
gets the history that is played (`s`), the clocks of the question, and the other groups.
"""

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from events import id_of
from google.protobuf.message import Message
from sentences import CODE, ID, TIME, list_of, say, when, words

import projections
from ledger.v1 import access_pb2, audit_service_pb2, identity_pb2, view_pb2
from ledger.v1 import custody_query_service_pb2 as query
from ledger.v1.basis_pb2 import Basis

# History, which imports this.
Played = Any


def clocked(basis: Basis | None) -> dict[str, Basis]:
    """The basis as a field of a request; none for questions that have none."""
    return {"basis": basis} if basis else {}


# Lists of people.


def separated(filters: str) -> tuple[str, Message]:
    """Separations with filters: "since day 3, under 5 at day 9, held by ORR, open"."""
    asked = query.ListSeparationsRequest(include_reunified=True)
    for one in filters.split(", "):
        age = re.fullmatch(rf"(under|from) (\d+) at ({TIME})", one)
        if one.startswith("since "):
            asked.since_time.FromDatetime(when(one.removeprefix("since "))[0])
        elif one.startswith("before "):
            asked.before_time.FromDatetime(when(one.removeprefix("before "))[0])
        elif one.startswith("held by "):
            asked.held_by_agency = one.removeprefix("held by ")
        elif one.startswith("for "):
            asked.reason_codes.append(one.removeprefix("for "))
        elif age:
            asked.age.time.FromDatetime(when(age[3])[0])
            setattr(asked.age, {"under": "below_years", "from": "years_min"}[age[1]], int(age[2]))
        else:
            asked.statuses.append(_number(view_pb2.SeparationStatus.DESCRIPTOR, one))
    return "ListSeparations", asked


def clock(code: str, state: str) -> tuple[str, Message]:
    """The clocks of a kind that stand so."""
    states = [_number(view_pb2.ClockState.DESCRIPTOR, state)]
    return "ListClocks", query.ListClocksRequest(clock_code=code, states=states)


QUESTIONS: dict[str, Callable[..., tuple[str, Message]]] = {
    r"roster of ((?:[A-Z_]{3,})?)(?: at |)([A-Za-z ]*)":
        lambda agency, facility: ("ListRoster", query.ListRosterRequest(agency=agency, facility=facility)),
    r"(ever|still) separated":
        lambda which: ("ListSeparations", query.ListSeparationsRequest(include_reunified=which == "ever")),
    r"separated, (.+?)": separated,
    rf"queue ({CODE})":
        lambda rule: ("ListFindings", query.ListFindingsRequest(rule_code=rule)),
    rf"clock ({CODE}) is (running|met|missed|indeterminate)": clock,
    rf"clock ({CODE}) runs out within (\d+) hours":
        lambda code, hours: ("ListClocks", query.ListClocksRequest(clock_code=code, within_hours=int(hours))),
    rf"(not |)of class ({CODE})":
        lambda out, code: ("ListClass", query.ListClassRequest(class_code=code, excluded=bool(out))),
}  # fmt: skip


def question(told: str) -> tuple[str, Message]:
    """(method, request) of a question that can be cited."""
    for pattern, asked in QUESTIONS.items():
        if found := re.fullmatch(pattern, told):
            return asked(*found.groups())
    raise AssertionError(f"no such question: {told}")


def _listed(asked: Callable[..., tuple[str, Message]]) -> Callable[..., str]:
    def answer(s: Played, basis: Basis, *about: str) -> str:
        method, request = asked(*about)
        request.basis.CopyFrom(basis)
        response = s.ask(method, request)
        (rows,) = (
            (
                value
                for field, value in response.ListFields()
                if field.message_type and field.is_repeated
            )
            if response.total_size
            else ([],)
        )
        name = "child_id" if method == "ListSeparations" else "person_id"
        return f"{people(s, {getattr(one, name) for one in rows})} ({response.total_size})"

    return answer


# One person.


def person(s: Played, basis: Basis, who: str) -> query.GetPersonResponse:
    return s.ask("GetPerson", query.GetPersonRequest(person_id=id_of(who), basis=basis))


def timeline(s: Played, basis: Basis, who: str) -> query.GetPersonTimelineResponse:
    asked = query.GetPersonTimelineRequest(person_id=id_of(who), basis=basis)
    return s.ask("GetPersonTimeline", asked)


def family(s: Played, basis: Basis, who: str, definition: str = "") -> list[Any]:
    kind = "family_id" if who.startswith("family-") else "person_id"
    asked = query.GetFamilyRequest(**{kind: id_of(who)}, basis=basis)
    if definition:
        asked.definition = _number(query.FamilyDefinition.DESCRIPTOR, definition)
    members = s.ask("GetFamily", asked).members
    return sorted(
        ((one.removes, s.names[one.person_id], one.custody) for one in members),
        key=lambda member: member[:2],
    )


def removes(s: Played, basis: Basis, who: str, definition: str = "") -> str:
    """A family, the nearest first."""
    return "; then ".join(
        list_of(name for _, name, _ in group)
        for _, group in groupby(family(s, basis, who, definition), key=lambda member: member[0])
    )


def located(s: Played, basis: Basis, who: str) -> str:
    """Where each relative is, since when, and when the two last spoke."""
    asked = query.LocateRelativesRequest(person_id=id_of(who), basis=basis)
    told = []
    for one in by_name(s, s.ask("LocateRelatives", asked).relatives):
        where = f"{s.names[one.person_id]} {custody(s, one.custody)}"
        since = f" since {say(one.custody.since_time)}" if one.custody.event_id else ""
        last = one.last_contact
        spoke = f", spoke {say(last.contact_time)}" if one.HasField("last_contact") else ""
        told.append(where + since + spoke)
    return each(told)


def apart(s: Played, basis: Basis, who: str) -> str:
    """How many days each separation lasted, or has lasted so far."""
    told = []
    for one in person(s, basis, who).separations:
        is_over = one.HasField("reunified_time")
        to = one.reunified_time if is_over else basis.as_of_time
        days = (to.ToDatetime() - one.since_time.ToDatetime()).days
        told.append(f"{days} days" if is_over else f"{days} days so far")
    return each(told)


def later_events(s: Played, basis: Basis, who: str, day: str) -> str:
    """What was recorded about a person after a day."""
    after = s.size_at(day)
    found = (one for one in timeline(s, basis, who).events if one.event.position > after)
    return each(event(s, one) for one in found)


def steps(s: Played, basis: Basis, who: str, state: str) -> str:
    """The steps of reunification that stand so, and who owes each."""
    wanted = _number(view_pb2.ClockState.DESCRIPTOR, state)
    found = (step for case in person(s, basis, who).cases for step in case.steps)
    return (
        list_of(f"{one.step_code} ({one.owner_agency})" for one in found if one.state == wanted)
        or "none"
    )


# ... and what is said of her, in the words of the table.


def by_name(s: Played, some: Iterable[Any]) -> list[Any]:
    return sorted(some, key=lambda one: s.names[one.person_id])


def people(s: Played, ids: Iterable[str]) -> str:
    return list_of(sorted((s.names[one] for one in ids), key=_in_order)) or "nobody"


def _in_order(name: str) -> tuple[str, int]:
    kind, _, number = name.partition("-")
    return kind, int(number)


def custody(s: Played, state: view_pb2.Custody) -> str:
    told = ["not recorded", "held by", "in transfer from", "released by"][state.status]
    told = {
        view_pb2.CUSTODY_END_ABSCONDED: "absconded from",
        view_pb2.CUSTODY_END_DIED: "died with",
        view_pb2.CUSTODY_END_REMOVED: "removed by",
    }.get(state.end, told)
    told += f" {state.agency}" if state.agency else ""
    told += f" at {state.facility}" if state.facility else ""
    told += f", at {state.away_at} for {_word(state, 'away_for')}" if state.away_at else ""
    awaited = " to" if state.status == view_pb2.CUSTODY_STATUS_IN_TRANSFER else ", awaited by"
    told += f"{awaited} {state.awaited_by}" if state.awaited_by else ""
    told += f", outcome {state.undated_outcome_text}" if state.undated_outcome_text else ""
    told += ", referred for prosecution" if state.referred_for_prosecution else ""
    against = [s.names[one] for one in state.contradicting_event_ids]
    return told + (f", against {list_of(against)}" if against else "")


def seen(state: view_pb2.Custody) -> str:
    return f"{state.seen_at} {say(state.seen_time)}" if state.seen_at else "not recorded"


def address(state: view_pb2.Custody) -> str:
    where = state.destination
    told = [_word(where, "state")] if where.state else []
    return (
        " in ".join((*told, where.country_text) if where.country_text else told) or "not recorded"
    )


def separation(s: Played, one: view_pb2.Separation) -> str:
    told = f"{people(s, one.adult_ids) if one.adult_ids else 'unknown'}, {_word(one, 'status')}"
    if one.status == view_pb2.SEPARATION_STATUS_PARTLY_REUNIFIED:
        told += f" with {people(s, one.reunified_adult_ids)}"
    return told + (f" {say(one.reunified_time)}" if one.HasField("reunified_time") else "")


def link(s: Played, who: str, one: view_pb2.FamilyLink) -> str:
    relative = s.names[one.relative_id]
    told = f"{relative} by {one.asserted_by}"
    if one.kind:
        of, is_it = (relative, who) if one.inverse else (who, relative)
        told = f"{is_it} is {_word(one, 'kind')} of {of}"
    is_asserted = one.status == view_pb2.LINK_STATUS_ASSERTED
    return told if is_asserted else f"{told} ({_word(one, 'status')})"


def event(s: Played, one: query.TimelineEvent) -> str:
    kind = one.event.entry.event.WhichOneof("fact").replace("_", " ")
    void = one.retracted_by_event_id
    return f"{kind} {say(one.effective_time)}" + (
        f" (retracted by {s.names[void]})" if void else ""
    )


def period(s: Played, one: view_pb2.CustodyPeriod) -> str:
    to = f"to {say(one.to_time)}" if one.HasField("to_time") else "on"
    return f"{say(one.from_time)} {to} {custody(s, one.custody)}"


def claim(one: view_pb2.Claim) -> str:
    born = one.birth_date
    told = [f"born {born.year}-{born.month:02}-{born.day:02}"] if one.HasField("birth_date") else []
    told += [f"aged {one.stated_age_years}"] if one.HasField("stated_age_years") else []
    told += [f"sex {_word(one, 'sex')}"] if one.sex else []
    told += [f"from {one.nationality_text}"] if one.nationality_text else []
    return " ".join(told) or "no particulars"


def age(one: view_pb2.Age) -> str:
    if not one.HasField("years_min"):
        return "not recorded" + (", disputed" if one.disputed else "")
    least, most = one.years_min, one.years_max
    told = f"{least}" if least == most else f"{least} to {most}"
    minor = {identity_pb2.TRUTH_YES: ", a minor", identity_pb2.TRUTH_NO: ""}
    return told + minor.get(one.minor, ", a minor or not") + (", disputed" if one.disputed else "")


def contact(s: Played, one: view_pb2.Contact) -> str:
    outcome = "" if one.succeeded else ", in vain"
    return f"{s.names[one.relative_id]} by {one.means_code} {say(one.contact_time)}{outcome}"


def request(one: view_pb2.InformationRequest) -> str:
    answered = "answered" if one.answered else "not answered"
    return f"{one.agency} asked {one.of_agency} {say(one.asked_time)}, {answered}"


def findings(s: Played, found: Iterable[view_pb2.Finding], *, named: bool = False) -> str:
    """Findings by their rules; `named`: and of whom."""
    told = (
        f"{one.rule_code} of {s.names[one.person_id]}" if named and one.person_id else one.rule_code
        for one in found
    )
    return list_of(sorted(told)) or "nothing"


def known(s: Played, one: view_pb2.Finding) -> str:
    """What a finding says is known, ids by their names."""
    told = (s.names.get(word, word) for word in " ; ".join(one.known).split(" "))
    return " ".join(told).replace(" ;", ";") or "no more"


def each(told: Iterable[str]) -> str:
    return "; ".join(told) or "not recorded"


def _number(enum: Any, word: str) -> int:
    (number,) = (number for number, one in words(enum).items() if one == word)
    return number


def _word(message: Message, name: str) -> str:
    return words(message.DESCRIPTOR.fields_by_name[name].enum_type)[getattr(message, name)]


# More than one person.


def resolved(s: Played, basis: Basis, scheme: str, value: str) -> str:
    asked = query.ResolveIdentifierRequest(scheme=scheme, value=value, basis=basis)
    found = by_name(s, s.ask("ResolveIdentifier", asked).people)
    return (
        list_of(f"{s.names[one.person_id]} ({_word(one, 'status')})" for one in found) or "nobody"
    )


def transfer(s: Played, basis: Basis, which: str) -> str:
    asked = query.GetTransferRequest(transfer_id=id_of(which), basis=basis)
    one = s.ask("GetTransfer", asked).transfer
    told = f"{people(s, one.person_ids)} from {one.from_agency} to {one.to_agency}, {_word(one, 'state')}"
    differing = f", of {people(s, one.differing_person_ids)} something else was repeated"
    return told + (differing if one.differing_person_ids else "")


def needs_told(s: Played, basis: Basis, which: str) -> str:
    asked = query.GetTransferRequest(transfer_id=id_of(which), basis=basis)
    needs = by_name(s, s.ask("GetTransfer", asked).needs)
    return each(
        f"{s.names[one.person_id]} {list_of(need.need_code for need in one.special_needs)}"
        for one in needs
    )


def likely(s: Played, basis: Basis) -> str:
    found = s.ask("ListLikelyFamilies", query.ListLikelyFamiliesRequest(basis=basis)).families
    told = (
        f"{people(s, (who.person_id for who in (*one.adults, *one.minors)))}"
        f" at {one.place} {say(one.apprehended_time)}, {one.years_between} years apart"
        for one in found
    )
    return "; ".join(told) or "none"


def likely_for(s: Played, basis: Basis, who: str) -> str:
    found = s.ask("ListLikelyFamilies", query.ListLikelyFamiliesRequest(basis=basis)).families
    reasons = (
        list_of(one.reason_codes)
        for one in found
        if id_of(who) in {some.person_id for some in (*one.adults, *one.minors)}
    )
    return "; ".join(reasons) or "none"


def queues(s: Played, basis: Basis) -> str:
    found = s.ask("ListQueues", query.ListQueuesRequest(basis=basis)).queues
    return list_of(f"{one.rule_code} {one.count}" for one in found if one.count) or "nothing"


def counted(s: Played, basis: Basis, by: str, since: str, before: str, below: str) -> str:
    asked = query.CountSeparationsRequest(basis=basis, suppress_below=int(below or 0))
    dimensions = query.SeparationDimension.DESCRIPTOR
    asked.by.extend(_number(dimensions, one) for one in re.split(", | and ", by))
    if since:
        asked.since_time.FromDatetime(when(since)[0])
    if before:
        asked.before_time.FromDatetime(when(before)[0])
    answer = s.ask("CountSeparations", asked)
    cells = (
        f"{', '.join(one.of)}: {one.count if one.HasField('count') else 'not told'}"
        for one in answer.cells
    )
    total = answer.total if answer.HasField("total") else "not told"
    return f"{'; '.join(cells)} (of {total})"


def reconciled(s: Played, basis: Basis, agency: str, listed: str) -> str:
    asked = query.ReconcileListRequest(agency=agency, basis=basis)
    for one in re.split(", | and ", listed):
        who, _, facility = one.partition(" at ")
        row = asked.rows.add(facility=facility)
        if re.fullmatch(ID, who):
            row.person_id = id_of(who)
        else:
            row.identifier.scheme, row.identifier.value = who.split(" ")
    told = (
        f"{s.names.get(one.person_id, f'row {one.row}')} {_word(one, 'comparison')}"
        + (f" {one.reason_code}" if one.comparison != query.COMPARISON_MATCHED else "")
        for one in s.ask("ReconcileList", asked).rows
    )
    return each(told)


def cited(s: Played, _basis: Basis, label: str) -> str:
    """Whether what an event cites comes out the same, and what the same question comes to now."""
    one = s.verify(label)
    told = "comes out the same" if one.reproduced else "does not come out the same"
    told += f", {one.recorded.count} then and {one.now.count} now"
    told += f", with {people(s, one.entered_person_ids)}" if one.entered_person_ids else ""
    return told + (f", without {people(s, one.left_person_ids)}" if one.left_person_ids else "")


def number(s: Played, basis: Basis, which: str) -> str:
    one = s.ask("GetNumber", query.GetNumberRequest(number_id=id_of(which), basis=basis)).number
    return each(
        f"{said.value} by {said.agency}" + (f" ({said.release_text})" if said.release_text else "")
        for said in one.publications
    )


def numbers(s: Played, basis: Basis, revised: str) -> str:
    asked = query.ListNumbersRequest(revised_only=bool(revised), basis=basis)
    return (
        list_of(sorted(s.names[one.number_id] for one in s.ask("ListNumbers", asked).numbers))
        or "none"
    )


def agency_list(s: Played, basis: Basis, which: str) -> str:
    one = s.ask("GetList", query.GetListRequest(list_id=id_of(which), basis=basis)).list
    told = [f"certified by {said.agency} with {said.citation.count}" for said in one.certifications]
    told += [
        f"compared: {said.matched} matched, {said.missing} missing, {said.extra} extra, {said.different} different"
        for said in one.reconciliations
    ]
    return each(told)


def read(s: Played, _basis: Basis, kind: str) -> str:
    """The events of a kind in the log: when, by whom, about whom."""
    told = []
    for one in s.read(kind):
        made = one.entry.event
        about = {one.partition(":")[2] for one in s.subjects(made)}
        named = people(s, about & s.names.keys())
        told.append(
            f"{s.names[made.event_id]} {say(made.valid_time.time)} by {made.actor.agency} about {named}"
        )
    return each(told)


def accesses(s: Played, _basis: Basis, who: str) -> str:
    """Who learned of a person, by which question, when, and for which purpose."""
    asked = audit_service_pb2.ListAccessesRequest(person_id=id_of(who))
    return each(access(one.entry) for one in s.audit("ListAccesses", asked).accesses)


def access(entry: access_pb2.AccessEntry) -> str:
    one = entry.access
    method = one.method.partition("/")[2]
    by = " ".join(filter(None, (one.agency or "this machine", one.actor_id)))
    refused = "" if one.reason == "OK" else f", refused: {one.reason}"
    return f"{method} by {by} for {one.purpose_code} {say(entry.record_time)}{refused}"


def rebuilt(s: Played, _basis: Basis) -> str:
    """Every table made again from the log, and compared with the live one."""
    s.ledger.populations.catch_up()
    tables = [name for name, one in projections.load().items() if one.populations]
    differing = [name for name in tables if s.ledger.populations.rebuild(name).differing]
    return f"differ in {list_of(differing)}" if differing else "the same"


TOPICS: dict[str, Callable[..., str]] = {
    rf"({ID}) ((?:held|in transfer|released|absconded|died|removed|not recorded|unknown).*)":
        lambda s, basis, who: custody(s, person(s, basis, who).custody),
    rf"({ID}) in this custody since (.*)":
        lambda s, basis, who: say(person(s, basis, who).custody.since_time),
    rf"({ID}) claimed by (.*)":
        lambda s, basis, who: list_of(person(s, basis, who).custody.claimed_by) or "nobody else",
    rf"({ID}) seen at (.*)":
        lambda s, basis, who: seen(person(s, basis, who).custody),
    rf"({ID}) designated for (.*)":
        lambda s, basis, who: person(s, basis, who).custody.designated_facility or "not recorded",
    rf"address of ({ID}): (.*)":
        lambda s, basis, who: address(person(s, basis, who).custody),
    rf"({ID}) separated from (.*)":
        lambda s, basis, who: each(separation(s, one) for one in person(s, basis, who).separations),
    rf"({ID}) separated for (.*)":
        lambda s, basis, who: each(list_of(one.reason_codes) for one in person(s, basis, who).separations),
    rf"({ID}) referred for (.*)":
        lambda s, basis, who: each(list_of(one.referral_reason_codes) for one in person(s, basis, who).separations),
    rf"({ID}) separated since (.*)":
        lambda s, basis, who: each(say(one.since_time) for one in person(s, basis, who).separations),
    rf"({ID}) apart for (.*)": apart,
    rf"({ID}) processed as (.*)":
        lambda s, basis, who: each(one.processing_class_code for one in person(s, basis, who).separations),
    rf"relatives of ({ID}): (.*)":
        lambda s, basis, who: each(link(s, who, one) for one in person(s, basis, who).links),
    rf"relatives of ({ID}) are found: (.*)": located,
    rf"claims about ({ID}): (.*)":
        lambda s, basis, who: each(map(claim, person(s, basis, who).claims)),
    rf"age of ({ID}): (.*)":
        lambda s, basis, who: age(person(s, basis, who).age),
    rf"needs of ({ID}): (.*)":
        lambda s, basis, who: list_of(one.need_code for one in person(s, basis, who).special_needs) or "not recorded",
    rf"({ID}) speaks for herself: (.*)":
        lambda s, basis, who: _word(person(s, basis, who), "speaks_for_herself"),
    rf"numbers of ({ID}): (.*)":
        lambda s, basis, who: each(f"{one.scheme} {one.value}" for one in person(s, basis, who).identifiers),
    rf"({CODE}) (\S+) is the number of: (.*)": resolved,
    rf"same as ({ID}): (.*)":
        lambda s, basis, who: people(s, person(s, basis, who).same_person_ids),
    rf"distinct from ({ID}): (.*)":
        lambda s, basis, who: people(s, person(s, basis, who).distinct_person_ids),
    rf"findings of ({ID}): (.*)":
        lambda s, basis, who: findings(s, person(s, basis, who).findings),
    rf"({CODE}) of ({ID}) knows (.*)":
        lambda s, basis, rule, who: each(known(s, one) for one in person(s, basis, who).findings if one.rule_code == rule),
    r"queues: (.*)": queues,
    rf"clocks of ({ID}): (.*)":
        lambda s, basis, who: list_of(f"{one.clock_code} {_word(one, 'state')}" for one in person(s, basis, who).clocks) or "none",
    rf"clock ({CODE}) of ({ID}): (.*)":
        lambda s, basis, code, who: each(f"{_word(one, 'state')}, due {say(one.due_time)}" for one in person(s, basis, who).clocks if one.clock_code == code),
    rf"cases of ({ID}): (.*)":
        lambda s, basis, who: each(f"{s.names[one.case_id]} by {one.agency}" for one in person(s, basis, who).cases),
    rf"steps of ({ID}) (running|met|missed|indeterminate): (.*)": steps,
    rf"contacts of ({ID}): (.*)":
        lambda s, basis, who: each(contact(s, one) for one in person(s, basis, who).contacts),
    rf"requests about ({ID}): (.*)":
        lambda s, basis, who: each(map(request, person(s, basis, who).information_requests)),
    rf"classes of ({ID}): (.*)":
        lambda s, basis, who: each(f"{'' if one.included else 'not '}{one.class_code} under {one.criteria_version}" for one in person(s, basis, who).classes),
    rf"events of ({ID}): (.*)":
        lambda s, basis, who: each(event(s, one) for one in timeline(s, basis, who).events),
    rf"events of ({ID}) recorded after ({TIME}): (.*)": later_events,
    rf"stays of ({ID}): (.*)":
        lambda s, basis, who: each(period(s, one) for one in timeline(s, basis, who).periods),
    rf"family of ({ID}): (.*)": removes,
    rf"family of ({ID}) by the definition (family unit|all relatives): (.*)": removes,
    rf"family of ({ID}) is found: (.*)":
        lambda s, basis, who: each(f"{name} {custody(s, held)}" for _, name, held in family(s, basis, who)),
    rf"transfer ({ID}): (.*)": transfer,
    rf"needs that went with ({ID}): (.*)": needs_told,
    r"likely families: (.*)": likely,
    rf"likely family of ({ID}) because (.*)": likely_for,
    rf"separations counted by ([a-z, ]+?)(?: since ({TIME}))?(?: before ({TIME}))?(?:, none below (\d+))?: (.*)": counted,
    rf"list of ({CODE}) with (.+?) compared: (.*)": reconciled,
    r"citation of (\w+): (.*)": cited,
    rf"number ({ID}): (.*)": number,
    r"numbers( that were revised|): (.*)": numbers,
    rf"list ({ID}): (.*)": agency_list,
    r"events of kind ([A-Z]\w+): (.*)": read,
    rf"accesses to ({ID}): (.*)": accesses,
    r"tables made again are (.*)": rebuilt,
    **{f"{pattern}: (.*)": _listed(asked) for pattern, asked in QUESTIONS.items()},
}  # fmt: skip

"""What a record can lack or contradict: one function a rule, by topic.

What a rule says, how grave it is and where it comes from stands in the code list `finding`; here is
when it holds. A rule looks at one person (`rule`), at what is owed to her by when (`duty`), or at
one person and her relatives (`among`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

from ledger.v1.view_pb2 import Finding, Severity
from projections.codes import codes_of
from projections.record import Duties, Noted, Record

Rule = Callable[[Record], Iterable[Noted]]
Duty = Callable[[Duties], Iterable[Noted]]
Candidate = Callable[[Record], bool]
Judge = Callable[[Record, Mapping[str, Record]], Iterable[Noted]]

_RULES: list[Rule] = []
DUTIES: dict[str, Duty] = {}
"""By rule: what it says of somebody's clocks and of what agencies do about her."""
AMONG: dict[str, tuple[Candidate, Judge]] = {}
"""By rule: whom it can concern, by her record alone, and what it says with her relatives'."""


def rule(function: Rule) -> Rule:
    """Register a rule about one person."""
    _RULES.append(function)
    return function


def duty(rule_code: str) -> Callable[[Duty], Duty]:
    """Register a rule about what is owed by a certain time."""

    def register(function: Duty) -> Duty:
        DUTIES[rule_code] = function
        return function

    return register


def among(rule_code: str, candidate: Candidate) -> Callable[[Judge], Judge]:
    """Register a rule about one person and her relatives."""

    def register(judge: Judge) -> Judge:
        AMONG[rule_code] = candidate, judge
        return judge

    return register


def judge_alone(record: Record) -> Iterator[Finding]:
    """The findings that follow from one record."""
    for function in _RULES:
        for noted in function(record):
            yield present(record.person_id, noted)


def judge_duties(duties: Duties) -> Iterator[Finding]:
    """The findings that follow from clocks and casework."""
    for function in DUTIES.values():
        for noted in function(duties):
            yield present(duties.person_id, noted)


def is_candidate(record: Record) -> bool:
    """Whether any rule looks at the records of somebody's relatives beside hers."""
    return any(candidate(record) for candidate, _ in AMONG.values())


def judge_among(record: Record, relatives: Mapping[str, Record]) -> Iterator[Finding]:
    """The findings that follow from a record and those of relatives, by id."""
    for candidate, judge in AMONG.values():
        if candidate(record):
            for noted in judge(record, relatives):
                yield present(record.person_id, noted)


def present(person_id: str, noted: Noted) -> Finding:
    """A finding in the words."""
    code = codes_of("finding")[noted.rule_code]
    return Finding(
        rule_code=noted.rule_code,
        severity=severity_of(noted.rule_code),
        person_id=person_id,
        event_id=noted.event_id,
        field=noted.field,
        message=code.meaning,
        known=noted.known,
    )


@cache
def severity_of(rule_code: str) -> Severity.ValueType:
    """How grave a finding of a rule is."""
    name = codes_of("finding")[rule_code].attributes["severity"]
    return Severity.Value(f"SEVERITY_{name.upper()}")

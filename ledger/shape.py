"""A quick judge of messages: yes to what is certainly in order, no to what is to be looked at.

Nearly every message is in order, and protovalidate takes 90 microseconds to say so of an event. So
each type of message is compiled once into functions of its values, read off the same options. What
they do not say yes to is judged at length, which words the refusal: there it is defined what is
refused, and what this judge does not know it never says yes to.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.v1 import _validate_pb2
from ledger.v1.options_pb2 import code_list
from ledger.v1.rules_pb2 import id as id_rule
from projections.codes import codes_of

Judge = Callable[[Any], object]
"""Says something true of a value that is certainly in order."""

# The first and the last second that a Timestamp may name.
YEAR_1_S, YEAR_9999_S = -62_135_596_800, 253_402_300_799

# Line ends and tabs are part of what people write; the rest breaks terminals, logs and databases.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_extensions = _validate_pb2.DESCRIPTOR.extensions_by_name
_OF_FIELD, _OF_ONEOF, _OF_MESSAGE = (_extensions[name] for name in ("field", "oneof", "message"))
_JUDGED_ALWAYS, _JUDGED_UNLESS_ZERO = range(2)  # buf.validate.Ignore: unspecified, if zero value
_INTEGERS = ("int32", "uint32", "int64", "uint64")

# Rules of whole messages are written in CEL: what they say, in Python.
_SAID: dict[str, Judge] = {
    "this.authorized_by != this.approved_by": lambda m: m.authorized_by != m.approved_by,
    "(this.adult_ids.size() > 0) != (this.adult_unknown_reason != '')": lambda m: (
        bool(m.adult_ids) != bool(m.adult_unknown_reason)
    ),
    "this.strict == 0 || this.events.size() <= 50": lambda m: not m.strict,
    "this.strict == 0 || !this.without_findings": lambda m: not m.strict,
    "this.agency != '' || this.facility != ''": lambda m: m.agency or m.facility,
}


def is_id(text: str) -> bool:
    """Whether a text is an id: a UUID in lower case."""
    return bool(_ID.fullmatch(text))


def is_time(time: Timestamp) -> bool:
    """Whether a Timestamp is one: of the years 1 to 9999, with a fraction of a second."""
    return YEAR_1_S <= time.seconds <= YEAR_9999_S and 0 <= time.nanos < 1_000_000_000  # noqa: PLR2004


def is_plain(message: Message) -> bool:
    """Whether a message certainly has the shape that the words ask for.

    Then its times are times, its codes are in their lists, its texts without control characters.
    """
    return _shape_of(message.DESCRIPTOR).judge(message)


class UnknownRuleError(Exception):
    """The words use a rule that this judge does not know."""


class Shape:
    """What messages of a type must be."""

    def __init__(self, message: Descriptor) -> None:
        self._type = message

    def judge(self, message: Any) -> bool:
        """Whether a message is certainly in order."""
        for judge in self._judges:  # noqa: SIM110  # all() takes half as long again
            if not judge(message):
                return False
        return True

    # When it is first asked for: messages hold messages of their own type.
    @cached_property
    def _judges(self) -> Sequence[Judge]:
        try:
            return list(judges_of(self._type))
        except UnknownRuleError:
            return [_nothing]


@cache
def _shape_of(message: Descriptor) -> Shape:
    return Shape(message)


def judges_of(message: Descriptor) -> Iterator[Judge]:
    """The judges of messages of a type, each of one field. Raises UnknownRuleError."""
    if message is Timestamp.DESCRIPTOR:
        yield is_time
        return
    choices = [one for one in message.oneofs if len(one.fields) > 1]
    for field in message.fields:
        if field.containing_oneof in choices:
            continue
        judge, may_be_empty = _of_field(field)
        if field.has_presence:
            yield _part(field.name, judge, may_be_empty)
        elif not may_be_empty or judge is not _anything:
            yield _value(field.name, judge, may_be_empty)
    for choice in message.oneofs:
        if choice in choices:
            yield _choice(choice)
        else:  # of a field that may be absent, which is judged as such
            _require_known(choice.full_name, _rules(choice, _OF_ONEOF))
    whole = _rules(message, _OF_MESSAGE)
    _require_known(message.full_name, whole, "cel")
    for program in whole.cel:
        if program.expression not in _SAID:
            raise UnknownRuleError(f"{message.full_name}: {program.expression}")
        yield _SAID[program.expression]


def _value(name: str, judge: Judge, may_be_empty: bool) -> Judge:
    return lambda message: judge(value) if (value := getattr(message, name)) else may_be_empty


def _part(name: str, judge: Judge, may_be_absent: bool) -> Judge:
    return lambda message: (
        judge(getattr(message, name)) if message.HasField(name) else may_be_absent
    )


def _choice(choice: OneofDescriptor) -> Judge:
    rules = _rules(choice, _OF_ONEOF)
    _require_known(choice.full_name, rules, "required")
    found = {field.name: _of_field(field) for field in choice.fields}
    if not all(may_be_absent for _, may_be_absent in found.values()):
        raise UnknownRuleError(f"{choice.full_name}: one of its fields is required")
    name, may_be_absent = choice.name, not rules.required
    judges = {name: judge for name, (judge, _) in found.items()}
    return lambda message: (
        judges[chosen](getattr(message, chosen))
        if (chosen := message.WhichOneof(name))
        else may_be_absent
    )


def _of_field(field: FieldDescriptor) -> tuple[Judge, bool]:
    """The judge of what a field holds, and whether it may be empty; with presence, absent."""
    rules = _rules(field, _OF_FIELD)
    _require_known(field.full_name, rules, "required", "ignore", rules.WhichOneof("type"))
    if rules.ignore not in (_JUDGED_ALWAYS, _JUDGED_UNLESS_ZERO):
        raise UnknownRuleError(f"{field.full_name}: ignore {rules.ignore}")
    is_list = field.is_repeated
    judge = _of_list(field, rules.repeated) if is_list else _of_value(field, rules)
    if rules.required or field.has_presence or rules.ignore == _JUDGED_UNLESS_ZERO:
        return judge, not rules.required
    return judge, bool(judge(() if is_list else field.default_value))


def _of_list(field: FieldDescriptor, rules: Any) -> Judge:
    _require_known(field.full_name, rules, "min_items", "max_items", "unique", "items")
    _require_known(field.full_name, rules.items, rules.items.WhichOneof("type"))
    if field.message_type and field.message_type.GetOptions().map_entry:
        raise UnknownRuleError(f"{field.full_name}: a map")
    judge, unique = _of_value(field, rules.items), rules.unique
    least, most = rules.min_items, _bound(rules, "max_items", sys.maxsize)

    def judged(values: Any) -> bool:
        count = len(values)
        return (
            least <= count <= most
            and (not unique or len(set(values)) == count)
            and all(map(judge, values))
        )

    return judged


def _of_value(field: FieldDescriptor, rules: Any) -> Judge:
    """The judge of one value, by the rules of its type."""
    kind = rules.WhichOneof("type")
    if field.type == FieldDescriptor.TYPE_STRING:
        return _of_text(field, rules.string)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _of_bytes(field, rules.bytes)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _of_enum(field, rules.enum)
    if kind in _INTEGERS:
        return _of_number(field, getattr(rules, kind))
    if field.message_type is Timestamp.DESCRIPTOR:
        return _of_time(field, rules.timestamp)
    if kind:
        raise UnknownRuleError(f"{field.full_name}: {kind}")
    return _shape_of(field.message_type).judge if field.message_type else _anything


def _of_text(field: FieldDescriptor, rules: Any) -> Judge:
    _require_known(field.full_name, rules, "min_len", "max_len", "pattern", "id")
    least, most = rules.min_len, _bound(rules, "max_len", sys.maxsize)
    pattern, must_be_id = rules.pattern, rules.Extensions[id_rule]
    if pattern and not re.fullmatch(r"\^[^\\|]*\$", pattern):
        raise UnknownRuleError(f"{field.full_name}: {pattern}")
    is_like = re.compile(pattern[1:-1]).fullmatch if pattern else None
    finds_control = CONTROL.search

    def judged(text: str) -> bool:
        return (
            least <= len(text) <= most
            and (text.isprintable() or not finds_control(text))
            and (not is_like or bool(is_like(text)))
        )

    if must_be_id:
        return _ID.fullmatch if (least, most, pattern) == (0, sys.maxsize, "") else _nothing
    if field.GetOptions().HasExtension(code_list):
        codes = codes_of(field.GetOptions().Extensions[code_list])
        return frozenset(filter(judged, ["", *codes])).__contains__
    return judged


def _of_bytes(field: FieldDescriptor, rules: Any) -> Judge:
    _require_known(field.full_name, rules, "len", "min_len", "max_len")
    least = _bound(rules, "len", rules.min_len)
    most = _bound(rules, "len", _bound(rules, "max_len", sys.maxsize))
    return lambda value: least <= len(value) <= most


def _of_enum(field: FieldDescriptor, rules: Any) -> Judge:
    _require_known(field.full_name, rules, "defined_only", "not_in")
    if not rules.defined_only and not rules.not_in:
        return _anything
    # What is not defined may be in order, too, where it is not refused: that is looked at.
    defined: Any = field.enum_type
    return frozenset(set(defined.values_by_number) - set(rules.not_in)).__contains__


def _of_number(field: FieldDescriptor, rules: Any) -> Judge:
    _require_known(field.full_name, rules, "gte", "lte")
    least, most = _bound(rules, "gte", -sys.maxsize), _bound(rules, "lte", 2 * sys.maxsize)
    return lambda value: least <= value <= most


def _of_time(field: FieldDescriptor, rules: Any) -> Judge:
    _require_known(field.full_name, rules, "gte", "lt")
    since = rules.gte.seconds if rules.HasField("gte") else YEAR_1_S
    until = rules.lt.seconds if rules.HasField("lt") else YEAR_9999_S + 1
    if rules.gte.nanos or rules.lt.nanos:
        raise UnknownRuleError(f"{field.full_name}: a bound between seconds")
    return lambda time: since <= time.seconds < until and is_time(time)


def _bound(rules: Any, name: str, otherwise: int) -> int:
    """A bound, where the rules state it."""
    return int(getattr(rules, name)) if rules.HasField(name) else otherwise


def _rules(described: Any, extension: FieldDescriptor) -> Any:
    return described.GetOptions().Extensions[extension]


def _require_known(name: str, rules: Message, *known: str | None) -> None:
    """Raise UnknownRuleError for rules that say more than what is known."""
    if unknown := {rule.name for rule, _ in rules.ListFields()} - set(known):
        raise UnknownRuleError(f"{name}: {sorted(unknown)}")


def _anything(_value: Any) -> bool:
    return True


def _nothing(_value: Any) -> bool:
    return False

"""The policy: which role may call which method, and what it sees.

The methods carry the first as an option, `policy.toml` has the second. A method without the option,
or a role without a rule, does not start.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from ledger.access.caller import Caller
from ledger.errors import LedgerError
from ledger.v1.audit_service_pb2 import DESCRIPTOR as AUDIT
from ledger.v1.custody_query_service_pb2 import DESCRIPTOR as QUERY
from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.ledger_service_pb2 import DESCRIPTOR as LEDGER
from ledger.v1.options_pb2 import Policy, Role, policy
from projections.codes import codes_of

_SERVICES = [one for file in (LEDGER, QUERY, AUDIT) for one in file.services_by_name.values()]


class Sees(StrEnum):
    """Whom a role sees; see `policy.toml`."""

    EVERYONE = "everyone"
    NO_ONE = "no_one"
    OWN_CUSTODY = "own_custody"
    OWN_RECORDS = "own_records"
    ASSIGNED_CASES = "assigned_cases"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a role sees, and how much of it; see `policy.toml`."""

    agencies: tuple[str, ...]
    sees: Sees
    sealed: bool
    confidential: bool
    grounds: bool
    personal: bool
    persons_per_hour: int
    calls_per_second: int
    calls_at_once: int


@cache
def rules() -> Mapping[Role.ValueType, Rule]:
    """The rule of every role."""
    told = tomllib.loads((files(__package__) / "policy.toml").read_text(encoding="utf-8"))
    return {Role.Value(f"ROLE_{name.upper()}"): _rule(rule) for name, rule in told.items()}


def _rule(told: dict[str, Any]) -> Rule:
    agencies = [one for one in told["agencies"] if one != "*"]
    agencies += codes_of("agency") if "*" in told["agencies"] else []
    return Rule(**{**told, "agencies": tuple(agencies), "sees": Sees(told["sees"])})


@cache
def policies() -> Mapping[str, Policy]:
    """The policy of every method, by its path such as "/ledger.v1.LedgerService/GetEvent".

    Raises AssertionError for a method that has none, or names a role without a rule.
    """
    found = {}
    for described in _SERVICES:
        for method in described.methods:
            found[f"/{described.full_name}/{method.name}"] = _of(method)
    return found


def _of(method: MethodDescriptor) -> Policy:
    made = method.GetOptions().Extensions[policy]
    assert made.roles, f"{method.full_name} has no policy"  # noqa: S101
    assert set(made.roles) <= rules().keys(), f"{method.full_name} names a role without a rule"  # noqa: S101
    return made


def require_allowed(caller: Caller, method: str) -> None:
    """Raise FORBIDDEN or PURPOSE_REQUIRED unless a caller may call a method as she does."""
    allowed = policies().get(method)
    is_theirs = caller.agency in rules()[caller.role].agencies
    if allowed is None or caller.role not in allowed.roles or not is_theirs:
        raise LedgerError(
            ErrorReason.ERROR_REASON_FORBIDDEN, "the caller's role may not call this method"
        )
    if not allowed.discloses or allowed.purpose_code:
        return
    if caller.purpose_code not in codes_of("purpose"):
        raise LedgerError(
            ErrorReason.ERROR_REASON_PURPOSE_REQUIRED,
            "state a purpose of the code list `purpose`: what tells of persons is answered for one",
        )

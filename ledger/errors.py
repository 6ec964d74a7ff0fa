"""Every way in which the ledger refuses.

`LedgerError` carries a reason of the one catalogue, ledger.v1.ErrorReason, where each says what to
do about it. `StartupError` is for the operator: the ledger will not begin like this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.v1.error_pb2 import ErrorReason
from ledger.v1.options_pb2 import status

_PREFIX = "ERROR_REASON_"


@dataclass(frozen=True, slots=True)
class Violation:
    """A field at fault."""

    field: str
    """Its path in the request, such as "events[3].separated.reason_codes[0]"."""
    description: str
    """What is wrong with it. Never its value: that may be personal."""
    rule: str
    """The name of the rule it broke."""


class LedgerError(Exception):
    """A refusal. The message may reach the caller and the log: nothing personal goes into it."""

    def __init__(
        self,
        reason: ErrorReason.ValueType,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        **metadata: str | int,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.violations = tuple(violations)
        self.metadata = {key: str(value) for key, value in metadata.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        """Raised in another process, it is raised here as it was there."""
        return LedgerError, (self.reason, str(self)), self.__dict__

    @property
    def name(self) -> str:
        """The reason's name as callers see it, such as "UNKNOWN_CODE"."""
        return name_of(self.reason)

    @property
    def status(self) -> int:
        """The google.rpc.Code to answer with."""
        value = ErrorReason.DESCRIPTOR.values_by_number[self.reason]
        return int(value.GetOptions().Extensions[status])


class StartupError(Exception):
    """The ledger does not start, or an operator's command does not run, like this."""


class MistakeError(StartupError):
    """What was given to a command is not what it takes."""


class TamperedError(StartupError):
    """What is stored is not what was written."""


def name_of(reason: ErrorReason.ValueType) -> str:
    """The name of a reason without its prefix."""
    return ErrorReason.Name(reason).removeprefix(_PREFIX)


def refuse(
    violations: Sequence[tuple[ErrorReason.ValueType, str, str]], **metadata: str | int
) -> LedgerError:
    """The refusal for these (reason, field, description); the first gives its name."""
    reason, field, description = violations[0]
    return LedgerError(
        reason,
        f"{field}: {description}",
        violations=[Violation(where, what, name_of(why)) for why, where, what in violations],
        **metadata,
    )


def out_of_range(field: str, description: str, size: int) -> LedgerError:
    """The refusal of a size or position that the log, which has this size, does not have."""
    return refuse([(ErrorReason.ERROR_REASON_SIZE_OUT_OF_RANGE, field, description)], size=size)

"""Numbers and marks in the form in which values of one scheme are compared.

What was entered stays as it was entered. A value that does not have the form of its scheme has no
normal form, and is compared as it is.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from string import digits

from ledger.v1.identity_pb2 import IdentifierAsserted
from projections.codes import codes_of

A_NUMBER_DIGITS = 9
# As many digits of the Marshals' number as stand before the hyphen.
_USMS_FIRST = 5


def normalized(scheme: str, value: str) -> str:
    """The normal form of a value; empty: it does not have the form of its scheme.

    An A-number is filled with zeros to nine digits: A12345678 and 012345678 are one.
    """
    bare = re.sub(r"[^0-9A-Za-z]", "", value).upper()
    if scheme == "A_NUMBER":
        number = bare.removeprefix("A")
        is_one = number.isdecimal() and A_NUMBER_DIGITS - 2 <= len(number) <= A_NUMBER_DIGITS
        bare = number.zfill(A_NUMBER_DIGITS) if is_one else ""
    elif scheme in ("USMS", "BOP"):
        bare = f"{bare[:_USMS_FIRST]}-{bare[_USMS_FIRST:]}"
    pattern = _attribute(scheme, "pattern")
    return bare if not pattern or re.fullmatch(pattern, bare, re.ASCII) else ""


def is_shared(scheme: str) -> bool:
    """Whether everybody in one event or group has the number, by its nature."""
    return _attribute(scheme, "shared") == "True"


def is_single(scheme: str) -> bool:
    """Whether one person has as a rule one number of the scheme."""
    return _attribute(scheme, "single") == "True"


def slips(number: str) -> Iterator[str]:
    """The numbers that one slip of a finger makes of one: a digit wrong, or two changed over.

    A number without a check digit cannot show it by itself (Damerau 1964: most slips are these).
    """
    for i, digit in enumerate(number):
        if not digit.isdecimal():
            continue
        yield from (f"{number[:i]}{other}{number[i + 1 :]}" for other in digits if other != digit)
        following = number[i + 1 : i + 2]
        if following.isdecimal() and following != digit:
            yield f"{number[:i]}{following}{digit}{number[i + 2 :]}"


def mark(scheme: str, value: str, issuer_text: str) -> str:
    """What two assertions of one number have in common, without the number.

    SHA-256 in hex: no number stands in the name of a population.
    """
    compared = normalized(scheme, value) or " ".join(value.split()).upper()
    issuer = " ".join(issuer_text.split()).upper()
    return sha256(f"{scheme}\n{compared}\n{issuer}".encode()).hexdigest()


def mark_of(asserted: IdentifierAsserted) -> str:
    """The same for an assertion."""
    return mark(asserted.scheme, asserted.value, asserted.issuer_text)


def _attribute(scheme: str, name: str) -> str:
    code = codes_of("identifier_scheme").get(scheme)
    return code.attributes[name] if code is not None and name in code.attributes else ""

"""An agency's own list of those whom it holds, as a CSV file, to be compared with the ledger."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ledger.cli.events import read_bytes, text_of
from ledger.cli.options import connected
from ledger.errors import LedgerError, MistakeError
from ledger.v1.basis_pb2 import Basis
from ledger.v1.custody_query_service_pb2 import (
    ListedIdentifier,
    ListedPerson,
    ReconcileListRequest,
    ReconcileListResponse,
)

COLUMNS = ("person_id", "scheme", "value", "issuer", "facility")
_ROW = re.compile(r"rows\[(\d+)\]\.?")


@dataclass(frozen=True, slots=True)
class Rows:
    """A list that was read."""

    file: Path
    sha256: bytes
    people: list[ListedPerson]
    lines: list[int]
    """On which each row begins."""

    def compare(self, server: str, agency: str, basis: Basis) -> ReconcileListResponse:
        """What comparing it with the ledger comes to. A row at fault is named by its line."""
        request = ReconcileListRequest(agency=agency, rows=self.people, basis=basis)
        try:
            with connected(server) as client:
                return client.custody.ReconcileList(request)
        except LedgerError as error:
            message = _ROW.sub(self._line, str(error))
            raise LedgerError(error.reason, message) from None

    def _line(self, row: re.Match[str]) -> str:
        return f"{self.file}: line {self.lines[int(row[1])]}: "


def read_rows(file: Path) -> Rows:
    """Read a list. Raises MistakeError naming the line if it is not one."""
    content = read_bytes(file)
    found = list(_rows(file, text_of(content, file)))
    return Rows(
        file,
        sha256(content).digest(),
        [one for _, one in found],
        [line for line, _ in found],
    )


def _rows(file: Path, text: str) -> Iterator[tuple[int, ListedPerson]]:
    """(line, row) of each row after the header."""
    header: list[str] = []
    for line, cells in _records(file, text):
        where = f"{file}: line {line}"
        if not header:
            header = _header(where, cells)
        elif len(cells) != len(header):
            raise MistakeError(f"{where}: has {len(cells)} cells, not {len(header)}")
        else:
            yield line, _listed(where, dict(zip(header, cells, strict=True)))
    if not header:
        raise MistakeError(f"{file}: has no header line")


def _records(file: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each line that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = [one.strip() for one in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise MistakeError(f"{file}: line {line}: not CSV: {error}") from None
        if any(cells):
            yield line, cells


def _header(where: str, cells: list[str]) -> list[str]:
    header = [one.lower() for one in cells]
    for one in header:
        if one not in COLUMNS:
            raise MistakeError(f"{where}: {one!r} is no column of {', '.join(COLUMNS)}")
        if header.count(one) > 1:
            raise MistakeError(f"{where}: the column {one} is there twice")
    if "person_id" not in header and not {"scheme", "value"} <= set(header):
        raise MistakeError(f"{where}: there is no column person_id, nor scheme and value")
    return header


def _listed(where: str, cells: dict[str, str]) -> ListedPerson:
    person_id, scheme, value = (cells.get(name, "") for name in ("person_id", "scheme", "value"))
    made = ListedPerson(facility=cells.get("facility", ""))
    if person_id and not scheme and not value:
        made.person_id = person_id.lower()
    elif scheme and value and not person_id:
        issuer = cells.get("issuer", "")
        made.identifier.CopyFrom(
            ListedIdentifier(scheme=scheme.upper(), value=value, issuer_text=issuer)
        )
    else:
        raise MistakeError(f"{where}: give person_id, or scheme and value")
    return made

"""Who belongs to which populations at a moment, and who ever did: questions of the tables.

Who holds is found without what is shown of her, in indexes alone; what is shown is read of a page.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.store.database import Database
from ledger.store.entries import chunks
from ledger.store.generations import Generation
from ledger.store.statement import Statement
from ledger.store.tables import IS_LONG, IS_SHORT, KNOWN_BITS, KNOWN_CLASS, KNOWN_EVER
from ledger.store.vault import Vault
from projections.membership import HORIZON_US, OPEN

States = list[tuple[str, bytes]]
"""(subject id, what is shown of it, serialized), by subject id."""

# Of so many at a time: each is named in each part of a statement, which takes 32,766 values.
NAMES_MAX = 2_048

_OF = "log = ? AND generation = ? AND"
# Not as the column: SQLite would go by the index of subjects, for their order, and read everybody.
_SUBJECT = "subject || ''"
_KEY = "population, valid_from, subject, known_from"
# A short period lies between two multiples of the horizon, so it has begun since the last.
_SHORT = (
    f"{_OF} {{named}} AND valid_from >= ? AND valid_from <= ? AND valid_to > ? "
    f"AND known_from <= ? AND known_to > ? AND {IS_SHORT}"
)
# `+` keeps SQLite from taking the range over `valid_from`, which finds all that ever began.
_LONG = (
    f"{_OF} {{named}} AND {KNOWN_CLASS} = {{known}} AND known_from > ? AND known_from <= ? "
    f"AND known_to > ? AND +valid_from <= ? AND valid_to > ? AND {IS_LONG}"
)


class _Question:
    """A question about those who hold, of one population or of several.

    Apart, because PostgreSQL plans a list anew each time, which takes longer than the answer.
    """

    def __init__(self, before: str, after: str = "") -> None:
        one, several = (
            Statement(f"{before} ({self._holding(named)}) AS held {after}")
            for named in ("population = ?", "population IN (...)")
        )
        self._of_one, self._of_several = one, several

    def of(self, populations: Sequence[str]) -> Statement:
        """The statement for so many populations."""
        return self._of_one if len(populations) == 1 else self._of_several

    @staticmethod
    def _holding(named: str) -> str:
        parts = [_SHORT.format(named=named)]
        parts += [_LONG.format(named=named, known=one) for one in (*KNOWN_BITS, KNOWN_EVER)]
        return " UNION ALL ".join(f"SELECT {_KEY} FROM period WHERE {one}" for one in parts)  # noqa: S608


_COUNT = _Question("SELECT COUNT(DISTINCT subject) FROM")
_COUNTS = _Question("SELECT population, COUNT(*) FROM", "GROUP BY population")
_IDS = _Question("SELECT DISTINCT subject FROM")
_PAGE = _Question(
    "SELECT period.population, period.subject, period.state FROM "
    "(SELECT population, valid_from, subject, known_from FROM",
    f"WHERE {_SUBJECT} > ? ORDER BY {_SUBJECT} LIMIT ?) AS page "
    "JOIN period ON period.log = ? AND period.generation = ? "
    "AND period.population = page.population AND period.valid_from = page.valid_from "
    "AND period.subject = page.subject AND period.known_from = page.known_from "
    "ORDER BY page.subject",
)
_SHARED = Statement(
    "SELECT population FROM period WHERE log = ? AND generation = ? "
    "AND population >= ? AND population < ? AND valid_from <= ? AND valid_to > ? "
    "AND known_from <= ? AND known_to > ? "
    "GROUP BY population HAVING COUNT(DISTINCT subject) > 1"
)
_IS_KNOWN = Statement(
    f"SELECT 1 FROM period WHERE {_OF} population IN (...) AND known_from <= ? LIMIT 1"  # noqa: S608
)
_EVER = Statement(
    f"SELECT DISTINCT {_SUBJECT} FROM period WHERE {_OF} population IN (...) "  # noqa: S608
    "AND known_from <= ? AND known_to > ?"
)


class Belonging:
    """Who belongs to the populations of one log."""

    def __init__(self, database: Database, log: int, vault: Vault) -> None:
        self._ask = database.readers.ask
        self._log = log
        self._vault = vault

    def count(self, of: Generation, populations: Sequence[str], as_of_us: int, size: int) -> int:
        """How many belong to any of these populations."""
        holding = self._holding(of, populations, as_of_us, size)
        return int(self._ask(_COUNT.of(populations), *holding)[0][0])

    def counts(
        self, of: Generation, populations: Sequence[str], as_of_us: int, size: int
    ) -> dict[str, int]:
        """How many belong to each of these populations that has any."""
        holding = self._holding(of, populations, as_of_us, size)
        return dict(self._ask(_COUNTS.of(populations), *holding))

    def ids(self, of: Generation, populations: Sequence[str], as_of_us: int, size: int) -> set[str]:
        """Everybody who belongs to any of these populations."""
        holding = self._holding(of, populations, as_of_us, size)
        return {one for (one,) in self._ask(_IDS.of(populations), *holding)}

    def page(
        self,
        of: Generation,
        populations: Sequence[str],
        as_of_us: int,
        size: int,
        after: str,
        limit: int,
    ) -> States:
        """The first who belong to any of these populations after a subject id."""
        rows = self._rows(of, populations, as_of_us, size, after, limit)
        return self._opened((subject, state) for _, subject, state in rows)

    def all(self, of: Generation, populations: Sequence[str], as_of_us: int, size: int) -> States:
        """Everybody who belongs to any of these populations."""
        return self.page(of, populations, as_of_us, size, "", OPEN)

    def members(
        self, of: Generation, populations: Iterable[str], as_of_us: int, size: int
    ) -> dict[str, States]:
        """For each of these populations that has any its members, by population."""
        found: dict[str, States] = {}
        for some in chunks(sorted(populations), NAMES_MAX):
            rows = self._rows(of, some, as_of_us, size, "", OPEN)
            opened = self._opened((subject, state) for _, subject, state in rows)
            for (population, *_), one in zip(rows, opened, strict=True):
                found.setdefault(population, []).append(one)
        return dict(sorted(found.items()))

    def shared(self, of: Generation, prefix: str, as_of_us: int, size: int) -> dict[str, States]:
        """The members of each population that several belong to, of those whose name begins so.

        A prefix ends with ":". Looks at all of these populations.
        """
        # Compared byte by byte, ";" is what follows ":".
        beyond = f"{prefix.removesuffix(':')};"
        at = (as_of_us, as_of_us, size, size)
        names = self._ask(_SHARED, self._log, of.number, prefix, beyond, *at)
        return self.members(of, (one for (one,) in names), as_of_us, size)

    def is_known(self, of: Generation, populations: Sequence[str], size: int) -> bool:
        """Whether anybody was ever believed to belong to any of these, as known at a size."""
        return bool(self._ask(_IS_KNOWN, self._log, of.number, list(populations), size))

    def ever(self, of: Generation, populations: Sequence[str], size: int) -> set[str]:
        """Everybody who belonged to any of these at whatever time, as believed at a size."""
        rows = self._ask(_EVER, self._log, of.number, list(populations), size, size)
        return {one for (one,) in rows}

    def _rows(
        self,
        of: Generation,
        populations: Sequence[str],
        as_of_us: int,
        size: int,
        after: str,
        limit: int,
    ) -> list[tuple[str, str, bytes]]:
        """(population, subject id, what is kept of it) of those who belong, by subject id."""
        holding = self._holding(of, populations, as_of_us, size)
        return self._ask(_PAGE.of(populations), *holding, after, limit, self._log, of.number)

    def _holding(
        self, of: Generation, populations: Sequence[str], as_of_us: int, size: int
    ) -> list[Any]:
        """The values for what is said of those who hold."""
        named = populations[0] if len(populations) == 1 else list(populations)
        ours = (self._log, of.number, named)
        values = [*ours, as_of_us - as_of_us % HORIZON_US, as_of_us, as_of_us, size, size]
        for since in (*(size - 2**bits for bits in KNOWN_BITS), -1):
            values += [*ours, since, size, size, as_of_us, as_of_us]
        return values

    def _opened(self, rows: Iterable[tuple[str, bytes]]) -> States:
        """What is shown of subjects, of what is kept of it."""
        kept = list(rows)
        states = self._vault.open_states(kept)
        return [(subject, state) for (subject, _), state in zip(kept, states, strict=True)]

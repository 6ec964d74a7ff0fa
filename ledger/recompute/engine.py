"""The one door to DuckDB."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from ledger.errors import StartupError

TEXTS = (
    "fact",
    "movement",
    "not_compared",
    "custody_period",
    "census",
    "separation",
    "in_care",
)
"""The texts in the order in which each reads what those before it made."""

MEMORY = "2GB"

Rows = list[tuple[Any, ...]]


class Engine:
    """A database of DuckDB in memory, which is bounded: what does not fit lies in a folder."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def run(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """The rows of a statement. Raises StartupError where it cannot be done."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except duckdb.Error as error:
            raise StartupError(f"DuckDB: {str(error).splitlines()[0]}") from None

    def csv_to_parquet(self, source: Path, columns: Mapping[str, str], target: Path) -> None:
        """Write the rows of a CSV file, without a header, to a Parquet file in their order."""
        self.run(
            f"COPY ({_from_csv(source, columns)}) TO {_quoted(target)} "
            "(FORMAT parquet, COMPRESSION zstd)"
        )

    def load_csv(self, table: str, columns: Mapping[str, str], source: Path) -> None:
        """Add the rows of a CSV file to a new table."""
        self.run(f"CREATE TABLE {table} AS {_from_csv(source, columns)}")

    def name_files(self, view: str, paths: Iterable[Path]) -> None:
        """Call some Parquet files a table."""
        names = ", ".join(_read_from(one) for one in paths)
        self.run(f"CREATE VIEW {view} AS SELECT * FROM read_parquet([{names}])")

    def count(self, path: Path) -> int:
        """How many rows a Parquet file has. Raises StartupError where it cannot be read."""
        ((found,),) = self.run(f"SELECT count(*) FROM read_parquet({_read_from(path)})")
        return int(found)

    def leaf_hashes(self, path: Path) -> Iterator[bytes]:
        """The leaf hashes of a file of events, in its order."""
        try:
            found = self._connection.execute(f"SELECT leaf_hash FROM {_read_from(path)}")
            while some := found.fetchmany(10_000):
                yield from (bytes.fromhex(one) for (one,) in some)
        except (duckdb.Error, ValueError, TypeError) as error:
            raise StartupError(f"{path.name}: {str(error).splitlines()[0]}") from None


@contextmanager
def opened(folder: Path) -> Iterator[Engine]:
    """An engine that keeps what does not fit into memory in a folder."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY,
            "temp_directory": str(folder / "spilled"),
            # Nothing is fetched from anywhere.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    try:
        yield Engine(connection)
    finally:
        connection.close()


def text_of(name: str) -> str:
    """One of the texts."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _from_csv(source: Path, columns: Mapping[str, str]) -> str:
    typed = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    # What is quoted is a text, be it empty, and never unknown; one may have line ends in it.
    return (
        f"SELECT * FROM read_csv({_read_from(source)}, columns = {{{typed}}}, header = false, "
        f"delim = ',', quote = '\"', escape = '\"', allow_quoted_nulls = false, "
        "parallel = false, auto_detect = false)"
    )


def _read_from(path: Path) -> str:
    """A path to read from, in which DuckDB would take some characters for any others."""
    return _quoted(Path(re.sub(r"[*?[]", r"[\g<0>]", str(path))))


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"

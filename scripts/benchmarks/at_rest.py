"""`ledger serve` whose tables do not follow the log: for questions that need none, of a large log.

Otherwise what is measured of a log that has just grown is how it shares the cores with its tables.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from ledger.cli import main
from ledger.store.follower import Follower

AT_REST = "tables at rest"
"""In the name of a figure that is measured so."""


@contextmanager
def tables_at_rest() -> Iterator[None]:
    """Ledgers that are opened meanwhile do not bring their tables up to the log."""
    with patch.object(Follower, "_run", lambda _self: None):
        yield


if __name__ == "__main__":
    import sys

    sys.argv[1:1] = ["serve", "--quiet", "--workers", "0"]
    with tables_at_rest():
        main()

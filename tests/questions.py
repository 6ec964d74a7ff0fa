"""The questions that investigators, courts and auditors asked, each with a history that answers it.

Each is a test, which plays its table over gRPC, and a section of docs/questions.md, which
scripts/questions writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from textwrap import dedent

from scenario import History, over_grpc


@dataclass(frozen=True)
class Question:
    """One question, and the table that answers it."""

    id: str
    asked_by: str
    asks: str
    shows: str
    rpcs: tuple[str, ...]
    commands: tuple[str, ...]
    table: str


QUESTIONS: list[Question] = []


def question(
    id: str,  # noqa: A002  # as domain people call it
    *,
    asked_by: str,
    asks: str,
    shows: str,
    rpcs: tuple[str, ...],
    commands: tuple[str, ...],
    table: str,
) -> Callable[[Callable[[], None]], Callable[[str], None]]:
    """Make a test of a question: its table is played on a store, and asks what is said to answer."""
    QUESTIONS.append(Question(id, asked_by, asks, shows, rpcs, commands, dedent(table).strip()))

    def decorate(test: Callable[[], None]) -> Callable[[str], None]:
        @wraps(test)
        def run(store_url: str) -> None:
            history = History(table, store_url, test.__name__, over_grpc)
            history.play()
            assert set(rpcs) <= history.called, f"{id} does not ask {set(rpcs) - history.called}"

        del run.__wrapped__  # whose arguments pytest would go by
        return run

    return decorate

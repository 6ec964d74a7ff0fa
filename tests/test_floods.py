"""Whatever one caller floods a server with, the others are answered."""

from collections.abc import Iterator

import pytest
from flood import KINDS
from honest import Fared, Outcome, Served, served

# So long is each flood measured: what can be said of speed in it is rough. `scripts/floods.py`
# measures it.
SECONDS = 1.5
ERRORS_MAX, RATIO_MAX, LOOSE_MS = 0.01, 10, 2_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("flooded")) as running:
        running.measure(0.3)  # what is done once is done
        yield running


@pytest.fixture(scope="module")
def quiet(server: Served) -> Fared:
    return server.measure(SECONDS)


@pytest.mark.parametrize("kind", KINDS)
def test_honest_callers_are_answered_in_a_flood(kind: str, server: Served, quiet: Fared) -> None:
    fared, sent, closed = server.flooded(kind, SECONDS)
    outcome = Outcome.of(kind, quiet, fared, sent, closed, server.rss_mb())
    print(outcome.as_json())  # noqa: T201

    assert outcome.error_rate <= ERRORS_MAX, fared.errors
    assert outcome.ratio <= RATIO_MAX or outcome.flood_p99_ms < LOOSE_MS, outcome
    assert sent > 0
    assert server.process.poll() is None


def test_of_a_flood_nothing_is_said_but_that_the_server_was_ready(server: Served) -> None:
    assert server.told().count("\n") == 1, server.told()

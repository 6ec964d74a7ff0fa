"""Questions with many answers: every page of them read, counted, shown or cited."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import typer

from ledger.cli.options import Output, connected
from ledger.cli.render import plain, show_json, show_stamp
from ledger.v1.custody_query_service_pb2 import CiteRequest

if TYPE_CHECKING:
    from ledger.rpc.client import Client

PAGE = 1_000


class Show(Protocol):
    """Shows what was found, as a table."""

    def __call__(self, found: Sequence[Any], /) -> None:
        """Show it."""


def every_page(method: Callable[[Any], Any], request: Any, field: str) -> tuple[Any, list[Any]]:
    """(the first page, what the field has on all pages). Every page is of the first one's stamp."""
    request.page_size = PAGE
    page = first = method(request)
    found = list(getattr(page, field))
    while page.next_page_token:
        request.page_token = page.next_page_token
        page = method(request)
        found += getattr(page, field)
    return first, found


def show_listing(
    server: str,
    method: Callable[["Client"], Callable[[Any], Any]],
    request: Any,
    field: str,
    show: Show,
    output: Output,
    *,
    counted: str = "Count",
) -> None:
    """The answer to a question with pages: a table, how many there are, what to cite."""
    with connected(server) as client:
        first, found = every_page(method(client), request, field)
    if output == Output.JSON:
        show_json(
            {
                "count": first.total_size,
                field: [plain(one) for one in found],
                "stamp": plain(first.stamp),
            }
        )
        return
    if found:
        show(found)
    typer.echo(f"{counted}: {first.total_size}")
    show_stamp(first.stamp)


def show_citation(server: str, **question: Any) -> None:
    """What to cite for a question, named as CiteRequest names it, on standard output."""
    (request,) = question.values()
    with connected(server) as client:
        found = client.custody.Cite(CiteRequest(basis=request.basis, **question))
    show_json(plain(found.citation))

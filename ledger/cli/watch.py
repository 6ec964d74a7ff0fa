"""The command that follows the log."""

import json
from collections.abc import Iterable
from typing import Annotated

import typer

from ledger.cli.options import LISTEN, Output, OutputOption, ServerOption, connected
from ledger.cli.render import plain, time_of
from ledger.v1.event_pb2 import RecordedEvent
from ledger.v1.ledger_service_pb2 import EventFilter, ReadEventsRequest, WatchEventsRequest


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command("watch")(watch)


def watch(
    after: Annotated[int, typer.Option("--after", min=0, help="After this position.")] = 0,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only these events, such as Separated.")
    ] = None,
    subjects: Annotated[
        list[str] | None,
        typer.Option("--subject", help="Only about these, such as person:3f0c6a2e-…"),
    ] = None,
    finite: Annotated[
        bool, typer.Option("--finite", help="Stop at the end of the log instead of waiting.")
    ] = False,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Each event as it is recorded, one a line, until Ctrl-C.

    With -o json each line is one object; a line with "caught_up" says that nothing else happened.

    Example: ledger watch --type Separated --type Reunified
    """
    items = [EventFilter.Item(types=types or [], subjects=[one]) for one in subjects or []]
    if types and not items:
        items = [EventFilter.Item(types=types)]
    wanted = EventFilter(items=items)
    with connected(server) as client:
        if finite:
            reading = ReadEventsRequest(filter=wanted, after_position=after)
            for found in client.ledger.ReadEvents(reading):
                _show(found.events, output)
            return
        try:
            watching = WatchEventsRequest(filter=wanted, after_position=after)
            for heard in client.ledger.WatchEvents(watching):
                _show(heard.batch.events, output)
                if heard.WhichOneof("content") == "caught_up":
                    size = heard.caught_up.size
                    if output == Output.JSON:
                        typer.echo(json.dumps({"caught_up": size}))
                    else:
                        typer.echo(f"caught up at size {size}", err=True)
        except KeyboardInterrupt:
            return


def _show(events: Iterable[RecordedEvent], output: Output) -> None:
    for one in events:
        if output == Output.JSON:
            typer.echo(json.dumps(plain(one), ensure_ascii=False))
            continue
        event = one.entry.event
        fact = (event.WhichOneof("fact") or "").replace("_", " ")
        typer.echo(
            f"{one.position}  recorded {time_of(one.entry, 'record_time')}  "
            f"valid {time_of(event.valid_time, 'time')}  {event.actor.agency}  {fact}  "
            f"{event.event_id}"
        )

"""The command that asks about one hand-over."""

from typing import Annotated

import typer

from ledger.cli.options import (
    LISTEN,
    AsOfOption,
    AtSizeOption,
    KnownAtOption,
    Output,
    OutputOption,
    ServerOption,
    basis,
    connected,
)
from ledger.cli.render import enum_word, plain, show_json, show_some, show_stamp, time_of
from ledger.v1.custody_query_service_pb2 import GetTransferRequest, GetTransferResponse

transfer = typer.Typer(help="Hand-overs between custodians.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.add_typer(transfer, name="transfer")


@transfer.command("show")
def show_transfer(
    transfer_id: Annotated[str, typer.Argument(metavar="ID", help="The hand-over's id.")],
    as_of: AsOfOption = "",
    known_at: KnownAtOption = "",
    at_size: AtSizeOption = None,
    server: ServerOption = LISTEN,
    output: OutputOption = Output.TABLE,
) -> None:
    """Who left, who arrived, and what was said of the relatives and needs of each.

    Example: ledger transfer show 7d1e44b0-…
    """
    request = GetTransferRequest(transfer_id=transfer_id, basis=basis(as_of, known_at, at_size))
    with connected(server) as client:
        found = client.custody.GetTransfer(request)
    if output == Output.JSON:
        show_json(plain(found))
        return
    made = found.transfer
    typer.echo(
        f"Transfer {made.transfer_id}: {enum_word(made, 'state')}, "
        f"from {made.from_agency or 'not recorded'} to {made.to_agency or 'not recorded'}"
    )
    typer.echo(f"Departed: {time_of(made, 'departed_time') or 'no record'}")
    typer.echo(f"Arrived: {time_of(made, 'arrived_time') or 'no record'}")
    show_some(
        "Persons",
        ["person", "", "relatives, says the sender", "says the receiver", "needs at departure"],
        _rows(found),
    )
    show_stamp(found.stamp)


def _rows(found: GetTransferResponse) -> list[tuple[str, ...]]:
    """Each person once, with what became of her and what was said of her."""
    made = found.transfer
    said = {one.person_id: "\n".join(one.relative_ids) for one in made.links}
    echoed = {one.person_id: "\n".join(one.relative_ids) for one in made.echoed_links}
    needs = {
        one.person_id: "\n".join(need.need_code for need in one.special_needs)
        for one in found.needs
    }
    rows: list[tuple[str, ...]] = []
    for person_id in dict.fromkeys([*made.person_ids, *made.arrived_person_ids]):
        became = [
            word
            for word, ids in (
                ("arrived", made.arrived_person_ids),
                ("refused", made.refused_person_ids),
                ("arrived with other relatives", made.differing_person_ids),
            )
            if person_id in ids
        ]
        rows.append(
            (
                person_id,
                became[-1] if became else "not arrived",
                said.get(person_id, ""),
                echoed.get(person_id, ""),
                needs.get(person_id, ""),
            )
        )
    return rows

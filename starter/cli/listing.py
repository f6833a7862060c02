"""The command `perennial list`. It is typed most often, so it imports little."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from perennial_billing.runtime.service import connect_service
from perennial_billing.starter.cli.output import JsonOption, asynchronous, say
from perennial_billing.starter.cli.tables import Cell, Column, Sheet
from perennial_billing.starter.listing import Listed, StatusName, list_subscriptions

_COLUMNS = (
    Column("Charge permission"),
    Column("Status"),
    Column("Next action (UTC)"),
    Column("Last reason", rank=1),
    Column("Plan", rank=2),
    Column("Reference", rank=3),
)


@asynchronous
async def list_(
    status: Annotated[StatusName | None, typer.Option(help="Only subscriptions with this status.")] = None,
    past_due: Annotated[
        bool, typer.Option("--past-due", help="Only those who owe a period that could not be collected at once.")
    ] = False,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that have ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List subscriptions with status and next billing date."""
    there = await connect_service()
    lines = list_subscriptions(
        there.service.workflow_service, there.namespace, status=status, past_due=past_due, ended=ended
    )
    found = [listed async for listed in lines]
    say(
        [_as_data(listed) for listed in found],
        sheet_of(found),
        Text.assemble(
            f"{len(found)} subscriptions; ",
            ("owes", "yellow"),
            " is past due, ",
            ("!", "bold yellow"),
            " needs attention",
        ),
        as_json=as_json,
    )


def sheet_of(found: Sequence[Listed]) -> Sheet:
    """The list as a table; what operates a subscription by hand stands in its first columns."""
    return Sheet(_COLUMNS, [_row(listed) for listed in found])


def _row(listed: Listed) -> tuple[Cell, ...]:
    attention = (" !", "bold yellow") if listed.needs_attention else ""
    owes = (" owes", "yellow") if listed.past_due else ""
    return (
        listed.charge_permission_id,
        Text.assemble(listed.status or "-", owes, attention),
        f"{listed.next_action_at:%Y-%m-%d %H:%M}" if listed.next_action_at else "-",
        listed.last_reason or "-",
        listed.plan or "-",
        listed.merchant_reference or "-",
    )


def _as_data(listed: Listed) -> dict[str, object]:
    return {
        "charge_permission_id": listed.charge_permission_id,
        "status": listed.status,
        "next_action_at": listed.next_action_at.isoformat() if listed.next_action_at else None,
        "plan": listed.plan,
        "merchant_reference": listed.merchant_reference,
        "merchant_account": listed.merchant_account,
        "last_reason": listed.last_reason,
        "needs_attention": listed.needs_attention,
        "past_due": listed.past_due,
    }

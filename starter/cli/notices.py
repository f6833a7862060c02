"""The commands about notices on their way: the group `notices`."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import Progress

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.endpoints import opened_ledger, say_tried
from perennial_billing.starter.cli.output import (
    NOT_ANSWERED,
    JsonOption,
    RefusedError,
    asynchronous,
    err,
    fail,
    mind,
    out,
    say,
)
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amazon_pay_client import Region
    from perennial_billing.billing.protocol.notices import NoticeType
    from perennial_billing.ledger.endpoints import Endpoint
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.ledger.undelivered import DeliveryFound, DeliverySearch
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.notices import Tried

_DELIVERIES = (
    Column("Charge permission"),
    Column("#", justify="right"),
    Column("Type", rank=1),
    Column("Endpoint"),
    Column("State"),
    Column("Attempts", rank=3, justify="right"),
    Column("Since (UTC)", rank=2),
    Column("Trouble", rank=4, is_prose=True),
)

notices = typer.Typer(help="Look after notices on their way to the endpoints.", no_args_is_help=True)

PermissionOption = Annotated[str | None, typer.Option("--permission", help="Only of this charge permission.")]
EndpointOption = Annotated[str | None, typer.Option("--endpoint", help="Only to this endpoint.")]
AfterOption = Annotated[str, typer.Option(help="Go on after this delivery: the last of the page before.")]
LimitOption = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]


@notices.command("list")
@asynchronous
async def list_(
    permission: PermissionOption = None,
    endpoint: EndpointOption = None,
    state: Annotated[
        Literal["queued", "delivered", "given_up", "not_sent"] | None, typer.Option(help="Only those that stand so.")
    ] = None,
    after: AfterOption = "",
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List deliveries: which notice to which endpoint, and what became of it."""
    from perennial_billing.ledger.deliveries import DeliveryState
    from perennial_billing.ledger.undelivered import DeliverySearch

    search = DeliverySearch(
        charge_permission_id=permission, endpoint=endpoint, state=DeliveryState(state) if state else None
    )
    await _list(search, after, limit, as_json=as_json)


@notices.command("undelivered")
@asynchronous
async def undelivered(
    permission: PermissionOption = None,
    endpoint: EndpointOption = None,
    after: AfterOption = "",
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List what will not be delivered unless somebody has it sent again.

    It was given up, or came while its endpoint was disabled, or has not been heard of for longer than it is tried.
    """
    from perennial_billing.ledger.undelivered import DeliverySearch

    search = DeliverySearch(charge_permission_id=permission, endpoint=endpoint, undelivered=True)
    await _list(search, after, limit, as_json=as_json)


@notices.command("resend")
@asynchronous
async def resend(
    permission: Annotated[str | None, typer.Argument(metavar="[ID]", help="The charge permission's id.")] = None,
    number: Annotated[int | None, typer.Argument(metavar="[NUMBER]", help="Of the notice.", min=1)] = None,
    every: Annotated[
        bool, typer.Option("--all-undelivered", help="All that is undelivered, of this charge permission or of all.")
    ] = False,
    endpoint: EndpointOption = None,
    rate: Annotated[float, typer.Option(min=0.01, max=500, help="How many a second at most.")] = 20.0,
    only_look: Annotated[bool, typer.Option("--dry-run", help="Only say how many they are.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a notice again, or all that is undelivered: each with the webhook id that it had, so it counts once.

    Broken off, it may be repeated: what was begun is not begun again. Exit code 1 where one could not be sent.
    """
    from perennial_billing.ledger.undelivered import DeliverySearch

    if every is (number is not None) or (permission is None and not every):
        raise StartupError("resend: ID and NUMBER of one notice are accepted, or --all-undelivered, for one ID or all")
    search = DeliverySearch(
        charge_permission_id=permission, number=number, endpoint=endpoint, undelivered=number is None
    )
    async with opened_ledger() as (ledger, settings):
        if only_look:
            count = await _count(ledger, search)
            say({"found": count}, f"{count} would be sent again; nothing was", as_json=as_json)
            return
        counts, refused = await _sent_again(ledger, settings, search, rate, is_quiet=as_json)
    found = sum(counts.values())
    data = {**{outcome: counts[outcome] for outcome in ("done", "already", "refused")}, "why": refused}
    if not found and number is not None:
        raise RefusedError(f"{permission}: no notice {number} was on its way to an endpoint")
    say(data, f"{counts['done']} of {found} are being sent again", as_json=as_json)
    if counts["refused"]:
        for why, how_many in refused.items():
            mind(f"{how_many}: {why}")
        raise RefusedError(f"{counts['refused']} of {found} were not sent")


@notices.command("sample")
@asynchronous
async def sample(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="Of notice, such as period.paid.")],
    to: Annotated[str | None, typer.Option("--to", help="Send it to this endpoint; printed when not given.")] = None,
    only_print: Annotated[
        bool, typer.Option("--dry-run", help="With --to: print it, signed for that endpoint, and send nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a notice of a type, for whoever writes an endpoint: printed, or signed and sent.

    It is about a charge permission that is nobody's, and its webhook id begins with `sample-`.
    """
    from perennial_billing.activities.payloads import schema_of
    from perennial_billing.starter.notices import body_of, headers_of, sample_of

    if only_print and to is None:
        raise StartupError("--dry-run: is accepted with --to, whose secrets sign")
    if to is not None:
        async with opened_ledger() as (ledger, settings):
            if only_print:
                message = sample_of(_type_of(kind), _region(settings))
                headers = headers_of(message, await _endpoint(ledger, settings, to))
                lines = [*(f"{name}: {value}" for name, value in headers.items()), "", message.body]
                say({"headers": headers, "body": message.body}, *lines, as_json=as_json)
                return
            tried = await sent_sample(ledger, settings, kind, to)
        say_tried(to, tried, as_json=as_json)
        return
    from perennial_billing.runtime.settings import load_settings

    parsed = _type_of(kind)
    message = sample_of(parsed, _region(load_settings()))
    data = {"webhook-id": message.id, "body": body_of(message), "schema": schema_of(parsed)}
    if as_json:
        say(data, as_json=True)
    else:
        out.print_json(message.body)


async def sent_sample(ledger: "Ledger", settings: "Settings", kind: str, endpoint_id: str) -> "Tried":
    """Sends an endpoint a sample, from here and once.

    Raises:
        EndpointNotFoundError: there is no such endpoint here.
        StartupError: there is no such type.
    """
    from perennial_billing.activities.notices import ENDPOINT_SECONDS
    from perennial_billing.starter.notices import sample_of, try_sample
    from perennial_billing.worker.wiring import endpoints_client

    message = sample_of(_type_of(kind), _region(settings))
    endpoint = await _endpoint(ledger, settings, endpoint_id)
    async with endpoints_client(settings, at_once=1) as http:
        return await try_sample(message, endpoint, http, ENDPOINT_SECONDS)


async def _sent_again(
    ledger: "Ledger", settings: "Settings", search: "DeliverySearch", rate: float, *, is_quiet: bool
) -> tuple[Counter[str], Counter[str]]:
    """How many of each outcome, and why some were refused."""
    from temporalio.service import RPCError

    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.many.runner import Outcome
    from perennial_billing.starter.notices import SendingAgain
    from perennial_billing.worker.wiring import deliveries_on

    counts, refused = Counter[str](), Counter[str]()
    deliveries = await deliveries_on(await connect(settings), settings)
    sending = SendingAgain(ledger, deliveries, _region(settings), settings.amazon_pay_origin)
    with Progress(console=err, transient=True, disable=is_quiet or not err.is_terminal) as progress:
        total = await _count(ledger, search) if err.is_terminal else None
        task = progress.add_task("sending again", total=total)
        try:
            async for result in sending.all_of(search, rate):
                counts[result.outcome.value] += 1
                if result.outcome is Outcome.REFUSED:
                    refused[result.why] += 1
                progress.advance(task)
        except RPCError as error:
            done = f"{counts[Outcome.DONE.value]} were begun; the same command goes on"
            fail(f"Temporal does not take it now ({error.status.name}): {done}", NOT_ANSWERED)
    return counts, refused


async def _count(ledger: "Ledger", search: "DeliverySearch") -> int:
    from perennial_billing.ledger.undelivered import count_deliveries

    return await count_deliveries(ledger, search)


async def _list(search: "DeliverySearch", after: str, limit: int, *, as_json: bool) -> None:
    from perennial_billing.ledger.undelivered import find_deliveries

    async with opened_ledger() as (ledger, _):
        found = await find_deliveries(ledger, search, after=after, limit=limit)
    more = f"; more: --after {found[-1].id}" if len(found) == limit else ""
    say([_as_data(each) for each in found], _sheet(found), f"{len(found)} deliveries{more}", as_json=as_json)


def _as_data(found: "DeliveryFound") -> dict[str, Any]:  # Any: as JSON writes it
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(found).items()}


def _sheet(found: "Sequence[DeliveryFound]") -> Sheet:
    rows = [
        (
            each.charge_permission_id,
            str(each.number),
            each.type or "-",
            each.endpoint,
            each.state.value,
            str(each.attempts),
            f"{each.since:%Y-%m-%d %H:%M}",
            each.trouble or "-",
        )
        for each in found
    ]
    return Sheet(_DELIVERIES, rows)


async def _endpoint(ledger: "Ledger", settings: "Settings", endpoint_id: str) -> "Endpoint":
    """One with its secrets: of that of the environment variables, they stand there."""
    from perennial_billing.activities.endpoints import Endpoints
    from perennial_billing.starter.endpoints import EndpointNotFoundError
    from perennial_billing.worker.wiring import own_endpoint

    found = await Endpoints(ledger, own_endpoint(settings)).of(endpoint_id)
    if found is None:
        raise EndpointNotFoundError(endpoint_id)
    return found


def _type_of(text: str) -> "NoticeType":
    from perennial_billing.billing.protocol.notices import NoticeType

    try:
        return NoticeType(text)
    except ValueError:
        accepted = ", ".join(kind.value for kind in NoticeType)
        raise StartupError(f"TYPE: {text!r} is not accepted; one of these is: {accepted}") from None


def _region(settings: "Settings") -> "Region":
    from amazon_pay_client import Region
    from perennial_billing.runtime.settings import PREFIX

    try:
        return Region.parse(settings.region)
    except ValueError as error:
        raise StartupError(f"{PREFIX}REGION: {error}") from None

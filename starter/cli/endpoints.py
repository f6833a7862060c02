"""The commands about endpoints for notices: the group `endpoints`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, mind, say
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.ledger.endpoints import Endpoint
    from perennial_billing.ledger.ledger import Ledger
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.endpoints import Made
    from perennial_billing.starter.notices import Tried

_ENDPOINTS = (
    Column("Endpoint"),
    Column("URL", is_prose=True),
    Column("State"),
    Column("Since (UTC)", rank=3),
    Column("Told of", rank=2, is_prose=True),
    Column("Accounts", rank=5, is_prose=True),
    Column("Secrets", rank=4, justify="right"),
    Column("Trouble", rank=1, is_prose=True),
)

endpoints = typer.Typer(help="Look after the endpoints that are told what happens.", no_args_is_help=True)
_secrets = typer.Typer(help="Add and retire what notices are signed with.", no_args_is_help=True)
endpoints.add_typer(_secrets, name="secrets")

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its id, or `environment`.")]
SecretOption = Annotated[
    str | None,
    typer.Option(
        help="What is signed with: `whsec_` and base64; made and printed once when not given.",
        envvar="PERENNIAL_ENDPOINT_SECRET",
        show_envvar=False,
    ),
]


@endpoints.command("list")
@asynchronous
async def list_(as_json: JsonOption = False) -> None:
    """List endpoints: where they are, what they are told of, and why one is disabled. Secrets are never shown."""
    from perennial_billing.ledger.endpoints import all_endpoints

    async with opened_ledger() as (ledger, settings):
        found = await all_endpoints(ledger)
    say([as_data(each) for each in found], _sheet(found), f"{len(found)} endpoints", as_json=as_json)
    if settings.webhook_url and not any(each.id == "environment" for each in found):
        mind("PERENNIAL_WEBHOOK_URL is an endpoint, too; it is listed once a worker has told it something")


@endpoints.command("add")
@asynchronous
async def add(
    url: Annotated[str, typer.Argument(help="Where it listens, such as https://shop.example/notices.")],
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="A type of notices, or a family such as `period.*`; may be repeated; else all."),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            help="Short name of a merchant account whose subscriptions it is told of; may be repeated; else all."
        ),
    ] = None,
    secret: SecretOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an endpoint. Workers tell it within seconds; its secret is printed once, and never again."""
    from perennial_billing.starter.endpoints import add_endpoint

    async with opened_ledger() as (ledger, settings):
        made = await add_endpoint(ledger, settings, url, types or (), secret, accounts=account or ())
    _say_made(made, as_json=as_json)


@endpoints.command("test")
@asynchronous
async def try_out(
    endpoint: EndpointArgument,
    kind: Annotated[str, typer.Option("--type", help="Of the sample.")] = "period.paid",
    as_json: JsonOption = False,
) -> None:
    """Send an endpoint a sample from here, once, and say what it answered. Exit code 1 where it does not take it."""
    from perennial_billing.starter.cli.notices import sent_sample

    async with opened_ledger() as (ledger, settings):
        tried = await sent_sample(ledger, settings, kind, endpoint)
    say_tried(endpoint, tried, as_json=as_json)


@endpoints.command("disable")
@asynchronous
async def disable(endpoint: EndpointArgument, as_json: JsonOption = False) -> None:
    """Send an endpoint nothing any more. What comes is kept as undelivered, and what is on its way is given up."""
    from perennial_billing.starter.endpoints import disable_endpoint

    async with opened_ledger() as (ledger, _):
        stands = await disable_endpoint(ledger, endpoint)
    say(as_data(stands), _in_words(stands), as_json=as_json)


@endpoints.command("enable")
@asynchronous
async def enable(endpoint: EndpointArgument, as_json: JsonOption = False) -> None:
    """Send an endpoint what comes again. What came meanwhile is sent by `perennial notices resend`."""
    from perennial_billing.ledger.undelivered import DeliverySearch, find_deliveries
    from perennial_billing.starter.endpoints import enable_endpoint

    async with opened_ledger() as (ledger, _):
        stands = await enable_endpoint(ledger, endpoint)
        search = DeliverySearch(endpoint=endpoint, undelivered=True)
        waits = bool(await find_deliveries(ledger, search, limit=1))
    how = f"perennial notices resend --all-undelivered --endpoint {endpoint}"
    say(
        as_data(stands), _in_words(stands), *([f"send what was not delivered: {how}"] if waits else ()), as_json=as_json
    )


@endpoints.command("remove")
@asynchronous
async def remove(endpoint: EndpointArgument, as_json: JsonOption = False) -> None:
    """Forget an endpoint and its secrets. What is on its way to it is given up."""
    from perennial_billing.starter.endpoints import remove_endpoint

    async with opened_ledger() as (ledger, _):
        await remove_endpoint(ledger, endpoint)
    say({"id": endpoint, "removed": True}, f"{endpoint}: removed", as_json=as_json)


@_secrets.command("add")
@asynchronous
async def add_secret_(endpoint: EndpointArgument, secret: SecretOption = None, as_json: JsonOption = False) -> None:
    """Add a secret: from now on it signs, too, so the receiver may change over at any time. It is printed once."""
    from perennial_billing.starter.endpoints import add_secret

    async with opened_ledger() as (ledger, _):
        made = await add_secret(ledger, endpoint, secret)
    _say_made(made, as_json=as_json)


@_secrets.command("retire")
@asynchronous
async def retire(
    endpoint: EndpointArgument,
    secret_id: Annotated[int, typer.Argument(metavar="SECRET", help="Its number, as `list --json` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Retire a secret: it is deleted, and signs no more. The last one stays."""
    from perennial_billing.starter.endpoints import retire_secret

    async with opened_ledger() as (ledger, _):
        stands = await retire_secret(ledger, endpoint, secret_id)
    say(as_data(stands), f"{endpoint}: secret {secret_id} is retired; {len(stands.secrets)} sign", as_json=as_json)


def as_data(endpoint: "Endpoint") -> dict[str, Any]:  # Any: as JSON writes it
    """An endpoint as JSON has it: without its secrets."""
    secrets = [{"id": each.id, "created_at": each.created_at.isoformat()} for each in endpoint.secrets]
    return {name: _plain(value) for name, value in asdict(endpoint).items()} | {
        "enabled": endpoint.is_enabled,
        "secrets": secrets,
    }


def say_tried(endpoint: str, tried: "Tried", *, as_json: bool) -> None:
    """What an endpoint did with a sample.

    Raises:
        RefusedError: it did not take it.
    """
    said = f"status {tried.status}" if tried.status is not None else str(tried.trouble)
    data = {"endpoint": endpoint, "taken": tried.was_taken, **asdict(tried)}
    if as_json or tried.was_taken:
        say(data, f"{endpoint}: took it ({said}, {tried.seconds:.2f} s)", as_json=as_json)
    if not tried.was_taken:
        raise RefusedError(f"{endpoint}: did not take it: {said}")


def _say_made(made: "Made", *, as_json: bool) -> None:
    data = as_data(made.endpoint) | {"secret_id": made.secret_id, "secret": made.secret}
    say(
        data,
        _in_words(made.endpoint),
        f"secret {made.secret_id}: {made.secret}",
        "keep it now: it is not shown again",
        as_json=as_json,
    )


def _in_words(endpoint: "Endpoint") -> Text:
    return Text.assemble(f"{endpoint.id}: {endpoint.url} is ", _state(endpoint))


def _state(endpoint: "Endpoint") -> Text:
    if not endpoint.is_enabled:
        return Text(f"disabled: {endpoint.disabled_for}", "red")
    return Text("failing", "yellow") if endpoint.failing_since else Text("enabled", "green")


def _sheet(found: "list[Endpoint]") -> Sheet:
    rows = [
        (
            each.id,
            each.url,
            _state(each),
            f"{each.disabled_at or each.failing_since or each.created_at:%Y-%m-%d %H:%M}",
            ", ".join(each.types) or "everything",
            ", ".join(each.accounts) or "all",
            str(len(each.secrets)) if each.secrets else "-",
            each.trouble or "-",
        )
        for each in found
    ]
    return Sheet(_ENDPOINTS, rows)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


@asynccontextmanager
async def opened_ledger() -> "AsyncIterator[tuple[Ledger, Settings]]":
    """The ledger, and the settings that name it.

    Raises:
        RefusedError: what is asked for is not there, or not possible now.
    """
    from perennial_billing.billing.refusals import Kind, Refused
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    settings = load_settings()
    try:
        async with ledger_of(settings) as ledger:
            yield ledger, settings
    except Refused as error:
        if type(error) is not Refused or error.kind is not Kind.INVALID:  # a class of its own: it is not there
            raise RefusedError(str(error)) from None
        raise

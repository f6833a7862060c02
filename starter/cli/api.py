"""The commands about the HTTP API: `api` serves it, `keys` make and revoke who may use it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, say
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.ledger.api_keys import ApiKey

_KEYS = (
    Column("Id"),
    Column("Name"),
    Column("Scopes"),
    Column("Accounts", rank=3, is_prose=True),
    Column("Made (UTC)", rank=1),
    Column("Revoked (UTC)", rank=2),
)

keys = typer.Typer(help="Make and revoke keys of the HTTP API.", no_args_is_help=True)


@keys.callback()
def _keys() -> None:
    """Make and revoke keys of the HTTP API."""


@keys.command("make")
@asynchronous
async def make(
    name: Annotated[str, typer.Argument(help="Whose it is, such as shop or support-desk; the actor of what it asks.")],
    scope: Annotated[
        list[str], typer.Option(help="What it allows: read, act, refund, admin. May be given several times.")
    ],
    account: Annotated[
        list[str] | None,
        typer.Option(
            help="Short name of a merchant account: it sees and touches its subscriptions alone. May be given several "
            "times; all accounts when not given."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key, and print it: this once only, as no more than a digest of it is kept."""
    import re

    from perennial_billing.billing.contract.terms import ACCOUNT_NAME
    from perennial_billing.ledger.api_keys import Scope
    from perennial_billing.ledger.api_keys import make as make_key
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    known = [each.value for each in Scope]
    for each in scope:
        if each not in known:
            raise StartupError(f"--scope: {each!r} is none; {', '.join(known)} are accepted")
    accounts = list(dict.fromkeys(account or ()))
    for each in accounts:
        if re.fullmatch(ACCOUNT_NAME, each) is None:
            raise StartupError(
                f"--account: {each!r} is no short name of a merchant account; such as shop-eu is accepted"
            )
    if accounts and Scope.ADMIN.value in scope:
        raise StartupError("--account: a key with the scope admin is for all accounts, and cannot be limited to some")
    if not name.isprintable() or not 0 < len(name) <= 128:  # noqa: PLR2004 - of the column, and of an actor
        raise StartupError("NAME: a line of at most 128 characters is accepted")
    async with ledger_of(load_settings()) as ledger:
        made = await make_key(ledger, name, [Scope(each) for each in scope], accounts)
    data = {
        "id": made.key.id,
        "name": name,
        "scopes": sorted(made.key.scopes),
        "accounts": accounts,
        "token": made.token,
    }
    say(data, made.token, as_json=as_json)


@keys.command("list")
@asynchronous
async def list_keys(as_json: JsonOption = False) -> None:
    """List the keys, also the revoked ones; never what they are."""
    from perennial_billing.ledger.api_keys import listed
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    async with ledger_of(load_settings()) as ledger:
        found = await listed(ledger)
    say([_as_data(each) for each in found], _sheet(found), as_json=as_json)


@keys.command("revoke")
@asynchronous
async def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id; the list has it.")],
    as_json: JsonOption = False,
) -> None:
    """Revoke a key. A running API takes it for ten seconds more at most."""
    from perennial_billing.ledger.api_keys import revoke as revoke_key
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.worker.books import ledger_of

    async with ledger_of(load_settings()) as ledger:
        if not await revoke_key(ledger, key_id):
            raise RefusedError(f"{key_id}: there is no such key, or it was revoked before; `perennial keys list`")
    say({"id": key_id, "revoked": True}, f"{key_id} is revoked", as_json=as_json)


def _as_data(key: "ApiKey") -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "accounts": sorted(key.accounts),
        "made_at": key.made_at.isoformat(),
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def _sheet(found: "Sequence[ApiKey]") -> Sheet:
    rows = [
        (
            each.id,
            each.name,
            " ".join(sorted(each.scopes)),
            ", ".join(sorted(each.accounts)) or "all",
            f"{each.made_at:%Y-%m-%d %H:%M}",
            f"{each.revoked_at:%Y-%m-%d %H:%M}" if each.revoked_at else "-",
        )
        for each in found
    ]
    return Sheet(_KEYS, rows)

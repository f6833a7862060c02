"""The commands about merchant accounts: the group `accounts`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.endpoints import opened_ledger
from perennial_billing.starter.cli.output import (
    NOT_ANSWERED,
    JsonOption,
    RefusedError,
    asynchronous,
    fail,
    mind,
    say,
)
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.checks.check import Check
    from perennial_billing.worker.accounts import Account
    from perennial_billing.worker.keeping import NewKey

_ACCOUNTS = (
    Column("Account"),
    Column("Merchant id"),
    Column("Region"),
    Column("Public key id", rank=1, is_prose=True),
    Column("Stands in", rank=2),
    Column("Calls a second", rank=3, is_prose=True),
    Column("Soft descriptor", rank=4, is_prose=True),
)
_CHECKS = (Column("Account"), Column("Check"), Column("State"), Column("Found", is_prose=True))

accounts = typer.Typer(help="Look after the merchant accounts that are charged for.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its short name, such as shop-eu.")]
KeyIdOption = Annotated[str, typer.Option(help="Of the key pair, as Seller Central shows it.")]
KeyFileOption = Annotated[
    Path, typer.Option("--private-key", help="File of the pair's private key (PEM), which is kept encrypted.")
]
PassphraseOption = Annotated[
    str | None,
    typer.Option(
        help="Of the private key's file, where that is encrypted.",
        envvar="PERENNIAL_ACCOUNT_PASSPHRASE",
        show_envvar=False,
    ),
]
UncheckedOption = Annotated[
    bool, typer.Option("--unchecked", help="Without a signed call to Amazon that shows whether it takes the key.")
]


@accounts.callback()
def _accounts() -> None:
    """Look after the merchant accounts that are charged for."""


@accounts.command("list")
@asynchronous
async def list_(as_json: JsonOption = False) -> None:
    """List the accounts of the environment variables, of the file and of the ledger; never their private keys."""
    from perennial_billing.worker.accounts import Accounts

    async with opened_ledger() as (ledger, settings):
        known = Accounts(settings, ledger)
        found = await known.all()
    say([as_data(each) for each in found], _sheet(found), f"{len(found)} accounts", as_json=as_json)
    if known.trouble is not None:
        mind(f"those of the ledger are not known now: {known.trouble}")
    for name, why in known.refused.items():
        mind(f"account {name}: {why}")


@accounts.command("add")
@asynchronous
async def add(
    name: NameArgument,
    merchant_id: Annotated[str, typer.Option(help="Amazon's id of the merchant (seller id).")],
    region: Annotated[str, typer.Option(help="Of the seller account: na, eu or jp.")],
    public_key_id: KeyIdOption,
    private_key: KeyFileOption,
    passphrase: PassphraseOption = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(
            help="Calls a second of an operation, such as CreateCharge=8, where Amazon has raised it; repeat."
        ),
    ] = None,
    soft_descriptor: Annotated[
        str | None, typer.Option(help="What buyers read on their statements, where the plan says nothing.")
    ] = None,
    unchecked: UncheckedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add an account to the ledger, its private key encrypted. Workers know it when it is needed first.

    Amazon is asked once for what nobody has: an account is not added with a key that it does not take.
    """
    from perennial_billing.worker import keeping

    async with opened_ledger() as (ledger, settings):
        keeping.sealing_of(settings)
        account = keeping.new_account(
            settings,
            name=name,
            merchant_id=merchant_id,
            region=region,
            key=keeping.NewKey.of_file(public_key_id, private_key, passphrase),
            quotas=_quotas(quota or ()),
            soft_descriptor=soft_descriptor,
        )
        if not unchecked:
            await _is_taken(account.key, account.region.value, settings)
        await keeping.add(ledger, settings, account)
    data = {"name": name, "merchant_id": merchant_id, "public_key_id": public_key_id, "added": True}
    say(data, f"{name}: added; start subscriptions of it with --account {name}", as_json=as_json)


@accounts.command("check")
@asynchronous
async def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Short names; all of them when not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask Amazon with each account's key for what nobody has, and say what to do where it does not take it.

    Exit code 1 where something is wrong, and 3 where Amazon did not answer.
    """
    from perennial_billing.ledger.accounts import Sealing
    from perennial_billing.worker.accounts import Accounts

    made: dict[str, list[Check]] = {}
    async with opened_ledger() as (ledger, settings):
        known = Accounts(settings, ledger)
        sealing = Sealing(settings.accounts_secrets)
        wanted = names or [*(each.name for each in await known.all()), *known.refused]
        for each in dict.fromkeys(wanted):
            made[each] = await _checks(known, each, sealing, settings)
    found = [each for checks in made.values() for each in checks]
    data = {name: [each.as_data() for each in checks] for name, checks in made.items()}
    say(data, _checks_sheet(made), as_json=as_json)
    _fail_where_wrong(found)


@accounts.command("rotate-key")
@asynchronous
async def rotate_key(
    name: NameArgument,
    public_key_id: KeyIdOption,
    private_key: KeyFileOption,
    passphrase: PassphraseOption = None,
    unchecked: UncheckedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give an account of the ledger another key pair, once Amazon takes it. Workers sign with it within a minute.

    Make the new pair in Seller Central first, and delete the old one there after that minute: calls under way and
    those of workers that do not know the new one yet are signed with the old one.
    """
    from perennial_billing.worker import keeping
    from perennial_billing.worker.accounts import KNOWN_SECONDS, checked_region

    async with opened_ledger() as (ledger, settings):
        keeping.sealing_of(settings)
        key = keeping.NewKey.of_file(public_key_id, private_key, passphrase)
        row = await keeping.row_of(ledger, name)
        try:
            checked_region(row.region, public_key_id, settings)
        except ValueError as error:
            raise StartupError(f"--{str(error).replace('public_key_id', 'public-key-id', 1)}") from None
        if not unchecked:
            await _is_taken(key, row.region, settings)
        await keeping.rotate(ledger, settings, name, key)
    data = {"name": name, "public_key_id": public_key_id, "before": row.public_key_id}
    say(
        data,
        f"{name}: signs with {public_key_id} within {KNOWN_SECONDS:.0f} s",
        f"delete {row.public_key_id} in Seller Central after that",
        as_json=as_json,
    )


@accounts.command("reseal")
@asynchronous
async def reseal(as_json: JsonOption = False) -> None:
    """Encrypt the private keys anew with the first secret of PERENNIAL_ACCOUNTS_SECRET; the others may go then."""
    from perennial_billing.ledger.accounts import seal_anew
    from perennial_billing.worker.keeping import sealing_of

    async with opened_ledger() as (ledger, settings):
        names = await seal_anew(ledger, sealing_of(settings))
    say({"resealed": names}, f"{len(names)} private keys are encrypted with the first secret now", as_json=as_json)


@accounts.command("remove")
@asynchronous
async def remove(
    name: NameArgument,
    although_billed: Annotated[
        bool, typer.Option("--although-billed", help="Also where subscriptions of it have not ended: they are held up.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Forget an account of the ledger and its key. What the ledger has of its subscriptions stays."""
    from perennial_billing.worker import keeping

    async with opened_ledger() as (ledger, _):
        await keeping.remove(ledger, name, although_billed=although_billed)
    say({"name": name, "removed": True}, f"{name}: removed", as_json=as_json)


def as_data(account: "Account") -> dict[str, Any]:  # Any: as JSON writes it
    """An account as JSON has it: without its private key."""
    return {
        "name": account.name,
        "merchant_id": account.merchant_id,
        "region": account.region.value,
        "public_key_id": account.public_key_id,
        "source": account.source.value,
        "quotas": {call.value: rate for call, rate in account.quotas.items()},
        "soft_descriptor": account.soft_descriptor,
    }


def _quotas(given: Sequence[str]) -> Mapping[str, float]:
    """Of `CreateCharge=8`.

    Raises:
        StartupError: a rate is no number.
    """
    quotas: dict[str, float] = {}
    for each in given:
        operation, _, rate = each.partition("=")
        try:
            quotas[operation.strip()] = float(rate)
        except ValueError:
            raise StartupError(f"--quota: {each!r}: such as CreateCharge=8 is accepted") from None
    return quotas


async def _is_taken(key: "NewKey", region: str, settings: "Settings") -> None:
    """Whether Amazon takes a key.

    Raises:
        RefusedError: it does not; says why, and what to do.
    """
    from amazon_pay_client import Region
    from perennial_billing.starter.checks.accounts import account_checks

    checks = await account_checks(key.public_key_id, key.private_key, Region.parse(region), settings)
    _fail_where_wrong(checks)


async def _checks(known: Any, name: str, sealing: Any, settings: "Settings") -> "list[Check]":  # Any: see `check`
    from perennial_billing.activities.accounts import AccountUnusableError
    from perennial_billing.starter.checks.accounts import account_checks
    from perennial_billing.starter.checks.check import Check, State

    try:
        account = await known.account(name)
        key = account.key(sealing)
        return await account_checks(account.public_key_id, key, account.region, settings)
    except (AccountUnusableError, ValueError) as error:
        return [Check(name="account", state=State.WRONG, found=str(error))]


def _fail_where_wrong(checks: "Sequence[Check]") -> None:
    """Ends the command with what is in the way.

    Raises:
        RefusedError: something is wrong.
    """
    from perennial_billing.starter.checks.check import State, in_the_way

    found = in_the_way(checks)
    wrong = [each for each in found if each.state is not State.UNANSWERED]
    if wrong:
        raise RefusedError("; ".join(f"{each.name}: {each.line}" for each in wrong))
    if found:
        fail("; ".join(f"{each.name}: {each.line}" for each in found), NOT_ANSWERED)


def _sheet(found: "Sequence[Account]") -> Sheet:
    rows = [
        (
            each.name,
            each.merchant_id or "-",
            each.region.value,
            each.public_key_id,
            each.source.value,
            ", ".join(f"{call.value} {rate:g}" for call, rate in each.quotas.items()) or "-",
            each.soft_descriptor or "-",
        )
        for each in found
    ]
    return Sheet(_ACCOUNTS, rows)


def _checks_sheet(made: "Mapping[str, list[Check]]") -> Sheet:
    rows = [
        (name, each.name, Text(each.state.value, "red" if each.is_in_the_way else "green"), each.line)
        for name, checks in made.items()
        for each in checks
    ]
    return Sheet(_CHECKS, rows)

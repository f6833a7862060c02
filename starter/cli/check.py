"""The command `perennial check`: whether a deployment can bill, and does."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from perennial_billing.runtime.errors import StartupError
from perennial_billing.starter.cli.output import (
    NOT_ANSWERED,
    JsonOption,
    RefusedError,
    asynchronous,
    err,
    fail,
    out,
    say,
    say_json,
)
from perennial_billing.starter.cli.tables import Column, Sheet

if TYPE_CHECKING:
    from perennial_billing.ledger.accounts import Sealing
    from perennial_billing.runtime.settings import Settings
    from perennial_billing.starter.checks.check import Check
    from perennial_billing.starter.checks.deployment import KnownAccount, Ways
    from perennial_billing.worker.accounts import Account

_CHECKS = (
    Column("Check"),
    Column("State"),
    Column("Found", is_prose=True),
    Column("What to do", rank=1, is_prose=True),
)

IpnUrlOption = Annotated[
    str | None,
    typer.Option(help="The receiver's public address as Seller Central has it, such as https://shop.example/ipn."),
]


@asynchronous
async def check(ipn_url: IpnUrlOption = None, as_json: JsonOption = False) -> None:
    """Look at the whole deployment, from settings and keys to workers and to who is not billed.

    Each finding says what to do. Exit code 1 where there is any that is in the way, 3 where somebody did not answer.
    Nothing is changed, no worker is needed; Amazon is asked once for each account, for what nobody has.
    """
    from rich.progress import Progress

    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.starter.checks.deployment import deployment_checks

    checks: list[Check] = []
    with Progress(console=err, transient=True, disable=as_json or not err.is_terminal) as progress:
        task = progress.add_task("looking", total=None)
        try:
            settings = load_settings()
        except StartupError as error:
            checks.append(_unreadable(error))
        else:
            async for each in deployment_checks(settings, _ways(settings, ipn_url)):
                checks.append(each)
                progress.update(task, description=f"looked at {each.name}")
    _say(checks, as_json=as_json)


def _unreadable(error: StartupError) -> "Check":
    from perennial_billing.starter.checks.looking import wrong

    return wrong("settings", f"{error}; set it right: nothing else is looked at before")


def _say(checks: "Sequence[Check]", *, as_json: bool) -> None:
    from perennial_billing.starter.checks.check import State, in_the_way

    found = in_the_way(checks)
    if as_json:
        say_json({"right": not found, "checks": [each.as_data() for each in checks]})
    else:
        say(None, Sheet(_CHECKS, [_row(each) for each in checks]), as_json=False)
    if found:
        names = ", ".join(each.name for each in found)
        if all(each.state is State.UNANSWERED for each in found):
            fail(f"{len(found)} of {len(checks)} did not answer: {names}", NOT_ANSWERED)
        raise RefusedError(f"{len(found)} of {len(checks)} are not as they are to be: {names}")
    if not as_json:
        out.print(Text("All is as it is to be.", "green"))


def _row(check: "Check") -> tuple[str | Text, ...]:
    from perennial_billing.starter.cli.dev.amazon import style_of

    return (check.name, Text(check.state.value, style_of(check)), check.found, check.to_do)


def _ways(settings: "Settings", ipn_url: str | None) -> "Ways":
    from perennial_billing.ipn.app import PATH
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.checks.deployment import Ways
    from perennial_billing.worker.books import ledger_file, ledger_of
    from perennial_billing.worker.rates import paces_of, rates_of

    file: Path | None = ledger_file(settings)
    return Ways(
        connect=connect,
        open_ledger=lambda: ledger_of(settings),
        accounts=lambda: _accounts(settings),
        rates=lambda: rates_of(settings),
        paces=lambda: paces_of(settings),
        ledger_folder=file.parent if file is not None else None,
        receiver_path=PATH,
        receiver_url=ipn_url,
    )


async def _accounts(settings: "Settings") -> "Sequence[KnownAccount]":
    """Those that can be known: without the ledger, those of the settings and of the file."""
    from contextlib import AsyncExitStack

    from perennial_billing.ledger.accounts import Sealing
    from perennial_billing.worker.accounts import Accounts
    from perennial_billing.worker.books import ledger_of

    async with AsyncExitStack() as stack:
        try:
            ledger = await stack.enter_async_context(ledger_of(settings))
        except StartupError:
            ledger = None
        known = Accounts(settings, ledger)
        found = await known.all()
        sealing = Sealing(settings.accounts_secrets)
        return [_known(each, sealing) for each in found] + [_refused(name, why) for name, why in known.refused.items()]


def _known(account: "Account", sealing: "Sealing") -> "KnownAccount":
    from perennial_billing.activities.accounts import AccountUnusableError
    from perennial_billing.starter.checks.deployment import KnownAccount

    key, trouble = None, ""
    try:
        key = account.key(sealing)
    except AccountUnusableError as error:
        trouble = str(error)
    return KnownAccount(
        name=account.name,
        public_key_id=account.public_key_id,
        region=account.region,
        private_key=key,
        trouble=trouble,
    )


def _refused(name: str, why: str) -> "KnownAccount":
    from amazon_pay_client import Region
    from perennial_billing.starter.checks.deployment import KnownAccount

    to_do = "`perennial accounts list` shows where it stands"
    return KnownAccount(
        name=name, public_key_id="", region=Region.NA, private_key=None, trouble=f"account {name}: {why}; {to_do}"
    )

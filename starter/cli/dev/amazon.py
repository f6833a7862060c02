"""What is `perennial dev --sandbox` alone: the checks before it, its settings, and whether notifications arrive."""

import asyncio
import os
from pathlib import Path
from typing import Final

from rich.text import Text

from amazon_pay_client import Region
from amazon_pay_client.ipn import Notification
from perennial_billing.ipn.app import PATH
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.profile import says_otherwise
from perennial_billing.runtime.settings import PREFIX, Settings, rates_in_words
from perennial_billing.sandbox.house import House
from perennial_billing.starter.checks import notifications
from perennial_billing.starter.checks.check import Check, State, in_the_way
from perennial_billing.starter.checks.sandbox import sandbox_checks
from perennial_billing.starter.cli.output import mind, out, say_json
from perennial_billing.starter.errors import NotReadError

STOP_SECONDS: Final = 5.0
"""How long calls under way are waited for at the end."""

_STYLES: Final = {State.DONE: "green", State.WAITING: "yellow", State.NOT_TRIED: "dim"}
"""Of a state; any other is in the way."""
_STATE_WIDTH: Final = max(len(state) for state in State)


class Notifications:
    """Whether one of Amazon's has arrived.

    Attributes:
        arrived: set by the first.
        check: how it stands now.

    Args:
        receiver: scheme and host of the receiver.
    """

    def __init__(self, receiver: str) -> None:
        self.url: Final = receiver + PATH
        self.arrived: Final = asyncio.Event()
        self.check = notifications.waiting(self.url)

    def take(self, notification: Notification, _topic_arn: str = "") -> None:
        """One that is proven has arrived."""
        if not self.arrived.is_set():
            self.check = notifications.arrived(str(notification.object_type))
            self.arrived.set()


async def all_checked(settings: Settings, arriving: Notifications, *, as_json: bool) -> None:
    """Prints each check as it is made, or all at the end as data.

    Raises:
        StartupError: something mandatory is missing or wrong.
        NotReadError: Amazon did not say, and nothing else is in the way.
    """
    checks = []
    async for check in sandbox_checks(settings, arriving.url):
        checks.append(check)
        if not as_json:
            out.print(line(check), soft_wrap=True)
    blocking = in_the_way(checks)
    if as_json:
        say_json({"ready": not blocking, "checks": [check.as_data() for check in checks]})
    if not blocking:
        return
    why = f"nothing was started: {', '.join(f'{check.name}: {check.state}' for check in blocking)}"
    if all(check.state is State.UNANSWERED for check in blocking):
        raise NotReadError(why)
    raise StartupError(why)


def line(check: Check) -> Text:
    """How it stands, what it is, what was found and what to do."""
    return Text.assemble((f"{check.state:<{_STATE_WIDTH}}", style_of(check)), f"  {check.name}: {check.line}")


def style_of(check: Check) -> str:
    """In which colour its state stands."""
    return _STYLES.get(check.state, "bold red" if check.is_mandatory else "yellow")


def settings_in(folder: Path, settings: Settings) -> Settings:
    """Those of everything that runs on the sandbox: all that is kept is kept in the folder."""
    path = settings.private_key_path
    return settings.model_copy(
        update={
            "data_folder": folder,
            "ledger_url": None,
            "send_virtual_time": False,
            "graceful_shutdown_seconds": STOP_SECONDS,
            "private_key_path": path.absolute() if path is not None else None,
        }
    )


def asked(settings: Settings) -> str:
    """Who is asked, as scheme and host."""
    return settings.amazon_pay_origin or f"https://{Region.parse(settings.region).host}"


def joining(house: House) -> dict[str, str]:
    """The environment variables with which other commands find it. A key that was given as text is not among them."""
    settings = house.settings
    given = {
        "PUBLIC_KEY_ID": settings.public_key_id,
        "PRIVATE_KEY_PATH": settings.private_key_path,
        "MERCHANT_ID": settings.merchant_id,
        "AMAZON_PAY_ORIGIN": settings.amazon_pay_origin,
        "IPN_TRUSTED_CERTIFICATE_PATH": settings.ipn_trusted_certificate_path,
        "ACCOUNTS_PATH": settings.accounts_path.absolute() if settings.accounts_path else None,
        "CALLS_PER_SECOND": rates_in_words(rates) if (rates := settings.calls_per_second) else None,
        "REGION": settings.region,
        "TASK_QUEUE": settings.task_queue,
        "DATA_FOLDER": settings.data_folder,
    }
    variables = {PREFIX + name: str(value) for name, value in given.items() if value is not None}
    return {"TEMPORAL_ADDRESS": house.server.address, **variables}


def mind_what_is_set(variables: dict[str, str]) -> None:
    """Says which variables of this shell keep other commands from it, where they are set there, too."""
    names = says_otherwise(os.environ, variables)
    if names:
        mind(f"{', '.join(names)}: set here, and this works without; where they are set, other commands do not find it")

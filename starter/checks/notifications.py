"""Whether Amazon's notifications arrive, which shows only once one has.

Source of the address's place: Amazon Pay, "set up instant payment notifications".
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from perennial_billing.ledger.arrivals import Arrival
from perennial_billing.starter.checks.check import Check, State

NOTIFICATIONS: Final = "notifications"


LONG_AGO: Final = timedelta(days=45)
"""Longer than from one payday of a month to the next, whose charges Amazon tells of."""


def recorded(arrivals: Sequence[Arrival], topic_arns: Sequence[str]) -> Check:
    """Whether any has come, by what the ledger has noted.

    Args:
        arrivals: that of the last one first.
        topic_arns: whose messages are taken; those of any, where it is empty.
    """
    if not arrivals:
        return Check(
            name=NOTIFICATIONS,
            state=State.WAITING,
            found="none of Amazon's has arrived, so what happens there is learned of later, by asking",
            to_do="enter the receiver's https address in Seller Central, Settings, Integration Settings, as the "
            "merchant URL of Instant Notifications, and look at the receiver's log",
            is_mandatory=False,
        )
    last = arrivals[0]
    found = f"the last one of Amazon's arrived at {last.last_at:%Y-%m-%d %H:%M} UTC, by {last.topic_arn}"
    silent = [each for each in topic_arns if each not in {arrival.topic_arn for arrival in arrivals}]
    if silent:
        return Check(
            name=NOTIFICATIONS,
            state=State.WAITING,
            found=f"{found}; none has by {', '.join(silent)}",
            to_do="see that PERENNIAL_IPN_TOPIC_ARNS names the topics that Amazon sends by",
            is_mandatory=False,
        )
    if datetime.now(UTC) - last.last_at > LONG_AGO:
        return Check(
            name=NOTIFICATIONS,
            state=State.WRONG,
            found=found,
            to_do="see that the receiver runs, and that Seller Central still has its address",
            is_mandatory=False,
        )
    return Check(name=NOTIFICATIONS, state=State.DONE, found=found, is_mandatory=False)


def waiting(receiver: str) -> Check:
    """None has arrived yet.

    Args:
        receiver: where the receiver listens, as an address.
    """
    return Check(
        name=NOTIFICATIONS,
        state=State.WAITING,
        found=f"none has arrived at {receiver}, which only this machine reaches",
        to_do=f"let a public https address (a tunnel, a reverse proxy) lead to {receiver}, and enter it in Seller "
        "Central, Sandbox View, Settings, Integration Settings, as the merchant URL of Instant Notifications",
        is_mandatory=False,
    )


def arrived(object_type: str) -> Check:
    """A genuine one has arrived.

    Args:
        object_type: of what it told, such as CHARGE.
    """
    return Check(
        name=NOTIFICATIONS,
        state=State.DONE,
        found=f"one of Amazon's has arrived, of a {object_type}",
        is_mandatory=False,
    )

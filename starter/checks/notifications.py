"""Whether Amazon's notifications arrive, which shows only once one has.

Source of the address's place: Amazon Pay, "set up instant payment notifications".
"""

from typing import Final

from perennial_billing.starter.checks.check import Check, State

NOTIFICATIONS: Final = "notifications"


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

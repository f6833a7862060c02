"""What was agreed with a buyer, read from a command's options."""

from datetime import UTC, datetime

from pydantic import ValidationError

from billing.plan import Plan
from billing.terms import Terms
from runtime.errors import StartupError
from starter.cli.output import in_one_line

_OPTIONS = {
    "charge_permission_id": "CHARGE_PERMISSION_ID",
    "anchor": "--anchor",
    "zone": "--zone",
    "merchant_reference": "--reference",
}


def agreed(
    *, charge_permission_id: str, plan: Plan, zone: str, anchor: str | None, merchant_reference: str = ""
) -> Terms:
    """The terms; the anchor is now when it is not given.

    Raises:
        StartupError: an option's value is not accepted; says which and what is.
    """
    try:
        instant = datetime.fromisoformat(anchor) if anchor else datetime.now(UTC)
    except ValueError:
        raise StartupError(f"--anchor: {anchor!r} is not an instant such as 2026-01-31T09:00:00+01:00") from None
    try:
        return Terms(
            charge_permission_id=charge_permission_id,
            plan=plan,
            anchor=instant,
            zone=zone,
            merchant_reference=merchant_reference,
        )
    except ValidationError as error:
        raise StartupError(in_one_line(error, _OPTIONS)) from None

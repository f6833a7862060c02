"""What a signal means, however it was written: people type signals into the Web UI, and programs of others send them.

A signal that a workflow cannot read would be dropped by Temporal's SDK, and one that its handler cannot take would stop
the workflow. So whatever comes is taken: what can be understood is done, and what cannot is logged. What was written is
not logged, as it may be personal.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError
from temporalio import workflow

from perennial_billing.billing.changes.ending import ClosureReason
from perennial_billing.billing.protocol.events import CancelAsked, Refresh, Thing
from perennial_billing.workflows.life import Said
from perennial_billing.workflows.messages import CancelRequest, NotificationSignal
from perennial_billing.workflows.names import AMAZONS_NAME, THINGS

_REASON: Final[TypeAdapter[str]] = TypeAdapter(ClosureReason)
_OF_THE_PERMISSION: Final = "CHARGE_PERMISSION"
"""The object type of Amazon's notifications about the charge permission itself."""


def cancellation(arguments: Sequence[object]) -> Said:
    """A cancellation, always: with the reason that an object or a text gives, and with the usual one else."""
    given = arguments[0] if arguments else None
    reason = given.get("reason") if isinstance(given, Mapping) else given
    if isinstance(given, Mapping) and isinstance(reason, str) and reason.strip():
        request = CancelRequest(reason=reason)
    elif _is_reason(reason):
        request = CancelRequest(reason=str(reason))
    else:
        request = CancelRequest()
    _log_unless(_is_of(CancelRequest, arguments), "cancel", "it is canceled")
    return Said(CancelAsked(request.reason), "cancel", [request])


def look_at_permission(arguments: Sequence[object]) -> Said:
    """A look at the charge permission, always; a notification is recognised when it comes again, if it names itself."""
    notification = _notification(arguments, object_type=_OF_THE_PERMISSION)
    _log_unless(not arguments or _is_of(NotificationSignal, arguments), "instrument_updated", "the permission is read")
    event = Refresh(Thing.PERMISSION, notification_id=notification.notification_id or None)
    return Said(event, "instrument_updated", [notification] if arguments else [])


def look_at_object(arguments: Sequence[object]) -> Said | None:
    """A look at the charge, refund or dispute that is named; at the charge permission where none is.

    None for an object of a kind that has nothing to do with a subscription.
    """
    notification = _notification(arguments)
    kind, identifier = notification.object_type, notification.object_id
    _log_unless(_is_of(NotificationSignal, arguments), "amazon_pay_notification", "what it names is read")
    if not identifier or kind == _OF_THE_PERMISSION:
        return look_at_permission([notification.model_dump(mode="json")])
    if kind not in THINGS:
        workflow.logger.warning("a notification of a kind that is not known", extra={"object_type": kind})
        return None
    event = Refresh(Thing(THINGS[kind]), identifier, notification.notification_id or None)
    return Said(event, "amazon_pay_notification", [notification])


def _is_reason(given: object) -> bool:
    try:
        _REASON.validate_python(given, strict=True)
    except ValidationError:
        return False
    return True


def _notification(arguments: Sequence[object], object_type: str = "") -> NotificationSignal:
    """As much of a notification as can be read; a field that cannot is empty."""
    given = arguments[0] if arguments else None
    fields = given if isinstance(given, Mapping) else {}

    def text(name: str) -> str:
        value = fields.get(name)
        return value if isinstance(value, str) and AMAZONS_NAME.fullmatch(value) else ""

    return NotificationSignal(
        notification_id=text("notification_id"),
        object_type=text("object_type") or object_type,
        object_id=text("object_id"),
    )


def _is_of(form: type[CancelRequest | NotificationSignal], arguments: Sequence[object]) -> bool:
    """Whether a signal is as it is to be, fields of a newer release aside."""
    try:
        (given,) = arguments
        form.model_validate(given, extra="ignore", strict=True)
    except ValueError:
        return False
    return True


def _log_unless(well_formed: bool, signal: str, meaning: str) -> None:  # noqa: FBT001 - it reads as a sentence
    if not well_formed:
        workflow.logger.warning("a signal is not as it is to be: %s", meaning, extra={"signal": signal})

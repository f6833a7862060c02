"""What workflows count. Not while they replay: the SDK's meter is silent then. Nothing of it is in a history.

Labels have few values: an account's short name, and words of ours or of the reason codes that are known.
"""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from perennial_billing.billing.dunning.reasons import counted_as
    from perennial_billing.billing.protocol.answers import ChargeAnswer
    from perennial_billing.billing.protocol.commands import Command, CreateCharge

UNANSWERED: Final = "perennial_unanswered"
CHARGES: Final = "perennial_charge_answers"
SENT: Final = "perennial_charge_sent_lateness"
KNOWN: Final = "perennial_charge_known_lateness"


def unanswered(command: Command, account: str) -> None:
    """A call was not answered in good time."""
    counter = workflow.metric_meter().create_counter(
        UNANSWERED, "Calls that were not answered in good time, by action."
    )
    counter.add(1, {"action": command.action.value, "merchant_account": account})


def answered(command: Command, answer: object, account: str, due: datetime | None = None) -> None:
    """A call was answered; of charges it is counted how, and how long after they were due.

    Args:
        command: what was called.
        answer: what came of it.
        account: the merchant account that it was called for.
        due: when a charge was due (UTC): by its period, or as a retry was planned; None where it follows from what
            somebody asked or mended, and was due at once.
    """
    if not isinstance(answer, ChargeAnswer):
        return
    meter = workflow.metric_meter()
    charges = meter.create_counter(CHARGES, "What Amazon answered of charges, by action, outcome and reason code.")
    charges.add(
        1,
        {
            "action": command.action.value,
            "outcome": answer.outcome.value,
            "reason_code": counted_as(answer.reason_code),
            "merchant_account": account,
        },
    )
    if not isinstance(command, CreateCharge):
        return
    labels = {"merchant_account": account}
    known = meter.create_histogram_timedelta(KNOWN, "From when a charge was due until its outcome was known.")
    due = due or command.at
    known.record(_not_early(workflow.now() - due), labels)
    if answer.created_at is not None:
        sent = meter.create_histogram_timedelta(SENT, "From when a charge was due until Amazon made it, by its clock.")
        sent.record(_not_early(answer.created_at - due), labels)


def _not_early(late: timedelta) -> timedelta:
    """Clocks differ, and no histogram takes less than nothing."""
    return max(late, timedelta())

"""What is seen of a subscription on its way: a line for each thing that it tells, and for each other standing."""

import sys
from collections.abc import Iterable
from datetime import datetime
from json import dumps
from typing import Any

from rich.text import Text

from perennial_billing.billing.protocol.notices import Notice
from perennial_billing.billing.view import SubscriptionView
from perennial_billing.starter.cli.output import out


def standing(view: SubscriptionView) -> dict[str, Any]:  # Any: as JSON writes it
    """How it stands, in short."""
    following = view.next
    return {
        "status": view.status.value,
        "past_due": view.past_due,
        "needs_attention": view.needs_attention,
        "last_reason": view.last_reason,
        "next": following.model_dump(mode="json") if following else None,
        "ended_at": view.ended_at.isoformat() if view.ended_at else None,
    }


def as_data(notice: Notice) -> dict[str, Any]:  # Any: as above
    """What was told."""
    return notice.model_dump(mode="json", exclude_none=True)


def standing_line(view: SubscriptionView) -> Text:
    """How it stands, and what is next, in a line."""
    words = [("  ", ""), (view.status.value.replace("_", " "), "bold")]
    if view.past_due:
        words.append((", past due", "yellow"))
    if view.last_reason:
        words.append((f" ({view.last_reason})", ""))
    following = view.next
    words.append(
        (f"; next: {following.action.value} {_minute(following.at)} UTC, {following.why}" if following else "", "")
    )
    return Text.assemble(*words)


def notice_line(notice: Notice, of: str | None = None) -> Text:
    """What was told, in a line; with whose it is, where several are followed."""
    period = f" period {notice.period}" if notice.period is not None else ""
    amount = f" {notice.amount}" if notice.amount is not None else ""
    what = notice.refund_id or notice.dispute_id or notice.charge_id or notice.successor
    why = notice.reason_code or notice.reason
    return Text.assemble(
        f"{_minute(notice.at)}  ",
        f"{of}  " if of else "",
        (notice.type.value, "green" if notice.type.value.endswith((".paid", ".mended", ".completed")) else "bold"),
        f"{period}{amount}",
        f"  {what}" if what else "",
        f"  {why}" if why else "",
    )


def print_lines(lines: Iterable[Text]) -> None:
    """Prints them at once, as somebody waits for each."""
    for line in lines:
        out.print(line, soft_wrap=True)


def print_data(line: dict[str, Any]) -> None:  # Any: as above
    """Prints a line of JSON at once."""
    sys.stdout.write(dumps(line, default=str) + "\n")
    sys.stdout.flush()


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"

"""How a subscription shows itself in the Temporal Web UI: search attributes and details in Markdown."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.parts.ledger import PeriodRecord
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.status import Status
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.view import (
    DisputeView,
    RefundView,
    SubscriptionView,
    ToBeCaptured,
    UnansweredView,
    view_of,
)
from perennial_billing.workflows.names import (
    LAST_REASON,
    MERCHANT_ACCOUNT,
    MERCHANT_REFERENCE,
    NEEDS_ATTENTION,
    NEXT_ACTION_AT,
    PAST_DUE,
    PLAN,
    STATUS,
    in_summary,
)

_ROOM: Final = "\u00a0"
"""A space that Markdown keeps."""

_MARKS: Final = re.compile(r"[\\`*\[\]<>|~]")
"""What begins something in Markdown, within a line."""


def initial_search_attributes(subscription: Subscription) -> TypedSearchAttributes:
    """The search attributes that a subscription is started with, so that no worker is needed to list it."""
    terms = subscription.terms
    pairs: list[SearchAttributePair[Any]] = [  # Any: the values' types differ by key
        SearchAttributePair(key, value) for key, value in _changing(view_of(subscription)) if value is not None
    ]
    pairs.append(SearchAttributePair(MERCHANT_ACCOUNT, terms.merchant_account))
    if terms.merchant_reference:
        pairs.append(SearchAttributePair(MERCHANT_REFERENCE, terms.merchant_reference))
    return TypedSearchAttributes(pairs)


def search_attribute_updates(
    view: SubscriptionView, current: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:  # Any: as above
    """What has to change in the search attributes; empty where they are right already."""
    return [
        key.value_unset() if value is None else key.value_set(value)
        for key, value in _changing(view)
        if current.get(key) != value
    ]


def _changing(view: SubscriptionView) -> Iterator[tuple[SearchAttributeKey[Any], Any]]:
    yield PLAN, view.agreed.plan.plan_id
    yield STATUS, view.status.value
    yield NEXT_ACTION_AT, view.next.at if view.next else None
    yield LAST_REASON, view.last_reason
    yield NEEDS_ATTENTION, view.needs_attention
    yield PAST_DUE, view.past_due


def static_summary(terms: Terms) -> str:
    """One line for the list of workflows."""
    plan = terms.plan
    return in_summary(f"{plan.plan_id}: {plan}" + (f", for {terms.quantity} units" if terms.quantity > 1 else ""))


def details(view: SubscriptionView) -> str:
    """What a person wants to know first, in Markdown: how it stands, what happens next and why, what was."""
    terms, following = view.terms, view.next
    is_over = view.has_ended or view.status in {Status.ENDING, Status.AWAITING_CHECKOUT}
    expires_at = None if is_over else view.permission_expires_at
    lines = [
        f"## {view.status.value.replace('_', ' ').capitalize()}{', past due' if view.past_due else ''}",
        "",
        f"**Next:** {following.action.value}, {_instant(following.at)} ({_literal(following.why)})"
        if following
        else "**Next:** nothing by itself",
        *_left_to_you(view),
        "",
        "| | |",
        "| --- | --- |",
        _row("Plan", str(view.agreed)),
        _row("Anchor", f"{_instant(terms.anchor)}, counted in {terms.zone}"),
        _row("Charge permission", terms.charge_permission_id),
        *([_row("Expires unless charged", _instant(expires_at))] if expires_at else []),
        _row("Merchant account", terms.merchant_account),
        _row("Merchant reference", terms.merchant_reference or "-"),
        _row("Paid periods", view.periods_paid),
        *(_row(*row) for row in _changes(view)),
    ]
    if view.last_reason:
        lines.append(_row("Last reason", view.last_reason))
    if owed := view.owed:
        lines += ["", f"**Owed:** period {owed.period}, due {_instant(owed.due)}, {owed.amount}"]
        lines.append(f"({owed.attempts} attempts so far)")
        if owed.charge_in_question:
            lines.append(f"**Charge in question:** {owed.charge_in_question}. Look at it, then: `perennial resolve`")
        if owed.held_because:
            lines.append(f"Held: {_literal(owed.held_because)}")
        if owed.not_counted:
            lines.append(f"The charge that was named is not counted: {_literal(owed.not_counted)}")
    lines += _table(
        ("Not answered", "Which", "Since (UTC)", "Why"),
        "| --- | --- | --- | --- |",
        map(_unanswered, view.unanswered),
    )
    lines += _table(
        ("To be captured", "Amount", "Until (UTC)", "Charge", "Last failure"),
        "| ---: | ---: | --- | --- | --- |",
        map(_to_be_captured, view.to_be_captured),
    )
    lines += _table(
        ("Refund", "Period", "Amount", "State", "Asked for (UTC)", "Amazon's"),
        "| ---: | ---: | ---: | --- | --- | --- |",
        map(_refund, reversed(view.refunds)),
    )
    lines += _table(
        ("Dispute", "Period", "Amount", "State", "Contest until (UTC)"),
        "| --- | ---: | ---: | --- | --- |",
        map(_dispute, reversed(view.disputes)),
    )
    lines += _table(
        ("Period", "Due (UTC)", "Amount", "Outcome", "Attempts", "Settled (UTC)", "Charge"),
        "| ---: | --- | ---: | --- | ---: | --- | --- |",
        map(_record, reversed(view.ledger)),
    )
    return "\n".join(lines)


def _left_to_you(view: SubscriptionView) -> Iterator[str]:
    """What only the merchant can do, where that is waited for."""
    owed = view.owed
    if view.ledger_told is not None:
        yield (
            f"**The ledger knows more of it:** {view.ledger_told} notices, and this workflow {view.notices_told}, as "
            "after a restore of Temporal's database. Nothing is done before `perennial recover`"
        )
    if view.notices_held_since is not None:
        yield (
            f"{view.notices_waiting} notices wait since {_instant(view.notices_held_since)}: the ledger cannot be "
            "written to, or deliveries not be started. It is tried again every 10 minutes"
        )
    if view.awaits_checkout_until is not None:
        yield f"A new checkout is awaited until {_instant(view.awaits_checkout_until)}; then: `perennial replace`"
    elif owed is not None and owed.stage is Stage.ON_HOLD and owed.held_for is not None and not owed.attempt_is_open:
        commands = "`perennial retry`, `perennial resolve` or `perennial write-off`"
        yield f"Period {owed.period} waits for you ({owed.held_for}): {commands}"


def _table(heading: tuple[str, ...], alignment: str, rows: Iterator[str]) -> list[str]:
    """A table, where there is a row."""
    lines = list(rows)
    return ["", _row(*heading), alignment, *lines] if lines else []


def _changes(view: SubscriptionView) -> Iterator[tuple[str, object]]:
    """What is planned, and what is added to the next charge or taken off it."""
    for agreement in view.changes:
        yield f"From {_instant(agreement.starts_at)}", str(agreement)
    yield from _how_it_goes_on(view)
    for date in view.dates:
        if date.period in view.skips:
            yield "Skips", f"period {date.period}, due {_instant(date.due)}"
    for item in view.items:
        yield "With the next charge", f"{item.amount}: {item.what}"
    if view.credit:
        yield "Credit", view.credit
    if view.amazon_untold:
        yield "Amazon is not told yet", view.amazon_untold


def _how_it_goes_on(view: SubscriptionView) -> Iterator[tuple[str, object]]:
    """Its pause, its end, and the charge permission under which it does not go on."""
    if pause := view.pause:
        until = _instant(pause.until) if pause.until else "it is resumed"
        yield "Paused", f"from {_instant(pause.since)} until {until}"
    if view.canceled_at:
        yield "Canceled", f"{_instant(view.canceled_at)}; it ends once the charge under way has come to something"
    if planned := view.planned_end:
        yield "Ends", f"{_instant(planned.at)}: {planned.reason}"
    if refused := view.refused_successor:
        yield "Does not go on under", f"{refused.charge_permission_id}: {refused.why}"


def _to_be_captured(waiting: ToBeCaptured) -> str:
    return _row(
        f"period {waiting.period}",
        waiting.capturing or waiting.amount,
        f"{waiting.expires_at:%Y-%m-%d %H:%M}",
        waiting.charge_id,
        waiting.failed_for or "-",
    )


def _refund(refund: RefundView) -> str:
    return _row(
        refund.number,
        refund.period,
        refund.amount,
        refund.state.value + (f" ({refund.reason_code})" if refund.reason_code else ""),
        f"{refund.requested_at:%Y-%m-%d %H:%M}",
        refund.refund_id or "-",
    )


def _unanswered(call: UnansweredView) -> str:
    return _row(call.action.value, call.about or "-", f"{call.since:%Y-%m-%d %H:%M}", call.why)


def _dispute(dispute: DisputeView) -> str:
    return _row(
        dispute.dispute_id,
        "-" if dispute.period is None else dispute.period,
        dispute.amount or "-",
        dispute.state or _unread(dispute),
        f"{dispute.deadline:%Y-%m-%d %H:%M}" if dispute.deadline else "-",
    )


def _unread(dispute: DisputeView) -> str:
    if dispute.unreadable is None:
        return "not read yet"
    given_up = "" if dispute.read_again_at else ", not read any more"
    return f"cannot be read: {dispute.unreadable}{given_up}"


def _record(record: PeriodRecord) -> str:
    return _row(
        record.period,
        f"{record.due:%Y-%m-%d %H:%M}",
        record.amount,
        record.outcome.value
        + (f" ({record.reason})" if record.reason else "")
        + (f", {record.refunded} refunded" if record.refunded else ""),
        record.attempts,
        f"{record.settled_at:%Y-%m-%d %H:%M}",
        record.charge_id or "-",
    )


def _row(*cells: object) -> str:
    """A row of a table. The Web UI sets cells without any room between them, so each brings its own."""
    return "".join(f"| {_ROOM}{_literal(cell)}{_ROOM} " for cell in cells) + "|"


def _literal(text: object) -> str:
    """A text that Markdown shows as it is: no link, no table, no heading of somebody else's."""
    return _MARKS.sub(r"\\\g<0>", str(text).replace("\n", " "))


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"

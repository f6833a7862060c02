"""How a subscription shows itself in the Temporal Web UI: search attributes and details in Markdown."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from billing.disputes import Dispute
from billing.ledger import PeriodRecord
from billing.schedule import Agreement
from billing.subscription import Subscription
from billing.terms import Terms
from workflows.names import LAST_REASON, MERCHANT_REFERENCE, NEEDS_ATTENTION, NEXT_ACTION_AT, PLAN, STATUS

_ROOM: Final = "\u00a0"
"""A space that Markdown keeps."""


def initial_search_attributes(subscription: Subscription) -> TypedSearchAttributes:
    """The search attributes that a subscription is started with, so that no worker is needed to list it."""
    terms = subscription.terms
    pairs: list[SearchAttributePair[Any]] = [  # Any: the values' types differ by key
        SearchAttributePair(key, value) for key, value in _changing(subscription) if value is not None
    ]
    if terms.merchant_reference:
        pairs.append(SearchAttributePair(MERCHANT_REFERENCE, terms.merchant_reference))
    return TypedSearchAttributes(pairs)


def search_attribute_updates(
    subscription: Subscription, current: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:  # Any: as above
    """What has to change in the search attributes; empty where they are right already."""
    return [
        key.value_unset() if value is None else key.value_set(value)
        for key, value in _changing(subscription)
        if current.get(key) != value
    ]


def _changing(subscription: Subscription) -> Iterator[tuple[SearchAttributeKey[Any], Any]]:
    step = subscription.next_to_do
    yield PLAN, subscription.plan.plan_id
    yield STATUS, subscription.status.value
    yield NEXT_ACTION_AT, step.at if step else None
    yield LAST_REASON, subscription.last_reason
    yield NEEDS_ATTENTION, subscription.needs_attention


def static_summary(terms: Terms) -> str:
    """One line for the list of workflows."""
    plan = terms.plan
    return f"{plan.plan_id}: {plan}" + (f", for {terms.quantity} units" if terms.quantity > 1 else "")


def details(subscription: Subscription) -> str:
    """What a person wants to know first, in Markdown: how it stands, what happens next and why, what was."""
    terms, step = subscription.terms, subscription.next_to_do
    lines = [
        f"## {subscription.status.value.replace('_', ' ').capitalize()}",
        "",
        f"**Next:** {step.action.value}, {_instant(step.at)} ({step.why})" if step else "**Next:** nothing by itself",
        "",
        "| | |",
        "| --- | --- |",
        _row("Plan", _agreed(subscription.agreement_at(subscription.next_period))),
        _row("Anchor", f"{_instant(terms.anchor)}, counted in {terms.zone}"),
        _row("Charge permission", terms.charge_permission_id),
        _row("Merchant reference", terms.merchant_reference or "-"),
        _row("Paid periods", subscription.periods_paid),
    ]
    lines += [_row(*row) for row in _changes(subscription)]
    if subscription.last_reason:
        lines.append(_row("Last reason", subscription.last_reason))
    if collection := subscription.collection:
        lines += [
            "",
            f"**Owed:** period {collection.period}, due {_instant(collection.due)}, {collection.amount}",
            f"({collection.attempts} attempts so far)",
        ]
    if subscription.authorizations:
        lines += [
            "",
            _row("To be captured", "Amount", "Until (UTC)", "Charge", "Last failure"),
            "| ---: | ---: | --- | --- | --- |",
            *(
                _row(
                    f"period {each.record.period}",
                    each.capture or each.record.amount,
                    f"{each.expires_at:%Y-%m-%d %H:%M}",
                    each.charge_id,
                    each.failed_for or "-",
                )
                for each in subscription.authorizations
            ),
        ]
    if subscription.refunds:
        lines += [
            "",
            _row("Refund", "Period", "Amount", "State", "Asked for (UTC)", "Amazon's"),
            "| ---: | ---: | ---: | --- | --- | --- |",
            *(
                _row(
                    refund.number,
                    refund.period,
                    refund.amount,
                    refund.state.value + (f" ({refund.reason_code})" if refund.reason_code else ""),
                    f"{refund.requested_at:%Y-%m-%d %H:%M}",
                    refund.refund_id or "-",
                )
                for refund in reversed(subscription.refunds)
            ),
        ]
    if subscription.disputes:
        lines += [
            "",
            _row("Dispute", "Period", "Amount", "State", "Contest until (UTC)"),
            "| --- | ---: | ---: | --- | --- |",
            *(_dispute(dispute) for dispute in reversed(subscription.disputes)),
        ]
    if subscription.ledger:
        lines += [
            "",
            _row("Period", "Due (UTC)", "Amount", "Outcome", "Attempts", "Settled (UTC)", "Charge"),
            "| ---: | --- | ---: | --- | ---: | --- | --- |",
            *(_record(record) for record in reversed(subscription.ledger)),
        ]
    return "\n".join(lines)


def _agreed(agreement: Agreement) -> str:
    if agreement.once is not None:
        return f"{agreement.once}: {agreement.plan.regular.amount}, once"
    units = f", for {agreement.quantity} units" if agreement.quantity > 1 else ""
    day = f", on day {agreement.billing_day.day} of the month" if agreement.billing_day else ""
    return f"{agreement.plan.plan_id}: {agreement.plan}{units}{day}"


def _changes(subscription: Subscription) -> Iterator[tuple[str, object]]:
    """What is planned, and what is added to the next charge or taken off it."""
    for agreement in subscription.agreements:
        if agreement.first > subscription.next_period:
            yield f"From {_instant(agreement.starts_at)}", _agreed(agreement)
    if pause := subscription.pause:
        until = _instant(pause.until) if pause.until else "it is resumed"
        yield "Paused", f"from {_instant(pause.since)} until {until}"
    if planned := subscription.planned_end:
        yield "Ends", f"{_instant(planned.at)}: {planned.reason}"
    for number in subscription.skips:
        yield "Skips", f"period {number}, due {_instant(subscription.schedule.due(number))}"
    for extra in subscription.extras:
        yield "With the next charge", f"{extra.amount}: {extra.what}"
    if subscription.credit:
        yield "Credit", subscription.credit
    if subscription.recurrence_untold:
        yield "Amazon is not told yet", subscription.recurrence


def _dispute(dispute: Dispute) -> str:
    seen = dispute.seen
    return _row(
        dispute.dispute_id,
        "-" if dispute.period is None else dispute.period,
        (seen and seen.amount) or "-",
        (seen and (seen.resolution or seen.state)) or "not read yet",
        f"{seen.deadline:%Y-%m-%d %H:%M}" if seen and seen.deadline else "-",
    )


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
    return "".join(f"| {_ROOM}{cell}{_ROOM} " for cell in cells) + "|"


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"

"""What must hold between the account and Amazon: one rule a function."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from perennial_billing.billing.parts.authorizations import AUTHORIZATION_LIVES
from perennial_billing.billing.parts.stages import Stage
from perennial_billing.billing.protocol.answers import ChargeOutcome
from perennial_billing.billing.status import Status
from perennial_billing.starter.audit.account import Charged, Standing
from perennial_billing.starter.audit.case import Case
from perennial_billing.starter.audit.months import months_at, most_counted, used_of

CLOCKS_DIFFER_BY: Final = timedelta(minutes=5)
"""At the most, Amazon's and the workers': a request that is signed by a clock further off is refused."""

DECIDED_WITHIN: Final = timedelta(hours=25)
"""Amazon takes up to 24 hours to decide on a charge ("asynchronous processing"); an hour later that was read."""

LAPSES_AFTER: Final = AUTHORIZATION_LIVES + timedelta(days=1)
"""An authorization is read when it ends, and a day later that is known."""


def no_period_is_charged_twice(case: Case) -> Iterator[str]:
    """At most one captured charge a period: by the keys that the charges were made with, and by the account."""
    keys = Counter((booked.owner, booked.period) for booked in case.captured if booked.period is not None)
    yield from (f"period {period} was charged {count} times" for (_, period), count in keys.items() if count > 1)
    by_key = {period for (_, period), count in keys.items() if count > 1}
    by_account: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    before = case.record.predecessor.periods if case.record and case.record.predecessor else frozenset()
    for each in case.account.paid:
        if each.charge_id is not None:
            by_account[each.life, each.period].add(each.charge_id)
    for period, charge_id in before:
        by_account[1, period].add(charge_id)
    for (_, period), charge_ids in sorted(by_account.items()):
        if len(charge_ids) > 1 and period not in by_key:
            yield f"period {period} was charged {len(charge_ids)} times: {', '.join(sorted(charge_ids))}"


def no_charge_pays_two_periods(case: Case) -> Iterator[str]:
    """What was paid for one period pays for no other."""
    counted = Counter(each.charge_id for each in case.account.paid if each.charge_id is not None)
    yield from (f"charge {charge_id} pays {count} periods" for charge_id, count in counted.items() if count > 1)


def every_charge_is_known(case: Case) -> Iterator[str]:
    """What took money at Amazon is in the account, however long ago it was, and under whatever key it was made.

    What was authorized before the subscription went on under another charge permission is captured there.
    """
    if not case.all_charges or not case.account.is_whole or case.is_busy or case.is_stranger:
        return
    known = case.account.charge_ids
    for booked in case.own_charges:
        if booked.is_captured and booked.charge_id not in known:
            yield f"charge {booked.charge_id} took money and is in no account"


def amazon_counts_no_more_than_is_known(case: Case) -> Iterator[str]:
    """What Amazon has counted of this month's limit was charged by this subscription, or is being charged.

    Not asked of the month in which somebody joined who was charged elsewhere before.
    """
    subscription, account = case.subscription, case.account
    used = used_of(case.permission, account.charges)
    is_unsure = case.is_busy or not account.is_whole or (subscription is None and not case.has_ended)
    if used is None or is_unsure or case.record is None or _joined_this_month(case):
        return
    own = [each for each in account.charges if each.charge_id not in case.predecessors_charges]
    most = most_counted(own, case.now)
    if subscription is not None and subscription.owed is not None:
        most += subscription.owed.amount.amount
    if used > most:
        currency = case.permission.monthly_limit.currency if case.permission and case.permission.monthly_limit else ""
        yield (
            f"Amazon has counted {used} {currency} in this calendar month, and only {most} {currency} "
            "is in the ledger: a charge that no entry knows"
        )


def _joined_this_month(case: Case) -> bool:
    first = min((each.period for each in case.account.charges), default=0)
    joined_with = case.subscription.joined_with if case.subscription is not None else first
    entries = case.record.entries if case.record is not None else ()
    went_on = case.record is not None and case.record.predecessor is not None
    began = min((entry.at for entry in entries), default=None)
    return joined_with > 0 and not went_on and began is not None and began >= months_at(case.now)[0].begins


def every_paid_period_has_a_charge(case: Case) -> Iterator[str]:
    """What the account calls paid was captured."""
    for each in case.account.paid:
        booked = case.charges.get(each.charge_id or "")
        is_missing = each.charge_id is None or (booked is None and case.all_charges)
        if is_missing or (booked is not None and not booked.is_captured):
            state = f" ({booked.charge.reason_code or booked.charge.outcome.value})" if booked is not None else ""
            yield f"period {each.period} is paid by the account; {each.charge_id or 'no charge'} is not captured{state}"


def no_more_is_captured_than_was_due(case: Case) -> Iterator[str]:
    """A capture takes what the buyer was to be charged, or less where the merchant wanted that."""
    for each in case.account.paid:
        if each.authorized is not None and each.amount.amount > each.authorized.amount:
            yield f"period {each.period}: {each.amount} captured by the account, {each.authorized} was authorized"
        booked = case.charges.get(each.charge_id or "")
        if booked is None or not booked.is_captured or booked.charge.captured is None:
            continue
        captured, asked = booked.charge.captured, booked.charge.amount
        if captured.amount > each.amount.amount:
            yield f"period {each.period}: {captured} captured, {each.amount} in the account"
        elif asked is not None and captured.amount > asked.amount:
            yield f"period {each.period}: {captured} captured of a charge of {asked}"


def every_charge_is_of_the_amount_in_the_account(case: Case) -> Iterator[str]:
    """What was captured is in the account under the same amount and currency; a part of a charge is what it is."""
    for each in case.account.paid:
        booked = case.charges.get(each.charge_id or "")
        if booked is None or not booked.is_captured:
            continue
        taken = booked.taken
        if taken is None or taken.currency != each.amount.currency or taken.amount < each.amount.amount:
            charged = taken or "an amount that cannot be read"
            yield f"period {each.period}: {charged} charged, {each.amount} in the account"


def no_charge_is_made_before_it_is_due(case: Case) -> Iterator[str]:
    """A buyer is charged for a period once it has fallen due, unless somebody has settled it by hand."""
    for each in case.account.charges:
        if each.due is None or each.standing is Standing.LAPSED or each.period in case.account.settled_by_hand:
            continue
        booked = case.charges.get(each.charge_id or "")
        created = booked.charge.created_at if booked is not None else None
        at = min(each.at, created) if created is not None else each.at
        if at < each.due - CLOCKS_DIFFER_BY:
            minute = "%Y-%m-%d %H:%M"
            yield f"period {each.period} was charged at {at:{minute}} UTC, and fell due at {each.due:{minute}}"


def what_went_back_went_back_at_amazon(case: Case) -> Iterator[str]:
    """What the account calls refunded was refunded; the merchant may have refunded more, in Seller Central."""
    periods = {each.charge_id: each.period for each in case.account.paid}
    for charge_id, amount in case.account.refunded.items():
        booked = case.charges.get(charge_id)
        if booked is None or not booked.is_captured:
            continue
        refunded = booked.charge.refunded
        if refunded is None or refunded.amount < amount.amount:
            of = f"period {periods[charge_id]}" if charge_id in periods else f"charge {charge_id}"
            yield f"{of}: {amount} refunded by the account, {refunded or 'nothing'} by Amazon"


def no_authorization_is_left_behind(case: Case) -> Iterator[str]:
    """What was authorized is captured, or let go, and somebody waits for it until then."""
    waiting = {each.charge_id for each in case.account.charges if each.standing is Standing.AUTHORIZED}
    is_open = case.subscription is not None and case.subscription.owed is not None
    for each in case.account.charges:
        booked = case.charges.get(each.charge_id or "")
        is_gone = booked is not None and booked.charge.outcome is not ChargeOutcome.AUTHORIZED
        if each.standing is Standing.AUTHORIZED and not is_gone and _is_left(each, case):
            yield f"charge {each.charge_id} of period {each.period} is authorized, and nothing waits for it"
        elif booked is not None and booked.charge.outcome is ChargeOutcome.AUTHORIZED and each.charge_id not in waiting:
            yield f"charge {each.charge_id} is authorized at Amazon, and {each.standing.value} by the account"
    if case.is_busy or is_open or not case.all_charges or not case.account.is_whole:
        return
    for booked in case.own_charges:
        if booked.charge.outcome is ChargeOutcome.AUTHORIZED and booked.charge_id not in case.account.charge_ids:
            yield f"charge {booked.charge_id} is authorized at Amazon, and in no account"


def _is_left(each: Charged, case: Case) -> bool:
    """Where the subscription went on under another charge permission, it is captured there."""
    if case.status is Status.REPLACED:
        return False
    return case.now - each.at > LAPSES_AFTER or (case.has_ended and not case.is_busy)


def no_charge_is_pending_for_long(case: Case) -> Iterator[str]:
    """Amazon decides on a charge within a day, and the subscription reads that within the hour."""
    owed, since = case.subscription.owed if case.subscription is not None else None, case.account.pending_since
    if since is None or case.has_ended or case.now - since <= DECIDED_WITHIN:
        return
    if owed is not None and owed.stage is not Stage.PENDING:
        return
    name = owed.pending_charge_id if owed is not None else None
    booked = case.charges.get(name or "")
    by_amazon = f", and Amazon says {booked.charge.outcome.value}" if booked is not None else ""
    yield f"a charge{f' ({name})' if name else ''} is pending since {since:%Y-%m-%d %H:%M} UTC{by_amazon}"


def no_permission_is_without_a_subscription(case: Case) -> Iterator[str]:
    """A charge permission that a buyer gave has a subscription, or is closed, and was never charged.

    Only a witness that lists charge permissions can say so, such as the books of the simulator; Amazon lists none.
    """
    if not case.is_stranger or case.permission is None:
        return
    charged = [booked.charge_id for booked in case.captured]
    if charged:
        yield f"no subscription knows this charge permission, and it was charged: {', '.join(sorted(charged))}"
    elif not case.permission.is_closed:
        yield f"no subscription knows this charge permission, which is {case.permission.state.value}"

"""What thousands of sleeping subscriptions hold but once."""

from perennial_billing.billing.contract.terms import Terms
from perennial_billing.billing.money import Money
from perennial_billing.billing.subscription import Subscription
from perennial_billing.billing.values import Value


def state(permission: str, amount: str, plan_id: str = "cocoa") -> str:
    """What a subscription that begins on 3 March 2027 carries from one run to the next."""
    plan = {"plan_id": plan_id, "phases": [{"amount": Money.parse(amount), "interval": {"unit": "month"}}]}
    terms = Terms.model_validate({"charge_permission_id": permission, "plan": plan, "anchor": "2027-03-03T10:00:00Z"})
    return Subscription.begin(terms).model_dump_json(exclude_none=True)


def values_in(value: object) -> list[Value]:
    """A value, and all that it is made of."""
    if isinstance(value, Value):
        return [value, *(found for each in vars(value).values() for found in values_in(each))]
    return [found for each in value for found in values_in(each)] if isinstance(value, tuple) else []


def test_subscriptions_that_were_sold_the_same_plan_share_it() -> None:
    read = [Subscription.model_validate_json(state(f"C01-0000007-000000{number}", "6.40 EUR")) for number in (1, 2)]

    assert read[0].plan is read[1].plan
    assert read[0].terms.plan is read[1].terms.agreement.plan


def test_plans_that_differ_in_a_cent_or_in_their_name_are_not_taken_for_each_other() -> None:
    texts = [state("C01-1", "6.40 EUR"), state("C01-2", "6.41 EUR"), state("C01-3", "6.40 EUR", "cocoa-2")]
    plans = [Subscription.model_validate_json(text).plan for text in texts]

    assert [f"{plan.plan_id}: {plan}" for plan in plans] == [
        "cocoa: 6.40 EUR a month",
        "cocoa: 6.41 EUR a month",
        "cocoa-2: 6.40 EUR a month",
    ]


def test_no_value_of_a_state_has_a_set_of_its_own_for_the_fields_that_were_given() -> None:
    read = Subscription.model_validate_json(state("C01-4", "6.40 EUR"))
    changed = read.but(ledger=read.ledger.but(next_period=3))

    sets = {id(value.model_fields_set) for each in (read, changed) for value in values_in(each)}

    assert len(values_in(read)) >= 20
    assert len(sets) == 1


def test_a_change_leaves_the_value_as_it_was_and_forgets_what_was_reckoned_from_it() -> None:
    read = Subscription.model_validate_json(state("C01-5", "6.40 EUR"))
    schedule = read.contract.schedule

    changed = read.contract.but(skips=(2,))

    assert (read.contract.skips, changed.skips) == ((), (2,))
    assert read.contract.schedule is schedule
    assert changed.schedule is not schedule
    assert changed == read.contract.model_copy(update={"skips": (2,)})

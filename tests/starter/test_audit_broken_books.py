"""The books are broken on purpose in every way that the rules name: found each time. Healthy books: nothing."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from perennial_billing.billing.changes import RefundPeriod
from perennial_billing.billing.money import Money
from perennial_billing.billing.plan import Capture
from perennial_billing.ledger.audits import Selection, begin
from perennial_billing.sandbox.stage import Stage, stage
from perennial_billing.sandbox.witness import BooksWitness
from perennial_billing.starter.audit.amazon import Directly
from perennial_billing.starter.audit.auditor import Audited, Auditor, TimeOf
from perennial_billing.starter.audit.presence import Workflows
from perennial_billing.starter.audit.rules import RULES
from perennial_billing.worker.wiring import amazon_pay_client
from perennial_billing.workflows.names import Call
from tests.scenarios.story import MONTHLY, Story
from tests.starter.broken import WAYS, Broken, paid


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_house() -> AsyncIterator[Stage]:
    async with stage() as house:
        yield house


async def auditor_of(house: Stage, time_of: TimeOf) -> Auditor:
    witness = BooksWitness(await house.simulator.books())
    return Auditor(house.ledger, Workflows(house.client, house.subscriptions), witness=witness, time_of=time_of)


def test_every_rule_has_a_way_to_be_broken() -> None:
    assert [rule.name for rule in RULES] == list(WAYS)


async def test_healthy_books_of_several_kinds_have_nothing_to_be_found(own_house: Stage) -> None:
    house = own_house
    refunded = await paid(house, 2)
    await house.subscriptions.refund(refunded.charge_permission_id, RefundPeriod(period=0))
    await refunded.after(timedelta(days=2))
    part = await paid(house, plan=MONTHLY.but(capture=Capture.LATER))
    await house.subscriptions.capture(part.charge_permission_id, 0, Money.parse("4.00 USD"))
    await part.until_due(1)
    successor = (await house.simulator.open_permission()).charge_permission_id
    await house.subscriptions.replace_charge_permission(part.charge_permission_id, successor)
    after = Story(house, part.terms.but(charge_permission_id=successor))
    await house.subscriptions.capture(successor, 1)
    await after.until_due(2)
    declined = await paid(house, script=["SoftDeclined"])
    canceled = await paid(house)
    await canceled.cancel()
    stories = {each.charge_permission_id: each for each in (refunded, part, after, declined, canceled)}

    async def time_of(charge_permission_id: str) -> datetime:
        return await stories[charge_permission_id].now()

    run = await begin(house.ledger, Selection())
    everybody = (await auditor_of(house, time_of)).audit(run)
    audited = [each async for each in everybody if each.charge_permission_id in stories]

    assert {each.charge_permission_id for each in audited} == set(stories)
    assert [(each.findings, each.trouble) for each in audited] == [((), None)] * 5


SHOWN_BY_AMAZON = (
    *("not-captured", "over-captured", "other-amount", "charged-early", "not-refunded"),
    *("pending-long", "closed-and-active", "ended-and-open"),
)
"""What is found without a list of all charges, by what Amazon answers for those that the ledger names."""


BY_LONG = frozenset(
    {"charge-pays-twice", "unknown-charge", "over-captured", "other-amount", "charged-early"}
    | {"stray-authorization", "overdue", "ended-and-open"}
)
"""What others show the way of: books, Amazon, dates. The rules themselves: `tests/starter/test_audit_rules.py`."""


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=[pytest.mark.long] if rule in BY_LONG else []) for rule in WAYS]
)
async def test_books_that_are_broken_are_found(own_house: Stage, rule: str) -> None:
    house = own_house
    broken: Broken = await WAYS[rule](house)

    async def time_of(_charge_permission_id: str) -> datetime:
        return await broken.now()

    audited = await (await auditor_of(house, time_of)).one(broken.charge_permission_id)

    assert audited.trouble is None
    assert any(said.startswith(broken.says) for said in says(audited, rule)), audited.findings
    if rule in SHOWN_BY_AMAZON:
        async with amazon_pay_client(house.settings) as client:
            amazon = Directly(client, {Call.GET_CHARGE_PERMISSION: 1000.0, Call.GET_CHARGE: 1000.0})
            workflows = Workflows(house.client, house.subscriptions)
            auditor = Auditor(house.ledger, workflows, amazon=amazon, time_of=time_of)
            shown = await auditor.one(broken.charge_permission_id)
        assert shown.trouble is None
        assert any(said.startswith(broken.says) for said in says(shown, rule)), shown.findings


def says(audited: Audited, rule: str) -> list[str]:
    """What was found by a rule."""
    return [finding.says for finding in audited.findings if finding.rule == rule]

"""Amazon's rates: a worker is paced by them, and a rate that is too high is answered with 429 on every billing date."""

from typing import Final

import pytest

from amazon_pay_client import Environment
from amazon_pay_client.limits import RATES, Rate

LIVE, SANDBOX = RATES[Environment.LIVE], RATES[Environment.SANDBOX]
NOT_IN_SANDBOX: Final = {"GetAuthorizationToken"}


def test_every_operation_with_a_rate_has_one_in_both_environments_and_is_slower_in_sandbox() -> None:
    assert set(LIVE) - set(SANDBOX) == NOT_IN_SANDBOX
    assert set(SANDBOX) <= set(LIVE)
    assert all(rate.burst <= LIVE[name].burst and rate.per_second <= LIVE[name].per_second
               for name, rate in SANDBOX.items())  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "live", "sandbox"),
    [
        ("CreateMerchantAccount", Rate(10, 1), Rate(1, 1)),
        ("GetAuthorizationToken", Rate(5, 1), None),
        ("GetMerchantStatus", Rate(10, 1), Rate(1, 1)),
    ],
)
def test_what_solution_providers_call_has_its_rate(operation: str, live: Rate, sandbox: Rate | None) -> None:
    assert (LIVE.get(operation), SANDBOX.get(operation)) == (live, sandbox)

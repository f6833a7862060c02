"""A Temporal server that is away is no fault of what was asked: it is said so, and the API lets it be asked again."""

import pytest
from temporalio.service import RPCError, RPCStatusCode

from perennial_billing.starter.api.problems import _MEANINGS
from perennial_billing.starter.client.explaining import explained
from perennial_billing.starter.errors import SubscriptionError, TemporalUnavailableError


@pytest.mark.parametrize("status", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL"])
def test_a_server_that_is_away_is_said_to_be_and_is_asked_again(status: str) -> None:
    error = explained(RPCError("tcp connect error", RPCStatusCode[status], b""), "C01-7318051-9923004")

    why = f"the Temporal server does not answer now ({status}: tcp connect error)"
    assert str(error) == f"charge permission C01-7318051-9923004: {why}; ask again"
    assert next(answer for kind, answer, _, _ in _MEANINGS if isinstance(error, kind)) == 503


def test_what_the_server_does_not_take_is_no_outage() -> None:
    error = explained(RPCError("too long", RPCStatusCode.INVALID_ARGUMENT, b""), "C01-7318051-9923004")

    assert isinstance(error, SubscriptionError)
    assert not isinstance(error, TemporalUnavailableError)

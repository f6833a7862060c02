"""Whatever is posted, by the application's own description or against it: no 5xx, and no error that it does not know.

Over real HTTP. Nothing here is signed by Amazon, so nothing may be taken either; what is signed and odd is in
`test_malformed`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial_billing.ipn.app import PATH, create_app
from perennial_billing.sandbox.stage import Stage
from tests.ipn.messages import envelope, message

UNHURRIED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
REFUSED = {400, 403}

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@st.composite
def nearly_messages(draw: st.DrawFn) -> dict[str, Any]:  # Any: whatever JSON can hold
    """A whole message of which something is missing, changed or added."""
    changed: dict[str, Any] = dict(envelope(message()))
    for name in draw(st.lists(st.sampled_from(sorted(changed)), max_size=3)):
        if draw(st.booleans()):
            changed.pop(name, None)
        else:
            changed[name] = draw(any_json)
    return changed | draw(st.dictionaries(st.text(max_size=10), any_json, max_size=2))


@pytest_asyncio.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """One client for all examples."""
    async with httpx.AsyncClient() as client:
        yield client


@UNHURRIED
@given(posted=st.binary(max_size=2000))
async def test_no_bytes_lead_to_anything_but_a_refusal(house: Stage, http: httpx.AsyncClient, posted: bytes) -> None:
    assert (await http.post(house.ipn_url, content=posted)).status_code in REFUSED


@UNHURRIED
@given(posted=nearly_messages())
async def test_nothing_that_is_nearly_a_message_leads_to_anything_but_a_refusal(
    house: Stage, http: httpx.AsyncClient, posted: dict[str, Any]
) -> None:
    assert (await http.post(house.ipn_url, content=json.dumps(posted).encode())).status_code in REFUSED


@pytest.mark.parametrize(("path", "method"), [(PATH, "POST"), ("/health", "GET")])
async def test_the_application_keeps_to_its_own_description(house: Stage, path: str, method: str) -> None:
    import schemathesis  # dear to import, and every process imports this file
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

    described = create_app(house.client, house.settings).openapi()
    origin = house.ipn_url.removesuffix(PATH)
    operation = schemathesis.openapi.from_dict(described)[path][method]

    @UNHURRIED
    @given(case=operation.as_strategy())
    def keeps_to_it(case: Any) -> None:  # Any: a case of schemathesis, of which kind of schema it is
        case.call_and_validate(
            base_url=origin, checks=[not_a_server_error, status_code_conformance, content_type_conformance]
        )

    await asyncio.to_thread(keeps_to_it)

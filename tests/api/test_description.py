"""The API keeps to its own description, whatever is sent; and says enough for a client to be made of it.

pytest tests/api/test_description.py                               # a few requests to each operation
pytest tests/api/test_description.py --hypothesis-profile soak     # many
"""

import asyncio
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.api.conftest import Api

SOAKS: Final = settings.get_current_profile_name() == "soak"
UNHURRIED: Final = settings(
    max_examples=200 if SOAKS else 2,
    deadline=None,
    phases=list(Phase) if SOAKS else [Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)
"""Operations are many, so a few requests to each; walks along the links send more: `tests.api.test_links`."""


@pytest.mark.timeout(3_600)
async def test_every_operation_keeps_to_the_description_and_none_fails(api: Api) -> None:
    import schemathesis  # dear to import, and every process imports this file
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    described = schemathesis.openapi.from_dict(api.app.openapi())
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    permission = await api.started()
    failed: list[str] = []

    def keeps_to_it(operation: Any) -> None:  # Any: an operation of schemathesis
        @UNHURRIED
        @given(case=operation.as_strategy())
        def each(case: Any) -> None:  # Any: a case of schemathesis
            if case.path_parameters and "charge_permission_id" in case.path_parameters and uuid4().int % 2:
                case.path_parameters["charge_permission_id"] = permission
            if case.headers and "Idempotency-Key" in case.headers:
                case.headers["Idempotency-Key"] = uuid4().hex
            headers = {"Authorization": f"Bearer {api.key.token}"}
            response = case.call(base_url=api.origin, headers=headers, timeout=60)
            # 503 is no fault: nobody has answered in time, and the body says so
            case.validate_response(
                response,
                checks=[check for check in checks if response.status_code != 503 or check is not not_a_server_error],
            )

        each()

    operations: list[Any] = [result.ok() for result in described.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) == sum(map(len, api.app.openapi()["paths"].values()))
    for operation in operations:
        try:
            await asyncio.to_thread(keeps_to_it, operation)
        except BaseExceptionGroup as group:
            failed.append(f"{operation.label}: {group.exceptions[0]}")
        except Exception as error:  # noqa: BLE001 - as above
            failed.append(f"{operation.label}: {error}")

    assert not failed, "\n\n".join(failed)[:6000]


def test_every_operation_has_a_name_a_line_and_its_problems(api: Api) -> None:
    names = []
    for path, item in api.app.openapi()["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], f"{method} {path}"
            assert {"401", "403", "422", "429", "503"} <= operation["responses"].keys(), f"{method} {path}"
            names.append(operation["operationId"])
    assert len(names) == len(set(names))


@pytest.mark.parametrize("schema", ["Began", "Changed", "Problem", "Recorded", "SubscriptionView", "Upcoming"])
def test_what_is_answered_is_described(api: Api, schema: str) -> None:
    described = api.app.openapi()["components"]["schemas"]

    assert described[schema]["properties"]

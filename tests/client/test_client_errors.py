"""Every documented error, as it comes over a real socket, for operations of each kind.

Which class an error has, and whether it may be sent again, is the table of `test_errors`; here it is shown that no
operation reads its errors differently.
"""

import json
from typing import Final

import pytest

from amazon_pay_client import AmazonPayClient
from amazon_pay_client.errors import ApiError
from tests.client.loopback import Loopback, answer
from tests.client.operations import OPERATIONS, Operation
from tests.client.test_errors import TABLE

REPRESENTATIVE: Final = {
    "create charge",
    "get charge permission",
    "close charge permission",
    "complete checkout session",
    "create refund",
    "list reports",
    "claim merchant account",
    "cancel report schedule",
}


@pytest.mark.parametrize(
    "operation", [operation for operation in OPERATIONS if operation.name in REPRESENTATIVE], ids=str
)
async def test_each_documented_error_comes_out_of_an_operation_as_its_class(
    operation: Operation, client: AmazonPayClient, server: Loopback
) -> None:
    for status, codes, kind, is_retryable in TABLE:
        for code in codes.split():
            body = json.dumps({"reasonCode": code, "message": "some text"}).encode()
            server.answer = answer(status, body, {"x-amz-pay-request-id": "request-1"})

            with pytest.raises(ApiError) as caught:
                await operation.call(client)

            assert type(caught.value) is kind, code
            assert caught.value.is_retryable is is_retryable, code
            assert (caught.value.status, caught.value.reason_code) == (status, code)
            assert (caught.value.message, caught.value.request_id) == ("some text", "request-1")


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_every_operation_says_that_its_object_is_not_there(
    operation: Operation, client: AmazonPayClient, server: Loopback
) -> None:
    server.answers({"reasonCode": "ResourceNotFound", "message": ""}, 404)

    with pytest.raises(ApiError) as caught:
        await operation.call(client)

    assert caught.value.status == 404
    assert len(server.received) == 1

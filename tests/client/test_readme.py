"""The first page of the client: each of its blocks is a file that a reader pastes, and does what it says."""

import asyncio
import inspect
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import amazon_pay_client
from amazon_pay_client import AmazonPayClient, errors
from amazon_pay_simulator import SimulatorHandle
from tests.simulator.merchant import KEY_ID

README: Final = (Path(__file__).parents[2] / "client" / "README.md").read_text()
BLOCKS: Final = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FILES: Final = {block.partition("\n")[0].removeprefix("# "): block for block in BLOCKS}

SEEN: Final = """
import sys, json
from django.conf import settings
settings.configure(SECRET_KEY="of-a-test")
from django.test import RequestFactory

import again_and_again, anything, app, charging, notifications, views

permission = sys.argv[1]
said = {"charging": [charging.charge(permission, "14.00", "4711") for _ in range(2)]}
form = {"charge_permission_id": permission}
said["django"] = json.loads(views.pay(RequestFactory().post("/pay", form), "4712").content)
said["flask"] = app.app.test_client().post("/pay/4713", data=form).json
charge_id = said["charging"][0].removeprefix("paid: ")
said["states"] = again_and_again.states([charge_id] * 3)
message = {"MerchantID": "A1", "ObjectType": "CHARGE", "ObjectId": charge_id,
           "ChargePermissionId": permission, "NotificationType": "STATE_CHANGE",
           "NotificationId": "n-1", "NotificationVersion": "V2"}
envelope = {"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn", "Message": json.dumps(message),
            "Timestamp": "2026-11-26T00:00:00Z", "SignatureVersion": "2", "Signature": "", "SigningCertURL": ""}
said["notified"] = notifications.notified(json.dumps(envelope).encode())
charging.amazon_pay.charge_permissions.close(permission, {"closureReason": "the end"})
try:
    charging.charge(permission, "14.00", "4714")
except Exception as error:
    said["refused"] = type(error).__name__
authorized = charging.amazon_pay.charges.create(
    {"chargePermissionId": sys.argv[2], "chargeAmount": {"amount": "5.00", "currencyCode": "USD"}},
    idempotency_key="authorized",
)
said["canceled"] = anything.cancel(authorized.charge_id)
print(json.dumps(said))
"""


@pytest.fixture
async def said(books: SimulatorHandle, private_key: RSAPrivateKey, tmp_path: Path) -> Mapping[str, Any]:
    """What a program says that has pasted every block."""
    for name, block in FILES.items():
        (tmp_path / name).write_text(block)
    permissions = [(await books.open_permission()).charge_permission_id for _ in range(2)]
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    environment = os.environ | {
        "AMAZON_PAY_PUBLIC_KEY_ID": KEY_ID,
        "AMAZON_PAY_PRIVATE_KEY": pem.replace("\n", "\\n"),
        "AMAZON_PAY_ORIGIN": books.origin,
    }
    (tmp_path / "see.py").write_text(SEEN)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "see.py", *permissions, cwd=tmp_path, env=environment, stdout=PIPE, stderr=PIPE
    )
    out, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    result: dict[str, Any] = json.loads(out)
    return result


async def test_what_a_reader_pastes_does_what_the_page_says(said: Mapping[str, Any], books: SimulatorHandle) -> None:
    charges = {charge.charge_id: charge for charge in (await books.books()).charges}

    first, again = said["charging"]
    assert first == again
    assert first.startswith("paid: ")
    for name, order in (("django", "4712"), ("flask", "4713")):
        assert said[name]["order"] == order
        assert said[name]["charge"].removeprefix("paid: ") in charges
    assert said["states"] == ["Captured"] * 3
    assert said["notified"] == "Captured"
    assert said["refused"] == "InvalidStateError"
    assert said["canceled"] == "Canceled"
    assert len(charges) == 4


def test_every_block_is_a_file_of_its_own() -> None:
    assert len(FILES) == len(BLOCKS) == 8
    assert all(re.fullmatch(r"\w+\.py", name) for name in FILES)
    imported = set(re.findall(r"\b(\w+)\b", SEEN)) | {"amazon_pay", "awaited"}
    assert {name.removesuffix(".py") for name in FILES} <= imported


def in_tables(section: str) -> set[str]:
    """What stands in code marks in the first column of a section's table."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    firsts = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


def test_every_option_is_documented_and_no_other() -> None:
    assert in_tables("Options") == set(inspect.signature(AmazonPayClient).parameters)


def test_every_error_is_documented() -> None:
    assert in_tables("Charge a buyer") | {"AmazonPayError", "ApiError"} == {
        name for name in amazon_pay_client.__all__ if name.endswith("Error") and hasattr(errors, name)
    }

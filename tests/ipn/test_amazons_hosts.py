"""A receiver set up as in production: what it asks Amazon's hosts for, and what it never asks anybody.

Its own HTTP client is used, led to the loopback by the variables that lead any client through a proxy.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from amazon_pay_simulator.notifications import NotificationSigner
from perennial_billing.ipn.app import PATH, create_app
from perennial_billing.runtime.errors import StartupError
from perennial_billing.runtime.http import bind, serving
from perennial_billing.runtime.settings import Environment, Settings, load_settings
from perennial_billing.sandbox.house import HOST
from perennial_billing.sandbox.stage import MERCHANT_ID, Stage
from tests.ipn.amazon_on_loopback import CERTIFICATE_URL, AmazonOnLoopback, answer
from tests.ipn.amazon_on_loopback import HOST as AMAZONS_HOST
from tests.ipn.messages import TOPIC, body, confirmation, notification, signed

CERTIFICATE_PATH = urlsplit(CERTIFICATE_URL).path
CONFIRM_PATH = "/?Action=ConfirmSubscription&TopicArn=arn&Token=2336412f37"
CONFIRM_URL = f"https://{AMAZONS_HOST}{CONFIRM_PATH}"


@dataclass
class Receiver:
    """A receiver that trusts what Amazon's hosts serve."""

    http: httpx.AsyncClient
    url: str

    async def takes(self, posted: bytes) -> tuple[int, str]:
        """The answer to a posted body."""
        answered = await self.http.post(self.url, content=posted)
        return answered.status_code, answered.text


@pytest_asyncio.fixture
async def receiver(
    house: Stage, hosts: AmazonOnLoopback, amazon: NotificationSigner, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Receiver]:
    """Behind the proxy, with Amazon's certificate to be had there."""
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", hosts.proxy)
    monkeypatch.setenv("SSL_CERT_FILE", str(hosts.trusted))
    hosts.answers[CERTIFICATE_PATH] = answer(200, amazon.certificate_pem)
    app = create_app(house.client, Settings(merchant_id=MERCHANT_ID, ipn_topic_arns=(TOPIC,)))
    async with serving(app, bind(HOST, 0)) as origin, httpx.AsyncClient(trust_env=False) as http:
        yield Receiver(http, origin + PATH)


async def test_the_certificate_is_fetched_once_for_many_messages(
    receiver: Receiver, hosts: AmazonOnLoopback, amazon: NotificationSigner, forger: NotificationSigner
) -> None:
    for _ in range(3):
        assert await receiver.takes(notification(amazon, "C01-none", "CHARGE")) == (200, "no_subscription")
    assert (await receiver.takes(notification(forger, "C01-none", "CHARGE")))[0] == 403

    assert hosts.paths == [CERTIFICATE_PATH]


async def test_while_the_certificate_cannot_be_had_amazon_is_asked_to_send_again(
    receiver: Receiver, hosts: AmazonOnLoopback, amazon: NotificationSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perennial_billing.ipn.certificates.FAILURE_SECONDS", 0.0)
    posted = notification(amazon, "C01-none", "CHARGE")
    served = hosts.answers[CERTIFICATE_PATH]

    hosts.answers[CERTIFICATE_PATH] = answer(503)
    assert await receiver.takes(posted) == (503, "try again later")
    hosts.answers[CERTIFICATE_PATH] = served
    assert await receiver.takes(posted) == (200, "no_subscription")


async def test_an_address_that_no_client_could_ask_is_forbidden_and_not_our_own_error(
    receiver: Receiver, hosts: AmazonOnLoopback, forger: NotificationSigner
) -> None:
    posted = signed(forger, confirmation(CONFIRM_URL, SigningCertURL=f"https://{AMAZONS_HOST}/\n.pem"))

    assert (await receiver.takes(body(posted)))[0] == 403
    assert hosts.asked == []


async def test_a_message_from_another_topic_is_forbidden_and_nobody_is_asked(
    receiver: Receiver, hosts: AmazonOnLoopback, amazon: NotificationSigner
) -> None:
    posted = signed(amazon, confirmation(CONFIRM_URL, TopicArn=TOPIC + "-another"))

    assert await receiver.takes(body(posted)) == (403, "the message is from another topic")
    assert hosts.asked == []


async def test_a_subscription_of_the_topic_is_confirmed_by_visiting_its_address(
    receiver: Receiver, hosts: AmazonOnLoopback, amazon: NotificationSigner
) -> None:
    hosts.answer = answer(200, b"<ConfirmSubscriptionResponse/>")

    assert await receiver.takes(body(signed(amazon, confirmation(CONFIRM_URL)))) == (200, "confirmed")
    assert hosts.paths == [CERTIFICATE_PATH, CONFIRM_PATH]


@pytest.mark.parametrize(
    "trouble", [answer(500), answer(403), b"", answer(302, b"", "location: https://evil.example/")]
)
async def test_a_confirmation_that_did_not_succeed_is_asked_for_again(
    receiver: Receiver, hosts: AmazonOnLoopback, amazon: NotificationSigner, trouble: bytes
) -> None:
    hosts.answer = trouble

    assert await receiver.takes(body(signed(amazon, confirmation(CONFIRM_URL)))) == (503, "try again later")
    assert hosts.paths == [CERTIFICATE_PATH, CONFIRM_PATH]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        f"http://{AMAZONS_HOST}/",
        f"https://{AMAZONS_HOST}:8443/",
        f"https://{AMAZONS_HOST}@evil.example/",
        "",
    ],
)
async def test_no_address_but_amazons_is_visited_even_if_amazon_signed_it(
    receiver: Receiver, hosts: AmazonOnLoopback, amazon: NotificationSigner, elsewhere: str
) -> None:
    posted = body(signed(amazon, confirmation(elsewhere)))

    assert await receiver.takes(posted) == (403, "SubscribeURL is not on an SNS host of Amazon's")
    assert hosts.paths == [CERTIFICATE_PATH]
    assert len(hosts.asked) == 1


async def test_a_forged_confirmation_is_not_visited(
    receiver: Receiver, hosts: AmazonOnLoopback, forger: NotificationSigner
) -> None:
    assert (await receiver.takes(body(signed(forger, confirmation(CONFIRM_URL)))))[0] == 403
    assert hosts.paths == [CERTIFICATE_PATH]


async def test_an_unsubscription_is_noted_and_its_address_is_not_visited(
    receiver: Receiver, hosts: AmazonOnLoopback, amazon: NotificationSigner
) -> None:
    posted = signed(amazon, confirmation(CONFIRM_URL) | {"Type": "UnsubscribeConfirmation"})

    assert await receiver.takes(body(posted)) == (200, "noted")
    assert hosts.paths == [CERTIFICATE_PATH]


async def test_the_simulators_certificate_is_not_accepted_where_money_is_real(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = house.settings.ipn_trusted_certificate_path
    monkeypatch.setenv("PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH", str(path))
    assert load_settings().ipn_trusted_certificate_path == path

    monkeypatch.setenv("PERENNIAL_ENVIRONMENT", "live")
    with pytest.raises(StartupError, match=r"^PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH: is accepted only with "):
        load_settings()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_trusted_certificate_that_cannot_be_used_keeps_the_receiver_from_starting(
    house: Stage, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "certificate.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StartupError, match=r"^PERENNIAL_IPN_TRUSTED_CERTIFICATE_PATH: [^\n]+$"):
        create_app(house.client, Settings(ipn_trusted_certificate_path=path))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "PERENNIAL_IPN_TOPIC_ARNS"),
        ({"merchant_id": MERCHANT_ID}, "PERENNIAL_IPN_TOPIC_ARNS"),
        ({"ipn_topic_arns": (TOPIC,)}, "PERENNIAL_MERCHANT_ID"),
    ],
)
async def test_where_money_is_real_topic_and_merchant_have_to_be_set(
    house: Stage, given: dict[str, Any], named: str
) -> None:
    """SNS signs for everybody: a topic of one's own takes a minute."""
    with pytest.raises(StartupError, match=f"^{named}: is not set"):
        create_app(house.client, Settings(environment=Environment.LIVE, **given))

    live = Settings(environment=Environment.LIVE, merchant_id=MERCHANT_ID, ipn_topic_arns=(TOPIC,))
    create_app(house.client, live)

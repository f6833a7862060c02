"""What a merchant does with the endpoints for notices: the rules of what is taken, over the ledger that keeps them."""

import base64
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from amazon_pay_client.outbound.addresses import is_public
from perennial_billing.billing.contract.terms import ACCOUNT_NAME
from perennial_billing.billing.protocol.notices import NoticeType
from perennial_billing.billing.refusals import Kind, Refused
from perennial_billing.ledger import endpoints as kept
from perennial_billing.ledger.endpoints import DisabledFor, Endpoint
from perennial_billing.ledger.ledger import Ledger
from perennial_billing.ledger.tables import OF_THE_ENVIRONMENT
from perennial_billing.runtime.settings import (
    PREFIX,
    WEBHOOK_SECRET_PREFIX,
    Environment,
    Settings,
    is_webhook_secret,
)

MOST_ENDPOINTS: Final = 20
"""Each notice is started once for each of them while its subscription waits."""

MOST_SECRETS: Final = 5
"""Each signs each notice."""

_LONGEST_URL: Final = 2048
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 6
_FIRST: Final = 2
"""Of the secrets, how many there must be for one to be retired."""


class EndpointNotFoundError(Refused):
    """There is no such endpoint."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__("endpoint", endpoint_id, "one that `perennial endpoints list` shows is")

    def __reduce__(self) -> tuple[Any, ...]:  # Any: as `pickle` has it
        return (type(self), (self.value,))


@dataclass(frozen=True, slots=True)
class Made:
    """An endpoint or a secret that was made.

    Attributes:
        endpoint: as it stands now.
        secret_id: of the secret.
        secret: the secret itself: it is told here, and never again.
    """

    endpoint: Endpoint
    secret_id: int
    secret: str


async def get_endpoint(ledger: Ledger, endpoint_id: str) -> Endpoint:
    """One of them.

    Raises:
        EndpointNotFoundError: there is none.
        LedgerError: the ledger cannot be read now.
    """
    for each in await kept.all_endpoints(ledger):
        if each.id == endpoint_id:
            return each
    raise EndpointNotFoundError(endpoint_id)


async def add_endpoint(
    ledger: Ledger,
    settings: Settings,
    url: str,
    types: Sequence[str] = (),
    secret: str | None = None,
    *,
    accounts: Sequence[str] = (),
    identifier: str | None = None,
) -> Made:
    """Makes an endpoint known; workers tell it within seconds.

    Args:
        ledger: where it is kept.
        settings: of the environment, which say what is taken.
        url: where it listens.
        types: of notices, or beginnings of types such as `period.*`; every one where none is given.
        secret: what is signed with, `whsec_` and base64; made where it is not given.
        accounts: short names of merchant accounts, of whose subscriptions alone it is told; of all where none is given.
        identifier: its id; made where it is not given. Where one with it is there, it was added before, and is found.

    Raises:
        Refused: the URL, a type, an account or the secret is not taken, or there are too many endpoints.
        LedgerError: it is not known.
    """
    check_url(settings, url)
    check_types(types)
    check_accounts(accounts)
    signs = _checked_secret(secret)
    known = {each.id: each for each in await kept.all_endpoints(ledger)}
    if identifier is not None and identifier in known:
        first = known[identifier].secrets[0]
        return Made(known[identifier], first.id, first.value)
    if len(known) >= MOST_ENDPOINTS:
        raise Refused("endpoints", MOST_ENDPOINTS, "no more than that are; remove one", Kind.NOT_NOW)
    identifier = identifier or f"ep-{secrets.token_hex(_ID_BYTES)}"
    await kept.add_endpoint(ledger, identifier, url, list(dict.fromkeys(types)), signs, sorted(set(accounts)))
    endpoint = await get_endpoint(ledger, identifier)
    return Made(endpoint, endpoint.secrets[0].id, signs)


async def remove_endpoint(ledger: Ledger, endpoint_id: str) -> None:
    """Forgets an endpoint and its secrets; what is on its way to it is given up.

    Raises:
        EndpointNotFoundError: there is none.
        LedgerError: it was not forgotten.
    """
    if not await kept.remove_endpoint(ledger, endpoint_id):
        raise EndpointNotFoundError(endpoint_id)


async def enable_endpoint(ledger: Ledger, endpoint_id: str) -> Endpoint:
    """From now on it is sent what comes; what came meanwhile is sent when somebody asks for it.

    Raises:
        EndpointNotFoundError: there is none.
        LedgerError: it was not enabled.
    """
    if not await kept.enable(ledger, endpoint_id):
        raise EndpointNotFoundError(endpoint_id)
    return await get_endpoint(ledger, endpoint_id)


async def disable_endpoint(ledger: Ledger, endpoint_id: str) -> Endpoint:
    """From now on it is not sent anything; what comes is kept as undelivered. One that is disabled stays as it is.

    Raises:
        EndpointNotFoundError: there is none.
        LedgerError: it was not disabled.
    """
    await kept.disable(ledger, endpoint_id, DisabledFor.ASKED)
    return await get_endpoint(ledger, endpoint_id)


async def add_secret(ledger: Ledger, endpoint_id: str, secret: str | None = None) -> Made:
    """From now on it signs beside those that are there: the receiver may come to know it at any time. One that signs
    already is found.

    Raises:
        EndpointNotFoundError: there is no such endpoint.
        Refused: the secret is not taken, or there are too many, or it stands in the environment variables.
        LedgerError: it does not.
    """
    endpoint = await _with_secrets(ledger, endpoint_id)
    signs = _checked_secret(secret)
    for each in endpoint.secrets:
        if each.value == signs:
            return Made(endpoint, each.id, signs)
    if len(endpoint.secrets) >= MOST_SECRETS:
        raise Refused("secrets", MOST_SECRETS, "no more than that are; retire one", Kind.NOT_NOW)
    added = await kept.add_secret(ledger, endpoint_id, signs)
    return Made(await get_endpoint(ledger, endpoint_id), added, signs)


async def retire_secret(ledger: Ledger, endpoint_id: str, secret_id: int) -> Endpoint:
    """Deletes a secret, so that it signs no more; the last one stays.

    Raises:
        EndpointNotFoundError: there is no such endpoint.
        Refused: there is no such secret, or no other, or it stands in the environment variables.
        LedgerError: it was not retired.
    """
    endpoint = await _with_secrets(ledger, endpoint_id)
    known = [secret.id for secret in endpoint.secrets]
    if secret_id not in known:
        raise Refused("secret", secret_id, f"{', '.join(map(str, known))} is")
    if len(known) < _FIRST or not await kept.retire_secret(ledger, endpoint_id, secret_id):
        raise Refused("secret", secret_id, "add another one first, as nothing else would sign", Kind.NOT_NOW)
    return await get_endpoint(ledger, endpoint_id)


def check_url(settings: Settings, url: str) -> None:
    """Whether notices may be sent there. Where a name leads is looked at whenever something is sent.

    Raises:
        Refused: it is none, or not for this environment.
    """
    try:
        parts: SplitResult | None = urlsplit(url)
        host, _ = (parts.hostname, parts.port) if parts else (None, None)
    except ValueError:
        parts, host = None, None
    if parts is None or parts.scheme not in {"http", "https"} or not host or len(url) > _LONGEST_URL:
        raise Refused("url", repr(url[:_LONGEST_URL]), "an address such as https://shop.example/notices is")
    if any(letter.isspace() or not letter.isprintable() for letter in url):
        raise Refused("url", repr(url), "an address without spaces is")
    if parts.username is not None or parts.password is not None:
        raise Refused("url", "", "an address without a user and a password is accepted; notices are signed")
    if parts.scheme != "https" and settings.environment is Environment.LIVE:
        raise Refused("url", url, f"https is; http only with {PREFIX}ENVIRONMENT=sandbox")
    if _is_address(host) and not is_public(host) and not settings.reaches_private_addresses:
        allowed = f"or set {PREFIX}WEBHOOK_PRIVATE_ADDRESSES=true for workers and commands"
        raise Refused("url", url, f"a host on the internet is; {allowed}")


def check_types(types: Sequence[str]) -> None:
    """Whether they are types of notices, or beginnings of some.

    Raises:
        Refused: one is neither.
    """
    known = [kind.value for kind in NoticeType]
    for each in types:
        begins = each.removesuffix("*") if each.endswith(".*") else None
        if each not in known and not (begins and any(kind.startswith(begins) for kind in known)):
            families = ", ".join(dict.fromkeys(f"{kind.partition('.')[0]}.*" for kind in known))
            raise Refused("type", repr(each), f"a type of docs/notices.md is, or a family: {families}")


def check_accounts(accounts: Sequence[str]) -> None:
    """Whether they can be names of merchant accounts.

    Raises:
        Refused: one cannot.
    """
    for each in accounts:
        if re.fullmatch(ACCOUNT_NAME, each) is None:
            raise Refused("account", repr(each), "the short name of a merchant account is, such as shop-eu")


async def _with_secrets(ledger: Ledger, endpoint_id: str) -> Endpoint:
    endpoint = await get_endpoint(ledger, endpoint_id)
    if endpoint.id == OF_THE_ENVIRONMENT:
        raise Refused("endpoint", endpoint_id, f"its secret is {PREFIX}WEBHOOK_SECRET; one that was added is accepted")
    return endpoint


def new_secret() -> str:
    """A secret that nobody knows."""
    return _checked_secret(None)


def _checked_secret(secret: str | None) -> str:
    """The secret, or a new one. One that is refused is not shown."""
    if secret is None:
        return WEBHOOK_SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    if not is_webhook_secret(secret):
        raise Refused("secret", "", "whsec_ and the base64 of 24 to 64 bytes is accepted (Standard Webhooks)")
    return secret


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

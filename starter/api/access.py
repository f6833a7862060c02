"""Who may do what: a bearer token, its scopes, the merchant accounts that it sees, and how often it may be used.

What is not of a key's accounts is not there for it. A subscription's id in the address is looked at before the route
is: so a new route is limited as well. Where an account is named otherwise, the route says so.
"""

import re
import time
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from perennial_billing.billing.refusals import Refused
from perennial_billing.ledger.api_keys import ApiKey, Scope, key_of
from perennial_billing.ledger.finding import Search, find
from perennial_billing.starter.api.problems import ProblemError
from perennial_billing.starter.api.services import Services, ServicesDep

KNOWN_FOR_SECONDS: Final = 10.0
"""How long a key is taken for valid without being looked up; so long may one be used that was just revoked."""

MOST_KNOWN: Final = 1_000

_PERMISSION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
"""What is looked up; all else is refused by the route."""

_bearer = HTTPBearer(auto_error=False, description="A key, made by `perennial keys make`.")


class Keys:
    """Looks keys up, and counts their use; of one process."""

    def __init__(self, requests_per_minute: int) -> None:
        self._limit = parse(f"{requests_per_minute}/minute")
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._known: dict[str, tuple[float, ApiKey]] = {}

    async def admit(self, services: ServicesDep, token: str) -> ApiKey:
        """The key that a token is of.

        Raises:
            ProblemError: it is none, or is used too often.
            LedgerError: that cannot be found out now.
        """
        now = time.monotonic()
        known = self._known.get(token)
        if known is None or known[0] < now:
            key = await key_of(services.ledger, token)
            if key is None:
                self._known.pop(token, None)
                raise unauthorized("the bearer token is no key, or one that was revoked")
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[token] = (now + KNOWN_FOR_SECONDS, key)
        if not await self._limiter.hit(self._limit, known[1].id):
            window = await self._limiter.get_window_stats(self._limit, known[1].id)
            raise ProblemError(
                429,
                "too-often",
                "The key is used too often",
                f"{self._limit} are taken of a key; wait, and send it again",
                headers={"Retry-After": str(max(1, ceil(window.reset_time - time.time())))},
            )
        return known[1]


def allowing(scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """A dependency: the key of a request, which must have a scope."""

    async def admitted(
        request: Request,
        services: ServicesDep,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> ApiKey:
        if given is None:
            raise unauthorized("no key was sent: Authorization: Bearer perennial_...")
        keys: Keys = request.app.state.keys
        key = await keys.admit(services, given.credentials)
        request.state.api_key = key.name
        if scope not in key.scopes:
            has = ", ".join(sorted(key.scopes)) or "none"
            raise not_allowed(f"the key {key.name!r} lacks the scope {scope.value}; it has {has}")
        if key.accounts and scope is Scope.ADMIN:
            raise not_allowed(f"the key {key.name!r} is for {_named(key)} alone, and this concerns all accounts")
        identifier = request.path_params.get("charge_permission_id")
        if key.accounts and identifier is not None and _PERMISSION.fullmatch(identifier):
            await _check_seen(services, key, identifier)
        return key

    return admitted


def check_account(key: ApiKey, account: str) -> None:
    """Whether a key may act for a merchant account that is named.

    Raises:
        ProblemError: it is for others.
    """
    if not key.sees(account):
        raise not_allowed(f"the key {key.name!r} is for {_named(key)} alone")


def account_for(key: ApiKey, account: str | None) -> str | None:
    """The merchant account that figures are made of: the one that is named, or the key's only one; None for all.

    Raises:
        ProblemError: the key is for others.
        Refused: it is for several, and none is named.
    """
    if account is not None:
        check_account(key, account)
        return account
    if len(key.accounts) > 1:
        raise Refused("account", "", f"one of {', '.join(sorted(key.accounts))} is")
    return next(iter(key.accounts), None)


async def _check_seen(services: Services, key: ApiKey, charge_permission_id: str) -> None:
    """Whether a subscription is of a key's accounts.

    Raises:
        ProblemError: it is not, or there is none: a key does not learn which.
        LedgerError: that cannot be found out now.
    """
    found = await find(services.ledger, Search(charge_permission_id=charge_permission_id), limit=1)
    account = found[0].merchant_account if found else await services.subscriptions.account_of(charge_permission_id)
    if account is None or not key.sees(account):
        detail = f"charge permission {charge_permission_id}: there is no subscription of {_named(key)}"
        raise ProblemError(404, "not-found", "There is no such subscription", detail)


def _named(key: ApiKey) -> str:
    plural = "s" if len(key.accounts) > 1 else ""
    return f"account{plural} {', '.join(sorted(key.accounts))}"


def not_allowed(detail: str) -> ProblemError:
    """The key is one, and does not allow what is asked."""
    return ProblemError(403, "not-allowed", "The key does not allow it", detail)


Reader = Annotated[ApiKey, Depends(allowing(Scope.READ))]
Actor = Annotated[ApiKey, Depends(allowing(Scope.ACT))]
Refunder = Annotated[ApiKey, Depends(allowing(Scope.REFUND))]
Admin = Annotated[ApiKey, Depends(allowing(Scope.ADMIN))]


def unauthorized(detail: str) -> ProblemError:
    """There is no key that is one."""
    headers = {"WWW-Authenticate": 'Bearer realm="perennial"'}
    return ProblemError(401, "no-key", "A key is needed", detail, headers=headers)

"""Who is at the console. It keeps no passwords: a proxy of the merchant's says who somebody is, and what they may.

What somebody may do is what a key of the HTTP API may (`ledger.api_keys`): the same scopes, limited to accounts alike.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Protocol

from fastapi import Request
from pydantic import SecretStr

from perennial_billing.billing.contract.terms import ACCOUNT_NAME
from perennial_billing.ledger.api_keys import ApiKey, Scope
from perennial_billing.starter.api.problems import ProblemError

PROXY_SECRET_HEADER: Final = "X-Perennial-Proxy-Secret"  # noqa: S105 - the header's name
"""In which a proxy says that it is the one that may be believed."""

ROLE: Final = "perennial-"
"""What the words begin with that mean something here: a group that is called `admin` may be one of anything."""

OF_ACCOUNT: Final = "account-"
_LONGEST_NAME: Final = 128
"""Characters of an actor."""

Network = IPv4Network | IPv6Network


class Door(Protocol):
    """Tells who somebody is."""

    async def person(self, request: Request) -> ApiKey | None:
        """Whoever asks, with what they may; None where nobody says who it is.

        Raises:
            ProblemError: it is said, and cannot be meant.
        """


def person(name: str, scopes: Sequence[Scope], accounts: Sequence[str] = ()) -> ApiKey:
    """Somebody, as a key of the API is somebody: the name is the actor of what is asked."""
    return ApiKey(f"console {name}", name, frozenset(scopes), datetime.now(UTC), accounts=frozenset(accounts))


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """Everybody who reaches it is the same person, who may do everything: for a machine of one's own alone.

    Attributes:
        name: what the ledger calls them.
    """

    name: str

    async def person(self, request: Request) -> ApiKey | None:  # noqa: ARG002 - whoever it is
        """See `Door`."""
        return person(self.name, list(Scope))


@dataclass(frozen=True, slots=True)
class ProxyDoor:
    """A proxy that people sign in to says in headers who they are; it is believed where it proves to be the one.

    Attributes:
        user_header: in which it says who.
        roles_header: in which it says what they may: `perennial-read`, `perennial-act`, `perennial-refund`,
            `perennial-admin`, and `perennial-account-NAME` for each account that they are limited to.
        secret: what it sends as `X-Perennial-Proxy-Secret`; None where it need not.
        peers: the networks from which it connects; from anywhere where there are none.
    """

    user_header: str
    roles_header: str
    secret: SecretStr | None
    peers: tuple[Network, ...]

    async def person(self, request: Request) -> ApiKey | None:
        """See `Door`."""
        if not self._is_believed(request):
            return None
        names = [name.strip() for name in request.headers.getlist(self.user_header)]
        if len(names) != 1 or not names[0]:
            return None
        name = names[0]
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            detail = f"{self.user_header}: a line of at most {_LONGEST_NAME} characters is accepted"
            raise ProblemError(403, "not-allowed", "The proxy does not say who you are", detail)
        scopes, accounts = roles_of(",".join(request.headers.getlist(self.roles_header)))
        return person(name, scopes, accounts)

    def _is_believed(self, request: Request) -> bool:
        """Whether all is proven that the settings ask for; where they ask for nothing, nobody is believed."""
        if self.secret is not None:
            given = request.headers.get(PROXY_SECRET_HEADER, "")
            if not hmac.compare_digest(given.encode(), self.secret.get_secret_value().encode()):
                return False
        if self.peers:
            host = request.client.host if request.client else ""
            return any(ip_address(host) in network for network in self.peers)
        return self.secret is not None


def roles_of(words: str) -> tuple[list[Scope], list[str]]:
    """The scopes, and the accounts that they are limited to, of what a proxy says; other words mean nothing here.

    Raises:
        ProblemError: a word begins as ours do, and is none: a limit with a typing error in it would be no limit.
    """
    scopes, accounts = [], []
    for word in filter(None, (each.strip() for each in words.split(","))):
        if not word.startswith(ROLE):
            continue
        role = word.removeprefix(ROLE)
        account = role.removeprefix(OF_ACCOUNT)
        if role in set(Scope):
            scopes.append(Scope(role))
        elif account != role and re.fullmatch(ACCOUNT_NAME, account):
            accounts.append(account)
        else:
            known = ", ".join([*(ROLE + scope for scope in Scope), f"{ROLE}{OF_ACCOUNT}NAME"])
            detail = f"the role {word[:_LONGEST_NAME]!r} is none; {known} are accepted"
            raise ProblemError(403, "not-allowed", "The proxy names a role that there is not", detail)
    return scopes, accounts

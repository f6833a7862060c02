"""Where Amazon Pay lives: regions, environments, hosts and paths.

Source of the hosts and of the path rule: the official SDKs' constants (PHP, Node, Java, .NET agree).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from amazon_pay_client.outbound.library import httpx


class Environment(StrEnum):
    """Amazon Pay's two worlds. Sandbox moves no money."""

    SANDBOX = "sandbox"
    LIVE = "live"

    @classmethod
    def parse(cls, text: str) -> "Environment":
        """Reads an environment by its name, in any case.

        Raises:
            ValueError: `text` names none.
        """
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise ValueError(f"environment: {text!r} is none of Amazon Pay; accepted are sandbox, live") from None


class Region(StrEnum):
    """A seller account's region; the value is what the region header carries."""

    NA = "na"
    EU = "eu"
    JP = "jp"

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Reads a region or one of the aliases that the official SDKs take (us, de, uk).

        Raises:
            ValueError: `text` names no region.
        """
        try:
            return _ALIASES[text.strip().lower()]
        except KeyError:
            raise ValueError(
                f"region: {text!r} is not a region of Amazon Pay; accepted are {', '.join(sorted(_ALIASES))}"
            ) from None

    @property
    def host(self) -> str:
        """The API host of the region."""
        return _HOSTS[self]

    def payment_method_update_url(self, charge_permission_id: str, origin: str | None = None) -> str:
        """The page on which the buyer mends the payment method of one recurring charge permission.

        Source: Amazon Pay's guide "manage recurring payments" for NA and JP. The address for EU is not
        documented where we could read it: the NA address is an assumption there.

        Args:
            charge_permission_id: whose.
            origin: scheme and host of a simulator that has the page.
        """
        is_japan = self is Region.JP
        site = origin.rstrip("/") if origin else "https://pay.amazon.com" if is_japan else "https://payments.amazon.com"
        return f"{site}{'/jp' if is_japan else ''}/jr/your-account/ba/{charge_permission_id}"

    def checkout_script(self, origin: str | None = None) -> str:
        """The script that draws the button on a merchant's page.

        Source: Amazon Pay, "add the Amazon Pay button".

        Args:
            origin: scheme and host of a simulator that has the script.
        """
        return f"{origin.rstrip('/') if origin else f'https://{_SCRIPT_HOSTS[self]}'}/checkout.js"


_HOSTS: Final = {
    Region.NA: "pay-api.amazon.com",
    Region.EU: "pay-api.amazon.eu",
    Region.JP: "pay-api.amazon.jp",
}
_SCRIPT_HOSTS: Final = {
    Region.NA: "static-na.payments-amazon.com",
    Region.EU: "static-eu.payments-amazon.com",
    Region.JP: "static-fe.payments-amazon.com",
}
_ALIASES: Final = {
    "na": Region.NA,
    "us": Region.NA,
    "eu": Region.EU,
    "de": Region.EU,
    "uk": Region.EU,
    "jp": Region.JP,
}


def environment_of_key(public_key_id: str) -> Environment | None:
    """The environment that a key id names in its prefix, or None for an older id without a prefix."""
    upper = public_key_id.upper()
    for environment in Environment:
        if upper.startswith(environment.name):
            return environment
    return None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go: scheme and host, and the path in front of every resource."""

    origin: str
    prefix: str
    environment: Environment

    def url(self, resource: str) -> str:
        """The absolute URL of a resource such as `charges`."""
        return f"{self.origin}{self.prefix}/{resource}"


def endpoint_for(
    public_key_id: str,
    region: Region,
    environment: Environment | None = None,
    origin: str | None = None,
) -> Endpoint:
    """Finds the endpoint by the SDKs' path rule.

    A key id that starts with LIVE or SANDBOX carries its environment, and paths are `/v2/...`. Any other id
    needs `environment`, and paths are `/sandbox/v2/...` or `/live/v2/...`.

    Args:
        public_key_id: as Seller Central shows it.
        region: the account's region.
        environment: needed without a prefix; with one it must agree.
        origin: another scheme and host, such as a simulator's `http://127.0.0.1:8600`.

    Raises:
        ValueError: the key id cannot be one, the environment is missing or contradicts it, or the origin is more or
            less than scheme and host.
    """
    if not _KEY_ID.fullmatch(public_key_id):
        raise ValueError(
            "public_key_id: it is empty, or holds blanks, commas or what is not ASCII; the id as Seller Central shows "
            "it is needed, such as SANDBOX-AEXAMPLE"
        )
    named = environment_of_key(public_key_id)
    if named is not None and environment is not None and named is not environment:
        raise ValueError(
            f"environment: {environment.value!r} was asked for, but the public key id is for {named.value!r}; "
            "take a key of that environment or change the environment"
        )
    effective = named or environment
    if effective is None:
        raise ValueError(
            "environment: the public key id has no LIVE or SANDBOX prefix, so the environment must be given "
            "(accepted are sandbox, live)"
        )
    prefix = "/v2" if named else f"/{effective.value}/v2"
    return Endpoint(_checked_origin(origin) if origin is not None else f"https://{region.host}", prefix, effective)


_KEY_ID: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
"""Visible ASCII but commas, at which the authorization header is taken to pieces."""


def _checked_origin(origin: str) -> str:
    """An origin without the slash at its end.

    Raises:
        ValueError: it is none. Credentials in it are not repeated.
    """
    try:
        url = httpx.URL(origin)
    except (httpx.InvalidURL, TypeError):
        url = None
    if url is None or url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("origin: it is not an address; scheme and host are needed, such as https://pay.example:8600")
    if url.userinfo:
        raise ValueError("origin: it holds a user name or a password; requests are signed, so none is needed")
    if url.path not in {"", "/"} or url.query or "?" in origin or "#" in origin:
        raise ValueError(f"origin: {origin!r} has a path, a query or a fragment; scheme and host alone are accepted")
    return str(url).rstrip("/")

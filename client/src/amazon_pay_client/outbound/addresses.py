"""Which addresses of a host may be connected to, where whoever named the host is not to reach into our own network.

A name is looked up once, and what is connected to is the address that was looked at: between a look and a connection
by name, the name could be made to lead elsewhere (DNS rebinding).
"""

import asyncio
import ipaddress
import socket
from typing import Final

from amazon_pay_client.outbound.errors import PrivateAddressError
from amazon_pay_client.outbound.library import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Its last 32 bits are the IPv4 address that is reached (RFC 6052)."""


def is_public(text: str) -> bool:
    """Whether an address is one of the internet's, and not of a machine, a network or a provider of one's own.

    Args:
        text: an IPv4 or IPv6 address. What is none is not public.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in (address, *_within(address)))


def _within(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    teredo = address.teredo
    found = [address.ipv4_mapped, address.sixtofour, *(teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]


async def public_addresses(host: str, port: int, seconds: float) -> list[str]:
    """A host's addresses, where all of them are public: one that is not says that the host is not meant for us.

    Args:
        host: a name, or an address.
        port: of the connection.
        seconds: how long looking it up may take.

    Raises:
        PrivateAddressError: one is not public.
        httpcore.ConnectError: the host has no address.
        httpcore.ConnectTimeout: nobody told in time.
    """
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(map(is_public, addresses)):
        raise PrivateAddressError(f"{host} has an address that is not public")
    return addresses

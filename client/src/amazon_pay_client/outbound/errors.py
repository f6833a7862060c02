"""What goes wrong besides what the HTTP library has a word for.

httpx.HTTPError
├── httpx.RemoteProtocolError
│   ├── AnswerTooLargeError     more bytes than were to be read
│   └── AnswerEncodedError      packed, though it was asked for as it is
├── httpx.ConnectError
│   └── AddressRefusedError     the host has an address that is not to be connected to
└── httpx.TransportError
    └── NeverSentError          there was no way to send it here and now
"""

from amazon_pay_client.outbound.library import httpcore, httpx


class AnswerTooLargeError(httpx.RemoteProtocolError):
    """The answer has more bytes than its bound; what came of it is thrown away."""


class AnswerEncodedError(httpx.RemoteProtocolError):
    """The answer is packed although identity alone was asked for: unpacked, it could be of any size."""


class NeverSentError(httpx.TransportError):
    """Nothing was sent: the transport is closed, or whoever calls is in no event loop of asyncio."""


class AddressRefusedError(httpx.ConnectError):
    """Nothing was sent: the host has an address that is not public, and only public ones are connected to."""


class PrivateAddressError(httpcore.ConnectError):
    """The same, in the words of the network beneath the library."""

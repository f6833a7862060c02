"""What is tried against a running receiver: floods of its connections, and messages that Amazon did not sign.

One function a kind. Each gives what came of it, counted: the status of an answer, or `cut` where the connection ended
without one. Raw sockets, as no client does any of this.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from amazon_pay_client.ipn import Envelope, ObjectType
from amazon_pay_simulator.notifications import NotificationSender, NotificationSigner
from benchmarks.load import Address, request_to
from perennial_billing.ipn.app import PATH

MERCHANT_ID: Final = "A1SIMULATOR"
CERTIFICATE_URL: Final = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-attack.pem"
CONNECTIONS: Final = 64
"""Of those floods that post as fast as they can."""

PIECE: Final = b"a" * 65_536
CUT: Final = "cut"
SECONDS: Final = 60.0
"""After which a connection is given up that the receiver neither answers nor ends."""

MANY: Final = 1_000
"""Slow connections, which are held as long as they last; a few are left after `FEW_SECONDS`, for a quick look."""

FEW_SECONDS: Final = 4.0

Outcome = Counter[str]


@dataclass(frozen=True, slots=True)
class Target:
    """Who is attacked, and what an attacker may have.

    Attributes:
        address: the receiver's.
        genuine: signs what the receiver believes.
        permission: a charge permission with a running subscription.
    """

    address: Address
    genuine: NotificationSigner
    permission: str

    def message(self, signer: NotificationSigner | None = None) -> dict[str, str]:
        """A message about the permission, signed by the genuine key or another."""
        sender = NotificationSender(signer or self.genuine, MERCHANT_ID, (), CERTIFICATE_URL)
        envelope = sender.envelope(ObjectType.CHARGE, "S01-1", self.permission)
        posted: dict[str, str] = envelope.model_dump(mode="json", by_alias=True, exclude_none=True)
        return posted

    def signed(self, message: Mapping[str, str], signer: NotificationSigner | None = None) -> dict[str, str]:
        """The same message with a signature of its own."""
        signature = (signer or self.genuine).sign(Envelope.model_validate(message)).signature
        return {**message, "Signature": signature}

    def post(self, message: Mapping[str, str] | bytes) -> bytes:
        """The request that posts it."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return request_to(self.address, "POST", PATH, body)


async def answer_to(address: Address, request: bytes) -> str:
    """The status that a request on a connection of its own is answered with."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(request)
                return _status(await reader.readline())
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return CUT


def _status(line: bytes) -> str:
    return line.split(b" ")[1].decode() if line.startswith(b"HTTP/") else CUT


async def _all(address: Address, requests: list[bytes]) -> Outcome:
    """Posts them all, so many at a time."""
    waiting, outcome = iter(requests), Outcome()

    async def post() -> None:
        for request in waiting:
            outcome[await answer_to(address, request)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(min(CONNECTIONS, len(requests))):
            group.create_task(post())
    return outcome


async def _pour(target: Target, begin: bytes, piece: bytes, pieces: int) -> Outcome:
    """Sends a piece again and again on one connection; counts how many were taken, and the first answer."""
    reader, writer = await asyncio.open_connection(*target.address)
    first = asyncio.create_task(reader.readline())
    outcome, taken = Outcome(), 0
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(begin)
            while taken < pieces and not first.done():
                writer.write(piece)
                await writer.drain()
                taken += 1
            outcome[_status(await first)] += 1
    except (OSError, TimeoutError):
        outcome[CUT] += 1
    finally:
        first.cancel()
        writer.transport.abort()
    outcome[f"of {pieces} pieces taken"] = taken
    return outcome


async def endless_header(target: Target, count: int) -> Outcome:
    """One header field that does not end; `count` times 64 KiB of it."""
    begin = f"POST {PATH} HTTP/1.1\r\nhost: receiver\r\nx-endless: ".encode()
    return await _pour(target, begin, PIECE, count)


async def endless_chunk(target: Target, count: int) -> Outcome:
    """A chunk of a body whose extension does not end."""
    begin = f"POST {PATH} HTTP/1.1\r\nhost: receiver\r\ntransfer-encoding: chunked\r\n\r\n5;".encode()
    return await _pour(target, begin, PIECE, count)


async def pipelined(target: Target, count: int) -> Outcome:
    """So many requests on one connection, and no wait for an answer."""
    reader, writer = await asyncio.open_connection(*target.address)
    one, outcome = request_to(target.address, "GET", "/health"), Outcome()

    async def read() -> None:
        while line := await reader.readline():  # a body ends without a line's end
            if b"HTTP/1.1 " in line:
                outcome[_status(line[line.index(b"HTTP/1.1 ") :])] += 1

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(count // 100):
                writer.write(one * 100)
                await writer.drain()
            await reading
    except (OSError, TimeoutError):
        outcome[CUT] += 1
    finally:
        reading.cancel()
        writer.transport.abort()
    return outcome


async def slow_loris(target: Target, count: int) -> Outcome:
    """So many connections that send a byte a second, as long as the receiver lets them."""
    outcome = Outcome()

    async def drip() -> None:
        try:
            reader, writer = await asyncio.open_connection(*target.address)
        except OSError:
            outcome["no connection"] += 1
            return
        ended = asyncio.create_task(reader.readline())
        try:
            async with asyncio.timeout(SECONDS if count >= MANY else FEW_SECONDS):
                writer.write(f"POST {PATH} HTTP/1.1\r\nhost: receiver\r\nx-slow: ".encode())
                while not ended.done():
                    writer.write(b"a")
                    await asyncio.wait({ended}, timeout=1)
            outcome[_status(ended.result())] += 1
        except TimeoutError:
            outcome["still open"] += 1
        except OSError:
            outcome[CUT] += 1
        finally:
            ended.cancel()
            writer.transport.abort()

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(drip())
    return outcome


Forgery = Callable[[Target, NotificationSigner], Mapping[str, str] | bytes]

FORGERIES: Final[Mapping[str, Forgery]] = MappingProxyType(
    {
        "another key": lambda target, forger: target.message(forger),
        "no signature": lambda target, _: target.message() | {"Signature": ""},
        "a signature that is no base64": lambda target, _: target.message() | {"Signature": "\x1b[2J" * 1000},
        "a changed text": lambda target, _: target.message() | {"Message": target.message()["Message"] + " "},
        "another type": lambda target, _: target.message() | {"Type": "UnsubscribeConfirmation"},
        "an unknown version": lambda target, _: target.message() | {"SignatureVersion": "9" * 100_000},
        "too old": lambda target, _: target.signed(target.message() | {"Timestamp": _at(timedelta(days=-20))}),
        "from the future": lambda target, _: target.signed(target.message() | {"Timestamp": _at(timedelta(days=1))}),
        "another topic": lambda target, _: target.signed(target.message() | {"TopicArn": "arn:aws:sns:us-east-1:1:x"}),
        "nothing of Amazon Pay's": lambda target, _: target.signed(target.message() | {"Message": "[" * 50_000}),
        "no JSON": lambda *_: b"[" * 200_000,
        "too large": lambda *_: b"{" * 300_000,
    }
)
"""What a forger may post, by what is wrong with it."""


def _at(ahead: timedelta) -> str:
    return (datetime.now(UTC) + ahead).strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def forged(target: Target, count: int) -> Outcome:
    """So many messages, of every kind in turn, none of which may be believed."""
    forger, kinds = NotificationSigner.create(), list(FORGERIES.values())
    made = [target.post(kind(target, forger)) for kind in kinds]
    return await _all(target.address, [made[number % len(made)] for number in range(count)])


async def repeated(target: Target, count: int) -> Outcome:
    """One genuine message, so many times at once; it is handed over once."""
    request = target.post(target.message() | {})
    answers = await asyncio.gather(*(answer_to(target.address, request) for _ in range(count)))
    return Outcome(answers)


async def genuine(target: Target) -> str:
    """The answer to a genuine message that was never posted before."""
    message = target.message() | {"MessageId": str(uuid.uuid4())}
    return await answer_to(target.address, target.post(target.signed(message)))


@dataclass(frozen=True, slots=True)
class Attack:
    """A kind of attack.

    Attributes:
        run: does it, and counts what came of it.
        large: how much of it.
        small: how much of it in the suite.
        believed: how many of its messages are genuine, and reach the workflow.
    """

    run: Callable[[Target, int], Awaitable[Outcome]]
    large: int
    small: int
    believed: int = 0


ATTACKS: Final[Mapping[str, Attack]] = MappingProxyType(
    {
        "endless header": Attack(endless_header, 3_200, 160),
        "endless chunk": Attack(endless_chunk, 3_200, 160),
        "pipelined": Attack(pipelined, 200_000, 5_000),
        "slow loris": Attack(slow_loris, 2_000, 600),
        "forged": Attack(forged, 20_000, 240),
        "repeated": Attack(repeated, 400, 100, believed=1),
    }
)
"""Against our own server, by name."""

"""What is checked of an answer as it comes in: that it is not packed, and not too large."""

from collections.abc import Callable

from amazon_pay_client.outbound.errors import AnswerEncodedError, AnswerTooLargeError
from amazon_pay_client.outbound.library import httpcore, httpx


def plain_headers(answer: httpcore.Response) -> httpx.Headers:
    """The headers of an answer that comes as it is.

    Raises:
        AnswerEncodedError: it is packed.
    """
    headers = httpx.Headers(answer.headers)
    if headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
        raise AnswerEncodedError("the answer is packed, though it was asked for as it is")
    return headers


class Measure:
    """Counts a body against its bound.

    Args:
        at_most: bytes.
        part_of_the_body_came: told of each part as well.
    """

    def __init__(self, at_most: int, part_of_the_body_came: Callable[[int], None]) -> None:
        self._at_most = at_most
        self._tell = part_of_the_body_came
        self._length = 0

    def add(self, part: bytes) -> None:
        """Raises AnswerTooLargeError where it is more than the bound."""
        self._length += len(part)
        self._tell(len(part))
        if self._length > self._at_most:
            raise AnswerTooLargeError(f"the answer is larger than {self._at_most} bytes")

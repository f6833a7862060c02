"""The two ways in which a call is sent: awaited, or by a thread that waits. Everything else about it is in `calls`."""

from functools import partial
from typing import TypeVar

from amazon_pay_client.calls import Call, Preparation, Prepared
from amazon_pay_client.outbound.errors import NeverSentError
from amazon_pay_client.outbound.library import httpx
from amazon_pay_client.retry import Retry
from amazon_pay_client.signing import REQUEST_ID_HEADER

Answer = TypeVar("Answer")


class Transport:
    """Sends signed requests and reads the answers. One per client, in as many event loops as call it."""

    def __init__(self, http: httpx.AsyncClient, preparation: Preparation, retry: Retry | None) -> None:
        self._http = http
        self._preparation = preparation
        self._retry = retry

    def prepared_by(self, preparation: Preparation) -> "Transport":
        """Another that prepares calls otherwise, and sends them over the same connections."""
        return Transport(self._http, preparation, self._retry)

    async def send(self, call: Call[Answer]) -> Answer:
        """Sends a call, again where `Retry` says so, and reads its answer.

        Raises:
            ValueError: it cannot be sent; nothing was.
            ApiError: an error answer.
            TransportError: no answer, or one that is not Amazon Pay's.
        """
        prepared = self._preparation.of(call)
        if self._retry is None:
            return await self._send_once(prepared)
        return await self._retry.run(partial(self._send_once, prepared), prepared.may_be_repeated)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _send_once(self, prepared: Prepared[Answer]) -> Answer:
        request = prepared.request()
        if self._http.is_closed:
            raise prepared.failure(NeverSentError("the client is closed"))
        watch = prepared.stopwatch()
        try:
            answer = await self._http.send(request)
        except Exception as error:
            watch.tell(None)
            # Whatever it is: a request may be at Amazon now, and no caller expects anything else than that to be said.
            raise prepared.failure(error) from error
        watch.tell(answer.status_code, answer.headers.get(REQUEST_ID_HEADER))
        return prepared.result(answer)


class SyncTransport:
    """The same for threads that wait; any number of them at once."""

    def __init__(self, http: httpx.Client, preparation: Preparation, retry: Retry | None) -> None:
        self._http = http
        self._preparation = preparation
        self._retry = retry

    def prepared_by(self, preparation: Preparation) -> "SyncTransport":
        """Another that prepares calls otherwise, and sends them over the same connections."""
        return SyncTransport(self._http, preparation, self._retry)

    def send(self, call: Call[Answer]) -> Answer:
        """As `Transport.send`.

        Raises:
            ValueError: it cannot be sent; nothing was.
            ApiError: an error answer.
            TransportError: no answer, or one that is not Amazon Pay's.
        """
        prepared = self._preparation.of(call)
        if self._retry is None:
            return self._send_once(prepared)
        return self._retry.run_blocking(partial(self._send_once, prepared), prepared.may_be_repeated)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _send_once(self, prepared: Prepared[Answer]) -> Answer:
        request = prepared.request()
        if self._http.is_closed:
            raise prepared.failure(NeverSentError("the client is closed"))
        watch = prepared.stopwatch()
        try:
            answer = self._http.send(request)
        except Exception as error:
            watch.tell(None)
            raise prepared.failure(error) from error
        watch.tell(answer.status_code, answer.headers.get(REQUEST_ID_HEADER))
        return prepared.result(answer)

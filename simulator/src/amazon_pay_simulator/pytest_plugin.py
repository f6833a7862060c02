"""A simulator for every test that asks for one: the fixture `amazon_pay_simulator`, for pytest.

One server runs for the whole session, in a thread of its own and on any free port; before each test that asks for it,
everything is forgotten. It is set up as the program is: by AMAZON_PAY_SIMULATOR_ variables, or by a TOML file that the
setting `amazon_pay_simulator_config` names. Nothing of it is imported before a test asks for it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import pytest

if TYPE_CHECKING:
    from amazon_pay_simulator.handle import SimulatorHandle
    from amazon_pay_simulator.preparation import Prepared

CONFIG: Final = "amazon_pay_simulator_config"
START_SECONDS: Final = 30.0

Answer = TypeVar("Answer")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the setting."""
    parser.addini(CONFIG, "TOML file by which the Amazon Pay simulator is set up", type="paths", default=[])


class RunningSimulator:
    """A simulator that a test can use.

    Attributes:
        origin: where it is, such as http://127.0.0.1:40123.
        merchant_id: the first merchant's.
        public_key_id: what requests are signed under.
        private_key_path: what they are signed with (PEM); None where the configuration has the public half only.
        notification_certificate_path: what a receiver of notifications trusts (PEM).
        tls_certificate_path: what a client trusts, where https is served (PEM).
    """

    def __init__(self, ready: "Prepared", loop: asyncio.AbstractEventLoop) -> None:
        first = ready.keys[0]
        self.origin: Final = ready.origin
        self.merchant_id: Final = first.merchant_id
        self.public_key_id: Final = first.public_key_id
        self.private_key_path: Final[Path | None] = first.private_key_path
        self.notification_certificate_path: Final = ready.notification_certificate_path
        self.tls_certificate_path: Final = ready.tls.certificate if ready.tls else None
        self._loop = loop

    def handle(self, merchant_id: str | None = None) -> "SimulatorHandle":
        """What plays the buyer and reads the books, for tests with an event loop of their own."""
        import ssl

        from amazon_pay_simulator.handle import SimulatorHandle

        trusted = ssl.create_default_context(cafile=self.tls_certificate_path) if self.tls_certificate_path else None
        return SimulatorHandle(self.origin, merchant_id, trusted)

    def do(self, what: "Callable[[SimulatorHandle], Awaitable[Answer]]", merchant_id: str | None = None) -> Answer:
        """The same for tests without one: `amazon_pay_simulator.do(lambda simulator: simulator.open_permission())`.

        Raises:
            httpx.HTTPStatusError: the simulator refuses.
            AssertionError: of `verify`.
        """

        async def done() -> Answer:
            async with self.handle(merchant_id) as handle:
                return await what(handle)

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result()


@pytest.fixture(scope="session")
def _amazon_pay_simulator_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSimulator]:
    """Serves while the session runs."""
    from amazon_pay_simulator.configuration import read_settings
    from amazon_pay_simulator.preparation import prepared
    from amazon_pay_simulator.serving import Server, listening

    folder = tmp_path_factory.mktemp("amazon-pay-simulator")
    files = request.config.getini(CONFIG)
    options = [f"--config={file}" for file in files[:1]]
    settings = read_settings([*options, "--host=127.0.0.1", "--port=0", f"--keys={folder}"])
    # Each test begins with a reset: whoever keeps books in a file, by the same variables, keeps them.
    settings = settings.model_copy(update={"database": None})
    serves = threading.Event()
    with listening(settings.host, settings.port) as listener:
        ready = prepared(settings, listener)
        server = Server(ready.app, ready.tls, serves.set)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=loop.run_until_complete, args=(server.serve(sockets=[listener]),), name="amazon-pay-simulator"
        )
        thread.start()
        try:
            if not serves.wait(START_SECONDS):
                pytest.fail("the Amazon Pay simulator did not start")
            yield RunningSimulator(ready, loop)
        finally:
            server.should_exit = True
            thread.join()
            loop.close()


@pytest.fixture
def amazon_pay_simulator(_amazon_pay_simulator_server: RunningSimulator) -> RunningSimulator:
    """A simulated Amazon Pay with nothing in its books, its clock right and its journal empty."""
    _amazon_pay_simulator_server.do(lambda simulator: simulator.reset())
    return _amazon_pay_simulator_server

"""`amazon-pay-simulator wait`: until a simulator serves, for scripts and for the health check of a container."""

import argparse
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Final

DEFAULT_URL: Final = "http://127.0.0.1:8600"
HEALTH: Final = "/simulator/health"
"""Written out, as nothing of the simulator's is imported here: a health check runs every few seconds."""
LOOK_EVERY_SECONDS: Final = 0.1
_ANSWER_SECONDS: Final = 5.0
OK: Final = 200


def parser(program: str) -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        prog=f"{program} wait", allow_abbrev=False, description="Waits until a simulator serves; exit code 1 if not."
    )
    options.add_argument("--url", default=DEFAULT_URL, help="where it is (default: %(default)s)")
    options.add_argument(
        "--timeout", type=float, default=30.0, help="seconds to wait; 0 looks once (default: %(default)s)"
    )
    options.add_argument(
        "--certificate", help="the TLS certificate to trust, of a simulator that serves https by --tls"
    )
    return options


def wait(url: str, seconds: float, certificate: str | None = None) -> str | None:
    """Waits until a simulator answers.

    Args:
        url: its origin.
        seconds: for how long; 0 looks once.
        certificate: path of the certificate to trust.

    Returns:
        None, or why it did not answer.

    Raises:
        OSError: the certificate cannot be read.
    """
    until = time.monotonic() + seconds
    trusted = ssl.create_default_context(cafile=certificate) if certificate is not None else None
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)]
    opener = urllib.request.build_opener(*handlers)
    while True:
        why = _why_not(opener, f"{url.rstrip('/')}{HEALTH}")
        if why is None or time.monotonic() >= until:
            return why
        time.sleep(LOOK_EVERY_SECONDS)


def _why_not(opener: urllib.request.OpenerDirector, url: str) -> str | None:
    try:
        with opener.open(url, timeout=_ANSWER_SECONDS) as answer:
            return None if answer.status == OK else f"status {answer.status}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, ValueError) as error:
        return str(error)


def main(program: str, arguments: Sequence[str]) -> str | None:
    """Runs the command; gives the line of its error, if it ends with one."""
    given = parser(program).parse_args(arguments)
    try:
        why = wait(given.url, given.timeout, given.certificate)
    except OSError as error:
        return f"--certificate {given.certificate}: {error.strerror or error}"
    return None if why is None else f"--url {given.url}: no simulator answers there ({why})"

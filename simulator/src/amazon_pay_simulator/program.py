"""The program `amazon-pay-simulator`: serves a simulator until it is told to end.

Exit codes: 0 done, 1 no simulator answers, 2 cannot start (a wrong option, file or port), 130 and 143 ended by SIGINT
and SIGTERM.
"""

import logging
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NoReturn

from amazon_pay_simulator import waiting

if TYPE_CHECKING:
    from amazon_pay_simulator.configuration import Settings
    from amazon_pay_simulator.preparation import Prepared

PROGRAM: Final = "amazon-pay-simulator"
REFUSED: Final = 1
CANNOT_START: Final = 2
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the console script."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["wait"]:
        why = waiting.main(PROGRAM, given[1:])
        if why is not None:
            _fail(why, REFUSED)
        return
    from amazon_pay_simulator.configuration import ConfigurationError, read_settings
    from amazon_pay_simulator.serving import CannotListenError

    logging.basicConfig(level=logging.WARNING)
    try:
        _serve(read_settings(given))
    except (ConfigurationError, CannotListenError) as error:
        _fail(str(error), CANNOT_START)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _serve(settings: "Settings") -> None:
    """Serves until a signal ends it."""
    from amazon_pay_simulator.preparation import prepared
    from amazon_pay_simulator.serving import Server, listening

    with listening(settings.host, settings.port) as listener:
        ready = prepared(settings, listener)
        Server(ready.app, ready.tls, partial(_tell, ready)).run(sockets=[listener])


def _tell(ready: "Prepared") -> None:
    """Prints what a client needs to know, each on a line of its own that a script can read by its name."""
    sys.stdout.write(f"Amazon Pay simulator {version(PROGRAM)}\n")
    for name, value in ready.lines():
        sys.stdout.write(f"  {f'{name}:':<26}{value}\n")
    sys.stdout.write("Ctrl-C ends it.\n")
    sys.stdout.flush()


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"error: {message}\n")
    sys.exit(code)

"""A local Amazon Pay: the API that SDKs sign for, the states behind it, and the notifications it sends.

It exists because nothing else can show what a biller does on the day a card is declined: the real sandbox has
neither scripts nor a clock. Its books are the witness in every test: what it says was charged, was charged.

Owns: Amazon's side, with its states and its clock. Does not decide: anything of a merchant's.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from amazon_pay_simulator.config import SimulatorConfig
    from amazon_pay_simulator.handle import SimulatorHandle
    from amazon_pay_simulator.server import create_app

__all__ = ["SimulatorConfig", "SimulatorHandle", "create_app"]

_WHERE: Final = {"SimulatorConfig": "config", "SimulatorHandle": "handle", "create_app": "server"}


def __getattr__(name: str) -> object:
    """Imports what is asked for when it is asked for: neither a health check nor a run of pytest needs a server."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)

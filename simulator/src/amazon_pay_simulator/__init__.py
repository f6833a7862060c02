"""A local Amazon Pay: the API that SDKs sign for, the states behind it, and the notifications it sends.

It exists because nothing else can show what a biller does on the day a card is declined: the real sandbox has
neither scripts nor a clock. Its books are the witness in every test: what it says was charged, was charged.

Owns: Amazon's side, with its states and its clock. Does not decide: anything of a merchant's.
"""

from amazon_pay_simulator.handle import SimulatorHandle
from amazon_pay_simulator.server import SimulatorConfig, create_app

__all__ = ["SimulatorConfig", "SimulatorHandle", "create_app"]

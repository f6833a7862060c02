"""One subscription's life, deterministic. The rules are in `billing`; what acts is in `activities`.

Owns: timers, signals, updates, and from which queue each command is performed. Does not decide: which command is next,
and what its answer means.
"""

"""One subscription's life, deterministic. The rules are in `billing`; what acts is in `activities`."""

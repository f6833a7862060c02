"""What can be done at the simulated Amazon, one module a kind of object: operations and the state machine behind them.

Source of states, reasonCodes and what leads to what: Amazon Pay API v2; where a page is silent, the assumption is a
setting or is said at the place.
"""

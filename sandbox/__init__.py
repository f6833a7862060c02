"""The whole system on loopback, in virtual time: for the demonstration, the tests and the benchmarks.

Owns: how everything is set up together (Temporal server, simulated Amazon Pay, IPN receiver, workers), how one
subscriber is moved through time, and how the simulator's books are held against what subscriptions say of themselves.
May import everything, and is imported by nothing that bills a real buyer. Does not decide: anything; what a
subscription does is in `billing`, what Amazon answers in `simulator`.
"""

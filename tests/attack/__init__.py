"""Attacks on our own processes: many at a time, in kinds, each with what it must come to.

`make attack` runs them in large and prints a table; `test_attacks.py` runs each in small. A new kind is a function and
a row in `kinds.py`.
"""

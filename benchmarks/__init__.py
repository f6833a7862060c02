"""How fast the parts are that could be too slow, each beside a floor that is measured in the same run.

A figure by itself says more about the machine than about the code, so no script here prints one without its floor,
and the two are measured by turns: whatever else the machine does then slows both.

Owns: figures, their floors and aims. Does not decide: whether a test passes; no test asserts a time.
"""

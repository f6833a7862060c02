"""The frozen values that a subscription is made of, each with its own transitions and its own next command.

A part changes itself alone, by giving a new one. What couples two parts stands in `billing.couplings`.

Owns: what may become of each part. Does not decide: what is done first, of all that the parts want.
"""

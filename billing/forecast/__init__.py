"""The rules run forward, with answers supposed: what is charged next, and what a policy would do.

Owns: the suppositions. Does not decide anything: it leads a subscription by its own rules.
"""

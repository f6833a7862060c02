"""The auditor: reads subscriptions, asks a witness what really happened, and says where a promise was not kept.

Owns: the invariants. Does not decide: what to do about a finding; it changes nothing.
"""

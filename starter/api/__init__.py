"""The HTTP API: the merchant's way in for programs in any language.

Owns: forms, keys, problems, and that a repeated request is answered the same. Holds no rule of billing: what is asked
is asked of `starter.client`, and what is found is found in the ledger.
"""

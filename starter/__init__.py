"""The merchant's ways in: starting, changing, cancelling and showing subscriptions, from Python and typed.

Owns: how a request reaches its workflow, and how an answer, a refusal or a silence is told. Does not decide: what
may be asked, and what follows from it.
"""

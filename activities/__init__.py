"""The side effects that a workflow asks for. `signatures` is all that workflows see of them.

Owns: calls to Amazon Pay and to the merchant, and what their answers are called in `billing.protocol`. Does not decide:
whether to call again with another key, and what an answer means to the subscription.
"""

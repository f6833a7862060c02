"""Many subscriptions at once: joining from elsewhere, and one change for all that match a query.

Owns: pace, progress, and what is told of each. Does not decide: whether one of them may be changed.
"""

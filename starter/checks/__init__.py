"""What a deployment needs, looked at one thing after another: before anything is started on it, and while it bills.

Owns: what is looked at and in which order, what each answer means, and what whoever reads it does next. Does not
decide: whether anything starts; the command line does. Nothing here changes anything anywhere: what is asked of Amazon
is one read of an object that does not exist. What decides (`keys`, `answers`, `notifications`, `temporal`) reads the
key's file and does no other I/O; what asks (`reading`, `asking`) decides nothing; `sandbox` and `deployment` put them
in order.
"""

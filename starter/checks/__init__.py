"""What a deployment needs, looked at one thing after another: before anything is started on it, and while it bills.

Owns: what is looked at and in which order, what each answer means, and what whoever reads it does next. Does not
decide: whether anything starts; the command line does. Nothing here changes anything anywhere: what is asked of Amazon
is one read of an object that does not exist, and of the merchant's addresses what changes nothing. What decides
(`keys`, `rates`, `answers`, `notifications`, `addresses`, `certificates`, `folders`, `temporal`) reads files of this
machine and does no other I/O; what asks (`reading`, `reaching`, `asking`) decides nothing; `looking` sets each a time,
and `sandbox` and `deployment` put them in order.
"""

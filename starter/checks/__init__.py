"""What a deployment needs outside of itself, looked at one thing after another: before anything is started on it.

Owns: what is looked at and in which order, what each answer means, and what whoever reads it does next. Does not
decide: whether anything starts; the command line does. Nothing here changes anything anywhere: what is asked of Amazon
is one read of an object that does not exist. What decides (`keys`, `answers`, `notifications`) reads the key's
file and does no other I/O; what asks (`reading`) decides nothing; `sandbox` puts them in order.
"""

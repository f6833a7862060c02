"""What was agreed with one buyer, and the periods that follow: when each falls due, and what it costs.

Owns: terms, what was changed since, the schedule. Does not decide: what is charged, and whether.
"""

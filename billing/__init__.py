"""The rules of subscription billing, pure: no I/O, no clock, no Temporal.

Money and plans, the calendar, what a decline means and what comes next. Everything here is a value or a function
of its arguments, so that a workflow can use it deterministically and a table of figures can test it.
"""

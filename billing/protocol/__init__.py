"""The words spoken between a subscription and whoever performs it: commands out, events and answers in, notices told.

Owns: the forms. Does not decide anything.
"""

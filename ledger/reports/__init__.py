"""Figures made of the ledger, a module for each report: the database adds up, and an answer is as long as its groups.

Amounts are exact, each in its own currency, and two currencies are never added together. They have no upper bound, as
what is summed over years may be more than any one charge.
"""

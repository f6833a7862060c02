"""The record that outlives Temporal's retention: what every subscription told, for as long as books are kept.

Owns: the SQL database (SQLite in a file, or PostgreSQL), its migrations, and what is asked of it. Does not decide:
anything about a subscription; the workflow is the truth about what happens next, and this is what has happened.
"""

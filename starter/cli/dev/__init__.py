"""The command `perennial dev`: everything on this machine, kept across restarts."""

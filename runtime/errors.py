"""What keeps a process from starting."""


class StartupError(Exception):
    """A process cannot start. The message is one line for a person: what, which value, what to do."""

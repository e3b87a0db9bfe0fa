"""What a command raises to end with one sentence and exit code 1."""


class Refused(Exception):
    """The command was refused or has failed. Its text says what, and what to do."""

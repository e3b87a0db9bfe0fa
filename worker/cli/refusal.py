"""What a command raises to end with one sentence and exit code 1."""

from transports.errors import TransferError


class Refused(Exception):
    """The command was refused or has failed. Its text says what, and what to do."""


def with_advice(failure: TransferError) -> str:
    """The server's words, and what to check."""
    return f"{failure.words.rstrip('.')}: {_behind_a_colon(failure.advice)}"


def _behind_a_colon(sentence: str) -> str:
    """With a small first letter, unless an abbreviation begins it: FTPS is no fTPS."""
    return sentence if sentence[1:2].isupper() else f"{sentence[0].lower()}{sentence[1:]}"

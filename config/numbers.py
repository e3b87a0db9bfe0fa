"""Telephone numbers: whose they are, and where their recordings go. Pure."""

import re
from dataclasses import dataclass

from config.accounts import DeliveryMethod
from config.errors import AccountError

MAX_NUMBER = 64
_NUMBER = re.compile(rf"[\x20-\x7e]{{1,{MAX_NUMBER}}}")


@dataclass(frozen=True)
class Number:
    """A telephone number, the account it belongs to, and where its recordings go."""

    number: str
    account_id: str
    method: DeliveryMethod


def check_number(number: str) -> str:
    """The number itself, as events spell it; raises AccountError where no event could name it."""
    if not _NUMBER.fullmatch(number):
        raise AccountError(
            f"A number must have 1 to {MAX_NUMBER} printable ASCII characters: "
            "give it as the events spell it, such as +441632960001."
        )
    return number

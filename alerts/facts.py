"""What all e-mails about an account have in common: the facts they are composed from. Pure."""

from collections.abc import Mapping
from dataclasses import Field, asdict, fields
from datetime import datetime
from email.message import EmailMessage
from typing import Any, ClassVar, Protocol, TypeVar

from alerts import message


class Facts(Protocol):
    """A frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def recipients(self) -> tuple[str, ...]:
        """The addresses of the recipients."""

    @property
    def at(self) -> datetime:
        """The time of what happened."""


Told = TypeVar("Told", bound=Facts)


def to_document(facts: Facts) -> dict[str, Any]:
    """The facts as MongoDB stores them."""
    return {**asdict(facts), "recipients": list(facts.recipients)}


def from_document(kind: type[Told], document: Mapping[str, Any]) -> Told:
    """The facts read back from MongoDB; those that a later version has added are left out."""
    known = {each.name: document[each.name] for each in fields(kind) if each.name in document}
    return kind(**{**known, "recipients": tuple(document["recipients"])})


def mail(facts: Facts, *, sender: str, subject: str, key: str, text: str) -> EmailMessage:
    """The e-mail to the recipients of the facts. Raises ValueError where the sender is no address.

    The Message-ID follows from the key alone, so that a repeat is recognised as the same.
    Recipients that are no addresses are left out.
    """
    return message.make(
        sender=sender, to=facts.recipients, subject=subject, at=facts.at, key=key, text=text
    )

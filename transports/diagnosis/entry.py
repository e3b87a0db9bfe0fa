"""An entry of the catalogue, and how a server's words find it. Pure.

A server's words are hostile: they are compared with phrases, never with patterns, and no more of
them is looked at than is kept.
"""

from dataclasses import dataclass
from enum import StrEnum

from config.text import MAX_WORDS

ANYTHING = " … "
"""In a phrase: whatever stands between two of its parts."""


class Whose(StrEnum):
    """Who can mend the cause of a failure."""

    CUSTOMER = "customer"
    """Whoever looks after the customer's server, its user there, or the account's settings."""
    NETWORK = "network"
    """Whoever looks after the network and the firewalls between the platform and the server."""
    PLATFORM = "platform"
    """The platform's operators, or nobody: it ends by itself."""

    @property
    def label(self) -> str:
        """For a person."""
        return _LABELS[self]


_LABELS = {
    Whose.CUSTOMER: "the customer: the server's administrator, or whoever keeps the FTP settings",
    Whose.NETWORK: "the network: whoever keeps the firewalls between the platform and the server",
    Whose.PLATFORM: "the platform: there is nothing to do at the server",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """One cause of a failure. Its code is stable: programs and searches rely on it.

    An entry that narrows others is found by what the server said: by the reply's code (FTP) where
    there are `replies`, and by one of the phrases of `says` where there are any.
    """

    code: str
    cause: str
    """A sentence: what is wrong."""
    next_step: str
    """What to do about it."""
    whose: Whose = Whose.CUSTOMER
    narrows: tuple["Entry", ...] = ()
    """The wider causes of which it is one."""
    replies: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    """Phrases in small letters; parts of one may be apart (`ANYTHING`)."""
    for_customers: str = ""
    """What to do about it for the account's own people, where `next_step` is not for them."""

    def is_said_by(self, words: str) -> bool:
        """Whether the words are of this cause."""
        said = words[:MAX_WORDS].casefold()
        has_code = not self.replies or said[:3] in self.replies
        return has_code and (not self.says or any(_has(said, each) for each in self.says))


def _has(said: str, phrase: str) -> bool:
    at = 0
    for part in phrase.split(ANYTHING):
        found = said.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True

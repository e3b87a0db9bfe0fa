"""How a login ends that other logins have told of: the server was not asked, or shuts us out."""

from consumers.ledger.records import LastError
from transports.diagnosis import Entry, reaching
from transports.errors import (
    ConnectFailed,
    LoginRefused,
    OurFailure,
    Said,
    ServerBusy,
    Speaker,
    TransferError,
)

BLOCKED = "Your server has blocked our address for a while"
"""What people are told of it, before the server's own words."""


class NotAsked(TransferError):
    """The server was not asked for this login."""

    found: LastError | None = None
    """What another login has met, which is taken for the answer."""

    @property
    def diagnosis(self) -> Entry:
        """The cause of what was met."""
        known = self.found.diagnosis if self.found is not None else None
        return known or super().diagnosis


class ShutOut(ServerBusy):
    """The server has nothing against the account: it may try again in so many seconds.

    Nothing is counted, however few uploads run.
    """

    def __init__(self, words: str, seconds: float) -> None:
        super().__init__(words)
        self.seconds = seconds


class AddressBlocked(ShutOut):
    """The server lets no account of the platform in, though it was well just now."""

    entry = reaching.BLOCKED_FOR_A_WHILE

    def __init__(self, failure: TransferError, seconds: float) -> None:
        super().__init__(f"{BLOCKED}: {failure.words}", seconds)


class TurnedAway(ShutOut):
    """The server is too busy for this account, and was well for others just now."""

    def __init__(self, failure: TransferError, seconds: float) -> None:
        super().__init__(failure.words, seconds)


class LoginDeferred(NotAsked, OurFailure):
    """Others log in at this server, or it is known that it does not let anybody in.

    `shown` is what people are told while the account waits.
    """

    def __init__(self, seconds: float, shown: LastError | None = None) -> None:
        super().__init__("Other logins at this server come first")
        self.seconds = seconds
        self.shown = shown


class BesideDeferred(NotAsked, OurFailure):
    """Others log in at this server: one more session of an account that stands there is not opened
    at this moment."""

    def __init__(self) -> None:
        super().__init__("Other logins at this server come first")


class FoundAway(NotAsked, ConnectFailed):
    """Another account has just found the server away."""

    def __init__(self, found: LastError) -> None:
        super().__init__(_said(found))
        self.found, self.advice = found, found.advice


class KnownRefusal(NotAsked, LoginRefused):
    """The server has refused these credentials of late: it is not asked again before a probe.

    Each failed login brings the platform's address nearer to being shut out, with all its accounts.
    """

    def __init__(self, refusal: LastError) -> None:
        super().__init__(_said(refusal))
        self.found, self.advice = refusal, refusal.advice


def _said(error: LastError) -> Said:
    return Said(error.words, Speaker(error.said_by) if error.said_by else Speaker.COURIER)

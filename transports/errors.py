"""What can go wrong between a recording and its place at the customer: the tree stands in the
docstring of `transports`.

The kind is decided where the error is raised, never by matching its text later. `words` are the
server's own last words, or the operating system's where it said none, and `said_by` tells whose
they are. What is wrong, whose it is and what to do stands in the catalogue
(`transports.diagnosis`): each error names its entry there.
"""

from enum import StrEnum
from typing import ClassVar, Self

from transports.diagnosis import Entry, Whose, by_code, diagnose, files, login, ours, reaching


class Kind(StrEnum):
    """Who has to mend a failure: decides whether it counts, and for what."""

    ACCOUNT = "account"
    FILE = "file"
    SOURCE = "source"
    BUSY = "busy"
    OURS = "ours"


def is_platforms(kind: str, code: str) -> bool:
    """Whether the platform has to mend a failure: the account's own people read its cause, and what
    was said of it is for operators alone."""
    entry = by_code(code)
    is_caused = entry is not None and entry.whose is Whose.PLATFORM
    return is_caused or kind in {Kind.OURS.value, Kind.SOURCE.value}


class Speaker(StrEnum):
    """Who said the words of a failure."""

    SERVER = "server"
    SYSTEM = "system"
    """The operating system of the platform: the server said nothing."""
    COURIER = "courier"
    """The program, or a library of it, of what it has seen."""


class Said(str):
    """Words, and who said them. Put together with others they are the program's own."""

    __slots__ = ("by",)
    by: Speaker

    def __new__(cls, words: str, by: Speaker) -> Self:
        said = super().__new__(cls, words)
        said.by = by
        return said


class TransferError(Exception):
    """A try of a file failed.

    `part_left` is true where a temporary file of this try may still stand at the customer. `common`
    is what several uploads at once have lost together, a connection for one: the same object for
    all of them.
    """

    kind: ClassVar[Kind]
    entry: ClassVar[Entry]
    """Its cause as the catalogue has it, before the server's words are looked at."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words
        self._advice: str | None = None
        self.part_left = False
        self.common: object | None = None

    def again(self) -> Self:
        """The same failure, of one more file."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        other.__cause__ = self.__cause__
        return other

    @property
    def said_by(self) -> Speaker:
        """Whose words these are."""
        return self.words.by if isinstance(self.words, Said) else Speaker.COURIER

    @property
    def diagnosis(self) -> Entry:
        """The cause: its entry, or a narrower one that the server's words tell of."""
        return diagnose(self.entry, self.words)

    @property
    def advice(self) -> str:
        """For the person who has to mend it: the entry's, or what is known of this very failure."""
        return self._advice or self.diagnosis.next_step

    @advice.setter
    def advice(self, words: str) -> None:
        self._advice = words


class AccountFailure(TransferError):
    kind = Kind.ACCOUNT
    entry = files.SERVER_REFUSES


class ResolveFailed(AccountFailure):
    entry = reaching.NAME_NOT_FOUND


class EgressDenied(AccountFailure):
    entry = reaching.ADDRESS_NOT_ALLOWED


class ConnectFailed(AccountFailure):
    entry = reaching.NOT_REACHED


class DataConnectFailed(ConnectFailed):
    entry = reaching.DATA_PORT_CLOSED

    def __init__(self, words: str, port: int | None = None) -> None:
        """`port`: the one that the server named, if it did."""
        super().__init__(words)
        if port is not None:
            self.advice = f"{self.advice} This time it named port {port}."


class NoPassive(ConnectFailed):
    entry = reaching.NO_PASSIVE


class FamilyNotReached(ConnectFailed):
    entry = reaching.FAMILY_NOT_REACHED


class TlsFailed(AccountFailure):
    entry = reaching.TLS_FAILED


class TlsTooOld(TlsFailed):
    entry = reaching.TLS_TOO_OLD


class ClientCertificateRefused(TlsFailed):
    entry = reaching.CLIENT_CERTIFICATE_REFUSED


class ProtectionRefused(TlsFailed):
    entry = reaching.DATA_IN_CLEAR


class CertificateRefused(TlsFailed):
    """`shown`: the fingerprint of the certificate; empty where it was not seen."""

    entry = reaching.CERTIFICATE_REFUSED

    def __init__(self, words: str, shown: str = "") -> None:
        super().__init__(words)
        self.shown = shown


class CertificateExpired(CertificateRefused):
    entry = reaching.CERTIFICATE_EXPIRED


class CertificateNotYetValid(CertificateRefused):
    entry = reaching.CERTIFICATE_NOT_YET_VALID


class CertificateOfAnother(CertificateRefused):
    entry = reaching.CERTIFICATE_OF_ANOTHER


class CertificateUntrusted(CertificateRefused):
    entry = reaching.CERTIFICATE_UNTRUSTED


class ProtocolFailed(AccountFailure):
    entry = reaching.NO_COMMON_LANGUAGE


class NoSftp(ProtocolFailed):
    entry = reaching.NO_SFTP


class FtpAnswers(ProtocolFailed):
    entry = reaching.FTP_ANSWERS


class SshAnswers(ProtocolFailed):
    entry = reaching.SSH_ANSWERS


class NoTlsAnswers(ProtocolFailed):
    entry = reaching.NO_TLS_ANSWERS


class PlainAnswers(ProtocolFailed):
    entry = reaching.PLAIN_ANSWERS


class StrangerAnswers(ProtocolFailed):
    entry = reaching.STRANGER_ANSWERS


class StartupText(ProtocolFailed):
    entry = reaching.STARTUP_TEXT


class EncryptionAsked(AccountFailure):
    entry = reaching.ENCRYPTION_ASKED


class ImplicitTlsAsked(EncryptionAsked):
    entry = reaching.IMPLICIT_TLS_ASKED


class NoCommonAlgorithm(ProtocolFailed):
    entry = reaching.NO_COMMON_ALGORITHM


class WeakAlgorithm(NoCommonAlgorithm):
    entry = reaching.WEAK_ALGORITHM


class HostKeyChanged(AccountFailure):
    """`shown`: the fingerprint of the key that the server has; `pinned`: those expected."""

    what = "key"
    entry = reaching.HOST_KEY_CHANGED

    def __init__(self, *, pinned: tuple[str, ...], shown: str) -> None:
        expected = "those expected are" if len(pinned) > 1 else "the one expected is"
        words = f"The server's {self.what} is {shown}; {expected} {', '.join(pinned)}"
        super().__init__(words)
        self.pinned = pinned
        self.shown = shown


class CertificateChanged(HostKeyChanged):
    what = "certificate"
    entry = reaching.CERTIFICATE_CHANGED


class LoginRefused(AccountFailure):
    entry = login.LOGIN_REFUSED


class PathRefused(AccountFailure):
    entry = files.PATH_REFUSED


class QuotaExceeded(AccountFailure):
    entry = files.NO_ROOM


class Stalled(AccountFailure):
    entry = files.SILENT


class SilentBeforeLogin(Stalled):
    """The server went silent before it was told of any account, maybe over one's settings: TLS, its
    client certificate, algorithms."""


class NoGreeting(SilentBeforeLogin):
    """The server takes the connection, and says nothing: to no account."""

    entry = reaching.NO_GREETING


class NoAnswerToTls(SilentBeforeLogin):
    """The same where TLS is spoken from the first byte: others may not ask for that."""

    entry = reaching.NO_GREETING


class ConnectionLost(AccountFailure):
    entry = files.CUT


class FileFailure(TransferError):
    kind = Kind.FILE
    entry = files.FILE_REFUSED


class NameRefused(FileFailure):
    entry = files.NAME_REFUSED

    def tell(self, name: str, forbidden: str, unusual: str) -> None:
        """Say in the advice which name was refused, what in it servers commonly forbid, and what
        only some do. Where the server's words tell of another cause, as a full disk, that comes
        first.
        """
        is_of_name = self.diagnosis is self.entry
        told = f'The server does not accept the name "{name}".'
        self.advice = told if is_of_name else self.diagnosis.next_step
        if forbidden:
            self.advice += (
                f" Many servers, those on Windows among them, forbid {forbidden}: with "
                '"Replace Characters" of the FTP settings it becomes "_".'
            )
        elif unusual and is_of_name:
            self.advice += (
                f" Some servers forbid {unusual}: have this server take it, or choose another "
                "File Name in the FTP settings."
            )


class VerificationFailed(FileFailure):
    entry = files.NOT_AS_SENT


class TemporaryGone(VerificationFailed):
    entry = files.TEMPORARY_GONE


class ContentDamaged(VerificationFailed):
    entry = files.CONTENT_DAMAGED


class SingledOut(FileFailure):
    """The words fit any file, so the failure was first called the account's.

    Then the server took a test file by the same means.
    """

    entry = files.SINGLED_OUT


class SourceFailure(TransferError):
    kind = Kind.SOURCE
    entry = ours.RECORDING_UNREADABLE


class SourceMissing(SourceFailure):
    entry = ours.RECORDING_MISSING


class SourceUnreadable(SourceFailure):
    pass


class SourceAway(SourceUnreadable):
    """Where the recording lies cannot give it now. That is no try of the file: it waits."""

    entry = ours.STORE_AWAY


class SourceRefused(SourceAway):
    """The platform's login may not read there."""

    entry = ours.STORE_REFUSES


class SourceMismatch(SourceFailure):
    entry = ours.RECORDING_DIFFERS


class SourceChanged(SourceFailure):
    entry = ours.RECORDING_CHANGED

    def __init__(self, words: str = "The recording was replaced while it was read") -> None:
        super().__init__(words)


class ServerBusy(TransferError):
    kind = Kind.BUSY
    entry = files.BUSY


class HungUp(ServerBusy):
    """Before its greeting, with a word or without."""


class OurFailure(TransferError):
    kind = Kind.OURS
    entry = ours.ENDED_BY_US


class OutgoingFailed(OurFailure):
    """The platform's own way out is closed; no server is to blame."""

    entry = ours.WAY_OUT_CLOSED


class ResourcesExhausted(OutgoingFailed):
    """This machine is out of descriptors, ports, buffers or memory."""


class NotPermitted(OurFailure):
    pass


class Interrupted(OurFailure):
    pass


class NameInUse(OurFailure):
    entry = ours.NAME_IN_USE

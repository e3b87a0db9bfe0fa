"""What can go wrong between a recording and its place at the customer: the tree stands in the
docstring of `transports`.

The kind is decided where the error is raised, never by matching its text later. `words` are the
server's own last words, or the operating system's where it said none, and `said_by` tells whose
they are; `advice` is for the person who has to mend it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Self, assert_never


class Kind(StrEnum):
    """Who has to mend a failure: decides whether it counts, and for what."""

    ACCOUNT = "account"
    FILE = "file"
    SOURCE = "source"
    BUSY = "busy"
    OURS = "ours"


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
    advice: str

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words
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


class AccountFailure(TransferError):
    kind = Kind.ACCOUNT
    advice = "Check the server and the account's FTP settings."


class ResolveFailed(AccountFailure):
    advice = "Check the server's address: its name could not be resolved."


class EgressDenied(AccountFailure):
    advice = "The platform does not connect to this address: use one that is public."


class ConnectFailed(AccountFailure):
    advice = "Check that the server is running and that its firewall lets the platform in."


class TlsFailed(AccountFailure):
    advice = "Check the server's certificate and TLS settings."


class TlsTooOld(TlsFailed):
    advice = "Have the server speak TLS 1.2 or 1.3: no older version is safe. No password was sent."


class ClientCertificateRefused(TlsFailed):
    advice = (
        "The server wants a certificate of the platform's, which has none: have it ask for the "
        "password alone."
    )


class ProtectionRefused(TlsFailed):
    advice = "Have the server encrypt data connections too (PROT P): no file is sent in clear."


class CertificateRefused(TlsFailed):
    """`shown`: the fingerprint of the certificate; empty where it was not seen."""

    advice = "Have the server show a certificate that is valid. No password was sent."

    def __init__(self, words: str, shown: str = "") -> None:
        super().__init__(words)
        self.shown = shown


class CertificateExpired(CertificateRefused):
    advice = "Have the server's certificate renewed. No password was sent."


class CertificateNotYetValid(CertificateRefused):
    advice = "Have the server show a certificate that is valid already. No password was sent."


class CertificateOfAnother(CertificateRefused):
    advice = (
        "Give the host by a name that its certificate has, or have the server show a certificate "
        "for this name. No password was sent."
    )


class CertificateUntrusted(CertificateRefused):
    advice = (
        "If the company has an authority of its own, put its certificate into CA Certificates. If "
        "the server has made its certificate itself, compare the fingerprint with the one that its "
        "administrator tells, and put it into Host Keys. No password was sent."
    )


class ProtocolFailed(AccountFailure):
    advice = "Check protocol and port: the server and the platform have no common language."


class FtpAnswers(ProtocolFailed):
    advice = "An FTP server answers here: choose FTP, or another port."


class SshAnswers(ProtocolFailed):
    advice = "An SFTP server answers here: choose SFTP, or another port."


class NoTlsAnswers(ProtocolFailed):
    advice = (
        "FTPS is not spoken here: choose FTP, or have TLS switched on at the server. No password "
        "was sent."
    )


class PlainAnswers(ProtocolFailed):
    advice = (
        "An FTP server without TLS from the first byte answers here: choose FTPS (explicit), or "
        "the port of FTPS (implicit), which mostly is 990."
    )


class StrangerAnswers(ProtocolFailed):
    advice = "What answers here is no FTP or SFTP server: check host and port."


class StartupText(ProtocolFailed):
    advice = (
        "Startup files of this user on the server (.bashrc, .profile and the like) print text at "
        "every login: have them print to terminals only, or give the user an SFTP-only login."
    )


class EncryptionAsked(AccountFailure):
    advice = "The server asks for encryption: choose FTPS (explicit), or SFTP where it has that."


class ImplicitTlsAsked(EncryptionAsked):
    advice = "The server speaks TLS from the first byte: choose FTPS (implicit), or another port."


class NoCommonAlgorithm(ProtocolFailed):
    advice = "Have the server offer one of the algorithms that the platform takes."


class WeakAlgorithm(NoCommonAlgorithm):
    advice = (
        "What the server offers is too weak to be taken: have it offer more. Until then the "
        "service provider can allow weak algorithms for this account."
    )


class HostKeyChanged(AccountFailure):
    """`shown`: the fingerprint of the key that the server has; `pinned`: those stored."""

    what = "key"
    advice = (
        "If the server has a new key on purpose, save its fingerprint in the account's host keys, "
        "with each stored one that stays right; if not, somebody may be standing in its place. "
        "No password was sent."
    )

    def __init__(self, *, pinned: tuple[str, ...], shown: str) -> None:
        stored = "those stored are" if len(pinned) > 1 else "the one stored is"
        words = f"The server's {self.what} is {shown}; {stored} {', '.join(pinned)}"
        super().__init__(words)
        self.pinned = pinned
        self.shown = shown


class CertificateChanged(HostKeyChanged):
    what = "certificate"
    advice = (
        "If the server has a new certificate on purpose, save its fingerprint in the account's "
        "host keys, with each stored one that stays right; if not, somebody may be standing in its "
        "place. No password was sent."
    )


class LoginRefused(AccountFailure):
    advice = "Check username, password and logon type, and that the user is not locked."


class PathRefused(AccountFailure):
    advice = "Check that the path exists and that the user may write there."


class QuotaExceeded(AccountFailure):
    advice = "Make room on the server, or raise the user's quota."


class Stalled(AccountFailure):
    advice = "Check the server and the network: it accepted the connection and then went silent."


class ConnectionLost(AccountFailure):
    advice = "Check the server's log and the network: the connection was cut."


class FileFailure(TransferError):
    kind = Kind.FILE
    advice = "The server does not take this file; others are not affected."


class NameRefused(FileFailure):
    advice = "The server does not accept this file name."

    def tell(self, name: str, forbidden: str, unusual: str) -> None:
        """Say in the advice which name was refused, what in it servers commonly forbid, and what
        only some do.
        """
        self.advice = f'The server does not accept the name "{name}".'
        if forbidden:
            self.advice += (
                f" Many servers, those on Windows among them, forbid {forbidden}: with "
                '"Replace Characters" of the FTP settings it becomes "_".'
            )
        elif unusual:
            self.advice += (
                f" Some servers forbid {unusual}: have this server take it, or have the recording "
                "pipeline give another name (file_name)."
            )


class VerificationFailed(FileFailure):
    advice = "What the server stored differs from what was sent: check its disk and antivirus."


class SingledOut(FileFailure):
    """The words fit any file, so the failure was first called the account's.

    Then the server took a test file by the same means.
    """

    advice = (
        "The server took a test file just now, and not this one: check its limits and rules for "
        "the name, the size and the content of files."
    )


class SourceFailure(TransferError):
    kind = Kind.SOURCE
    advice = "The recording could not be read; the customer's server is not concerned."


class SourceMissing(SourceFailure):
    advice = "The recording is not where the event says: check the recording pipeline."


class SourceUnreadable(SourceFailure):
    pass


class SourceMismatch(SourceFailure):
    advice = "The recording differs from what its event says: check the recording pipeline."


class SourceChanged(SourceFailure):
    advice = "The recording was replaced while it was read: check the recording pipeline."


class Phase(StrEnum):
    """How far a try of a file has come; a fault of the program is told by it."""

    OPENING = "opening"
    READING = "reading"
    CONNECTING = "connecting"
    FOLDER = "making the folder"
    LOOKING = "looking for earlier tries"
    WRITING = "writing"
    VERIFYING = "verifying"
    RENAMING = "renaming"
    RECORDING = "recording the outcome"


@dataclass
class Progress:
    """How far a try has come at this moment."""

    phase: Phase = Phase.OPENING
    part_left: bool = False
    """Whether its temporary file may still stand at the customer, now that it has failed."""


class ProgramFault(TransferError):
    """An error that nobody foresaw ended the try; it is this one's `__cause__`.

    `reported` is set once its traceback is in the log. What is raised has the kind of its phase.
    """

    kind = Kind.OURS
    advice = "The program failed, and its operators were told: nothing to do at the server."

    def __init__(self, phase: Phase) -> None:
        super().__init__(f"A fault of the program at {phase}: this was reported")
        self.phase = phase
        self.reported = False


class AccountFault(ProgramFault, AccountFailure):
    kind = Kind.ACCOUNT


class FileFault(ProgramFault, FileFailure):
    kind = Kind.FILE


class SourceFault(ProgramFault, SourceFailure):
    kind = Kind.SOURCE


def fault_at(phase: Phase) -> ProgramFault:
    """The failure for an unforeseen error. The phase in which it came decides the kind."""
    match phase:
        case Phase.OPENING | Phase.READING:
            return SourceFault(phase)
        case Phase.CONNECTING | Phase.FOLDER:
            return AccountFault(phase)
        case Phase.LOOKING | Phase.WRITING | Phase.VERIFYING | Phase.RENAMING | Phase.RECORDING:
            return FileFault(phase)
        case _:
            assert_never(phase)


class ServerBusy(TransferError):
    kind = Kind.BUSY
    advice = "The server takes no more connections at this moment."


class OurFailure(TransferError):
    kind = Kind.OURS
    advice = "Nothing to do: the file is tried again by itself."


class NotPermitted(OurFailure):
    pass


class Interrupted(OurFailure):
    pass


class NameInUse(OurFailure):
    pass

"""What a refusal of an FTP server means: who has to mend it, by its code and by what was asked."""

import ssl
from collections.abc import Callable

from pydantic import SecretStr

from transports.diagnosis import files, ours, reaching
from transports.errors import (
    AccountFailure,
    ClientCertificateRefused,
    ConnectFailed,
    ConnectionLost,
    EncryptionAsked,
    LoginRefused,
    NameRefused,
    NoTlsAnswers,
    OurFailure,
    OutgoingFailed,
    PathRefused,
    ProtectionRefused,
    ProtocolFailed,
    QuotaExceeded,
    ServerBusy,
    TransferError,
)
from transports.ftp.replies import (
    UNKNOWN_COMMAND,
    asks_for_encryption,
    code_of,
    is_refusal,
    says_too_many,
    says_wrong_login,
)
from transports.ftp.trust import failure_of
from transports.words import lost, own, spoken, stranger

SESSION_IS_OVER = "421"
NEEDS_ACCOUNT = {"332", "532"}
"""Replies that ask for more than a username and a password."""
_BROKEN = "The server broke the protocol"
_NO_SPACE = {"452", "552"}
_BY_CODE: dict[str, type[TransferError]] = {
    "332": LoginRefused,
    "421": ConnectionLost,
    "425": ConnectFailed,
    "426": ConnectionLost,
    "430": LoginRefused,
    "452": QuotaExceeded,
    "522": EncryptionAsked,
    "530": LoginRefused,
    "532": LoginRefused,
    "533": EncryptionAsked,
    "534": EncryptionAsked,
    "536": EncryptionAsked,
    "552": QuotaExceeded,
}
OF_THE_CONNECTION = {SESSION_IS_OVER, "425", "426"}
"""Refusals that are about no file."""
Judge = Callable[[str], type[TransferError] | None]
"""What a refusal means for the command that was refused; None: what its code always means."""


class ClientCertificateNotAccepted(ClientCertificateRefused):
    entry = reaching.CLIENT_CERTIFICATE_NOT_ACCEPTED


class ClientCertificateEnded(ClientCertificateNotAccepted):
    entry = reaching.CLIENT_CERTIFICATE_ENDED


class Refused(Exception):
    """The server refused a command. Never leaves this package."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


class Garbled(Exception):
    """What the server said is no reply of FTP, or does not end. Never leaves this package."""


class Stranger(Exception):
    """What greeted is no FTP server. Never leaves this package."""


class ActiveModeOff(OutgoingFailed):
    entry = ours.ACTIVE_MODE_OFF


class CallBackFailed(ConnectFailed):
    entry = reaching.NOT_CALLED_BACK


class NoPortFree(OurFailure):
    entry = ours.NO_PORT_FREE


class RenameRefused(AccountFailure):
    entry = files.RENAME_REFUSED


def refusal(reply: str) -> Refused | Garbled:
    """The error for a reply that is not the one that was wanted."""
    is_one = is_refusal(reply) or code_of(reply) in NEEDS_ACCOUNT
    return Refused(reply) if is_one else Garbled(reply)


def translate(
    error: Exception, password: SecretStr | None = None, judge: Judge | None = None
) -> TransferError:
    """What an error means, be it the operating system's, in the server's words."""
    match error:
        case ssl.SSLError():
            return failure_of(error)
        case OSError() | EOFError():
            return lost(error)
        case Refused(reply=reply):
            return _meant(reply, judge)(spoken(reply, password))
        case Stranger():
            return stranger(str(error), password)
        case Garbled():
            return ProtocolFailed(spoken(error.args[0], password) or _BROKEN)
        case _:
            return ProtocolFailed(_BROKEN)


def _meant(reply: str, judge: Judge | None) -> type[TransferError]:
    if says_too_many(reply):
        return ServerBusy
    failure = judge(reply) if judge is not None else None
    return failure or _BY_CODE.get(code_of(reply), AccountFailure)


def words_of(reply: str, verb: str, password: SecretStr) -> str:
    """The server's words for a refusal; it may have hung up or been silent over the command."""
    return spoken(reply, password) if reply else own(f"The server does not answer {verb}")


def greeting_refused(reply: str) -> type[TransferError] | None:
    """A refusal to talk at all."""
    if asks_for_encryption(reply):
        return EncryptionAsked
    return ServerBusy if code_of(reply) == SESSION_IS_OVER else None


def tls_refused(reply: str) -> type[TransferError] | None:
    """A refusal to begin TLS (RFC 4217 section 4)."""
    return ServerBusy if code_of(reply) == SESSION_IS_OVER else NoTlsAnswers


def protection_refused(reply: str) -> type[TransferError] | None:
    """A refusal to encrypt data connections (RFC 4217 section 9)."""
    return None if code_of(reply) == SESSION_IS_OVER else ProtectionRefused


def login_refused(reply: str) -> type[TransferError] | None:
    """A refusal of the username or the password, be it by hanging up."""
    if code_of(reply) == SESSION_IS_OVER and says_wrong_login(reply):
        return LoginRefused
    return greeting_refused(reply) or (LoginRefused if reply.startswith("5") else None)


def store_refused(reply: str) -> type[TransferError] | None:
    """The temporary name is ours and plain: what refuses it refuses the path."""
    code = code_of(reply)
    if code in _BY_CODE or code in UNKNOWN_COMMAND or not code.startswith("5"):
        return None
    return EncryptionAsked if code == "521" else PathRefused


def read_refused(reply: str) -> type[TransferError] | None:
    """The file was not handed out."""
    code = code_of(reply)
    return NameRefused if is_refusal(code) and code not in OF_THE_CONNECTION else None


def rename_refused(reply: str) -> type[TransferError] | None:
    """The file stands there under its temporary name: what refuses the new one refuses a name."""
    return None if code_of(reply) in _NO_SPACE else read_refused(reply)

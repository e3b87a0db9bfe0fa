"""paramiko's side of a logon (RFC 4252, RFC 4256): what a server asks, and what a key signs."""

import io
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey
from paramiko.auth_handler import AuthHandler
from paramiko.common import cMSG_USERAUTH_INFO_RESPONSE
from paramiko.message import Message
from paramiko.ssh_exception import AuthenticationException
from pydantic import SecretStr

from config.ssh_keys import KeyPair
from transports.errors import LoginRefused
from transports.sftp.answers import Malformed, Packet
from transports.ssh.errors import AgreementWanted, SecondFactorWanted
from transports.words import decoded, own, spoken

_ROUNDS = 5
_PROMPTS = 16
"""In one round: a server that asks for more asks for nothing that the platform has."""
_CODE = re.compile(
    r"one[- ]?time|\botps?\b|pass ?code|authenticator|\btoken|\bcode\b|\bpin\b|second factor"
    r"|two[- ]factor|\b[2m]fa\b|securid|yubi ?key|new password|retype|expired|must be changed",
    re.IGNORECASE,
)
_AGREEMENT = re.compile(
    r"\byes\s*(/|or)\s*no\b|\by\s*/\s*n\b|\bj\s*/\s*n\b|[\[(]yes[\])]|\b(agree|accept)\b"
    r"|\b(type|press|enter|say|hit) ['\"]?(yes|y|ok)\b"
    r"|\b(ja|oui|s[ií]|sim|tak|da)\s*/\s*(nein|non|no|n[ãa]o|nie|nee|nej|nei|net)\b",
    re.IGNORECASE,
)
_PASSWORD = re.compile(
    r"pass ?(word|phrase)|kennwort|passwort|mot de passe|contrase|wachtwoord|senha|hasło|парол"
    r"|lösenord|passord|kodeord|adgangskode|salasana|heslo|jelszó|parol[aă]?\b|şifre|κωδικός"
    r"|パスワード|密码|密碼|口令|비밀번호|암호|סיסמ|كلمة",
    re.IGNORECASE,
)
_ANY_KEY = re.compile(r"\b(press|hit) (the )?(enter|return|any key)\b", re.IGNORECASE)
_USERNAME = re.compile(r"\buser(name)?\b|\blogin( name)?\s*:", re.IGNORECASE)


_KEYS: dict[str, type[PKey]] = {"ssh-ed25519": Ed25519Key, "ssh-rsa": RSAKey}


class NoSignature(AuthenticationException):
    """The server takes no signature that a key of RSA makes here. `offered`: those it takes."""

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__(own("No signature algorithm in common"))
        self.offered = offered


def signing_key(pair: KeyPair, certificate: str | None) -> PKey:
    """The key as paramiko signs with it; shown with the certificate where there is one."""
    kind = _KEYS.get(pair.public.algorithm, ECDSAKey)
    key = kind.from_private_key(io.StringIO(pair.private.get_secret_value()))
    if certificate is not None:  # as a message: a text could be taken for the name of a file
        key.load_certificate(Message(b64decode(certificate.split()[1])))
    return key


class Logon(AuthHandler):
    """paramiko's side of a logon; what the server offers instead is remembered."""

    offered: tuple[str, ...] = ()
    """The methods that the server named when it last refused one."""
    _serves = False

    if TYPE_CHECKING:  # what is used of paramiko beyond its stubs
        transport: Any
        interactive_handler: "Answers"

    def _request_auth(self) -> None:
        """Ask for the service once: a server may end the connection over a second time."""
        if not self._serves:
            super()._request_auth()  # type: ignore[misc]
            return
        accepted = Message()
        accepted.add_string("ssh-userauth")
        accepted.rewind()
        self._parse_service_accept(accepted)

    def _parse_service_accept(self, message: Message) -> None:
        self._serves = True
        super()._parse_service_accept(message)  # type: ignore[misc]

    def _finalize_pubkey_algorithm(self, key_type: str) -> str:
        """As paramiko's own, which signs with RSA by SHA-2 alone (RFC 8332)."""
        if key_type.startswith("ssh-rsa") and not self.transport.takes_key_of(key_type):
            raise NoSignature(self.transport.key_algorithms())
        return str(super()._finalize_pubkey_algorithm(key_type))  # type: ignore[misc]

    def _parse_userauth_failure(self, message: Message) -> None:
        told = decoded(Packet(message.get_remainder()).text())
        self.offered = tuple(told.split(","))
        super()._parse_userauth_failure(message)  # type: ignore[misc]

    def _parse_userauth_info_request(self, message: Message) -> None:
        """As paramiko's own, but no longer than the message, and in whatever encoding."""
        if self.auth_method != "keyboard-interactive":  # a new password is asked for
            super()._parse_userauth_info_request(message)  # type: ignore[misc]
            return
        packet = Packet(message.get_remainder())
        title, instructions, _ = (decoded(packet.text()) for _ in range(3))
        asked = packet.number()
        if asked > _PROMPTS:
            raise Malformed(own("The server asks too many questions at once"))
        prompts = [(decoded(packet.text()), packet.flag()) for _ in range(asked)]
        answers = self.interactive_handler(title, instructions, prompts)
        reply = Message()
        reply.add_byte(cMSG_USERAUTH_INFO_RESPONSE)
        reply.add_int(len(answers))
        for answer in answers:
            reply.add_string(answer)
        self.transport._send_message(reply)  # noqa: SLF001 - as paramiko's own handler does


class Answers:
    """Answers a keyboard-interactive logon: the password where it is asked for or hidden.

    The password is given in one round only: who asks again has refused it, or wants what the
    platform does not have. Only the questions count: the text beside them may tell of anything.
    Raises SecondFactorWanted, AgreementWanted, LoginRefused with what was asked.
    """

    def __init__(self, username: str, password: SecretStr) -> None:
        self._username = username
        self._password = password
        self._rounds = 0
        self._given = False

    def __call__(
        self, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str]:
        """The answers to one round."""
        self._rounds += 1
        words = " ".join([title, instructions, *(text for text, _ in prompts)])
        asked = spoken(words, self._password)
        questions = [text.replace(self._username, "") for text, _ in prompts]  # it may be any word
        self._check(asked, questions)
        wanted = [
            _wants_password(question, echo=echo)
            for question, (_, echo) in zip(questions, prompts, strict=True)
        ]
        if any(wanted) and self._given:
            raise LoginRefused(f"The server did not accept the password and asks again: {asked}")
        self._given = self._given or any(wanted)
        pairs = zip(questions, wanted, strict=True)
        return [self._answer_to(question, wants_password=wants) for question, wants in pairs]

    def _answer_to(self, question: str, *, wants_password: bool) -> str:
        if wants_password:
            return self._password.get_secret_value()
        return "" if _ANY_KEY.search(question) else self._username

    def _check(self, asked: str, questions: Sequence[str]) -> None:
        if any(_AGREEMENT.search(each) and not _PASSWORD.search(each) for each in questions):
            raise AgreementWanted(f"The server wants an agreement to its terms: {asked}")
        if any(map(_CODE.search, questions)) or self._rounds > _ROUNDS:
            raise SecondFactorWanted(f"The server asks for more than the password: {asked}")


def _wants_password(question: str, *, echo: bool) -> bool:
    if _PASSWORD.search(question):
        return True
    return not (echo or _USERNAME.search(question) or _ANY_KEY.search(question))

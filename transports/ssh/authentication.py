"""Logs in at an SSH server by the account's logon type, and tells what the server wants instead.

A server may want two methods one after the other (OpenSSH's AuthenticationMethods). It then answers
the first with a partial success and names what is left (RFC 4252 section 5.1).
"""

from collections.abc import Sequence
from typing import assert_never

from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    SSHException,
)

from config.accounts import LogonType
from config.public_keys import PublicKey
from transports.access import Access
from transports.errors import LoginRefused
from transports.ssh.errors import (
    CertificateNotAccepted,
    InteractiveOffered,
    KeyNotAccepted,
    KeyNotTaken,
    KeyWanted,
    KeyWantedToo,
    PasswordWantedToo,
    RsaBySha1,
)
from transports.ssh.logon import Answers, NoSignature, signing_key
from transports.ssh.transport import SshTransport
from transports.words import heard, spoken

KEY = "publickey"
PASSWORD = "password"  # noqa: S105 - the name of a method
INTERACTIVE = "keyboard-interactive"
_BY_KEY = {KEY, "hostbased", "gssapi-with-mic", "gssapi-keyex"}
_LONGEST_LINE = 300
"""Characters of a public key that an advice repeats: one of RSA has more, and would be cut."""


def log_in(transport: SshTransport, access: Access) -> str:
    """Log in. Returns as whom and with what, for people. Raises LoginRefused, RsaBySha1, and what
    paramiko raises."""
    return _Authentication(transport, access).run()


class _Authentication:
    """One logon."""

    def __init__(self, transport: SshTransport, access: Access) -> None:
        self._transport = transport
        self._access = access
        self._username = access.settings.username
        self._password = access.password
        self._answers = Answers(self._username, self._password)

    def run(self) -> str:
        """As of `log_in`."""
        logon = self._access.settings.logon_type
        try:
            more = self._more(logon)
        except BadAuthenticationType as refusal:
            raise self._not_taken(logon, refusal.allowed_types) from refusal
        if more:
            raise self._wants_more(logon, more)
        if not logon.needs_key:
            return self._username
        besides = " and its certificate" if self._access.settings.key_certificate else ""
        return f"{self._username}, with the key {self._fingerprint}{besides}"

    def _more(self, logon: LogonType) -> list[str]:
        """Log in; the methods that are wanted besides."""
        match logon:
            case LogonType.NORMAL:
                return self._give_password()
            case LogonType.INTERACTIVE:
                return self._transport.answer(self._username, self._answers)
            case LogonType.KEY:
                return self._show_key()
            case LogonType.KEY_AND_PASSWORD:
                return self._give_both()
            case _:
                assert_never(logon)

    def _give_both(self) -> list[str]:
        """The key first, unless the server wants the password before it."""
        try:
            more = self._show_key()
        except BadAuthenticationType as refusal:
            more = self._give_second(refusal.allowed_types)
            return self._show_key() if KEY in more else more
        return self._give_second(more) if more else []

    def _give_second(self, methods: Sequence[str]) -> list[str]:
        """The password by one of the methods that are left; what is wanted besides."""
        try:
            if PASSWORD in methods:
                return self._send_password()
            if INTERACTIVE in methods:
                return self._transport.answer(self._username, self._answers)
        except BadAuthenticationType:
            raise
        except AuthenticationException as refusal:
            if not self._transport.is_active():
                raise
            raise LoginRefused("The server does not accept the password") from refusal
        return list(methods)

    def _show_key(self) -> list[str]:
        key = self._access.key
        if key is None:
            raise LoginRefused("The account has no key")
        try:
            signing = signing_key(key, self._access.settings.key_certificate)
            return self._transport.show_key(self._username, signing)
        except NoSignature as error:
            raise RsaBySha1(
                "The key is of RSA, and the server takes signatures only by: "
                f"{spoken(', '.join(error.offered))}"
            ) from error
        except BadAuthenticationType:
            raise
        except AuthenticationException as refusal:
            if not self._transport.is_active():
                raise
            raise self._not_accepted(key.public) from refusal

    def _give_password(self) -> list[str]:
        try:
            return self._send_password()
        except BadAuthenticationType as refusal:
            if INTERACTIVE not in refusal.allowed_types:
                raise
            return self._transport.answer(self._username, self._answers)
        except AuthenticationException as refusal:
            if INTERACTIVE not in self._transport.logon.offered:
                raise
            raise InteractiveOffered(heard(refusal, self._password)) from refusal

    def _send_password(self) -> list[str]:
        try:
            return self._transport.give_password(self._username, self._password.get_secret_value())
        except SSHException as error:
            if type(error) is not SSHException:
                raise
            # RFC 4252 section 8: the server may ask for a new password instead; paramiko ends.
            raise LoginRefused(
                "The server did not accept the password as it is: it may have expired"
            ) from error

    @property
    def _fingerprint(self) -> str:
        return self._access.key.public.fingerprint if self._access.key else ""

    def _not_accepted(self, public: PublicKey) -> KeyNotAccepted:
        words = f"The server refused the key {public.fingerprint}"
        if not self._transport.takes_key_of(public.algorithm):
            taken = ", ".join(self._transport.key_algorithms())
            words += f"; it takes only keys of: {spoken(taken)}"
        if self._access.settings.key_certificate:
            return CertificateNotAccepted(f"{words}, shown with its certificate")
        failure = KeyNotAccepted(words)
        if len(public.line) <= _LONGEST_LINE:
            failure.advice = f"{failure.advice.removesuffix('.')}: {public.line}"
        return failure

    def _not_taken(self, logon: LogonType, allowed: Sequence[str]) -> LoginRefused:
        words = f"The server only takes: {spoken(', '.join(allowed), self._password)}"
        if logon.needs_key:
            return KeyNotTaken(words)
        return KeyWanted(words) if set(allowed) <= _BY_KEY else LoginRefused(words)

    def _wants_more(self, logon: LogonType, more: Sequence[str]) -> LoginRefused:
        wanted = spoken(", ".join(more), self._password)
        if logon is LogonType.KEY:
            words = f"The server accepted the key {self._fingerprint}, and wants besides: {wanted}"
            has = {PASSWORD, INTERACTIVE} & set(more)
            return PasswordWantedToo(words) if has else LoginRefused(words)
        if logon is LogonType.KEY_AND_PASSWORD:
            return LoginRefused(f"The server wants more than the key and the password: {wanted}")
        words = f"The server wants more than the password: {wanted}"
        return KeyWantedToo(words) if KEY in more else LoginRefused(words)

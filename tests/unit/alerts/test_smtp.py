"""Handing an e-mail to real SMTP servers on loopback."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from alerts import smtp
from alerts.smtp import DeliveryFailed, Refusal, ServerAway, send
from alerts.suspension import compose
from config.tls import Endpoint
from deploy.local.processes import free_port
from tests.servers.certificates import Authority
from tests.unit.alerts.facts import EXAMPLE, PLATFORM, SENDER

MESSAGE = compose(EXAMPLE, sender=SENDER, platform=PLATFORM)
BOTH = ("it@customer.example", "ops@customer.example")
LOGIN = ("courier@platform", "p@ss:/w%")
ENCODED_LOGIN = "courier%40platform:p%40ss%3A%2Fw%25"


class Hooks:
    """Keeps what came; refuses the recipients it was told to."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, ...]] = []
        self.refusals: dict[str, str] = {}
        self.data_reply = "250 kept"

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.data_reply.startswith("250"):
            self.kept.append(tuple(envelope.rcpt_tos))
        return self.data_reply


def authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: LoginPassword
) -> AuthResult:
    success = (given.login.decode(), given.password.decode()) == LOGIN
    if success:
        return AuthResult(success=True)
    return AuthResult(success=False, handled=False, message=f"535 no {given.password.decode()}")


@contextmanager
def server(hooks: Hooks, scheme: str = "smtp", **options: object) -> Iterator[Endpoint]:
    controller = Controller(hooks, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield Endpoint(SecretStr(f"{scheme}://localhost:{controller.port}"))
    finally:
        controller.stop()


def with_login(server: Endpoint, login: str = ENCODED_LOGIN) -> Endpoint:
    url = server.url.get_secret_value().replace("://", f"://{login}@")
    return Endpoint(SecretStr(url), server.trust)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def tls_of(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_those_it_names_get_it() -> None:
    hooks = Hooks()
    with server(hooks) as url:
        assert send(MESSAGE, url) == ()
    assert hooks.kept == [BOTH]


def test_only_those_asked_for_get_it() -> None:
    hooks = Hooks()
    with server(hooks) as url:
        send(MESSAGE, url, BOTH[:1])
    assert hooks.kept == [BOTH[:1]]


def test_one_refused_recipient_does_not_keep_it_from_the_others() -> None:
    hooks = Hooks()
    hooks.refusals = {BOTH[0]: "550 5.1.1 No such user"}
    with server(hooks) as url:
        refused = send(MESSAGE, url)
    assert refused == (Refusal(BOTH[0], "550 5.1.1 No such user", permanent=True),)
    assert hooks.kept == [BOTH[1:]]


@pytest.mark.parametrize(
    ("replies", "permanent"),
    [(("550 no", "551 no"), True), (("550 no", "450 later"), False), (("451 a", "451 b"), False)],
)
def test_all_refused_is_permanent_only_where_each_is(
    replies: tuple[str, str], *, permanent: bool
) -> None:
    hooks = Hooks()
    hooks.refusals = dict(zip(BOTH, replies, strict=True))
    with server(hooks) as url, pytest.raises(DeliveryFailed) as caught:
        send(MESSAGE, url)
    assert caught.value.permanent is permanent
    assert f"{BOTH[0]}: {replies[0]}" in caught.value.words
    assert not isinstance(caught.value, ServerAway)


@pytest.mark.parametrize(("reply", "permanent"), [("554 spam", True), ("452 full", False)])
def test_a_refused_content_is_told_in_the_servers_words(reply: str, *, permanent: bool) -> None:
    hooks = Hooks()
    hooks.data_reply = reply
    with server(hooks) as url, pytest.raises(DeliveryFailed) as caught:
        send(MESSAGE, url)
    assert (caught.value.words, caught.value.permanent) == (reply, permanent)


def test_a_server_that_is_closing_is_away() -> None:
    hooks = Hooks()
    hooks.data_reply = "421 shutting down"
    with server(hooks) as url, pytest.raises(ServerAway, match="421 shutting down"):
        send(MESSAGE, url)


def test_no_server_is_told_in_the_systems_words() -> None:
    port = free_port()
    with pytest.raises(ServerAway, match=f"127.0.0.1:{port}: Connection refused") as caught:
        send(MESSAGE, Endpoint(SecretStr(f"smtp://127.0.0.1:{port}")))
    assert not caught.value.permanent


def test_a_name_without_an_address_is_a_server_away() -> None:
    with pytest.raises(ServerAway, match=r"nowhere\.invalid:25: "):
        send(MESSAGE, Endpoint(SecretStr("smtp://nowhere.invalid")))


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_it_travels_under_tls_with_a_login(scheme: str, authority: trustme.CA) -> None:
    hooks = Hooks()
    with tls_server(hooks, scheme, tls_of(authority)) as url:
        assert send(MESSAGE, with_login(url)) == ()
    assert hooks.kept == [BOTH]


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_certificate_of_another_name_is_refused(scheme: str, authority: trustme.CA) -> None:
    hooks = Hooks()
    with (
        tls_server(hooks, scheme, tls_of(authority, "other.example")) as url,
        pytest.raises(ServerAway, match=r"the certificate is not trusted: .*localhost"),
    ):
        send(MESSAGE, with_login(url))
    assert hooks.kept == []


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_an_own_authority_is_trusted_and_no_other(scheme: str, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    fine, expired = ours.issue("localhost"), ours.issue("localhost", expired=True)
    hooks = Hooks()
    with tls_server(hooks, scheme, ours.server_context(fine)) as url:
        assert send(MESSAGE, with_login(Endpoint(url.url, ours.trust()))) == ()
        with pytest.raises(ServerAway, match="the certificate is not trusted: "):
            send(MESSAGE, with_login(Endpoint(url.url, theirs.trust())))
    with (
        tls_server(hooks, scheme, ours.server_context(expired)) as url,
        pytest.raises(ServerAway, match=r"the certificate is not trusted: .*expired"),
    ):
        send(MESSAGE, with_login(Endpoint(url.url, ours.trust())))
    assert hooks.kept == [BOTH]


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_server_that_demands_a_certificate_gets_ours(scheme: str, tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours")
    hooks = Hooks()
    demanding = ours.server_context(ours.issue("localhost"), demands=True)
    with tls_server(hooks, scheme, demanding) as url:
        own = ours.trust(ours.issue("courier"))
        assert send(MESSAGE, with_login(Endpoint(url.url, own))) == ()
        with pytest.raises(DeliveryFailed):
            send(MESSAGE, with_login(Endpoint(url.url, ours.trust())))
    assert hooks.kept == [BOTH]


@pytest.mark.parametrize("injected", ["250 nothing of it", "235 logged in", "220 go on"])
def test_what_was_said_before_tls_counts_for_nothing_under_it(
    injected: str, tmp_path: Path
) -> None:
    """RFC 3207, section 4.2: what a man in the middle puts behind the reply is not believed."""
    ours = Authority(tmp_path / "ours")
    context = ours.server_context(ours.issue("localhost"))
    heard: list[bytes] = []

    def inject(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n")
        connection.recv(1000)
        connection.sendall(b"250-me\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(f"220 begin\r\n{injected}\r\n".encode())
        with context.wrap_socket(connection, server_side=True) as secured:
            heard.append(secured.recv(1000))
            secured.sendall(b"250 nothing is offered\r\n")
            heard.append(secured.recv(1000))

    with (
        talking(inject, close=True, scheme="smtp+starttls") as url,
        pytest.raises(ServerAway, match="not supported"),
    ):
        send(MESSAGE, with_login(Endpoint(url.url, ours.trust())))
    assert heard[0].startswith(b"ehlo ")
    assert b"AUTH" not in heard[1].upper()


@pytest.mark.parametrize(
    "reply", ["454 TLS not available due to temporary reason", "250 fine", "500 what?"]
)
def test_a_starttls_that_is_refused_ends_the_session(reply: str) -> None:
    heard: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n")
        heard.append(connection.recv(1000))
        connection.sendall(b"250-me\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
        heard.append(connection.recv(1000))
        connection.sendall(f"{reply}\r\n".encode())
        heard.append(connection.recv(1000))

    with (
        talking(refuse, close=True, scheme="smtp+starttls") as url,
        pytest.raises(ServerAway, match=reply[:3]),
    ):
        send(MESSAGE, with_login(url))
    assert not any(command in heard[2].upper() for command in (b"AUTH", b"MAIL"))


def test_a_server_without_starttls_gets_nothing_in_the_clear() -> None:
    hooks = Hooks()
    with (
        server(hooks, "smtp+starttls", authenticator=authenticate) as url,
        pytest.raises(ServerAway, match="STARTTLS"),
    ):
        send(MESSAGE, with_login(url))
    assert hooks.kept == []


def test_a_refused_login_is_told_without_the_password() -> None:
    hooks = Hooks()
    with (
        server(hooks, authenticator=authenticate, auth_require_tls=False) as url,
        pytest.raises(ServerAway, match="535") as caught,
    ):
        send(MESSAGE, with_login(url, "courier:hunter2"))
    assert "hunter2" not in str(caught.value)


def test_a_password_that_smtp_cannot_carry_is_said_to_be_one() -> None:
    with (
        server(Hooks(), authenticator=authenticate, auth_require_tls=False) as url,
        pytest.raises(ServerAway, match="outside ASCII"),
    ):
        send(MESSAGE, with_login(url, "courier:p%C3%A4ss"))


def test_a_silent_server_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "REPLY_SECONDS", 0.2)
    with talking(lambda _: None) as url, pytest.raises(ServerAway, match="timed out"):
        send(MESSAGE, url)


def test_a_server_that_drips_its_greeting_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "SESSION_SECONDS", 0.3)

    def drip(connection: socket.socket) -> None:
        while True:  # until the client has gone
            connection.sendall(b"220-still\r\n")
            time.sleep(0.05)

    with talking(drip) as url, pytest.raises(ServerAway):
        send(MESSAGE, url)


def test_a_connection_cut_in_the_middle_is_no_fault_of_the_whole_server() -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n")
        for _ in range(2):
            connection.recv(1000)
            connection.sendall(b"250 ok\r\n")

    with talking(cut, close=True) as url, pytest.raises(DeliveryFailed) as caught:
        send(MESSAGE, url)
    assert not isinstance(caught.value, ServerAway)
    assert not caught.value.permanent


def test_control_characters_of_the_server_do_not_get_through() -> None:
    hooks = Hooks()
    hooks.data_reply = "554 a\x1b[2Jb"
    with server(hooks) as url, pytest.raises(DeliveryFailed) as caught:
        send(MESSAGE, url)
    assert caught.value.words == "554 a [2Jb"


def test_no_thread_stays_behind() -> None:
    with server(Hooks()) as url:
        before = threading.active_count()
        send(MESSAGE, url)
        assert threading.active_count() == before


@contextmanager
def tls_server(hooks: Hooks, scheme: str, tls: ssl.SSLContext) -> Iterator[Endpoint]:
    if scheme == "smtp+starttls":
        with server(hooks, scheme, tls_context=tls, authenticator=authenticate) as url:
            yield url
        return
    options = {"authenticator": authenticate, "auth_require_tls": False}
    with server(hooks, scheme, ssl_context=tls, **options) as url:
        yield url


@contextmanager
def talking(
    talk: Callable[[socket.socket], None], *, close: bool = False, scheme: str = "smtp"
) -> Iterator[Endpoint]:
    """A server that does to its only connection what it is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        over = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                try:
                    talk(connection)
                except OSError:
                    return
                if not close:
                    over.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Endpoint(SecretStr(f"{scheme}://localhost:{listener.getsockname()[1]}"))
        finally:
            over.set()
            thread.join(10)

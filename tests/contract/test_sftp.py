"""What SFTP servers do that an uploader has to live with, or has to refuse."""

import socket
import subprocess
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import (
    FX_FAILURE,
    FX_OP_UNSUPPORTED,
    FX_PERMISSION_DENIED,
    FX_QUOTA_EXCEEDED,
    FXF_READ,
)

from config.accounts import LogonType
from deploy.local.customers import AsyncSshServer, Challenge
from tests.contract.accounts import Ledger, files_in, job, open_session, opened, upload
from tests.contract.scripted import ScriptedServer, endless
from tests.servers import Sshd
from transports.base import Unsupported
from transports.errors import (
    AccountFailure,
    HostKeyChanged,
    LoginRefused,
    ProtocolFailed,
    QuotaExceeded,
    ServerBusy,
    TransferError,
)
from transports.job import Verified

INTERACTIVE: dict[str, Any] = {"logon_type": LogonType.INTERACTIVE}
BY_PASSWORD = [each for each in LogonType if not each.needs_key]
ONE_TIME_CODE = Challenge((("Verification code: ", False),), answers=("123456",))
NEW_PASSWORD = Challenge((("New password: ", False),), "Your password has expired.", ("x",))
PASSWORD = Challenge((("Password: ", False),))


def _serving(tmp_path: Path, **options: object) -> AsyncSshServer:
    root = tmp_path / "served"
    root.mkdir()
    return AsyncSshServer(root, **options)  # type: ignore[arg-type]


def test_the_pinned_key_is_compared_and_told(sshd: Sshd) -> None:
    for pinned in (None, sshd.customer.host_key):
        session = open_session(sshd.customer, host_key=pinned)
        assert session.host_key == sshd.customer.host_key
        session.close()


@pytest.mark.usefixtures("nothing_left")
def test_a_changed_host_key_gets_no_credential(asyncssh_server: AsyncSshServer) -> None:
    before = asyncssh_server.customer.host_key
    asyncssh_server.stop()
    asyncssh_server.regenerate_host_key()
    asyncssh_server.start()
    after = asyncssh_server.customer.host_key
    with pytest.raises(HostKeyChanged) as changed:
        open_session(asyncssh_server.customer, host_key=before)
    assert asyncssh_server.logins == 0
    assert str(before) in changed.value.words
    assert str(after) in changed.value.words
    assert (changed.value.pinned, changed.value.shown) == ((before,), after)


def test_a_key_of_another_type_beside_the_pinned_one_is_no_change(tmp_path: Path) -> None:
    key = tmp_path / "rsa"
    command = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(key)]
    subprocess.run(command, check=True, timeout=30)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(key)], check=True, capture_output=True, text=True, timeout=30
    )
    pinned = shown.stdout.split()[1]
    with Sshd(tmp_path / "sshd", extra=[f"HostKey {key}"]) as server:
        session = open_session(server.customer, host_key=pinned)
        assert session.host_key == pinned
        session.close()


def test_a_wrong_password_is_a_refused_logon_and_said_once(
    asyncssh_server: AsyncSshServer,
) -> None:
    for logon in BY_PASSWORD:
        asyncssh_server.logins = 0
        with pytest.raises(LoginRefused) as refused:
            open_session(asyncssh_server.customer, password="wrong", logon_type=logon)
        assert refused.value.words == "Authentication failed."
        assert asyncssh_server.logins == 1


@pytest.mark.parametrize("logon", BY_PASSWORD)
def test_openssh_is_logged_in_to_interactively(tmp_path: Path, logon: LogonType) -> None:
    with Sshd(tmp_path / "sshd", logon="keyboard-interactive") as server:
        open_session(server.customer, logon_type=logon).close()
        with pytest.raises(LoginRefused):
            open_session(server.customer, logon_type=logon, password="wrong")


def test_a_server_without_the_chosen_logon_says_what_it_offers(sshd: Sshd) -> None:
    with pytest.raises(LoginRefused) as refused:
        open_session(sshd.customer, **INTERACTIVE)
    assert refused.value.words == "The server only takes: password"


@pytest.mark.parametrize(
    "rounds",
    [
        [PASSWORD],
        [Challenge((("User: ", True), ("Password: ", False)))],
        [Challenge((("User: ", True),)), PASSWORD],
        [Challenge(()), PASSWORD],
    ],
)
def test_interactive_prompts_are_answered_by_what_they_hide(
    tmp_path: Path, rounds: Sequence[Challenge]
) -> None:
    with _serving(tmp_path, logon=["keyboard-interactive"], challenges=rounds) as server:
        open_session(server.customer, **INTERACTIVE).close()


@pytest.mark.parametrize(
    ("rounds", "asked"),
    [
        ([PASSWORD, ONE_TIME_CODE], "Verification code:"),
        ([ONE_TIME_CODE], "Verification code:"),
        ([PASSWORD, NEW_PASSWORD], "Your password has expired. New password:"),
        ([PASSWORD, PASSWORD], "Password:"),
        ([Challenge((("Name: ", True),))] * 9, "Name:"),
    ],
)
def test_what_asks_for_more_than_the_password_is_refused_in_plain_words(
    tmp_path: Path, rounds: Sequence[Challenge], asked: str
) -> None:
    with (
        _serving(tmp_path, logon=["keyboard-interactive"], challenges=rounds) as server,
        pytest.raises(LoginRefused) as refused,
    ):
        open_session(server.customer, **INTERACTIVE)
    assert refused.value.words.endswith(asked)


@pytest.mark.usefixtures("nothing_left")
def test_a_server_that_wants_a_new_password_is_told_so(
    asyncssh_server: AsyncSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expired(*_: object) -> bool:
        raise asyncssh.PasswordChangeRequired("It has expired")

    monkeypatch.setattr("deploy.local.customers.sftp._Session.validate_password", expired)
    with pytest.raises(LoginRefused) as refused:
        open_session(asyncssh_server.customer)
    assert "may have expired" in refused.value.words


class CloseRefused(asyncssh.SFTPServer):
    """Says only at the close that the content was not kept, as network disks do."""

    def close(self, file_obj: object) -> None:
        """Close, and refuse."""
        super().close(file_obj)
        raise asyncssh.SFTPError(FX_FAILURE, "not kept")


def test_a_refusal_at_the_close_is_not_swallowed(tmp_path: Path) -> None:
    with _serving(tmp_path, sftp=CloseRefused) as server:
        session = open_session(server.customer)
        with pytest.raises(AccountFailure) as refused:
            session.put([b"x"], "a.part")
        session.close()
    assert refused.value.words == "not kept"


def test_without_a_common_algorithm_the_error_names_them(tmp_path: Path) -> None:
    only = "chacha20-poly1305@openssh.com"
    with (
        Sshd(tmp_path / "sshd", extra=[f"Ciphers {only}"]) as server,
        pytest.raises(ProtocolFailed) as failed,
    ):
        open_session(server.customer)
    assert failed.value.words.startswith(f"No cipher in common: this server offers only {only}; ")


def test_a_login_without_sftp_is_told_so(tmp_path: Path) -> None:
    with (
        Sshd(tmp_path / "sshd", extra=["MaxSessions 0"]) as server,
        pytest.raises(ProtocolFailed) as failed,
    ):
        open_session(server.customer)
    assert failed.value.words == "The login worked, but the server offers no SFTP"


def failure(greeting: Sequence[bytes], **changes: Any) -> TransferError:
    """The error of a logon to a server that greets like that and hangs up."""
    with ScriptedServer(greeting) as server, pytest.raises(TransferError) as failed:
        open_session(server.customer, protocol="sftp", **changes)
    return failed.value


def test_a_server_that_hangs_up_before_its_greeting_is_busy() -> None:
    for greeting, words in (
        ([b"Exceeded MaxStartups\r\n"], "Exceeded MaxStartups"),
        ([b"Not allowed at this time\r\n"], "Not allowed at this time"),
        ([], "The server closed the connection before greeting"),
    ):
        error = failure(greeting)
        assert isinstance(error, ServerBusy)
        assert error.words == words


def test_openssh_beyond_its_limit_of_connections_is_busy(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd", extra=["MaxStartups 1"]) as server:
        place = server.customer.host, server.customer.port
        for _ in range(50):  # until the one that looked whether it listens is gone
            with socket.create_connection(place, 5) as held:
                if held.recv(64).startswith(b"SSH-"):
                    with pytest.raises(ServerBusy) as busy:
                        open_session(server.customer)
                    break
            time.sleep(0.1)
    assert busy.value.words in {"Exceeded MaxStartups", "Not allowed at this time"}


@pytest.mark.parametrize("line", [b"x" * 1000, b"welcome\r\n"])
@pytest.mark.usefixtures("nothing_left")
def test_a_flood_of_greeting_is_refused_without_reading_it_all(line: bytes) -> None:
    with ScriptedServer(endless(line)) as server, pytest.raises(ProtocolFailed):
        open_session(server.customer, protocol="sftp")


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("logon", BY_PASSWORD)
def test_failed_logons_leave_no_thread_and_no_descriptor(
    asyncssh_server: AsyncSshServer, logon: LogonType
) -> None:
    for _ in range(50):
        with pytest.raises(LoginRefused):
            open_session(asyncssh_server.customer, password="wrong", logon_type=logon)


class Refusing(asyncssh.SFTPServer):
    """Refuses the write at an offset, with a code."""

    offset = 400_000
    code = FX_FAILURE

    def write(self, file_obj: object, offset: int, data: bytes) -> int | Awaitable[int]:
        """Write, or refuse."""
        if offset + len(data) > self.offset:
            raise asyncssh.SFTPError(self.code, "no more")
        return super().write(file_obj, offset, data)


class OverQuota(Refusing):
    """Refuses with the code that later drafts have for it."""

    code = FX_QUOTA_EXCEEDED


class LastWrite(Refusing):
    """Refuses the last write only."""

    offset = 480_043


@pytest.mark.parametrize(
    ("sftp", "expected"),
    [(Refusing, AccountFailure), (LastWrite, AccountFailure), (OverQuota, AccountFailure)],
)
def test_a_refused_write_is_never_taken_for_success(
    tmp_path: Path, recording: Path, sftp: type[Refusing], expected: type[TransferError]
) -> None:
    with _serving(tmp_path, sftp=sftp) as server:
        session = open_session(server.customer)
        with pytest.raises(expected) as refused, opened(recording) as source:
            upload(session, source, job(), Ledger())
        assert refused.value.words == "no more"
        assert not refused.value.part_left
        assert files_in(server.root) == {}


class Full(Refusing):
    """A server whose disk is full: it refuses every write."""

    offset = 0

    def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        """Nothing available."""
        return asyncssh.SFTPVFSAttrs(bsize=4096, frsize=4096, blocks=100, bfree=5, bavail=0)


def test_a_full_disk_is_told_from_other_refusals(tmp_path: Path, recording: Path) -> None:
    with _serving(tmp_path, sftp=Full) as server:
        session = open_session(server.customer)
        with pytest.raises(QuotaExceeded), opened(recording) as source:
            upload(session, source, job(), Ledger())


class Blind(asyncssh.SFTPServer):
    """Lets nobody look."""

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Refused."""
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no looking")

    stat = lstat


class Hasty(asyncssh.SFTPServer):
    """Tells half of a file's size when it is first asked, as one that answers out of order."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._asked: set[bytes] = set()

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Half, then the truth; a missing file is missing."""
        size = Path(self.map_path(path).decode()).lstat().st_size
        if path not in self._asked:
            self._asked.add(path)
            size //= 2
        return asyncssh.SFTPAttrs(size=size)


def test_a_size_that_does_not_fit_is_asked_for_once_more(tmp_path: Path, recording: Path) -> None:
    with _serving(tmp_path, sftp=Hasty) as server:
        session = open_session(server.customer)
        with opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        session.close()
    assert done.verified is Verified.SIZE


class Fixed(asyncssh.SFTPServer):
    """Renames nothing."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        raise asyncssh.SFTPError(FX_OP_UNSUPPORTED, "no renaming")


class Sealed(Blind):
    """Lets nobody open a file that is there, either."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """To write alone."""
        if pflags & FXF_READ:
            raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no reading")
        return super().open(path, pflags, attrs)


def test_a_server_that_tells_no_sizes_is_believed_by_its_reply(
    tmp_path: Path, recording: Path
) -> None:
    with _serving(tmp_path, sftp=Sealed) as server:
        session = open_session(server.customer)
        with pytest.raises(Unsupported):
            session.size("a")
        with opened(recording) as source:
            done = upload(session, source, job(folder="calls"), Ledger(names=("calls/a.wav",)))
        session.close()
    assert done.verified is Verified.REPLY
    assert files_in(server.root) == {"calls/a-7.wav": 480_044}, "nothing tells what is free"


def test_a_server_that_refuses_renames_gets_the_file_under_its_name(
    tmp_path: Path, recording: Path
) -> None:
    with _serving(tmp_path, sftp=Fixed) as server:
        session = open_session(server.customer)
        with opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        session.close()
    assert done.verified is Verified.SIZE
    assert files_in(server.root) == {"call.wav": 480_044}

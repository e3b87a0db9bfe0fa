"""FTP servers that answer in their own way: the settings test passes, and recordings arrive."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, Look
from deploy.local.customers import CustomerServer, PyFtpServer
from tests.contract.accounts import (
    LIMITS,
    Ledger,
    files_in,
    job,
    open_session,
    opened,
    settings_of,
    upload,
)
from tests.contract.ftp_handlers import (
    HANG_UP,
    SILENCE,
    BareNames,
    Prompt,
    PromptHashing,
    odd,
)
from tests.contract.scripted import ScriptedServer
from transports import settings_test
from transports.base import CannotTell, Egress, Limits, Server, TargetExists, Unsupported
from transports.errors import ConnectFailed, EncryptionAsked, ImplicitTlsAsked, TransferError

ANSWER = st.one_of(
    st.binary(max_size=40),
    st.builds(b"%d %b".__mod__, st.tuples(st.integers(100, 599), st.binary(max_size=30))),
    st.sampled_from(
        [
            b"229 (|||1|)",
            b"229 (|||99999999|)",
            b"227 (1,2,3,4,0,1)",
            b"213 5",
            b"350 go",
            b"250 ok",
            b"550 no",
            b"150 go",
            b"226 done",
            b'257 "/"',
            b"211-a\r\n MLST\r\n211 b",
        ]
    ),
)
ACTS: tuple[Callable[[Server], object], ...] = (
    lambda session: session.put([b"x"], "calls/a.part", "calls/a.wav"),
    lambda session: session.exists("calls/a.wav", Look.MLST),
    lambda session: session.exists("calls/a.wav", Look.SIZE),
    lambda session: session.exists("calls/[a].wav", Look.NLST),
    lambda session: session.size("calls/a.wav"),
    lambda session: session.rename("calls/a.part", "calls/a.wav"),
    lambda session: session.replace("calls/a.part", "calls/a.wav"),
    lambda session: session.remove("calls/a.part"),
    lambda session: session.make_directory("calls/of today"),
    lambda session: session.remove_directory("calls/of today"),
    lambda session: session.another().close(),
)
IMPATIENT = Limits(resolve=5, connect=5, login=1, reply=0.2, stall=0.2)
FOLDER = "calls/of today"
TAKEN = b"of somebody else"


@contextmanager
def serving(tmp_path: Path, handler: type[FTPHandler]) -> Iterator[CustomerServer]:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=handler) as server:
        yield server.customer


def found(customer: CustomerServer) -> Capabilities:
    """What the settings test stores; it leaves no file."""
    wanted = settings_of(customer, path=FOLDER)
    report = settings_test.test_settings(wanted, SecretStr(customer.password), LIMITS, Egress())
    assert report.ok, report.failure
    assert files_in(customer.root) == {}
    return report.capabilities


def deliver(customer: CustomerServer, stored: Capabilities, recording: Path) -> None:
    """Three recordings of one name, the first of which is taken by a file of the customer's."""
    place = customer.root / FOLDER
    (place / "call.wav").write_bytes(TAKEN)
    names = tuple(f"{FOLDER}/call{mark}.wav" for mark in ("", " (2)", " (3)", " (4)"))
    with closing(open_session(customer, path=FOLDER, capabilities=stored)) as session:
        for attempt in (1, 2, 3):
            with opened(recording) as source:
                upload(session, source, job(attempt, folder=FOLDER), Ledger(names=names))
    assert (place / "call.wav").read_bytes() == TAKEN
    assert sorted(files_in(place)) == ["call (2).wav", "call (3).wav", "call (4).wav", "call.wav"]
    assert (place / "call (4).wav").read_bytes() == recording.read_bytes()


ODD = {
    "PWD is not known": odd({"PWD": "502 What?"}),
    "PWD has no quotes": odd({"PWD": "257 / is where you are"}),
    "PWD says nothing": odd({"PWD": "257 you are at home"}),
    "PWD is outside of the root": odd({"PWD": '257 "/home/customer" is it'}),
    "PWD is another code": odd({"PWD": '250 "/"'}),
    "FEAT later": odd({"FEAT": "450 Not now."}),
    "FEAT is one line": odd({"FEAT": "211 none"}),
    "FEAT with another code at its end": odd({"FEAT": "211-Features\r\n SIZE\r\n200 End"}),
    "FEAT led in": odd({"FEAT": "211-Features\r\n211-MLST\r\n211-SIZE\r\n211 End"}),
    "FEAT hangs up": odd({"FEAT": HANG_UP}),
    "FEAT has no end": odd({"FEAT": "211-Features"}),
    "OPTS later": odd({"OPTS": "451 Not now."}),
    "OPTS hangs up": odd({"OPTS": HANG_UP}),
    "OPTS is silent": odd({"OPTS": SILENCE}),
    "TYPE is not known": odd({"TYPE": "504 Binary it is, always."}),
    "TYPE is done in other words": odd({"TYPE": "250 fine"}),
    "MKD later": odd(replies={"550": "450 Not done."}),
    "RMD hangs up": odd({"RMD": HANG_UP}),
    "RMD is silent": odd({"RMD": SILENCE}),
    "CWD is not known": odd({"CWD": "500 What?"}),
    "CWD is refused": odd({"CWD": "550 No."}),
    "CWD hangs up": odd({"CWD": HANG_UP}),
    "RNFR hangs up": odd({"RNFR": HANG_UP}),
    "250 at the end of a file": odd(replies={"226": "250 fine"}),
    "226 twice": odd(replies={"226": "226 fine\r\n226 very fine"}),
    "226 with many lines": odd(replies={"226": "226-fine\r\n 226 indeed\r\n226 end"}),
    "150 is missing": odd(replies={"150": "", "125": ""}),
    "200 before 150": odd(replies={"150": "200 ok\r\n150 go", "125": "200 ok\r\n125 go"}),
    "200 in the place of 150": odd(replies={"150": "200 ok", "125": "200 ok"}),
    "250 in the place of 150": odd(replies={"150": "250 ok", "125": "250 ok"}),
    "226 for everything": odd(replies={"250": "226 ok"}),
    "250 in the place of 350": odd(replies={"350": "250 ok"}),
    "250 in the place of ProFTPD's 350": type(
        "Prompt250", (Prompt, odd(replies={"350": "250 ok"})), {}
    ),
    "200 for everything": odd(replies={"250": "200 ok"}),
    "a greeting of many lines": odd(replies={"220": "220-Hello\r\n 220 you\r\n220 there"}),
    "a delay announced": odd(replies={"220": "120 soon\r\n220 now"}),
    "202 for the password": odd(replies={"230": "202 superfluous"}),
    "blank lines": odd(replies={"250": "\r\n250 ok"}),
    "no SIZE": odd({"SIZE": "502 What?"}),
    "SIZE with a unit": odd({"SIZE": "213 17 bytes"}),
    "SIZE below zero": odd({"SIZE": "213 -1"}),
    "SIZE beyond all bounds": odd({"SIZE": "213 " + "9" * 400}),
    "SIZE in words": odd({"SIZE": "213 is large"}),
    "SIZE with another code": odd({"SIZE": "250 17"}),
    "SIZE hangs up": odd({"SIZE": HANG_UP}),
    "MLST is listed and refused": odd({"MLST": "550 no"}),
    "MLST is listed and broken": odd({"MLST": "500 oops"}),
    "MLST hangs up": odd({"MLST": HANG_UP}),
    "MLST is nonsense": odd({"MLST": "250-x\r\n250 y"}),
    "no MLST": odd({"MLST": "500 What?", "FEAT": "211-Features\r\n SIZE\r\n EPSV\r\n211 End"}),
    "no EPSV": odd({"EPSV": "500 What?"}),
    "no MLST, no SIZE, no EPSV, no FEAT": odd(
        dict.fromkeys(("MLST", "SIZE", "EPSV", "FEAT"), "500 What?")
    ),
    "ProFTPD's RNFR": Prompt,
    "ProFTPD's RNFR and digests": PromptHashing,
    "no NOOP": odd({"NOOP": "502 What?"}),
    "no QUIT": odd({"QUIT": SILENCE}),
}


@pytest.mark.parametrize("handler", ODD.values(), ids=ODD)
def test_recordings_reach_servers_that_answer_in_their_own_way(
    tmp_path: Path, recording: Path, handler: type[FTPHandler]
) -> None:
    with serving(tmp_path, handler) as customer:
        deliver(customer, found(customer), recording)


def test_a_reply_that_begins_no_transfer_is_missed_however_short_the_limit_of_a_reply_is(
    tmp_path: Path, recording: Path
) -> None:
    (tmp_path / "served").mkdir()
    handler = odd(replies={"150": "", "125": ""})
    with PyFtpServer(tmp_path / "served", handler=handler) as server:
        with closing(open_session(server.customer, replace(LIMITS, reply=2))) as session:
            session.put([recording.read_bytes()], "a.part")
        assert files_in(server.customer.root) == {"a.part": recording.stat().st_size}


EPSV = {
    "is not known": "500 What?",
    "is refused for now": "425 no",
    "is done in other words": "200 ok",
    "has another code": "200 (|||40000|)",
    "names a port beyond all": "229 Entering (|||99999999|)",
    "names a negative port": "229 Entering (|||-1|)",
    "names none": "229 Entering",
    "hangs up": HANG_UP,
    "is silent": SILENCE,
}


@pytest.mark.parametrize("answer", EPSV.values(), ids=EPSV)
def test_pasv_is_used_where_epsv_is_refused_in_any_way_and_that_is_stored(
    tmp_path: Path, recording: Path, answer: str
) -> None:
    with serving(tmp_path, odd({"EPSV": answer})) as customer:
        stored = found(customer)
        assert stored.avoids == ("EPSV",)
        deliver(customer, stored, recording)


@pytest.mark.parametrize("answer", EPSV.values(), ids=EPSV)
def test_pasv_is_used_where_epsv_is_refused_since_the_settings_were_tested(
    tmp_path: Path, recording: Path, answer: str
) -> None:
    with serving(tmp_path, odd({"EPSV": answer})) as customer:
        (customer.root / FOLDER).mkdir(parents=True)
        deliver(customer, Capabilities(at_once=1, look=Look.MLST), recording)


@pytest.mark.parametrize(
    "answer",
    [
        "227 Entering (256,0,0,1,4,4)",
        "227 Entering (127,0,0,1,400,4)",
        "227 Entering (127,0,0,1,-4,4)",
        "227 Entering (127,0,0,1,0,0)",
        "227 (127,0,0,1," + "9" * 4000 + ",1)",
        "227 somewhere",
        "200 (127,0,0,1,4,4)",
        "425 no",
    ],
)
def test_a_passive_answer_that_leads_nowhere_is_told_in_the_servers_words(
    tmp_path: Path, answer: str
) -> None:
    with (
        serving(tmp_path, odd({"EPSV": "500 no", "PASV": answer})) as customer,
        closing(open_session(customer)) as session,
        pytest.raises(ConnectFailed) as failed,
    ):
        session.put([b"x"], "a.part")
    assert failed.value.words[:20] == answer[:20]


def test_a_server_that_takes_bare_names_only_is_found_out_and_stored(
    tmp_path: Path, recording: Path
) -> None:
    with serving(tmp_path, BareNames) as customer:
        stored = found(customer)
        assert stored.enters
        deliver(customer, stored, recording)


@pytest.mark.parametrize("folder", ["~", "~/calls", "~/calls/today"])
@pytest.mark.parametrize("handler", [FTPHandler, BareNames])
def test_a_tilde_is_the_home_where_the_server_does_not_know_it(
    tmp_path: Path, recording: Path, handler: type[FTPHandler], folder: str
) -> None:
    with serving(tmp_path, handler) as customer:
        wanted = settings_of(customer, path=folder)
        report = settings_test.test_settings(wanted, SecretStr(customer.password), LIMITS, Egress())
        assert report.ok, report.failure
        assert "~" in report.capabilities.avoids
        can = report.capabilities
        with (
            closing(open_session(customer, path=folder, capabilities=can)) as session,
            opened(recording) as source,
        ):
            upload(session, source, job(folder=folder), Ledger(names=(f"{folder}/call.wav",)))
        within = folder.removeprefix("~").lstrip("/")
        assert files_in(customer.root / within) == {"call.wav": recording.stat().st_size}
        assert not (customer.root / "~").exists()


def test_a_server_that_knows_a_tilde_is_asked_for_it(tmp_path: Path) -> None:
    with serving(tmp_path, FTPHandler) as customer:
        (customer.root / "~").mkdir()
        wanted = settings_of(customer, path="~/calls")
        report = settings_test.test_settings(wanted, SecretStr(customer.password), LIMITS, Egress())
        assert report.capabilities.avoids == ()
        assert (customer.root / "~" / "calls").is_dir()


def test_a_file_is_never_written_beside_its_folder_where_the_session_was_made_anew(
    tmp_path: Path, recording: Path
) -> None:
    class Both(odd({"EPSV": HANG_UP}), BareNames):  # type: ignore[misc]
        pass

    with serving(tmp_path, Both) as customer:
        (customer.root / FOLDER).mkdir(parents=True)
        deliver(customer, Capabilities(at_once=1, look=Look.MLST, enters=True), recording)
        assert all(path.startswith(FOLDER) for path in files_in(customer.root))


def test_what_is_found_out_of_a_usual_server_is_nothing_odd(tmp_path: Path) -> None:
    with serving(tmp_path, FTPHandler) as customer:
        stored = found(customer)
    assert (stored.avoids, stored.enters) == ((), False)


@pytest.mark.parametrize("reply", ["450 busy", "450 No such file", "501 what", "503 no", "200 eh"])
def test_a_leftover_that_is_not_there_never_fails_an_upload(
    tmp_path: Path, recording: Path, reply: str
) -> None:
    with serving(tmp_path, odd({"DELE": reply})) as customer:
        with closing(open_session(customer)) as session, opened(recording) as source:
            again = job(2, leftovers=("courier-never-there.part",))
            upload(session, source, again, Ledger())
        assert "call.wav" in files_in(customer.root)


def test_names_with_patterns_are_compared_with_the_listing_of_the_folder(tmp_path: Path) -> None:
    with serving(tmp_path, odd({"SIZE": "502 no", "MLST": "502 no"})) as customer:
        for name in ("call 1.wav", "call [2].wav", "UPPER[1].wav"):
            (customer.root / name).write_bytes(TAKEN)
        with closing(open_session(customer)) as session:
            assert session.exists("call 1.wav", Look.NLST)
            assert session.exists("upper[1].wav", Look.NLST)
            assert session.exists("call [2].wav", Look.NLST)
            assert not session.exists("call [1].wav", Look.NLST)
            assert not session.exists("call*.wav", Look.NLST)


def test_a_long_listing_is_read_to_its_end(tmp_path: Path) -> None:
    with serving(tmp_path, odd({"SIZE": "502 no", "MLST": "502 no"})) as customer:
        for number in range(1500):
            (customer.root / f"{number:04}{'x' * 100}.wav").touch()
        (customer.root / "zzz [1].wav").touch()
        with closing(open_session(customer)) as session:
            assert session.exists("zzz [1].wav", Look.NLST)
            assert not session.exists("zzz [2].wav", Look.NLST)


@pytest.mark.parametrize(
    "answer", ["502 What?", "500 oops", "451 not now", "200 eh", SILENCE, HANG_UP]
)
def test_where_nothing_tells_what_is_taken_the_test_stores_that(
    tmp_path: Path, answer: str
) -> None:
    refusing = {"SIZE": "502 no", "MLST": "550 no", "NLST": answer}
    with serving(tmp_path, odd(refusing)) as customer:
        assert found(customer).look is Look.NOTHING
        with closing(open_session(customer)) as session, pytest.raises(CannotTell):
            session.exists("call.wav", Look.NLST)


@settings(max_examples=40, deadline=None)
@given(answers=st.lists(ANSWER, max_size=10), act=st.sampled_from(ACTS))
def test_whatever_a_server_answers_only_errors_of_ours_come_of_it(
    answers: list[bytes], act: Callable[[Server], object]
) -> None:
    with (
        answering(answers) as customer,
        suppress(TransferError, Unsupported, TargetExists),
        closing(open_session(customer, IMPATIENT)) as session,
    ):
        act(session)


@contextmanager
def answering(answers: list[bytes]) -> Iterator[CustomerServer]:
    """A server that lets everybody in, answers so, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=_answer, args=(listener, answers), daemon=True)
        thread.start()
        port = int(listener.getsockname()[1])
        yield CustomerServer("127.0.0.1", port, "customer", "secret-of-the-test", Path())
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _answer(listener: socket.socket, answers: list[bytes]) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with suppress(OSError), connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 hi\r\n")
                for answer, _line in zip([b"331 go", b"230 in", *answers], lines, strict=False):
                    connection.sendall(answer + b"\r\n")


@pytest.mark.parametrize(
    ("greeting", "answers"),
    [
        (b"220 hi\r\n", (b"530 Non-anonymous sessions must use encryption.\r\n",)),
        (b"220 hi\r\n", (b"331 go\r\n", b"530 SSL required\r\n")),
        (b"220 hi\r\n", (b"534 Policy\r\n",)),
        (b"220 hi\r\n", (b"550 SSL/TLS required on the control channel\r\n",)),
        (b"220 hi\r\n", (b"503 Use AUTH first.\r\n",)),
        (b"421 Please reconnect using TLS security mechanisms.\r\n", ()),
        (b"530 Only FTPS here\r\n", ()),
        (b"554 SSL required\r\n", ()),
        (b"220 hi\r\n", (b"532 Need TLS\r\n",)),
        (b"220 hi\r\n", (b"331 go\r\n", b"502 Plain text login disabled\r\n")),
    ],
)
def test_a_server_that_asks_for_encryption_is_told_as_such(
    greeting: bytes, answers: tuple[bytes, ...]
) -> None:
    with ScriptedServer([greeting], *answers) as server, pytest.raises(EncryptionAsked) as asked:
        open_session(server.customer)
    assert "The server asks for encryption: choose FTPS (explicit)" in asked.value.advice


def test_a_port_of_implicit_tls_is_told_as_such() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_shake_hands, args=(listener, context), daemon=True).start()
        customer = CustomerServer("127.0.0.1", listener.getsockname()[1], "a", "b", Path())
        with pytest.raises(ImplicitTlsAsked) as asked:
            open_session(customer)
    assert asked.value.words == "The server waits for a TLS handshake"
    assert "choose FTPS (implicit)" in asked.value.advice


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)


@pytest.mark.parametrize("wanted", [b"332 account needed\r\n", b"532 account needed\r\n"])
def test_a_server_that_wants_more_than_a_password_is_told_in_its_words(wanted: bytes) -> None:
    with (
        ScriptedServer([b"220 hi\r\n"], b"331 go\r\n", wanted) as server,
        pytest.raises(TransferError) as failed,
    ):
        open_session(server.customer)
    assert failed.value.words.endswith("account needed")

"""FTPS at servers that go wrong: nothing in clear, nothing without a limit, no file believed whole
that is not."""

import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.accounts import Capabilities, Look
from tests.contract.accounts import LIMITS, Ledger, job, open_session, opened, settings_of, upload
from tests.contract.conftest import leaving_nothing
from tests.contract.scripted import ScriptedServer
from tests.servers import ftps
from tests.servers.certificates import (
    Alter,
    Authority,
    doubled,
    fingerprint,
    of_version_6,
    self_signed,
)
from tests.servers.ftps import Ftps
from transports.base import Egress
from transports.errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateOfAnother,
    CertificateUntrusted,
    ClientCertificateRefused,
    ConnectionLost,
    NoTlsAnswers,
    PathRefused,
    ProtectionRefused,
    ProtocolFailed,
    Stalled,
    TlsFailed,
    TlsTooOld,
    TransferError,
)
from transports.settings_test import test_settings as try_settings

KNOWN = Capabilities(look=Look.SIZE, at_once=1, mkdir=False)
QUICK = replace(LIMITS, login=2, reply=2)
CONTENT = b"recording" * 50_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def delivered(server: Ftps, recording: Path, *, pipelines: bool = False) -> str:
    """Where the recording stands afterwards."""
    known = KNOWN.model_copy(update={"pipelines": pipelines, "queues": pipelines})
    session = open_session(server.customer, QUICK, capabilities=known)
    try:
        with opened(recording) as source:
            return upload(session, source, job(), Ledger(names=("call.wav",))).remote_path
    finally:
        session.close()


# --- how a transfer ends --------------------------------------------------------------------------


@pytest.mark.parametrize("pipelines", [False, True])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("ending", [ftps.politely, ftps.without_a_word, ftps.by_reset])
def test_however_tls_ends_a_file_that_is_confirmed_and_whole_has_arrived(
    authority: Authority,
    recording: Path,
    ending: ftps.Ending,
    newest: ssl.TLSVersion,
    pipelines: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    with leaving_nothing(), Ftps(authority, ending=ending, newest=newest) as server:
        assert delivered(server, recording, pipelines=pipelines) == "call.wav"
        assert server.files == {"call.wav": recording.read_bytes()}
        assert server.resumed == [True]


@pytest.mark.parametrize("ending", [ftps.half_way, ftps.half_way_and_lies])
def test_a_file_that_was_cut_has_not_arrived_whatever_the_server_says(
    authority: Authority, recording: Path, ending: ftps.Ending
) -> None:
    with Ftps(authority, ending=ending) as server:
        with pytest.raises(TransferError):
            delivered(server, recording)
        assert "call.wav" not in server.files


# --- what stalls ----------------------------------------------------------------------------------


def test_a_handshake_that_stalls_is_cut(authority: Authority) -> None:
    with leaving_nothing(), Ftps(authority, silent_over="AUTH") as server:
        began = time.monotonic()
        with pytest.raises(Stalled):
            open_session(server.customer, QUICK)
        assert time.monotonic() - began < 30


def test_a_handshake_of_a_data_connection_that_stalls_is_cut(
    authority: Authority, recording: Path
) -> None:
    with Ftps(authority, silent_over="data") as server, pytest.raises(Stalled):
        delivered(server, recording)


def test_a_server_that_takes_no_more_of_a_file_is_cut(authority: Authority, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    long.write_bytes(bytes(8_000_000))
    with Ftps(authority, ending=ftps.never) as server, pytest.raises(Stalled):
        delivered(server, long)


# --- what is not encrypted ------------------------------------------------------------------------


def test_what_is_said_in_clear_behind_the_answer_to_auth_is_no_answer() -> None:
    with ScriptedServer([b"220 hi\r\n"], b"234 go\r\n230 logged in\r\n") as server:
        ca = None
        with pytest.raises(ProtocolFailed) as failed:
            open_session(server.customer, QUICK, protocol="ftps", ca_certificates=ca)
        assert "in clear behind its answer to AUTH" in failed.value.words
        assert server.heard == [b"AUTH TLS\r\n"]


@pytest.mark.parametrize("answer", [b"500 what?\r\n", b"534 no\r\n", b"431 not now\r\n"])
def test_a_server_that_refuses_auth_hears_neither_user_nor_password(answer: bytes) -> None:
    with ScriptedServer([b"220 hi\r\n"], answer) as server:
        with pytest.raises(NoTlsAnswers) as failed:
            open_session(server.customer, QUICK, protocol="ftps")
        assert failed.value.words == answer.decode().strip()
        assert "choose FTP" in failed.value.advice
        assert server.heard[0] == b"AUTH TLS\r\n"
        assert not any(line.startswith((b"USER", b"PASS")) for line in server.heard)


@pytest.mark.parametrize("answer", ["536 not here", "500 PROT what?", "534 no"])
@pytest.mark.parametrize("pipelines", [False, True])
def test_a_server_that_encrypts_no_data_gets_no_file(
    authority: Authority,
    answer: str,
    pipelines: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    known = KNOWN.model_copy(update={"pipelines": pipelines})
    with Ftps(authority, answers={"PROT": answer}) as server:
        with pytest.raises(ProtectionRefused) as failed:
            open_session(server.customer, QUICK, capabilities=known)
        assert failed.value.words == answer
        assert not any(line.startswith("STOR") for line in server.heard)


def test_a_server_that_does_not_know_pbsz_is_good_enough(
    authority: Authority, recording: Path
) -> None:
    with Ftps(authority, answers={"PBSZ": "500 what?"}) as server:
        assert delivered(server, recording) == "call.wav"


def test_no_byte_of_a_file_goes_over_a_data_connection_in_clear(
    authority: Authority, recording: Path
) -> None:
    with Ftps(authority, clear_data=True) as server:
        with pytest.raises(TransferError):
            delivered(server, recording)
        assert recording.read_bytes()[:100] not in b"".join(server.files.values())


def test_a_data_connection_that_shows_another_certificate_gets_no_file(
    authority: Authority, recording: Path, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    with (
        Ftps(authority, data_pair=other.issue("127.0.0.1")) as server,
        pytest.raises(TlsFailed) as failed,
    ):
        delivered(server, recording)
    assert failed.value.words.startswith("On a data connection: The certificate is not trusted")


def test_a_refusal_is_heard_while_no_handshake_comes(authority: Authority, recording: Path) -> None:
    with (
        Ftps(authority, answers={"STOR": "553 not this name"}) as server,
        pytest.raises(PathRefused) as refused,
    ):
        delivered(server, recording)
    assert refused.value.words == "553 not this name"


# --- whose certificate ----------------------------------------------------------------------------


def test_an_expired_certificate_is_told_with_its_day(authority: Authority) -> None:
    pair = authority.issue("127.0.0.1", expired=True)
    with Ftps(authority, pair=pair) as server, pytest.raises(CertificateExpired) as failed:
        open_session(server.customer)
    assert failed.value.words.startswith("The certificate expired on 20")


def test_a_certificate_that_is_not_valid_yet_is_told_with_its_day(authority: Authority) -> None:
    pair = authority.issue("127.0.0.1", early=True)
    with Ftps(authority, pair=pair) as server, pytest.raises(CertificateNotYetValid) as failed:
        open_session(server.customer)
    assert failed.value.words.startswith("The certificate is valid from 20")


def test_a_certificate_for_another_name_is_told_with_its_names(authority: Authority) -> None:
    pair = authority.issue("files.example")
    with Ftps(authority, pair=pair) as server, pytest.raises(CertificateOfAnother) as failed:
        open_session(server.customer)
    assert failed.value.words == "The certificate is for files.example, not for 127.0.0.1"


def test_a_certificate_that_the_server_made_itself_is_told_with_its_fingerprint_and_may_be_pinned(
    authority: Authority, tmp_path: Path
) -> None:
    pair = self_signed(tmp_path, "fileserver")
    with Ftps(authority, pair=pair) as server:
        with pytest.raises(CertificateUntrusted) as failed:
            open_session(server.customer)
        assert failed.value.shown == fingerprint(pair)
        assert not any(line.startswith("USER") for line in server.heard)
        pinned = open_session(server.customer, host_keys=(failed.value.shown,))
        pinned.put([CONTENT], "a.wav")
        pinned.close()
        assert server.files == {"a.wav": CONTENT}
        assert server.resumed == [True]


@pytest.mark.parametrize("alter", [doubled, of_version_6])
def test_a_certificate_that_breaks_the_rules_is_refused_or_pinned_as_any_other(
    authority: Authority, tmp_path: Path, alter: Alter
) -> None:
    pair = self_signed(tmp_path, "fileserver", alter)
    with Ftps(authority, pair=pair) as server:
        with pytest.raises(CertificateUntrusted) as failed:
            open_session(server.customer)
        assert failed.value.shown == fingerprint(pair)
        pinned = open_session(server.customer, host_keys=(failed.value.shown,))
        pinned.put([CONTENT], "a.wav")
        pinned.close()
        assert server.files == {"a.wav": CONTENT}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_older_tls_than_1_2_is_told_as_such(authority: Authority) -> None:
    with Ftps(authority) as server:
        server.context.minimum_version = ssl.TLSVersion.TLSv1
        server.context.maximum_version = ssl.TLSVersion.TLSv1_1
        server.context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(TlsTooOld):
            open_session(server.customer)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_of_ours_is_told_as_such(
    authority: Authority, newest: ssl.TLSVersion
) -> None:
    with (
        Ftps(authority, demands=True, newest=newest) as server,
        pytest.raises((ClientCertificateRefused, TlsFailed, ConnectionLost)) as failed,
    ):
        open_session(server.customer)
    assert isinstance(failed.value, TlsFailed)


def test_the_step_that_failed_is_the_certificate(authority: Authority) -> None:
    pair = authority.issue("127.0.0.1", expired=True)
    with Ftps(authority, pair=pair) as server:
        customer = server.customer
        report = try_settings(settings_of(customer), SecretStr(customer.password), LIMITS, Egress())
    assert (report.steps[-1].name, report.steps[-1].ok) == ("certificate", False)
    assert report.steps[-1].detail.endswith("No password was sent.")

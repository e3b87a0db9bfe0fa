"""Logons by key at real servers: alone, and with a password besides."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr

from config.accounts import LogonType
from config.public_keys import certificate_line
from config.ssh_keys import KeyPair, KeyType, generated, pair_of
from deploy.local.customers import AsyncSshServer
from tests.contract.accounts import LIMITS, open_session, settings_of
from tests.servers import Sshd
from tests.servers.host_keys import make_host_key
from transports import settings_test
from transports.base import Egress
from transports.errors import LoginRefused
from transports.ssh.errors import (
    CertificateNotAccepted,
    KeyNotAccepted,
    KeyNotTaken,
    KeyWanted,
    KeyWantedToo,
    PasswordWantedToo,
    RsaBySha1,
)

COMMENT = "Platform, account acme"
BY_KEY: dict[str, Any] = {"logon_type": LogonType.KEY}
BY_BOTH: dict[str, Any] = {"logon_type": LogonType.KEY_AND_PASSWORD}
ED25519 = generated(KeyType.ED25519, COMMENT)
RSA = pair_of(rsa.generate_private_key(public_exponent=65537, key_size=2048), COMMENT)
KEYS = {
    "ed25519": ED25519,
    "ecdsa-p256": generated(KeyType.ECDSA_P256, COMMENT),
    "ecdsa-p384": pair_of(ec.generate_private_key(ec.SECP384R1()), COMMENT),
    "ecdsa-p521": pair_of(ec.generate_private_key(ec.SECP521R1()), COMMENT),
    "rsa": RSA,
}


def server_of(folder: Path, *keys: KeyPair, **options: Any) -> Sshd:
    return Sshd(folder / "sshd", authorized=[key.public.line for key in keys], **options)


def wanting(methods: str) -> list[str]:
    return [f"AuthenticationMethods {methods}", "KbdInteractiveAuthentication yes"]


def test_openssh_lets_every_kind_of_key_in(tmp_path: Path) -> None:
    with server_of(tmp_path, *KEYS.values()) as server:
        for key in KEYS.values():
            open_session(server.customer, key=key, password="", **BY_KEY).close()


def test_the_test_on_save_names_the_key_that_it_showed(tmp_path: Path) -> None:
    with server_of(tmp_path, ED25519) as server:
        settings = settings_of(server.customer, **BY_KEY)
        report = settings_test.test_settings(settings, SecretStr(""), LIMITS, Egress(), key=ED25519)
    assert report.ok, report
    told = {step.name: step.detail for step in report.steps}
    assert told["logged in"] == f"customer, with the key {ED25519.public.fingerprint}"


def test_a_key_that_the_server_does_not_know_is_told_with_the_line_to_put_there(
    tmp_path: Path,
) -> None:
    with server_of(tmp_path, RSA) as server, pytest.raises(KeyNotAccepted) as refused:
        open_session(server.customer, key=ED25519, **BY_KEY)
    assert refused.value.words == f"The server refused the key {ED25519.public.fingerprint}"
    assert "~/.ssh/authorized_keys" in refused.value.advice
    assert refused.value.advice.endswith(f": {ED25519.public.line}")


def test_the_line_of_a_long_key_is_not_repeated_where_it_would_be_cut(tmp_path: Path) -> None:
    with server_of(tmp_path, ED25519) as server, pytest.raises(KeyNotAccepted) as refused:
        open_session(server.customer, key=RSA, **BY_KEY)
    assert RSA.public.fingerprint in refused.value.words
    assert len(refused.value.advice) < 300


@pytest.mark.parametrize(
    "methods", ["publickey,password", "publickey,keyboard-interactive", "password,publickey"]
)
def test_a_server_that_wants_key_and_password_gets_both(tmp_path: Path, methods: str) -> None:
    with server_of(tmp_path, ED25519, extra=wanting(methods)) as server:
        open_session(server.customer, key=ED25519, **BY_BOTH).close()
        with pytest.raises(LoginRefused) as refused:
            open_session(server.customer, key=ED25519, password="wrong", **BY_BOTH)
        assert refused.value.words == "The server does not accept the password"
        with pytest.raises(KeyNotAccepted):
            open_session(server.customer, key=RSA, **BY_BOTH)


@pytest.mark.parametrize("methods", ["publickey,password", "publickey,keyboard-interactive"])
def test_a_server_that_wants_a_password_besides_the_key_is_told_so(
    tmp_path: Path, methods: str
) -> None:
    with server_of(tmp_path, ED25519, extra=wanting(methods)) as server:
        with pytest.raises(PasswordWantedToo) as refused:
            open_session(server.customer, key=ED25519, **BY_KEY)
        assert refused.value.words.endswith(f"wants besides: {methods.partition(',')[2]}")
        assert "choose the logon type Key and password" in refused.value.advice
        for logon in (LogonType.NORMAL, LogonType.INTERACTIVE):
            with pytest.raises(KeyWanted) as wanted:
                open_session(server.customer, logon_type=logon)
            assert "choose the logon type Key" in wanted.value.advice


def test_a_server_that_wants_a_key_besides_the_password_is_told_so(tmp_path: Path) -> None:
    methods = wanting("password,publickey")
    with (
        server_of(tmp_path, ED25519, extra=methods) as server,
        pytest.raises(KeyWantedToo) as refused,
    ):
        open_session(server.customer)
    assert "choose the logon type Key and password" in refused.value.advice


def test_key_and_password_is_enough_where_the_key_alone_would_do(tmp_path: Path) -> None:
    with server_of(tmp_path, ED25519) as server:
        open_session(server.customer, key=ED25519, password="unused", **BY_BOTH).close()


def test_a_server_that_takes_no_keys_is_told_so(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd") as server, pytest.raises(KeyNotTaken) as refused:
        open_session(server.customer, key=ED25519, **BY_KEY)
    assert refused.value.words == "The server only takes: password"
    assert "choose the logon type Normal" in refused.value.advice


def taking(folder: Path, key: KeyPair, *algorithms: str) -> AsyncSshServer:
    """A server that takes signatures by these algorithms alone, and says so."""
    root = folder / "served"
    root.mkdir()
    lines = [key.public.line]
    return AsyncSshServer(root, authorized=lines, algorithms={"signature_algs": algorithms})


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
def test_a_key_of_rsa_signs_by_the_sha_2_that_the_server_names(
    tmp_path: Path, algorithm: str
) -> None:
    with taking(tmp_path, RSA, algorithm) as server:
        open_session(server.customer, key=RSA, **BY_KEY).close()


def test_a_key_of_rsa_never_signs_by_sha_1(tmp_path: Path) -> None:
    with taking(tmp_path, RSA, "ssh-rsa") as server, pytest.raises(RsaBySha1) as refused:
        open_session(server.customer, key=RSA, **BY_KEY)
    assert "ssh-rsa" in refused.value.words
    assert "use a key of ECDSA P-256 or Ed25519" in refused.value.advice
    assert server.logins == 0


def test_openssh_that_takes_signatures_by_sha_1_alone_gets_none(tmp_path: Path) -> None:
    only = ["PubkeyAcceptedAlgorithms ssh-rsa"]
    with server_of(tmp_path, RSA, extra=only) as server, pytest.raises(LoginRefused):
        open_session(server.customer, key=RSA, **BY_KEY)


def test_a_kind_of_key_that_the_server_does_not_take_is_named(tmp_path: Path) -> None:
    with (
        taking(tmp_path, KEYS["ecdsa-p256"], "ecdsa-sha2-nistp256") as server,
        pytest.raises(KeyNotAccepted) as refused,
    ):
        open_session(server.customer, key=ED25519, **BY_KEY)
    assert "it takes only keys of: ecdsa-sha2-nistp256" in refused.value.words


# --- certificates ---------------------------------------------------------------------------------


def signed(folder: Path, key: KeyPair, *options: str) -> tuple[str, str]:
    """The certificate of the key, and the line by which a server trusts its authority."""
    authority, public = folder / "authority", folder / "id.pub"
    make_host_key(authority)
    public.write_text(key.public.line)
    given = ["-q", "-s", str(authority), "-I", "acme", "-n", "customer", *options]
    subprocess.run(["ssh-keygen", *given, str(public)], check=True, timeout=30)
    certificate = (folder / "id-cert.pub").read_text()
    return certificate_line(certificate), f"TrustedUserCAKeys {authority}.pub"


@pytest.mark.parametrize("name", ["ed25519", "ecdsa-p256", "rsa"])
def test_a_certificate_opens_a_server_that_trusts_its_authority(tmp_path: Path, name: str) -> None:
    certificate, trust = signed(tmp_path, KEYS[name])
    other = generated(KeyType.ED25519, COMMENT)
    logon = {**BY_KEY, "key_certificate": certificate}
    with server_of(tmp_path, other, extra=[trust]) as server:
        open_session(server.customer, key=KEYS[name], **logon).close()
        with pytest.raises(KeyNotAccepted):
            open_session(server.customer, key=KEYS[name], **BY_KEY)


def test_a_certificate_for_another_user_is_not_accepted(tmp_path: Path) -> None:
    certificate, trust = signed(tmp_path, ED25519, "-n", "somebody")
    other = generated(KeyType.ED25519, COMMENT)
    logon = {**BY_KEY, "key_certificate": certificate}
    with (
        server_of(tmp_path, other, extra=[trust]) as server,
        pytest.raises(CertificateNotAccepted) as refused,
    ):
        open_session(server.customer, key=ED25519, **logon)
    assert "among its principals" in refused.value.advice

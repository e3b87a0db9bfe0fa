"""SSH algorithms that are too weak are taken only where the account's settings say so."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local.customers import AsyncSshServer
from tests.contract.accounts import open_session
from tests.servers import Sshd
from tests.servers.host_keys import make_host_key
from transports.errors import HostKeyChanged, NoCommonAlgorithm, WeakAlgorithm
from transports.ssh.errors import TooOld

CTR = {"encryption_algs": ["aes128-ctr"]}
WEAK: dict[str, dict[str, Any]] = {
    "aes128-cbc": {"algorithms": {"encryption_algs": ["aes128-cbc"]}},
    "aes256-cbc": {"algorithms": {"encryption_algs": ["aes256-cbc"]}},
    "3des-cbc": {"algorithms": {"encryption_algs": ["3des-cbc"]}},
    "hmac-md5": {"algorithms": {**CTR, "mac_algs": ["hmac-md5"]}},
    "hmac-md5-96": {"algorithms": {**CTR, "mac_algs": ["hmac-md5-96"]}},
    "hmac-sha1-96": {"algorithms": {**CTR, "mac_algs": ["hmac-sha1-96"]}},
    "1024 bits": {"key_type": "ssh-rsa", "key_size": 1024},
}


@pytest.mark.parametrize("name", WEAK)
def test_what_is_weak_is_named_and_gets_no_credential_unless_it_is_allowed(
    tmp_path: Path, name: str
) -> None:
    with AsyncSshServer(tmp_path, **WEAK[name]) as server:
        with pytest.raises(WeakAlgorithm) as refused:
            open_session(server.customer)
        assert name in refused.value.words
        assert "service provider can allow" in refused.value.advice
        assert server.logins == 0
        open_session(server.customer, weak_algorithms=True).close()


@pytest.mark.parametrize(
    "options",
    [
        {"algorithms": {**CTR, "mac_algs": ["hmac-sha1"]}},
        {"key_type": "ssh-rsa", "key_size": 2048},
        {"algorithms": {"encryption_algs": ["3des-cbc", "aes128-ctr"]}},
    ],
)
def test_what_is_strong_enough_is_taken(tmp_path: Path, options: dict[str, Any]) -> None:
    with AsyncSshServer(tmp_path, **options) as server:
        open_session(server.customer).close()


def test_what_nobody_has_is_not_called_weak(tmp_path: Path) -> None:
    only = ["Ciphers chacha20-poly1305@openssh.com"]
    with (
        Sshd(tmp_path / "sshd", extra=only) as server,
        pytest.raises(NoCommonAlgorithm) as refused,
    ):
        open_session(server.customer)
    assert not isinstance(refused.value, WeakAlgorithm)


@pytest.mark.parametrize(
    ("extra", "offered"),
    [
        (["KexAlgorithms diffie-hellman-group14-sha1"], "diffie-hellman-group14-sha1"),
        (["KexAlgorithms diffie-hellman-group1-sha1"], "diffie-hellman-group1-sha1"),
        (["HostKey {rsa}", "HostKeyAlgorithms ssh-rsa"], "ssh-rsa"),
    ],
    ids=["group 14", "group 1", "host key"],
)
def test_a_server_that_has_only_sha_1_is_told_so_whatever_is_allowed(
    tmp_path: Path, extra: list[str], offered: str
) -> None:
    make_host_key(tmp_path / "rsa", "-t", "rsa", "-b", "2048")
    lines = [line.format(rsa=tmp_path / "rsa") for line in extra]
    with Sshd(tmp_path / "sshd", extra=lines) as server:
        for weak in (False, True):
            with pytest.raises(TooOld) as refused:
                open_session(server.customer, weak_algorithms=weak)
            assert f"this server offers only {offered};" in refused.value.words
            assert "brought up to date" in refused.value.advice


def test_each_of_several_pinned_keys_is_accepted_and_no_other(tmp_path: Path) -> None:
    nodes = [AsyncSshServer(_folder(tmp_path, name)) for name in ("one", "two", "three")]
    keys = [str(node.customer.host_key) for node in nodes]
    for node in nodes:
        with node:
            if node is nodes[2]:
                with pytest.raises(HostKeyChanged) as changed:
                    open_session(node.customer, host_keys=keys[:2])
                assert changed.value.words == (
                    f"The server's key is {keys[2]}; those expected are {keys[0]}, {keys[1]}"
                )
                assert node.logins == 0
            else:
                open_session(node.customer, host_keys=keys[:2]).close()


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder

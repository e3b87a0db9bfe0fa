"""Keys that are missing or not those that passwords were stored with: the worker says so."""

import threading
from collections.abc import Sequence

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.accounts import Protocol
from consumers.sharding.presence import Worker, workers
from deploy.local.customers import PyFtpServer
from tests.integration.platform import MakeCourier, Platform, until
from worker.core import open_core
from worker.service import Service

OTHER = SecretStr(Fernet.generate_key().decode())


def told_by_a_worker(courier: Platform, keys: Sequence[SecretStr], state: str) -> Worker:
    """What the other workers and `courier check` hear of one that has these keys."""
    settings = courier.core.settings.model_copy(update={"secret_keys": tuple(keys)})
    with open_core(settings) as core:
        service = Service(core)
        service.start()
        try:
            found: Worker = until(
                lambda: next(
                    (each for each in workers(core.database) if each.state == state), None
                ),
                lambda: f"a worker that is {state}: {workers(core.database)}",
            )
            return found
        finally:
            service.stop(hurry=threading.Event())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "COURIER_SECRET_KEYS is not set: put a Fernet key there"),
        ([OTHER], "cannot be read with the keys in COURIER_SECRET_KEYS: add the key"),
    ],
    ids=["missing", "wrong"],
)
def test_a_worker_whose_keys_read_no_password_is_degraded_and_says_why(
    make_courier: MakeCourier,
    pyftpd_server: PyFtpServer,
    keys: Sequence[SecretStr],
    words: str,
) -> None:
    courier = make_courier()
    courier.account("acme", pyftpd_server.customer, Protocol.FTP)
    told = told_by_a_worker(courier, keys, "degraded")
    assert told.words is not None
    assert told.words.startswith("acme: ")
    assert words in told.words
    assert told.serves  # events are taken, and wait


def test_a_worker_with_the_right_keys_or_without_need_of_any_is_ready(
    make_courier: MakeCourier, pyftpd_server: PyFtpServer
) -> None:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    assert told_by_a_worker(courier, [], "ready").words is None
    courier.save("acme", pyftpd_server.customer, Protocol.FTP)
    keys = [OTHER, *courier.core.settings.secret_keys]
    assert told_by_a_worker(courier, keys, "ready").words is None

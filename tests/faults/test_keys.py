"""COURIER_SECRET_KEYS is changed as deploy/RUNBOOK.md tells, while recordings are delivered."""

import os
import subprocess
import sys

from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.faults.scene import ROOT, Scene, environment
from tests.servers.misbehaving import Mood


def test_keys_are_changed_step_by_step_and_no_try_fails_for_it(
    ground: Scene, customer: AsyncSshServer, mood: Mood
) -> None:
    (old,) = ground.platform.core.settings.secret_keys
    new = SecretStr(Fernet.generate_key().decode())
    for account_id in ("acme", "globex"):
        ground.customer(account_id, customer.customer, Protocol.SFTP)
    running = ground.start(secret_keys=(old,))
    for keys in ((old, new), (new, old), (new,)):
        if keys == (new,):
            rotate(ground, (new, old))
        beside = ground.start(secret_keys=keys)
        ids = [*ground.publish("acme", 3), *ground.publish("globex", 3)]
        ground.wait_delivered(*ids)
        running.terminate()
        running.wait_end()
        running = beside
        ground.wait_delivered(*ground.publish("acme"), *ground.publish("globex"))
    ground.account_for_all()
    assert {row["tries"] for row in ground.rows().values()} == {0}
    assert len(mood.renamed) == 24


def rotate(ground: Scene, keys: tuple[SecretStr, ...]) -> None:
    settings = ground.platform.core.settings.model_copy(update={"secret_keys": keys})
    done = subprocess.run(
        [sys.executable, "-m", "worker", "secrets", "rotate"],
        cwd=ROOT,
        env={**os.environ, **environment(settings)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == "2 stored secrets rotated, 0 unreadable.\n"

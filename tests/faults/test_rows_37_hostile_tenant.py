"""A tenant that means harm: refused or limited, written down, and nobody else notices."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from config.accounts import Protocol
from config.alert_addresses import MAX_NEW
from config.audit import Entry
from config.signins import BY_ADDRESS
from deploy.local.customers import AsyncSshServer, CustomerServer, SmtpSink
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import Scene
from tests.integration.console import Console, serving
from tests.integration.platform import until
from tests.servers.misbehaving import Mood
from worker.console.limits import SETTINGS_TESTS, TRY_NOW
from worker.console.validation import AT_ONCE, AT_ONCE_EACH

EVIL = "evil"
SUBS = tuple(f"evil.{number}" for number in range(AT_ONCE))
HALF_SENT = 300


class Silent:
    """Listens, lets everybody connect, and says nothing."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self._listener.settimeout(0)
        self._visitors: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    @property
    def visits(self) -> int:
        try:
            while True:
                self._visitors.append(self._listener.accept()[0])
        except BlockingIOError:
            return len(self._visitors)

    def close(self) -> None:
        """End all connections, and take no more. Harmless when done."""
        if self._listener.fileno() >= 0:
            assert self.visits >= 0
        for each in (*self._visitors, self._listener):
            each.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    listener = Silent()
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def town(ground: Scene, honest: CustomerServer) -> Iterator[Console]:
    """An honest customer, and a hostile tenant with accounts beneath it; the console runs."""
    ground.customer("good", honest, Protocol.SFTP)
    directory = ground.platform.core.directory
    directory.create(EVIL, ftp_access=True)
    for name in SUBS:
        directory.create(name, parent=EVIL, ftp_access=True)
    with serving(ground.platform) as console:
        yield console


def settings(port: int, **changes: object) -> dict[str, object]:
    login = {"host": "127.0.0.1", "port": port, "username": "x", "password": "p"}
    return {"protocol": "sftp", **login, **changes}


def audited(console: Console, account_id: str, action: str) -> list[Entry]:
    found = console.services.audit.list([account_id], 200)
    return [entry for entry in found if entry.action == action]


def running(console: Console) -> int:
    runs = console.services.validations._runs.values()
    return sum(not run.ended.is_set() for run in [*runs])


def test_row_37_tests_that_hold_slots_and_half_sent_requests_keep_nobody_out(
    ground: Scene, asyncssh_server: AsyncSshServer, silent: Silent, tell: Tell
) -> None:
    honest = asyncssh_server.customer
    with (
        town(ground, honest) as console,
        ThreadPoolExecutor(AT_ONCE + 1) as pool,
        ExitStack() as stack,
    ):
        ground.start()
        ground.publish("good", 3)
        host, port = console.url.removeprefix("http://").split(":")
        for _ in range(HALF_SENT):
            half = stack.enter_context(socket.create_connection((host, int(port)), 60))
            half.sendall(b"POST /api/v1/accounts HTTP/1.1\r\nHost: x\r\nX: ")
        tokens = [console.program(EVIL), console.program(SUBS[0])]

        def save(account_id: str, token: httpx.Client) -> httpx.Response:
            return token.put(f"/accounts/{account_id}/settings", json=settings(silent.port))

        held: list[Future[httpx.Response]] = []
        for number, account_id in enumerate(SUBS[:AT_ONCE_EACH]):
            held.append(pool.submit(save, account_id, tokens[min(number, 0)]))
            until(lambda n=number: running(console) > n, "the test to run")  # type: ignore[misc]
        more = [save(EVIL, tokens[0]), *(save(each, tokens[0]) for each in SUBS[AT_ONCE_EACH:])]
        own = settings(honest.port, username=honest.username, password=honest.password, path="good")
        saved = console.program("good").put("/accounts/good/settings", json=own)
        assert saved.status_code == 200, saved.text
        assert {each.status_code for each in more} == {429}
        again = console.program(None).put("/accounts/good/settings", json=own)
        assert again.status_code == 200
        ground.wait_delivered()
        silent.close()
        assert {each.result().status_code for each in held} == {422}
        assert audited(console, SUBS[0], "settings.tested")
    ground.account_for_all()
    tell(
        f"{HALF_SENT} half-sent requests and {AT_ONCE_EACH} held tests: others saved and delivered"
    )


def test_row_37_a_stored_password_goes_nowhere_else_and_no_test_into_the_platforms_network(
    make_scene: MakeScene, asyncssh_server: AsyncSshServer, silent: Silent, tell: Tell
) -> None:
    ground = make_scene(max_tries=1)
    honest = asyncssh_server.customer
    with town(ground, honest) as console:
        ground.start()
        console.user("eve", EVIL)
        good, evil = console.program("good"), console.program(EVIL)
        stolen = settings(silent.port, host=honest.host, username=honest.username, path="good")
        del stolen["password"]
        answer = good.put("/accounts/good/settings", json=stolen)
        assert answer.status_code == 422
        assert answer.json()["error"]["field"] == "password", answer.text
        assert evil.put("/accounts/good/settings", json=stolen).status_code == 404
        assert silent.visits == 0
        [refused] = audited(console, "good", "settings.tested")
        assert "refused" in refused.after["result"]
        for inside in ("169.254.169.254", "fe80::1", "100.100.100.200"):
            answer = evil.put(f"/accounts/{EVIL}/settings", json=settings(80, host=inside))
            assert answer.status_code == 422
            assert answer.json()["error"]["field"] == "host"
        assert len(audited(console, EVIL, "settings.tested")) == 3
        source = "https://169.254.169.254/latest/meta-data"
        ground.platform.account("fetch", honest, Protocol.SFTP, path="fetch")
        lost = ground.platform.publish("fetch", source, recording_id="metadata")
        assert ground.platform.wait_status(lost, "dead_lettered")["reason"] == "source"
        ground.publish("good", 3)
        ground.wait_delivered()
    tell(
        "a stored password for another port, tests and a source in the platform's network: refused"
    )


def test_row_37_try_now_without_end_and_a_mail_bomb_are_limited(
    make_scene: MakeScene,
    asyncssh_server: AsyncSshServer,
    customer: AsyncSshServer,
    mood: Mood,
    smtp_sink: SmtpSink,
    tell: Tell,
) -> None:
    ground = make_scene(suspend_after=2, suspend_seconds=600)
    with town(ground, asyncssh_server.customer) as console:
        mood.read_only = True
        target = replace(customer.customer)
        ground.platform.save(EVIL, target, Protocol.SFTP, email_alerts=strangers(0))
        ground.start()
        ground.platform.publish_many(EVIL, ["one.wav", "two.wav"])
        ground.platform.wait_state(EVIL, "suspended")
        evil = console.program(EVIL)
        until(lambda: smtp_sink.messages, "the alert")
        codes = []
        for _ in range(TRY_NOW.burst + 3):
            before = ground.platform.run_state(EVIL).suspensions
            codes.append(evil.post(f"/accounts/{EVIL}/try-now").status_code)
            if codes[-1] == 200:
                wait_suspensions(ground, before + 1)
        assert codes.count(200) <= TRY_NOW.burst + 2
        assert 429 in codes
        for round_number in range(1, 5):
            before = ground.platform.run_state(EVIL).suspensions
            addresses = strangers(round_number)
            ground.platform.save(EVIL, target, Protocol.SFTP, email_alerts=addresses)
            wait_suspensions(ground, before + 1)
        ground.customer("other", asyncssh_server.customer, Protocol.SFTP)
        ground.publish("other", 2)
        ground.publish("good", 2)
        ground.wait_delivered()
        reached = until(lambda: told(ground), "all alerts to be dealt with")
        mailed = {address for mail in smtp_sink.messages for address in mail.recipients}
        assert mailed <= reached
        assert len(mailed) == MAX_NEW
        assert len(smtp_sink.messages) <= 5
        assert len(audited(console, EVIL, "account.tried-now")) == codes.count(200)
    tell(
        f"{codes.count(200)} of {len(codes)} times try now, without an alert; "
        f"{MAX_NEW} of {5 * len(strangers(0))} strangers were mailed"
    )


def strangers(round_number: int) -> tuple[str, ...]:
    return tuple(f"s{round_number}-{each}@elsewhere.example" for each in range(25))


def wait_suspensions(ground: Scene, count: int) -> None:
    until(lambda: ground.platform.run_state(EVIL).suspensions >= count, f"{count} suspensions")


def told(ground: Scene) -> set[str] | None:
    """Everybody the alerts are for, once none of them waits."""
    alerts: list[dict[str, Any]] = [
        *ground.platform.core.database["alerts"].find({"to": {"$exists": True}})
    ]
    if len(alerts) < 5 or any(each["state"] == "waiting" for each in alerts):
        return None
    return {address for each in alerts for address in each["to"]}


def test_row_37_guessing_passwords_and_hammering_the_api_are_slowed_down(
    ground: Scene, asyncssh_server: AsyncSshServer, tell: Tell
) -> None:
    with town(ground, asyncssh_server.customer) as console:
        console.user("owner", "good")
        owner = console.browser("owner")
        guesser = console.nobody()
        codes: list[int] = []
        while 429 not in codes:
            form = {"login": "owner", "password": f"guess {len(codes)}"}
            codes.append(guesser.post("/sign-in", data=form).status_code)
            assert len(codes) <= BY_ADDRESS.free + 1
        assert owner.get("/accounts/good").status_code == 200
        failures = audited(console, "good", "sign-in.failed")
        assert [entry.after["times"] for entry in failures] == [len(codes) - 1]
        tests = [
            console.program(EVIL).put(f"/accounts/{EVIL}/settings", json=settings(1)).status_code
            for _ in range(SETTINGS_TESTS.burst + 2)
        ]
        assert set(tests) <= {422, 429}
        assert 422 in tests
    tell(f"{len(codes) - 1} guesses, one entry in the audit, the owner still in")

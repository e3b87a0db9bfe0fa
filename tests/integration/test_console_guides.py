"""The guides in the console: for everybody, and what this platform is set to behind the sign-in."""

from collections.abc import Iterator

import pytest

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from deploy.local.customers.facts import new_password
from tests.integration.console import Console, serving
from tests.integration.platform import MakeCourier


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    changes = {"max_tries": 7, "alert_from": "alerts@platform.example", "suspend_seconds": 600}
    with serving(make_courier(firewall_addresses=("192.0.2.7",), **changes)) as console:
        yield console


def test_whoever_is_not_signed_in_reads_the_guides_and_nothing_of_this_platform(
    console: Console,
) -> None:
    nobody = console.nobody()
    assert 'href="/help"' in nobody.get("/sign-in").text
    for path, chapter in (("/help", "forgotten your password"), ("/help/api", "dead letters")):
        answer = nobody.get(path)
        assert answer.status_code == 200
        assert chapter in answer.text.lower()
        assert "<img" not in answer.text
        for own in ("192.0.2.7", "alerts@platform.example", "7 failed tries"):
            assert own not in answer.text


def test_a_customer_reads_what_this_platform_is_set_to(console: Console) -> None:
    server = CustomerServer("127.0.0.1", 9, "x", new_password(), console.platform.folder)
    console.platform.account("acme", server, Protocol.SFTP)
    console.user("it@acme.example", "acme")
    browser = console.browser("it@acme.example")
    shown = browser.get("/help").text
    for own in ("192.0.2.7", "alerts@platform.example", "7 failed tries", "for 10 min", "90 days"):
        assert own in shown
    for page, chapter in (
        ("ftp", "the-ftp-settings"),
        ("alerts", "alerts-by-e-mail"),
        ("permissions", "permission-and-passing-it-on"),
        ("dead-letters", "skipped-files"),
        ("server", "the-test-on-save"),
    ):
        assert f'href="/help#{chapter}"' in browser.get(f"/accounts/acme/{page}").text
        assert f'id="{chapter}"' in shown
    assert 'href="/help/api"' in browser.get("/accounts/acme/people").text


def test_what_this_platform_is_set_to_is_told_as_germans_write_it(
    make_courier: MakeCourier,
) -> None:
    changes = {"max_tries": 1, "suspend_seconds": 100_000, "retention_days": 1000.5}
    with serving(make_courier(**changes)) as console:
        console.user("provider", None)
        browser = console.browser("provider")
        told = browser.get("/help").text
        for words in ("1 failed try<", "for 1 d 3 h", "1,000.50 days"):
            assert words in told
        told = browser.get("/help", headers={"Accept-Language": "de"}).text
        for words in ("1 fehlgeschlagenem Versuch<", "für 1 d 3 h", "1.000,50 Tage", "englisch"):
            assert words in told

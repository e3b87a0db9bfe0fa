"""What can be done on the pages, and what the audit then says."""

from collections.abc import Iterator

import pytest

from config.accounts import DeliveryMethod, Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.console import PASSWORD, Browser, Console, serving
from tests.integration.platform import MakeCourier, running

ACME = "/accounts/acme"


@pytest.fixture
def console(make_courier: MakeCourier, asyncssh_server: AsyncSshServer) -> Iterator[Console]:
    courier = make_courier()
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    courier.core.directory.create("acme.sub", parent="acme")
    with serving(courier) as console:
        console.user("provider", None)
        console.user("admin", "acme")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    return console.browser("admin")


def test_an_account_is_paused_and_resumed(console: Console, browser: Browser) -> None:
    assert "is paused" in browser.notice(f"{ACME}/state", do="pause")
    assert "Paused" in browser.get(ACME).text
    assert "paused already" in browser.notice(f"{ACME}/state", do="pause")
    assert "over" in browser.notice(f"{ACME}/state", do="resume")
    assert "nothing to resume" in browser.notice(f"{ACME}/state", do="resume")
    assert console.actions("acme") == ["account.resumed", "account.paused"]


def test_settings_are_switched_off_and_on(console: Console, browser: Browser) -> None:
    assert "switched off" in browser.notice(f"{ACME}/state", do="disable")
    assert "switched off" in browser.get(ACME).text
    assert "switched on" in browser.notice(f"{ACME}/state", do="enable")
    assert console.actions("acme") == ["settings.enabled", "settings.disabled"]


def test_an_account_that_works_has_nothing_to_try_now(browser: Browser) -> None:
    assert "not suspended" in browser.notice(f"{ACME}/state", do="try-now")


def test_the_permission_is_passed_on_and_taken_back(console: Console, browser: Browser) -> None:
    page = "/accounts/acme.sub/permissions"
    directory = console.platform.core.directory

    assert "granted to acme.sub" in browser.notice(page, ftp_access="granted", back="acme")
    assert directory.may_use_ftp(directory.get("acme.sub"))
    assert "revoked from acme.sub" in browser.notice(page, ftp_access="revoked", back="acme")
    assert not directory.may_use_ftp(directory.get("acme.sub"))
    assert console.actions("acme.sub") == ["ftp-access.revoked", "ftp-access.granted"]


def test_numbers_belong_to_the_provider_and_their_methods_to_the_account(
    console: Console, browser: Browser
) -> None:
    provider, page = console.browser("provider"), f"{ACME}/numbers"

    assert "go by FTP." in provider.notice(page, number="+441632960001", method="ftp")
    assert "Email" in browser.notice(page, number="+441632960001", method="ftp-and-email")
    assert "not one of the account" in browser.notice(page, number="+441632960009", method="ftp")
    assert "go by Email." in browser.notice(f"{page}/default", method="email")
    assert browser.send_form(f"{page}/remove", number="+441632960001").status_code == 403
    assert "2 to 15 digits" in provider.notice(page, number="\u0664", method="ftp")
    number = console.platform.core.directory.number("+441632960001")
    assert number is not None
    assert number.method is DeliveryMethod.FTP_AND_EMAIL
    assert "was removed" in provider.notice(f"{page}/remove", number="+441632960001")


def test_a_number_that_goes_to_another_account_is_in_the_audit_of_both_accounts(
    console: Console,
) -> None:
    provider = console.browser("provider")
    console.platform.core.directory.create("rival")
    provider.notice(f"{ACME}/numbers", number="+441632960001", method="ftp")
    provider.notice("/accounts/rival/numbers", number="+441632960001", method="email")

    [lost, _] = console.services.audit.list(["acme"], 2)
    [gained] = console.services.audit.list(["rival"], 1)
    assert (lost.action, lost.target, lost.before, lost.after) == (
        "number.removed",
        "+441632960001",
        {"method": "ftp"},
        {},
    )
    assert (gained.action, gained.before) == ("number.set", {})
    assert gained.after == {"account_id": "rival", "method": "email"}


def test_an_account_is_added_by_the_provider_only(console: Console, browser: Browser) -> None:
    provider = console.browser("provider")

    assert "was created" in provider.notice("/accounts", account_id="new", parent="acme")
    assert "exists already" in provider.notice("/accounts", account_id="new")
    assert "is not an account id" in provider.notice("/accounts", account_id="<b>")
    assert browser.send_form("/accounts", account_id="other").status_code == 403


def test_users_and_tokens_are_made_and_shown_once(console: Console, browser: Browser) -> None:
    page = f"{ACME}/people"

    shown = browser.send_form(
        page, do="create-user", login="it@customer.example", current=PASSWORD
    ).text
    password = shown.split('class="secret">')[1].split("<")[0]
    assert password not in browser.get(page).text
    assert "is taken" in browser.notice(
        page, do="create-user", login="it@customer.example", current=PASSWORD
    )
    assert "for other users" in browser.notice(page, do="remove", login="admin")
    assert "disabled" in browser.notice(page, do="disable", login="it@customer.example")
    assert "removed" in browser.notice(page, do="remove", login="it@customer.example")

    shown = browser.send_form(page, do="create-token", name="Provisioning", current=PASSWORD).text
    secret = shown.split('class="secret">')[1].split("<")[0]
    token = next(each for each in console.services.tokens.list(["acme"]))
    assert secret not in browser.get(page).text
    assert "revoked" in browser.notice(page, do="revoke-token", token_id=token.token_id)
    assert console.actions("acme") == [
        "token.revoked",
        "token.created",
        "user.removed",
        "user.disabled",
        "user.created",
    ]


def test_dead_letters_are_replayed_and_discarded(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    courier = make_courier(max_tries=1, retry_delays=(0,))
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    missing = [courier.folder / name for name in ("one.wav", "two.wav")]
    with serving(courier) as console, running(courier):
        console.user("admin", "acme")
        browser = console.browser("admin")
        ids = [courier.publish("acme", path) for path in missing]
        for recording_id in ids:
            courier.wait_status(recording_id, "dead_lettered")
        assert "Replay all" in browser.get(ACME).text

        courier.recording("one.wav")
        told = browser.notice(f"{ACME}/dead-letters", do="replay", recording_id=ids[0])
        courier.wait_status(ids[0], "delivered")
        given_up = browser.notice(f"{ACME}/dead-letters", do="discard")

        assert "on their way again: 1" in told
        assert "discarded: 1" in given_up
        assert courier.row(ids[1])["status"] == "discarded"
        assert console.actions("acme") == ["dead-letters.discarded", "dead-letters.replayed"]


def test_a_suspended_account_is_shown_first_with_the_time_left_and_tried_now(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    courier = make_courier(suspend_after=2, retry_delays=(0,))
    courier.core.directory.create("aaa", ftp_access=True)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    asyncssh_server.stop()
    with serving(courier) as console, running(courier):
        console.user("provider", None)
        browser = console.browser("provider")
        recording_id = courier.publish("acme", courier.recording("one.wav"))
        courier.wait_state("acme", "suspended")

        overview, page = browser.get("/overview").text, browser.get(ACME).text
        assert overview.index('href="/accounts/acme"') < overview.index('href="/accounts/aaa"')
        assert "Connection refused" in overview
        assert "14 min 5" in overview or "15 min" in overview
        assert "Connection refused" in page
        assert "firewall" in page  # the advice

        asyncssh_server.start()
        assert "tried now" in browser.notice(f"{ACME}/state", do="try-now")
        courier.wait_status(recording_id, "delivered")
        assert "Active" in browser.get(ACME).text


def test_the_overview_is_searched_and_filtered(console: Console) -> None:
    provider = console.browser("provider")

    def found(**query: str) -> set[str]:
        text = provider.get("/overview", params=query, headers={"HX-Request": "true"}).text
        return {name for name in ("acme", "acme.sub") if f'href="/accounts/{name}"' in text}

    assert found() == {"acme", "acme.sub"}
    assert found(search="sub") == {"acme.sub"}
    assert found(search="127.0.0.1") == {"acme"}
    assert found(state="active") == {"acme"}
    assert found(search="(.*") == set()

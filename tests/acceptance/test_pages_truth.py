"""What the pages say is so: while something goes on, after it has failed, and of the files."""

import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from config.accounts import FtpSettings, Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.acceptance.site import Site
from tests.integration.platform import until

JSON = "application/json"


def stored(site: Site) -> FtpSettings:
    settings = site.courier.core.directory.get("acme").settings
    assert settings is not None
    return settings


def save(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Test and save").click()


def test_a_key_that_was_approved_stays_so_at_the_next_save_and_the_focus_where_it_was(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    site.courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    asyncssh_server.stop()
    asyncssh_server.regenerate_host_key()
    asyncssh_server.start()
    key = asyncssh_server.customer.host_key
    assert key is not None
    site.user("it@acme.example", "acme")
    with site.signed_in("it@acme.example") as page:
        page.goto(f"{site.url}/accounts/acme/ftp")
        save(page, password=asyncssh_server.password)
        page.get_by_role("button", name="Approve it instead").click()
        expect(page.locator("[data-saved]")).to_be_visible()
        expect(page.get_by_label("Password")).to_have_value("")
        expect(page.get_by_label("Host Key")).to_have_value(key)
        expect(page.locator(".pin code")).to_have_text(key)

        page.get_by_label("Path").fill("in")
        page.keyboard.press("Enter")
        until(lambda: stored(site).path == "in", "the second save")
        assert stored(site).host_key == key
        expect(page.get_by_label("Path")).to_be_focused()
        expect(page.get_by_label("Logon Type")).to_be_visible()
        assert "Approve" not in page.locator("#result").inner_text()


def test_a_key_that_is_approved_as_well_leaves_the_pinned_one_where_it_was(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    site.courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    before = asyncssh_server.customer.host_key
    asyncssh_server.stop()
    asyncssh_server.regenerate_host_key()
    asyncssh_server.start()
    after = asyncssh_server.customer.host_key
    site.user("it@acme.example", "acme")
    with site.signed_in("it@acme.example") as page:
        page.goto(f"{site.url}/accounts/acme/ftp")
        save(page, password=asyncssh_server.password)
        page.get_by_role("button", name="Approve it as well").click()
        expect(page.locator("[data-saved]")).to_contain_text("Accepted from now on")
        expect(page.get_by_label("Host Key")).to_have_value(f"{before}, {after}")
    assert stored(site).host_keys == (before, after)


def test_what_the_server_says_of_a_refusal_is_shown(site: Site) -> None:
    site.courier.core.directory.create("acme", ftp_access=True)
    site.user("it@acme.example", "acme")
    with site.signed_in("it@acme.example") as page:
        page.goto(f"{site.url}/accounts/acme/ftp")
        fill = {"host": "127.0.0.1", "port": "1", "username": "u", "password": "p"}
        page.get_by_label("Protocol").select_option(label="FTP")
        site.courier.core.directory.set_ftp_access("acme", granted=False)
        save(page, **fill)
        trouble = page.locator("#trouble")
        expect(trouble).to_contain_text("This account has no FTP access")

        site.courier.core.directory.set_ftp_access("acme", granted=True)
        page.evaluate("document.body.setAttribute('hx-headers', '{}')")
        page.evaluate("document.querySelector('#ftp [name=csrf]').value = 'x'")
        save(page)
        expect(trouble).to_contain_text("reload the page and try again")

        def answer(status: int, body: str = "", kind: str = "text/html") -> Any:
            def respond(route: Route) -> None:
                route.fulfill(status=status, body=body, content_type=kind)

            return respond

        for response, words in (
            (
                answer(429, '{"error": {"message": "Slowly, please."}}', "application/json"),
                "Slowly",
            ),
            (answer(413), "too large"),
            (answer(502, "<h1>Bad Gateway</h1>"), "cannot answer now (502)"),
            (lambda route: route.abort(), "does not answer"),
        ):
            page.route("**/accounts/acme/ftp", response)
            save(page)
            expect(trouble).to_contain_text(words)
            page.unroute("**/accounts/acme/ftp")

        page.context.clear_cookies()
        save(page)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_account_tells_what_became_of_its_files(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    site.courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    site.user("operator", None)
    site.user("it@acme.example", "acme")
    (good,) = site.courier.publish_many("acme", ["good.wav"])
    site.courier.wait_status(good, "delivered")
    lost = [site.courier.publish("acme", site.courier.folder / f"{n}.wav") for n in range(2)]
    for each in lost:
        site.courier.wait_status(each, "dead_lettered")
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/accounts/acme")
        words = page.locator(".state-words")
        expect(words).to_contain_text("1 delivered, 2 dead letters")
        expect(words).not_to_contain_text("Everything")
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Discard", exact=True).first.click()
        expect(words).to_contain_text("1 delivered, 1 dead letter, 1 discarded")
        expect(page.locator("#activity")).to_contain_text("dead letter")
    with site.signed_in("it@acme.example") as page:
        expect(page.locator(".state-words")).to_contain_text("1 delivered, 1 skipped, 1 discarded")
        expect(page.locator("main")).not_to_contain_text("dead letter", ignore_case=True)


def test_after_a_save_the_page_tells_what_is_being_tried_until_it_is_over(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    server = asyncssh_server.customer
    site.courier.account("acme", server, Protocol.SFTP, password="wrong")
    site.user("it@acme.example", "acme")
    files = site.courier.publish_many("acme", ["one.wav", "two.wav"])
    site.courier.wait_state("acme", "suspended")
    with site.signed_in("it@acme.example") as page:
        page.goto(f"{site.url}/accounts/acme/ftp")
        expect(page.locator("#state")).to_have_text("suspended")
        save(page, password=server.password)
        after = page.locator("#after-save")
        expect(page.locator("[data-saved]")).to_contain_text("Saved")
        expect(after).to_contain_text("delivered")
        expect(page.locator("#state")).to_have_text("active")
    for each in files:
        site.courier.wait_status(each, "delivered")


def test_after_a_save_a_paused_account_is_told_to_be_paused(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    server = asyncssh_server.customer
    site.courier.account("acme", server, Protocol.SFTP)
    site.user("it@acme.example", "acme")
    site.courier.core.ledger.accounts.pause("acme")
    (name,) = site.courier.publish_many("acme", ["one.wav"])
    site.courier.wait_status(name, "queued")
    with site.signed_in("it@acme.example") as page:
        page.goto(f"{site.url}/accounts/acme/ftp")
        save(page, password=server.password)
        after = page.locator("#after-save")
        expect(after).to_contain_text("paused")
        expect(after).to_contain_text("1 file")
        expect(page.locator("#state")).to_have_text("paused")


def test_a_test_that_the_console_does_not_know_any_more_says_so(site: Site, tmp_path: Path) -> None:
    (tmp_path / "ftp").mkdir()
    site.courier.core.directory.create("acme", ftp_access=True)
    site.user("it@acme.example", "acme")
    with PyFtpServer(tmp_path / "ftp") as server, site.signed_in("it@acme.example") as page:
        page.goto(f"{site.url}/accounts/acme/ftp")
        page.get_by_label("Protocol").select_option(label="FTP")
        forgotten = threading.Event()

        def other(route: Route) -> None:
            forgotten.set()
            route.continue_(url=f"{site.url}/accounts/acme/ftp/tests/none")

        page.route("**/ftp/tests/*", other)
        customer = server.customer
        save(
            page,
            host=customer.host,
            port=str(customer.port),
            username=customer.username,
            password=customer.password,
        )
        expect(page.locator("#result")).to_contain_text("not known any more")
        assert forgotten.is_set()

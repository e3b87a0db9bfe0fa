"""Dead letters and invalid events in Chromium: found by cause, ticked, asked for, dealt with."""

import json

from bson import ObjectId
from playwright.sync_api import Page, expect

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.acceptance.site import PHONE, Site, back_to_list
from tests.integration.platform import until

LONG_NAME = "20261128-160002_01632960000"


def give_up(site: Site, count: int) -> None:
    """Dead letters of acme, one through its tries and the others like it."""
    courier = site.courier
    lost = courier.publish("acme", courier.folder / f"{LONG_NAME}-0.wav")
    courier.wait_status(lost, "dead_lettered")
    rows = courier.core.database["deliveries"]
    one = rows.find_one({"_id": lost})
    assert one is not None
    event = json.loads(one["event"])
    copies = []
    for number in range(1, count):
        name = f"{LONG_NAME}-{number}.wav"
        source = (courier.folder / name).as_uri()
        told = {"recording_id": f"lost-{number}", "file_url": source}
        body = json.dumps({**event, **told})
        own = {"_id": f"lost-{number}", "file_url": source, "file_name": name, "event": body}
        copies.append({**one, **own, "arrival": ObjectId()})
    rows.insert_many(copies)


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.url


def test_a_customer_ticks_all_on_the_page_and_an_operator_replays_the_rest(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    courier = site.courier
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    site.user("it@acme.example", "acme")
    site.user("operator", None)
    give_up(site, 60)
    for number in range(60):
        courier.recording(f"{LONG_NAME}-{number}.wav")

    with site.signed_in("it@acme.example", PHONE) as page:
        page.goto(f"{site.url}/accounts/acme")
        page.get_by_role("link", name="All of them, by cause").click()
        expect(page.get_by_role("heading", name="60 skipped files")).to_be_visible()
        expect(page.locator(".fault").first).to_have_text("our platform")
        fits(page)
        ticked = page.locator("[data-ticked]")
        page.locator("td.tick input").first.check()
        expect(ticked).to_have_text("1 ticked: another page or filter lets them go")
        page.get_by_label("All on this page").check()
        expect(ticked).to_have_text("50 ticked: another page or filter lets them go")
        page.get_by_role("button", name="Replay the ticked ones").click()
        expect(page.get_by_role("heading", name="Replay 50 skipped files?")).to_be_visible()
        fits(page)
        page.get_by_role("button", name="Replay 50 skipped files").click()
        expect(page.locator("main")).to_contain_text("50 of 50 on their way again.")
        fits(page)

    delivered = {"account_id": "acme", "status": "delivered"}
    rows = courier.core.database["deliveries"]
    until(lambda: rows.count_documents(delivered) == 50, "the fifty to arrive")
    courier.publish_raw(b'{"file_url": "https://u:secret@h/<b>"}')
    until(lambda: courier.queue_length("recordings.invalid") == 1, "the event to lie there")

    with site.signed_in("operator") as page:
        page.get_by_role("navigation", name="Main").get_by_text("Dead letters").click()
        expect(page.get_by_role("heading", name="10 dead letters")).to_be_visible()
        page.get_by_role("button", name="Replay all 10").click()
        page.get_by_role("button", name="Replay 10 dead letters").click()
        expect(page.locator("main")).to_contain_text("10 of 10 on their way again.")
        until(lambda: rows.count_documents(delivered) == 60, "the others to arrive")
        page.get_by_role("navigation", name="Main").get_by_text("Invalid events").click()
        page.locator("summary").click()
        expect(page.locator(".payload")).to_contain_text("https://***@h/<b>")
        page.get_by_role("button", name="Discard all 1").click()
        page.get_by_role("button", name="Discard 1 invalid event").click()
        expect(page.locator("main")).to_contain_text("1 of 1 discarded.")
        back_to_list(page)
        expect(page.locator("main")).to_contain_text("There are none")
    assert courier.queue_length("recordings.invalid") == 0


def test_the_progress_of_thousands_goes_on_by_itself_and_is_seen(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    site.courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    site.user("operator", None)
    give_up(site, 2500)
    with site.signed_in("operator", PHONE) as page:
        page.goto(f"{site.url}/dead-letters?account=acme")
        fits(page)
        page.get_by_role("button", name="Discard all 2,500").click()
        page.get_by_role("button", name="Discard 2,500 dead letters").click()
        expect(page.locator("main")).to_contain_text("of 2,500 discarded")
        fits(page)
        expect(page.locator("main")).to_contain_text("2,500 of 2,500 discarded.")
    rows = site.courier.core.database["deliveries"]
    assert rows.count_documents({"account_id": "acme", "status": "discarded"}) == 2500

"""Times in the reader's zone, and in UTC on demand."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import expect

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.acceptance.site import Site

ADELAIDE = "Australia/Adelaide"
"""Its clocks are half an hour off most others."""


NOWHERE = CustomerServer("127.0.0.1", 1, "customer", "a password", Path(), None, "/")


def minute(moment: datetime, zone: str) -> re.Pattern[str]:
    return re.compile(f"{moment.astimezone(ZoneInfo(zone)):%H:%M}:")


def test_a_reader_sees_its_own_time_and_utc_on_demand(site: Site) -> None:
    site.courier.account("acme", NOWHERE, Protocol.FTP)
    site.courier.core.ledger.accounts.pause("acme")
    recording_id = site.courier.publish("acme", site.courier.recording("one.wav"))
    row = site.courier.wait_status(recording_id, "queued")
    arrived = row["created_at"].replace(tzinfo=UTC)
    site.user("admin", None)

    with site.signed_in("admin", zone=ADELAIDE) as page:
        page.goto(f"{site.url}/accounts/acme")
        told = page.locator("#activity time").first
        expect(told).to_have_text(minute(arrived, ADELAIDE))
        expect(told).to_have_attribute("title", minute(arrived, "UTC"))
        page.get_by_role("button", name="show them in UTC").click()
        expect(told).to_have_text(minute(arrived, "UTC"))
        expect(told).to_contain_text("UTC")

        page.reload()  # the choice is kept
        expect(told).to_have_text(minute(arrived, "UTC"))
        page.get_by_role("button", name=f"show them in {ADELAIDE}").click()
        expect(told).to_have_text(minute(arrived, ADELAIDE))

        refreshed = told.element_handle()
        site.courier.publish("acme", site.courier.recording("two.wav"))
        expect(page.locator("#activity")).to_contain_text("two.wav")
        assert refreshed is not None
        for each in page.locator("#activity time").all():
            expect(each).not_to_contain_text("UTC")


def test_a_reader_whose_zone_is_utc_is_asked_for_no_choice(site: Site) -> None:
    site.user("admin", None)
    with site.signed_in("admin") as page:
        expect(page.locator("#zone")).to_be_hidden()

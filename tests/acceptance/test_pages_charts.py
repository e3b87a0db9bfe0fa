"""The charts in Chromium: their hours in the reader's zone, or in UTC where he prefers it."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import expect

from consumers.ledger import ALL
from consumers.ledger.hours import Sums
from tests.acceptance.site import Site

ZONE = "Asia/Kolkata"
"""Half an hour beside the hours of UTC, and the same all year."""


def test_hours_are_in_the_readers_zone_and_days_in_utc(site: Site) -> None:
    ago = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    here = ago.astimezone(ZoneInfo(ZONE))
    site.courier.core.ledger.hours.add({(ALL, ago): Sums(5)})
    site.user("operator", None)
    with site.signed_in("operator", (320, 800), zone=ZONE) as page:
        page.goto(f"{site.url}/charts")
        told = f"{here.day} {here:%b}t?, {here:%H:%M}"  # some browsers write Sept
        bar, axis = page.locator("svg title", has_text=": 5 delivered"), page.locator(".axis").first
        expect(bar).to_have_text(re.compile(f"^{told}: 5 delivered$"))
        expect(axis).to_contain_text("GMT+5:30")
        page.get_by_text("The numbers", exact=True).click()
        expect(page.locator("tbody th time")).to_have_text(re.compile(rf"^{told} GMT\+5:30$"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.locator("#zone").click()
        expect(bar).to_have_text(f"{ago:%d %b %H:%M}: 5 delivered")
        expect(axis).to_contain_text(":00 UTC")
        page.locator("#zone").click()
        page.get_by_role("link", name="13 weeks").click()
        expect(page.locator("svg title", has_text=": 5 delivered")).to_have_text(
            f"{ago:%d %b}: 5 delivered"
        )
        expect(axis).to_have_text(re.compile(r"^[^:]+ UTC$"))

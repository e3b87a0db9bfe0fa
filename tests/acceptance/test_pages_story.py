"""The page of one recording in Chromium: reached by a link, read on every screen."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from consumers.ledger import Claimant, Ledger
from tests.acceptance.site import Site
from tests.integration.ledger.rows import FAILED, claimed, dies, opened, waits
from transports.phases import Phase

LONG = "20261128-160002_01632960000-" + "x" * 200 + ".wav"
SAID = "550 " + "nospacesatall" * 20
WIDTHS = (320, 390, 820, 1024, 1440)
WORKER = Claimant("a-host-of-a-rather-long-name.example-12345-abcdef", "session", 1)


@pytest.fixture
def recording_id(site: Site) -> str:
    """A dead letter with a long name and a long story."""
    site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    site.user("admin", "acme")
    site.user("operator", None)
    ledger = Ledger(site.courier.core.database)
    failed = replace(FAILED.error, words=SAID)
    for number in range(25):
        claim = claimed(ledger, "r/1?", WORKER, file_name=LONG)
        waits(ledger, claim, error=failed, phase=Phase.RENAMING, sent=number)
    dies(ledger, claimed(ledger, "r/1?", WORKER), error=failed, phase=Phase.WRITING)
    return "r/1?"


def test_a_customer_follows_the_link_of_a_skipped_file_and_reads_its_story(
    site: Site, recording_id: str
) -> None:
    with site.signed_in("admin") as page:
        page.goto(f"{site.url}/accounts/acme")
        page.get_by_role("link", name=LONG).first.click()
        expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        expect(page.get_by_text("Try 26 failed while sending.")).to_be_visible()
        expect(page.get_by_text("It was skipped: its tries are used up.")).to_be_visible()
        expect(page.get_by_text("Events of its story that were not kept")).to_be_visible()
        assert recording_id in page.content()
        assert WORKER.worker not in page.content()
        page.get_by_role("button", name="Replay").click()
        expect(page.get_by_text("It is on its way again.")).to_be_visible()
        expect(page.get_by_text("Somebody put it back on its way.")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_no_wider_than_any_screen(site: Site, recording_id: str, *, dark: bool) -> None:
    with site.signed_in("operator", dark=dark) as page:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(
                f"{site.url}/recordings/{recording_id.replace('/', '%2F').replace('?', '%3F')}"
            )
            expect(page.get_by_text(WORKER.worker).first).to_be_visible()
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, width


def test_when_it_was_recorded_is_told_in_the_readers_zone(site: Site) -> None:
    site.courier.core.directory.create("acme", ftp_access=True)
    site.user("admin", "acme")
    opened(Ledger(site.courier.core.database), recorded_at="2026-11-30T14:05:40+00:00")
    with site.signed_in("admin", zone="Europe/Athens") as page:
        page.goto(f"{site.url}/recordings/one")
        expect(page.get_by_text("30 Nov 2026, 16:05:40")).to_be_visible()

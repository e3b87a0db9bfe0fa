"""What people do with their own sign-in, in Chromium: password, second factor, sessions, role."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from deploy.local.customers import SmtpSink
from tests.acceptance.site import PASSWORD, Site, serving_site
from tests.integration.platform import settings_for

ADDRESS = "https://courier.example"
ANNA = "anna@acme.example"
OTHER = "another good password"
NARROW = (320, 700)


@pytest.fixture
def site(
    amqp_url: str, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path, chromium: Browser
) -> Iterator[Site]:
    """A site whose e-mails may lead to it, with an account and its administrator."""
    settings = settings_for(
        amqp_url, mongodb_url, smtp_sink.url, console_bind="127.0.0.1:0", console_url=ADDRESS
    )
    with serving_site(settings, tmp_path / "recordings", chromium) as site:
        site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
        site.user(ANNA, "acme")
        yield site


def own(page: Page, site: Site, part: str = "") -> None:
    """Go to one's own account, as people do: by the name above."""
    page.goto(site.url)
    page.get_by_role("link", name=ANNA).click()
    if part:
        page.get_by_role("navigation", name="You").get_by_text(part).click()


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("Login").fill(ANNA)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def expect_signed_in(page: Page) -> None:
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()


def test_somebody_changes_the_password_and_stays_signed_in_here_alone(site: Site) -> None:
    with site.signed_in(ANNA) as elsewhere, site.signed_in(ANNA) as page:
        own(page, site)
        page.get_by_label("Your password now").fill("not this one")
        page.get_by_label("New password, 12").fill(OTHER)
        page.get_by_label("New password once more").fill(OTHER)
        page.get_by_role("button", name="Change the password").click()
        expect(page.get_by_role("alert")).to_contain_text("is not right")

        page.get_by_label("Your password now").fill(PASSWORD)
        page.get_by_label("New password, 12").fill(OTHER)
        page.get_by_label("New password once more").fill(OTHER)
        page.keyboard.press("Enter")

        expect(page.get_by_role("status")).to_contain_text("Your password was changed")
        expect_signed_in(page)
        # Its page asks by itself how things are, and is sent to the sign-in: nobody reloads it.
        expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()
        sign_in(elsewhere, OTHER)
        expect_signed_in(elsewhere)


def test_somebody_who_forgot_the_password_chooses_another_by_an_email(
    site: Site, smtp_sink: SmtpSink
) -> None:
    with site.window() as page:
        page.get_by_role("link", name="Forgotten your password?").click()
        page.get_by_label("Login").fill(ANNA)
        page.get_by_role("button", name="Send me a link").click()
        expect(page.get_by_role("status")).to_contain_text("is on its way")
        [mail] = smtp_sink.wait_for(1)
        [path] = re.findall(rf"{ADDRESS}(/\S+)", mail.message.get_content())

        page.goto(f"{site.url}{path}")
        page.get_by_label("New password, 12").fill(OTHER)
        page.get_by_label("New password once more").fill(OTHER)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("sign in with it")
        sign_in(page, OTHER)
        expect_signed_in(page)

        page.goto(f"{site.url}{path}")
        expect(page.get_by_role("alert")).to_contain_text("does not work any more")


def test_somebody_sets_up_a_second_factor_and_signs_in_with_it(site: Site) -> None:
    with site.signed_in(ANNA) as page:
        own(page, site, "Second factor")
        page.get_by_label("Your password now").fill(PASSWORD)
        page.get_by_role("button", name="Set it up").click()
        picture = page.get_by_role("img", name="QR code").locator("svg")
        box = picture.bounding_box()
        assert box is not None
        assert box["width"] > 150
        assert abs(box["height"] - box["width"]) < 1
        secret = page.locator("code.secret").inner_text().replace(" ", "")
        page.get_by_label("Code", exact=True).fill("000000")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not right")
        expect(picture).to_be_visible()
        page.get_by_label("Code", exact=True).fill(_code(secret))
        page.keyboard.press("Enter")
        expect(page.locator(".codes code")).to_have_count(10)
        recovery = page.locator(".codes code").first.inner_text()
        page.get_by_role("button", name="Sign out", exact=True).click()

        sign_in(page, PASSWORD)
        expect(page.get_by_role("heading", name="Your code")).to_be_visible()
        page.goto(f"{site.url}/accounts/acme")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        sign_in(page, PASSWORD)
        expect(page.get_by_label("Code", exact=True)).to_be_focused()
        page.keyboard.type(recovery)
        page.keyboard.press("Enter")
        expect_signed_in(page)

        own(page, site, "Second factor")
        expect(page.locator(".content")).to_contain_text("Recovery codes left: 9")


def test_somebody_sees_where_it_is_signed_in_and_signs_out_there(site: Site) -> None:
    with site.signed_in(ANNA) as lost, site.signed_in(ANNA) as page:
        own(page, site, "Sessions")
        rows = page.get_by_role("main").get_by_role("listitem")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("Chrome on Linux")
        expect(rows.first).to_contain_text("127.0.0.1")
        page.get_by_role("main").get_by_role("button", name="Sign out", exact=True).click()
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("this one")
        expect(lost.get_by_role("heading", name="Sign in")).to_be_visible()

        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Sign out everywhere").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_somebody_who_may_only_look_sees_everything_and_nothing_to_press(site: Site) -> None:
    site.user("auditor", "acme", read_only=True)
    with site.signed_in("auditor") as page:
        for path in ("", "/ftp", "/permissions", "/numbers", "/people", "/audit"):
            answer = page.goto(f"{site.url}/accounts/acme{path}")
            assert answer is not None
            assert answer.status == 200
            expect(page.locator("form[method=post]")).to_have_count(1)  # to sign out
        status = page.evaluate(
            """async () => {
                const headers = JSON.parse(document.body.getAttribute("hx-headers"));
                const body = new URLSearchParams({do: "pause"});
                const init = {method: "POST", body, headers};
                return (await fetch("/accounts/acme/state", init)).status;
            }"""
        )

    assert status == 403
    assert not site.courier.run_state("acme").paused


@pytest.mark.parametrize("dark", [False, True])
def test_no_page_of_ones_own_is_wider_than_a_narrow_telephone(site: Site, *, dark: bool) -> None:
    with site.signed_in(ANNA, NARROW, dark=dark) as page:
        own(page, site, "Second factor")
        page.get_by_label("Your password now").fill(PASSWORD)
        page.get_by_role("button", name="Set it up").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        assert _surplus(page) <= 0
        for path in ("password", "sessions", "second-factor"):
            page.goto(f"{site.url}/{path}")
            assert _surplus(page) <= 0, path
    with site.window(NARROW, dark=dark) as page:
        for path in ("forgotten-password", "new-password?token=x", "sign-in"):
            page.goto(f"{site.url}/{path}")
            assert _surplus(page) <= 0, path


def _surplus(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def _code(secret: str) -> str:
    totp = pyotp.TOTP(secret)
    return totp.generate_otp(totp.timecode(datetime.now(UTC)) + 1)
